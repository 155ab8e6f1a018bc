//! `pyproc config` as a shell sees it: what is printed where, and the exit status.

mod common;

use std::fs;
use std::path::PathBuf;

use common::{Marked, pyproc, run};
use serde_json::Value;

/// A folder of one test's files.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder for a test");
    folder
}

#[test]
fn the_table_says_what_is_in_force_and_where_it_came_from() {
    let folder = folder("table");
    fs::write(
        folder.join("pyproc.toml"),
        "target = 'worker.py'\nworkers = 4\ntimeout = '90s'\n[env]\nTOKEN = 'hush'\n",
    )
    .expect("a file");
    let mut marked = Marked::new();
    marked
        .command
        .current_dir(&folder)
        .env_remove("PYPROC_PYTHON")
        .env("PYPROC_QUEUE", "7")
        .env("PYPROC_SERVICE_HOST", "10.0.0.1")
        .env("PYPROC_WORKER", "1");
    let run = run(
        marked,
        &["config", "--config", "pyproc.toml", "--threads", "2"],
        b"",
    );
    assert_eq!(
        (run.status, run.stderr.as_str()),
        (
            0,
            "warning: PYPROC_WORKER is no variable of pyproc; did you mean PYPROC_WORKERS?\n"
        )
    );
    let table = String::from_utf8(run.stdout).expect("text");
    let rows = |key: &str| {
        let row = table
            .lines()
            .find(|line| line.split(' ').next() == Some(key));
        let words = row
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned);
        words.collect::<Vec<_>>().join(" ")
    };
    for row in [
        "target worker.py pyproc.toml:1:10",
        "env.TOKEN … pyproc.toml:5:9",
        "workers 4 pyproc.toml:2:11",
        "name worker default",
        "timeout 1m 30s pyproc.toml:3:11",
        "queue 7 PYPROC_QUEUE",
        "threads 2 --threads",
        "listen 127.0.0.1:8080 default",
        "python - default",
    ] {
        assert_eq!(rows(row.split(' ').next().expect("a key")), row, "{table}");
    }
    assert!(!table.contains("hush"), "{table}");
}

#[test]
fn a_script_gets_json_and_a_file_can_be_written() {
    let run = pyproc(&["config", "worker.py", "--env", "TOKEN=hush", "--json"]);
    let keys: Value = serde_json::from_str(run.output()).expect("JSON");
    assert_eq!(
        keys["env"],
        serde_json::json!({"value": {"TOKEN": "…"}, "source": "command line", "place": "--env"})
    );
    assert_eq!(
        keys["otlp_endpoint"],
        serde_json::json!({"value": null, "source": "default", "place": null})
    );

    let folder = folder("file");
    for format in ["toml", "yaml", "json"] {
        let written = pyproc(&[
            "config",
            "worker.py",
            "--env",
            "TOKEN=hush",
            "--format",
            format,
        ]);
        let file = folder.join(format!("written.{format}"));
        fs::write(&file, written.output()).expect("a file");
        let path = file.to_str().expect("a path");
        let read = pyproc(&["config", "--config", path, "--format", format]);
        assert_eq!(read.output(), written.output());
        assert!(read.output().contains("hush"));
    }
}

#[test]
fn the_schema_is_json_for_the_file_of_the_configuration() {
    let run = pyproc(&["config", "schema"]);
    let schema: Value = serde_json::from_str(run.output()).expect("JSON");
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["workers"]["maximum"], 1024);
}

#[test]
fn what_is_wrong_is_status_2_for_config_and_serve_alike() {
    let folder = folder("wrong");
    let file = folder.join("pyproc.yaml");
    fs::write(&file, "target: worker.py\nworker: 4\nqueue: many\n").expect("a file");
    let path = file.to_str().expect("a path");
    for command in ["config", "serve"] {
        let run = pyproc(&[command, "--config", path, "--timeout", "5"]);
        assert_eq!(
            run.error(2),
            format!(
                "error: the configuration has 3 problems:\
                 \n  {path}:2:1: `worker` is no key of the configuration; did you mean `workers`?\
                 \n  {path}:3:8: `queue` is \"many\", which is not a whole number\
                 \n  --timeout: `timeout` is \"5\", which is not a duration: write text with a unit, such as \"250ms\", \"10s\" or \"5m\"\
                 \n\nFor more information, try 'pyproc --help'.\n"
            )
        );
    }
}
