//! `/openapi.json`: what the gateway answers, as an OpenAPI 3.1 document, from what its functions say of
//! themselves.

mod bodies;
mod components;
mod responses;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pyproc::FunctionInfo;
use serde_json::{Map, Value, json};

use super::call;
use crate::schema::Schema;
use bodies::{request_body, result};
use components::Components;
use responses::{call_responses, responses};

/// What stays as it is in the path of a function.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'-')
    .remove(b'.')
    .remove(b'~');

/// Describes a gateway.
pub(super) fn document(functions: &[FunctionInfo], target: &str, token: bool) -> Value {
    let mut components = Components::default();
    let mut paths = Map::new();
    for function in functions {
        let name = utf8_percent_encode(&function.name, PATH);
        paths.insert(
            format!("{}{name}", call::PREFIX),
            json!({"post": operation(function, &mut components, token)}),
        );
    }
    for (path, item) in own_paths(token) {
        paths.insert(path.to_owned(), item);
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": target,
            "description": "Python functions behind HTTP, by pyproc.",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "functions", "description": "Calls: the body becomes the arguments, the result the answer."},
            {"name": "gateway", "description": "What the gateway says of itself."},
        ],
        "paths": paths,
        "components": {
            "schemas": components.schemas(),
            "responses": responses::shared(),
            "parameters": parameters(),
            "headers": responses::headers(),
        },
    });
    if token {
        document["components"]["securitySchemes"] = json!({
            "token": {"type": "http", "scheme": "bearer", "description": "One of the tokens of `token_file`."},
        });
        document["security"] = json!([{"token": []}]);
    }
    document
}

/// Whether a function may return bytes, which are sent as they are to whoever takes that.
pub(super) fn may_give_bytes(function: &FunctionInfo) -> bool {
    bodies::may_be_bytes(&Schema::read(function.returns.as_deref(), "the result").value)
}

/// A call of one function.
fn operation(function: &FunctionInfo, components: &mut Components, token: bool) -> Value {
    let taken = Schema::read(function.parameters.as_deref(), "the body").value;
    let given = Schema::read(function.returns.as_deref(), "the result").value;
    let taken = request_body(taken, &mut |schema| components.take(schema, &function.name));
    let given = result(given, &mut |schema| components.take(schema, &function.name));
    let doc = function.doc.as_deref().unwrap_or_default();
    let summary = doc.lines().next().unwrap_or_default().trim();
    let mut about = vec![format!("`{}{}`", function.name, function.signature)];
    about.extend(Some(doc.to_owned()).filter(|doc| !doc.is_empty()));
    about.push(format!("Body: {}.", function.body_mapping));
    if let Some(timeout) = function.timeout {
        let limit = humantime::format_duration(timeout);
        about.push(format!("Time limit: {limit}."));
    }
    let mut operation = json!({
        "tags": ["functions"],
        "operationId": components.operation(&function.name),
        "description": about.join("\n\n"),
        "parameters": [
            {"$ref": "#/components/parameters/X-Request-Timeout"},
            {"$ref": "#/components/parameters/X-Request-Id"},
            {"$ref": "#/components/parameters/traceparent"},
        ],
        "requestBody": taken,
        "responses": call_responses(given, token),
    });
    if !summary.is_empty() {
        operation["summary"] = summary.into();
    }
    operation
}

/// The headers that a call may have.
fn parameters() -> Value {
    json!({
        "X-Request-Timeout": {
            "name": "X-Request-Timeout",
            "in": "header",
            "description": "How long the client waits, as a number with a unit; it can only shorten the function's own limit. Past it the answer is 504.",
            "schema": {"type": "string", "pattern": "^[1-9][0-9]{0,5}(ms|s|m)$"},
            "example": "10s",
        },
        "X-Request-Id": {
            "name": "X-Request-Id",
            "in": "header",
            "description": "The client's name for the request, in logs and in the answer. One that is longer than 128 characters or has others than visible ASCII is replaced.",
            "schema": {"type": "string"},
        },
        "traceparent": {
            "name": "traceparent",
            "in": "header",
            "description": "The trace (W3C Trace Context) that the call is part of.",
            "schema": {"type": "string"},
        },
    })
}

/// What there is beside calls.
fn own_paths(token: bool) -> [(&'static str, Value); 6] {
    let get = |id: &str, summary: &str, answers: Value, open: bool| {
        let problems: &[u16] = if open {
            &[400, 405, 431]
        } else {
            &[400, 401, 403, 405, 431]
        };
        let mut operation = json!({
            "tags": ["gateway"],
            "operationId": id,
            "summary": summary,
            "responses": responses(answers, problems, token),
        });
        if token && open {
            operation["security"] = json!([]);
        }
        json!({"get": operation})
    };
    let schema = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let json = |description: &str, schema: Value| {
        json!({
            "description": description,
            "headers": {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}},
            "content": {"application/json": {"schema": schema}},
        })
    };
    let probe = |yes: &str, no: Option<&str>| {
        let mut answers = json!({"200": json(yes, schema("Probe"))});
        if let Some(no) = no {
            answers["503"] = json(no, schema("Probe"));
        }
        answers
    };
    let not_ready = json!({"$ref": "#/components/responses/503"});
    [
        (
            "/v1/functions",
            get(
                "pyproc.functions",
                "The functions, with their schemas",
                json!({"200": json("What can be called.", json!({"type": "array", "items": schema("Function")})), "503": not_ready.clone()}),
                false,
            ),
        ),
        (
            "/v1/status",
            get(
                "pyproc.status",
                "Workers, calls, latencies and the last errors",
                json!({"200": json("How the gateway is.", schema("Status"))}),
                false,
            ),
        ),
        (
            "/openapi.json",
            get(
                "pyproc.openapi",
                "This document",
                json!({"200": json("An OpenAPI document.", json!({"type": "object"})), "503": not_ready}),
                false,
            ),
        ),
        (
            "/healthz",
            get(
                "pyproc.alive",
                "Whether the gateway runs",
                probe("It does.", None),
                true,
            ),
        ),
        (
            "/readyz",
            get(
                "pyproc.ready",
                "Whether calls have a chance now",
                probe("They have.", Some("They have not.")),
                true,
            ),
        ),
        (
            "/startupz",
            get(
                "pyproc.started",
                "Whether the workers have come up once",
                probe("They have.", Some("Not yet.")),
                true,
            ),
        ),
    ]
}

#[cfg(test)]
mod tests;
