//! Every key of the configuration and what is known about it: its schema, its flag, its variable.
//!
//! All of it comes from the schema of the two structs, so that nothing can drift from them.

use std::sync::LazyLock;

use pyproc::{PoolConfig, Size, Span};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::gateway::GatewayConfig;

/// The keys in the order in which they are shown, under headings.
pub(crate) const GROUPS: [(&str, &[&str]); 8] = [
    (
        "Workers",
        &[
            "target",
            "args",
            "env",
            "python",
            "working_dir",
            "workers",
            "name",
        ],
    ),
    (
        "Listening",
        &[
            "listen",
            "metrics_listen",
            "token_file",
            "allow_unauthenticated",
            "threads",
        ],
    ),
    (
        "Calls",
        &[
            "timeout",
            "grace",
            "queue",
            "max_concurrency",
            "max_attempts",
            "show_tracebacks",
        ],
    ),
    (
        "Requests",
        &[
            "max_connections",
            "max_request_body",
            "request_memory",
            "max_headers",
            "max_header_bytes",
            "header_timeout",
            "body_timeout",
            "idle_timeout",
        ],
    ),
    (
        "Starting and stopping",
        &[
            "start_timeout",
            "shutdown_delay",
            "shutdown_timeout",
            "restart_backoff_initial",
            "restart_backoff_max",
        ],
    ),
    (
        "Memory and speed",
        &["max_body", "ring", "segment_memory", "segment_idle", "spin"],
    ),
    (
        "Cloud identity",
        &["no_static_credentials", "wait_for_identity"],
    ),
    ("Logs and traces", &["log", "log_filter", "otlp_endpoint"]),
];

/// What is known about a key.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The flag, without its dashes. `target` and `args` stand on the command line without one.
    pub(crate) flag: Option<String>,
    /// The variable. A table has none: its names would be lost in it.
    pub(crate) variable: Option<String>,
    /// The heading that it stands under.
    pub(crate) group: &'static str,
    /// What it is, with its default and bounds, in one paragraph.
    pub(crate) summary: String,
    /// Whether it is one of the pool's.
    pub(crate) is_pool: bool,
}

/// What a key holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// A whole number within bounds.
    Number {
        least: u32,
        most: u32,
    },
    /// Text with a unit of time.
    Duration,
    /// Text with a unit of bytes.
    Size,
    Text,
    /// One of some words.
    Choice(Vec<String>),
    TrueOrFalse,
    ListOfText,
    TableOfText,
}

impl Key {
    /// How the key is given on the command line.
    pub(crate) fn on_command_line(&self) -> String {
        match &self.flag {
            Some(flag) => format!("--{flag}"),
            None if self.name == "args" => "-- ARGS".to_owned(),
            None => self.name.to_uppercase(),
        }
    }
}

/// Every key, in the order of [`GROUPS`].
pub(crate) fn keys() -> &'static [Key] {
    static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
        let (pool, gateway) = (properties::<PoolConfig>(), properties::<GatewayConfig>());
        let mut keys = Vec::new();
        for (group, names) in GROUPS {
            for &name in names {
                let is_pool = pool.contains_key(name);
                let property = pool.get(name).or_else(|| gateway.get(name));
                // A test sees that there is none without.
                let Some(property) = property else { continue };
                let description = property["description"].as_str().unwrap_or_default();
                let kind = kind(property);
                let has_flag = !["target", "args"].contains(&name);
                let has_variable = kind != Kind::TableOfText;
                keys.push(Key {
                    name,
                    kind,
                    flag: has_flag.then(|| name.replace('_', "-")),
                    variable: has_variable.then(|| format!("PYPROC_{}", name.to_uppercase())),
                    group,
                    summary: description
                        .split("\n\n")
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                    is_pool,
                });
            }
        }
        keys
    });
    &KEYS
}

/// The key of this name.
pub(crate) fn key(name: &str) -> Option<&'static Key> {
    keys().iter().find(|key| key.name == name)
}

/// The JSON schema of the configuration, draft 7, as Helm wants it too.
pub(crate) fn schema() -> Value {
    let mut properties =
        [properties::<PoolConfig>(), properties::<GatewayConfig>()].map(Map::into_iter);
    let [pool, gateway] = &mut properties;
    let mut properties: Map<String, Value> = pool.chain(gateway).collect();
    for key in keys() {
        properties[key.name]["x-part"] = if key.is_pool { "pool" } else { "gateway" }.into();
        properties[key.name]["x-command-line"] = key.on_command_line().into();
        if let Some(variable) = &key.variable {
            properties[key.name]["x-variable"] = variable.as_str().into();
        }
    }
    let groups: Vec<Value> = GROUPS
        .iter()
        .map(|(title, keys)| json!({"title": title, "keys": keys}))
        .collect();
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Configuration of pyproc serve",
        "description": "Flags win over variables, variables over the file, the file over defaults. \
                        Durations and sizes are text with a unit; x-minimum and x-maximum are their bounds.",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "x-groups": groups,
    })
}

