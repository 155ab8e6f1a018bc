//! HTTP/2 by a client that keeps to the protocol: too much of everything, and answers left untaken.

use std::future::Future;
use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{Reason, RecvStream};
use hyper::{Method, Request, StatusCode};
use tokio::net::TcpStream;

use crate::gateway::{Gateway, PATIENCE, wait_until};

type Sender = SendRequest<Bytes>;

/// Runs a client; it may not hang.
fn run<T>(client: impl Future<Output = T>) -> T {
    // One thread for the connection, so that the test may wait in its own.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, client)
            .await
            .expect("an end")
    })
}

/// A connection that takes in whatever comes for it, and for each stream as much as HTTP/2 begins with.
async fn connect(address: SocketAddr) -> Sender {
    let stream = TcpStream::connect(address).await.expect("a connection");
    let (sender, connection) = Builder::new()
        .initial_connection_window_size(1 << 30)
        // Until the gateway has said how many there may be.
        .initial_max_send_streams(100)
        .handshake(stream)
        .await
        .expect("HTTP/2");
    tokio::spawn(connection);
    sender.ready().await.expect("HTTP/2")
}

/// A call without a body, with these headers beside the usual ones.
fn call(function: &str, headers: &[(String, String)]) -> Request<()> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://localhost/v1/call/{function}"))
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.body(()).expect("a request")
}

/// Sends a call and gives its answer.
async fn answer(sender: &mut Sender, function: &str, json: &str) -> (StatusCode, RecvStream) {
    let mut sender = sender.clone().ready().await.expect("HTTP/2");
    let (response, mut body) = sender
        .send_request(call(function, &[]), false)
        .expect("a stream");
    body.send_data(Bytes::from(json.to_owned()), true)
        .expect("a body");
    let response = response.await.expect("an answer");
    (response.status(), response.into_body())
}

/// Asks for a page.
async fn page(sender: &mut Sender) {
    let mut sender = sender.clone().ready().await.expect("HTTP/2");
    let request = Request::get("http://localhost/healthz").body(());
    let (response, _) = sender
        .send_request(request.expect("a request"), true)
        .expect("a stream");
    response.await.expect("an answer");
}

async fn text(mut body: RecvStream) -> Result<String, h2::Error> {
    let mut all = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        all.extend_from_slice(&piece);
    }
    Ok(String::from_utf8(all).expect("text"))
}

