//! Peers whose caller is a Python program.

use std::path::Path;

use super::LIMIT;
use super::measured::{AT_ONCE, Measured};
use crate::{Failure, program, python};

pub(super) fn pipe(seconds: f64) -> Result<Measured, Failure> {
    run(&python::folder("python/peers/pipe.py"), seconds)
}

pub(super) fn executor(seconds: f64) -> Result<Measured, Failure> {
    run(&python::folder("python/peers/executor.py"), seconds)
}

pub(super) fn zeromq(seconds: f64) -> Result<Measured, Failure> {
    run(&python::folder("python/peers/zeromq.py"), seconds)
}

/// Runs a peer and reads what it measured.
pub(super) fn run(script: &Path, seconds: f64) -> Result<Measured, Failure> {
    let text = program::output(script, &[seconds.to_string()], LIMIT)?;
    let measured: Measured =
        serde_json::from_str(&text).map_err(|error| format!("printed {text:?}: {error}"))?;
    match AT_ONCE
        .iter()
        .find(|at_once| !measured.rates.contains_key(at_once))
    {
        Some(at_once) => Err(format!("printed no rate of {at_once} at once").into()),
        None => Ok(measured),
    }
}
