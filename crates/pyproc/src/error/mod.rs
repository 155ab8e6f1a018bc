//! What can go wrong, one enum per operation: [`StartError`], [`CallError`], [`ShutdownError`].
//!
//! `Display` says what is wrong at this level, where, and what to do about it; a cause, where there
//! is one, is in `source()`. What a program decides by (retry, HTTP status, metric label) are
//! methods beside the enum, one `match` each without a wildcard, so that a new variant cannot be
//! forgotten.

mod call;
mod config;
mod decode;
mod exit;
mod nearest;
mod shutdown;
mod start;

#[cfg(test)]
mod tests;

pub use call::{CallError, Part, Phase, Retry};
pub use config::{ConfigErrors, Problem};
pub use exit::{Exit, OutOfMemory};
pub use shutdown::ShutdownError;
pub use start::StartError;

pub(crate) use decode::worker_error;
#[doc(hidden)]
pub use nearest::nearest;

use std::fmt;
use std::time::Duration;

/// A duration for people: `250ms`, `1m 30s`; below a millisecond nothing is worth a reader's time
/// once there are whole seconds.
fn duration(duration: Duration) -> impl fmt::Display {
    let rounded = if duration >= Duration::from_secs(1) {
        Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    } else {
        duration
    };
    humantime::format_duration(rounded)
}

/// The sentence of an error whose `Display` has more to say under it.
pub(crate) fn first_line(error: &impl fmt::Display) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    // What it announces is left out.
    first
        .strip_suffix(start::LAST_LINES)
        .unwrap_or(first)
        .to_owned()
}

/// `1 worker`, `3 workers`.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// `a`, `b` and 3 more, in backticks and in the order given.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect();
    match (shown.as_slice(), names.len().saturating_sub(SHOWN)) {
        (shown, more @ 1..) => format!("{} and {more} more", shown.join(", ")),
        ([first @ .., last], 0) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        (shown, 0) => shown.concat(),
    }
}

/// Text of several lines, indented under the sentence before it; nothing when there is no text.
fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |mut block, line| {
        block.push_str("\n  ");
        block.push_str(line);
        block
    })
}
