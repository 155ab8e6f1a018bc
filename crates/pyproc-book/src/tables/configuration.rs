//! The keys of the configuration, from what `pyproc config schema` says: meanings are the comments of the
//! structs, defaults and bounds those of the code. Where a comment says a default or bounds, they must be
//! the same.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use regex::Regex;
use serde_json::Value;

use super::rows;

/// What a key holds.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Number,
    Duration,
    Size,
    Other(&'static str),
}

pub(super) fn table() -> Result<String> {
    let schema = schema()?;
    let mut table = Vec::new();
    for group in list(&schema["x-groups"]) {
        let title = text(&group["title"]);
        table.push(vec![
            format!("**{title}**"),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
        ]);
        for key in list(&group["keys"]).iter().map(text) {
            table.push(row(key, &schema["properties"][key]).with_context(|| format!("`{key}`"))?);
        }
    }
    let head = [
        "Key, flag, variable",
        "Meaning",
        "Unit",
        "Default",
        "Bounds",
    ];
    Ok(rows(&head, table))
}

/// What the program that was built last says of its configuration.
fn schema() -> Result<Value> {
    let program = std::env::current_exe()?;
    let program = program
        .ancestors()
        .map(|folder| folder.join("pyproc"))
        .find(|program| program.is_file())
        .unwrap_or_else(|| PathBuf::from("pyproc"));
    let output = Command::new(&program)
        .args(["config", "schema"])
        .output()
        .with_context(|| format!("{} does not run: `make build` makes it", program.display()))?;
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{} config schema: run `make build`", program.display()))
}

fn row(key: &str, property: &Value) -> Result<Vec<String>> {
    let kind = kind(property)?;
    let comment = Comment::read(text(&property["description"]))?;
    let bounds = bounds(property);
    if let (Some(said), Some(found)) = (&comment.bounds, &bounds) {
        check(kind, said, found)?;
    }
    ensure!(
        comment.bounds.is_some() == bounds.is_some(),
        "its comment says the bounds {:?}, the code has {bounds:?}",
        comment.bounds
    );
    let default = match property.get("default") {
        Some(value) if comment.default.is_some() && !empty(value) => {
            let said = comment.default.as_deref().unwrap_or_default();
            ensure!(
                same(kind, said, &shown(value)),
                "its comment says the default {said}, the code has {value}"
            );
            format!("`{}`", shown(value))
        }
        _ => comment
            .default
            .unwrap_or_else(|| "none: it must be given".to_owned()),
    };
    let names = [
        Some(key),
        Some(text(&property["x-command-line"])),
        property["x-variable"].as_str(),
    ];
    let names: Vec<String> = names
        .iter()
        .flatten()
        .map(|name| format!("`{name}`"))
        .collect();
    let part = match text(&property["x-part"]) {
        "gateway" => "*Gateway.* ",
        _ => "",
    };
    let unit = match kind {
        Kind::Number => "number",
        Kind::Duration => "duration",
        Kind::Size => "size",
        Kind::Other(unit) => unit,
    };
    Ok(vec![
        names.join("<br>"),
        format!("{part}{}", comment.meaning),
        unit.to_owned(),
        default,
        bounds.map_or("–".to_owned(), |(least, most)| {
            format!("`{least}` to `{most}`")
        }),
    ])
}

fn kind(property: &Value) -> Result<Kind> {
    let example = property["examples"][0].as_str();
    Ok(match (text(&property["type"]), example) {
        ("integer", _) => Kind::Number,
        ("string", Some(example)) if span(example).is_some() => Kind::Duration,
        ("string", Some(example)) if size(example).is_some() => Kind::Size,
        ("string", None) => Kind::Other("text"),
        ("array", _) => Kind::Other("list of text"),
        ("object", _) => Kind::Other("table of text"),
        ("boolean", _) => Kind::Other("true or false"),
        (other, _) => bail!("no unit is known for {other}"),
    })
}

fn bounds(property: &Value) -> Option<(String, String)> {
    let bound = |number: &str, quantity: &str| {
        let bound = property.get(number).or_else(|| property.get(quantity));
        bound.map(shown)
    };
    Some((
        bound("minimum", "x-minimum")?,
        bound("maximum", "x-maximum")?,
    ))
}

/// A field's comment, taken apart.
struct Comment {
    meaning: String,
    default: Option<String>,
    bounds: Option<(String, String)>,
}

impl Comment {
    fn read(description: &str) -> Result<Self> {
        let mut text = description.replace("\n\n", " ");
        let mut take = |pattern: &str, with: &str| -> Result<Option<(String, String)>> {
            let pattern = Regex::new(pattern)?;
            let Some(found) = pattern.captures(&text) else {
                return Ok(None);
            };
            let part = |number| {
                found
                    .get(number)
                    .map_or("", |part| part.as_str())
                    .trim()
                    .to_owned()
            };
            let parts = (part(1), part(2));
            text = pattern.replace(&text, with).trim().to_owned();
            Ok(Some(parts))
        };
        let default =
            take(r"\s*Default: ([^.]*(?:\.[^ ][^.]*)*)\.", "")?.map(|(default, _)| default);
        take(r"\s*No default\.", "")?;
        let bounds = take(
            r", (`\w+`|[\d,]+(?: [a-zA-Zµ]+)?) to ([\d,]+(?: [a-zA-Zµ]+)?)([.,])",
            "$3",
        )?;
        Ok(Self {
            meaning: text,
            default,
            bounds,
        })
    }
}

fn check(kind: Kind, said: &(String, String), found: &(String, String)) -> Result<()> {
    // A bound that is another key's value; and nothing needs no unit.
    let least = said.0.starts_with('`')
        || same(kind, &said.0, &found.0)
        || (said.0 == "0" && same(kind, "0 s", &found.0));
    ensure!(
        least && same(kind, &said.1, &found.1),
        "its comment says {} to {}, the code has {} to {}",
        said.0,
        said.1,
        found.0,
        found.1
    );
    Ok(())
}

/// Whether two texts are the same value.
fn same(kind: Kind, one: &str, other: &str) -> bool {
    match kind {
        Kind::Number => one.replace(',', "") == other.replace(',', ""),
        Kind::Duration => span(one).is_some() && span(one) == span(other),
        Kind::Size => size(one).is_some() && size(one) == size(other),
        Kind::Other(_) => one == other,
    }
}

fn span(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok()
}

fn size(text: &str) -> Option<u64> {
    text.parse()
        .ok()
        .map(|size: bytesize::ByteSize| size.as_u64())
}

fn empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(table) => table.is_empty(),
        _ => false,
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
