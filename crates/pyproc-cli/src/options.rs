//! The command line made sense of: targets checked, arguments read and known to be JSON.

use std::io::Read;
use std::time::Duration;

use pyproc::{ContentType, PoolConfig, Target};
use serde::de::IgnoredAny;

use crate::args::{BenchArguments, CallArguments, CalledArguments, ListArguments};
use crate::failure::Failure;

/// One call of one function.
pub(crate) struct CallOptions {
    pub(crate) config: PoolConfig,
    pub(crate) called: Called,
    pub(crate) timeout: Option<Duration>,
    pub(crate) accept: ContentType,
}

/// What to list, and how.
pub(crate) struct ListOptions {
    pub(crate) config: PoolConfig,
    pub(crate) json: bool,
}

/// What to measure, and how.
pub(crate) struct BenchOptions {
    pub(crate) config: PoolConfig,
    pub(crate) target: Target,
    pub(crate) called: Called,
    pub(crate) workers: u32,
    pub(crate) concurrency: u32,
    pub(crate) rate: Option<f64>,
    pub(crate) duration: Duration,
    pub(crate) compare_in_process: bool,
    pub(crate) json: bool,
}

/// A function and its argument.
#[derive(Debug, PartialEq)]
pub(crate) struct Called {
    pub(crate) function: String,
    /// Valid JSON, or nothing to call with the defaults.
    pub(crate) argument: Option<Vec<u8>>,
}

/// How long workers may take to end after a call with a limit of its own.
const END_AFTER_LIMIT: Duration = Duration::from_secs(1);

impl CallArguments {
    pub(crate) fn resolve(self) -> Result<CallOptions, Failure> {
        let mut config = PoolConfig::new(&self.called.target).workers(self.workers);
        if let Some(timeout) = self.timeout {
            config = config.timeout(timeout).shutdown_timeout(END_AFTER_LIMIT);
        }
        let target = target(&self.called.target)?;
        check(&config)?;
        Ok(CallOptions {
            called: self.called.resolve(&target)?,
            config,
            timeout: self.timeout,
            accept: if self.raw {
                ContentType::Raw
            } else {
                ContentType::Json
            },
        })
    }
}

impl ListArguments {
    pub(crate) fn resolve(self) -> Result<ListOptions, Failure> {
        target(&self.target)?;
        Ok(ListOptions {
            config: PoolConfig::new(self.target).workers(1),
            json: self.json,
        })
    }
}

impl BenchArguments {
    pub(crate) fn resolve(self) -> Result<BenchOptions, Failure> {
        const WITH_RATE: u32 = 64;
        let concurrency =
            self.concurrency
                .unwrap_or(if self.rate.is_some() { WITH_RATE } else { 1 });
        let config = PoolConfig::new(&self.called.target)
            .workers(self.workers)
            .queue(PoolConfig::default().queue.max(concurrency));
        let target = target(&self.called.target)?;
        check(&config)?;
        Ok(BenchOptions {
            config,
            called: self.called.resolve(&target)?,
            target,
            workers: self.workers,
            concurrency,
            rate: self.rate,
            duration: self.duration,
            compare_in_process: self.compare_in_process,
            json: self.json,
        })
    }
}

impl CalledArguments {
    fn resolve(self, target: &Target) -> Result<Called, Failure> {
        let (function, json) = match (target.function(), self.function, self.argument) {
            (Some(function), json, None) => (function.to_owned(), json),
            (Some(function), Some(_), Some(_)) => {
                return Err(Failure::Usage(format!(
                    "the target {target} names the function {function} already: leave FUNCTION out"
                )));
            }
            (None, Some(function), json) => (function, json),
            (_, None, _) => {
                return Err(Failure::Usage(format!(
                    "name the function to call after the target; `pyproc list {target}` shows what there is"
                )));
            }
        };
        let argument = match json {
            Some(json) if json == "-" => {
                let mut text = Vec::new();
                std::io::stdin().read_to_end(&mut text)?;
                Some(text)
            }
            json => json.map(String::into_bytes),
        };
        if let Some(argument) = &argument {
            check_json(argument)?;
        }
        Ok(Called { function, argument })
    }
}

