//! A scikit-learn model served to a Rust program: `make demo`.
//!
//! `worker.py`, beside this crate, trains a classifier on half of scikit-learn's real handwritten
//! digits. This program has two workers read the other half, kills one of them on the way, and
//! shows that every image still got its answer.
#![expect(clippy::print_stdout, reason = "this program's output is its purpose")]

mod show;

use std::sync::Arc;
use std::time::{Duration, Instant};

use pyproc::{Pool, PoolConfig};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::sync::Semaphore;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Calls under way at any moment.
const IN_FLIGHT: usize = 8;

/// What `held_out()` in worker.py returns.
#[derive(Deserialize)]
struct HeldOut {
    images: Vec<Vec<f64>>,
    labels: Vec<u8>,
}

/// What `predict(image)` returns: the digit, and the process that read it.
#[derive(Deserialize)]
struct Answer {
    digit: u8,
    worker: i32,
}

/// What `predict(images)` returns.
#[derive(Deserialize)]
struct Answers {
    digit: Vec<u8>,
}

/// One pass over all images; the lists are in the order of the images.
#[derive(Default)]
struct Pass {
    digits: Vec<u8>,
    workers: Vec<i32>,
    waits: Vec<Duration>,
    took: Duration,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    println!("Starting two Python workers; each trains the classifier ...");
    let begin = Instant::now();
    let worker = concat!(env!("CARGO_MANIFEST_DIR"), "/worker.py");
    let pool = Pool::start(PoolConfig::new(worker).workers(2)).await?;
    let HeldOut { images, labels } = pool.call("held_out", &()).await?;
    println!(
        "Ready after {:.1?}: {} images that they have not seen.\n",
        begin.elapsed(),
        images.len()
    );

    let calm = classify(&pool, &images, None).await?;
    show::digits(&images, &labels, &calm.digits);
    show::figures("One call per image", &calm, &labels);

    let begin = Instant::now();
    let batch: Answers = pool.call("predict", &images).await?;
    println!(
        "One call with all {} images: {:.1?}\n",
        batch.digit.len(),
        begin.elapsed()
    );

    println!("Once more, and one of the workers is killed (SIGKILL) half-way ...");
    let half = images.len() / 2;
    let shot = classify(&pool, &images, Some(half)).await?;
    show::figures("With a worker killed", &shot, &labels);

    let killed = shot.workers[half];
    let by_killed = shot
        .workers
        .iter()
        .filter(|worker| **worker == killed)
        .count();
    println!("  worker {killed} gave {by_killed} answers until it was killed, the other the rest");
    println!(
        "  worker {} has taken its place",
        replacement(&pool, &shot).await?
    );
    let same = calm
        .digits
        .iter()
        .zip(&shot.digits)
        .filter(|(before, after)| before == after)
        .count();
    println!(
        "  {same} of {} answers are the same as without the kill",
        images.len()
    );

    pool.shutdown().await?;
    if same == images.len() {
        Ok(())
    } else {
        Err("the kill changed answers".into())
    }
}

/// Has every image read, several at once. With `kill_at`, kills the worker that gave the answer of
/// that number: calls that it had begun are run again by another, because they are idempotent.
async fn classify(
    pool: &Pool,
    images: &[Vec<f64>],
    kill_at: Option<usize>,
) -> Result<Pass, Failure> {
    let begin = Instant::now();
    let permits = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut calls = Vec::new();
    for image in images {
        let (pool, permits, image) = (pool.clone(), permits.clone(), image.clone());
        calls.push(tokio::spawn(async move {
            let _permit = permits.acquire().await?;
            let asked = Instant::now();
            let answer: Answer = pool.request("predict").idempotent().call(&image).await?;
            Ok::<_, Failure>((answer, asked.elapsed()))
        }));
    }

    let mut pass = Pass::default();
    for (number, call) in calls.into_iter().enumerate() {
        let (answer, waited) = call.await??;
        if kill_at == Some(number) {
            let victim = Pid::from_raw(answer.worker).ok_or("not a process id")?;
            kill_process(victim, Signal::KILL)?;
        }
        pass.digits.push(answer.digit);
        pass.workers.push(answer.worker);
        pass.waits.push(waited);
    }
    pass.took = begin.elapsed();
    Ok(pass)
}

/// Asks for process ids until one shows up that had no part in this pass.
async fn replacement(pool: &Pool, pass: &Pass) -> Result<i32, Failure> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        let pid: i32 = pool.call("pid", &()).await?;
        if !pass.workers.contains(&pid) {
            return Ok(pid);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err("the killed worker was not replaced within a minute".into())
}
