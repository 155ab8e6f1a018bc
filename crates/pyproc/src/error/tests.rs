//! Constructs and prints every variant: whole sentences, and what the methods answer.

use std::io;
use std::time::Duration;

use super::*;

fn text(text: &str) -> String {
    text.to_owned()
}

/// Every `CallError`: sentence, may it have run, retry, HTTP status, metric label.
fn call_errors() -> Vec<(CallError, &'static str, bool, Retry, u16, &'static str)> {
    let second = Duration::from_secs(1);
    let died = |exit, out_of_memory, may_have_run| CallError::WorkerDied {
        pid: 41,
        exit,
        out_of_memory,
        stderr_tail: text("Fatal Python error: Segmentation fault\n"),
        may_have_run,
    };
    let too_large = |part| CallError::TooLarge {
        part,
        size: (1 << 30) + 1,
        limit: 1 << 30,
    };
    let missing = |name: &str, available: &[&str]| {
        CallError::no_such_function(name, available.iter().map(|name| (*name).to_owned()))
    };
    let python = |exception, message| CallError::Python {
        exception: text(exception),
        message: text(message),
        traceback: text("Traceback (most recent call last):\n  …\n"),
    };
    vec![
        (
            python("ValueError", "the value is negative"),
            "the Python function raised ValueError: the value is negative",
            true,
            Retry::Never,
            500,
            "python",
        ),
        (
            python("KeyError", ""),
            "the Python function raised KeyError",
            true,
            Retry::Never,
            500,
            "python",
        ),
        (
            CallError::Timeout {
                phase: Phase::Queue,
                after: Duration::from_millis(50),
            },
            "the call timed out after 50ms in the queue, before a worker started it",
            false,
            Retry::Safe,
            504,
            "timeout_queue",
        ),
        (
            CallError::Timeout {
                phase: Phase::Run,
                after: 90 * second,
            },
            "the call timed out after 1m 30s while the function was running",
            true,
            Retry::IfIdempotent,
            504,
            "timeout_run",
        ),
        (
            died(Exit::Signal(9), OutOfMemory::Probably, true),
            "the worker (pid 41) was killed by SIGKILL, probably because memory ran out, while it ran this call",
            true,
            Retry::IfIdempotent,
            502,
            "worker_died",
        ),
        (
            died(Exit::Status(3), OutOfMemory::No, false),
            "the worker (pid 41) exited with status 3 before it started this call",
            false,
            Retry::Safe,
            502,
            "worker_died",
        ),
        (
            died(Exit::Signal(64), OutOfMemory::No, true),
            "the worker (pid 41) was killed by signal 64 while it ran this call",
            true,
            Retry::IfIdempotent,
            502,
            "worker_died",
        ),
        (
            died(Exit::Unknown, OutOfMemory::No, true),
            "the worker (pid 41) ended while it ran this call",
            true,
            Retry::IfIdempotent,
            502,
            "worker_died",
        ),
        (
            CallError::Overloaded {
                waiting: 1024,
                limit: 1024,
            },
            "the pool is overloaded: 1024 calls wait already and its queue holds 1024; \
             try again later, or raise `queue` or `workers`",
            false,
            Retry::Safe,
            503,
            "overloaded",
        ),
        (
            missing("predct", &["predict", "train"]),
            "no function is named `predct`; did you mean `predict`?",
            false,
            Retry::Never,
            404,
            "no_such_function",
        ),
        (
            missing("resize", &["predict", "train", "health"]),
            "no function is named `resize`; there is `predict`, `train` and `health`",
            false,
            Retry::Never,
            404,
            "no_such_function",
        ),
        (
            missing("resize", &[]),
            "no function is named `resize`",
            false,
            Retry::Never,
            404,
            "no_such_function",
        ),
        (
            CallError::Malformed {
                message: text("JSON is malformed: expected ':' (byte 9)"),
            },
            "the body of the call is malformed: JSON is malformed: expected ':' (byte 9)",
            false,
            Retry::Never,
            400,
            "malformed",
        ),
        (
            CallError::BadArgument {
                path: text("$.value"),
                expected: text("`float`"),
                got: text("`str`"),
            },
            "argument `$.value` is wrong: expected `float`, got `str`",
            false,
            Retry::Never,
            422,
            "bad_argument",
        ),
        (
            CallError::BadArgument {
                path: text("$"),
                expected: text("`object`"),
                got: text("`array`"),
            },
            "the argument is wrong: expected `object`, got `array`",
            false,
            Retry::Never,
            422,
            "bad_argument",
        ),
        (
            too_large(Part::Arguments),
            "the body of the call is too large: 1073741825B where `max_body` allows 1GiB; \
             send less or raise `max_body`",
            false,
            Retry::Never,
            413,
            "too_large",
        ),
        (
            too_large(Part::Result),
            "the function's result is too large: 1073741825B where `max_body` allows 1GiB; \
             send less or raise `max_body`",
            true,
            Retry::Never,
            500,
            "too_large",
        ),
        (
            CallError::BadResult {
                message: text("a value of type `socket` cannot be encoded"),
            },
            "the function's result cannot be used: a value of type `socket` cannot be encoded",
            true,
            Retry::Never,
            500,
            "bad_result",
        ),
        (
            CallError::Protocol {
                message: text("it answered a call that it does not have"),
            },
            "the worker broke the protocol and was killed: it answered a call that it does not have",
            true,
            Retry::IfIdempotent,
            502,
            "protocol",
        ),
        (
            CallError::Closed,
            "the pool is shut down and takes no more calls",
            false,
            Retry::Never,
            503,
            "closed",
        ),
        (
            CallError::Cancelled,
            "the call was stopped while it ran, because the pool was shut down",
            true,
            Retry::IfIdempotent,
            503,
            "cancelled",
        ),
    ]
}

