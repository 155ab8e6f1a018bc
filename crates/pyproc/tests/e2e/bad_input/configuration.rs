//! Configurations that make no sense.

use std::time::Duration;

use pyproc::{PoolConfig, StartError};

use super::script::start_fails;
use crate::support::{scenario, worker};

#[test]
fn every_problem_is_reported_at_once() {
    scenario(async || {
        let config = PoolConfig::new("worker.py")
            .python("")
            .workers(0)
            .timeout(Duration::ZERO)
            .ring(100_000)
            .max_body(1);
        let error = start_fails(config).await;
        assert!(matches!(error, StartError::Config(_)), "{error:?}");
        assert_eq!(
            error.to_string(),
            "the configuration has 5 problems:\
             \n  `python` is empty; leave it out to have the default\
             \n  `workers` is 0; it must be from 1 to 1024\
             \n  `timeout` is 0s; it must be from 1ms to 1year\
             \n  `max_body` is 1B; it must be from 1KiB to 1TiB\
             \n  `ring` is 100000B; it must be from 128KiB to 256MiB"
        );
    });
}

#[test]
fn one_problem_is_one_sentence() {
    scenario(async || {
        assert_eq!(
            start_fails(worker("").workers(5000)).await.to_string(),
            "the configuration is wrong: `workers` is 5000; it must be from 1 to 1024"
        );
        assert_eq!(
            start_fails(PoolConfig::new("")).await.to_string(),
            "the configuration is wrong: `target` is missing: write `path.py`, `module` or `module:function`"
        );
    });
}
