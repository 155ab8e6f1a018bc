//! The library with real Python, end to end. Every test runs in a process of its own and is checked
//! to leave it as it was: see [`support::Isolation`].
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to panic")]
#![allow(clippy::panic, reason = "a test that cannot go on is to panic")]

mod support;

mod backpressure;
mod bad_input;
mod blocking;
mod cancellation;
mod compatibility;
mod faults;
mod health;
mod large;
mod limits;
mod logs;
mod lookout;
mod metrics;
mod runtimes;
mod scheduling;
mod service;
mod shutdown;
mod smoke;
mod traces;
