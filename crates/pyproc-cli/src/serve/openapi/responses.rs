//! Answers: every status that there can be, and what it means.

use serde_json::{Map, Value, json};

/// Every status of a request that has no result.
const PROBLEMS: [(u16, &str, &[&str]); 16] = [
    (400, "The body is malformed, or a header is.", &[]),
    (
        401,
        "A token is needed, or is not known.",
        &["WWW-Authenticate"],
    ),
    (
        403,
        "The request is for another host, or comes from a page of another site.",
        &[],
    ),
    (404, "There is no such function.", &[]),
    (405, "The path does not take this method.", &["Allow"]),
    (
        406,
        "The Accept header allows no type of answer that there is.",
        &[],
    ),
    (408, "The body came too slowly.", &[]),
    (413, "The body is too large.", &[]),
    (414, "The path is too long. The answer has no body.", &[]),
    (415, "The Content-Type is none that can be taken.", &[]),
    (
        422,
        "The body does not fit the function's parameters; `path`, `expected` and `got` say where and why.",
        &[],
    ),
    (
        431,
        "The head of the request is too large. The answer may have no body.",
        &[],
    ),
    (
        500,
        "The function raised an exception, or its result cannot be used.",
        &[],
    ),
    (
        502,
        "The worker died or broke the protocol while it had the call.",
        &[],
    ),
    (
        503,
        "Overloaded, not ready or shutting down; `may_have_run` says whether the function may have run.",
        &["Retry-After"],
    ),
    (504, "Time ran out: the client's, or the function's.", &[]),
];

/// The answers of a call.
pub(super) fn call_responses(result: Value, token: bool) -> Value {
    let every: Vec<u16> = PROBLEMS.iter().map(|(status, ..)| *status).collect();
    responses(json!({"200": result}), &every, token)
}

/// These answers and these problems, those that there can be.
pub(super) fn responses(mut answers: Value, problems: &[u16], token: bool) -> Value {
    // A token keeps out whom the browser's word would have to keep out.
    let other = if token { 403 } else { 401 };
    for status in problems.iter().filter(|status| **status != other) {
        let status = status.to_string();
        answers[&status] = json!({"$ref": format!("#/components/responses/{status}")});
    }
    answers
}

/// The problems, described once.
pub(super) fn shared() -> Map<String, Value> {
    let problems = PROBLEMS.iter().map(|(status, description, headers)| {
        let mut response = json!({
            "description": description,
            "headers": {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}},
        });
        for header in *headers {
            response["headers"][header] = json!({"$ref": format!("#/components/headers/{header}")});
        }
        if *status != 414 {
            response["content"] = json!({
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
            });
        }
        (status.to_string(), response)
    });
    problems.collect()
}

/// The headers of answers.
pub(super) fn headers() -> Value {
    let text =
        |description: &str| json!({"description": description, "schema": {"type": "string"}});
    json!({
        "X-Request-Id": text("The request's name in logs: the client's, or a new one."),
        "Retry-After": {
            "description": "When to try again, in seconds.",
            "schema": {"type": "integer", "minimum": 1},
        },
        "Allow": text("The methods that the path takes."),
        "WWW-Authenticate": text("`Bearer`."),
    })
}

/// What `/v1/status` answers, as far as clients may rely on it.
pub(super) fn status() -> Value {
    let count = json!({"type": "integer", "minimum": 0});
    let rate = json!({"type": "number", "minimum": 0});
    let latency = json!({
        "description": "Of the last minute; nothing without a call in it.",
        "type": ["object", "null"],
        "properties": {"p50": rate, "p90": rate, "p99": rate},
        "required": ["p50", "p90", "p99"],
    });
    let counted = json!({
        "calls": {"description": "Answered calls.", "type": "integer", "minimum": 0},
        "failed": {"description": "Those of them that were answered with 500 or above.", "type": "integer", "minimum": 0},
        "refused": {"description": "Those of them that were answered with 400 to 499.", "type": "integer", "minimum": 0},
        "abandoned": {"description": "Calls whose clients had gone before the answer.", "type": "integer", "minimum": 0},
        "per_second": {"description": "Answered calls a second, over the last five.", "type": "number", "minimum": 0},
        "latency_seconds": latency,
    });
    let mut function = counted.clone();
    function["name"] = json!({"type": "string"});
    let mut all = counted.clone();
    all["statuses"] = json!({"description": "Answered calls by status.", "type": "object", "additionalProperties": count});
    all["history"] = json!({
        "description": "The last sixty full seconds, the oldest first.",
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"calls": count, "failed": count},
            "required": ["calls", "failed"],
        },
    });
    json!({
        "title": "Status",
        "type": "object",
        "properties": {
            "version": {"type": "string"},
            "target": {"type": "string"},
            "phase": {"enum": ["starting", "serving", "stopping"]},
            "ready": {"type": "boolean"},
            "reason": {"type": ["string", "null"], "description": "Why it is not ready."},
            "time": {"type": "number", "description": "Now, in seconds since 1970."},
            "uptime_seconds": rate,
            "connections": count,
            "pool": {"type": ["object", "null"], "description": "The workers, each with its state, calls and restarts, and the queue; nothing before they are up."},
            "calls": {"type": "object", "properties": all},
            "functions": {"type": "array", "items": {"type": "object", "properties": function}},
            "errors": {
                "description": "The last errors, the newest first.",
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "time": rate,
                        "count": {"description": "How often in a row.", "type": "integer", "minimum": 1},
                        "function": {"type": ["string", "null"]},
                        "status": {"type": "integer"},
                        "code": {"type": "string"},
                        "detail": {"type": "string"},
                        "request_id": {"type": ["string", "null"]},
                    },
                },
            },
        },
        "required": ["version", "phase", "ready", "uptime_seconds", "pool", "calls", "functions", "errors"],
    })
}
