//! [`PoolConfig::resolve`]: checks everything and reports every problem at once.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use pyproc_ipc::lane::{RING_MAX, RING_MIN};

use super::{Environment, PoolConfig, Size, Span, Target, units};
use crate::error::{ConfigErrors, Problem};
use crate::scheduler::ENTRIES;

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

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// 365.25 days, which people read as `1year`.
const YEAR: Duration = Duration::from_secs(31_557_600);
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;

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
        problems.number("workers", workers, 1..=1024);
        problems.number("queue", self.queue, 0..=1_000_000);
        problems.number("max_concurrency", self.max_concurrency, 1..=ENTRIES as u32);
        let timeout = problems.span("timeout", &self.timeout, MILLISECOND..=YEAR);
        let grace = problems.span("grace", &self.grace, Duration::ZERO..=HOUR);
        let start_timeout =
            problems.span("start_timeout", &self.start_timeout, 10 * MILLISECOND..=DAY);
        let shutdown_timeout = problems.span(
            "shutdown_timeout",
            &self.shutdown_timeout,
            Duration::ZERO..=DAY,
        );
        problems.number("max_attempts", self.max_attempts, 1..=1_000_000);
        let max_body = problems.size("max_body", &self.max_body, KIB..=TIB);
        let ring = problems.size("ring", &self.ring, RING_MIN as u64..=RING_MAX as u64);
        problems.power_of_two("ring", ring);
        let segment_memory = problems.size("segment_memory", &self.segment_memory, MIB..=16 * TIB);
        problems.largest_body_fits(max_body, segment_memory);
        let segment_idle = problems.span("segment_idle", &self.segment_idle, Duration::ZERO..=DAY);
        let spin = problems.span("spin", &self.spin, Duration::ZERO..=10 * MILLISECOND);
        let initial = problems.span(
            "restart_backoff_initial",
            &self.restart_backoff_initial,
            MILLISECOND..=HOUR,
        );
        let longest = problems.span(
            "restart_backoff_max",
            &self.restart_backoff_max,
            MILLISECOND..=DAY,
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

    fn within<T: PartialOrd + Copy, D: Display>(
        &mut self,
        key: &str,
        value: T,
        bounds: RangeInclusive<T>,
        show: fn(T) -> D,
    ) -> bool {
        let inside = bounds.contains(&value);
        if !inside {
            let (least, most) = bounds.into_inner();
            self.add(
                key,
                format!(
                    "is {}; it must be from {} to {}",
                    show(value),
                    show(least),
                    show(most)
                ),
            );
        }
        inside
    }

    fn number(&mut self, key: &str, value: u32, bounds: RangeInclusive<u32>) {
        self.within(key, value, bounds, |number| number);
    }

    fn span(
        &mut self,
        key: &str,
        span: &Span,
        bounds: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let span = self.take(key, span.check())?;
        self.within(key, span, bounds, units::duration)
            .then_some(span)
    }

    fn size(&mut self, key: &str, size: &Size, bounds: RangeInclusive<u64>) -> Option<u64> {
        let size = self.take(key, size.check())?;
        self.within(key, size, bounds, units::bytes).then_some(size)
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
