//! What a request is known by: its id, its span in the client's trace, its line in the log.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue, USER_AGENT};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Response, StatusCode, Version};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use pyproc::{Request, RequestId, TraceContext};
use tracing::field::Empty;
use tracing::{Level, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::problem::Problem;

/// Names a request in logs and answers: the client's own name for it, or ours.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The target of requests' spans and lines.
pub(crate) const REQUESTS: &str = "pyproc::request";

/// What stands for a method that nobody knows.
const OTHER: &str = "_OTHER";

/// What spans and their readers know the calls' path by.
const ROUTE: &str = "/v1/call/{function}";

/// The client's id of its request, if it can stand in a log; otherwise a new one.
pub(super) fn request_id(headers: &HeaderMap) -> RequestId {
    /// Tells the ids of this process from those of others.
    static PROCESS: LazyLock<u32> = LazyLock::new(|| RandomState::new().hash_one(0) as u32);
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    if let Some(Ok(given)) = given.map(RequestId::parse) {
        return given;
    }
    let fresh = format!("{:08x}-{:x}", *PROCESS, COUNT.fetch_add(1, Relaxed));
    RequestId::parse(&fresh).unwrap_or_else(|_| unreachable!("digits and a hyphen are visible"))
}

/// The header that says a request's id.
pub(super) fn header(id: &RequestId) -> HeaderValue {
    HeaderValue::from_str(id.as_str())
        .unwrap_or_else(|_| unreachable!("visible characters may stand in a header"))
}

/// A request for a call, told from its head to its answer. Dropped before: its client has gone.
pub(super) struct Told<'r> {
    parts: &'r Parts,
    id: &'r RequestId,
    span: Span,
    /// The client's trace, where nobody wants the span.
    context: Option<TraceContext>,
    /// Where every request has its line.
    began: Option<Instant>,
    ended: bool,
}

impl<'r> Told<'r> {
    /// Begins a request's span. Without an exporter there is none, and nothing to pay.
    pub(super) fn begin(parts: &'r Parts, id: &'r RequestId) -> Self {
        let span = server_span(parts, id);
        let context = span.is_disabled().then(|| context(&parts.headers));
        Self {
            parts,
            id,
            span,
            context: context.flatten(),
            began: tracing::event_enabled!(target: REQUESTS, Level::DEBUG).then(Instant::now),
            ended: false,
        }
    }

    pub(super) fn id(&self) -> &RequestId {
        self.id
    }

    /// What the request's work is done in.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Lets a call say what it belongs to: its id, and the trace unless it finds that in its span.
    pub(super) fn describe<'p>(&self, request: Request<'p>) -> Request<'p> {
        let request = request.request_id(self.id.clone());
        match &self.context {
            None => request,
            Some(context) => request.trace_context(context.clone()),
        }
    }

    /// Ends the request with its answer.
    pub(super) fn end(mut self, answered: Result<Response<Bytes>, Problem>) -> Response<Bytes> {
        self.ended = true;
        match answered {
            Ok(response) => {
                self.finish(response.status(), None);
                response
            }
            Err(problem) => {
                self.finish(problem.status(), Some(&problem));
                problem.into_response(Some(self.id.as_str()))
            }
        }
    }

    fn finish(&self, status: StatusCode, problem: Option<&Problem>) {
        if !self.span.is_disabled() {
            self.span
                .record("http.response.status_code", status.as_u16());
            if let Some(problem) = problem {
                self.span.record("error.type", problem.document.code);
            }
            // What the client did wrong is no error of the server's.
            if status.is_server_error() {
                self.span.record("otel.status_code", "ERROR");
            }
        }
        let failed = matches!(status.as_u16(), 500 | 502 | 504);
        if failed || self.began.is_some() {
            self.line(Some(status), problem, failed);
        }
    }

    /// The request's line: a warning when something broke, else one of many for who wants them.
    #[cold]
    fn line(&self, status: Option<StatusCode>, problem: Option<&Problem>, failed: bool) {
        let (trace_id, span_id) = self.ids().unzip();
        let (trace_id, span_id) = (trace_id.as_deref(), span_id.as_deref());
        let request_id = self.id.as_str();
        let (method, path) = (self.parts.method.as_str(), self.parts.uri.path());
        let took = self
            .began
            .map(|began| began.elapsed().as_micros() as f64 / 1000.0);
        let code = problem.map(|problem| problem.document.code);
        let status = status.map(|status| status.as_u16());
        if let (Some(problem), true) = (problem, failed) {
            let detail = problem.document.detail.as_str();
            let traceback = problem.traceback().map(tracing::field::display);
            tracing::warn!(
                target: REQUESTS,
                request_id, trace_id, span_id, method, path, status, code, milliseconds = took, traceback,
                "a request failed: {detail}"
            );
        } else {
            let message = if status.is_some() {
                "answered"
            } else {
                "the client has gone"
            };
            tracing::debug!(
                target: REQUESTS,
                request_id, trace_id, span_id, method, path, status, code, milliseconds = took,
                "{message}"
            );
        }
    }

    /// The ids of trace and span, as far as there are some.
    fn ids(&self) -> Option<(String, String)> {
        if let Some(context) = &self.context {
            let mut parts = context.traceparent().split('-').skip(1).map(str::to_owned);
            return parts.next().zip(parts.next());
        }
        let context = self.span.context();
        let span = context.span().span_context().clone();
        span.is_valid()
            .then(|| (span.trace_id().to_string(), span.span_id().to_string()))
    }
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if !self.span.is_disabled() {
            self.span.record("error.type", "client_gone");
        }
        if self.began.is_some() {
            self.line(None, None, false);
        }
    }
}

