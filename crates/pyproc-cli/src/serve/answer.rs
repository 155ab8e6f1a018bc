//! One request: who answers it, and what every answer has.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{Request, Response, StatusCode, Version};
use tower::ServiceExt;
use tracing::Instrument;

use super::app::App;
use super::body::{discard, take};
use super::call::{self, call};
use super::connections::{Active, Connections};
use super::memory::Share;
use super::origin;
use super::problem::Problem;
use super::streams::{self, Pieces};
use super::trace::{self, REQUEST_ID, Told};

/// What one listener serves.
#[derive(Clone)]
pub(super) struct Site {
    pub(super) app: Arc<App>,
    /// Those of this listener.
    pub(super) connections: Arc<Connections>,
    /// Everything but calls.
    pub(super) pages: Router,
    /// Whether functions are called here.
    pub(super) calls: bool,
}

/// Answers a request.
pub(super) async fn answer(
    site: Site,
    active: Active,
    request: Request<Incoming>,
) -> Result<Response<Answer>, std::convert::Infallible> {
    let (mut parts, body) = request.into_parts();
    let version = parts.version;
    // A connection has one request at a time before HTTP/2, and hundreds with it.
    let counted = site.calls && version >= Version::HTTP_2;
    // Before a header is added, since they are counted.
    let mut refused = refused(&site, &parts);
    let mut head = None;
    if counted && refused.is_none() {
        match head_of(&site.app, &parts) {
            Ok(share) => head = Some(share),
            Err(problem) => refused = Some(problem),
        }
    }
    let id = trace::request_id(&parts.headers);
    let header = trace::header(&id);
    let name = parts.uri.path().strip_prefix(call::PREFIX);
    let unread;
    // Whether the answer's memory is counted already.
    let mut kept = false;
    let mut response = match (name.filter(|_| site.calls), refused) {
        (Some(name), refused) => {
            let told = Told::begin(&parts, &id);
            let (answered, rest) = match refused {
                Some(problem) => (Err(problem), Some(body)),
                None => {
                    let span = told.span();
                    call(&site.app, name, &parts, body, &told)
                        .instrument(span)
                        .await
                }
            };
            unread = rest.is_some_and(discard);
            kept = answered.is_ok();
            told.end(answered)
        }
        (None, Some(problem)) => {
            unread = discard(body);
            problem.into_response(Some(id.as_str()))
        }
        (None, None) => {
            // No page reads a body.
            unread = discard(body);
            // For their problems.
            parts.headers.insert(REQUEST_ID, header.clone());
            page(&site, parts).await
        }
    };
    if counted && !kept {
        response = keep(&site.app, response);
    }
    drop(head);
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, header);
    if version < Version::HTTP_2 && (unread || site.connections.is_draining()) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let piece = if version < Version::HTTP_2 {
        usize::MAX
    } else {
        streams::PIECE
    };
    Ok(response.map(|body| Answer {
        body: Pieces::new(Full::new(body), piece),
        _active: active,
    }))
}

/// What a page answers.
async fn page(site: &Site, parts: hyper::http::request::Parts) -> Response<Bytes> {
    let request = Request::from_parts(parts, axum::body::Body::empty());
    let Ok(response) = site.pages.clone().oneshot(request).await;
    let (parts, body) = response.into_parts();
    // They are made whole, so that none can fail on its way.
    let body = body.collect().await.map(|body| body.to_bytes());
    Response::from_parts(parts, body.unwrap_or_default())
}

/// The memory that a request's head takes until it is answered.
fn head_of(app: &App, parts: &hyper::http::request::Parts) -> Result<Share, Problem> {
    let fields = parts.headers.iter();
    let fields: usize = fields
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    let path = parts.uri.path_and_query();
    let path = path.map_or(0, |path| path.as_str().len());
    let mut share = app.memory.share();
    take(&mut share, fields + path, app)?;
    Ok(share)
}

/// Counts an answer until it is taken. One that there is no memory for comes without its body.
fn keep(app: &App, response: Response<Bytes>) -> Response<Bytes> {
    let (parts, body) = response.into_parts();
    if let Some(body) = app.answers.keep(body) {
        return Response::from_parts(parts, body);
    }
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = if parts.status.is_success() {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        parts.status
    };
    response
}

/// What is wrong with a request whatever it asks for.
fn refused(site: &Site, parts: &hyper::http::request::Parts) -> Option<Problem> {
    let most = site.app.settings.max_headers;
    if parts.headers.len() > most {
        // HTTP/1 has refused it before; HTTP/2 counts bytes alone.
        return Some(Problem::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "too_many_headers",
            format!(
                "the request has more than {most} header fields, which is what `max_headers` allows"
            ),
        ));
    }
    if let Err(problem) = origin::check_host(parts) {
        return Some(problem);
    }
    if !site.calls || is_open(parts.uri.path()) {
        return None;
    }
    match &site.app.tokens {
        Some(tokens) => tokens.check(&parts.headers).err(),
        None if site.app.settings.local_only() => origin::check_local(parts).err(),
        None => None,
    }
}

/// Paths that need no token: they show nothing of functions or data.
fn is_open(path: &str) -> bool {
    matches!(path, "/" | "/docs" | "/healthz" | "/readyz" | "/startupz")
        || path.starts_with("/assets/")
}

/// The body of an answer; the request is under way until it is written.
pub(super) struct Answer {
    body: Pieces<Full<Bytes>>,
    _active: Active,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
