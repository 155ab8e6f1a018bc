//! `POST /v1/call/{function}`: the body becomes a call, its result the answer.

use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as _, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Response, StatusCode, Version};
use percent_encoding::percent_decode_str;
use pyproc::{Body, CallError, ContentType, Pool, Reply};

use super::app::App;
use super::body::{Received, receive};
use super::memory::Share;
use super::problem::Problem;
use super::trace::Told;
use super::{media, timeout};

/// Where functions are called.
pub(super) const PREFIX: &str = "/v1/call/";

/// Answers of so many bytes are counted. Smaller ones fit into what a connection takes anyway, where it has
/// one at a time: over HTTP/2 it has hundreds, and all of them are counted.
const LARGE: usize = 64 << 10;

/// Answers a request under [`PREFIX`]; `name` is the rest of its path as it was sent. A body that was
/// not read to its end comes back.
pub(super) async fn call(
    app: &App,
    name: &str,
    parts: &Parts,
    mut body: Incoming,
    told: &Told<'_>,
) -> (Result<Response<Bytes>, Problem>, Option<Incoming>) {
    let function = percent_decode_str(name).decode_utf8_lossy();
    let timed = app.recorder.begin(&function);
    let known = timed.is_of_a_function();
    let mut read = false;
    let reply = answer(app, &function, known, parts, &mut body, &mut read, told).await;
    match reply.and_then(|reply| response(app, reply, &function, parts.version)) {
        Ok(response) => {
            timed.answered(response.status());
            (Ok(response), None)
        }
        Err(problem) => {
            timed.failed(&problem, told.id().as_str());
            (Err(problem), (!read).then_some(body))
        }
    }
}

async fn answer(
    app: &App,
    function: &str,
    known: bool,
    parts: &Parts,
    body: &mut Incoming,
    read: &mut bool,
    told: &Told<'_>,
) -> Result<Reply, Problem> {
    if parts.method != Method::POST {
        let path = parts.uri.path();
        return Err(Problem::method_not_allowed(
            parts.method.as_str(),
            path,
            "POST",
        ));
    }
    let pool = available(app)?;
    let mut wanted = media::answer(&parts.headers)?;
    if wanted.content_type == ContentType::Raw && app.is_without_bytes(function) {
        wanted = wanted.without_bytes(function)?;
    }
    let limit = timeout::of(&parts.headers)?;
    // What no function is called with need not come: the pool says which name is like this one.
    let (arguments, _share) = if known {
        arguments(app, function, parts, body).await?
    } else {
        (Body::empty(), None)
    };
    *read = known;

    let request = pool
        .request(function)
        .body(arguments)
        .accept(wanted.content_type);
    let mut request = told.describe(request);
    if wanted.raw_bytes {
        request = request.raw_bytes();
    }
    if let Some(limit) = limit {
        request = request.timeout(limit);
    }
    match request.send().await {
        Ok(reply) => {
            app.load.answered();
            Ok(reply)
        }
        Err(error) => Err(failed(app, error, function)),
    }
}

/// What the body says, once it has come, with its share of the memory.
async fn arguments(
    app: &App,
    function: &str,
    parts: &Parts,
    body: &mut Incoming,
) -> Result<(Body, Option<Share>), Problem> {
    if body.is_end_stream() {
        return Ok((nothing(&parts.headers), None));
    }
    let received = receive(app, &parts.headers, body)
        .await
        .map_err(|problem| problem.of_function(function))?;
    let Some(Received {
        content_type,
        bytes,
        share,
    }) = received
    else {
        return Ok((nothing(&parts.headers), None));
    };
    let body = match content_type {
        ContentType::MsgPack => Body::msgpack(bytes),
        ContentType::Raw => Body::raw(bytes),
        _ => Body::json(bytes),
    };
    Ok((body, Some(share)))
}

/// The pool, when a call has a chance.
fn available(app: &App) -> Result<&Pool, Problem> {
    let pool = app.running()?;
    let Some(outage) = app.outage.left() else {
        return Ok(pool);
    };
    let health = pool.health();
    let mut detail = health
        .reason
        .unwrap_or_else(|| "no worker is up".to_owned());
    // Who may call may know.
    if let Some(error) = health.last_error {
        detail += &format!("; the last one: {error}");
    }
    Err(Problem::unavailable("not_ready", detail, outage))
}

/// No body; or none of its bytes, where it is said to be bytes: a file may be empty.
fn nothing(headers: &HeaderMap) -> Body {
    match media::body(headers) {
        Ok(ContentType::Raw) => Body::raw(Bytes::new()),
        _ => Body::empty(),
    }
}

/// The problem of a call that failed. The queue's length says when to come back.
fn failed(app: &App, error: CallError, function: &str) -> Problem {
    let after = match &error {
        CallError::Overloaded { waiting, .. } => Some(app.load.until_drained(*waiting)),
        CallError::Closed | CallError::Cancelled => Some(Duration::ZERO),
        // A worker has worked for it.
        error if error.may_have_run() => {
            app.load.answered();
            None
        }
        _ => None,
    };
    let problem = Problem::of_call(error, function, app.settings.show_tracebacks);
    match after {
        Some(after) => problem.retry_after(after),
        None => problem,
    }
}

/// A result as an answer. Until its client has taken it, it takes memory that is bounded.
fn response(
    app: &App,
    reply: Reply,
    function: &str,
    version: Version,
) -> Result<Response<Bytes>, Problem> {
    let content_type = media::header(reply.content_type());
    let mut bytes = reply.into_bytes();
    let length = bytes.len();
    if length >= LARGE || version >= Version::HTTP_2 {
        bytes = app.answers.keep(bytes).ok_or_else(|| {
            let problem = if length > app.answers.limit() {
                too_large(app, length)
            } else {
                untaken(app)
            };
            problem.of_function(function)
        })?;
    }
    let mut response = Response::new(bytes);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    Ok(response)
}

/// There will never be memory for it.
fn too_large(app: &App, length: usize) -> Problem {
    let size = |bytes: usize| pyproc::Size::from(bytes as u64);
    let detail = format!(
        "the function's result is too large: {} where `request_memory` allows answers {}; return less or raise \
         `request_memory`, and set `max_body` to what it allows",
        size(length),
        size(app.answers.limit())
    );
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "too_large", detail).after_a_run()
}

fn untaken(app: &App) -> Problem {
    let limit = pyproc::Size::from(app.answers.limit() as u64);
    let detail = format!(
        "the function has run, but answers that clients have not taken yet have the {limit} that \
         `request_memory` allows them; try again later"
    );
    Problem::unavailable("overloaded", detail, Duration::from_secs(1)).after_a_run()
}
