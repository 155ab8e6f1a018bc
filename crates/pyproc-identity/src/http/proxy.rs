//! HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, as curl and Python's requests read them.

use std::net::IpAddr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::Uri;
use hyper::header::HeaderValue;
use zeroize::Zeroizing;

use super::HttpError;
use crate::pod::Pod;

/// Where requests have to go through.
pub struct Proxies {
    http: Option<Zeroizing<String>>,
    https: Option<Zeroizing<String>>,
    except: NoProxy,
}

/// One proxy.
pub(super) struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    /// `user:password`, decoded.
    credentials: Option<Zeroizing<String>>,
}

impl Proxies {
    /// Those of the pod's environment. A lower-case name wins over its upper-case spelling.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        let all = ["all_proxy", "ALL_PROXY"];
        let first = |names: [&str; 2]| {
            names
                .into_iter()
                .chain(all)
                .find_map(|name| pod.variable(name))
                .map(|url| Zeroizing::new(url.to_owned()))
        };
        Self {
            http: first(["http_proxy", "HTTP_PROXY"]),
            https: first(["https_proxy", "HTTPS_PROXY"]),
            except: NoProxy::of(pod),
        }
    }

    /// Whether plain requests go through a proxy that NO_PROXY does not keep from this host.
    #[must_use]
    pub fn capture(&self, host: &str, port: u16) -> bool {
        self.http.is_some() && !self.except.covers(host, port)
    }

    pub(super) fn for_target(
        &self,
        tls: bool,
        host: &str,
        port: u16,
    ) -> Result<Option<Proxy>, HttpError> {
        let url = if tls { &self.https } else { &self.http };
        match url {
            Some(url) if !self.except.covers(host, port) => Proxy::parse(url).map(Some),
            _ => Ok(None),
        }
    }
}

impl Proxy {
    fn parse(url: &str) -> Result<Self, HttpError> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (credentials, place) = match authority.rsplit_once('@') {
            Some((credentials, place)) => (Some(decoded(credentials)), place),
            None => (None, authority),
        };
        let bad = |problem: &str| HttpError::Proxy {
            proxy: format!("{scheme}://{place}"),
            problem: problem.to_owned(),
        };
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(bad(
                "is not reached over http, and pyproc knows no other way to a proxy",
            ));
        }
        let place: Uri = place.parse().map_err(|_| bad("is no host and port"))?;
        let host = super::connect::host(&place).ok_or_else(|| bad("is no host and port"))?;
        Ok(Self {
            host,
            port: place.port_u16().unwrap_or(80),
            credentials,
        })
    }

    /// For messages.
    pub(super) fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let credentials = self.credentials.as_ref()?;
        let encoded = Zeroizing::new(BASE64_STANDARD.encode(credentials.as_bytes()));
        let text = Zeroizing::new(format!("Basic {}", *encoded));
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// `%41` as `A`, and a plus as it is.
fn decoded(text: &str) -> Zeroizing<String> {
    let hexadecimal = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).ok()?;
        u8::from_str_radix(digits, 16).ok()
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(hexadecimal);
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() {
            &after[2..]
        } else {
            after
        };
    }
    Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())
}

/// Hosts that are reached without a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoProxy(Vec<String>);

impl NoProxy {
    /// Of the pod's environment.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        let list = ["no_proxy", "NO_PROXY"]
            .into_iter()
            .find_map(|name| pod.variable(name));
        Self::parse(list.unwrap_or_default())
    }

    /// A list with commas or spaces.
    #[must_use]
    pub fn parse(list: &str) -> Self {
        let rules = list
            .split([',', ' '])
            .map(str::trim)
            .filter(|rule| !rule.is_empty());
        Self(rules.map(str::to_ascii_lowercase).collect())
    }

    /// Whether this host is one of them: by name, by the end of its name, by address or network.
    #[must_use]
    pub fn covers(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.0.iter().any(|rule| rule_covers(rule, &host, port))
    }
}

fn rule_covers(rule: &str, host: &str, port: u16) -> bool {
    if rule == "*" {
        return true;
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        let plain = rule.trim_start_matches('[').replace(']', "");
        return plain == host || plain == format!("{host}:{port}") || in_network(rule, address);
    }
    let rule = match rule.rsplit_once(':') {
        Some((name, number)) if number.parse() == Ok(port) => name,
        Some(_) => return false,
        None => rule,
    };
    let rule = rule
        .trim_start_matches("*.")
        .trim_start_matches('.')
        .trim_end_matches('.');
    host == rule
        || host
            .strip_suffix(rule)
            .is_some_and(|before| before.ends_with('.'))
}

fn in_network(rule: &str, address: IpAddr) -> bool {
    let Some((network, bits)) = rule.split_once('/') else {
        return false;
    };
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else {
        return false;
    };
    let same = |a: u128, b: u128, width: u32| {
        bits <= width && (bits == 0 || (a ^ b) >> (width - bits) == 0)
    };
    match (network, address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_is_read_as_curl_and_requests_do() {
        let covers = |list: &str, host: &str| NoProxy::parse(list).covers(host, 80);
        assert!(covers("*", "anything"));
        assert!(covers("localhost, .internal", "metadata.google.internal"));
        assert!(covers("google.internal", "metadata.google.internal."));
        assert!(!covers("oogle.internal", "metadata.google.internal"));
        assert!(covers("169.254.169.254:80", "169.254.169.254"));
        assert!(!covers("metadata:81", "metadata"));
        assert!(covers("169.254.0.0/16", "169.254.170.23"));
        assert!(!covers("169.254.0.0/17", "169.254.170.23"));
        assert!(covers("[fd00:ec2::23]", "fd00:ec2::23"));
        assert!(covers("fd00:ec2::/32", "fd00:ec2::23"));
        assert!(!covers("", "localhost") && !covers("10.0.0.0/33", "10.0.0.1"));
    }

    #[test]
    fn a_proxy_with_credentials_keeps_them_to_itself() {
        let proxy = Proxy::parse("http://us%40er:p%3As+s&=%@proxy.corp:3128/")
            .map_err(|error| error.to_string());
        let Ok(proxy) = proxy else {
            panic!("a good proxy")
        };
        assert_eq!(proxy.name(), "proxy.corp:3128");
        assert_eq!(
            proxy.credentials.as_ref().map(|text| text.as_str()),
            Some("us@er:p:s+s&=%")
        );
        let Err(error) = Proxy::parse("socks5://user:secret@host:1") else {
            panic!("no such proxy")
        };
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
