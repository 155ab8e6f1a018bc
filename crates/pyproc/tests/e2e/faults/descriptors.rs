//! A program that has run out of descriptors.

use std::os::fd::{AsRawFd, OwnedFd};

use pyproc::{Body, CallError, ContentType, Pool, StartError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::{descriptors, next_call_works, scenario, start, worker};

/// Lowers the limit so that only `free` more descriptors can be opened, until dropped.
struct Few {
    before: Rlimit,
    /// They fill the gaps below the highest descriptor.
    _fill: Vec<OwnedFd>,
}

impl Few {
    fn left(free: u64) -> Self {
        let highest = descriptors().into_keys().max().unwrap();
        let fill = std::iter::from_fn(|| rustix::io::dup(std::io::stdin()).ok())
            .take_while(|fd| fd.as_raw_fd().cast_unsigned() < highest)
            .collect();
        let before = getrlimit(Resource::Nofile);
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(u64::from(highest) + 1 + free),
                ..before
            },
        )
        .unwrap();
        Self {
            before,
            _fill: fill,
        }
    }
}

impl Drop for Few {
    fn drop(&mut self) {
        setrlimit(Resource::Nofile, self.before).unwrap();
    }
}

#[test]
fn a_pool_that_cannot_have_its_descriptors_says_so_and_others_go_on() {
    scenario(async || {
        let pool = start(worker("")).await;
        next_call_works(&pool).await;
        let second = worker("").workers(2);
        let mut failures = 0;
        for free in 0..64 {
            let few = Few::left(free);
            let result = Pool::start(second.clone()).await;
            next_call_works(&pool).await;
            drop(few);
            match result {
                Ok(second) => {
                    second.shutdown().await.expect("shutdown");
                    assert!(free > 4, "no pool needs so few");
                    break;
                }
                Err(error @ StartError::Descriptors { .. }) => {
                    assert_eq!(
                        error.to_string(),
                        "there are not enough file descriptors for the pool; \
                         raise the limit with `ulimit -n` or lower `workers`"
                    );
                    failures += 1;
                }
                Err(error) => panic!("with {free} descriptors: {error:?}"),
            }
        }
        assert!(failures > 4, "{failures}");
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_large_body_without_descriptors_is_refused_and_small_ones_go_on() {
    scenario(async || {
        let pool = start(worker("")).await;
        let large = || {
            pool.request("echo")
                .body(Body::raw(vec![7; 1 << 20]))
                .accept(ContentType::Raw)
                .send()
        };
        let few = Few::left(0);
        let error = large().await.expect_err("no memory can be had");
        assert!(
            matches!(error, CallError::Overloaded { .. }) && !error.may_have_run(),
            "{error:?}"
        );
        next_call_works(&pool).await;
        drop(few);
        assert_eq!(large().await.expect("large").bytes().len(), 1 << 20);
        pool.shutdown().await.expect("shutdown");
    });
}
