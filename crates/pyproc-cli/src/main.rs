//! The `pyproc` program: call, list and measure Python functions from the shell.
//!
//! Results go to stdout and everything else to stderr. The program exits with 0, with 1 when a call
//! or a start failed, and with 2 when it was used wrongly; `pyproc auth` adds 3 where nothing expects an
//! identity.

mod args;
mod auth;
mod bench;
mod call;
mod config;
mod failure;
mod list;
mod log;
mod options;
mod otlp;
mod output;
mod schema;
mod serve;

use std::process::ExitCode;

use clap::Parser;
use pyproc::{Pool, PoolConfig};

use args::{Arguments, Command};
use failure::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Call(arguments) => {
            log::start_for_command()?;
            call::run(arguments.resolve()?)
        }
        Command::List(arguments) => {
            log::start_for_command()?;
            list::run(arguments.resolve()?)
        }
        Command::Bench(arguments) => {
            log::start_for_command()?;
            bench::run(arguments.resolve()?)
        }
        Command::Serve(_) if serve::init::is_first_process() => serve::init::run(),
        Command::Serve(arguments) => {
            let effective = config::load(arguments.flags)?;
            let settings = &effective.settings;
            let traces = otlp::start(settings.otlp_endpoint.as_deref(), &settings.name)?;
            log::start(settings.log, &settings.log_filter, traces.as_ref())?;
            effective.warn();
            serve::run(effective.settings, traces)
        }
        Command::Config(arguments) => arguments.run(),
        Command::Auth(arguments) => {
            log::start_for_command()?;
            auth::run(arguments)
        }
    }
}

/// Starts a pool; what its workers say from then on is shown as they say it.
async fn start(config: PoolConfig) -> Result<Pool, Failure> {
    let pool = Pool::start(config).await?;
    log::release();
    Ok(pool)
}
