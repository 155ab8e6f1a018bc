//! The id that a caller gives a call, so that it can be found again in every log.

use std::fmt;
use std::sync::Arc;

use pyproc_ipc::message::MAX_ID;

/// An id of the caller's choice, to go with a call: [`Request::request_id`](crate::Request::request_id).
///
/// In Python `current_call().request_id` shows it, and what Python code logs or writes during the call
/// has it as the field `request_id`.
///
/// ```
/// use pyproc::RequestId;
///
/// let id = RequestId::parse("checkout-4711")?;
/// assert_eq!(id.as_str(), "checkout-4711");
/// assert!(RequestId::parse("with a space").is_err());
/// # Ok::<(), pyproc::InvalidRequestId>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RequestId(Arc<str>);

/// Why a text is no request id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the request id {text:?} {problem}")]
pub struct InvalidRequestId {
    text: String,
    problem: &'static str,
}

impl RequestId {
    /// Takes a text of 1 to 128 visible ASCII characters.
    ///
    /// # Errors
    /// When it is another.
    pub fn parse(text: &str) -> Result<Self, InvalidRequestId> {
        match check(text) {
            Ok(()) => Ok(Self(text.into())),
            Err(problem) => Err(InvalidRequestId {
                text: text.chars().take(MAX_ID).collect(),
                problem,
            }),
        }
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text may be a request id.
pub(crate) fn check(text: &str) -> Result<(), &'static str> {
    match text {
        "" => Err("is empty"),
        _ if text.len() > MAX_ID => Err("is longer than 128 characters"),
        _ if !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err("has other characters than visible ASCII ones")
        }
        _ => Ok(()),
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_one_sentence() {
        let wrong = |text: &str| RequestId::parse(text).expect_err("wrong").to_string();
        assert_eq!(wrong(""), "the request id \"\" is empty");
        for text in ["a b", "a\n", "é", "\u{7f}"] {
            assert!(wrong(text).ends_with("has other characters than visible ASCII ones"));
        }
        assert!(RequestId::parse(&"x".repeat(128)).is_ok());
        assert!(wrong(&"x".repeat(1000)).ends_with("is longer than 128 characters"));
        assert!(wrong(&"x".repeat(1000)).len() < 200);
    }
}
