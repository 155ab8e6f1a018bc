//! Why a worker did not come up, in the words of [`StartError`].

use std::io;
use std::path::Path;

use pyproc_ipc::message::ToHost;

use super::worker::{Running, is_descriptors};
use super::{Driver, Verdict};
use crate::config::{Settings, Target};
use crate::error::{Exit, OutOfMemory, StartError};

/// A script that is not there is found out before anything is started.
pub(super) fn check_script(settings: &Settings) -> Result<(), StartError> {
    let Target::Script(script) = &settings.target else {
        return Ok(());
    };
    let path = settings
        .working_dir
        .as_deref()
        .unwrap_or(Path::new(""))
        .join(script);
    readable(&path).map_err(|source| {
        if is_descriptors(&source) {
            StartError::Descriptors { source }
        } else {
            StartError::ScriptMissing {
                script: std::path::absolute(&path).unwrap_or(path),
                source,
            }
        }
    })
}

/// Only files are opened: a pipe would block.
fn readable(path: &Path) -> io::Result<()> {
    let kind = std::fs::metadata(path)?;
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !kind.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a file",
        ));
    }
    std::fs::File::open(path).map(drop)
}

impl Driver {
    /// What to tell the person who starts the pool.
    pub(super) fn start_error(
        &self,
        running: Running,
        exit: Exit,
        out_of_memory: OutOfMemory,
    ) -> StartError {
        let target = self.shared.settings.target.to_string();
        let stderr_tail = running.tail.text();
        match running.verdict {
            Some(Verdict::Violation(message)) => StartError::Protocol { target, message },
            Some(Verdict::Late) => StartError::Timeout {
                target,
                after: self.shared.settings.start_timeout,
                stderr_tail,
            },
            Some(Verdict::Refused(ToHost::Rejected { version, .. })) => {
                StartError::VersionMismatch {
                    pyproc: env!("CARGO_PKG_VERSION").to_owned(),
                    worker: version,
                    python: self.recipe.python().to_owned(),
                }
            }
            Some(Verdict::Refused(ToHost::StartFailed {
                r#type,
                message,
                traceback,
            })) => {
                match r#type.as_str() {
                    // The package's own exceptions: their sentences say all.
                    "pyproc_worker.NoFunctionError" => StartError::NoFunctions { target },
                    "pyproc_worker.ExposeError" | "pyproc_worker.TargetError" => {
                        StartError::Unservable { target, message }
                    }
                    _ => StartError::ScriptRaised {
                        target,
                        exception: r#type,
                        message,
                        traceback,
                    },
                }
            }
            _ => self.died_early(target, exit, out_of_memory, stderr_tail),
        }
    }

    /// The process ended without a word. The interpreter is asked why that may be.
    fn died_early(
        &self,
        target: String,
        exit: Exit,
        out_of_memory: OutOfMemory,
        stderr_tail: String,
    ) -> StartError {
        if let Some(error) = crate::python::explain(self.recipe.python(), &self.shared.settings) {
            return error;
        }
        match exit {
            Exit::Status(0) => StartError::NeverServed { target },
            Exit::Status(_) => StartError::ScriptExited {
                target,
                exit,
                stderr_tail,
            },
            _ => StartError::WorkerDied {
                target,
                exit,
                out_of_memory,
                stderr_tail,
            },
        }
    }
}
