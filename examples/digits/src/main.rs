//! A scikit-learn model served to a Rust program: `make demo`.
//!
//! `worker.py`, beside this crate, trains a classifier on half of scikit-learn's real handwritten
//! digits. This program has two workers read the other half, kills one of them on the way, and
//! shows that every image still got its answer.
#![expect(clippy::print_stdout, reason = "this program's output is its purpose")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pyproc::{Pool, PoolConfig};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

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

/// What became of one pass over all images.
struct Pass {
    /// One answer per image, in the order of the images, with the time its caller waited.
    answers: Vec<(Answer, Duration)>,
    took: Duration,
    /// The worker that was killed on the way.
    killed: Option<i32>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    println!("Starting two Python workers; each trains the classifier ...");
    let begin = Instant::now();
    let worker = concat!(env!("CARGO_MANIFEST_DIR"), "/worker.py");
    let pool = Pool::start(PoolConfig::new(worker).workers(2)).await?;
    let HeldOut { images, labels } = pool.call("held_out", &()).await?;
    let images = Arc::new(images);
    println!(
        "Ready after {:.1?}: {} images that it has never seen.\n",
        begin.elapsed(),
        images.len()
    );

    let calm = classify(&pool, &images, None).await?;
    draw(&images, &labels, &calm);
    report("One call per image", &calm, &labels);

    let begin = Instant::now();
    let batch: Answers = pool.call("predict", &*images).await?;
    println!(
        "One call with all {} images: {:.1?}\n",
        batch.digit.len(),
        begin.elapsed()
    );

    println!("Once more, and a worker is killed (SIGKILL) half-way ...");
    let shot = classify(&pool, &images, Some(images.len() / 2)).await?;
    report("With a worker killed", &shot, &labels);
    let killed = shot.killed.ok_or("no worker was killed")?;
    let same = calm
        .answers
        .iter()
        .zip(&shot.answers)
        .filter(|(a, b)| a.0.digit == b.0.digit)
        .count();
    println!(
        "{same} of {} answers are the same as before the kill.",
        images.len()
    );
    println!(
        "  worker {killed}, killed, had answered {}",
        answered_by(&shot, |worker| worker == killed)
    );
    println!(
        "  the rest was answered by the other: {}",
        answered_by(&shot, |worker| worker != killed)
    );
    let replacement = wait_for_replacement(&pool, &shot).await?;
    println!("  worker {replacement} has taken its place.");

    pool.shutdown().await?;
    if same == images.len() {
        Ok(())
    } else {
        Err("some answers differ".into())
    }
}

/// Has every image read, several at once. With `kill_at`, kills the worker that gave the answer of
/// that number: calls that it had begun are run again by the other, because they are idempotent.
async fn classify(
    pool: &Pool,
    images: &Arc<Vec<Vec<f64>>>,
    kill_at: Option<usize>,
) -> Result<Pass, Failure> {
    let begin = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let done = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let (pool, images) = (pool.clone(), images.clone());
            let (next, done) = (next.clone(), done.clone());
            tokio::spawn(async move {
                let mut mine = Vec::new();
                let mut killed = None;
                while let Some((index, image)) = take(&next, &images) {
                    let asked = Instant::now();
                    let answer: Answer = pool.request("predict").idempotent().call(image).await?;
                    let waited = asked.elapsed();
                    if Some(done.fetch_add(1, Ordering::Relaxed)) == kill_at {
                        let pid = Pid::from_raw(answer.worker).ok_or("no such process")?;
                        kill_process(pid, Signal::KILL)?;
                        killed = Some(answer.worker);
                    }
                    mine.push((index, (answer, waited)));
                }
                Ok::<_, Failure>((mine, killed))
            })
        })
        .collect();

    let mut numbered = Vec::with_capacity(images.len());
    let mut killed = None;
    for caller in callers {
        let (mine, shot) = caller.await??;
        numbered.extend(mine);
        killed = killed.or(shot);
    }
    numbered.sort_by_key(|(index, _)| *index);
    let answers = numbered.into_iter().map(|(_, answer)| answer).collect();
    Ok(Pass {
        answers,
        took: begin.elapsed(),
        killed,
    })
}

/// The next image that nobody has taken, with its number.
fn take<'a>(next: &AtomicUsize, images: &'a [Vec<f64>]) -> Option<(usize, &'a Vec<f64>)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    images.get(index).map(|image| (index, image))
}

/// Asks for process ids until one shows up that has not answered in this pass.
async fn wait_for_replacement(pool: &Pool, pass: &Pass) -> Result<i32, Failure> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        let pid: i32 = pool.call("pid", &()).await?;
        if answered_by(pass, |worker| worker == pid) == 0 {
            return Ok(pid);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err("the killed worker was not replaced within a minute".into())
}

fn answered_by(pass: &Pass, worker: impl Fn(i32) -> bool) -> usize {
    pass.answers
        .iter()
        .filter(|(answer, _)| worker(answer.worker))
        .count()
}

/// Prints accuracy, calls per second and latencies of a pass.
fn report(title: &str, pass: &Pass, labels: &[u8]) {
    let right = pass
        .answers
        .iter()
        .zip(labels)
        .filter(|((answer, _), label)| answer.digit == **label)
        .count();
    let mut waits: Vec<Duration> = pass.answers.iter().map(|(_, waited)| *waited).collect();
    waits.sort();
    let percentile = |share: f64| waits[((waits.len() - 1) as f64 * share).round() as usize];
    println!(
        "{title}, {IN_FLIGHT} at once:\n  {} of {} images answered, {right} read right ({:.1} %)\n  {:.0} calls/s · p50 {:.0?} · p90 {:.0?} · p99 {:.0?}",
        pass.answers.len(),
        labels.len(),
        100.0 * right as f64 / labels.len() as f64,
        pass.answers.len() as f64 / pass.took.as_secs_f64(),
        percentile(0.50),
        percentile(0.90),
        percentile(0.99),
    );
}

/// Draws the first three images and the first that was misread, side by side.
fn draw(images: &[Vec<f64>], labels: &[u8], pass: &Pass) {
    let misread = (0..images.len()).find(|&index| pass.answers[index].0.digit != labels[index]);
    let shown: Vec<usize> = (0..3).chain(misread).collect();
    for row in 0..8 {
        let line: Vec<String> = shown
            .iter()
            .map(|&index| ink(&images[index][row * 8..][..8]))
            .collect();
        println!("  {}", line.join("   ").trim_end());
    }
    let captions: Vec<String> = shown
        .iter()
        .map(|&index| {
            format!(
                "{:<16}",
                format!("{} read as {}", labels[index], pass.answers[index].0.digit)
            )
        })
        .collect();
    println!("  {}\n", captions.join("   ").trim_end());
}

/// One row of pixels of 0 to 16 as text, two characters each.
fn ink(pixels: &[f64]) -> String {
    pixels
        .iter()
        .map(|&pixel| ["  ", "░░", "▒▒", "▓▓", "██"][(pixel / 16.0 * 4.0).round() as usize])
        .collect()
}
