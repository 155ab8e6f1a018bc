//! What the checks look at, gathered before the first of them: files, addresses and, where it is allowed,
//! one exchange by each mechanism.

use std::time::SystemTime;

use crate::claims::Claims;
use crate::detect::{Detection, detect};
use crate::exchange::{self, ExchangeError, Patience};
use crate::mechanism::{Cloud, Mechanism, Provider};
use crate::pod::Pod;
use crate::token_file::{Facts, TokenFile, TokenFileError};

/// A pod, seen once.
pub(super) struct Observation<'a> {
    pub(super) pod: &'a Pod,
    pub(super) detection: Detection,
    pub(super) seen: Vec<Seen>,
}

/// One mechanism of the pod.
pub(super) struct Seen {
    pub(super) mechanism: Mechanism,
    /// Its token file, where it has one.
    pub(super) token: Option<Result<(Claims, Facts), TokenFileError>>,
    /// How its exchange went, where one was made.
    pub(super) exchange: Option<Exchanged>,
}

/// An exchange without its credential.
#[derive(Clone, Debug)]
pub(super) struct Exchanged {
    pub(super) result: Result<Who, ExchangeError>,
    pub(super) ahead: Option<i64>,
}

/// Whom the cloud sees, and until when.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) principal: Option<String>,
    pub(super) expires: Option<SystemTime>,
}

impl<'a> Observation<'a> {
    pub(super) async fn of(pod: &'a Pod, online: bool) -> Self {
        let detection = detect(pod).await;
        let mut seen: Vec<Seen> = detection
            .mechanisms
            .iter()
            .map(|mechanism| Seen::of(pod, mechanism))
            .collect();
        if online {
            // Three mechanisms at most are ever set up; each has its three seconds at the same time.
            let mut outcomes = [None, None, None];
            let one = |at: usize| {
                let mechanism = seen.get(at).map(|seen| seen.mechanism.clone());
                async move {
                    match mechanism {
                        Some(mechanism) => {
                            Some(exchange::exchange(pod, &mechanism, Patience::CHECK).await)
                        }
                        None => None,
                    }
                }
            };
            (outcomes[0], outcomes[1], outcomes[2]) = tokio::join!(one(0), one(1), one(2));
            for (seen, outcome) in seen.iter_mut().zip(outcomes) {
                seen.exchange = outcome.map(|outcome| Exchanged {
                    ahead: outcome.ahead,
                    result: outcome.result.map(|identity| Who {
                        principal: identity.principal,
                        expires: identity.expires,
                    }),
                });
            }
        }
        Self {
            pod,
            detection,
            seen,
        }
    }

    /// The provider whose rules apply: the expected one, else that of what was found.
    pub(super) fn provider(&self) -> Option<Provider> {
        self.detection
            .expected
            .provider()
            .or_else(|| Some(self.seen.first()?.mechanism.provider()))
    }

    pub(super) fn is_of(&self, cloud: Cloud) -> bool {
        self.provider()
            .is_some_and(|provider| provider.cloud() == cloud)
            || self
                .seen
                .iter()
                .any(|seen| seen.mechanism.provider().cloud() == cloud)
    }

    /// Namespace and name of the ServiceAccount, from any token or from the pod's template.
    pub(super) fn service_account(&self) -> Option<(String, String)> {
        let subjects = self
            .seen
            .iter()
            .filter_map(|seen| seen.claims())
            .map(|claims| claims.subject.clone());
        let mut subjects = subjects.chain(self.detection.expected.principal.clone());
        subjects.find_map(|subject| {
            let claims = Claims {
                subject,
                ..Claims::default()
            };
            claims
                .service_account()
                .map(|(namespace, name)| (namespace.to_owned(), name.to_owned()))
        })
    }

    /// The same for commands, with words to be replaced where it is not known.
    pub(super) fn account_words(&self) -> (String, String) {
        let unknown = || ("NAMESPACE".to_owned(), "SERVICE_ACCOUNT".to_owned());
        self.service_account().unwrap_or_else(unknown)
    }

    pub(super) fn set(&self, variables: &[&str]) -> Vec<String> {
        let line = |name: &&str| match self.pod.variable(name) {
            Some(value) => format!("{name}={value}"),
            None => format!("{name} is not set"),
        };
        variables.iter().map(line).collect()
    }
}

impl Seen {
    fn of(pod: &Pod, mechanism: &Mechanism) -> Self {
        let token = mechanism.token_file().map(|path| {
            // The token itself is wiped here.
            TokenFile::read(pod, path).map(|file| (file.claims, file.facts))
        });
        Self {
            mechanism: mechanism.clone(),
            token,
            exchange: None,
        }
    }

    pub(super) fn claims(&self) -> Option<&Claims> {
        match &self.token {
            Some(Ok((claims, _))) => Some(claims),
            _ => None,
        }
    }
}

/// The claims that a cloud compares, as evidence.
pub(super) fn claims_lines(claims: &Claims) -> Vec<String> {
    vec![
        format!("token iss: {}", claims.issuer),
        format!("token sub: {}", claims.subject),
        format!("token aud: {}", claims.audiences.join(", ")),
    ]
}
