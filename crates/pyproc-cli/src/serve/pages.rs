//! What the gateway answers beside calls: probes, what the functions are, and the metrics.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use metrics_exporter_prometheus::PrometheusHandle;
use pyproc::Pool;
use serde::Serialize;

use super::app::App;
use super::page;
use super::problem::Problem;
use super::status::status;
use super::trace::REQUEST_ID;
use crate::list::Listed;

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The pages of the address at which functions are called.
pub(super) fn gateway(app: Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/startupz", get(started))
        .route("/v1/functions", get(functions))
        .route("/v1/status", get(status))
        .route("/openapi.json", get(openapi))
        .merge(page::files())
        .fallback(not_found)
        .with_state(app)
        .method_not_allowed_fallback(method_not_allowed)
}

/// The pages of the metrics' address.
pub(super) fn metrics(app: Arc<App>, recorder: PrometheusHandle) -> Router {
    let scrape = move || {
        let app = Arc::clone(&app);
        let recorder = recorder.clone();
        async move {
            if let Some(pool) = app.pool() {
                pool.publish_metrics();
            }
            let text = recorder.render();
            (
                [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
                text,
            )
        }
    };
    Router::new()
        .route("/metrics", get(scrape))
        .fallback(no_metrics)
        .method_not_allowed_fallback(method_not_allowed)
}

/// The answer of a probe.
#[derive(Serialize)]
struct Probe {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Probe {
    fn of(reason: Option<String>) -> Response {
        let probe = Self {
            ok: reason.is_none(),
            reason,
        };
        let status = if probe.ok {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        json(status, &probe)
    }
}

/// The program runs and answers; whatever Python does is no matter.
async fn alive() -> Response {
    Probe::of(None)
}

/// Whether calls have a chance: a worker is up, and the gateway is not about to stop.
async fn ready(State(app): State<Arc<App>>) -> Response {
    let health = app.pool().map(Pool::health);
    Probe::of(app.not_ready(health.as_ref()))
}

/// Whether the pool has come up once.
async fn started(State(app): State<Arc<App>>) -> Response {
    Probe::of(app.not_started())
}

async fn functions(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    match app.running() {
        Ok(pool) => {
            let functions = pool.functions();
            let listed: Vec<Listed<'_>> = functions.iter().map(Listed::new).collect();
            json(StatusCode::OK, &listed)
        }
        Err(problem) => respond(&headers, problem),
    }
}

async fn openapi(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    match app.openapi() {
        Ok(document) => in_json(StatusCode::OK, document),
        Err(problem) => respond(&headers, problem),
    }
}

async fn not_found(request: Request) -> Response {
    respond(request.headers(), Problem::not_found(request.uri().path()))
}

async fn no_metrics(request: Request) -> Response {
    let detail = format!(
        "there is nothing at {}; the metrics are at /metrics",
        request.uri().path()
    );
    let problem = Problem::new(StatusCode::NOT_FOUND, "not_found", detail);
    respond(request.headers(), problem)
}

async fn method_not_allowed(request: Request) -> Response {
    let path = request.uri().path();
    respond(
        request.headers(),
        Problem::method_not_allowed(request.method().as_str(), path, "GET, HEAD"),
    )
}

fn respond(headers: &HeaderMap, problem: Problem) -> Response {
    let id = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    problem.into_response(id).map(Body::from)
}

/// An answer in JSON that is never kept.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    in_json(status, serde_json::to_vec(value).unwrap_or_default())
}

fn in_json(status: StatusCode, text: impl Into<Body>) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, NO_STORE),
    ];
    (status, headers, text.into()).into_response()
}
