//! [`PoolConfig::resolve`]: checks everything and reports every problem at once.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::quantity::within;
use super::{Environment, PoolConfig, Target, bounds, units};
use crate::error::{ConfigErrors, Problem};

/// A configuration that was checked: what a pool runs by. Fields mean what they mean in
/// [`PoolConfig`].
#[derive(Debug, Clone)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "each field is documented on PoolConfig, under the same name"
)]
pub struct Settings {
    pub target: Target,
    pub name: String,
    pub python: Option<PathBuf>,
    pub args: Vec<String>,
    pub env: Environment,
    pub working_dir: Option<PathBuf>,
    pub workers: usize,
    pub queue: usize,
    pub max_concurrency: u32,
    pub timeout: Duration,
    pub grace: Duration,
    pub start_timeout: Duration,
    pub shutdown_timeout: Duration,
    pub max_attempts: u32,
    pub max_body: usize,
    pub ring: usize,
    pub segment_memory: usize,
    pub segment_idle: Duration,
    pub spin: Duration,
    pub restart_backoff_initial: Duration,
    pub restart_backoff_max: Duration,
}

impl PoolConfig {
    /// Checks the whole configuration.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] with every problem and its key.
    pub fn resolve(self) -> Result<Settings, ConfigErrors> {
        let mut problems = Problems(Vec::new());
        let target = problems.take("target", Target::parse(&self.target));
        problems.name(self.name.as_deref());
        problems.paths(&self);
        problems.args(&self.args);
        problems.env(&self.env);
        let workers = self.workers.unwrap_or_else(cores);
        problems.number("workers", workers, bounds::WORKERS);
        problems.number("queue", self.queue, bounds::QUEUE);
        problems.number(
            "max_concurrency",
            self.max_concurrency,
            bounds::MAX_CONCURRENCY,
        );
        let timeout = problems.take("timeout", self.timeout.within(bounds::TIMEOUT));
        let grace = problems.take("grace", self.grace.within(bounds::GRACE));
        let start_timeout = problems.take(
            "start_timeout",
            self.start_timeout.within(bounds::START_TIMEOUT),
        );
        let shutdown_timeout = problems.take(
            "shutdown_timeout",
            self.shutdown_timeout.within(bounds::SHUTDOWN_TIMEOUT),
        );
        problems.number("max_attempts", self.max_attempts, bounds::MAX_ATTEMPTS);
        let max_body = problems.take("max_body", self.max_body.within(bounds::MAX_BODY));
        let ring = problems.take("ring", self.ring.within(bounds::RING));
        problems.power_of_two("ring", ring);
        let segment_memory = problems.take(
            "segment_memory",
            self.segment_memory.within(bounds::SEGMENT_MEMORY),
        );
        problems.largest_body_fits(max_body, segment_memory);
        let segment_idle = problems.take(
            "segment_idle",
            self.segment_idle.within(bounds::SEGMENT_IDLE),
        );
        let spin = problems.take("spin", self.spin.within(bounds::SPIN));
        let initial = problems.take(
            "restart_backoff_initial",
            self.restart_backoff_initial
                .within(bounds::RESTART_BACKOFF_INITIAL),
        );
        let longest = problems.take(
            "restart_backoff_max",
            self.restart_backoff_max.within(bounds::RESTART_BACKOFF_MAX),
        );
        problems.backoff_grows(initial, longest);
        ConfigErrors::check(problems.0)?;

        let checked = "a value that could not be read is a problem, and there was none";
        let memory = |size: Option<u64>| {
            usize::try_from(size.expect(checked)).expect("pyproc needs a 64-bit machine")
        };
        let target = target.expect(checked);
        Ok(Settings {
            name: self.name.unwrap_or_else(|| target.name()),
            target,
            python: self.python,
            args: self.args,
            env: self.env,
            working_dir: self.working_dir,
            workers: workers as usize,
            queue: self.queue as usize,
            max_concurrency: self.max_concurrency,
            timeout: timeout.expect(checked),
            grace: grace.expect(checked),
            start_timeout: start_timeout.expect(checked),
            shutdown_timeout: shutdown_timeout.expect(checked),
            max_attempts: self.max_attempts,
            max_body: memory(max_body),
            ring: memory(ring),
            segment_memory: memory(segment_memory),
            segment_idle: segment_idle.expect(checked),
            spin: spin.expect(checked),
            restart_backoff_initial: initial.expect(checked),
            restart_backoff_max: longest.expect(checked),
        })
    }
}

