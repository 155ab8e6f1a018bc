//! Listening sockets and the connections that come in by them, TCP and Unix alike.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::either::Either;

use super::settings::Listen;
use crate::failure::Failure;

/// Connections that the system keeps until they are accepted: bursts fit, and `somaxconn` bounds it.
const BACKLOG: u32 = 4096;

/// A client that says nothing for the first is asked whether it is there, so many times with the second
/// between; one that does not answer is gone after a minute.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
const KEEPALIVE_BETWEEN: Duration = Duration::from_secs(10);
const KEEPALIVE_COUNT: u32 = 3;

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
    /// Listens at a place, which a key of the configuration names.
    pub(super) fn bind(key: &str, listen: &Listen) -> Result<Self, Failure> {
        let bound = match listen {
            Listen::Tcp(address) => Self::bind_tcp(*address),
            Listen::Unix(path) => bind_unix(path).and_then(|socket| {
                Ok(Self {
                    socket: Socket::Unix(socket, File::of(path)?),
                    bound: listen.clone(),
                })
            }),
        };
        bound.map_err(|error| {
            let problem = match (listen, error.kind()) {
                (Listen::Unix(path), io::ErrorKind::AddrInUse) if !is_socket(path) => {
                    "something that is no socket is there".to_owned()
                }
                (Listen::Tcp(_), io::ErrorKind::AddrInUse) => {
                    format!("{error}; name another with `{key}`")
                }
                _ => error.to_string(),
            };
            Failure::Failed(format!("`{key}`: cannot listen on {listen}: {problem}"))
        })
    }

    fn bind_tcp(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() {
            tokio::net::TcpSocket::new_v4()?
        } else {
            tokio::net::TcpSocket::new_v6()?
        };
        // A restart need not wait for the connections of the last run to be forgotten.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        // Every connection inherits these two. A client whose machine is gone says nothing, and what
        // it asked for may run for long.
        sockopt::set_socket_keepalive(&socket, true)?;
        sockopt::set_tcp_keepidle(&socket, KEEPALIVE_AFTER)?;
        sockopt::set_tcp_keepintvl(&socket, KEEPALIVE_BETWEEN)?;
        sockopt::set_tcp_keepcnt(&socket, KEEPALIVE_COUNT)?;
        // Answers are written whole: there is nothing to wait for.
        sockopt::set_tcp_nodelay(&socket, true)?;
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
            Socket::Tcp(listener) => Ok(Either::Left(listener.accept().await?.0)),
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
    is_socket(path)
        && StdUnixStream::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
}

/// The file of a Unix socket.
struct File {
    path: PathBuf,
    identity: (u64, u64),
}

impl File {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self {
            identity: identity(path)?,
            path: path.to_owned(),
        })
    }
}

/// What tells a file from another one of the same name.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

impl Drop for File {
    fn drop(&mut self) {
        // Somebody may have removed it, and put another in its place.
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_find_out_that_their_client_is_gone() {
        let place = Listen::parse("127.0.0.1:0").expect("a place");
        let listener = Listener::bind("listen", &place).expect("a listener");
        let Listen::Tcp(address) = listener.bound().clone() else {
            unreachable!("a port was asked for");
        };
        let client = TcpStream::connect(address).await.expect("a client");
        let Ok(Either::Left(stream)) = listener.accept().await else {
            unreachable!("it has connected");
        };
        assert!(sockopt::socket_keepalive(&stream).expect("an option"));
        assert_eq!(
            sockopt::tcp_keepidle(&stream).expect("an option"),
            KEEPALIVE_AFTER
        );
        assert!(sockopt::tcp_nodelay(&stream).expect("an option"));
        drop(client);
    }

    #[tokio::test]
    async fn only_the_own_socket_is_removed() {
        let folder = std::env::temp_dir().join(format!("pyproc-sockets-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let place = Listen::Unix(folder.join("socket"));
        let first = Listener::bind("listen", &place).expect("a listener");
        fs::remove_file(folder.join("socket")).expect("a socket");
        let second = Listener::bind("listen", &place).expect("a listener");
        drop(first);
        assert!(folder.join("socket").exists());
        drop(second);
        assert!(!folder.join("socket").exists());
        let error = Listener::bind("metrics_listen", &Listen::Unix(folder.clone())).err();
        assert_eq!(
            error.map(|error| format!("{error:?}").contains("no socket is there")),
            Some(true)
        );
        fs::remove_dir(&folder).expect("an empty folder");
    }
}
