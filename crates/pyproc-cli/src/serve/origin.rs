//! Whom a request is for, and which page of a browser sends it.
//!
//! Without tokens, a gateway on a loopback address is open to the programs of its machine. To its
//! browsers too, and those send requests for every page they show: with a foreign `Origin`, or, where
//! a stranger's name was made to mean this machine (DNS rebinding), with a foreign `Host`.

use std::net::IpAddr;

use hyper::header::{HOST, HeaderValue, ORIGIN};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{StatusCode, Version};

use super::problem::Problem;

/// Refuses a request that two servers in a row could take for different ones.
pub(super) fn check_host(parts: &Parts) -> Result<(), Problem> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let problem = match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_authority(host.as_bytes()) => return Ok(()),
        // HTTP/2 has `:authority`, and HTTP/1.0 has neither.
        (None, _) if parts.version != Version::HTTP_11 => return Ok(()),
        (None, _) => "has no Host header; send one",
        (Some(_), Some(_)) => "has more than one Host header; send one",
        (Some(_), None) => "has a Host header that is no name and port; send the gateway's",
    };
    Err(Problem::new(
        StatusCode::BAD_REQUEST,
        "bad_header",
        format!("the request {problem}"),
    ))
}

/// Refuses a request that is not from this machine's programs or from the gateway's own pages.
pub(super) fn check_local(parts: &Parts) -> Result<(), Problem> {
    let text = |value| str::from_utf8(HeaderValue::as_bytes(value)).unwrap_or_default();
    let hosts = parts.headers.get_all(HOST).iter().map(text);
    let mut hosts = parts
        .uri
        .authority()
        .map(Authority::as_str)
        .into_iter()
        .chain(hosts);
    if let Some(host) = hosts.find(|host| !is_local(host)) {
        return Err(foreign(format!("is for the host {host:?}")));
    }
    let mut origins = parts.headers.get_all(ORIGIN).iter().map(text);
    let is_ours = |origin: &str| {
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        authority.is_some_and(is_local)
    };
    match origins.find(|origin| !is_ours(origin)) {
        Some(origin) => Err(foreign(format!("comes from a page of {origin:?}"))),
        None => Ok(()),
    }
}

fn foreign(what: String) -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "foreign",
        format!(
            "the request {what}, and without tokens this gateway answers its own machine alone; call it as \
             127.0.0.1 or localhost, set `token_file`, or `allow_unauthenticated` where something else \
             decides who may call"
        ),
    )
}

/// Characters of a name or address and a port.
fn is_authority(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+,;=".contains(byte))
}

/// Whether a name or address, with or without a port, is this machine's for everybody.
fn is_local(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(host, _)| host),
        None => authority
            .split_once(':')
            .map_or(authority, |(host, _)| host),
    };
    if let Ok(address) = host.parse::<IpAddr>() {
        return address.to_canonical().is_loopback();
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or(name);
    last.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn parts(version: Version, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().version(version).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn local_names_are_this_machines() {
        for name in [
            "localhost",
            "LOCALHOST:8080",
            "app.localhost.",
            "127.0.0.1:80",
            "127.1.2.3",
            "[::1]:80",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(is_local(name), "{name}");
        }
        for name in [
            "",
            "example.org",
            "localhost.example.org",
            "notlocalhost",
            "10.0.0.1:80",
            "0.0.0.0",
            "[::2]",
            "127.0.0.1.example.org",
            "null",
        ] {
            assert!(!is_local(name), "{name}");
        }
    }

    #[test]
    fn pages_of_strangers_are_refused() {
        let check = |uri: &str, headers: &[(&str, &str)]| {
            check_local(&parts(Version::HTTP_11, uri, headers)).is_ok()
        };
        assert!(check("/", &[("host", "localhost:1")]));
        let own = [("host", "127.0.0.1:1"), ("origin", "http://127.0.0.1:1")];
        assert!(check("/", &own));
        assert!(!check("/", &[("host", "example.org")]));
        assert!(!check("http://example.org/", &[("host", "localhost")]));
        for origin in ["https://example.org", "null", "http://10.0.0.1", ""] {
            assert!(!check("/", &[("host", "localhost"), ("origin", origin)]));
        }
    }

    #[test]
    fn a_request_is_for_one_host() {
        let check = |version, headers: &[(&str, &str)]| {
            check_host(&parts(version, "/", headers)).map_err(|problem| problem.document.detail)
        };
        assert_eq!(check(Version::HTTP_11, &[("host", "a:1")]), Ok(()));
        assert_eq!(check(Version::HTTP_10, &[]), Ok(()));
        assert_eq!(check(Version::HTTP_2, &[]), Ok(()));
        assert_eq!(
            check(Version::HTTP_11, &[]),
            Err("the request has no Host header; send one".to_owned())
        );
        assert_eq!(
            check(Version::HTTP_11, &[("host", "a"), ("host", "a")]),
            Err("the request has more than one Host header; send one".to_owned())
        );
        for host in ["a b", "a/b", "a@b", "a\"b", "\u{e9}"] {
            assert!(
                check(Version::HTTP_11, &[("host", host)]).is_err(),
                "{host}"
            );
        }
    }
}
