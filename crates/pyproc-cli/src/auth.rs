//! `pyproc auth`: the cloud identity of this pod. What it says is data on stdout; no secret is ever printed.
//!
//! The exit status is 0 when all is well, 1 when something is broken or absent, and 3 when nothing here
//! expects an identity.

mod doctor;
mod packages;
mod status;
mod wait;

use std::time::Duration;

use clap::{Args, Subcommand};
use pyproc_identity::Pod;
use pyproc_identity::startup::no_core_dumps;

use crate::failure::Failure;

#[derive(Args)]
pub(crate) struct AuthArguments {
    #[command(subcommand)]
    command: AuthCommand,
}

#[derive(Subcommand)]
enum AuthCommand {
    /// Say which identity this pod has, who it is and until when
    Status(StatusArguments),
    /// Find what is wrong with it: evidence, cause, and what to do
    Doctor(DoctorArguments),
    /// Wait until it answers
    Wait(WaitArguments),
}

#[derive(Args)]
struct StatusArguments {
    /// Exchange the token once and ask the cloud who this is
    #[arg(long)]
    online: bool,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct DoctorArguments {
    /// Exchange tokens too; without it only files, variables and link-local addresses are looked at
    #[arg(long)]
    online: bool,

    /// Warnings end with status 1 too
    #[arg(long)]
    strict: bool,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct WaitArguments {
    /// When to give up
    #[arg(long, value_name = "DURATION", value_parser = crate::args::duration, default_value = "60s")]
    timeout: Duration,
}

pub(crate) fn run(arguments: AuthArguments) -> Result<(), Failure> {
    no_core_dumps();
    let pod = Pod::of_this_process();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(async {
        match arguments.command {
            AuthCommand::Status(arguments) => status::run(&pod, &arguments).await,
            AuthCommand::Doctor(arguments) => doctor::run(pod, &arguments).await,
            AuthCommand::Wait(arguments) => wait::run(&pod, &arguments).await,
        }
    });
    // A name that is still looked up is nobody's business any more, and its resolver may never answer.
    runtime.shutdown_background();
    ended
}

/// A status that says everything by itself.
fn ended(status: u8) -> Result<(), Failure> {
    if status == 0 {
        Ok(())
    } else {
        Err(Failure::Said(status))
    }
}
