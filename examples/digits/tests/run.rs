//! The demonstration, run as a person runs it.

use std::process::Command;

#[test]
fn every_image_is_read_and_a_kill_changes_no_answer() {
    let output = Command::new(env!("CARGO_BIN_EXE_digits"))
        .output()
        .expect("the program");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    for line in [
        "899 of 899 images answered, 871 read right",
        "899 of 899 answers are the same as without the kill",
    ] {
        assert!(text.contains(line), "{text}");
    }
}
