//! What came of the exchanges: success, the clouds' refusals, the other side's clock.

use super::observation::{Exchanged, Observation, Seen, Who};
use super::{Code, Finding, Remedy, aws_exchange, azure, google, remedy};
use crate::exchange::ExchangeError;
use crate::http::HttpError;
use crate::mechanism::Mechanism;

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
            Ok(who) => findings.extend(success(seen, who)),
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
        Mechanism::ExternalAccount(file) => google::external_refusal(seen, file, error),
        Mechanism::GkeMetadata(metadata) => google::metadata_refusal(observation, metadata, error),
    }
}

fn success(seen: &Seen, who: &Who) -> Option<Finding> {
    let principal = who
        .principal
        .as_deref()
        .unwrap_or("an identity without a name");
    let until = who.expires.map_or_else(String::new, |time| {
        format!(" until {}", humantime::format_rfc3339_seconds(time))
    });
    let summary = format!("the cloud sees {principal}{until}");
    Some(match &seen.mechanism {
        Mechanism::EksIrsa(irsa) => {
            let same = remedy::role(&irsa.role)
                .is_some_and(|role| principal.contains(&format!(":assumed-role/{}/", role.last())));
            if same || who.principal.is_none() {
                Finding::pass(Code::AwsTrustMismatch, summary)
            } else {
                Finding::fail(
                    Code::NodeIdentityFallback,
                    "STS sees another role than the pod's",
                )
                .seen(format!("AWS_ROLE_ARN={}", irsa.role))
                .seen(format!("STS sees {principal}"))
                .mend(Remedy::helm(
                    "extraEnv:\n  - name: AWS_EC2_METADATA_DISABLED\n    value: \"true\"\n",
                ))
            }
        }
        Mechanism::EksPodIdentity(_) => Finding::pass(Code::AwsNoAssociation, summary),
        Mechanism::AksWorkloadIdentity(_) => Finding::pass(Code::AzNoMatchingFic, summary),
        Mechanism::ExternalAccount(_) => Finding::pass(Code::GcpTokenRefused, summary),
        Mechanism::GkeMetadata(_) => Finding::pass(Code::GkeImpersonationDenied, summary),
    })
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
        .mend(Remedy::shell("chronyc makestep"))
}

/// What no cloud's rules explain.
pub(super) fn other(error: &ExchangeError) -> Finding {
    match error {
        ExchangeError::Refused { status: 429, .. } => {
            Finding::fail(Code::Throttled, "the cloud is asked too often").seen(error.sentence())
        }
        ExchangeError::Refused { .. } => {
            Finding::fail(Code::ExchangeRefused, "the cloud refused the token")
                .seen(error.sentence())
        }
        ExchangeError::Http(problem) => transport(problem).unwrap_or_else(|| {
            Finding::fail(Code::ExchangeFailed, "the cloud did not answer")
                .seen(problem.to_string())
        }),
        error => Finding::fail(Code::ExchangeFailed, "the exchange failed").seen(error.sentence()),
    }
}

/// Failures on the way that mean the same for every cloud.
pub(super) fn transport(error: &HttpError) -> Option<Finding> {
    match error {
        HttpError::Tls { .. } | HttpError::Roots { .. } => Some(
            Finding::fail(Code::TlsUntrusted, "the cloud's certificate is not trusted here")
                .seen(error.to_string())
                .because("a proxy inspects the traffic with an authority of its own, or the image has no ca-certificates")
                .mend(Remedy::helm(
                    "extraEnv:\n  - name: SSL_CERT_FILE\n    value: /etc/ca/ca.crt\n  - name: REQUESTS_CA_BUNDLE\n    value: /etc/ca/ca.crt\n  \
                     - name: AWS_CA_BUNDLE\n    value: /etc/ca/ca.crt\n",
                )),
        ),
        HttpError::Proxy { .. } => Some(
            Finding::fail(Code::ExchangeFailed, "the proxy did not let the request through").seen(error.to_string()),
        ),
        _ => None,
    }
}
