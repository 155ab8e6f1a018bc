//! What came of the exchanges: success, the clouds' refusals, the other side's clock.

use super::observation::{Exchanged, Observation, Seen, Who, claims_lines};
use super::{Code, Finding, Remedy, aws_exchange, azure, environment, google_exchange, remedy};
use crate::exchange::ExchangeError;
use crate::http::HttpError;
use crate::mechanism::{Cloud, Mechanism, Provider};
use crate::time::written;

/// Clocks that differ by more are worth a word; by more than the second, tokens are refused.
const SKEW: i64 = 60;
const REFUSED_SKEW: i64 = 300;

pub(super) fn check(observation: &Observation<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for seen in &observation.seen {
        let Some(Exchanged { result, ahead }) = &seen.exchange else {
            continue;
        };
        match result {
            Ok(who) => findings.push(success(seen, who)),
            // The token's own finding says it.
            Err(ExchangeError::Token(_)) => {}
            Err(error) => findings.push(refusal(observation, seen, error)),
        }
        findings.extend(ahead.map(clock));
    }
    findings
}

fn refusal(observation: &Observation<'_>, seen: &Seen, error: &ExchangeError) -> Finding {
    match &seen.mechanism {
        Mechanism::EksIrsa(irsa) => aws_exchange::irsa(observation, seen, irsa, error),
        Mechanism::EksPodIdentity(_) => aws_exchange::agent(observation, seen, error),
        Mechanism::AksWorkloadIdentity(entra) => azure::refusal(observation, seen, entra, error),
        Mechanism::ExternalAccount(file) => {
            google_exchange::external_refusal(observation, seen, file, error)
        }
        Mechanism::GkeMetadata(metadata) => {
            google_exchange::metadata_refusal(observation, metadata, error)
        }
    }
}

fn success(seen: &Seen, who: &Who) -> Finding {
    let principal = who
        .principal
        .as_deref()
        .unwrap_or("an identity without a name");
    let until = who
        .expires
        .map_or_else(String::new, |time| format!(" until {}", written(time)));
    // The code of the refusal that did not come.
    let code = match &seen.mechanism {
        Mechanism::EksIrsa(_) => Code::AwsTrustMismatch,
        Mechanism::EksPodIdentity(_) => Code::AwsNoAssociation,
        Mechanism::AksWorkloadIdentity(_) => Code::AzNoMatchingFic,
        Mechanism::ExternalAccount(_) => Code::GcpTokenRefused,
        Mechanism::GkeMetadata(_) => Code::GkeImpersonationDenied,
    };
    Finding::pass(code, format!("the cloud sees {principal}{until}"))
}

fn clock(ahead: i64) -> Finding {
    let differs = format!(
        "the cloud's clock is {} s {} this one",
        ahead.abs(),
        if ahead < 0 { "behind" } else { "ahead of" }
    );
    if ahead.abs() <= SKEW {
        return Finding::pass(Code::ClockSkew, "the clock agrees with the cloud's");
    }
    let finding = if ahead.abs() > REFUSED_SKEW {
        Finding::fail(Code::ClockSkew, differs)
    } else {
        Finding::warn(Code::ClockSkew, differs)
    };
    finding
        .because("the node does not synchronize its clock")
        .mend(remedy::set_clock())
}

/// What no cloud's rules explain.
pub(super) fn other(observation: &Observation<'_>, error: &ExchangeError) -> Finding {
    match error {
        ExchangeError::Refused { status: 429, .. } => throttled(error),
        ExchangeError::Refused { .. } => {
            let finding = Finding::fail(Code::ExchangeRefused, "the cloud refused the token")
                .seen(error.sentence());
            if error.try_again_after(1).is_some() {
                return finding
                    .because("the cloud calls that temporary")
                    .mend(again());
            }
            finding.because("the cloud's own words are all that is known of it; look its code up")
        }
        ExchangeError::Http(problem) => {
            transport(observation, problem).unwrap_or_else(|| unanswered(problem.to_string()))
        }
        ExchangeError::Unsafe { .. } => {
            Finding::fail(Code::ExchangeFailed, "the token would be given away")
                .seen(error.sentence())
                .because("a variable or a file of the pod sends it to another place than the cloud")
        }
        error => unanswered(error.sentence()),
    }
}

fn unanswered(seen: String) -> Finding {
    Finding::fail(Code::ExchangeFailed, "the cloud did not answer as it does")
        .seen(seen)
        .because("something else answers in its place, or ends the connection; a second try may fare better")
        .mend(again())
}

/// Makes the findings for a refusal: what the cloud said, of whom, and what the token says.
pub(super) fn refused(
    seen: &Seen,
    error: &ExchangeError,
    whom: String,
) -> impl Fn(Code, &str) -> Finding {
    let lines = seen.claims().map(claims_lines).unwrap_or_default();
    let sentence = error.sentence();
    move |code, summary| {
        Finding::fail(code, summary)
            .seen(sentence.clone())
            .seen(whom.clone())
            .seen_all(lines.clone())
    }
}

/// Tries for a while.
pub(super) fn again() -> Remedy {
    Remedy::command(&["pyproc", "auth", "wait", "--timeout", "60s"])
}

/// The cloud is asked too often.
pub(super) fn throttled(error: &ExchangeError) -> Finding {
    Finding::fail(Code::Throttled, "the cloud is asked too often")
        .seen(error.sentence())
        .because("every client of every process exchanges its own token; make one client per process and keep it")
        // Fewer processes ask less often.
        .mend(Remedy::helm("config:\n  workers: 1\n"))
        .mend(again())
}

/// A host that no exchange can be made without does not answer: its name, or the way to it.
pub(super) fn no_way(
    observation: &Observation<'_>,
    finding: Finding,
    error: &HttpError,
    otherwise: &str,
) -> Finding {
    let finding = finding.seen(error.to_string());
    if matches!(error, HttpError::Resolve { .. }) {
        return finding
            .because("its name is not resolved: the cluster's DNS does not answer or does not know it, or a network policy has no rule for port 53")
            .mend(remedy::policies(observation))
            .mend(Remedy::command(&[
                "kubectl", "--namespace", "kube-system", "get", "pods", "--selector", "k8s-app=kube-dns",
            ]));
    }
    finding
        .because(otherwise)
        .mend(Remedy::helm("networkPolicy:\n  identityCIDRs: []\n"))
}

/// Failures on the way that mean the same for every cloud.
pub(super) fn transport(observation: &Observation<'_>, error: &HttpError) -> Option<Finding> {
    match error {
        HttpError::Tls { .. } | HttpError::Roots { .. } => Some(
            Finding::fail(Code::TlsUntrusted, "the cloud's certificate is not trusted here")
                .seen(error.to_string())
                .because("a proxy inspects the traffic with an authority of its own, or the image has no ca-certificates")
                .mend(environment::bundle()),
        ),
        HttpError::Proxy { .. } => Some(
            Finding::fail(Code::ExchangeFailed, "the proxy did not let the request through")
                .seen(error.to_string())
                .seen_all(observation.set(&["HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"]))
                .because("the proxy has to allow the clouds' names, or they have to be reached without it")
                .mend(environment::no_proxy_remedy(&environment::no_proxy(
                    observation,
                    &[match observation.provider().map(Provider::cloud) {
                        Some(Cloud::Google) => ".googleapis.com",
                        Some(Cloud::Azure) => "login.microsoftonline.com",
                        Some(Cloud::Aws) | None => ".amazonaws.com",
                    }],
                ))),
        ),
        _ => None,
    }
}
