//! `pyproc call` with real Python: results, failures, exit statuses, nothing left behind.

mod common;

use std::process::Stdio;

use common::{Marked, pyproc, pyproc_logging, pyproc_reading};

#[test]
fn a_result_is_json_on_stdout() {
    assert_eq!(
        pyproc(&["call", "worker.py", "double", r#"{"value": 21}"#]).output(),
        "{\"result\":42}\n"
    );
    assert_eq!(pyproc(&["call", "worker.py", "nothing"]).output(), "null\n");
    assert_eq!(
        pyproc(&["call", "worker.py", "wait", "0.5", "--workers", "2"]).output(),
        "\"waited 0.5\"\n"
    );
}

#[test]
fn modules_that_never_heard_of_pyproc_can_be_called() {
    assert_eq!(pyproc(&["call", "math:hypot", "[3,4]"]).output(), "5.0\n");
    assert_eq!(pyproc(&["call", "math:fabs", "-3"]).output(), "3.0\n");
}

#[test]
fn a_dash_reads_the_argument_from_stdin() {
    let run = pyproc_reading(
        &["call", "worker.py", "double", "-"],
        b"{\n  \"value\": 1.5\n}\n",
    );
    assert_eq!(run.output(), "{\"result\":3.0}\n");
}

#[test]
fn bytes_are_printed_unchanged_when_asked_for() {
    let run = pyproc(&["call", "worker.py", "picture", "3", "--raw"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert_eq!(run.stdout, b"\x00\xff\x00\xff\x00\xff");
    assert_eq!(
        pyproc(&["call", "worker.py", "picture", "3"]).output(),
        "\"AP8A/wD/\"\n"
    );
    assert_eq!(
        pyproc(&["call", "worker.py", "nothing", "--raw"]).error(1),
        "error: nothing: the function's result cannot be used: \
         the caller asked for raw bytes and the function returned `NoneType`\n"
    );
}

#[test]
fn what_python_prints_goes_to_stderr() {
    let run = pyproc(&["call", "worker.py", "chatty"]);
    assert_eq!(
        (run.status, run.stdout.as_slice()),
        (0, b"\"done\"\n".as_slice())
    );
    assert!(run.stderr.contains("out of Python"), "{}", run.stderr);
    assert!(run.stderr.contains("warning of Python"), "{}", run.stderr);
}

#[test]
fn a_filter_chooses_what_is_shown() {
    let chatty = ["call", "worker.py", "chatty"];
    assert_eq!(pyproc_logging("off", &chatty).output(), "\"done\"\n");
    assert!(
        pyproc_logging("===", &chatty)
            .error(2)
            .starts_with("error: PYPROC_LOG_FILTER is \"===\", which is no filter: "),
    );
}

#[test]
fn an_exception_is_one_message_with_its_traceback() {
    let run = pyproc(&["call", "worker.py", "fail", "1"]);
    let (sentence, traceback) = run.error(1).split_once('\n').expect("two lines at least");
    assert_eq!(
        sentence,
        "error: fail: the Python function raised ValueError: the value is negative"
    );
    assert!(
        traceback.starts_with("Traceback (most recent call last):\n"),
        "{traceback}"
    );
    assert!(
        traceback.ends_with("ValueError: the value is negative\n"),
        "{traceback}"
    );
}

#[test]
fn an_unknown_function_names_the_nearest() {
    assert_eq!(
        pyproc(&["call", "worker.py", "duoble", "1"]).error(1),
        "error: no function is named `duoble`; did you mean `double`?\n"
    );
}

#[test]
fn a_wrong_argument_names_the_field() {
    assert_eq!(
        pyproc(&["call", "worker.py", "predict", r#"{"value": "much"}"#]).error(1),
        "error: predict: argument `$.value` is wrong: expected float, got str\n"
    );
    assert_eq!(
        pyproc(&["call", "worker.py", "predict"]).error(1),
        "error: predict: the argument is wrong: expected a body for features, got nothing\n"
    );
}

#[test]
fn a_stuck_function_costs_its_worker_at_the_limit() {
    let run = pyproc(&["call", "worker.py", "stuck", "--timeout", "300ms"]);
    let (stack, message): (Vec<&str>, Vec<&str>) = run
        .error(1)
        .lines()
        .partition(|line| line.contains("pyproc::worker"));
    assert_eq!(
        message,
        ["error: stuck: the call timed out after 300ms while the function was running"],
        "beside Python's stack: {stack:?}"
    );
}

#[test]
fn the_limit_of_this_run_comes_before_the_functions_own() {
    assert_eq!(
        pyproc(&["call", "worker.py", "patient", "--timeout", "300ms"]).error(1),
        "error: patient: the call timed out after 300ms while the function was running\n"
    );
}

#[test]
fn a_worker_that_dies_says_how() {
    let run = pyproc(&["call", "worker.py", "die"]);
    let message = run.error(1);
    let digits = |text: &str| {
        text.chars()
            .filter(|letter| !letter.is_ascii_digit())
            .collect::<String>()
    };
    assert_eq!(
        digits(message),
        "error: die: the worker (pid ) exited with status  while it ran this call\n",
        "{message}"
    );
}

#[test]
fn bad_beginnings_are_clear() {
    let run = pyproc(&["call", "absent.py", "double"]);
    assert!(
        run.error(1)
            .starts_with("error: there is no worker script "),
        "{}",
        run.stderr
    );

    // An import that fails after that of pyproc_worker is reported as such, ...
    let run = pyproc(&["call", "broken_import.py", "double"]);
    let message = run.error(1);
    assert!(
        message.starts_with(
            "error: broken_import.py raised ModuleNotFoundError: No module named 'no_such_module'\n  \
             Traceback (most recent call last):\n"
        ),
        "{message}"
    );
    assert_eq!(message.matches("Traceback").count(), 1, "{message}");

    // ... and before it as what it is to the pool, a script that ends.
    let run = pyproc(&["call", "broken_early.py", "double"]);
    let message = run.error(1);
    assert!(
        message.starts_with(
            "error: broken_early.py exited with status 1 before it was ready; its last lines on stderr:\n  \
             Traceback (most recent call last):\n"
        ),
        "{message}"
    );
    assert!(
        message.ends_with("\n  ModuleNotFoundError: No module named 'no_such_module'\n"),
        "{message}"
    );

    assert_eq!(
        pyproc(&["call", "no_function.py", "double"]).error(1),
        "error: no_function.py exposes no function; put `@expose` above those that are to be called\n"
    );
    assert_eq!(
        pyproc(&["call", "math", "hypot", "[3,4]"]).error(1),
        "error: math exposes no function; put `@expose` above those that are to be called, \
         or name one as math:FUNCTION\n"
    );
    assert_eq!(
        pyproc(&["call", "never_serves.py", "double"]).error(1),
        "error: never_serves.py ended without calling run_worker(); end it with\n  \
         if __name__ == \"__main__\":\n      run_worker()\n"
    );
    assert_eq!(
        pyproc(&["call", "exits.py", "double"]).error(1),
        "error: exits.py exited with status 1 before it was ready; its last lines on stderr:\n  \
         no licence for the model\n"
    );
}

#[test]
fn wrong_use_is_status_2() {
    let cases: [(&[&str], &str); 6] = [
        (
            &["call", "math:hypot", "[3 4]"],
            "error: the argument is not JSON: expected `,` or `]` at line 1 column 4\n  [3 4]\n     ^\n",
        ),
        (
            &["call", "worker.py"],
            "error: name the function to call after the target; `pyproc list worker.py` shows what there is\n",
        ),
        (
            &["call", "worker.py:double", "1"],
            "error: the target is \"worker.py:double\", but a script exposes its functions itself: \
             write \"worker.py\" and name the function in the call\n",
        ),
        (
            &["call", "math:hypot", "[3,4]", "--workers", "0"],
            "error: the configuration is wrong: `workers` is 0; it must be from 1 to 1024\n",
        ),
        (
            &["call", "math:hypot", "[3,4]", "--timeout", "5"],
            "error: invalid value '5' for '--timeout <DURATION>': \
             write a duration with a unit, such as 500ms, 10s or 5m\n",
        ),
        (
            &["bench", "math:hypot", "[3,4]", "--rate", "fast"],
            "error: invalid value 'fast' for '--rate <R>': \
             write the calls per second as a number from 0.01 to 10000000\n",
        ),
    ];
    for (arguments, message) in cases {
        let run = pyproc(arguments);
        assert!(run.error(2).starts_with(message), "{}", run.stderr);
    }
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let mut marked = Marked::new();
    let mut program = marked
        .command
        .args(["call", "worker.py", "picture", "1000000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program under test");
    drop(program.stdout.take());
    let output = program.wait_with_output().expect("a program that ends");
    marked.nothing_left();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}
