//! The doctor: every common mistake that can be seen from inside a pod, with what was seen, why, and a
//! remedy that can be pasted.
//!
//! Offline it reads files and environment and asks loopback and link-local addresses; only online it
//! exchanges tokens. Checks run on what was gathered before and do nothing themselves.

mod aws;
mod aws_exchange;
mod azure;
mod code;
mod environment;
mod finding;
mod google;
mod google_exchange;
mod observation;
mod refusals;
mod remedy;
mod tokens;

use std::time::SystemTime;

use crate::detect::Detection;
use crate::mechanism::Mechanism;
use crate::pod::Pod;
use observation::Observation;

pub use code::Code;
pub use finding::{Finding, Kind, Remedy, Verdict};

/// The status where nothing expects an identity.
pub const NOT_EXPECTED: u8 = 3;

/// What the doctor says of a pod.
pub struct Diagnosis {
    /// Whether anything says that this pod should have an identity.
    pub expected: bool,
    /// Whether one is expected and there is none.
    pub absent: bool,
    /// What was found, without any secret.
    pub detection: Detection,
    /// The mechanism that counts, whom the cloud sees and until when, where an exchange told.
    pub identity: Option<Chosen>,
    /// All findings, the worst first.
    pub findings: Vec<Finding>,
}

/// The mechanism of a pod, and what its exchange told.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The mechanism.
    pub mechanism: Mechanism,
    /// Whom the cloud sees.
    pub principal: Option<String>,
    /// Until when the credential is good.
    pub expires: Option<SystemTime>,
    /// Until when the mounted token is.
    pub token_expires: Option<u64>,
    /// Whether an exchange was made and went well.
    pub exchanged: Option<bool>,
}

impl Diagnosis {
    /// The worst verdict.
    #[must_use]
    pub fn worst(&self) -> Verdict {
        self.findings
            .iter()
            .map(|finding| finding.verdict)
            .max()
            .unwrap_or(Verdict::Pass)
    }

    /// The exit status of everything that looks at a pod: 1 when something is broken or absent, with
    /// `strict` when something is doubtful too, 3 when nothing expects an identity, else 0.
    #[must_use]
    pub fn status(&self, strict: bool) -> u8 {
        match self.worst() {
            Verdict::Fail => 1,
            Verdict::Warn if strict => 1,
            _ if self.absent => 1,
            _ if !self.expected => NOT_EXPECTED,
            _ => 0,
        }
    }

    /// Findings that are no pass.
    pub fn troubles(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.verdict != Verdict::Pass)
    }
}

/// Looks at a pod; with `online` it exchanges its tokens too.
///
/// # Cancel safety
/// Dropping the future ends what is under way; nothing was changed.
pub async fn examine(pod: &Pod, online: bool) -> Diagnosis {
    let observation = Observation::of(pod, online).await;
    let findings = checks(&observation);
    let expected = observation.detection.expects(pod);
    let absent = observation.detection.is_absent(pod);
    let identity = identity(&observation);
    Diagnosis {
        expected,
        absent,
        detection: observation.detection,
        identity,
        findings,
    }
}

fn checks(observation: &Observation<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(environment::check(observation));
    findings.extend(tokens::check(observation));
    findings.extend(aws::check(observation));
    findings.extend(azure::check(observation));
    findings.extend(google::check(observation));
    findings.extend(refusals::check(observation));
    settle(&mut findings);
    findings
}

/// One finding per code, the worst; the worst of all first.
fn settle(findings: &mut Vec<Finding>) {
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
    let mut codes = Vec::new();
    findings.retain(|finding| {
        let new = !codes.contains(&finding.code);
        codes.push(finding.code);
        new
    });
}

fn identity(observation: &Observation<'_>) -> Option<Chosen> {
    let chosen = observation.detection.chosen()?;
    let seen = observation
        .seen
        .iter()
        .find(|seen| seen.mechanism == *chosen)?;
    let exchange = seen.exchange.as_ref();
    let who = exchange.and_then(|exchange| exchange.result.as_ref().ok());
    Some(Chosen {
        mechanism: chosen.clone(),
        principal: who.and_then(|who| who.principal.clone()),
        expires: who.and_then(|who| who.expires),
        token_expires: seen.claims().and_then(|claims| claims.expires),
        exchanged: exchange.map(|exchange| exchange.result.is_ok()),
    })
}

#[cfg(test)]
mod tests;
