//! `pyproc config`: what is in force and where it came from, for people, for scripts, or as a file.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::given::Source;
use super::keys::{Key, keys, schema};
use super::{Config, Effective, load};
use crate::args::{ConfigArguments, ConfigCommand};
use crate::failure::Failure;
use crate::output;

impl ConfigArguments {
    /// Prints what was asked for.
    pub(crate) fn run(self) -> Result<(), Failure> {
        if let Some(ConfigCommand::Schema) = self.command {
            return output::json(&schema());
        }
        let effective = load(self.flags)?;
        effective.warn();
        match self.format {
            Some(format) => output::text(&effective.config.to_file(format)?),
            None if self.json => output::json(&effective.json()),
            None => output::text(&effective.table()),
        }
    }
}

/// A format of configuration files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    Toml,
    Yaml,
    Json,
}

/// Stands where a value may be secret.
const HIDDEN: &str = "…";

impl Effective {
    /// Every key, its value and its source in aligned columns; the keys' groups apart.
    pub(crate) fn table(&self) -> String {
        let rows = self.rows();
        let width = |column: fn(&Row) -> &str| {
            let widths = rows.iter().map(|row| column(row).chars().count());
            // A long value pushes aside its own source alone.
            widths
                .filter(|width| *width <= 40)
                .max()
                .unwrap_or_default()
        };
        let (key_width, value_width) = (width(|row| &row.key), width(|row| &row.value));
        let mut table = String::new();
        let mut group = None;
        for row in &rows {
            if group.is_some_and(|group| group != row.group) {
                table.push('\n');
            }
            group = Some(row.group);
            let (key, value, source) = (&row.key, &row.value, &row.source);
            table.push_str(&format!(
                "{key:key_width$}  {value:value_width$}  {source}\n"
            ));
        }
        table
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (key, value) in self.config.values() {
            let mut row = |name: String, value: String| {
                let source = self.source(&name).clone();
                rows.push(Row {
                    group: key.group,
                    key: name,
                    value,
                    source,
                });
            };
            match value {
                Some(Value::Object(table)) if !table.is_empty() => {
                    for name in table.keys() {
                        row(format!("{}.{name}", key.name), HIDDEN.to_owned());
                    }
                }
                Some(Value::String(text)) => row(key.name.to_owned(), text),
                Some(other) => row(key.name.to_owned(), other.to_string()),
                None => row(key.name.to_owned(), self.found(key.name)),
            }
        }
        rows
    }

    /// What a key comes to that was not given and whose default depends on other things.
    fn found(&self, key: &str) -> String {
        // It resolved before.
        let pool = self.config.pool.clone().resolve().ok();
        match (key, pool, &self.endpoint) {
            ("workers", Some(pool), _) => pool.workers.to_string(),
            ("name", Some(pool), _) => pool.name,
            ("otlp_endpoint", _, Some((endpoint, _))) => endpoint.clone(),
            _ => "-".to_owned(),
        }
    }

    /// Every key as an object of its value and its source; what may be secret is left out.
    pub(crate) fn json(&self) -> impl Serialize {
        let shown = self.config.values().into_iter().map(|(key, mut value)| {
            if let Some(Value::Object(table)) = &mut value {
                table.values_mut().for_each(|value| *value = HIDDEN.into());
            }
            let source = self.source(key.name);
            let (kind, place) = match source {
                Source::File { .. } => ("file", Some(source.to_string())),
                Source::Variable(_) => ("variable", Some(source.to_string())),
                Source::CommandLine(_) => ("command line", Some(source.to_string())),
                Source::Default => ("default", None),
            };
            (
                key.name,
                json!({"value": value, "source": kind, "place": place}),
            )
        });
        Ordered(shown.collect())
    }
}

struct Row {
    group: &'static str,
    key: String,
    value: String,
    source: Source,
}

impl Config {
    /// A file that says the same, secrets included.
    pub(crate) fn to_file(&self, format: Format) -> anyhow::Result<String> {
        let given = self.values().into_iter();
        let given = given.filter_map(|(key, value)| Some((key.name, value?)));
        let values = Ordered(given.collect());
        Ok(match format {
            Format::Toml => toml::to_string(&values)?,
            Format::Json => serde_json::to_string_pretty(&values)? + "\n",
            Format::Yaml => yaml(&values),
        })
    }

    /// Every key with its value; without one where it was not given and has no default of its own.
    fn values(&self) -> Vec<(&'static Key, Option<Value>)> {
        let mut values = match serde_json::to_value(self) {
            Ok(Value::Object(values)) => values,
            _ => Map::new(),
        };
        let keys = keys().iter();
        keys.map(|key| (key, values.remove(key.name))).collect()
    }
}

/// An object whose members keep their order.
struct Ordered(Vec<(&'static str, Value)>);

impl Serialize for Ordered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

/// Keys one below the other. JSON's scalars are YAML's, and quoted text is text whatever it says.
fn yaml(Ordered(values): &Ordered) -> String {
    let mut text = String::new();
    for (key, value) in values {
        match value {
            Value::Object(table) if !table.is_empty() => {
                text.push_str(&format!("{key}:\n"));
                for (name, value) in table {
                    text.push_str(&format!("  {}: {value}\n", Value::from(name.as_str())));
                }
            }
            value => text.push_str(&format!("{key}: {value}\n")),
        }
    }
    text
}
