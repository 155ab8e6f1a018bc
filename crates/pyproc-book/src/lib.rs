//! The book in `docs/`: built with mdBook, its tables generated from the code, its links checked.
//!
//! The tests of this crate run every code block of the book and of README.md.

pub mod links;
pub mod markdown;
pub mod site;
pub mod tables;

use std::path::{Path, PathBuf};

/// The folder of the repository.
#[must_use]
pub fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.join("../..").canonicalize().unwrap_or(here)
}

/// The pages of the book, `SUMMARY.md` left out, by name. Those of `docs/deployment` come last.
///
/// # Errors
/// When a folder cannot be read.
pub fn pages() -> std::io::Result<Vec<PathBuf>> {
    let docs = root().join("docs");
    let mut pages = pages_in(&docs)?;
    pages.extend(pages_in(&docs.join("deployment"))?);
    Ok(pages)
}

/// What a page is called in `SUMMARY.md`: its path below `docs`.
#[must_use]
pub fn name_of(page: &Path) -> String {
    let docs = root().join("docs");
    page.strip_prefix(&docs)
        .unwrap_or(page)
        .display()
        .to_string()
}

fn pages_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut pages = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_page = path.extension().is_some_and(|extension| extension == "md");
        if is_page && path.file_name().is_some_and(|name| name != "SUMMARY.md") {
            pages.push(path);
        }
    }
    pages.sort();
    Ok(pages)
}
