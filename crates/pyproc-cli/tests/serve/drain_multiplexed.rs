//! Stopping under load over HTTP/2: a frame says which requests are answered, and those are.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use bytes::Bytes;
use h2::client::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode};
use rustix::process::Signal;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::common::server::serve;
use crate::common::{PATIENCE, wait_until};

/// Connections, and requests of each at a time.
const CONNECTIONS: u32 = 8;
const STREAMS: u32 = 8;

#[test]
fn every_stream_up_to_the_last_one_is_answered() {
    let mut server = serve(&["--workers", "2"]);
    let address = server.base.strip_prefix("http://").expect("an address");
    let (answered, refused) = (AtomicU32::new(0), AtomicU32::new(0));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    std::thread::scope(|scope| {
        let (answered, refused) = (&answered, &refused);
        scope.spawn(|| {
            runtime.block_on(async {
                let clients =
                    (0..CONNECTIONS).map(|number| client(address, number, answered, refused));
                let all = futures_util::future::join_all(clients);
                timeout(PATIENCE, all).await.expect("an end");
            });
        });
        wait_until("answers", || answered.load(Relaxed) >= 500);
        server.signal(Signal::TERM);
    });
    let ended = server.ended();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(refused.load(Relaxed), CONNECTIONS * STREAMS);
}

/// Sends requests over one connection, some at a time, until it takes no more. What was taken has an
/// answer, and it is the right one.
async fn client(address: &str, number: u32, answered: &AtomicU32, refused: &AtomicU32) {
    let stream = TcpStream::connect(address).await.expect("a connection");
    let (sender, connection) = handshake(stream).await.expect("HTTP/2");
    tokio::spawn(connection);
    let streams = (0..STREAMS).map(async |stream| {
        let mut value = (number * STREAMS + stream) * 1_000_000;
        // `false`: the connection takes no more.
        while call(sender.clone(), value).await {
            answered.fetch_add(1, Relaxed);
            value += 1;
        }
        refused.fetch_add(1, Relaxed);
    });
    futures_util::future::join_all(streams).await;
}

/// Whether a call was taken and answered rightly. One that was not was beyond the last that the gateway
/// has said it answers.
async fn call(sender: SendRequest<Bytes>, value: u32) -> bool {
    let left = |error: h2::Error| {
        assert!(error.is_go_away() && error.is_remote(), "{error:?}");
        false
    };
    let mut sender = match sender.ready().await {
        Ok(sender) => sender,
        Err(error) => return left(error),
    };
    let request = Request::builder()
        .method(Method::POST)
        .uri("http://localhost/v1/call/pause_async")
        .header("content-type", "application/json")
        .body(())
        .expect("a request");
    let (response, mut body) = match sender.send_request(request, false) {
        Ok(sent) => sent,
        Err(error) => return left(error),
    };
    let text = format!(r#"{{"seconds": 0.003, "value": {value}}}"#);
    // It may have been refused meanwhile, which its answer tells.
    let _ = body.send_data(text.into(), true);
    let response = match response.await {
        Ok(response) => response,
        Err(error) => return left(error),
    };
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body();
    let mut all = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.expect("a whole answer");
        body.flow_control()
            .release_capacity(piece.len())
            .expect("a window");
        all.extend_from_slice(&piece);
    }
    assert_eq!(String::from_utf8(all).expect("text"), value.to_string());
    true
}
