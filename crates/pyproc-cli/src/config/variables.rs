//! The variables `PYPROC_…`, one for every key but `env`.

use std::ffi::{OsStr, OsString};

use super::given::{Entries, Name, Source};
use super::keys::{key, keys};
use super::problem::Problem;
use super::read;

/// Names the configuration file.
pub(crate) const FILE: &str = "PYPROC_CONFIG";

/// Where every program with OpenTelemetry sends traces, if nothing else is said; the first one wins.
const OTLP_ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];

/// Variables of pyproc that are no keys: the file, and what a pool sets for its workers.
const OTHERS: [&str; 2] = [FILE, "PYPROC_CONTROL_FD"];

/// What the variables say.
#[derive(Default)]
pub(crate) struct Variables {
    pub(crate) entries: Entries,
    /// The configuration file.
    pub(crate) file: Option<String>,
    /// OpenTelemetry's own endpoint for traces: no key's value, but what is in force without one.
    pub(crate) endpoint: Option<(String, Source)>,
    pub(crate) problems: Vec<Problem>,
    /// Sentences about variables that mean nothing.
    pub(crate) warnings: Vec<String>,
}

/// Looks through all variables of a process. An empty one is as one that is not set.
pub(crate) fn read(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Variables {
    let mut found = Variables::default();
    let mut variables: Vec<(String, OsString)> = variables
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .collect();
    variables.sort();
    found.endpoint = OTLP_ENDPOINTS.iter().find_map(|wanted| {
        let (name, value) = variables.iter().find(|(name, _)| name == wanted)?;
        Some((value.to_str()?.to_owned(), Source::Variable(name.clone())))
    });
    for (name, value) in variables {
        let Some(ours) = name.strip_prefix("PYPROC_") else {
            continue;
        };
        let wanted = key(&ours.to_lowercase()).filter(|key| key.variable.as_ref() == Some(&name));
        let is_file = name == FILE;
        if wanted.is_none() && !is_file {
            if !OTHERS.contains(&name.as_str()) && !is_of_kubernetes(ours, &value) {
                found.warnings.push(unknown(&name));
            }
            continue;
        }
        let source = Source::Variable(name);
        let Ok(text) = value.into_string() else {
            found.problems.push(Problem {
                source,
                sentence: "the value is not UTF-8 text".to_owned(),
            });
            continue;
        };
        match wanted {
            Some(key) => {
                let given = read::from_text(&key.kind, &text, &source);
                let text = key.name.to_owned();
                found.entries.push((Name { text, source }, given));
            }
            None => found.file = Some(text),
        }
    }
    found
}

/// Kubernetes sets these for a Service that is named `pyproc`, or `pyproc-` and something.
fn is_of_kubernetes(name: &str, value: &OsStr) -> bool {
    let is_address = || {
        let value = value.to_string_lossy();
        ["tcp://", "udp://", "sctp://"]
            .iter()
            .any(|scheme| value.starts_with(scheme))
    };
    let is_number = |parts: Option<(&str, &str)>| {
        parts.is_some_and(|(_, rest)| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    name.starts_with("PORT")
        || name.starts_with("SERVICE_")
        || name.contains("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || is_number(name.split_once("_PORT_"))
        || (name.ends_with("_PORT") && is_address())
}

fn unknown(name: &str) -> String {
    // What all of them begin with would make all of them alike.
    const PREFIX: &str = "PYPROC_";
    let variables = keys().iter().filter_map(|key| key.variable.as_deref());
    let mut names: Vec<String> = variables
        .chain([FILE])
        .map(|name| name.trim_start_matches(PREFIX).to_owned())
        .collect();
    names.sort();
    let nearest = match pyproc::nearest(name.trim_start_matches(PREFIX), &names) {
        Some(nearest) => format!("; did you mean {PREFIX}{nearest}?"),
        None => String::new(),
    };
    format!("{name} is no variable of pyproc{nearest}")
}
