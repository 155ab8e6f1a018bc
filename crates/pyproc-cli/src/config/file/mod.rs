//! The configuration file: TOML, YAML or JSON by its extension, with the place of every value.

mod json;
mod toml;
mod yaml;

use std::io::ErrorKind;
use std::path::Path;
use std::rc::Rc;

use super::given::{Data, Entries, Given, Source};
use super::problem::{Problem, Problems};

/// Reads a file; `named_by` is the flag or the variable that named it.
pub(crate) fn read(path: &str, named_by: &Source) -> Result<Entries, Problems> {
    let problem = |sentence: String| Problem {
        source: named_by.clone(),
        sentence,
    };
    let extension = Path::new(path).extension().and_then(|it| it.to_str());
    let parse = match extension {
        Some("toml") => toml::parse,
        Some("yaml" | "yml") => yaml::parse,
        Some("json") => json::parse,
        _ => {
            return Err(problem(format!(
                "{path} is no configuration file by its name; it must end in .toml, .yaml, .yml or .json"
            ))
            .into());
        }
    };
    let text = std::fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => problem(format!("there is no configuration file {path}")),
        _ => problem(format!(
            "the configuration file {path} cannot be read: {error}"
        )),
    })?;
    let text = String::from_utf8(text).map_err(|error| {
        problem(format!(
            "the configuration file {path} is not UTF-8 text: {error}"
        ))
    })?;
    let file = File {
        path: path.into(),
        text: text.strip_prefix('\u{feff}').unwrap_or(&text),
    };
    let root = parse(&file)?;
    match root.data {
        Data::Table(entries) => Ok(entries),
        // Comments alone.
        Data::Nothing => Ok(Entries::new()),
        other => Err(Problem {
            source: root.source,
            sentence: format!("a configuration is a table of keys, and this is {other}"),
        }
        .into()),
    }
}

/// A file that is being read.
struct File<'t> {
    path: Rc<str>,
    text: &'t str,
}

impl File<'_> {
    /// The place of a byte.
    fn place(&self, offset: usize) -> Source {
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        self.at(
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
    }

    fn at(&self, line: usize, column: usize) -> Source {
        Source::File {
            path: Rc::clone(&self.path),
            line,
            column,
        }
    }

    fn given(&self, offset: usize, data: Data) -> Given {
        Given {
            data,
            source: self.place(offset),
        }
    }
}
