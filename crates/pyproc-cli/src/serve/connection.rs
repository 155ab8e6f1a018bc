//! One connection, from its first byte to its last: HTTP/1.1 or HTTP/2, whichever the client speaks.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio_util::either::Either;

use super::answer::{Site, answer};
use super::connections::{Open, Order};
use super::listener::Stream;
use super::settings::Settings;
use super::streams::Streams;

/// How hyper is to speak.
pub(super) type Protocol = Builder<Streams>;

/// Requests of one HTTP/2 connection at the same time.
const STREAMS: u32 = 256;

/// Bytes that an HTTP/2 client may send ahead, for one request and for all of a connection.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// How often an HTTP/2 client is asked whether it is still there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(30);

/// The protocols within the limits of the settings.
pub(super) fn protocol(settings: &Settings) -> Protocol {
    /// What hyper keeps on the stack; any other number costs an allocation.
    const HEADERS: usize = 100;
    /// What HTTP/2 can take: a field counts 32 bytes beside its own, and 32,768 fit into a map of them.
    const LIST: u32 = 32 << 15;
    let mut protocol = Builder::new(Streams::new(settings.body_timeout));
    let mut http1 = protocol.http1();
    http1.max_buf_size(settings.max_header_bytes.max(8 << 10));
    if settings.max_headers != HEADERS {
        http1.max_headers(settings.max_headers);
    }
    let list = u32::try_from(settings.max_header_bytes).map_or(LIST, |list| list.min(LIST));
    protocol
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(list)
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    protocol
}

/// Answers the requests of a connection until it ends.
pub(super) async fn serve(stream: Stream, open: Open, site: Site, protocol: Arc<Protocol>) {
    let open = Arc::new(open);
    let stream = Watched {
        stream,
        open: Arc::clone(&open),
    };
    let requests = Arc::clone(&open);
    let service = service_fn(move |request: Request<Incoming>| {
        answer(site.clone(), requests.request(request.version()), request)
    });
    let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service));
    let mut finishing = false;
    poll_fn(|context| {
        match open.order(context) {
            Order::Close => return Poll::Ready(()),
            Order::Finish if !finishing => {
                finishing = true;
                connection.as_mut().graceful_shutdown();
            }
            _ => {}
        }
        // A client that broke the protocol has been told, and one that is gone cannot be.
        connection.as_mut().poll(context).map(|ended| {
            if let Err(error) = ended {
                tracing::debug!("a connection broke: {error}");
            }
        })
    })
    .await;
}

/// A stream whose progress is noted.
struct Watched {
    stream: Stream,
    open: Arc<Open>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.open.listens(read.is_pending());
        ready!(read)?;
        if let received @ [_, ..] = &buffer.filled()[before..] {
            self.open.received(received);
        }
        Poll::Ready(Ok(()))
    }
}

impl Watched {
    /// Whether the client has closed its side, or the whole connection, with bytes unread or not.
    fn is_left(&self) -> bool {
        let ready = match &self.stream {
            Either::Left(stream) => stream.ready(Interest::READABLE).now_or_never(),
            Either::Right(stream) => stream.ready(Interest::READABLE).now_or_never(),
        };
        matches!(ready, Some(Ok(ready)) if ready.is_read_closed())
    }

    #[inline]
    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending => self.open.write_waits(),
            Poll::Ready(Ok(bytes)) => self.open.written(*bytes),
            Poll::Ready(Err(_)) => {}
        }
        written
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        /// Head and body of a small answer: copying them is cheaper than having the kernel gather them.
        const SMALL: usize = 1024;
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        if bytes <= SMALL {
            let mut whole = [0; SMALL];
            let mut end = 0;
            for part in parts {
                whole[end..end + part.len()].copy_from_slice(part);
                end += part.len();
            }
            return self.poll_write(context, &whole[..end]);
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // It is asked for when all is written.
        self.open.flushed();
        // hyper asks for it whenever it is woken and has nothing else to write.
        if self.open.is_asked() && self.is_left() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
