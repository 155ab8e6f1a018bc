//! The lanes between a Rust program and its Python workers: shared-memory rings, segments for large
//! bodies, doorbells, and the control socket beside them. Both processes are built from this crate,
//! so there is one implementation of the protocol.
//!
//! All of pyproc's unsafe code is here, except the edge of the Python extension. The host's half
//! trusts nothing that it reads from a worker; what a worker can break is its own calls.

#[cfg(not(target_os = "linux"))]
compile_error!(
    "pyproc needs Linux (kernel 5.10 or later): it is built on memfd, pidfd and parent-death signals"
);

pub mod attendant;
pub mod cgroup;
pub mod clock;
pub mod control;
pub mod copy;
pub mod doorbell;
pub mod guard;
pub mod index;
pub mod lane;
pub mod message;
pub mod process;
pub mod quota;
pub mod record;
pub mod ring;
pub mod shm;
pub mod store;
mod sync;
#[cfg(all(test, not(loom)))]
mod testing;
pub mod wait;
pub mod worker;
