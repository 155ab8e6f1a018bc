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
use tokio_rustls::rustls::{self, pki_types::ServerName};
use zeroize::Zeroizing;

use super::proxy::Proxy;
use super::{Client, HttpError};
use crate::secret::{scrubbed, shown};

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
            url: shown(&url.to_string()),
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
        let addresses = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => resolved(host, port, limit).await?,
        };
        self.any_of(host, &addresses, limit).await
    }

    /// The first of these addresses that takes a connection. Each has its part of the time, so that one
    /// without a way to it, as an IPv6 address often is, leaves some to the others.
    pub(super) async fn any_of(
        &self,
        host: &str,
        addresses: &[SocketAddr],
        limit: Duration,
    ) -> Result<TcpStream, HttpError> {
        let each = limit / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        let mut last = unresolved(host, "there is none");
        for address in addresses {
            let connecting = TcpStream::connect(self.pod.address(*address));
            last = match tokio::time::timeout(each, connecting).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => HttpError::Connect {
                    host: host.to_owned(),
                    problem: error.to_string(),
                },
                Err(_) => HttpError::TimedOut {
                    host: host.to_owned(),
                    connecting: true,
                    after: each,
                },
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
        let failed = |error: io::Error| match error
            .get_ref()
            .and_then(|cause| cause.downcast_ref::<rustls::Error>())
        {
            Some(cause) => untrusted(cause.to_string()),
            // The other side, or what stands before it, hung up: that is nobody's distrust.
            None => HttpError::Lost {
                host: host.to_owned(),
                problem: format!("during the TLS handshake: {}", deepest(&error)),
            },
        };
        let stream = connector.connect(name, stream).await.map_err(failed)?;
        Ok(Box::new(stream))
    }
}

fn unresolved(host: &str, problem: &str) -> HttpError {
    HttpError::Resolve {
        host: host.to_owned(),
        problem: problem.to_owned(),
    }
}

/// The addresses of a name. A resolver that does not answer is told apart from a host that does not.
async fn resolved(host: &str, port: u16, limit: Duration) -> Result<Vec<SocketAddr>, HttpError> {
    match tokio::time::timeout(limit, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(found)) => Ok(found.collect()),
        Ok(Err(error)) => Err(unresolved(host, &error.to_string())),
        Err(_) => Err(unresolved(
            host,
            &format!("no answer from DNS within {limit:?}"),
        )),
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
    let line = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    let authorization = proxy.authorization();
    let room = authorization.as_ref().map_or(0, |value| value.len() + 32);
    // All of it in one place that is wiped: it does not grow.
    let mut head = Zeroizing::new(Vec::with_capacity(line.len() + room + 8));
    head.extend_from_slice(line.as_bytes());
    if let Some(value) = authorization {
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
    let line = scrubbed(&String::from_utf8_lossy(line), &[]);
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
