//! What a client sees of a reply, and of a failure.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use pyproc::{CallError, Reply};

pub(crate) fn result(reply: Reply) -> Response {
    let media_type = HeaderValue::from_static(reply.content_type().media_type());
    ([(CONTENT_TYPE, media_type)], Body::from(reply.into_bytes())).into_response()
}

/// The status says whose fault it was, the body what happened. A traceback stays inside.
pub(crate) fn failure(error: &CallError) -> Response {
    let status =
        StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::json!({ "error": error.metric_label(), "message": error.to_string() });
    let json = HeaderValue::from_static("application/json");
    let mut response = (status, [(CONTENT_TYPE, json)], body.to_string()).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
