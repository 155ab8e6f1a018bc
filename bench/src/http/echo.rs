//! What HTTP costs without Python: axum gives back the JSON that came.

use std::net::Ipv4Addr;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use axum::serve::ListenerExt;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use crate::Failure;

pub(super) const PATH: &str = "/echo";

/// Serves until it is killed, on one thread.
pub(crate) fn serve(port: u16) -> Result<(), Failure> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let listener = listener.tap_io(|stream| {
            // It works without, only later.
            let _ = stream.set_nodelay(true);
        });
        let router = Router::new().route(PATH, post(echo));
        Ok(axum::serve(listener, router).await?)
    })
}

async fn echo(body: Bytes) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], body)
}
