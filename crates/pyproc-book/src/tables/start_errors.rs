//! The variants of an error whose comments say everything.

use anyhow::Result;

use super::{rows, source};

pub(super) fn table(file: &str, name: &str) -> Result<String> {
    let variants = source::variants(&format!("error/{file}"), name)?;
    let rows_of = variants
        .into_iter()
        .map(|variant| vec![format!("`{}`", variant.name), variant.paragraphs.join(" ")]);
    Ok(rows(&["Variant", "When"], rows_of))
}