fn target(text: &str) -> Result<Target, Failure> {
    Target::parse(text).map_err(|problem| Failure::Usage(format!("the target {problem}")))
}

/// Bad numbers are usage errors, found before anything is started.
fn check(config: &PoolConfig) -> Result<(), Failure> {
    config
        .clone()
        .resolve()
        .map(drop)
        .map_err(|problems| Failure::Usage(problems.to_string()))
}

/// Valid JSON passes; otherwise the place is shown, with the line and a mark under the column.
fn check_json(argument: &[u8]) -> Result<(), Failure> {
    let text = std::str::from_utf8(argument).map_err(|error| {
        Failure::Usage(format!(
            "the argument is not JSON: it is not UTF-8 text after byte {}",
            error.valid_up_to()
        ))
    })?;
    let Err(error) = serde_json::from_str::<IgnoredAny>(text) else {
        return Ok(());
    };
    let line = text
        .lines()
        .nth(error.line().saturating_sub(1))
        .unwrap_or_default();
    Err(Failure::Usage(format!(
        "the argument is not JSON: {error}{}",
        marked(line, error.column())
    )))
}

/// The line with a mark under its column (in bytes, from 1); nothing for an empty line.
fn marked(line: &str, column: usize) -> String {
    const AROUND: usize = 30;
    if line.is_empty() {
        return String::new();
    }
    let at = line.floor_char_boundary(column.saturating_sub(1));
    let start = line.floor_char_boundary(at.saturating_sub(AROUND));
    let end = line.ceil_char_boundary((at + AROUND).min(line.len()));
    let blanks = " ".repeat(line[start..at].chars().count());
    format!("\n  {}\n  {blanks}^", &line[start..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(target: &str, function: Option<&str>, json: Option<&str>) -> Result<Called, String> {
        let arguments = CalledArguments {
            target: target.to_owned(),
            function: function.map(str::to_owned),
            argument: json.map(str::to_owned),
        };
        let target = Target::parse(target).expect("a good target");
        arguments.resolve(&target).map_err(|failure| match failure {
            Failure::Usage(message) => message,
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn a_function_comes_from_the_target_or_after_it() {
        let expected = Called {
            function: "hypot".into(),
            argument: Some(b"[3,4]".to_vec()),
        };
        assert_eq!(
            called("math:hypot", Some("[3,4]"), None).as_ref(),
            Ok(&expected)
        );
        assert_eq!(
            called("math", Some("hypot"), Some("[3,4]")).as_ref(),
            Ok(&expected)
        );
        assert_eq!(
            called("worker.py", Some("now"), None),
            Ok(Called {
                function: "now".into(),
                argument: None
            })
        );
    }

    #[test]
    fn a_function_too_many_or_too_few_is_said() {
        assert_eq!(
            called("math:hypot", Some("hypot"), Some("[3,4]")),
            Err(
                "the target math:hypot names the function hypot already: leave FUNCTION out"
                    .to_owned()
            )
        );
        assert_eq!(
            called("worker.py", None, None),
            Err("name the function to call after the target; `pyproc list worker.py` shows what there is".to_owned())
        );
    }

    #[test]
    fn malformed_json_is_shown_with_its_place() {
        assert_eq!(
            called("math:hypot", Some("[3 4]"), None),
            Err(
                "the argument is not JSON: expected `,` or `]` at line 1 column 4\n  [3 4]\n     ^"
                    .to_owned()
            )
        );
        assert_eq!(
            called("math:hypot", Some(""), None),
            Err(
                "the argument is not JSON: EOF while parsing a value at line 1 column 0".to_owned()
            )
        );
        assert_eq!(
            called("math:hypot", Some("{\n \"größe\": nan}"), None),
            Err("the argument is not JSON: expected ident at line 2 column 14\n   \"größe\": nan}\n             ^".to_owned())
        );
    }
}
