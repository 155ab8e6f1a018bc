//! ZeroMQ, called from Rust: the crate zeromq, which needs no C library, calls the Python worker.

use std::time::Instant;

use bytes::Bytes;
use zeromq::{DealerSocket, Socket, SocketRecv, SocketSend};

use super::measured::{AT_ONCE, Laps, Measured};
use super::{ANSWER, LIMIT, QUESTION};
use crate::calls::one_thread;
use crate::program::Server;
use crate::{Failure, python};

pub(super) fn run(seconds: f64) -> Result<Measured, Failure> {
    let server = Server::start(&python::folder("python/peers/zeromq_server.py"), LIMIT)?;
    one_thread()?.block_on(async {
        let mut socket = DealerSocket::new();
        let address = format!("ipc://{}", server.socket().display());
        socket.connect(&address).await?;
        one_at_a_time(&mut socket, seconds / 2.0).await?;
        let mut measured = Measured::of(one_at_a_time(&mut socket, seconds).await?);
        for at_once in AT_ONCE {
            let rate = many_at_once(&mut socket, seconds, at_once).await?;
            measured.rates.insert(at_once, rate);
        }
        Ok(measured)
    })
}

async fn start(socket: &mut DealerSocket) -> Result<(), Failure> {
    Ok(socket.send(Bytes::from_static(QUESTION).into()).await?)
}

async fn finish(socket: &mut DealerSocket) -> Result<(), Failure> {
    let answer = socket.recv().await?;
    if answer.get(0).is_some_and(|body| body == ANSWER) {
        Ok(())
    } else {
        Err("a wrong answer".into())
    }
}

async fn one_at_a_time(socket: &mut DealerSocket, seconds: f64) -> Result<Laps, Failure> {
    let mut laps = Laps::within(seconds);
    while laps.another() {
        start(socket).await?;
        finish(socket).await?;
        laps.lap();
    }
    Ok(laps)
}

async fn many_at_once(
    socket: &mut DealerSocket,
    seconds: f64,
    at_once: usize,
) -> Result<f64, Failure> {
    for _ in 0..at_once {
        start(socket).await?;
    }
    let begin = Instant::now();
    let mut calls = 0.0;
    while begin.elapsed().as_secs_f64() < seconds {
        finish(socket).await?;
        start(socket).await?;
        calls += 1.0;
    }
    let rate = calls / begin.elapsed().as_secs_f64();
    for _ in 0..at_once {
        finish(socket).await?;
    }
    Ok(rate)
}
