//! The limit: the same function in a plain Python loop, without processes in between.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use pyproc::Target;

/// Decodes, calls and encodes in a loop and prints calls per second.
const SCRIPT: &str = include_str!("../compare.py");

/// Calls per second of `function` in one Python process; `argument` is MessagePack.
pub(super) fn run(
    python: &Path,
    target: &Target,
    function: &str,
    argument: Option<&[u8]>,
) -> anyhow::Result<f64> {
    let (kind, name) = match target {
        Target::Script(script) => ("script", script.display().to_string()),
        target => ("module", target.to_string()),
    };
    let mut child = Command::new(python)
        .args(["-c", SCRIPT, kind, &name, function])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", python.display()))?;
    // Taken, so that the end of the argument is seen. A program that reads nothing says why itself.
    let _ = child
        .stdin
        .take()
        .map(|mut stdin| stdin.write_all(argument.unwrap_or_default()));
    let output = child
        .wait_with_output()
        .context("waiting for the loop in Python")?;
    if !output.status.success() {
        bail!("the loop in Python failed ({})", output.status);
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    printed
        .trim()
        .parse()
        .with_context(|| format!("the loop in Python printed {printed:?}"))
}
