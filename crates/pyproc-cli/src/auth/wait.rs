//! `pyproc auth wait`: until the identity answers.

use pyproc_identity::Pod;
use pyproc_identity::doctor::NOT_EXPECTED;
use pyproc_identity::startup::{Ready, until_ready};

use super::{WaitArguments, ended};
use crate::failure::Failure;
use crate::log;
use crate::output;

pub(super) async fn run(pod: &Pod, arguments: &WaitArguments) -> Result<(), Failure> {
    let mut last = String::new();
    let ready = until_ready(pod, |reason| {
        waiting(reason);
        last = reason.to_owned();
    });
    match tokio::time::timeout(arguments.timeout, ready).await {
        Ok(Ready::Answered {
            mechanism,
            principal,
        }) => {
            let principal = principal
                .as_deref()
                .or(mechanism.principal())
                .unwrap_or("an identity without a name");
            output::text(&format!("{principal}, by {}\n", mechanism.title()))
        }
        Ok(Ready::NotExpected) => {
            output::text("nothing here expects a cloud identity\n")?;
            ended(NOT_EXPECTED)
        }
        Err(_) => {
            let after = humantime::format_duration(arguments.timeout);
            let last = if last.is_empty() {
                "the first try did not end".to_owned()
            } else {
                last
            };
            Err(Failure::Failed(format!(
                "the identity did not answer within {after}: {last}\n`pyproc auth doctor --online` says what to do"
            )))
        }
    }
}

/// Progress belongs beside the data.
fn waiting(reason: &str) {
    log::say(&format!("waiting: {reason}"));
}
