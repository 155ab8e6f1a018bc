//! Connections beyond `max_connections`: told so, and closed.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::listener::Stream;

/// Connections that are told at the same time. Beyond that they are closed at once: each takes a
/// descriptor.
const MOST: usize = 64;

/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(1);

const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// What `/healthz` answers: who asks whether the program is alive is not to restart it because it is busy.
const ALIVE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 11\r\n\r\n{\"ok\":true}";

/// Those that are being told.
#[derive(Debug, Default)]
pub(super) struct TurnedAway(JoinSet<()>);

impl TurnedAway {
    /// Tells a client that there are too many connections.
    pub(super) fn tell(&mut self, stream: Stream) {
        while self.0.try_join_next().is_some() {}
        if self.0.len() < MOST {
            self.0.spawn(async move {
                // It is closed whatever comes of it.
                let _ = timeout(PATIENCE, tell(stream)).await;
            });
        }
    }
}

async fn tell(mut stream: Stream) -> std::io::Result<()> {
    let mut bytes = [0; 1024];
    // A connection that is closed with bytes unread is reset, and its client loses the answer.
    let count = stream.read(&mut bytes).await?;
    let answer = if bytes[..count].starts_with(b"GET /healthz ") {
        ALIVE
    } else {
        BUSY
    };
    stream.write_all(answer).await?;
    stream.shutdown().await?;
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}
