//! A server that takes its time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;
use tokio::time::sleep;

/// Clients that the server wants to see waiting before it answers any of them.
pub(crate) const AT_ONCE: usize = 64;

/// How long it thinks about an answer.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    clients: Arc<Clients>,
}

struct Clients {
    now: AtomicUsize,
    most: AtomicUsize,
    all_there: Barrier,
}

impl Server {
    pub(crate) async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let clients = Arc::new(Clients {
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            all_there: Barrier::new(AT_ONCE),
        });
        let server = Self {
            address,
            clients: Arc::clone(&clients),
        };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let clients = Arc::clone(&clients);
                tokio::spawn(async move { clients.answer(client).await });
            }
        });
        Ok(server)
    }

    /// How many have waited at the same time, at most.
    pub(crate) fn most(&self) -> usize {
        self.clients.most.load(Ordering::Relaxed)
    }
}

impl Clients {
    async fn answer(&self, client: TcpStream) -> std::io::Result<()> {
        let mut client = BufReader::new(client);
        let mut question = String::new();
        client.read_line(&mut question).await?;
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        self.all_there.wait().await;
        sleep(PAUSE).await;
        self.now.fetch_sub(1, Ordering::Relaxed);
        client
            .write_all(format!("answer to {question}").as_bytes())
            .await
    }
}
