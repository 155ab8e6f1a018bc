//! The book in `docs/`: built with mdBook, its tables generated from the code, its links checked.
//!
//! The tests of this crate run every code block of the book and of README.md.

pub mod links;
pub mod markdown;
pub mod site;
pub mod tables;

use std::path::PathBuf;

/// The folder of the repository.
#[must_use]
pub fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.join("../..").canonicalize().unwrap_or(here)
}

/// The pages of the book, `SUMMARY.md` left out, by name.
///
/// # Errors
/// When the folder cannot be read.
pub fn pages() -> std::io::Result<Vec<PathBuf>> {
    let mut pages = Vec::new();
    for entry in std::fs::read_dir(root().join("docs"))? {
        let path = entry?.path();
        let is_page = path.extension().is_some_and(|extension| extension == "md");
        if is_page && path.file_name().is_some_and(|name| name != "SUMMARY.md") {
            pages.push(path);
        }
    }
    pages.sort();
    Ok(pages)
}
