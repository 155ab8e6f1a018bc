//! Connections beyond `max_connections`: told so, and closed.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::{AbortHandle, JoinSet, yield_now};
use tokio::time::timeout;

use super::listener::Stream;

/// Connections that are told at the same time: each takes a descriptor.
pub(super) const MOST: usize = 64;

/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(1);

const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// What `/healthz` answers: who asks whether the program is alive is not to restart it because it is busy.
const ALIVE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 11\r\n\r\n{\"ok\":true}";

/// Those that are being told.
#[derive(Debug, Default)]
pub(super) struct TurnedAway {
    telling: JoinSet<()>,
    /// The same, the oldest first.
    order: VecDeque<AbortHandle>,
}

impl TurnedAway {
    /// Tells a client that there are too many connections. Where too many are being told, it takes the place
    /// of the oldest: who says something does so at once, and who says nothing keeps no probe out.
    pub(super) async fn tell(&mut self, stream: Stream) {
        while self.telling.try_join_next().is_some() {}
        self.order.retain(|telling| !telling.is_finished());
        if self.order.len() >= MOST
            && let Some(oldest) = self.order.pop_front()
        {
            oldest.abort();
        }
        let telling = self.telling.spawn(async move {
            // It is closed whatever comes of it.
            let _ = timeout(PATIENCE, tell(stream)).await;
        });
        self.order.push_back(telling);
        // However fast they come: the old one is closed, and the new one read, before the next is taken.
        yield_now().await;
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
