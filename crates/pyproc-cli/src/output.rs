//! Writing to stdout, and text that both commands lay out.

use std::io::{self, Write};

use pyproc::{ContentType, Reply};
use serde::Serialize;

use crate::failure::Failure;

/// Prints a result: JSON with an end of line, raw bytes as they are.
pub(crate) fn reply(reply: &Reply) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(reply.bytes())?;
    if reply.content_type() == ContentType::Json {
        stdout.write_all(
            b"
",
        )?;
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
