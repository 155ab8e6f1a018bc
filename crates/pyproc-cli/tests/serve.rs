//! `pyproc serve` with real Python, over real sockets.

mod common;
#[path = "serve/drain.rs"]
mod drain;
#[path = "serve/drain_multiplexed.rs"]
mod drain_multiplexed;
#[path = "serve/identity.rs"]
mod identity;
#[path = "serve/kills.rs"]
mod kills;
#[path = "serve/life.rs"]
mod life;
#[path = "serve/outage.rs"]
mod outage;
#[path = "serve/statuses.rs"]
mod statuses;
#[path = "serve/tokens.rs"]
mod tokens;
