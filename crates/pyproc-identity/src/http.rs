//! The HTTPS client of all exchanges: one connection per request, bounded in time and in bytes.
//!
//! It follows no redirect: nobody who is asked here sends one for a good reason.

mod connect;
mod error;
mod proxy;
mod tls;

use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{
    AUTHORIZATION, CONTENT_TYPE, DATE, HOST, HeaderName, HeaderValue, RETRY_AFTER,
};
use hyper::http::request;
use hyper::{HeaderMap, Method, Uri};
use hyper_util::rt::TokioIo;
use tokio_rustls::rustls::ClientConfig;
use zeroize::Zeroizing;

use crate::mechanism::Cloud;
use crate::pod::Pod;
use crate::secret::{Secret, shown};

pub use error::HttpError;
pub use proxy::{NoProxy, Proxies};
pub(crate) use tls::bundle;

/// Bytes of an answer's body at most.
const LARGEST: usize = 256 * 1024;

/// How long one request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until the connection stands, TLS not counted.
    pub connect: Duration,
    /// In all.
    pub total: Duration,
}

impl Limits {
    /// What the doctor allows.
    pub const CHECK: Self = Self {
        connect: Duration::from_secs(1),
        total: Duration::from_secs(3),
    };
    /// What detection allows: a second in all.
    pub const DETECT: Self = Self {
        connect: Duration::from_millis(500),
        total: Duration::from_millis(900),
    };
}

/// The host of a URL with its port, for messages and signatures.
pub(crate) fn host(url: &str) -> String {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    host.to_owned()
}

/// Whether this host, a name or an address with or without a port, is this machine or one that only this
/// machine can reach: to ask it is no request to the network.
pub(crate) fn is_local(host: &str) -> bool {
    let host = host.split('/').next().unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        // Two colons are an IPv6 address without brackets.
        None if host.matches(':').count() > 1 => host,
        None => host.split(':').next().unwrap_or_default(),
    };
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => {
            address.is_loopback()
                || address.is_unicast_link_local()
                || name.eq_ignore_ascii_case("fd00:ec2::23")
        }
        Err(_) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            ["localhost", "metadata.google.internal"].contains(&name.as_str())
        }
    }
}

/// What is asked.
pub struct Request {
    method: Method,
    url: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Zeroizing<Vec<u8>>,
    direct: bool,
}

impl Request {
    /// A GET of this URL.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            url: url.into(),
            headers: Vec::new(),
            body: Zeroizing::default(),
            direct: false,
        }
    }

    /// A POST of these fields, as a form.
    #[must_use]
    pub fn form(url: impl Into<String>, fields: &[(&str, &str)]) -> Self {
        // A text that grows leaves copies of what it held; every byte takes three at most.
        let room = fields
            .iter()
            .map(|(name, value)| 3 * (name.len() + value.len()) + 2)
            .sum();
        let mut form = form_urlencoded::Serializer::new(String::with_capacity(room));
        form.extend_pairs(fields);
        Self::post(
            url,
            "application/x-www-form-urlencoded",
            form.finish().into_bytes(),
        )
    }

    /// A POST of this body.
    #[must_use]
    pub fn post(url: impl Into<String>, content_type: &'static str, body: Vec<u8>) -> Self {
        let body = Zeroizing::new(body);
        let headers = vec![(CONTENT_TYPE, HeaderValue::from_static(content_type))];
        Self {
            method: Method::POST,
            url: url.into(),
            headers,
            body,
            direct: false,
        }
    }

    /// With a header of a value that anybody may see.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        // A value that is none is not sent, and the answer says what was missing.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((HeaderName::from_static(name), value));
        }
        self
    }

    /// With this value in `Authorization`.
    #[must_use]
    pub fn authorization(mut self, prefix: &str, secret: &Secret) -> Self {
        let value = Zeroizing::new(format!("{prefix}{}", secret.expose()));
        if let Ok(mut value) = HeaderValue::from_str(&value) {
            value.set_sensitive(true);
            self.headers.push((AUTHORIZATION, value));
        }
        self
    }

    /// Past every proxy: for addresses that only this machine can reach.
    #[must_use]
    pub fn direct(mut self) -> Self {
        self.direct = true;
        self
    }
}

/// What came.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, wiped when it is dropped.
    pub body: Zeroizing<Vec<u8>>,
}

impl Answer {
    /// The clock of whoever answered.
    #[must_use]
    pub fn date(&self) -> Option<SystemTime> {
        httpdate::parse_http_date(self.header(DATE.as_str())?).ok()
    }

