//! The keys of `PoolConfig`: their meaning is what its comments say, their defaults are what it
//! gives, their bounds are what it answers to values beyond them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pyproc::PoolConfig;
use regex::Regex;
use serde_json::{Map, Value, json};
use syn::Type;

use super::{rows, source};

/// What a key holds, by the type of its field.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Number,
    Duration,
    Size,
    Other(&'static str),
}

pub(super) fn table() -> Result<String> {
    let defaults = serde_json::to_value(PoolConfig::default())?;
    let mut table = Vec::new();
    for field in source::fields("config/mod.rs", "PoolConfig")? {
        let key = field.name.as_str();
        let kind = kind(field.kind.as_ref()).with_context(|| format!("the type of `{key}`"))?;
        let comment = Comment::read(&field.paragraphs)?;
        let bounds = bounds(key, kind)?;
        if let (Some(said), Some(found)) = (&comment.bounds, &bounds) {
            check(key, kind, said, found)?;
        }
        ensure!(
            comment.bounds.is_some() == bounds.is_some(),
            "`{key}`: its comment says the bounds {:?}, the code has {bounds:?}",
            comment.bounds
        );
        let default = match defaults.get(key) {
            Some(value) if comment.default.is_some() && !empty(value) => {
                let said = comment.default.as_deref().unwrap_or_default();
                ensure!(
                    same(kind, said, &shown(value)),
                    "`{key}`: its comment says the default {said}, the code has {value}"
                );
                format!("`{}`", shown(value))
            }
            _ => comment
                .default
                .unwrap_or_else(|| "none: it must be given".to_owned()),
        };
        let unit = match kind {
            Kind::Number => "number",
            Kind::Duration => "duration",
            Kind::Size => "size",
            Kind::Other(unit) => unit,
        };
        let bounds = bounds.map_or("–".to_owned(), |(least, most)| {
            format!("`{least}` to `{most}`")
        });
        table.push(vec![
            format!("`{key}`"),
            comment.meaning,
            unit.to_owned(),
            default,
            bounds,
        ]);
    }
    Ok(rows(
        &["Key", "Meaning", "Unit", "Default", "Bounds"],
        table,
    ))
}

fn kind(field: Option<&Type>) -> Option<Kind> {
    let Some(Type::Path(path)) = field else {
        return None;
    };
    let segments: Vec<String> = path
        .path
        .segments
        .iter()
        .map(|part| part.ident.to_string())
        .collect();
    let name = segments.last()?.as_str();
    Some(match name {
        "u32" => Kind::Number,
        "Span" => Kind::Duration,
        "Size" => Kind::Size,
        "String" => Kind::Other("text"),
        "Vec" => Kind::Other("list of text"),
        "Environment" => Kind::Other("table of text"),
        "bool" => Kind::Other("true or false"),
        "Option" => {
            let syn::PathArguments::AngleBracketed(inner) = &path.path.segments.last()?.arguments
            else {
                return None;
            };
            let syn::GenericArgument::Type(Type::Path(inner)) = inner.args.first()? else {
                return None;
            };
            match inner.path.segments.last()?.ident.to_string().as_str() {
                "PathBuf" => Kind::Other("path"),
                _ => return kind(Some(&Type::Path(inner.clone()))),
            }
        }
        _ => return None,
    })
}

/// A field's comment, taken apart.
struct Comment {
    meaning: String,
    default: Option<String>,
    bounds: Option<(String, String)>,
}

impl Comment {
    fn read(paragraphs: &[String]) -> Result<Self> {
        let mut text = paragraphs.join(" ");
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

/// The bounds of a key, as `resolve` says them to values beyond them.
fn bounds(key: &str, kind: Kind) -> Result<Option<(String, String)>> {
    let beyond = match kind {
        Kind::Number => json!(u32::MAX),
        Kind::Duration => json!("100000years"),
        Kind::Size => json!("1000PiB"),
        Kind::Other(_) => return Ok(None),
    };
    let mut config = Map::new();
    config.insert("target".into(), json!("worker.py"));
    config.insert(key.into(), beyond);
    let config: PoolConfig = serde_json::from_value(Value::Object(config))?;
    let problems = config
        .resolve()
        .err()
        .with_context(|| format!("`{key}` has no bounds"))?;
    let pattern = Regex::new(r"it must be from (.+) to (.+)$")?;
    let found = problems
        .problems()
        .iter()
        .filter(|problem| problem.key == key)
        .find_map(|problem| pattern.captures(&problem.message))
        .with_context(|| format!("`{key}` is refused without its bounds: {problems}"))?;
    Ok(Some((found[1].to_owned(), found[2].to_owned())))
}

fn check(key: &str, kind: Kind, said: &(String, String), found: &(String, String)) -> Result<()> {
    // A bound that is another key's value.
    let least = said.0.starts_with('`') || same(kind, &said.0, &found.0);
    ensure!(
        least && same(kind, &said.1, &found.1),
        "`{key}`: its comment says {} to {}, the code has {} to {}",
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

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