async fn works(sender: &mut Sender) {
    let (status, body) = answer(sender, "typed", r#"{"x": 1, "y": 2}"#).await;
    assert_eq!(
        (status, text(body).await.expect("a body")),
        (StatusCode::OK, "3.0".to_owned())
    );
}

#[test]
fn heads_and_bodies_have_the_same_bounds() {
    let gateway = Gateway::start(&["--max-request-body=64KiB"]);
    run(async {
        let mut sender = connect(gateway.address).await;
        let many: Vec<_> = (0..110)
            .map(|it| (format!("x-{it}"), "y".to_owned()))
            .collect();
        let large = vec![("x".to_owned(), "y".repeat(70_000))];
        for headers in [many, large] {
            let (response, _) = sender
                .send_request(call("state", &headers), true)
                .expect("a stream");
            let status = response.await.expect("an answer").status();
            assert_eq!(status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
            works(&mut sender).await;
        }
        // It said how much, or it did not.
        let length = [("content-length".to_owned(), (1 << 30).to_string())];
        for headers in [&length[..], &[]] {
            let (response, mut body) = sender
                .send_request(call("echo", headers), false)
                .expect("a stream");
            body.send_data(Bytes::from(vec![b' '; 128 << 10]), false)
                .expect("a body");
            let status = response.await.expect("an answer").status();
            assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
            works(&mut sender).await;
        }
    });
    gateway.is_unharmed();
}

#[test]
fn who_resets_or_leaves_cancels_the_calls() {
    let gateway = Gateway::start(&[]);
    run(async {
        let mut sender = connect(gateway.address).await;
        let (response, mut stream) = sender
            .send_request(call("wait", &[]), true)
            .expect("a stream");
        gateway.said("waits", 1);
        stream.send_reset(Reason::CANCEL);
        drop(response);
        works(&mut sender).await;
        wait_until("the coroutine's end", || gateway.count("cancelled") == 1);

        let mut calls = Vec::new();
        for _ in 0..20 {
            let mut ready = sender.clone().ready().await.expect("HTTP/2");
            calls.push(
                ready
                    .send_request(call("wait", &[]), true)
                    .expect("a stream"),
            );
        }
        works(&mut sender).await;
        gateway.said("waits", 21);
    });
    // The connection ended with its runtime.
    wait_until("the coroutines' end", || gateway.count("cancelled") == 21);
    gateway.is_unharmed();
}

#[test]
fn an_answer_that_nobody_takes_is_reset_and_the_others_go_on() {
    const SIZE: usize = 4 << 20;
    let gateway = Gateway::start(&["--body-timeout=1s"]);
    run(async {
        let mut sender = connect(gateway.address).await;
        let mut untaken = Vec::new();
        for _ in 0..20 {
            let (status, body) = answer(&mut sender, "large", &SIZE.to_string()).await;
            assert_eq!(status, StatusCode::OK);
            untaken.push(body);
        }
        works(&mut sender).await;
        for mut body in untaken {
            let mut got = 0;
            let end = loop {
                match body.data().await {
                    Some(Ok(piece)) => got += piece.len(),
                    Some(Err(error)) => break error,
                    None => panic!("all of it came"),
                }
            };
            assert_eq!(end.reason(), Some(Reason::CANCEL), "{end}");
            assert!(got < SIZE, "{got}");
            works(&mut sender).await;
        }
        // Who takes it gets it.
        let (_, body) = answer(&mut sender, "large", &SIZE.to_string()).await;
        assert_eq!(text(body).await.expect("all of it").len(), SIZE);
    });
    gateway.is_unharmed();
}

/// What [`Small`] allows bodies, heads and answers.
const MEMORY: usize = 8 << 20;

/// A gateway that may hold little for its clients.
struct Small {
    gateway: Gateway,
    /// What it took before there were any.
    before: u64,
}

impl std::ops::Deref for Small {
    type Target = Gateway;

    fn deref(&self) -> &Gateway {
        &self.gateway
    }
}

impl Small {
    fn start() -> Self {
        let gateway = Gateway::start(&[
            &format!("--request-memory={}MiB", MEMORY >> 20),
            "--max-request-body=1MiB",
            "--body-timeout=5m",
        ]);
        let before = gateway.memory();
        Self { gateway, before }
    }

    /// The bound, and what the connections themselves take.
    fn has_grown_by_little(&self) {
        let more = self.memory().saturating_sub(self.before) as usize;
        assert!(more < MEMORY + (48 << 20), "{more}");
    }

    /// Its clients have gone, and others are served.
    fn gives_all_back(self) {
        wait_until("the memory", || self.is_left_by_all());
        run(async {
            let mut sender = connect(self.address).await;
            works(&mut sender).await;
        });
        self.gateway.is_unharmed();
    }
}

/// A connection that grants no answer a window.
async fn connect_without_a_window(address: SocketAddr) -> Sender {
    let stream = TcpStream::connect(address).await.expect("a connection");
    let (sender, connection) = Builder::new()
        .initial_window_size(0)
        .initial_max_send_streams(100)
        .handshake(stream)
        .await
        .expect("HTTP/2");
    tokio::spawn(connection);
    sender.ready().await.expect("HTTP/2")
}

#[test]
fn many_small_answers_that_nobody_takes_have_one_bound() {
    let gateway = Small::start();
    run(async {
        let mut kept = 0;
        let mut untaken = Vec::new();
        for _ in 0..10 {
            let mut sender = connect_without_a_window(gateway.address).await;
            for number in 0..200 {
                // Results, and what says that there is none.
                let (function, body) = [
                    ("large", "65000".to_owned()),
                    ("fail", format!("\"{}\"", "x".repeat(65_000))),
                ][number % 2]
                    .clone();
                let (status, body) = answer(&mut sender, function, &body).await;
                match status {
                    StatusCode::OK => kept += 65_000,
                    StatusCode::INTERNAL_SERVER_ERROR | StatusCode::SERVICE_UNAVAILABLE => {}
                    other => panic!("{other}"),
                }
                untaken.push(body);
            }
        }
        assert!(kept <= MEMORY, "{kept}");
        gateway.has_grown_by_little();
        // Over HTTP/1.1 small ones go on.
        gateway.works();
    });
    gateway.gives_all_back();
}

#[test]
fn the_heads_of_all_calls_have_one_bound() {
    const HEAD: usize = 30_000;
    let gateway = Small::start();
    run(async {
        let mut calls = Vec::new();
        let headers = [("x-large".to_owned(), "y".repeat(HEAD))];
        let mut waiting = 0;
        for _ in 0..10 {
            let mut sender = connect(gateway.address).await;
            for _ in 0..200 {
                let mut ready = sender.clone().ready().await.expect("HTTP/2");
                let (response, _) = ready
                    .send_request(call("wait", &headers), true)
                    .expect("a stream");
                calls.push(response);
            }
            // Everything before has been seen when this is answered.
            page(&mut sender).await;
        }
        for response in &mut calls {
            match futures_util::FutureExt::now_or_never(response) {
                None => waiting += 1,
                Some(response) => {
                    let status = response.expect("an answer").status();
                    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
                }
            }
        }
        assert!((1..=MEMORY / HEAD).contains(&waiting), "{waiting}");
        gateway.has_grown_by_little();
    });
    gateway.gives_all_back();
}

#[test]
fn a_body_that_does_not_come_is_408_and_the_others_go_on() {
    let gateway = Gateway::start(&["--body-timeout=1s"]);
    run(async {
        let mut sender = connect(gateway.address).await;
        let mut waiting = Vec::new();
        for _ in 0..100 {
            let mut ready = sender.clone().ready().await.expect("HTTP/2");
            let (response, mut body) = ready
                .send_request(call("echo", &[]), false)
                .expect("a stream");
            body.send_data(Bytes::from_static(b"["), false)
                .expect("a body");
            waiting.push((response, body));
        }
        works(&mut sender).await;
        for (response, _body) in waiting {
            let status = response.await.expect("an answer").status();
            assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
        }
        works(&mut sender).await;
    });
    gateway.is_unharmed();
}

#[test]
fn ten_thousand_streams_are_answered() {
    let gateway = Gateway::start(&[]);
    run(async {
        let mut sender = connect(gateway.address).await;
        let mut calls = tokio::task::JoinSet::new();
        for number in 0..10_000 {
            let mut ready = sender.clone();
            calls.spawn(async move {
                let (status, body) = answer(&mut ready, "echo", &number.to_string()).await;
                assert_eq!(status, StatusCode::OK);
                assert_eq!(text(body).await.expect("a body"), number.to_string());
            });
        }
        while let Some(call) = calls.join_next().await {
            call.expect("an answer");
        }
        works(&mut sender).await;
    });
    gateway.is_unharmed();
}

#[test]
fn a_connection_without_requests_ends() {
    let gateway = Gateway::start(&["--header-timeout=1s", "--idle-timeout=1s"]);
    run(async {
        for requests in 0..2 {
            let stream = TcpStream::connect(gateway.address)
                .await
                .expect("a connection");
            let (mut sender, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
            let ended = tokio::spawn(connection);
            for _ in 0..requests {
                works(&mut sender).await;
            }
            // It ends by itself; one that has had a request says farewell.
            let _ = ended.await.expect("a task");
        }
    });
    gateway.is_unharmed();
}
