//! The default of every key, written once for setters and files alike.

use std::time::Duration;

use super::{Environment, PoolConfig, Size, Span};

const KIB: u64 = 1 << 10;
const MIB: u64 = KIB << 10;
const GIB: u64 = MIB << 10;

impl Default for PoolConfig {
    fn default() -> Self {
        let milliseconds = |milliseconds| Span::from(Duration::from_millis(milliseconds));
        Self {
            target: String::new(),
            name: None,
            python: None,
            args: Vec::new(),
            env: Environment::default(),
            working_dir: None,
            workers: None,
            queue: 1024,
            max_concurrency: 64,
            timeout: milliseconds(60_000),
            grace: milliseconds(1_000),
            start_timeout: milliseconds(300_000),
            shutdown_timeout: milliseconds(10_000),
            max_attempts: 3,
            max_body: Size::from(GIB),
            ring: Size::from(MIB),
            segment_memory: Size::from(8 * GIB),
            segment_idle: milliseconds(10_000),
            spin: Span::from(Duration::from_micros(50)),
            restart_backoff_initial: milliseconds(100),
            restart_backoff_max: milliseconds(30_000),
        }
    }
}
