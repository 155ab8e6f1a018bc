//! The command line.

use std::path::PathBuf;

use crate::python::folder;

/// What was asked for.
pub(crate) struct Options {
    /// Parts to run; empty means all.
    only: Vec<String>,
    /// How often each figure is measured.
    pub(crate) rounds: usize,
    /// Where the figures are written.
    pub(crate) json: PathBuf,
    /// Without a recorder for metrics and without a subscriber, which everything is measured with.
    pub(crate) bare: bool,
    /// Measure nothing; make the README show what was measured last.
    pub(crate) write_readme: bool,
    /// Only make this many calls, so many at once: what `strace` counts.
    pub(crate) hot_calls: Option<(u64, usize)>,
    /// Only be the echo of HTTP, on this port, until killed.
    pub(crate) http_echo: Option<u16>,
}

impl Options {
    pub(crate) fn parse(
        arguments: impl Iterator<Item = String>,
        parts: &[&str],
    ) -> Result<Self, String> {
        let usage = format!(
            "usage: pyproc-bench [--only PART]... [--rounds N] [--json FILE] [--bare] [--write-readme]\nparts: {}",
            parts.join(", ")
        );
        let mut options = Self {
            only: Vec::new(),
            rounds: 5,
            json: folder("results/latest.json"),
            bare: false,
            write_readme: false,
            hot_calls: None,
            http_echo: None,
        };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| format!("{argument} needs a value\n{usage}"))
            };
            match argument.as_str() {
                "--only" => options.only.push(value()?),
                "--rounds" => options.rounds = number::<usize>(&value()?, &usage)?.max(1),
                "--json" => options.json = value()?.into(),
                "--bare" => options.bare = true,
                "--write-readme" => options.write_readme = true,
                "--hot-calls" => {
                    options.hot_calls =
                        Some((number(&value()?, &usage)?, number(&value()?, &usage)?));
                }
                "--http-echo" => options.http_echo = Some(number(&value()?, &usage)?),
                _ => return Err(usage),
            }
        }
        match options
            .only
            .iter()
            .find(|name| !parts.contains(&name.as_str()))
        {
            Some(unknown) => Err(format!("there is no part {unknown:?}\n{usage}")),
            None => Ok(options),
        }
    }

    /// Whether every part is measured.
    pub(crate) fn all(&self) -> bool {
        self.only.is_empty()
    }

    pub(crate) fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == part)
    }
}

fn number<N: std::str::FromStr>(text: &str, usage: &str) -> Result<N, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is not a number\n{usage}"))
}
