//! The codes of `pyproc auth doctor`: what each means and how it is mended, from their comments.

use anyhow::{Result, ensure};

use super::{rows, source};

const FILE: &str = "../../pyproc-identity/src/doctor/code.rs";

pub(super) fn table() -> Result<String> {
    let mut table = Vec::new();
    for code in source::variants(FILE, "Code")? {
        let name = capitals(&code.name);
        let [meaning, remedy] = code.paragraphs.as_slice() else {
            ensure!(
                false,
                "the comment of {name} has two paragraphs: what it means, and what to do"
            );
            continue;
        };
        table.push(vec![format!("`{name}`"), meaning.clone(), remedy.clone()]);
    }
    Ok(rows(&["code", "what it means", "what to do"], table))
}

/// `AwsTrustMismatch` as `AWS_TRUST_MISMATCH`, as serde writes it.
fn capitals(name: &str) -> String {
    let mut word = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.push(letter.to_ascii_uppercase());
    }
    word
}
