//! [`ExchangeError`]: why there is no credential.

use std::error::Error;
use std::time::Duration;

use crate::http::HttpError;
use crate::secret::shown;
use crate::token_file::TokenFileError;

/// Why there is no credential. The provider's own code is kept, its message without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The pod's token cannot be read.
    #[error("the token cannot be used")]
    Token(#[from] TokenFileError),
    /// No answer came.
    #[error("the provider did not answer")]
    Http(#[from] HttpError),
    /// The provider refused.
    #[error("{host} refused with {code} (HTTP {status}): {message}")]
    Refused {
        /// Who refused.
        host: String,
        /// The HTTP status.
        status: u16,
        /// The provider's code: `AccessDenied`, `AADSTS700213`, `invalid_grant`.
        code: String,
        /// What it said.
        message: String,
        /// Where it asks to be left alone for so long.
        retry_after: Option<Duration>,
    },
    /// The answer is none that the provider gives.
    #[error("{host} gave an answer that is not understood (HTTP {status}): {problem}")]
    Unexpected {
        /// Who answered.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        problem: String,
    },
    /// The environment asks for a request that would give the token away.
    #[error("{} is neither https nor on this machine: the token is not sent there", shown(.url))]
    Unsafe {
        /// The URL.
        url: String,
    },
}

/// Codes that the providers themselves call temporary.
const TEMPORARY: &[&str] = &[
    "IDPCommunicationError",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "InternalServerException",
    "InternalFailure",
    "temporarily_unavailable",
];

/// The pause after so many tries: twice the one before, five seconds at most.
pub(crate) fn growing(tries: u32) -> Duration {
    const FIRST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(5);
    let times = 2u32.saturating_pow(tries.saturating_sub(1));
    FIRST.saturating_mul(times).min(LONGEST)
}

impl ExchangeError {
    /// How long to wait before the try after this one, if another may fare better.
    #[must_use]
    pub fn try_again_after(&self, tries: u32) -> Option<Duration> {
        let growing = growing(tries);
        match self {
            Self::Http(error) => error.is_transient().then_some(growing),
            Self::Refused {
                status,
                code,
                message,
                retry_after,
                ..
            } => {
                let temporary = *status == 429
                    || *status >= 500
                    || TEMPORARY.contains(&code.as_str())
                    || is_key_lookup(code, message);
                temporary.then(|| retry_after.unwrap_or(growing).max(growing))
            }
            Self::Unexpected { status, .. } => (*status >= 500).then_some(growing),
            // The kubelet may be about to write the file.
            Self::Token(TokenFileError::Missing { .. } | TokenFileError::Empty { .. }) => {
                Some(growing)
            }
            Self::Token(_) | Self::Unsafe { .. } => None,
        }
    }

    /// The sentence that says most: that of the cause, where there is one.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self.source() {
            Some(cause) => cause.to_string(),
            None => self.to_string(),
        }
    }
}

/// STS could not fetch the issuer's keys: its own documentation says to try again.
pub(crate) fn is_key_lookup(code: &str, message: &str) -> bool {
    code == "InvalidIdentityToken" && message.contains("retrieve verification key")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str, message: &str) -> ExchangeError {
        let (host, code, message) = ("h".to_owned(), code.to_owned(), message.to_owned());
        ExchangeError::Refused {
            host,
            status,
            code,
            message,
            retry_after: None,
        }
    }

    #[test]
    fn only_what_the_provider_calls_temporary_is_tried_again() {
        let again = |error: ExchangeError| error.try_again_after(1).is_some();
        assert!(again(refused(400, "IDPCommunicationError", "")));
        assert!(again(refused(
            400,
            "InvalidIdentityToken",
            "Couldn't retrieve verification key from your identity provider"
        )));
        assert!(again(refused(503, "", "")) && again(refused(429, "", "")));
        assert!(!again(refused(403, "AccessDenied", "")));
        assert!(!again(refused(
            400,
            "InvalidIdentityToken",
            "No OpenIDConnect provider found"
        )));
        assert!(!again(refused(401, "AADSTS700213", "")));
        let patient = ExchangeError::Refused {
            host: String::new(),
            status: 429,
            code: String::new(),
            message: String::new(),
            retry_after: Some(Duration::from_secs(7)),
        };
        assert_eq!(patient.try_again_after(1), Some(Duration::from_secs(7)));
    }
}