#[test]
fn every_call_error_says_what_it_should() {
    for (error, sentence, may_have_run, retry, status, label) in call_errors() {
        assert_eq!(error.to_string(), sentence);
        assert_eq!(error.may_have_run(), may_have_run, "{sentence}");
        assert_eq!(error.retry(), retry, "{sentence}");
        assert_eq!(error.http_status(), status, "{sentence}");
        assert_eq!(error.metric_label(), label, "{sentence}");
    }
}

#[test]
fn no_error_tells_a_caller_to_repeat_what_may_have_run() {
    for (error, sentence, ..) in call_errors() {
        assert!(
            !(error.may_have_run() && error.retry() == Retry::Safe),
            "{sentence}"
        );
    }
}

#[test]
fn details_are_tracebacks_and_last_lines() {
    let details: Vec<_> = call_errors()
        .iter()
        .filter_map(|(error, ..)| error.detail().map(str::to_owned))
        .collect();
    assert_eq!(details.len(), 6);
    assert_eq!(details[0], "Traceback (most recent call last):\n  …");
    assert_eq!(details[2], "Fatal Python error: Segmentation fault");
}

#[test]
fn call_errors_go_everywhere() {
    fn everywhere<T: Clone + Send + Sync + 'static>() {}
    everywhere::<CallError>();
    assert!(
        size_of::<CallError>() <= 80,
        "{} bytes travel with every result",
        size_of::<CallError>()
    );
}