/// A span as OpenTelemetry's conventions for HTTP want it, in the client's trace if there is one.
#[inline]
fn server_span(parts: &Parts, id: &RequestId) -> Span {
    if !tracing::span_enabled!(target: REQUESTS, Level::INFO) {
        return Span::none();
    }
    wanted_span(parts, id)
}

#[cold]
fn wanted_span(parts: &Parts, id: &RequestId) -> Span {
    let method = method(&parts.method);
    let authority = parts.uri.authority().cloned().or_else(|| {
        let host = parts.headers.get(hyper::header::HOST)?;
        host.to_str().ok()?.parse().ok()
    });
    let text = |name: HeaderName| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let version = match parts.version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    };
    let span = tracing::info_span!(
        target: REQUESTS,
        "request",
        otel.name = format!("{} {ROUTE}", if method == OTHER { "HTTP" } else { method }),
        otel.kind = "server",
        http.request.method = method,
        http.route = ROUTE,
        url.path = parts.uri.path(),
        url.scheme = "http",
        server.address = authority.as_ref().map(|it| it.host()),
        server.port = authority.as_ref().and_then(|it| it.port_u16()),
        network.protocol.name = "http",
        network.protocol.version = version,
        user_agent.original = text(USER_AGENT),
        pyproc.request_id = id.as_str(),
        http.response.status_code = Empty,
        error.type = Empty,
        otel.status_code = Empty,
    );
    let parent = TraceContextPropagator::new().extract(&HeaderExtractor(&parts.headers));
    // It has not been used yet, so that it can still get a parent.
    let _ = span.set_parent(parent);
    span
}

/// A method that exists, or what stands for all others: there may be any number of them.
fn method(method: &Method) -> &str {
    const KNOWN: [Method; 9] = [
        Method::POST,
        Method::GET,
        Method::HEAD,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
        Method::PATCH,
        Method::TRACE,
        Method::CONNECT,
    ];
    if KNOWN.contains(method) {
        method.as_str()
    } else {
        OTHER
    }
}

/// The client's trace.
fn context(headers: &HeaderMap) -> Option<TraceContext> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    TraceContext::from_headers(Some(text("traceparent")?), text("tracestate"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_keeps_an_id_that_can_stand_in_a_log() {
        let id = |given: &[u8]| {
            let mut headers = HeaderMap::new();
            let given = HeaderValue::from_bytes(given).expect("a header");
            headers.insert(REQUEST_ID, given);
            request_id(&headers).to_string()
        };
        let longest = "x".repeat(128);
        for given in ["1", "a-b_c.d/e=", longest.as_str()] {
            assert_eq!(id(given.as_bytes()), given);
        }
        let long = "x".repeat(129);
        for given in ["", "two words", "é", long.as_str()] {
            let fresh = id(given.as_bytes());
            assert_ne!(fresh, given);
            assert_ne!(fresh, id(given.as_bytes()));
        }
    }
}
