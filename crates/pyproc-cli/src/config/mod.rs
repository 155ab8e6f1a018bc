//! The program's configuration: every key of a pool and the gateway's own, from flags over variables over
//! a file over defaults.
//!
//! Each source gives [`given::Entries`], names and values with their places. [`load`] lays them over each
//! other, has [`read`] see that each value is of its key's kind, and [`resolve`] that it makes sense. What is
//! wrong is reported all at once. What is known about keys comes from the structs' schema ([`keys`]).

mod file;
pub(crate) mod flags;
pub(crate) mod gateway;
mod given;
pub(crate) mod keys;
mod problem;
mod read;
mod resolve;
mod show;
#[cfg(test)]
mod tests;
mod variables;

use std::collections::BTreeMap;

use pyproc::PoolConfig;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::log;
use crate::serve::settings::Settings;
use flags::Flags;
use gateway::GatewayConfig;
use given::{Data, Entries, Given, Source};
use keys::keys;
use problem::{Problem, Problems};
use variables::Variables;

pub(crate) use show::Format;

/// Everything that can be configured, as plain data: flat, as it stands in a file.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Config {
    #[serde(flatten)]
    pub(crate) pool: PoolConfig,
    #[serde(flatten)]
    pub(crate) gateway: GatewayConfig,
}

/// The configuration that is in force.
#[derive(Debug)]
pub(crate) struct Effective {
    pub(crate) config: Config,
    pub(crate) settings: Settings,
    /// Where keys and their parts (`env.NAME`, `args[0]`) came from; the others are defaults.
    sources: BTreeMap<String, Source>,
    /// What OpenTelemetry's own variables say, where `otlp_endpoint` says nothing.
    endpoint: Option<(String, Source)>,
    warnings: Vec<String>,
}

impl Effective {
    /// Where a key or a part of one came from.
    pub(crate) fn source(&self, key: &str) -> &Source {
        match (&self.endpoint, &self.config.gateway.otlp_endpoint) {
            (Some((_, source)), None) if key == "otlp_endpoint" => source,
            _ => source(&self.sources, key),
        }
    }

    /// Says on stderr what was found that is no error.
    pub(crate) fn warn(&self) {
        for warning in &self.warnings {
            if log::is_json() {
                tracing::warn!("{warning}");
            } else {
                log::say(&format!("warning: {warning}"));
            }
        }
    }
}

/// The configuration of these flags, this process' variables and the file that one of them names.
pub(crate) fn load(flags: Flags) -> Result<Effective, Problems> {
    combine(flags, variables::read(std::env::vars_os()))
}

fn combine(flags: Flags, variables: Variables) -> Result<Effective, Problems> {
    let file = match (&flags.file, &variables.file) {
        (Some(path), _) => file::read(path, &Flags::file_source())?,
        (None, Some(path)) => file::read(path, &Source::Variable(variables::FILE.to_owned()))?,
        (None, None) => Entries::new(),
    };
    let mut problems = [flags.problems, variables.problems].concat();
    let mut given = BTreeMap::new();
    for entries in [file, variables.entries, flags.entries] {
        lay_over(&mut given, entries, &mut problems);
    }

    let mut sources = BTreeMap::new();
    let mut unread = Vec::new();
    let (mut pool, mut gateway) = (Map::new(), Map::new());
    for key in keys() {
        let Some(given) = given.remove(key.name) else {
            continue;
        };
        match read::read(key, given, &mut sources) {
            Ok(value) => {
                let part = if key.is_pool { &mut pool } else { &mut gateway };
                part.insert(key.name.to_owned(), value);
            }
            Err(found) => {
                unread.push(key.name);
                problems.extend(found);
            }
        }
    }
    let config = Config {
        pool: data(pool, &mut problems),
        gateway: data(gateway, &mut problems),
    };
    match resolve::resolve(&config) {
        Ok(settings) => {
            Problems::check(problems)?;
            Ok(Effective {
                config,
                settings,
                sources,
                endpoint: variables.endpoint,
                warnings: variables.warnings,
            })
        }
        Err(found) => {
            for (key, message) in found {
                let source = source(&sources, &key);
                // A key whose value could not be read has its default only for the others' sake.
                if !unread.contains(&whole(&key)) {
                    problems.push(Problem::of(&key, source, message));
                }
            }
            Err(Problems::check(problems).expect_err("there was one at least"))
        }
    }
}

/// Where a key or a part of one came from: a part that has no place has that of its key.
fn source<'s>(sources: &'s BTreeMap<String, Source>, key: &str) -> &'s Source {
    sources
        .get(key)
        .or_else(|| sources.get(whole(key)))
        .unwrap_or(&Source::Default)
}

/// The key of which this may be a part.
fn whole(key: &str) -> &str {
    key.split(['.', '[']).next().unwrap_or_default()
}

/// Puts what one source says over what those before it said. Tables grow, everything else is replaced.
fn lay_over(
    given: &mut BTreeMap<&'static str, Given>,
    entries: Entries,
    problems: &mut Vec<Problem>,
) {
    for (name, value) in entries {
        let Some(key) = keys::key(&name.text) else {
            problems.push(unknown(&name));
            continue;
        };
        match (given.get_mut(key.name), value) {
            (
                Some(Given {
                    data: Data::Table(table),
                    source,
                }),
                Given {
                    data: Data::Table(more),
                    source: over,
                },
            ) => {
                *source = over;
                for (name, value) in more {
                    table.retain(|(known, _)| known.text != name.text);
                    table.push((name, value));
                }
            }
            (_, value) => {
                given.insert(key.name, value);
            }
        }
    }
}

fn unknown(name: &given::Name) -> Problem {
    let names: Vec<String> = keys().iter().map(|key| key.name.to_owned()).collect();
    let nearest = match pyproc::nearest(&name.text, &names) {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        None => "; `pyproc config` shows those that there are".to_owned(),
    };
    Problem::of(
        &name.text,
        &name.source,
        format!("is no key of the configuration{nearest}"),
    )
}

/// The keys as plain data, whose kinds are right.
fn data<T: Default + DeserializeOwned>(keys: Map<String, Value>, problems: &mut Vec<Problem>) -> T {
    serde_json::from_value(Value::Object(keys)).unwrap_or_else(|error| {
        problems.push(Problem {
            source: Source::Default,
            sentence: error.to_string(),
        });
        T::default()
    })
}
