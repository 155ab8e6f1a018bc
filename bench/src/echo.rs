//! A plain echo through a Unix socket, the least that a Python process behind a socket can do. It
//! neither decodes nor calls: a reference, not a peer.

use std::os::unix::net::UnixStream as StdStream;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::{Failure, python};

/// The MessagePack of `{"value": 42}`: what the echo carries.
const MESSAGE: &[u8] = b"\x81\xa5value\x2a";

/// A Python process that sends back what it receives.
pub(crate) struct Echo {
    stream: UnixStream,
    process: Child,
    buffer: Vec<u8>,
}

impl Echo {
    pub(crate) async fn start() -> Result<Self, Failure> {
        let (near, far) = StdStream::pair()?;
        let process = Command::new(python::interpreter())
            .arg(python::folder("python/echo.py"))
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(far)))
            .spawn()?;
        near.set_nonblocking(true)?;
        let mut echo = Self {
            stream: UnixStream::from_std(near)?,
            process,
            buffer: vec![0; MESSAGE.len()],
        };
        for _ in 0..10_000 {
            echo.call().await?;
        }
        Ok(echo)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// One message there and back.
    pub(crate) async fn call(&mut self) -> Result<(), Failure> {
        self.stream.write_all(MESSAGE).await?;
        self.stream.read_exact(&mut self.buffer).await?;
        if self.buffer == MESSAGE {
            Ok(())
        } else {
            Err("a wrong echo".into())
        }
    }

    /// Messages per second with always so many under way: as many are sent as have come back.
    pub(crate) async fn many(&mut self, messages: usize, at_once: usize) -> Result<f64, Failure> {
        let batch = MESSAGE.repeat(at_once);
        let mut back = vec![0; batch.len()];
        let begin = Instant::now();
        self.stream.write_all(&batch).await?;
        let (mut done, mut bytes) = (0, 0);
        while done < messages {
            match self.stream.read(&mut back).await? {
                0 => return Err("the echo has ended".into()),
                read => bytes += read,
            }
            let whole = bytes / MESSAGE.len();
            bytes %= MESSAGE.len();
            done += whole;
            self.stream
                .write_all(&batch[..whole * MESSAGE.len()])
                .await?;
        }
        let rate = done as f64 / begin.elapsed().as_secs_f64();
        // What is still under way, the rest of a message that came in part included.
        self.stream
            .read_exact(&mut back[..at_once * MESSAGE.len() - bytes])
            .await?;
        Ok(rate)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It has no other work and may already be gone; the exit is of no interest.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