/// The keys of a struct, each with its schema: self-contained, for values that are there.
fn properties<T: JsonSchema>() -> Map<String, Value> {
    let schema = generator().into_root_schema_for::<T>();
    let properties = schema.get("properties").and_then(Value::as_object).cloned();
    let mut properties = properties.unwrap_or_default();
    for property in properties.values_mut().filter_map(Value::as_object_mut) {
        // A key without a value is left out, in every format and by Helm.
        if let Some(Value::Array(types)) = property.get("type") {
            let given = types.iter().find(|&kind| kind != "null").cloned();
            property.insert("type".to_owned(), given.unwrap_or_default());
        }
        property.retain(|word, value| word != "format" && !(word == "default" && value.is_null()));
        if let Some(Value::String(description)) = property.get_mut("description") {
            *description = plain(description);
        }
    }
    properties
}

fn generator() -> SchemaGenerator {
    let inlined = |settings: &mut SchemaSettings| settings.inline_subschemas = true;
    SchemaSettings::draft07().with(inlined).into_generator()
}

fn kind(property: &Value) -> Kind {
    let like = |quantity: schemars::Schema| {
        property.get("pattern").is_some() && property.get("pattern") == quantity.get("pattern")
    };
    let bound = |word: &str| {
        let bound = property.get(word).and_then(Value::as_u64);
        bound.and_then(|bound| u32::try_from(bound).ok())
    };
    let words = property.get("enum").and_then(Value::as_array);
    if let Some(words) = words {
        let words = words.iter().filter_map(Value::as_str).map(str::to_owned);
        return Kind::Choice(words.collect());
    }
    match property["type"].as_str() {
        Some("integer") => Kind::Number {
            least: bound("minimum").unwrap_or(0),
            most: bound("maximum").unwrap_or(u32::MAX),
        },
        Some("boolean") => Kind::TrueOrFalse,
        Some("array") => Kind::ListOfText,
        Some("object") => Kind::TableOfText,
        _ if like(generator().into_root_schema_for::<Span>()) => Kind::Duration,
        _ if like(generator().into_root_schema_for::<Size>()) => Kind::Size,
        _ => Kind::Text,
    }
}

/// A comment as people read it outside of Rust: paragraphs on one line each, links as their text.
fn plain(comment: &str) -> String {
    let paragraphs = comment.split("\n\n").map(|paragraph| {
        let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut plain = String::new();
        let mut rest = line.as_str();
        while let Some((before, after)) = rest.split_once("[`") {
            let link = after.split_once("`](").and_then(|(name, after)| {
                let (_, after) = after.split_once(')')?;
                Some((name, after))
            });
            let Some((name, after)) = link else { break };
            plain.push_str(&format!("{before}`{name}`"));
            rest = after;
        }
        plain + rest
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_stands_under_one_heading() {
        let mut grouped: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, keys)| keys.iter().copied())
            .collect();
        grouped.sort_unstable();
        let schema = schema();
        let properties = schema["properties"].as_object().expect("an object");
        let mut known: Vec<&str> = properties.keys().map(String::as_str).collect();
        known.sort_unstable();
        assert_eq!(grouped, known);
        assert_eq!(keys().len(), properties.len());
    }

    #[test]
    fn every_key_is_described_and_typed() {
        let schema = schema();
        for (key, property) in schema["properties"].as_object().expect("an object") {
            let text = |word: &str| property[word].as_str().unwrap_or_default();
            assert!(!text("description").is_empty(), "{key}");
            assert!(!text("description").contains("[`"), "{key}: {property}");
            assert!(!text("type").is_empty(), "{key}: {property}");
            assert!(property.get("$ref").is_none(), "{key}: {property}");
            match &super::key(key).expect("a key").kind {
                Kind::Number { least, most } => {
                    assert_eq!(property["minimum"], *least, "{key}");
                    assert_eq!(property["maximum"], *most, "{key}");
                }
                Kind::Duration | Kind::Size => {
                    assert!(property["x-minimum"].is_string() && property["x-maximum"].is_string());
                    assert!(property["examples"].is_array());
                }
                Kind::Choice(words) => assert_eq!(words.join(" "), "pretty json"),
                _ => {}
            }
        }
        assert_eq!(schema["properties"]["workers"]["type"], "integer");
        assert_eq!(schema["properties"]["max_body"]["default"], "1GiB");
        assert_eq!(
            schema["properties"]["env"]["additionalProperties"]["type"],
            "string"
        );
        assert!(schema["properties"]["token_file"].get("default").is_none());
    }

    #[test]
    fn comments_are_read_outside_of_rust() {
        assert_eq!(
            plain("Refused with\n[`A::B`](crate::A::B), and\n`c`.\n\nSecond [`D`](d)."),
            "Refused with `A::B`, and `c`.\n\nSecond `D`."
        );
    }
}
