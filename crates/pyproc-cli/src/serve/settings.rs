//! What a gateway runs by: the configuration, checked, as plain types.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use pyproc::PoolConfig;

use crate::config::gateway::LogFormat;

/// A configuration that was checked. The keys of the configuration have the same names.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The pool's name: also what its traces come from, unless the environment says otherwise.
    pub(crate) name: String,
    /// The pool; its `shutdown_timeout` is the gateway's.
    pub(crate) pool: PoolConfig,
    /// Where requests are taken.
    pub(crate) listen: Listen,
    /// Where Prometheus finds the metrics; nowhere without it.
    pub(crate) metrics_listen: Option<Listen>,
    /// The file with the tokens that may call, one per line.
    pub(crate) token_file: Option<PathBuf>,
    /// Whether everybody may call who reaches the gateway.
    pub(crate) allow_unauthenticated: bool,
    /// Threads that serve HTTP.
    pub(crate) threads: usize,
    /// Connections that may be open.
    pub(crate) max_connections: usize,
    /// Bytes that one request's body may have.
    pub(crate) max_request_body: usize,
    /// Bytes that the bodies of all requests together may have while they are received and called with.
    pub(crate) request_memory: usize,
    /// Header fields that a request may have.
    pub(crate) max_headers: usize,
    /// Bytes that a request's head may have.
    pub(crate) max_header_bytes: usize,
    /// How long a request's head may take.
    pub(crate) header_timeout: Duration,
    /// How long a body, or taking an answer, may stand still.
    pub(crate) body_timeout: Duration,
    /// How long a connection may wait for its next request.
    pub(crate) idle_timeout: Duration,
    /// How long requests are still taken after the signal to stop.
    pub(crate) shutdown_delay: Duration,
    /// How long what was begun may take after that.
    pub(crate) shutdown_timeout: Duration,
    /// Whether a stored cloud key that workers would find keeps them from being started.
    pub(crate) no_static_credentials: bool,
    /// Whether workers are started only once the pod's cloud identity answers.
    pub(crate) wait_for_identity: bool,
    /// Whether clients see the tracebacks of exceptions.
    pub(crate) show_tracebacks: bool,
    /// How the log is written.
    pub(crate) log: LogFormat,
    /// What is logged, in the syntax of `RUST_LOG`.
    pub(crate) log_filter: String,
    /// Where traces go; without it OpenTelemetry's variables may say so.
    pub(crate) otlp_endpoint: Option<String>,
}

impl Settings {
    /// Whether nothing but the address keeps others from calling: then it has to be held against what
    /// a browser on this machine does for the pages of strangers.
    pub(crate) fn local_only(&self) -> bool {
        let browsers = matches!(self.listen, Listen::Tcp(_));
        browsers && self.token_file.is_none() && !self.allow_unauthenticated
    }
}

/// A place to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listen {
    /// An address and a port; port 0 is any free one.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl Listen {
    /// Reads `127.0.0.1:8080`, `localhost:8080`, `[::]:8080` or `unix:/run/pyproc.sock`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err("is \"unix:\" without a path, such as unix:/run/pyproc.sock".to_owned()),
                path if path.contains('\0') => {
                    Err("contains a NUL character, which no path can".to_owned())
                }
                path => Ok(Self::Unix(path.into())),
            };
        }
        let local = text.strip_prefix("localhost:");
        let address = match local.map(str::parse) {
            Some(port) => port
                .ok()
                .map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)),
            None => text.parse().ok(),
        };
        address.map(Self::Tcp).ok_or_else(|| {
            format!(
                "is {text:?}; write an address and a port, such as 127.0.0.1:8080 or [::]:8080, or \
                 a Unix socket, such as unix:/run/pyproc.sock"
            )
        })
    }

    /// Whether other machines may reach it.
    pub(crate) fn is_public(&self) -> bool {
        match self {
            Self::Tcp(address) => !address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => false,
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_to_listen_at_read_as_they_are_written() {
        for text in [
            "127.0.0.1:8080",
            "[::]:0",
            "0.0.0.0:80",
            "unix:/run/a b.sock",
        ] {
            assert_eq!(Listen::parse(text).expect("good").to_string(), text);
        }
        assert_eq!(Listen::parse("localhost:81"), Listen::parse("127.0.0.1:81"));
    }

    #[test]
    fn what_is_no_place_is_said() {
        for text in [
            "",
            "8080",
            "localhost",
            "localhost:x",
            "example.org:80",
            "1.2.3.4:99999",
        ] {
            assert_eq!(
                Listen::parse(text).expect_err("bad"),
                format!(
                    "is {text:?}; write an address and a port, such as 127.0.0.1:8080 or [::]:8080, or \
                     a Unix socket, such as unix:/run/pyproc.sock"
                )
            );
        }
        assert!(Listen::parse("unix:").is_err());
    }

    #[test]
    fn only_what_other_machines_reach_is_public() {
        let public = |text| Listen::parse(text).expect("good").is_public();
        assert!(public("0.0.0.0:1") && public("[::]:1") && public("10.0.0.1:1"));
        assert!(!public("127.9.9.9:1") && !public("[::1]:1") && !public("unix:/a"));
        assert!(!public("[::ffff:127.0.0.1]:1"));
    }
}
