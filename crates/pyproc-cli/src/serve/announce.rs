//! What the gateway tells whoever started it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pyproc::{FunctionInfo, Pool};
use serde_json::{Value, json};

use super::app::App;
use super::sample;
use super::settings::Listen;
use crate::log;
use crate::schema::Schema;

/// Says where it listens, what it serves, and how to try it.
pub(super) fn ready(app: &App, pool: &Pool, bound: &Listen, metrics: Option<&Listen>) {
    let functions = pool.functions();
    let names: Vec<&str> = functions.iter().map(|it| it.name.as_str()).collect();
    if log::is_json() {
        let (listen, metrics) = (address(bound), metrics.map(address));
        tracing::info!(listen, metrics, functions = names.join(", "), "listening");
        return;
    }
    log::say(&format!("Listening on {}", address(bound)));
    if let Some(metrics) = metrics {
        log::say(&format!("Metrics on {}/metrics", address(metrics)));
    }
    log::say(&format!("Functions: {}", names.join(", ")));
    if let Some(function) = functions.first() {
        let line = try_line(function, bound, app.tokens.is_some());
        log::say(&format!("Try: {line}"));
    }
}

fn address(listen: &Listen) -> String {
    match listen {
        Listen::Tcp(address) => format!("http://{address}"),
        Listen::Unix(_) => listen.to_string(),
    }
}

/// A command that calls a function.
fn try_line(function: &FunctionInfo, bound: &Listen, token: bool) -> String {
    let place = match bound {
        Listen::Tcp(address) if address.ip().is_unspecified() => {
            format!("http://127.0.0.1:{}", address.port())
        }
        Listen::Tcp(address) => format!("http://{address}"),
        Listen::Unix(path) => {
            let path = quoted(&path.to_string_lossy());
            format!("--unix-socket {path} http://localhost")
        }
    };
    let token = if token {
        " --header \"Authorization: Bearer $TOKEN\""
    } else {
        ""
    };
    let name = utf8_percent_encode(&function.name, NON_ALPHANUMERIC_BUT_MARKS);
    format!("curl{token} {} {place}/v1/call/{name}", body(function))
}

/// What stays as it is in a path that is shown.
const NON_ALPHANUMERIC_BUT_MARKS: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'_').remove(b'-').remove(b'.');

/// The part of the command that gives the argument: one that fits, as far as the schema says.
fn body(function: &FunctionInfo) -> String {
    let schema = Schema::read(function.parameters.as_deref(), "the body").value;
    if schema.get("contentMediaType").is_some() {
        return "--header 'Content-Type: application/octet-stream' --data-binary @FILE".to_owned();
    }
    match sample::of(&schema) {
        // Nothing is known about it; most functions that say nothing take an object.
        _ if schema == json!({}) => "--json '{}'".to_owned(),
        Value::Null => "--request POST".to_owned(),
        value => format!("--json {}", quoted(&value.to_string())),
    }
}

/// One word for a shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
