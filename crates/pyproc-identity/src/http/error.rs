//! [`HttpError`]: why no answer came.

use std::time::Duration;

/// Why a request has no answer. None of them repeats anything that was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The URL is none that can be asked.
    #[error("{url:?} is no http or https URL")]
    Url {
        /// The URL.
        url: String,
    },
    /// The host's name leads to no address.
    #[error("the name {host} has no address: {problem}")]
    Resolve {
        /// The host.
        host: String,
        /// What the resolver says.
        problem: String,
    },
    /// Nobody listens there, or the network says that there is no way.
    #[error("{host} cannot be reached: {problem}")]
    Connect {
        /// The host.
        host: String,
        /// What the operating system says.
        problem: String,
    },
    /// A server that should have told something answered with a status of failure.
    #[error("{host} answers with HTTP {status}")]
    Status {
        /// The host.
        host: String,
        /// The status.
        status: u16,
    },
    /// The host is not on this machine, and nobody else may be asked.
    #[error("{host} is not on this machine and was not asked")]
    NotAsked {
        /// The host.
        host: String,
    },
    /// No answer came in time.
    #[error(
        "{host} {} within {after:?}",
        if *.connecting { "took no connection" } else { "did not answer" }
    )]
    TimedOut {
        /// The host.
        host: String,
        /// Whether not even a connection stood: packets are dropped on the way.
        connecting: bool,
        /// How long it was waited for.
        after: Duration,
    },
    /// The host's certificate was not accepted, or TLS failed in another way.
    #[error("{host} was not trusted: {problem}")]
    Tls {
        /// The host.
        host: String,
        /// What is wrong.
        problem: String,
    },
    /// There are no certificates to trust by.
    #[error("no certificate authority is known: {problem}")]
    Roots {
        /// Where they were looked for.
        problem: String,
    },
    /// The proxy of the environment did not let the request through.
    #[error("the proxy {proxy} {problem}")]
    Proxy {
        /// The proxy, without credentials.
        proxy: String,
        /// What it said.
        problem: String,
    },
    /// The connection ended before the answer did, or the answer is no HTTP.
    #[error("the answer of {host} did not come whole: {problem}")]
    Lost {
        /// The host.
        host: String,
        /// What is wrong.
        problem: String,
    },
    /// The answer is larger than any good one.
    #[error("the answer of {host} has more than {limit} bytes")]
    TooLarge {
        /// The host.
        host: String,
        /// The limit.
        limit: usize,
    },
}

impl HttpError {
    /// Whether a second try may fare better.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::TimedOut { .. }
            | Self::Lost { .. } => true,
            Self::Status { status, .. } => *status >= 500,
            Self::Url { .. }
            | Self::NotAsked { .. }
            | Self::Tls { .. }
            | Self::Roots { .. }
            | Self::Proxy { .. }
            | Self::TooLarge { .. } => false,
        }
    }

    /// Whether packets were dropped on the way, as a network policy does: not even a connection stood.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        matches!(
            self,
            Self::TimedOut {
                connecting: true,
                ..
            }
        )
    }
}
