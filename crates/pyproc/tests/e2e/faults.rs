//! What wedges other servers: each fault has a typed error, says whether the function may have run,
//! and the next call works.

mod death;
mod descriptors;
mod host;
mod python;
mod stuck;
mod surroundings;