#[test]
fn every_start_error_says_what_it_should() {
    let target = || text("worker.py");
    let source = || io::Error::from_raw_os_error(2);
    let traceback =
        "Traceback (most recent call last):\n  File \"worker.py\", line 1\nKeyError: 'model'\n";
    let cases = [
        (
            StartError::NoPython {
                tried: vec![
                    text("PYPROC_PYTHON: not set"),
                    text("python3 on the PATH: not found"),
                ],
            },
            "no Python interpreter was found; tried, in this order:\
             \n  PYPROC_PYTHON: not set\
             \n  python3 on the PATH: not found\
             \ninstall Python 3.11 or later, or name one with `python` or PYPROC_PYTHON",
        ),
        (
            StartError::UnusablePython {
                python: "/bin/py".into(),
                problem: text("it printed no version"),
            },
            "/bin/py cannot run workers: it printed no version",
        ),
        (
            StartError::OldPython {
                python: "/bin/py".into(),
                version: text("3.9.2"),
            },
            "/bin/py is Python 3.9.2, and workers need Python 3.11 or later; \
             name another with `python` or PYPROC_PYTHON",
        ),
        (
            StartError::FreeThreadedPython {
                python: "/bin/py".into(),
            },
            "/bin/py is a free-threaded build of Python, which workers cannot use yet; \
             name an ordinary build with `python` or PYPROC_PYTHON",
        ),
        (
            StartError::PackageMissing {
                python: "/bin/py".into(),
            },
            "the package pyproc-worker is not installed for /bin/py; \
             install its wheel: /bin/py -m pip install pyproc_worker-*.whl",
        ),
        (
            StartError::VersionMismatch {
                pyproc: text("0.2.0"),
                worker: text("0.1.0"),
                python: "/bin/py".into(),
            },
            "pyproc 0.2.0 cannot work with pyproc-worker 0.1.0, which is installed for /bin/py; \
             install pyproc-worker 0.2.0 there",
        ),
        (
            StartError::ScriptMissing {
                script: "worker.py".into(),
                source: source(),
            },
            "there is no worker script worker.py",
        ),
        (
            StartError::ScriptRaised {
                target: target(),
                exception: text("KeyError"),
                message: text("'model'"),
                traceback: text(traceback),
            },
            "worker.py raised KeyError: 'model'\
             \n  Traceback (most recent call last):\
             \n    File \"worker.py\", line 1\
             \n  KeyError: 'model'",
        ),
        (
            StartError::NeverServed { target: target() },
            "worker.py ended without calling run_worker(); end it with\
             \n  if __name__ == \"__main__\":\
             \n      run_worker()",
        ),
        (
            StartError::ScriptExited {
                target: target(),
                exit: Exit::Status(3),
                stderr_tail: text("no model\n"),
            },
            "worker.py exited with status 3 before it was ready; its last lines on stderr:\n  no model",
        ),
        (
            StartError::WorkerDied {
                target: target(),
                exit: Exit::Signal(11),
                out_of_memory: OutOfMemory::No,
                stderr_tail: String::new(),
            },
            "the worker of worker.py was killed by SIGSEGV before it was ready; it wrote nothing to stderr",
        ),
        (
            StartError::NoFunctions { target: target() },
            "worker.py exposes no function; put `@expose` above those that are to be called",
        ),
        (
            StartError::NoFunctions {
                target: text("math"),
            },
            "math exposes no function; put `@expose` above those that are to be called, \
             or name one as math:FUNCTION",
        ),
        (
            StartError::ScriptMissing {
                script: "workers".into(),
                source: io::ErrorKind::IsADirectory.into(),
            },
            "the worker script workers is a folder; name a file in it",
        ),
        (
            StartError::ScriptMissing {
                script: "worker.py".into(),
                source: io::ErrorKind::PermissionDenied.into(),
            },
            "the worker script worker.py cannot be read",
        ),
        (
            StartError::Unservable {
                target: text("math:hypott"),
                message: text("module `math` has no function `hypott`; did you mean `hypot`?"),
            },
            "math:hypott cannot be served: module `math` has no function `hypott`; did you mean `hypot`?",
        ),
        (
            StartError::Timeout {
                target: target(),
                after: Duration::from_secs(300),
                stderr_tail: String::new(),
            },
            "worker.py was not ready within 5m; raise `start_timeout` if its imports take that long; \
             it wrote nothing to stderr",
        ),
        (
            StartError::SharedMemory {
                needed: (2 << 20) + 4096,
                source: source(),
            },
            "there is not enough shared memory for 2052KiB (the rings of one worker); \
             lower `ring` or `workers`, or give the container more memory",
        ),
        (
            StartError::Descriptors { source: source() },
            "there are not enough file descriptors for the pool; \
             raise the limit with `ulimit -n` or lower `workers`",
        ),
        (
            StartError::Spawn {
                program: "/bin/py".into(),
                source: source(),
            },
            "/bin/py could not be started",
        ),
        (
            StartError::Protocol {
                target: target(),
                message: text("it announced 70000 functions"),
            },
            "the worker of worker.py broke the protocol of the handshake: it announced 70000 functions",
        ),
        (
            StartError::System {
                action: "create an epoll instance",
                source: source(),
            },
            "the pool could not create an epoll instance",
        ),
    ];
    for (error, sentence) in cases {
        assert_eq!(error.to_string(), sentence);
    }
}

#[test]
fn every_shutdown_error_says_what_it_should() {
    let after = Duration::from_secs(10);
    assert_eq!(
        ShutdownError::Unfinished { stopped: 1, after }.to_string(),
        "1 call was still running after 10s and stopped; raise `shutdown_timeout` to give them longer"
    );
    assert_eq!(
        ShutdownError::Killed { killed: 2, after }.to_string(),
        "2 workers did not end within 10s and had to be killed; \
         look for background threads or `atexit` handlers that do not return"
    );
}

#[test]
fn causes_are_in_the_source_not_in_the_sentence() {
    use std::error::Error as _;
    let error = StartError::Spawn {
        program: "/bin/py".into(),
        source: io::Error::from_raw_os_error(13),
    };
    assert_eq!(
        error.source().map(ToString::to_string).as_deref(),
        Some("Permission denied (os error 13)")
    );
}
