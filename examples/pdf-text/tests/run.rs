//! The program, run as a person runs it.

use std::process::{Command, Output};

fn run(files: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pdf-text"))
        .args(files)
        .output()
        .expect("the program")
}

#[test]
fn the_text_is_that_of_the_licence() {
    let output = run(&[]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("Apache License, Version 2.0, 4 pages"));
    let pages: Vec<&str> = lines.collect();
    assert!(
        pages[0].ends_with(
            "words: Apache License Version 2.0, January 2004 http://www.apache.org/licenses/ TERMS AND …"
        ),
        "{text}"
    );
    // Every word of it is there.
    let licence = include_str!("../../../LICENSE");
    let words: usize = pages
        .iter()
        .filter_map(|page| {
            page.split(": ")
                .nth(1)?
                .split(' ')
                .next()?
                .parse::<usize>()
                .ok()
        })
        .sum();
    assert_eq!(words, licence.split_whitespace().count(), "{text}");
}

#[test]
fn what_is_no_pdf_is_an_error_that_says_so() {
    let output = run(&[concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("Cargo.toml: the Python function raised pypdf.errors."),
        "{text}"
    );
}
