//! One Python worker that waits for 64 answers at a time: `target/release/waiting`.
//!
//! The program opens a slow TCP server and calls a coroutine 256 times, which asks that server. There
//! is one worker, one process with one interpreter: while a coroutine waits, others run.
#![expect(clippy::print_stdout, reason = "this program's output is its purpose")]

mod server;

use std::time::Instant;

use pyproc::{Pool, PoolConfig};

use server::{AT_ONCE, PAUSE, Server};

const CALLS: usize = 4 * AT_ONCE;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let worker = concat!(env!("CARGO_MANIFEST_DIR"), "/worker.py");
    let config = PoolConfig::new(worker).workers(1);
    let pool = Pool::start(config.max_concurrency(AT_ONCE as u32)).await?;
    let server = Server::start().await?;
    let (host, port) = (server.address.ip().to_string(), server.address.port());

    let begin = Instant::now();
    let calls: Vec<_> = (0..CALLS)
        .map(|number| {
            let (pool, host) = (pool.clone(), host.clone());
            tokio::spawn(async move {
                let question = format!("question {number}");
                let answer: String = pool.call("ask", &(host, port, &question)).await?;
                Ok::<_, Failure>(answer == format!("answer to {question}"))
            })
        })
        .collect();
    let mut right = 0;
    for call in calls {
        right += usize::from(call.await??);
    }
    println!("{right} of {CALLS} calls got their answer, by 1 worker");
    println!("  at most {} waited at the same time", server.most());
    println!(
        "  they took {:.1} s; one after another they would have waited {:.1} s",
        begin.elapsed().as_secs_f64(),
        PAUSE.as_secs_f64() * CALLS as f64
    );
    pool.shutdown().await?;
    Ok(())
}
