//! The exchange of the pod's token for a credential of its cloud: bounded in time, tried again only where
//! the provider says so, the token file read anew each time.

pub mod agent;
pub mod aws;
pub mod entra;
mod error;
pub mod google;
pub mod metadata;
mod signature;

use std::time::{Duration, SystemTime};

use crate::http::{Client, Limits};
use crate::mechanism::Mechanism;
use crate::pod::Pod;
use crate::secret::Secret;

pub use error::ExchangeError;

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

/// How long and how often to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// One request.
    pub limits: Limits,
    /// Requests in all, pauses included, end after this.
    pub total: Duration,
    /// Tries at most.
    pub tries: u32,
}

impl Patience {
    /// One try of three seconds: for checks, which say what happened.
    pub const CHECK: Self = Self {
        limits: Limits::CHECK,
        total: Duration::from_secs(3),
        tries: 1,
    };
    /// Three tries within 20 seconds: for whoever needs the credential.
    pub const EXCHANGE: Self = Self {
        limits: Limits::EXCHANGE,
        total: Duration::from_secs(20),
        tries: 3,
    };
}

/// Exchanges the pod's token by this mechanism.
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
    let end = tokio::time::Instant::now() + patience.total;
    let mut tries = 0;
    loop {
        tries += 1;
        let once = once(pod, &client, mechanism, patience.limits, &mut clock);
        let result = match tokio::time::timeout_at(end, once).await {
            Ok(result) => result,
            Err(_) => Err(ExchangeError::OutOfTime {
                after: patience.total,
            }),
        };
        let pause = match &result {
            Err(error) if tries < patience.tries => error.try_again_after(tries),
            _ => None,
        };
        match pause {
            Some(pause) if tokio::time::Instant::now() + pause < end => {
                tokio::time::sleep(pause).await
            }
            _ => {
                return Outcome {
                    result,
                    ahead: clock.ahead,
                };
            }
        }
    }
}

async fn once(
    pod: &Pod,
    client: &Client<'_>,
    mechanism: &Mechanism,
    limits: Limits,
    clock: &mut Clock,
) -> Result<Identity, ExchangeError> {
    match mechanism {
        Mechanism::EksIrsa(irsa) => aws::assume_role(pod, client, irsa, limits, clock).await,
        Mechanism::EksPodIdentity(agent) => {
            agent::credentials(pod, client, agent, limits, clock).await
        }
        Mechanism::AksWorkloadIdentity(entra) => {
            entra::token(pod, client, entra, limits, clock).await
        }
        Mechanism::ExternalAccount(file) => google::token(pod, client, file, limits, clock).await,
        Mechanism::GkeMetadata(metadata) => metadata::token(client, metadata, limits, clock).await,
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
