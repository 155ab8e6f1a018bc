//! Writing to stdout, and text that both commands lay out.

use std::io::{self, Write};

use pyproc::{ContentType, Reply};
use serde::Serialize;

use crate::failure::Failure;

/// Prints a result: JSON as one line, raw bytes as they are.
pub(crate) fn reply(reply: &Reply) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match reply.content_type() {
        ContentType::Raw => stdout.write_all(reply.bytes())?,
        ContentType::Json => {
            stdout.write_all(reply.bytes())?;
            stdout.write_all(b"\n")?;
        }
        _ => {
            let value: serde_json::Value = reply
                .decode()
                .map_err(|error| Failure::Failed(error.to_string()))?;
            writeln!(stdout, "{value}")?;
        }
    }
    Ok(stdout.flush()?)
}

/// Prints a value as indented JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, value).map_err(io::Error::from)?;
    writeln!(stdout)?;
    Ok(stdout.flush()?)
}

/// Prints text.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}