    /// A header's value, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// For how long the other side asked to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.header(RETRY_AFTER.as_str())?
            .parse()
            .ok()
            .map(Duration::from_secs)
    }

    /// Whether the status is one of success.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(String::from_utf8_lossy(&self.body).into_owned())
    }
}

/// Sends requests as the pod's environment says: its proxies, its roots.
pub struct Client<'a> {
    pod: &'a Pod,
    cloud: Cloud,
    proxies: Proxies,
    tls: OnceLock<Result<Arc<ClientConfig>, HttpError>>,
}

impl<'a> Client<'a> {
    /// A client for requests to this cloud; certificates are read at the first one over TLS.
    #[must_use]
    pub fn new(pod: &'a Pod, cloud: Cloud) -> Self {
        Self {
            pod,
            cloud,
            proxies: Proxies::of(pod),
            tls: OnceLock::new(),
        }
    }

    /// Sends a request and reads the answer, whatever its status.
    ///
    /// # Errors
    /// When no whole answer came in time.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection; the other side may have acted on the request.
    pub async fn send(&self, request: Request, limits: Limits) -> Result<Answer, HttpError> {
        let url: Uri = request.url.parse().map_err(|_| HttpError::Url {
            url: shown(&request.url),
        })?;
        let host = connect::host(&url).unwrap_or_default();
        match tokio::time::timeout(limits.total, self.exchange(&url, request, limits)).await {
            Ok(answer) => answer,
            Err(_) => Err(HttpError::TimedOut {
                host,
                connecting: false,
                after: limits.total,
            }),
        }
    }

    async fn exchange(
        &self,
        url: &Uri,
        request: Request,
        limits: Limits,
    ) -> Result<Answer, HttpError> {
        let unasked = || HttpError::Url {
            url: shown(&request.url),
        };
        let host = connect::host(url).ok_or_else(unasked)?;
        let connection = self.connect(url, request.direct, limits.connect).await?;
        let lost = |error: hyper::Error| HttpError::Lost {
            host: host.clone(),
            problem: connect::deepest(&error),
        };
        let (mut sender, driver) = http1::handshake(TokioIo::new(connection.stream))
            .await
            .map_err(lost)?;
        let target = match (connection.absolute, url.path_and_query()) {
            (true, _) => url.clone(),
            (false, Some(path)) => Uri::from(path.clone()),
            (false, None) => Uri::from_static("/"),
        };
        let mut head = request::Builder::new().method(request.method).uri(target);
        if let Some(authority) = url.authority() {
            head = head.header(HOST, authority.as_str());
        }
        for (name, value) in request.headers.into_iter().chain(connection.headers) {
            head = head.header(name, value);
        }
        // The connection reads it where it lies, and it is wiped with the request.
        let body = Full::new(Bytes::from_owner(request.body));
        let sent = head.body(body).map_err(|_| HttpError::Url {
            url: shown(&request.url),
        })?;
        let work = async {
            let answer = sender.send_request(sent).await.map_err(lost)?;
            let (head, body) = answer.into_parts();
            Ok(Answer {
                status: head.status.as_u16(),
                headers: head.headers,
                body: whole(body, &host).await?,
            })
        };
        let (mut work, mut driver) = (pin!(work), pin!(driver));
        tokio::select! {
            answer = &mut work => answer,
            // The connection may end with the answer's last byte.
            _ = &mut driver => work.await,
        }
    }

    fn tls(&self) -> Result<Arc<ClientConfig>, HttpError> {
        self.tls
            .get_or_init(|| tls::configuration(self.pod, self.cloud))
            .clone()
    }
}

async fn whole(mut body: Incoming, host: &str) -> Result<Zeroizing<Vec<u8>>, HttpError> {
    let too_large = || HttpError::TooLarge {
        host: host.to_owned(),
        limit: LARGEST,
    };
    if body.size_hint().lower() > LARGEST as u64 {
        return Err(too_large());
    }
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(LARGEST);
    let mut whole = Zeroizing::new(Vec::with_capacity(expected.clamp(4096, LARGEST)));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| HttpError::Lost {
            host: host.to_owned(),
            problem: connect::deepest(&error),
        })?;
        if let Ok(bytes) = frame.into_data() {
            if whole.len() + bytes.len() > LARGEST {
                return Err(too_large());
            }
            append(&mut whole, &bytes);
        }
    }
    Ok(whole)
}

/// Adds to what will be wiped; where it has to move, what it leaves behind is wiped too.
fn append(whole: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    if whole.capacity() - whole.len() < bytes.len() {
        let mut larger = Vec::with_capacity((whole.len() + bytes.len()) * 2);
        larger.extend_from_slice(whole);
        *whole = Zeroizing::new(larger);
    }
    whole.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests;
