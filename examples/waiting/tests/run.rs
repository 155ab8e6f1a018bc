//! The program, run as a person runs it.

use std::process::Command;

#[test]
fn one_worker_waits_for_64_answers_at_a_time() {
    let output = Command::new(env!("CARGO_BIN_EXE_waiting"))
        .output()
        .expect("the program");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = text.lines().collect();
    // The server answers nobody before 64 wait, so fewer than that would never end.
    assert_eq!(lines[0], "256 of 256 calls got their answer, by 1 worker");
    assert_eq!(lines[1], "  at most 64 waited at the same time");
}
