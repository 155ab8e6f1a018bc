//! The program, run as a person runs it.

use std::process::Command;

#[test]
fn the_model_recognises_wines_that_it_has_not_seen() {
    let output = Command::new(env!("CARGO_BIN_EXE_onnx-model"))
        .output()
        .expect("the program");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        text.lines().next(),
        Some("85 of 89 wines recognised"),
        "{text}"
    );
    assert_eq!(text.matches(" % sure)").count(), 4, "{text}");
}
