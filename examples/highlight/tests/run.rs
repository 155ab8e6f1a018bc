//! The program, run as a person runs it.

use std::process::{Command, Output};

const MAIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/main.rs");
const WORKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/worker.py");

fn run(files: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_highlight"))
        .args(files)
        .output()
        .expect("the program")
}

/// The text without its colours.
fn plain(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.filter_map(|part| Some(part.split_once('m')?.1));
    first + &rest.collect::<String>()
}

#[test]
fn files_come_in_order_and_in_colour_and_are_otherwise_as_they_were() {
    let output = run(&[MAIN, WORKER, MAIN]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.matches("\x1b[").count() > 300, "{text}");
    let (main, worker) = (include_str!("../src/main.rs"), include_str!("../worker.py"));
    assert_eq!(plain(&text), [main, worker, main].concat());
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = run(&["no/such/file.rs"]);
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("no/such/file.rs: No such file"), "{text}");
}
