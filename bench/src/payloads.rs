//! Bytes of every size, to Python and from it, beside a plain copy of memory in the same round and
//! beside peers.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use pyproc::{Body, ContentType, Pool};
use serde::Deserialize;

use crate::calls::one_thread;
use crate::large::copy_ns;
use crate::options::Options;
use crate::peers::LIMIT;
use crate::report::{Report, Unit};
use crate::statistics::median;
use crate::{Failure, program, python};

pub(crate) const PART: &str = "payloads";

/// From 16 B to 64 MiB, times eight.
pub(crate) const SIZES: [usize; 9] = [
    16,
    128,
    1 << 10,
    8 << 10,
    64 << 10,
    512 << 10,
    4 << 20,
    32 << 20,
    64 << 20,
];

pub(crate) const COPY: &str = "one plain copy";
pub(crate) const OURS: &str = "pyproc";
/// Peers and their scripts.
pub(crate) const PEERS: [(&str, &str); 2] = [
    ("multiprocessing.Pipe", "python/peers/pipe_transfer.py"),
    ("ZeroMQ (pyzmq)", "python/peers/zeromq_transfer.py"),
];

/// About how long each figure of a round is measured, and how often at least.
const SECONDS: f64 = 0.1;
const AT_LEAST: usize = 3;
/// Copies are timed by the median of so many bytes.
const COPIED: usize = 64 << 20;

/// Nanoseconds by size, one round. A peer prints this as JSON.
#[derive(Deserialize)]
struct Transfers {
    to: BTreeMap<usize, f64>,
    from: BTreeMap<usize, f64>,
}

/// The name of a figure.
pub(crate) fn name(size: usize, what: &str) -> String {
    format!("{}: {what}", size_text(size))
}

/// Where the bytes go.
pub(crate) fn to(who: &str) -> String {
    format!("to Python, {who}")
}

pub(crate) fn from(who: &str) -> String {
    format!("from Python, {who}")
}

/// A size in the unit that fits.
pub(crate) fn size_text(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

pub(crate) fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let mut copies: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    let mut ours = Vec::new();
    let mut peers: [Result<Vec<Transfers>, String>; 2] = PEERS.map(|_| Ok(Vec::new()));
    for round in 1..=options.rounds {
        eprintln!("  round {round} of {}", options.rounds);
        for size in SIZES {
            let copy = copy_ns(size, (COPIED / size).clamp(AT_LEAST, 10_000));
            copies.entry(size).or_default().push(copy);
        }
        ours.push(one_thread()?.block_on(pool(SECONDS))?);
        for ((name, script), outcome) in PEERS.iter().zip(&mut peers) {
            if let Ok(rounds) = outcome {
                match peer(script, SECONDS) {
                    Ok(transfers) => rounds.push(transfers),
                    Err(failure) => {
                        eprintln!("  {name} is missing: {failure}");
                        *outcome = Err(failure.to_string());
                    }
                }
            }
        }
    }
    let mut contenders = vec![(OURS, &ours)];
    for ((name, _), outcome) in PEERS.iter().zip(&peers) {
        match outcome {
            Ok(rounds) => contenders.push((name, rounds)),
            Err(reason) => report.missing(PART, *name, reason),
        }
    }
    for size in SIZES {
        report.figure(PART, name(size, COPY), Unit::Nanoseconds, &copies[&size]);
        for (who, rounds) in &contenders {
            let times = |direction: fn(&Transfers) -> &BTreeMap<usize, f64>| -> Vec<f64> {
                rounds
                    .iter()
                    .map(|transfers| direction(transfers)[&size])
                    .collect()
            };
            report.figure(
                PART,
                name(size, &to(who)),
                Unit::Nanoseconds,
                &times(|both| &both.to),
            );
            report.figure(
                PART,
                name(size, &from(who)),
                Unit::Nanoseconds,
                &times(|both| &both.from),
            );
        }
    }
    Ok(())
}

fn peer(script: &str, seconds: f64) -> Result<Transfers, Failure> {
    let mut arguments = vec![seconds.to_string()];
    arguments.extend(SIZES.map(|size| size.to_string()));
    let text = program::output(&python::folder(script), &arguments, LIMIT)?;
    let transfers: Transfers =
        serde_json::from_str(&text).map_err(|error| format!("printed {text:?}: {error}"))?;
    let complete = |times: &BTreeMap<usize, f64>| times.keys().eq(&SIZES);
    if complete(&transfers.to) && complete(&transfers.from) {
        Ok(transfers)
    } else {
        Err("did not measure every size".into())
    }
}

async fn pool(seconds: f64) -> Result<Transfers, Failure> {
    let pool = python::pool("worker.py", 1).await?;
    let (mut to, mut from) = (BTreeMap::new(), BTreeMap::new());
    for size in SIZES {
        let data = Bytes::from(vec![7_u8; size]);
        send(&pool, &data).await?;
        to.insert(
            size,
            timed(seconds, async || send(&pool, &data).await).await?,
        );
        receive(&pool, size).await?;
        from.insert(
            size,
            timed(seconds, async || receive(&pool, size).await).await?,
        );
    }
    pool.shutdown().await?;
    Ok(Transfers { to, from })
}

/// The median of what a transfer takes.
async fn timed(
    seconds: f64,
    transfer: impl AsyncFn() -> Result<(), Failure>,
) -> Result<f64, Failure> {
    let mut waits = Vec::new();
    let begin = Instant::now();
    let mut now = begin;
    while waits.len() < AT_LEAST || (now - begin).as_secs_f64() < seconds {
        let before = Instant::now();
        transfer().await?;
        now = Instant::now();
        waits.push((now - before).as_nanos() as f64);
    }
    Ok(median(&waits))
}

/// Bytes that the program has: copied once, into memory that the worker sees.
async fn send(pool: &Pool, data: &Bytes) -> Result<(), Failure> {
    let body = Body::raw(data.clone());
    let arrived: usize = pool.request("size").body(body).send().await?.decode()?;
    expect(arrived, data.len())
}

/// Bytes that the worker has: copied by it into memory that the host sees, and out of it.
async fn receive(pool: &Pool, size: usize) -> Result<(), Failure> {
    let reply = pool
        .request("give")
        .body(Body::json(size.to_string()))
        .accept(ContentType::Raw)
        .send()
        .await?;
    expect(reply.bytes().len(), size)
}

fn expect(arrived: usize, size: usize) -> Result<(), Failure> {
    if arrived == size {
        Ok(())
    } else {
        Err(format!("{arrived} bytes arrived, not {size}").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_in_the_unit_that_fits() {
        assert_eq!(SIZES.map(size_text)[0], "16 B");
        assert_eq!(SIZES.map(size_text)[3], "8 KiB");
        assert_eq!(SIZES.map(size_text)[8], "64 MiB");
    }

    #[test]
    fn a_peer_that_is_not_there_is_an_error() {
        assert!(peer("python/peers/there_is_none.py", 0.01).is_err());
    }

    /// Every transfer arrives whole; what is not installed is listed by the peers' own test.
    #[tokio::test]
    async fn every_contender_transfers_every_size() {
        pool(0.0).await.unwrap();
        for (name, script) in PEERS {
            if name.contains("ZeroMQ") && !python::packages().unwrap().contains_key("pyzmq") {
                continue;
            }
            peer(script, 0.0).unwrap_or_else(|failure| panic!("{name}: {failure}"));
        }
    }
}
