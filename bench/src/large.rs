//! Large bodies, beside plain copies of memory in the same run.

use std::hint::black_box;
use std::time::Instant;

use pyproc::{Body, ContentType, Pool};

use crate::calls::one_thread;
use crate::options::Options;
use crate::report::{Report, Unit};
use crate::statistics::median;
use crate::{Failure, python};

pub(crate) const PART: &str = "large";
pub(crate) const COPY: &str = "1 MiB: one plain copy";
pub(crate) const ECHO: &str = "1 MiB: echo through Python";
const MIB: usize = 1 << 20;
const ECHOES: usize = 400;

pub(crate) fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let runtime = one_thread()?;
    let pool = runtime.block_on(python::pool("worker.py", 1))?;
    let (mut copies, mut echoes, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let copy = copy_ns(MIB, ECHOES);
        let echo = runtime.block_on(echo_ns(&pool))?;
        ratios.push(echo / copy);
        copies.push(copy);
        echoes.push(echo);
    }
    report.figure(PART, COPY, Unit::Nanoseconds, &copies);
    report.figure(PART, ECHO, Unit::Nanoseconds, &echoes);
    report.at_most(PART, "1 MiB echo in plain copies", &ratios, 6.0);

    for (name, bytes) in [("64 MiB", 64 * MIB), ("1 GiB", 1024 * MIB)] {
        let (mut plain, mut to, mut from) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..options.rounds.min(3) {
            plain.push(bytes as f64 / copy_ns(bytes, 1));
            to.push(bytes as f64 / runtime.block_on(to_python_ns(&pool, bytes))?);
            from.push(bytes as f64 / runtime.block_on(from_python_ns(&pool, bytes))?);
        }
        report.figure(
            PART,
            format!("{name}: one plain copy"),
            Unit::GigabytesPerSecond,
            &plain,
        );
        report.figure(
            PART,
            format!("{name}: written in place, read in Python"),
            Unit::GigabytesPerSecond,
            &to,
        );
        report.figure(
            PART,
            format!("{name}: made in Python, read in Rust"),
            Unit::GigabytesPerSecond,
            &from,
        );
    }
    Ok(runtime.block_on(pool.shutdown())?)
}

/// Copies memory that has been written before: the median of `times`.
pub(crate) fn copy_ns(bytes: usize, times: usize) -> f64 {
    let from = vec![1_u8; bytes];
    let mut to = vec![2_u8; bytes];
    let mut copies = Vec::with_capacity(times);
    for _ in 0..times {
        let begin = Instant::now();
        black_box(&mut to[..]).copy_from_slice(black_box(&from));
        copies.push(begin.elapsed().as_nanos() as f64);
    }
    black_box(&to);
    median(&copies)
}

/// Sends bytes of the program's own and reads them back.
async fn echo_ns(pool: &Pool) -> Result<f64, Failure> {
    let message = bytes::Bytes::from(vec![7_u8; MIB]);
    let mut waits = Vec::with_capacity(ECHOES);
    for _ in 0..ECHOES {
        let begin = Instant::now();
        let reply = pool
            .request("echo")
            .body(Body::raw(message.clone()))
            .accept(ContentType::Raw)
            .send()
            .await?;
        waits.push(begin.elapsed().as_nanos() as f64);
        if reply.bytes().len() != MIB || reply.bytes()[MIB - 1] != 7 {
            return Err("a wrong echo".into());
        }
    }
    Ok(median(&waits))
}

/// Fills memory that the worker sees, and has it looked at.
async fn to_python_ns(pool: &Pool, bytes: usize) -> Result<f64, Failure> {
    let begin = Instant::now();
    let mut body = pool.allocate(bytes)?;
    body.fill(3);
    let reply = pool
        .request("size")
        .body(body.into_body(ContentType::Raw))
        .send()
        .await?;
    let nanoseconds = begin.elapsed().as_nanos() as f64;
    let size: usize = reply.decode()?;
    if size == bytes {
        Ok(nanoseconds)
    } else {
        Err("the worker saw other bytes".into())
    }
}

async fn from_python_ns(pool: &Pool, bytes: usize) -> Result<f64, Failure> {
    let begin = Instant::now();
    let reply = pool
        .request("make")
        .body(Body::json(bytes.to_string()))
        .accept(ContentType::Raw)
        .send()
        .await?;
    let nanoseconds = begin.elapsed().as_nanos() as f64;
    if reply.bytes().len() == bytes {
        Ok(nanoseconds)
    } else {
        Err("a result of another size".into())
    }
}
