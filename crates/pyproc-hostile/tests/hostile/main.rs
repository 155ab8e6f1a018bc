//! A worker that lies can make its own calls fail, nothing else: the host neither panics nor hangs, no
//! call gets another's answer, the honest worker beside it goes on, and nothing is left behind.
#![expect(
    clippy::unwrap_used,
    reason = "a test says what went wrong by panicking"
)]

mod control;
mod handshake;
mod harness;
mod lane;
