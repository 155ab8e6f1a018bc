//! Where the Python side is, and how pools and plain interpreters are started on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pyproc::{Pool, PoolConfig};

use crate::Failure;

/// A file of this folder.
pub(crate) fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The interpreter that pools and plain loops both run on: the checkout's.
pub(crate) fn interpreter() -> PathBuf {
    std::env::var_os("PYPROC_PYTHON").map_or_else(|| folder("../.venv/bin/python"), PathBuf::from)
}

/// A pool on a script of `bench/python` with everything at its default but the number of workers.
pub(crate) fn config(script: &str, workers: u32) -> PoolConfig {
    let script = folder("python").join(script);
    PoolConfig::new(script.to_string_lossy())
        .python(interpreter())
        .workers(workers)
}

/// Starts such a pool.
pub(crate) async fn pool(script: &str, workers: u32) -> Result<Pool, Failure> {
    Ok(Pool::start(config(script, workers)).await?)
}

/// Runs a script of `bench/python` without a pool and reads the number that it prints.
pub(crate) fn number(arguments: &[&str]) -> Result<f64, Failure> {
    let output = Command::new(interpreter())
        .current_dir(folder("python"))
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("python {}: {}", arguments.join(" "), output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// The versions of what pyproc is compared with.
pub(crate) fn packages() -> Result<BTreeMap<String, String>, Failure> {
    let output = Command::new(interpreter())
        .arg(folder("python/packages.py"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    Ok(serde_json::from_slice(&output.stdout)?)
}
