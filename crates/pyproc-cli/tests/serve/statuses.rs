//! Every status, and what stands with it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde_json::json;

use crate::common::server::{Answer, Server, serve};
use crate::common::wait_until;

/// A request whose parts are chosen one by one.
#[track_caller]
fn request(
    server: &Server,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("{}{path}", server.base));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body.to_owned()).expect("a request");
    Answer::of(server.agent.run(request).expect("an answer"))
}

const JSON: (&str, &str) = ("content-type", "application/json");

/// Calls a function with JSON and asks for this kind of answer.
fn accepting(server: &Server, accept: &str, function: &str, body: &str) -> Answer {
    let headers = [JSON, ("accept", accept)];
    let path = format!("/v1/call/{function}");
    request(server, "POST", &path, &headers, body)
}

#[test]
fn results_come_as_they_are_asked_for() {
    let server = serve(&["--workers", "1"]);
    let answer = server.call("double", r#"{"value": 21}"#);
    assert_eq!(answer.result(), json!({"result": 42}));
    assert_eq!(answer.header("content-type"), "application/json");
    // The client's text is not touched on its way: Python sees the number as it was written.
    assert_eq!(server.call("echo", "1e2").body, b"100.0");
    assert_eq!(
        server.call("echo", "123456789012345678901234567890").body,
        b"123456789012345678901234567890"
    );

    let msgpack = server.post("double", "application/msgpack", b"\x81\xa5value\x15");
    assert_eq!(msgpack.result(), json!({"result": 42}));
    let accept =
        |accept: &str, function: &str, body: &str| accepting(&server, accept, function, body);
    let answer = accept("application/msgpack", "double", r#"{"value": 21}"#);
    assert_eq!(
        (answer.header("content-type"), answer.body.as_slice()),
        ("application/msgpack", &b"\x81\xa6result\x2a"[..])
    );

    // Bytes stay bytes, unless JSON alone is taken.
    let bytes = accept("*/*", "picture", "2");
    assert_eq!(
        (bytes.header("content-type"), bytes.body.as_slice()),
        ("application/octet-stream", &b"\0\xff\0\xff"[..])
    );
    assert_eq!(
        accept("application/json", "picture", "2").body,
        b"\"AP8A/w==\""
    );
    assert_eq!(
        server
            .post("gr%C3%B6%C3%9Fe", "application/octet-stream", b"\0\x01\x02")
            .result(),
        json!(3)
    );

    // A function without arguments needs no body, and no type of one.
    assert_eq!(
        request(
            &server,
            "POST",
            "/v1/call/short",
            &[("x-request-timeout", "50ms")],
            ""
        )
        .status,
        504
    );
    server.stop();
}

#[test]
fn every_failure_has_its_status_and_a_sentence() {
    let server = serve(&["--workers", "1"]);
    let post = |path: &str, headers: &[(&str, &str)], body: &str| {
        request(&server, "POST", path, headers, body)
    };
    let problem = |answer: Answer| {
        let (status, code, detail) = answer.problem();
        format!("{status} {code}: {detail}")
    };
    let call =
        |function: &str, body: &str| problem(post(&format!("/v1/call/{function}"), &[JSON], body));

    assert_eq!(
        call("double", "{"),
        "400 malformed: the body of the call is malformed: Input data was truncated"
    );
    assert_eq!(
        problem(post(
            "/v1/call/echo",
            &[JSON, ("x-request-timeout", "1")],
            "1"
        )),
        "400 bad_header: the X-Request-Timeout header is \"1\"; write one duration with a unit, such as 250ms or 10s"
    );
    assert_eq!(
        call("duble", "{}"),
        "404 no_such_function: no function is named `duble`; did you mean `double`?"
    );
    assert_eq!(
        problem(server.get("/v2")),
        "404 not_found: there is nothing at /v2; functions are called by POST /v1/call/FUNCTION, and GET /v1/functions lists them"
    );
    let get = server.get("/v1/call/double");
    assert_eq!(get.header("allow"), "POST");
    assert_eq!(
        problem(get),
        "405 method_not_allowed: /v1/call/double does not take GET; it takes POST"
    );
    let delete = request(&server, "DELETE", "/healthz", &[], "");
    assert_eq!(delete.header("allow"), "GET, HEAD");
    assert_eq!(
        problem(delete),
        "405 method_not_allowed: /healthz does not take DELETE; it takes GET, HEAD"
    );
    assert_eq!(
        problem(post("/v1/call/echo", &[JSON, ("accept", "text/html")], "1")),
        "406 not_acceptable: the Accept header allows no type of answer that there is; accept application/json, \
         application/msgpack or application/octet-stream"
    );
    assert_eq!(
        problem(post("/v1/call/echo", &[], "value=1")),
        "415 unsupported_media_type: the body has no Content-Type; say which of application/json, \
         application/msgpack or application/octet-stream it is"
    );
    assert_eq!(
        problem(post(
            "/v1/call/echo",
            &[JSON, ("content-encoding", "gzip")],
            "1"
        )),
        "415 unsupported_media_type: a body of Content-Encoding \"gzip\" cannot be taken; send it as it is"
    );
    assert_eq!(
        post(
            "/v1/call/echo",
            &[JSON, ("content-encoding", "identity")],
            "1"
        )
        .result(),
        1
    );
    let wrong = post(
        "/v1/call/length",
        &[JSON],
        r#"[{"x": 1, "y": 2}, {"x": "left", "y": 2}]"#,
    );
    assert_eq!(wrong.status, 422);
    assert_eq!(
        wrong.json(),
        json!({
            "type": "about:blank", "title": "Unprocessable Entity", "status": 422,
            "detail": "argument `$[1].x` is wrong: expected float, got str",
            "code": "bad_argument", "may_have_run": false, "function": "length",
            "path": "$[1].x", "expected": "float", "got": "str",
            "request_id": wrong.header("x-request-id"),
        })
    );
    let raised = post(
        "/v1/call/fail",
        &[JSON, ("x-request-id", "mine-7")],
        r#""too blue""#,
    );
    assert_eq!(
        raised.json(),
        json!({
            "type": "about:blank", "title": "Internal Server Error", "status": 500,
            "detail": "the Python function raised ValueError: too blue",
            "code": "python", "may_have_run": true, "function": "fail",
            "exception": "ValueError", "message": "too blue", "request_id": "mine-7",
        })
    );
    assert_eq!(
        call("give_set", ""),
        "500 bad_result: the function's result cannot be used: a value of type `object` cannot be encoded"
    );
    assert_eq!(
        call("short", ""),
        "504 timeout_run: the call timed out after 200ms while the function was running"
    );
    // The next calls wait for the worker that replaces this one.
    let died = call("die", "");
    assert!(
        died.starts_with("502 worker_died: the worker (pid "),
        "{died}"
    );
    server.stop();
}

#[test]
fn what_a_function_cannot_give_is_refused_before_it_runs() {
    let server = serve(&["--workers", "1"]);
    let post =
        |function: &str, accept: &str, body: &str| accepting(&server, accept, function, body);
    let bytes = "application/octet-stream";
    let refused = post("double", bytes, r#"{"value": 21}"#);
    assert_eq!(refused.json()["may_have_run"], false);
    assert_eq!(
        refused.problem(),
        (
            406,
            "not_acceptable".into(),
            "the function `double` returns no bytes, and the Accept header allows nothing else; \
             accept application/json or application/msgpack"
                .into()
        )
    );
    // Who takes something else too gets that.
    let either = post(
        "double",
        "application/octet-stream, application/json;q=0.1",
        r#"{"value": 21}"#,
    );
    assert_eq!(either.result(), json!({"result": 42}));
    assert_eq!(post("picture", bytes, "1").body, b"\0\xff");
    server.stop();
}

#[test]
fn a_result_that_there_is_never_memory_for_is_the_functions_error() {
    let server = serve(&[
        "--workers",
        "1",
        "--request-memory=1MiB",
        "--max-request-body=1MiB",
    ]);
    let answer = server.call("picture", "600000");
    assert_eq!(answer.header("retry-after"), "");
    assert_eq!(answer.json()["may_have_run"], true);
    assert_eq!(answer.json()["function"], "picture");
    assert_eq!(
        answer.problem(),
        (
            500,
            "too_large".into(),
            "the function's result is too large: 1200000B where `request_memory` allows answers 1MiB; \
             return less or raise `request_memory`, and set `max_body` to what it allows"
                .into()
        )
    );
    assert_eq!(server.call("picture", "300000").body.len(), 600_000);
    server.stop();
}

#[test]
fn a_full_queue_says_when_to_come_back() {
    // One worker that answers ten calls a second, and a queue of forty.
    const QUEUE: usize = 40;
    let server = serve(&["--workers", "1", "--queue", "40"]);
    let over = AtomicBool::new(false);
    let said = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..QUEUE + 4 {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    let answer = server.call("pause", r#"{"seconds": 0.1}"#);
                    if answer.status == 200 {
                        continue;
                    }
                    assert_eq!(
                        (answer.status, answer.problem().1.as_str()),
                        (503, "overloaded")
                    );
                    let seconds: u64 = answer.header("retry-after").parse().expect("seconds");
                    said.lock().expect("nobody panicked").push(seconds);
                }
            });
        }
        // Forty at ten a second take four seconds at least.
        wait_until("the rate to be known", || {
            let said = said.lock().expect("nobody panicked");
            said.iter().any(|seconds| *seconds >= 4)
        });
        over.store(true, Relaxed);
    });
    // Nothing is known at first.
    let said = said.into_inner().expect("nobody panicked");
    assert_eq!(said.first(), Some(&1));
    server.stop();
}
