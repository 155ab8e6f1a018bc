//! What a program does about the pod's identity before it starts its workers.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::detect::{Detection, detect, may_expect};
use crate::doctor::{Verdict, examine};
use crate::exchange::{Patience, exchange, growing};
use crate::mechanism::{Mechanism, Provider};
use crate::pod::Pod;
use crate::static_keys::{self, StaticKey};

/// Stored keys where none may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticKeysFound(Vec<StaticKey>);

impl fmt::Display for StaticKeysFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places: Vec<&str> = self.0.iter().map(|key| key.place.as_str()).collect();
        write!(
            f,
            "stored cloud keys are forbidden here (no_static_credentials), and there {}: {}; remove {}, so that the \
             pod's own identity is used",
            if places.len() == 1 {
                "is one"
            } else {
                "are some"
            },
            places.join(", "),
            if places.len() == 1 { "it" } else { "them" },
        )
    }
}

impl std::error::Error for StaticKeysFound {}

/// Refuses a pod in which SDKs would find a stored key. `pod` is to have the workers' final environment:
/// [`Pod::with_variables`] adds what they are given beside the program's own.
///
/// # Errors
/// When there is such a key, by the place of each.
pub fn refuse_static_keys(pod: &Pod) -> Result<(), StaticKeysFound> {
    let found = static_keys::find(pod);
    if found.is_empty() {
        Ok(())
    } else {
        Err(StaticKeysFound(found))
    }
}

/// Runs the offline part of the doctor and logs each trouble once, with its code; nothing where nothing
/// expects an identity, and outside of Kubernetes no address is asked then.
pub async fn report(pod: &Pod) {
    if !may_expect(pod) {
        return;
    }
    let diagnosis = examine(pod, false).await;
    if !diagnosis.expected {
        return;
    }
    for finding in diagnosis.troubles() {
        let (code, summary) = (finding.code.name(), &finding.summary);
        let remedy = "`pyproc auth doctor` says more";
        match finding.verdict {
            Verdict::Fail => tracing::error!(code, "cloud identity: {summary}; {remedy}"),
            Verdict::Warn | Verdict::Pass => {
                tracing::warn!(code, "cloud identity: {summary}; {remedy}")
            }
        }
    }
}

/// How waiting ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// The cloud gave a credential.
    Answered {
        /// By which mechanism.
        mechanism: Mechanism,
        /// To whom.
        principal: Option<String>,
    },
    /// Nothing here expects an identity.
    NotExpected,
}

/// Waits until the pod's identity answers: the metadata server of a new pod needs some seconds, a new
/// federated credential minutes. Each reason is told once in a row. What the provider calls temporary is
/// tried again soon, or when it says; what it refused is asked for again seldom, since somebody may mend it.
///
/// # Cancel safety
/// Dropping the future ends the try that is under way.
pub async fn until_ready(pod: &Pod, mut tell: impl FnMut(&str)) -> Ready {
    let mut told = String::new();
    for tries in 1.. {
        let detection = detect(pod, true).await;
        if !detection.expects(pod) {
            return Ready::NotExpected;
        }
        let (reason, again) = match detection.chosen() {
            Some(mechanism) => match exchange(pod, mechanism, Patience::CHECK).await.result {
                Ok(identity) => {
                    return Ready::Answered {
                        mechanism: mechanism.clone(),
                        principal: identity.principal,
                    };
                }
                Err(error) => (
                    format!("{}: {}", mechanism.title(), error.sentence()),
                    error.try_again_after(tries),
                ),
            },
            // What is there is nothing that could be waited for here.
            None if detection.may_have_another() => return Ready::NotExpected,
            None => (absent(&detection), Some(growing(tries))),
        };
        if reason != told {
            tell(&reason);
            told = reason;
        }
        tokio::time::sleep(pause(again, tries)).await;
    }
    Ready::NotExpected
}

/// The pause before the next try, up to a quarter longer than it has to be: many pods start at once.
fn pause(again: Option<Duration>, tries: u32) -> Duration {
    // What was set up just now may be known to the cloud in a moment, what was forgotten is not.
    const REFUSED: Duration = Duration::from_secs(30);
    const LONGEST: Duration = Duration::from_secs(300);
    let refused = (growing(tries) * 16).min(REFUSED);
    let pause = again.unwrap_or(refused).min(LONGEST);
    // Each of these hashers has its own random key.
    let random = RandomState::new().build_hasher().finish() % 256;
    pause + pause * u32::try_from(random).unwrap_or(0) / 1024
}

/// Why there is no mechanism where one is expected.
fn absent(detection: &Detection) -> String {
    let provider = detection.expected.provider();
    match (&detection.metadata.google, &detection.credentials) {
        (_, Err(error)) => error.to_string(),
        (Err(error), _) if provider == Some(Provider::Gke) => error.to_string(),
        _ => format!(
            "{} is expected, and nothing in the pod gives it; `pyproc auth doctor` says why",
            provider.map_or("an identity", Provider::name)
        ),
    }
}

/// No dump of the memory of this process, and of those that it starts, is written when they crash: tokens
/// pass through it. A limit that cannot be set stays what it is.
pub fn no_core_dumps() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // Lowering a limit is allowed to everybody.
    let _ = setrlimit(Resource::Core, none);
    // Programs to which the kernel hands dumps over are not held by the limit. No mapping is part of them then.
    let _ = std::fs::write("/proc/self/coredump_filter", "0");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_key_is_refused_in_one_sentence() {
        let pod = Pod::default()
            .with_variables([("AWS_ACCESS_KEY_ID".to_owned(), "AKIAEXAMPLE".to_owned())]);
        let error = refuse_static_keys(&pod).unwrap_err().to_string();
        assert!(
            error.contains("AWS_ACCESS_KEY_ID") && !error.contains("AKIAEXAMPLE"),
            "{error}"
        );
        assert_eq!(refuse_static_keys(&Pod::default()), Ok(()));
    }

    #[test]
    fn a_refused_token_is_tried_again_seldom_and_when_the_provider_says() {
        let between = |again: Option<u64>, least: u64, most: u64| {
            let pause = pause(again.map(Duration::from_secs), 9);
            assert!(
                (Duration::from_secs(least)..Duration::from_secs(most)).contains(&pause),
                "{pause:?}"
            );
        };
        between(None, 30, 38);
        assert!(pause(None, 1) <= Duration::from_secs(5));
        between(Some(7), 7, 9);
        between(Some(u64::MAX), 300, 375);
        assert!((1..100).all(|tries| growing(tries) <= Duration::from_secs(5)));
        assert!(growing(u32::MAX) == Duration::from_secs(5) && growing(1) < growing(2));
    }

    #[test]
    fn what_waits_can_be_spawned() {
        fn is_send<T: Send>(_: T) {}
        let pod = Pod::default();
        is_send(until_ready(&pod, |_| {}));
        is_send(report(&pod));
    }
}
