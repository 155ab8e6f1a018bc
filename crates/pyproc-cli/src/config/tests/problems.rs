//! Every sentence that says what is wrong.

use super::{Scratch, configured};

/// What is wrong with a TOML file that names a target.
#[track_caller]
fn of_file(lines: &str) -> String {
    of(
        Some(("toml", &format!("target = 'worker.py'\n{lines}"))),
        &[],
        &[],
    )
}

#[track_caller]
fn of(file: Option<(&str, &str)>, variables: &[(&str, &str)], flags: &[&str]) -> String {
    configured(file, variables, flags).expect_err("the configuration is wrong")
}

#[test]
fn a_value_of_another_kind_is_said_with_its_place() {
    for (line, sentence) in [
        (
            "workers = 'four'",
            "file:2:11: `workers` is \"four\", which is not a whole number",
        ),
        (
            "workers = 1.5",
            "file:2:11: `workers` is 1.5, which is not a whole number",
        ),
        (
            "workers = []",
            "file:2:11: `workers` is a list, which is not a whole number",
        ),
        (
            "workers = -1",
            "file:2:11: `workers` is -1; it must be from 1 to 1024",
        ),
        (
            "threads = 5000000000",
            "file:2:11: `threads` is 5000000000; it must be from 1 to 1024",
        ),
        (
            "threads = 1025",
            "file:2:11: `threads` is 1025; it must be from 1 to 1024",
        ),
        (
            "timeout = 5",
            "file:2:11: `timeout` is 5, which is not a duration: write text with a unit, such as \"250ms\", \"10s\" or \"5m\"",
        ),
        (
            "timeout = 'soon'",
            "file:2:11: `timeout` is \"soon\", which is not a duration: write text with a unit, such as \"250ms\", \"10s\" or \"5m\"",
        ),
        (
            "max_body = 2024-01-01",
            "file:2:12: `max_body` is the date 2024-01-01, which is not a size: write text with a unit, such as \"512KiB\", \"64MiB\" or \"1GiB\"",
        ),
        (
            "name = 5",
            "file:2:8: `name` is 5, which is not text: put it in quotes",
        ),
        (
            "metrics_listen = false",
            "file:2:18: `metrics_listen` is false, which is not text: put it in quotes",
        ),
        (
            "show_tracebacks = 'yes'",
            "file:2:19: `show_tracebacks` is \"yes\"; it must be true or false",
        ),
        (
            "log = 'debug'",
            "file:2:7: `log` is \"debug\"; it must be \"pretty\" or \"json\"; `log_filter` chooses what is shown",
        ),
        (
            "args = '--model small'",
            "file:2:8: `args` is \"--model small\", which is not a list: write one such as [\"--model\", \"small\"]",
        ),
        (
            "args = ['a', 5]",
            "file:2:14: `args[1]` is 5, which is not text: put it in quotes",
        ),
        (
            "env = 'A=1'",
            "file:2:7: `env` is \"A=1\", which is not a table",
        ),
        (
            "env.A = 1",
            "file:2:9: `env.A` is not text: put it in quotes",
        ),
        (
            "worker = 5",
            "file:2:1: `worker` is no key of the configuration; did you mean `workers`?",
        ),
        (
            "nonsense = 5",
            "file:2:1: `nonsense` is no key of the configuration; `pyproc config` shows those that there are",
        ),
    ] {
        assert_eq!(of_file(line), sentence);
    }
}

