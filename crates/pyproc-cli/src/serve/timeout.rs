//! `X-Request-Timeout`: how long a client is ready to wait.

use std::time::Duration;

use hyper::header::HeaderName;
use hyper::{HeaderMap, StatusCode};

use super::problem::Problem;

/// The header: a duration with a unit, such as `250ms`.
pub(super) const REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout");

/// The client's limit, if it has one. It can only shorten the function's own.
pub(super) fn of(headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    let mut values = headers.get_all(REQUEST_TIMEOUT).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    let problem = |problem: &str| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "bad_header",
            format!(
                "the X-Request-Timeout header is {text:?}{problem}; write one duration with a unit, \
                 such as 250ms or 10s"
            ),
        )
    };
    if values.next().is_some() {
        return Err(problem(" and more: it stands there twice"));
    }
    match humantime::parse_duration(text.trim()) {
        // humantime takes a bare 0.
        Ok(timeout) if timeout.is_zero() => Err(problem(", which is no time at all")),
        Ok(timeout) => Ok(Some(timeout)),
        Err(_) => Err(problem("")),
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn read(values: &[&'static str]) -> Result<Option<Duration>, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(REQUEST_TIMEOUT, HeaderValue::from_static(value));
        }
        of(&headers).map_err(|problem| problem.document.detail)
    }

    #[test]
    fn a_duration_needs_a_unit() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["250ms"]), Ok(Some(Duration::from_millis(250))));
        assert_eq!(
            read(&["5"]),
            Err("the X-Request-Timeout header is \"5\"; write one duration with a unit, such as 250ms or 10s".to_owned())
        );
        assert_eq!(
            read(&["0s"]),
            Err("the X-Request-Timeout header is \"0s\", which is no time at all; write one duration with a unit, such as 250ms or 10s".to_owned())
        );
        assert!(read(&["1s", "2s"]).is_err());
        assert!(read(&["-1s"]).is_err());
    }
}
