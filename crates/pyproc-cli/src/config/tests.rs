//! The layers over each other, every problem's sentence, and that nothing drifts.

mod files;
mod layers;
mod problems;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::flags::Flags;
use super::{Effective, combine, variables};

/// A file that is gone when the test is over.
struct Scratch(PathBuf);

impl Scratch {
    /// A file with this extension and this text.
    fn new(extension: &str, text: impl AsRef<[u8]>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pyproc-config-{}-{count}.{extension}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).expect("a file for a test");
        Self(path)
    }

    fn path(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing is lost where it stays.
        let _ = fs::remove_file(&self.0);
    }
}

/// The configuration of a file, variables and flags; flags as they are typed after `serve`.
fn configured(
    file: Option<(&str, &str)>,
    variables: &[(&str, &str)],
    flags: &[&str],
) -> Result<Effective, String> {
    let scratch = file.map(|(extension, text)| Scratch::new(extension, text));
    let path = scratch.as_ref().map(Scratch::path);
    let mut flags = parsed(flags);
    flags.file = flags.file.or_else(|| path.clone());
    let found = variables
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let result = combine(flags, variables::read(found)).map_err(|problems| problems.to_string());
    // The name differs from run to run.
    result.map_err(|problems| match &path {
        Some(path) => problems.replace(path.as_str(), "file"),
        None => problems,
    })
}

fn parsed(arguments: &[&str]) -> Flags {
    let command = <Flags as clap::Args>::augment_args(clap::Command::new("serve"));
    let words = [&["serve"], arguments].concat();
    let matches = command.try_get_matches_from(words).expect("flags");
    <Flags as clap::FromArgMatches>::from_arg_matches(&matches).expect("flags")
}
