//! Asks an interpreter about itself, when workers did not start on it: one JSON object, so that nothing
//! has to be read out of a traceback.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use pyproc_ipc::control;
use pyproc_ipc::process::Spawn;
use serde::Deserialize;

use crate::config::Settings;
use crate::error::StartError;

/// Interpreters answer within a tenth of a second; slow disks get more.
const PATIENCE: Duration = Duration::from_secs(10);

/// More than this is not read from the interpreter.
const OUTPUT: usize = 64 * 1024;

/// Runs on every Python since 2.7, to be able to say that it is too old.
const SCRIPT: &str = r#"
import json, os, platform, sys, sysconfig
os.environ.pop("PYPROC_CONTROL_FD", None)
answer = {
    "version": "%d.%d.%d" % sys.version_info[:3],
    "implementation": platform.python_implementation(),
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "worker": None,
    "problem": None,
}
try:
    import importlib.metadata
    import pyproc_worker
    answer["worker"] = importlib.metadata.version("pyproc-worker")
except BaseException as error:
    if getattr(error, "name", None) not in ("pyproc_worker", "pyproc-worker"):
        answer["problem"] = "%s: %s" % (type(error).__name__, error)
sys.stdout.write("\n%s\n" % json.dumps(answer))
"#;

/// What an interpreter says about itself.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Probe {
    version: String,
    implementation: String,
    free_threaded: bool,
    /// The version of the package, if it can be imported.
    worker: Option<String>,
    /// Why it can not be, unless it simply is not there.
    problem: Option<String>,
}

/// Why no worker starts on this interpreter, if the interpreter is the reason. Runs it, so it takes a
/// moment.
pub(crate) fn explain(python: &Path, settings: &Settings) -> Option<StartError> {
    match probe(python, settings) {
        Ok(probe) => probe.verdict(python, env!("CARGO_PKG_VERSION")),
        Err(problem) => Some(StartError::UnusablePython {
            python: python.to_owned(),
            problem,
        }),
    }
}

impl Probe {
    fn verdict(self, python: &Path, version: &str) -> Option<StartError> {
        let python = python.to_owned();
        if self.implementation != "CPython" {
            let problem = format!("it is {}, and workers need CPython", self.implementation);
            return Some(StartError::UnusablePython { python, problem });
        }
        if self.number() < (3, 11) {
            return Some(StartError::OldPython {
                python,
                version: self.version,
            });
        }
        if self.free_threaded {
            return Some(StartError::FreeThreadedPython { python });
        }
        match (self.worker, self.problem) {
            (Some(worker), _) if worker == version => None,
            (Some(worker), _) => Some(StartError::VersionMismatch {
                pyproc: version.to_owned(),
                worker,
                python,
            }),
            (None, None) => Some(StartError::PackageMissing { python }),
            (None, Some(problem)) => {
                let problem = format!("its package pyproc_worker can not be imported: {problem}");
                Some(StartError::UnusablePython { python, problem })
            }
        }
    }

    fn number(&self) -> (u32, u32) {
        let mut parts = self
            .version
            .split('.')
            .map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }
}

/// Runs the interpreter as workers are run: same environment, same folder.
fn probe(python: &Path, settings: &Settings) -> Result<Probe, String> {
    let variables = settings.env.iter();
    let env: Vec<_> = variables
        .map(|(name, value)| (OsString::from(name), OsString::from(value)))
        .collect();
    let (_host, control) = control::pair().map_err(|error| error.to_string())?;
    let spawn = Spawn {
        program: python,
        args: &["-c".into(), SCRIPT.into()],
        env: &env,
        current_dir: settings.working_dir.as_deref(),
        control,
    };
    let mut spawned = spawn.spawn().map_err(|error| error.to_string())?;
    let exit = spawned
        .process
        .wait_timeout(PATIENCE)
        .map_err(|error| error.to_string())?;
    let output = read(&spawned.stdout);
    let answer = output
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .next_back();
    let errors = read(&spawned.stderr);
    let last = errors.lines().map(str::trim).rfind(|line| !line.is_empty());
    match (answer, exit, last) {
        (Some(answer), ..) => Ok(answer),
        (None, None, _) => Err(format!(
            "it does not answer within {} s",
            PATIENCE.as_secs()
        )),
        (None, Some(_), Some(last)) => Err(format!("it says: {last}")),
        (None, Some(exit), None) => Err(format!(
            "it {} without a word",
            crate::error::Exit::new(exit)
        )),
    }
}

/// What is in the pipe of a process that has ended.
fn read(pipe: &OwnedFd) -> String {
    let mut bytes = vec![0; OUTPUT];
    let mut length = 0;
    while length < bytes.len() {
        match rustix::io::read(pipe, &mut bytes[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => break,
        }
    }
    bytes.truncate(length);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;
