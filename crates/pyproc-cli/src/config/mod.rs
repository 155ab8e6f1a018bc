//! The program's configuration: every key of a pool and the gateway's own, from flags over variables over
//! a file over defaults.

pub(crate) mod gateway;
pub(crate) mod keys;
