//! A connection: resolved, through a proxy or not, with TLS or not.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue, PROXY_AUTHORIZATION};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::proxy::Proxy;
use super::{Client, HttpError};

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub(super) struct Connection {
    pub(super) stream: Box<dyn Stream>,
    /// Whether the request's line names the host: it goes to a proxy.
    pub(super) absolute: bool,
    /// What the proxy wants beside.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

/// The host of a URL, an IPv6 address without its brackets.
pub(super) fn host(url: &Uri) -> Option<String> {
    let host = url.host()?.trim_start_matches('[').trim_end_matches(']');
    Some(host.to_owned()).filter(|host| !host.is_empty())
}

impl Client<'_> {
    pub(super) async fn connect(
        &self,
        url: &Uri,
        direct: bool,
        limit: Duration,
    ) -> Result<Connection, HttpError> {
        let bad = || HttpError::Url {
            url: url.to_string(),
        };
        let host = host(url).ok_or_else(bad)?;
        let tls = match url.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad()),
        };
        let port = url.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let proxy = if direct {
            None
        } else {
            self.proxies.for_target(tls, &host, port)?
        };
        let Some(proxy) = proxy else {
            let stream = self.tcp(&host, port, limit).await?;
            let stream = if tls {
                self.secured(stream, &host).await?
            } else {
                Box::new(stream)
            };
            return Ok(Connection {
                stream,
                absolute: false,
                headers: Vec::new(),
            });
        };
        let mut stream = self.tcp(&proxy.host, proxy.port, limit).await?;
        if tls {
            tunnel(&mut stream, &proxy, &host, port).await?;
            let stream = self.secured(stream, &host).await?;
            return Ok(Connection {
                stream,
                absolute: false,
                headers: Vec::new(),
            });
        }
        let headers = proxy
            .authorization()
            .map(|value| (PROXY_AUTHORIZATION, value))
            .into_iter()
            .collect();
        Ok(Connection {
            stream: Box::new(stream),
            absolute: true,
            headers,
        })
    }

    async fn tcp(&self, host: &str, port: u16, limit: Duration) -> Result<TcpStream, HttpError> {
        let late = |_| HttpError::TimedOut {
            host: host.to_owned(),
            connecting: true,
            after: limit,
        };
        tokio::time::timeout(limit, self.any_address(host, port))
            .await
            .map_err(late)?
    }

    /// The first address of the host that takes a connection.
    async fn any_address(&self, host: &str, port: u16) -> Result<TcpStream, HttpError> {
        let unresolved = |problem: &str| HttpError::Resolve {
            host: host.to_owned(),
            problem: problem.to_owned(),
        };
        let addresses: Vec<SocketAddr> = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => {
                let found = tokio::net::lookup_host((host, port)).await;
                found
                    .map_err(|error| unresolved(&error.to_string()))?
                    .collect()
            }
        };
        let mut last = unresolved("there is none");
        for address in addresses {
            match TcpStream::connect(self.pod.address(address)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => {
                    last = HttpError::Connect {
                        host: host.to_owned(),
                        refused: error.kind() == io::ErrorKind::ConnectionRefused,
                        problem: error.to_string(),
                    }
                }
            }
        }
        Err(last)
    }

    async fn secured(&self, stream: TcpStream, host: &str) -> Result<Box<dyn Stream>, HttpError> {
        let untrusted = |problem: String| HttpError::Tls {
            host: host.to_owned(),
            problem,
        };
        let name =
            ServerName::try_from(host.to_owned()).map_err(|error| untrusted(error.to_string()))?;
        let connector = TlsConnector::from(self.tls()?);
        let stream = connector
            .connect(name, stream)
            .await
            .map_err(|error| untrusted(deepest(&error)))?;
        Ok(Box::new(stream))
    }
}

/// Asks the proxy for a connection to the host.
async fn tunnel(
    stream: &mut TcpStream,
    proxy: &Proxy,
    host: &str,
    port: u16,
) -> Result<(), HttpError> {
    const LONGEST: usize = 8 * 1024;
    let failed = |problem: String| HttpError::Proxy {
        proxy: proxy.name(),
        problem,
    };
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let mut head =
        format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes();
    if let Some(value) = proxy.authorization() {
        head.extend_from_slice(b"Proxy-Authorization: ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    stream
        .write_all(&head)
        .await
        .map_err(|error| failed(format!("took no request: {error}")))?;
    // Byte by byte: what follows the head belongs to TLS.
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() == LONGEST {
            return Err(failed("answers with a head that does not end".to_owned()));
        }
        let byte = stream
            .read_u8()
            .await
            .map_err(|error| failed(format!("gave no answer: {error}")))?;
        answer.push(byte);
    }
    let line = answer
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    let line = String::from_utf8_lossy(line).into_owned();
    match line.split(' ').nth(1) {
        Some(status) if status.starts_with('2') => Ok(()),
        _ => Err(failed(format!(
            "refused to connect to {host}:{port}: {line}"
        ))),
    }
}

/// What is at the root of an error: what stands above it says less.
pub(super) fn deepest(error: &dyn Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