#[test]
fn a_value_that_makes_no_sense_is_said_with_its_place() {
    for (line, sentence) in [
        (
            "listen = '0.0.0.0:8080'",
            "file:2:10: `listen` is 0.0.0.0:8080, which other machines can reach: name a `token_file`, or set `allow_unauthenticated`",
        ),
        (
            "listen = '8080'",
            "file:2:10: `listen` is \"8080\"; write an address and a port, such as 127.0.0.1:8080 or [::]:8080, or a Unix socket, such as unix:/run/pyproc.sock",
        ),
        (
            "metrics_listen = '127.0.0.1:8080'",
            "file:2:18: `metrics_listen` is 127.0.0.1:8080, which is `listen` already",
        ),
        (
            "token_file = ''",
            "file:2:14: `token_file` is empty; leave it out to have none",
        ),
        (
            "token_file = \"a\\u0000\"",
            "file:2:14: `token_file` contains a NUL character, which no path can",
        ),
        (
            "idle_timeout = '2days'",
            "file:2:16: `idle_timeout` is 2days; it must be from 10ms to 1day",
        ),
        (
            "max_header_bytes = '1KiB'",
            "file:2:20: `max_header_bytes` is 1KiB; it must be from 8KiB to 16MiB",
        ),
        (
            "request_memory = '1MiB'",
            "file:2:18: `request_memory` is 1MiB, too little for one body of `max_request_body` (64MiB)",
        ),
        (
            "segment_memory = '1MiB'",
            "file:2:18: `segment_memory` is 1MiB, too little for one body of `max_body` (1GiB), which takes 1GiB; raise it or lower `max_body`",
        ),
        (
            "log_filter = '==='",
            "file:2:14: `log_filter` is \"===\", which is no filter: invalid filter directive: too many '=' in filter directive, expected 0 or 1",
        ),
        (
            "otlp_endpoint = 'localhost:4318'",
            "file:2:17: `otlp_endpoint` is \"localhost:4318\"; write a URL, such as \"http://localhost:4318\"",
        ),
        (
            "args = [\"a\", \"\\u0000\"]",
            "file:2:14: `args[1]` contains a NUL character, which no argument can",
        ),
        (
            "env.A = \"\\u0000\"",
            "file:2:9: `env.A` contains a NUL character, which no value can",
        ),
        (
            "env.PYPROC_CONTROL_FD = '3'",
            "file:2:25: `env.PYPROC_CONTROL_FD` is the pool's own: it cannot be set",
        ),
    ] {
        assert_eq!(of_file(line), sentence);
    }
}

#[test]
fn everything_is_said_at_once_with_every_source() {
    let file = "queue = 2000000\nworker = 5\n[env]\nA = 1\n";
    let variables = [("PYPROC_WORKERS", "four"), ("PYPROC_ARGS", "--model")];
    let flags = ["--timeout", "5", "--env", "secret", "--token-file", ""];
    assert_eq!(
        of(Some(("toml", file)), &variables, &flags),
        "the configuration has 9 problems:\
         \n  file:1:9: `queue` is 2000000; it must be from 0 to 1000000\
         \n  file:2:1: `worker` is no key of the configuration; did you mean `workers`?\
         \n  file:4:5: `env.A` is not text: put it in quotes\
         \n  PYPROC_ARGS: `args` is \"--model\", which is not a list: write one such as [\"--model\", \"small\"]\
         \n  PYPROC_WORKERS: `workers` is \"four\", which is not a whole number\
         \n  --env: a value has no `=`; write NAME=VALUE\
         \n  --timeout: `timeout` is \"5\", which is not a duration: write text with a unit, such as \"250ms\", \"10s\" or \"5m\"\
         \n  --token-file: `token_file` is empty; leave it out to have none\
         \n  `target` is missing: write `path.py`, `module` or `module:function`"
    );
}

#[test]
fn a_key_that_cannot_be_read_is_said_once() {
    assert_eq!(
        of(Some(("yaml", "target: 5\n")), &[], &[]),
        "file:1:9: `target` is 5, which is not text: put it in quotes"
    );
    // What is overridden is not looked at.
    let effective = configured(Some(("yaml", "target: 5\n")), &[], &["worker.py"]);
    effective.expect("the command line wins");
}

#[test]
fn a_variable_that_is_not_text_is_said() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let bytes = OsString::from_vec(vec![b'a', 0xff]);
    let variables = super::variables::read([(OsString::from("PYPROC_TARGET"), bytes)]);
    let problems = super::combine(super::Flags::default(), variables).expect_err("no text");
    assert_eq!(
        problems.to_string(),
        "the configuration has 2 problems:\
         \n  PYPROC_TARGET: the value is not UTF-8 text\
         \n  `target` is missing: write `path.py`, `module` or `module:function`"
    );
}

