//! Listening sockets and the connections that come in by them, TCP and Unix alike.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::either::Either;

use super::settings::Listen;
use crate::failure::Failure;

/// Connections that the system keeps until they are accepted: bursts fit, and `somaxconn` bounds it.
const BACKLOG: u32 = 4096;

/// A connection.
pub(super) type Stream = Either<TcpStream, UnixStream>;

/// A socket that takes connections. A Unix socket's file is removed with it.
pub(super) struct Listener {
    socket: Socket,
    bound: Listen,
}

enum Socket {
    Tcp(TcpListener),
    Unix(
        UnixListener,
        #[expect(dead_code, reason = "removes the file when dropped")] File,
    ),
}

impl Listener {
    /// Listens at a place.
    pub(super) fn bind(listen: &Listen) -> Result<Self, Failure> {
        let bound = match listen {
            Listen::Tcp(_) => Self::bind_tcp(listen),
            Listen::Unix(path) => bind_unix(path).map(|socket| Self {
                socket: Socket::Unix(socket, File(path.clone())),
                bound: listen.clone(),
            }),
        };
        bound.map_err(|error| Failure::Failed(format!("cannot listen on {listen}: {error}")))
    }

    fn bind_tcp(listen: &Listen) -> io::Result<Self> {
        let Listen::Tcp(address) = listen else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let socket = if address.is_ipv4() {
            tokio::net::TcpSocket::new_v4()?
        } else {
            tokio::net::TcpSocket::new_v6()?
        };
        // A restart need not wait for the connections of the last run to be forgotten.
        socket.set_reuseaddr(true)?;
        socket.bind(*address)?;
        let socket = socket.listen(BACKLOG)?;
        Ok(Self {
            bound: Listen::Tcp(socket.local_addr()?),
            socket: Socket::Tcp(socket),
        })
    }

    /// Where it listens: the port that was chosen, if it was to be any.
    pub(super) fn bound(&self) -> &Listen {
        &self.bound
    }

    /// The next connection.
    ///
    /// # Cancel safety
    /// No connection is lost when the future is dropped.
    pub(super) async fn accept(&self) -> io::Result<Stream> {
        match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Answers are written whole: there is nothing to wait for. It fails only on a
                // connection that is gone, which reading finds out.
                let _ = stream.set_nodelay(true);
                Ok(Either::Left(stream))
            }
            Socket::Unix(listener, _) => Ok(Either::Right(listener.accept().await?.0)),
        }
    }
}

/// Listens at a path, over what a program that was killed has left there.
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_abandoned(path) => {
            fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }
}

/// Whether there is a socket at which nobody listens any more.
fn is_abandoned(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
        && StdUnixStream::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// The file of a Unix socket.
struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        // Somebody may have removed it before.
        let _ = fs::remove_file(&self.0);
    }
}
