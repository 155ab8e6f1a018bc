//! Builds the book; what mdBook warns of is an error.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use mdbook_driver::MDBook;
use tracing::Level;

use crate::root;

/// Builds `docs/` into `target`.
///
/// # Errors
/// When mdBook fails or warns of anything.
pub fn build(target: &Path) -> Result<()> {
    let warnings = Warnings::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::WARN)
        .with_ansi(false)
        .without_time()
        .with_writer({
            let warnings = warnings.clone();
            move || warnings.clone()
        })
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let mut book = MDBook::load(root().join("docs")).context("the book cannot be read")?;
        book.config.build.build_dir = target.to_owned();
        book.build().context("the book cannot be built")
    })?;
    let warnings = warnings.text();
    ensure!(warnings.is_empty(), "mdBook warns:\n{warnings}");
    Ok(())
}

/// What was logged.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<u8>>>);

impl Warnings {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl io::Write for Warnings {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
