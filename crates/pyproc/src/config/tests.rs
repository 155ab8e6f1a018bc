//! Every key: its default, its bounds, its text form, its problem.

use std::time::Duration;

use serde_json::json;

use super::{PoolConfig, Size, Span};

/// The whole message of a configuration that must not resolve.
fn problem(config: PoolConfig) -> String {
    config
        .resolve()
        .expect_err("the configuration is wrong")
        .to_string()
}

#[test]
fn defaults_are_right_and_resolve() {
    let settings = PoolConfig::new("worker.py").resolve().expect("defaults");
    assert!(settings.workers >= 1);
    assert_eq!(settings.timeout, Duration::from_secs(60));
    assert_eq!(settings.max_body, 1 << 30);
    assert_eq!(
        serde_json::to_value(PoolConfig::new("worker.py")).expect("plain data"),
        json!({
            "target": "worker.py", "args": [], "env": {}, "queue": 1024, "max_concurrency": 64,
            "timeout": "1m", "grace": "1s", "start_timeout": "5m", "shutdown_timeout": "10s",
            "max_attempts": 3, "max_body": "1GiB", "ring": "1MiB", "segment_memory": "8GiB",
            "segment_idle": "10s", "spin": "50us", "restart_backoff_initial": "100ms",
            "restart_backoff_max": "30s",
        })
    );
}

#[test]
fn setters_and_a_file_say_the_same() {
    let set = PoolConfig::new("worker.py")
        .name("small")
        .python("/usr/bin/python3")
        .args(["--model", "small"])
        .env("OMP_NUM_THREADS", "1")
        .working_dir("/srv")
        .workers(4)
        .queue(10)
        .max_concurrency(8)
        .timeout(Duration::from_secs(90))
        .grace(Duration::from_millis(1500))
        .start_timeout(Duration::from_secs(10))
        .shutdown_timeout(Duration::ZERO)
        .max_attempts(5)
        .max_body(64 << 20)
        .ring(4 << 20)
        .segment_memory(1 << 30)
        .segment_idle(Duration::from_secs(1))
        .spin(Duration::ZERO)
        .restart_backoff_initial(Duration::from_millis(5))
        .restart_backoff_max(Duration::from_secs(1));
    let file = json!({
        "target": "worker.py", "name": "small", "python": "/usr/bin/python3", "args": ["--model", "small"],
        "env": {"OMP_NUM_THREADS": "1"}, "working_dir": "/srv", "workers": 4, "queue": 10,
        "max_concurrency": 8, "timeout": "1m 30s", "grace": "1.5s", "start_timeout": "10s",
        "shutdown_timeout": "0s", "max_attempts": 5, "max_body": "64MiB", "ring": "4 MiB",
        "segment_memory": "1GiB", "segment_idle": "1s", "spin": "0s",
        "restart_backoff_initial": "5ms", "restart_backoff_max": "1s",
    });
    assert_eq!(
        serde_json::from_value::<PoolConfig>(file).expect("a good file"),
        set
    );
    let written = serde_json::to_value(&set).expect("plain data");
    assert_eq!(
        serde_json::from_value::<PoolConfig>(written).expect("its own output"),
        set
    );
    set.resolve().expect("a good configuration");
}

#[test]
fn unknown_keys_are_refused() {
    let error = serde_json::from_value::<PoolConfig>(json!({"target": "worker.py", "worker": 4}))
        .expect_err("no such key");
    assert!(
        error
            .to_string()
            .starts_with("unknown field `worker`, expected one of `target`"),
        "{error}"
    );
}

#[test]
fn every_problem_is_reported_at_once() {
    let mut config = PoolConfig::new("")
        .name("two\nlines")
        .python("")
        .arg("a\0b")
        .env("A=B", "1")
        .env("PYPROC_CONTROL_FD", "3")
        .env("SECRET", "x\0y")
        .workers(0)
        .queue(2_000_000)
        .max_concurrency(0)
        .grace(Duration::from_secs(7200))
        .max_attempts(0)
        .ring(3 << 20)
        .segment_memory(512 << 20)
        .restart_backoff_initial(Duration::from_secs(60));
    config.timeout = Span::from("soon");
    config.max_body = Size::from("1GiB");
    assert_eq!(
        problem(config),
        "the configuration has 16 problems:\
         \n  `target` is missing: write `path.py`, `module` or `module:function`\
         \n  `name` is \"two\\nlines\"; it must have a character and no control characters\
         \n  `python` is empty; leave it out to have the default\
         \n  `args[0]` contains a NUL character, which no argument can\
         \n  `env` has a variable named \"A=B\"; a name is not empty and has no `=` or NUL\
         \n  `env.PYPROC_CONTROL_FD` is the pool's own: it cannot be set\
         \n  `env.SECRET` contains a NUL character, which no value can\
         \n  `workers` is 0; it must be from 1 to 1024\
         \n  `queue` is 2000000; it must be from 0 to 1000000\
         \n  `max_concurrency` is 0; it must be from 1 to 1024\
         \n  `timeout` is \"soon\", which is not a duration: write text with a unit, such as \"250ms\", \"10s\" or \"5m\"\
         \n  `grace` is 2h; it must be from 0s to 1h\
         \n  `max_attempts` is 0; it must be from 1 to 1000000\
         \n  `ring` is 3MiB; it must be a power of two, such as 2MiB or 4MiB\
         \n  `segment_memory` is 512MiB, too little for one body of `max_body` (1GiB), which takes 1GiB; \
         raise it or lower `max_body`\
         \n  `restart_backoff_max` is 30s, less than `restart_backoff_initial` (1m)"
    );
}

#[test]
fn numbers_without_units_are_problems_not_guesses() {
    let config: PoolConfig = serde_json::from_value(
        json!({"target": "worker.py", "timeout": 60, "ring": 1048576, "spin": "0"}),
    )
    .expect("a number is reported by resolve, with everything else");
    assert_eq!(
        problem(config),
        "the configuration has 3 problems:\
         \n  `timeout` is 60, which is not a duration: write text with a unit, such as \"250ms\", \"10s\" or \"5m\"\
         \n  `ring` is 1048576, which is not a size: write text with a unit, such as \"512KiB\", \"64MiB\" or \"1GiB\"\
         \n  `spin` is \"0\", which is not a duration: write text with a unit, such as \"250ms\", \"10s\" or \"5m\""
    );
}

#[test]
fn one_problem_is_one_sentence() {
    assert_eq!(
        problem(PoolConfig::new("worker.py").workers(5000)),
        "the configuration is wrong: `workers` is 5000; it must be from 1 to 1024"
    );
}

#[test]
fn values_of_variables_stay_out_of_debug_output() {
    let shown = format!("{:?}", PoolConfig::new("worker.py").env("TOKEN", "hush"));
    assert!(
        shown.contains("TOKEN") && !shown.contains("hush"),
        "{shown}"
    );
}

#[test]
fn a_pool_without_a_name_is_called_after_its_target() {
    let name = |config: PoolConfig| config.resolve().expect("a good configuration").name;
    assert_eq!(name(PoolConfig::new("/srv/models/prices.py")), "prices");
    assert_eq!(name(PoolConfig::new("shop.prices")), "shop.prices");
    assert_eq!(name(PoolConfig::new("math:hypot")), "math:hypot");
    assert_eq!(name(PoolConfig::new("prices.py").name("cheap")), "cheap");
}
