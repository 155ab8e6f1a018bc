//! `/v1/status`: the gateway at one moment, for its page and for scripts.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use pyproc::{Health, Pool};
use serde::Serialize;

use super::app::{App, Phase};
use super::pages::json;
use super::recorder::Recorded;

/// What there is to see.
#[derive(Serialize)]
struct Status {
    version: &'static str,
    /// What the workers run.
    target: String,
    phase: &'static str,
    /// Calls have a chance now.
    ready: bool,
    /// Why they have none.
    reason: Option<String>,
    /// Seconds since 1970.
    time: f64,
    uptime_seconds: f64,
    /// Those that are open.
    connections: usize,
    /// The workers and the queue, once they have come up.
    pool: Option<Health>,
    #[serde(flatten)]
    recorded: Recorded,
}

/// Answers `/v1/status`.
pub(super) async fn status(State(app): State<Arc<App>>) -> Response {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let health = app.pool().map(Pool::health);
    let reason = app.not_ready(health.as_ref());
    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        target: app.target(),
        phase: match app.phase() {
            Phase::Starting => "starting",
            Phase::Serving => "serving",
            Phase::Stopping => "stopping",
        },
        ready: reason.is_none(),
        reason,
        time: since.unwrap_or_default().as_secs_f64(),
        uptime_seconds: app.recorder.uptime().as_secs_f64(),
        connections: app.connections.count(),
        pool: health,
        recorded: app.recorder.recorded(),
    };
    json(StatusCode::OK, &status)
}
