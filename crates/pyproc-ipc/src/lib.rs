//! pyproc-ipc.

pub mod clock;
pub mod control;
pub mod doorbell;
pub mod message;
pub mod shm;
