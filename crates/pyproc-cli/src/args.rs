//! The command line as it is typed. Parsing does nothing; [`crate::options`] makes sense of it.

use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::config::Format;
use crate::config::flags::Flags;

/// Call Python functions from the shell, through a pool of worker processes.
#[derive(Parser)]
#[command(
    name = "pyproc",
    version,
    after_help = "TARGET is a script (worker.py), a module (math) or one function of a module (math:hypot).\n\
                  Python comes from PYPROC_PYTHON, the active virtual environment, .venv here or above,\n\
                  .venv beside the script, or python3. PYPROC_LOG_FILTER=debug says what the pool does."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Call one function once and print its result as JSON
    Call(CallArguments),
    /// List the functions of a target: signatures, arguments, docstrings and schemas
    List(ListArguments),
    /// Measure how fast a function can be called
    Bench(BenchArguments),
    /// Put the functions of a target behind HTTP
    Serve(ServeArguments),
    /// Show the configuration that `serve` would run by, and where each value came from
    Config(ConfigArguments),
    /// Look at the cloud identity of this pod: which it is, what is wrong with it
    Auth(crate::auth::AuthArguments),
}

/// What to call, and with what.
#[derive(Args)]
pub(crate) struct CalledArguments {
    /// path.py, module, or module:function (then FUNCTION is left out)
    pub(crate) target: String,

    /// The function's name
    #[arg(allow_negative_numbers = true)]
    pub(crate) function: Option<String>,

    /// The argument as JSON, `-` to read it from stdin; none calls with the defaults
    #[arg(value_name = "JSON", allow_negative_numbers = true)]
    pub(crate) argument: Option<String>,
}

#[derive(Args)]
pub(crate) struct CallArguments {
    #[command(flatten)]
    pub(crate) called: CalledArguments,

    /// The function's own limit for this run, such as 500ms or 10m; a function stuck beyond it is
    /// killed [default: the function's, or 1m]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,

    /// Worker processes
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) workers: u32,

    /// Print the bytes of a function that returns bytes; without it they are base64 in JSON
    #[arg(long)]
    pub(crate) raw: bool,
}

#[derive(Args)]
pub(crate) struct ListArguments {
    /// path.py, module, or module:function
    pub(crate) target: String,

    /// Print a JSON array
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct BenchArguments {
    #[command(flatten)]
    pub(crate) called: CalledArguments,

    /// Calls in flight at once [default: 1, with --rate 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) concurrency: Option<u32>,

    /// Worker processes
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) workers: u32,

    /// Calls per second, sent on schedule whether or not earlier ones are answered; latency counts
    /// from the scheduled time [default: as fast as answers come]
    #[arg(long, value_name = "R", value_parser = rate)]
    pub(crate) rate: Option<f64>,

    /// How long to measure
    #[arg(long, value_name = "DURATION", value_parser = bench_duration, default_value = "5s")]
    pub(crate) duration: Duration,

    /// Run the same function in a plain Python loop too: decode, call, encode
    #[arg(long)]
    pub(crate) compare_in_process: bool,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Every key of the configuration is a flag.
#[derive(Args)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    pub(crate) flags: Flags,
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ConfigArguments {
    #[command(subcommand)]
    pub(crate) command: Option<ConfigCommand>,

    /// Print one JSON object: of every key its value, its source and the place there
    #[arg(long)]
    pub(crate) json: bool,

    /// Print a configuration file that says the same, the values of `env` included
    #[arg(long, value_name = "FORMAT", value_enum, conflicts_with = "json")]
    pub(crate) format: Option<Format>,

    #[command(flatten)]
    pub(crate) flags: Flags,
}

#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the JSON schema of the configuration (draft 7)
    Schema,
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration.is_zero() => Err("a limit of no time lets nothing run".to_owned()),
        Ok(duration) => Ok(duration),
        Err(_) => Err("write a duration with a unit, such as 500ms, 10s or 5m".to_owned()),
    }
}

fn bench_duration(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration < Duration::from_millis(10) {
        return Err("measure for at least 10ms".to_owned());
    }
    Ok(duration)
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.01..=10_000_000.0).contains(&rate) => Ok(rate),
        _ => Err("write the calls per second as a number from 0.01 to 10000000".to_owned()),
    }
}