#[test]
fn a_file_that_is_none_is_said() {
    for (path, sentence) in [
        (
            "missing.toml",
            "--config: there is no configuration file missing.toml",
        ),
        (
            "pool.ini",
            "--config: pool.ini is no configuration file by its name; it must end in .toml, .yaml, .yml or .json",
        ),
    ] {
        assert_eq!(of(None, &[], &["--config", path]), sentence);
    }
    assert_eq!(
        of(None, &[("PYPROC_CONFIG", "missing.yml")], &[]),
        "PYPROC_CONFIG: there is no configuration file missing.yml"
    );
    let scratch = Scratch::new("toml", [b'a', 0xff]);
    let path = scratch.path();
    assert_eq!(
        of(None, &[], &["--config", &path]),
        format!(
            "--config: the configuration file {path} is not UTF-8 text: invalid utf-8 sequence of 1 bytes from index 1"
        )
    );
}

#[test]
fn a_file_that_cannot_be_read_is_said_with_its_place() {
    for (extension, text, sentence) in [
        (
            "toml",
            "a = 1\nb = \n",
            "file:2:5: this is no TOML: string values must be quoted, expected literal string",
        ),
        (
            "toml",
            "workers = 1\nworkers = 2\n",
            "file:2:1: this is no TOML: duplicate key",
        ),
        (
            "yaml",
            "a: 1\nb: [1, 2\n",
            "file:3:1: this is no YAML: while parsing a flow sequence, expected ',' or ']'",
        ),
        (
            "yml",
            "workers: 1\nworkers: 2\n",
            "file:2:1: this is no YAML: duplicated key in mapping",
        ),
        (
            "yaml",
            "---\na: 1\n---\nb: 1\n",
            "file:4:1: a second document begins here, and a configuration is one",
        ),
        (
            "yaml",
            "- 1\n",
            "file:1:1: a configuration is a table of keys, and this is a list",
        ),
        ("yaml", "? [a]\n: 1\n", "file:1:3: a key must be text"),
        (
            "yaml",
            "workers: !!int four\n",
            "file:1:10: `workers` is a value that does not fit its tag, which is not a whole number",
        ),
        (
            "yaml",
            "workers: !mine 4\n",
            "file:1:10: `workers` is a value with a tag, which is not a whole number",
        ),
        (
            "yaml",
            "workers:\n",
            "file:1:8: `workers` has no value: give it one, or leave the key out for its default",
        ),
        (
            "json",
            "{\"a\": 1,\n \"b\": nul}",
            "file:2:10: this is no JSON: expected ident",
        ),
        (
            "json",
            "{\n\t\"workers\": 1,\n  \"workers\": 2\n}",
            "file:3:3: `workers` is given twice, first at file:2:2",
        ),
        (
            "json",
            "{\"name\": \"\\ud800\"}",
            "file:1:10: this is no JSON: unexpected end of hex escape",
        ),
        (
            "json",
            "{\"name\": null}",
            "file:1:10: `name` has no value: give it one, or leave the key out for its default",
        ),
        (
            "json",
            "5",
            "file:1:1: a configuration is a table of keys, and this is 5",
        ),
        (
            "json",
            "",
            "file:1:1: this is no JSON: EOF while parsing a value",
        ),
    ] {
        assert_eq!(
            of(Some((extension, text)), &[], &["worker.py"]),
            sentence,
            "{text}"
        );
    }
}

#[test]
fn an_unknown_key_hides_no_problem_of_a_known_one() {
    assert_eq!(
        of_file("listener = 1\nlisten = '0.0.0.0:80'"),
        "the configuration has 2 problems:\
         \n  file:2:1: `listener` is no key of the configuration; did you mean `listen`?\
         \n  file:3:10: `listen` is 0.0.0.0:80, which other machines can reach: \
         name a `token_file`, or set `allow_unauthenticated`"
    );
}