/// The cores that this process may use, by affinity and by the control group's quota.
fn cores() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cores).unwrap_or(u32::MAX).min(1024)
}

/// The problems found so far. A check returns the value, or `None` when it is part of a problem.
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem {
            key: key.into(),
            message: message.into(),
        });
    }

    fn take<T>(&mut self, key: &str, value: Result<T, String>) -> Option<T> {
        value.map_err(|message| self.add(key, message)).ok()
    }

    fn number(&mut self, key: &str, value: u32, bounds: RangeInclusive<u32>) {
        self.take(key, within(value, bounds, |number| number));
    }

    fn power_of_two(&mut self, key: &str, size: Option<u64>) {
        if let Some(size) = size.filter(|size| !size.is_power_of_two()) {
            let (below, above) = (1 << size.ilog2(), size.next_power_of_two());
            self.add(
                key,
                format!(
                    "is {}; it must be a power of two, such as {} or {}",
                    units::bytes(size),
                    units::bytes(below),
                    units::bytes(above)
                ),
            );
        }
    }

    fn largest_body_fits(&mut self, max_body: Option<u64>, segment_memory: Option<u64>) {
        if let (Some(body), Some(memory)) = (max_body, segment_memory)
            && body.next_power_of_two() > memory
        {
            self.add(
                "segment_memory",
                format!(
                    "is {}, too little for one body of `max_body` ({}), which takes {}; raise it or lower `max_body`",
                    units::bytes(memory),
                    units::bytes(body),
                    units::bytes(body.next_power_of_two())
                ),
            );
        }
    }

    fn backoff_grows(&mut self, initial: Option<Duration>, longest: Option<Duration>) {
        if let (Some(initial), Some(longest)) = (initial, longest)
            && longest < initial
        {
            self.add(
                "restart_backoff_max",
                format!(
                    "is {}, less than `restart_backoff_initial` ({})",
                    units::duration(longest),
                    units::duration(initial)
                ),
            );
        }
    }

    fn name(&mut self, name: Option<&str>) {
        let unfit = |name: &&str| name.is_empty() || name.contains(char::is_control);
        if let Some(name) = name.filter(unfit) {
            self.add(
                "name",
                format!("is {name:?}; it must have a character and no control characters"),
            );
        }
    }

    fn paths(&mut self, config: &PoolConfig) {
        for (key, path) in [
            ("python", &config.python),
            ("working_dir", &config.working_dir),
        ] {
            let Some(path) = path.as_ref().map(|path| path.as_os_str()) else {
                continue;
            };
            if path.is_empty() {
                self.add(key, "is empty; leave it out to have the default");
            } else if path.as_encoded_bytes().contains(&0) {
                self.add(key, "contains a NUL character, which no path can");
            }
        }
    }

    fn args(&mut self, args: &[String]) {
        for (index, _) in args
            .iter()
            .enumerate()
            .filter(|(_, arg)| arg.contains('\0'))
        {
            self.add(
                format!("args[{index}]"),
                "contains a NUL character, which no argument can",
            );
        }
    }

    fn env(&mut self, env: &Environment) {
        for (name, value) in env.iter() {
            if name.is_empty() || name.contains(['=', '\0']) {
                self.add(
                    "env",
                    format!(
                        "has a variable named {name:?}; a name is not empty and has no `=` or NUL"
                    ),
                );
            } else if name == "PYPROC_CONTROL_FD" {
                self.add(
                    "env.PYPROC_CONTROL_FD",
                    "is the pool's own: it cannot be set",
                );
            } else if value.contains('\0') {
                self.add(
                    format!("env.{name}"),
                    "contains a NUL character, which no value can",
                );
            }
        }
    }
}
