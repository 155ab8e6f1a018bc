//! How a run can end other than well: one message on stderr and an exit status.

use std::io;
use std::process::ExitCode;

use pyproc::{CallError, StartError};

use crate::log;

/// Why the program stops.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was used wrongly: exit status 2.
    Usage(String),
    /// A call or a start failed, or something else did: exit status 1.
    Failed(String),
    /// Everything has been said; the status remains.
    Said(u8),
    /// Whoever read stdout has read enough.
    NobodyReads,
    /// The process that did the work ended with this status, and has said why.
    Ended(u8),
}

impl Failure {
    /// Says it on stderr, the message once, and gives the exit status.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Self::Usage(message) | Self::Failed(message) if log::is_json() => {
                tracing::error!("{message}");
                ExitCode::from(if matches!(self, Self::Usage(_)) { 2 } else { 1 })
            }
            Self::Usage(message) => {
                log::say(&format!(
                    "error: {message}\n\nFor more information, try 'pyproc --help'."
                ));
                ExitCode::from(2)
            }
            Self::Failed(message) => {
                log::say(&format!("error: {message}"));
                ExitCode::from(1)
            }
            Self::Said(status) => ExitCode::from(*status),
            Self::NobodyReads => ExitCode::SUCCESS,
            Self::Ended(status) => ExitCode::from(*status),
        }
    }

    /// A failed call of `function`: the sentence, then the traceback. A dead worker's last lines
    /// have been shown when it wrote them.
    pub(crate) fn of_call(function: &str, error: &CallError) -> Self {
        let sentence = match error {
            CallError::NoSuchFunction { .. } => error.to_string(),
            _ => format!("{function}: {error}"),
        };
        Self::Failed(match error {
            CallError::Python { traceback, .. } => format!("{sentence}\n{}", traceback.trim_end()),
            _ => sentence,
        })
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(problems) => Self::Usage(problems.to_string()),
            error => Self::from(anyhow::Error::from(error)),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast_ref::<io::Error>() {
            Some(cause) if cause.kind() == io::ErrorKind::BrokenPipe => Self::NobodyReads,
            _ => Self::Failed(format!("{error:#}")),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::from(anyhow::Error::from(error))
    }
}
