//! The exchange of the pod's token for a credential of its cloud: bounded in time, the token file read anew
//! each time. [`ExchangeError::try_again_after`] says where another try may fare better.

pub mod agent;
pub mod aws;
pub mod endpoint;
pub mod entra;
mod error;
pub mod google;
pub mod metadata;
mod signature;

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::http::{self, Answer, Client, Limits};
use crate::mechanism::Mechanism;
use crate::pod::Pod;
use crate::secret::Secret;

pub use error::ExchangeError;
pub(crate) use error::growing;

/// What the cloud gave, and to whom.
pub struct Identity {
    /// Who the cloud says this is: an ARN, a service account, a client id.
    pub principal: Option<String>,
    /// Until when the credential is good.
    pub expires: Option<SystemTime>,
    /// The credential itself.
    pub credential: Credential,
}

/// What a cloud's requests are made with.
pub enum Credential {
    /// A session of AWS.
    Aws(AwsKeys),
    /// A bearer token.
    Bearer(Secret),
}

/// The three parts of a session of AWS.
pub struct AwsKeys {
    /// The key's id.
    pub id: Secret,
    /// The key.
    pub secret: Secret,
    /// The session's token.
    pub token: Secret,
}

/// How an exchange went, and the other side's clock.
pub struct Outcome {
    /// What came.
    pub result: Result<Identity, ExchangeError>,
    /// What the clock of the other side is ahead, in seconds, as far as it told.
    pub ahead: Option<i64>,
}

/// How long to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// One request.
    pub limits: Limits,
    /// Requests in all end after this.
    pub total: Duration,
}

impl Patience {
    /// Three seconds in all: whoever wants more tries again.
    pub const CHECK: Self = Self {
        limits: Limits::CHECK,
        total: Duration::from_secs(3),
    };
}

/// What is left for the next request of the time for all of them. Each request ends by itself, and so it is
/// known who did not answer, and what came before it is kept.
#[derive(Clone, Copy)]
pub(crate) struct Budget {
    limits: Limits,
    end: Instant,
}

impl Budget {
    fn of(patience: Patience) -> Self {
        Self {
            limits: patience.limits,
            end: Instant::now() + patience.total,
        }
    }

    pub(crate) fn left(self) -> Limits {
        let left = self.end.saturating_duration_since(Instant::now());
        Limits {
            connect: self.limits.connect.min(left),
            total: self.limits.total.min(left),
        }
    }
}

/// Exchanges the pod's token by this mechanism, once.
///
/// # Cancel safety
/// Dropping the future ends the request that is under way. An exchange changes nothing but the provider's
/// log.
pub async fn exchange(pod: &Pod, mechanism: &Mechanism, patience: Patience) -> Outcome {
    let client = Client::new(pod, mechanism.provider().cloud());
    let mut clock = Clock {
        now: pod.now(),
        ahead: None,
    };
    let budget = Budget::of(patience);
    Outcome {
        result: once(pod, &client, mechanism, budget, &mut clock).await,
        ahead: clock.ahead,
    }
}

async fn once(
    pod: &Pod,
    client: &Client<'_>,
    mechanism: &Mechanism,
    budget: Budget,
    clock: &mut Clock,
) -> Result<Identity, ExchangeError> {
    match mechanism {
        Mechanism::EksIrsa(irsa) => aws::assume_role(pod, client, irsa, budget, clock).await,
        Mechanism::EksPodIdentity(agent) => {
            agent::credentials(pod, client, agent, budget, clock).await
        }
        Mechanism::AksWorkloadIdentity(entra) => {
            entra::token(pod, client, entra, budget, clock).await
        }
        Mechanism::ExternalAccount(file) => google::token(pod, client, file, budget, clock).await,
        Mechanism::GkeMetadata(metadata) => metadata::token(client, metadata, budget, clock).await,
    }
}

/// Compares the clocks whenever an answer comes.
pub(crate) struct Clock {
    now: SystemTime,
    ahead: Option<i64>,
}

impl Clock {
    pub(crate) fn hear(&mut self, date: Option<SystemTime>) {
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        if let Some(date) = date {
            self.ahead = Some(match date.duration_since(self.now) {
                Ok(ahead) => seconds(ahead),
                Err(behind) => seconds(behind.duration()).saturating_neg(),
            });
        }
    }

    /// The time so many seconds from now; no time beyond what can be said.
    pub(crate) fn after(&self, seconds: u64) -> Option<SystemTime> {
        self.now.checked_add(Duration::from_secs(seconds))
    }
}

/// An answer that is none of the provider's.
fn unexpected(url: &str, answer: &Answer, problem: String) -> ExchangeError {
    ExchangeError::Unexpected {
        host: http::host(url),
        status: answer.status,
        problem,
    }
}

/// Only https, or this machine: a token is sent there.
pub(crate) fn is_safe(url: &str) -> bool {
    let Ok(url) = url.parse::<hyper::Uri>() else {
        return false;
    };
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost"
        || host
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    url.scheme_str() == Some("https") || url.scheme_str() == Some("http") && here
}

#[cfg(test)]
mod tests;
