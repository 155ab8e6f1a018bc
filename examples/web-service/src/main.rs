//! An HTTP service whose answers come from Python: `target/release/web-service [ADDRESS]`.
//!
//! ```text
//! curl localhost:8080/v1/hash_password --data '"correct horse battery staple"'
//! ```
//!
//! JSON goes in and comes out untouched: `POST /v1/FUNCTION` calls that function of worker.py. When
//! the workers are busy and the queue is full, the answer is 503, after one more try. Ctrl-C lets
//! what was begun finish.
#![expect(clippy::print_stdout, reason = "this program's output is its purpose")]

mod answer;
mod patience;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::post;
use pyproc::{Body, Call, ContentType, Pool, PoolConfig};
use tokio::net::TcpListener;
use tower::retry::Retry;
use tower::{ServiceBuilder, ServiceExt};

use patience::Patience;

/// The pool, and the middleware before it.
type Service = Retry<Patience, Pool>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8080");

    let worker = concat!(env!("CARGO_MANIFEST_DIR"), "/worker.py");
    let pool = Pool::start(PoolConfig::new(worker).workers(1).queue(2)).await?;
    let service = ServiceBuilder::new()
        .retry(Patience::default())
        .service(pool.clone());
    let router = Router::new()
        .route("/v1/{function}", post(call))
        .with_state(service);

    let listener = TcpListener::bind(address).await?;
    println!(
        "Listening on http://{}, until Ctrl-C",
        listener.local_addr()?
    );
    axum::serve(listener, router)
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
        .await?;
    // Every request has its answer; the workers can go.
    pool.shutdown().await?;
    println!("All calls have ended, and so have the workers");
    Ok(())
}

async fn call(
    State(service): State<Service>,
    Path(function): Path<String>,
    body: Bytes,
) -> Response {
    let call = Call::new(function)
        .body(Body::json(body))
        .accept(ContentType::Json);
    match service.oneshot(call).await {
        Ok(reply) => answer::result(reply),
        Err(error) => answer::failure(&error),
    }
}
