//! A lane with both of its ends in this process.

use pyproc_ipc::lane::{HostLane, RING_MIN};
use pyproc_ipc::worker::WorkerLane;

/// The two ends of a lane with the smallest rings.
pub(crate) fn ends() -> (HostLane, WorkerLane) {
    let (host, bells) = HostLane::create(RING_MIN).expect("a lane");
    let memory = host.memory();
    let fd = memory.fd().try_clone_to_owned().expect("its descriptor");
    let worker =
        WorkerLane::open(fd, memory.bytes(), bells.bell, bells.ringer).expect("the worker's end");
    (host, worker)
}
