//! The cloud identity of a pod: which mechanism gives it one ([`detect`](detect::detect)), what is wrong
//! with it ([`doctor`]), and the exchange of its token for a credential ([`exchange`](exchange::exchange)).
//!
//! Everything is decided from a [`Pod`], a value with the environment, the root folder and the addresses, so
//! that a described pod can be looked at like the real one. Nothing is written, and no error or report
//! contains a token or a key.

pub mod claims;
pub mod detect;
pub mod doctor;
pub mod exchange;
pub mod expected;
pub mod external_account;
pub mod http;
pub mod mechanism;
pub mod pod;
mod read;
mod secret;
pub mod startup;
pub mod static_keys;
#[cfg(test)]
mod testing;
mod time;
pub mod token_file;

pub use pod::Pod;
pub use secret::{Secret, scrubbed};
pub use time::written;
