//! A machine that does not have what the pool needs. (Descriptors: see the faults.)

use pyproc::StartError;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::script::start_fails;
use crate::support::{next_call_works, scenario_under, start, worker};

#[test]
fn too_little_shared_memory() {
    // Shared memory is a file to the kernel: one beyond the limit is refused, once the signal that
    // comes first is ignored.
    let ignoring = ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"];
    scenario_under(&ignoring, async || {
        let pool = start(worker("")).await;
        let before = getrlimit(Resource::Fsize);
        setrlimit(
            Resource::Fsize,
            Rlimit {
                current: Some(1 << 20),
                ..before
            },
        )
        .unwrap();
        let error = start_fails(worker("").ring(4 << 20)).await;
        setrlimit(Resource::Fsize, before).unwrap();
        assert_eq!(
            error.to_string(),
            "there is not enough shared memory for 8MiB (the rings of one worker); \
             lower `ring` or `workers`, or give the container more memory"
        );
        assert!(
            matches!(error, StartError::SharedMemory { .. }),
            "{error:?}"
        );
        next_call_works(&pool).await;
        pool.shutdown().await.expect("shutdown");
    });
}
