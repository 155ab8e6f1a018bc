//! What is logged: what workers print and log, what the pool and the gateway have to say. On stderr.
//!
//! While a pool starts, lines for people are held back: a start that fails has one message, which ends
//! with the lines that matter. What is for a program, or was asked for, is written at once.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, LevelFilter, Targets, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use crate::config::gateway::LogFormat as Format;
use crate::failure::Failure;
use crate::otlp::Traces;

/// The variable that chooses what is shown, in the syntax of `RUST_LOG`: `debug`, `pyproc=trace`.
/// Who sets it sees every line at once.
const VARIABLE: &str = "PYPROC_LOG_FILTER";

/// What Python code wrote; failures of the pool itself reach the user as the program's one message.
const DEFAULT_OF_COMMANDS: &str = "pyproc::worker=info";

/// What the gateway shows: Python's lines, what happens to workers, requests that failed, lost traces.
pub(crate) const DEFAULT: &str = "pyproc=info,opentelemetry=warn";

/// What the gateway says of the cloud identity, beside the crate that looks at it.
pub(crate) const IDENTITY: &str = "pyproc::identity";

/// Bytes that are held back at most; a start that says more shows it.
const HELD_MAX: usize = 64 * 1024;

/// The lines of a start that is not over; `None` when lines go straight to stderr.
static HELD: Mutex<Option<Vec<u8>>> = Mutex::new(None);

/// The format, once there is one.
static FORMAT: OnceLock<Format> = OnceLock::new();

/// The log of a command that a person runs: plain lines, without a time.
pub(crate) fn start_for_command() -> Result<(), Failure> {
    let chosen = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty());
    let text = chosen.as_deref().unwrap_or(DEFAULT_OF_COMMANDS);
    let targets = targets(VARIABLE, text)?;
    hold(chosen.is_none());
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(|| Lines { at_once: false })
        .with_ansi(false)
        .without_time()
        .compact();
    tracing_subscriber::registry()
        .with(lines)
        .with(targets)
        .init();
    Ok(())
}

/// The log of the gateway, and what makes its traces.
///
/// # Errors
/// When `filter` is none.
pub(crate) fn start(format: Format, filter: &str, traces: Option<&Traces>) -> Result<(), Failure> {
    let targets = targets("log_filter", filter)?;
    let level = Layer::<Registry>::max_level_hint(&targets).unwrap_or(LevelFilter::TRACE);
    hold(filter == DEFAULT && format == Format::Pretty);
    let _ = FORMAT.set(format);
    // Spans are for traces: a line says itself what it belongs to.
    let events = filter_fn(|metadata| metadata.is_event()).with_max_level_hint(level);
    let lines = lines(format).with_filter(targets.and(events));
    let subscriber = tracing_subscriber::registry().with(lines);
    match traces {
        // A layer that is not there would still want every span.
        None => subscriber.init(),
        Some(traces) => subscriber.with(traces.layer()).init(),
    }
    Ok(())
}

fn lines<S>(format: Format) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(Writers)
        .with_ansi(false);
    match format {
        Format::Pretty => lines.compact().boxed(),
        Format::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .boxed(),
    }
}

fn targets(name: &str, text: &str) -> Result<Targets, Failure> {
    text.parse()
        .map_err(|error| Failure::Usage(format!("{name} is {text:?}, which is no filter: {error}")))
}

/// Whether programs read the log: then it has everything that the program has to say.
pub(crate) fn is_json() -> bool {
    FORMAT.get() == Some(&Format::Json)
}

fn hold(back: bool) {
    *HELD.lock().unwrap_or_else(PoisonError::into_inner) = back.then(Vec::new);
}

/// The pool has started: shows what was held back and holds nothing back any more.
pub(crate) fn release() {
    let held = HELD.lock().unwrap_or_else(PoisonError::into_inner).take();
    let _ = io::stderr().write_all(&held.unwrap_or_default());
}

/// Says something to whoever started the program. Nobody may read stderr any more, and that stops nothing.
pub(crate) fn say(sentence: &str) {
    let _ = io::stderr().write_all(format!("{sentence}\n").as_bytes());
}

/// Where the gateway's lines go: what is said of the cloud identity belongs to no start and is not held back.
struct Writers;

impl<'w> MakeWriter<'w> for Writers {
    type Writer = Lines;

    fn make_writer(&'w self) -> Lines {
        Lines { at_once: false }
    }

    fn make_writer_for(&'w self, metadata: &Metadata<'_>) -> Lines {
        let target = metadata.target();
        Lines {
            at_once: target.starts_with("pyproc_identity") || target == IDENTITY,
        }
    }
}

/// Where formatted lines go.
struct Lines {
    at_once: bool,
}

impl Write for Lines {
    fn write(&mut self, whole: &[u8]) -> io::Result<usize> {
        let line = &*shown(whole);
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        match held.as_mut().filter(|_| !self.at_once) {
            Some(lines) if lines.len() + line.len() <= HELD_MAX => lines.extend_from_slice(line),
            Some(lines) => {
                let lines = std::mem::take(lines);
                *held = None;
                io::stderr().write_all(&lines)?;
                io::stderr().write_all(line)?;
            }
            None => io::stderr().write_all(line)?,
        }
        Ok(whole.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A line as it may be shown to people: what is in it can neither look like another line nor move the
/// terminal's cursor. Lines for programs have no such characters.
fn shown(line: &[u8]) -> Cow<'_, [u8]> {
    let inner = line.strip_suffix(b"\n").unwrap_or(line);
    let text = String::from_utf8_lossy(inner);
    if !text.contains(|it: char| it.is_control() && it != '\t') {
        return Cow::Borrowed(line);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\n  "),
            '\t' => shown.push('\t'),
            control if control.is_control() => shown.extend(control.escape_default()),
            other => shown.push(other),
        }
    }
    shown.push('\n');
    Cow::Owned(shown.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_looks_like_another() {
        for (line, is_shown) in [
            ("plain\ttext\n", "plain\ttext\n"),
            ("first\nERROR second\n", "first\n  ERROR second\n"),
            ("red \u{1b}[31m\u{9b}\n", "red \\u{1b}[31m\\u{9b}\n"),
        ] {
            assert_eq!(shown(line.as_bytes()), is_shown.as_bytes(), "{line:?}");
        }
    }
}
