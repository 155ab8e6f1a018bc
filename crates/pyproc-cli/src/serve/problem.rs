//! What a request that fails is answered with: a problem document (RFC 9457).

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use pyproc::CallError;
use serde::Serialize;

/// The content type of problem documents.
pub(super) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Why a request has no result, as its client is told.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) document: Box<Document>,
    /// A header that belongs to the status.
    header: Option<(HeaderName, HeaderValue)>,
    /// Of an exception: what the log has, whatever the client sees.
    traceback: Option<String>,
}

/// The document. Members that do not apply are left out.
#[derive(Debug, Default, Serialize)]
pub(super) struct Document {
    /// There is no page about it: `title` and `code` say which kind it is.
    r#type: &'static str,
    /// The status in words.
    title: &'static str,
    status: u16,
    /// What was wrong, where, and what to do, in one sentence.
    pub(super) detail: String,
    /// The kind of failure, for programs: as in metrics.
    pub(super) code: &'static str,
    /// Whether the function may have run, wholly or in part.
    may_have_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function: Option<String>,
    /// Of a wrong argument: which part, what was expected there, and what was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    got: Option<String>,
    /// Of an exception: its class, message and, where the operator allows it, traceback.
    #[serde(skip_serializing_if = "Option::is_none")]
    exception: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceback: Option<String>,
    /// What the request is called in the answer's header and in logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

impl Problem {
    /// A problem of the gateway's own. No function has run.
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            document: Box::new(Document {
                r#type: "about:blank",
                title: status.canonical_reason().unwrap_or("Unknown"),
                status: status.as_u16(),
                detail: detail.into(),
                code,
                ..Document::default()
            }),
            header: None,
            traceback: None,
        }
    }

    /// What a failed call is to the client who asked for it.
    pub(super) fn of_call(error: CallError, function: &str, show_tracebacks: bool) -> Self {
        let status =
            StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut problem = Self::new(status, error.metric_label(), error.to_string());
        let document = &mut *problem.document;
        document.may_have_run = error.may_have_run();
        document.function = Some(function.to_owned());
        match error {
            CallError::BadArgument {
                path,
                expected,
                got,
            } => {
                document.path = Some(path);
                document.expected = Some(expected);
                document.got = Some(got);
            }
            CallError::Python {
                exception,
                message,
                traceback,
            } => {
                document.exception = Some(exception);
                document.message = Some(message);
                document.traceback = show_tracebacks.then(|| traceback.clone());
                problem.traceback = Some(traceback);
            }
            _ => {}
        }
        problem
    }

    pub(super) fn not_found(path: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!(
                "there is nothing at {path}; functions are called by POST /v1/call/FUNCTION, and GET /v1/functions lists them"
            ),
        )
    }

    pub(super) fn method_not_allowed(method: &str, path: &str, allow: &'static str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            format!("{path} does not take {method}; it takes {allow}"),
        )
        .with(ALLOW, HeaderValue::from_static(allow))
    }

    pub(super) fn unauthorized(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
            .with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    pub(super) fn unavailable(
        code: &'static str,
        detail: impl Into<String>,
        after: Duration,
    ) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(after)
    }

    /// Says when to try again, in whole seconds, at least one.
    pub(super) fn retry_after(self, after: Duration) -> Self {
        let seconds = after.as_secs_f64().ceil().max(1.0) as u64;
        self.with(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// The function has run, though nobody gets its result.
    pub(super) fn after_a_run(mut self) -> Self {
        self.document.may_have_run = true;
        self
    }

    pub(super) fn of_function(mut self, function: &str) -> Self {
        self.document.function = Some(function.to_owned());
        self
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }

    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.document.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Of an exception: where it was raised.
    pub(super) fn traceback(&self) -> Option<&str> {
        self.traceback.as_deref().map(str::trim_end)
    }

    /// The answer to the request of this id.
    pub(super) fn into_response(mut self, id: Option<&str>) -> Response<Bytes> {
        self.document.request_id = id.map(str::to_owned);
        let text = serde_json::to_vec(&self.document).unwrap_or_default();
        let mut response = Response::new(Bytes::from(text));
        *response.status_mut() = self.status();
        response.headers_mut().extend(self.header);
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        response
    }
}
