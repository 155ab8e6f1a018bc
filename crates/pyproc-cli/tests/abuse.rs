//! `pyproc serve` under attack: whatever a client sends, sends slowly, or leaves, it gets the right
//! status, others are served as before, the workers are the same, and memory and descriptors come back.

mod common;

#[path = "abuse/client.rs"]
mod client;
#[path = "abuse/gateway.rs"]
mod gateway;

#[path = "abuse/crowd.rs"]
mod crowd;
#[path = "abuse/floods.rs"]
mod floods;
#[path = "abuse/frames.rs"]
mod frames;
#[path = "abuse/gone.rs"]
mod gone;
#[path = "abuse/heads.rs"]
mod heads;
#[path = "abuse/idle.rs"]
mod idle;
#[path = "abuse/json.rs"]
mod json;
#[path = "abuse/large.rs"]
mod large;
#[path = "abuse/msgpack.rs"]
mod msgpack;
#[path = "abuse/multiplexed.rs"]
mod multiplexed;
#[path = "abuse/origin.rs"]
mod origin;
#[path = "abuse/slow.rs"]
mod slow;
#[path = "abuse/smuggling.rs"]
mod smuggling;
