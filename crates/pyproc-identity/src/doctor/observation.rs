//! What the checks look at, gathered before the first of them: files, addresses and, where it is allowed,
//! one exchange by each mechanism.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::task::JoinSet;

use crate::claims::Claims;
use crate::detect::{Detection, detect};
use crate::exchange::{self, ExchangeError, Patience};
use crate::mechanism::{Cloud, Mechanism, Provider};
use crate::pod::Pod;
use crate::secret::shown;
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
        let detection = detect(pod, online).await;
        let mut seen: Vec<Seen> = detection
            .mechanisms
            .iter()
            .map(|mechanism| Seen::of(pod, mechanism))
            .collect();
        if online {
            exchange_all(pod, &mut seen).await;
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
        let named = subjects.find_map(|subject| {
            let claims = Claims {
                subject,
                ..Claims::default()
            };
            claims
                .service_account()
                .map(|(namespace, name)| (namespace.to_owned(), name.to_owned()))
        });
        named.or_else(|| self.detection.expected.service_account.clone())
    }

    /// The same for commands, with words to be replaced where it is not known.
    pub(super) fn account_words(&self) -> (String, String) {
        let unknown = || ("NAMESPACE".to_owned(), "SERVICE_ACCOUNT".to_owned());
        self.service_account().unwrap_or_else(unknown)
    }

    /// The pod's name for commands, with a word to be replaced where it is not known.
    pub(super) fn pod_name(&self) -> String {
        let mut names = self
            .seen
            .iter()
            .filter_map(|seen| seen.claims()?.pod.clone());
        let named = names.next();
        named
            .or_else(|| self.pod.variable("HOSTNAME").map(str::to_owned))
            .unwrap_or_else(|| "POD".to_owned())
    }

    /// Whether the exchange by a mechanism of this provider went well: what was guessed before is settled.
    pub(super) fn works(&self, provider: Provider) -> bool {
        self.seen
            .iter()
            .any(|seen| seen.mechanism.provider() == provider && seen.works())
    }

    pub(super) fn set(&self, variables: &[&str]) -> Vec<String> {
        let line = |name: &&str| match self.pod.variable(name) {
            Some(value) => format!("{name}={}", shown(value)),
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

    /// Whether its exchange was made and went well.
    pub(super) fn works(&self) -> bool {
        self.exchange
            .as_ref()
            .is_some_and(|exchange| exchange.result.is_ok())
    }

    pub(super) fn claims(&self) -> Option<&Claims> {
        match &self.token {
            Some(Ok((claims, _))) => Some(claims),
            _ => None,
        }
    }
}

/// One exchange by each mechanism, all at the same time.
async fn exchange_all(pod: &Pod, seen: &mut [Seen]) {
    let shared = Arc::new(pod.clone());
    let mut exchanges = JoinSet::new();
    for (at, seen) in seen.iter().enumerate() {
        let (pod, mechanism) = (Arc::clone(&shared), seen.mechanism.clone());
        exchanges.spawn(async move {
            let outcome = exchange::exchange(&pod, &mechanism, Patience::CHECK).await;
            (at, outcome)
        });
    }
    while let Some(ended) = exchanges.join_next().await {
        // One that panicked has no outcome, and the test that made it panic says so.
        if let Ok((at, outcome)) = ended
            && let Some(seen) = seen.get_mut(at)
        {
            seen.exchange = Some(Exchanged {
                ahead: outcome.ahead,
                result: outcome.result.map(|identity| Who {
                    principal: identity.principal,
                    expires: identity.expires,
                }),
            });
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
