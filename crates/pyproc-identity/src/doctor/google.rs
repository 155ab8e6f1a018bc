//! Checks of Google's clouds that need no exchange.

use super::observation::{Observation, Seen, claims_lines};
use super::{Code, Finding, Remedy, refusals, remedy};
use crate::detect::Side;
use crate::external_account::{ExternalAccount, ExternalAccountError};
use crate::http::HttpError;
use crate::mechanism::{Account, Cloud, Mechanism, Metadata, Provider};

pub(super) fn check(observation: &Observation<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &observation.detection.credentials {
        Err(error @ ExternalAccountError::Unchecked { .. }) => findings.push(
            Finding::warn(Code::GcpCredentialsFile, error.to_string())
                .seen_all(observation.set(&["GOOGLE_APPLICATION_CREDENTIALS"]))
                .because("SDKs may take it; whether it works can be seen only by a call of theirs"),
        ),
        Err(error) => findings.push(
            Finding::fail(Code::GcpCredentialsFile, error.to_string())
                .seen_all(observation.set(&["GOOGLE_APPLICATION_CREDENTIALS"]))
                .mend(Remedy::helm("cloudIdentity:\n  provider: gke\n  projectToken: true\n  gke:\n    workloadIdentityProvider: PROVIDER\n")),
        ),
        Ok(Some(file)) => {
            let seen = observation.seen.iter().find(|seen| matches!(seen.mechanism, Mechanism::ExternalAccount(_)));
            findings.push(Finding::pass(Code::GcpCredentialsFile, format!("{} is an external account", file.path.display())));
            findings.extend(seen.and_then(Seen::claims).map(|claims| audience(observation, claims, file)));
            findings.extend(stale(observation, file));
        }
        // What takes the place of the metadata server comes from a file of the user's own.
        Ok(None) if observation.is_of(Cloud::Google) => findings.extend(metadata(observation)),
        Ok(None) => {}
    }
    findings
}

fn audience(
    observation: &Observation<'_>,
    claims: &crate::claims::Claims,
    file: &ExternalAccount,
) -> Finding {
    if observation.works(Provider::Gke) {
        return Finding::pass(Code::GcpAudience, "the token's audience is accepted");
    }
    let wanted = format!("https:{}", file.audience);
    if claims.is_for(&wanted) || claims.is_for(&file.audience) {
        return Finding::pass(
            Code::GcpAudience,
            "the token is for the workload identity provider",
        );
    }
    Finding::warn(
        Code::GcpAudience,
        "the token is not for the workload identity provider",
    )
    .seen_all(claims_lines(claims))
    .seen(format!("provider: {}", file.audience))
    .because("it works only if the provider lists this audience among its allowed ones")
    .mend(Remedy::helm(format!(
        "cloudIdentity:\n  projectToken: true\n  gke:\n    workloadIdentityProvider: {}\n",
        provider_value(file)
    )))
}

/// The provider as the chart's values name it.
pub(super) fn provider_value(file: &ExternalAccount) -> String {
    remedy::yaml(file.audience.trim_start_matches("//iam.googleapis.com/"))
}

fn stale(observation: &Observation<'_>, file: &ExternalAccount) -> Option<Finding> {
    let expected = observation
        .detection
        .expected
        .principal
        .as_deref()
        .filter(|principal| principal.contains('@'))?;
    let account = file.service_account().unwrap_or("none");
    (account != expected).then(|| {
        Finding::fail(
            Code::StalePod,
            "the credentials file names another service account than the pod's template",
        )
        .seen(format!("{} impersonates {account}", file.path.display()))
        .seen(format!("the template names {expected}"))
        .mend(remedy::restart(observation))
    })
}

fn metadata(observation: &Observation<'_>) -> Vec<Finding> {
    let servers = &observation.detection.metadata;
    let found = match &servers.google {
        // That a variable names another server is a finding of its own.
        Err(HttpError::NotAsked { .. }) => return Vec::new(),
        Err(error) => return vec![silent(observation, error)],
        Ok(None) => {
            return vec![
                Finding::fail(
                    Code::GkeNodeMetadata,
                    "what answers at the metadata address is not the metadata server of GKE",
                )
                .because(if observation.pod.variable("NO_GCE_CHECK").is_some() {
                    "NO_GCE_CHECK forbids to ask"
                } else {
                    "the cluster is not of GKE, or its nodes have no metadata server of GKE"
                })
                .seen_all(observation.set(&["NO_GCE_CHECK", "GCE_METADATA_HOST"]))
                .mend(Remedy::helm(
                    "cloudIdentity:\n  provider: gke\n  projectToken: true\n  gke:\n    workloadIdentityProvider: PROVIDER\n",
                )),
            ];
        }
        Ok(Some(found)) => found,
    };
    let mut findings = vec![
        Finding::pass(Code::GkeMdsNotReady, "the metadata server answers"),
        Finding::pass(Code::GkeNetpol, "the metadata server can be reached"),
    ];
    findings.push(whose(observation, found));
    if found.account == Account::Direct {
        findings.push(
            Finding::pass(
                Code::GkeNoGsaFeature,
                "the ServiceAccount is its own principal",
            )
            .seen("signed URLs and identity tokens need a linked Google service account"),
        );
    }
    findings
}

/// The finding for a metadata server that gives no account.
pub(super) fn silent(observation: &Observation<'_>, error: &HttpError) -> Finding {
    if error.is_silence() {
        return Finding::fail(Code::GkeNetpol, "the metadata server cannot be reached")
            .seen(error.to_string())
            .because("packets to it are dropped: a network policy, a mesh, or a node firewall")
            .mend(Remedy::helm(
                "cloudIdentity:\n  provider: gke\npodAnnotations:\n  \
                 traffic.sidecar.istio.io/excludeOutboundIPRanges: 169.254.169.254/32\n",
            ))
            .mend(remedy::policies(observation));
    }
    match error {
        HttpError::Status { status, .. } if *status < 500 => Finding::fail(
            Code::GkeNodeMetadata,
            "the metadata server knows no account",
        )
        .seen(error.to_string())
        .because(
            "it is that of a machine without a service account, or workload identity is off here",
        )
        .mend(Remedy::helm(
            "cloudIdentity:\n  gke:\n    nodeSelector: true\n",
        ))
        .mend(node_pool()),
        HttpError::Status { .. } => {
            Finding::fail(Code::GkeMdsNotReady, "the metadata server starts or fails")
                .seen(error.to_string())
                .because("in a new pod it needs some seconds")
                .mend(wait())
                .mend(refusals::again())
        }
        _ => Finding::fail(Code::GkeMdsNotReady, "the metadata server does not answer")
            .seen(error.to_string())
            .because(
                "in a new pod it needs some seconds; on a node pool without it, it never comes",
            )
            .mend(wait())
            .mend(refusals::again())
            .mend(node_pool()),
    }
}

/// The chart holds workers back until the identity answers.
pub(super) fn wait() -> Remedy {
    Remedy::helm("cloudIdentity:\n  wait: true\n")
}

fn node_pool() -> Remedy {
    Remedy::command(&[
        "gcloud",
        "container",
        "node-pools",
        "update",
        "POOL",
        "--cluster",
        "CLUSTER",
        "--workload-metadata",
        "GKE_METADATA",
    ])
}

fn whose(observation: &Observation<'_>, found: &Metadata) -> Finding {
    let pod = observation.pod;
    let addresses = observation.set(&["POD_IP", "HOST_IP"]);
    let email = format!("the metadata server speaks for {}", found.email);
    let host_network =
        pod.variable("POD_IP").is_some() && pod.variable("POD_IP") == pod.variable("HOST_IP");
    if host_network {
        return Finding::fail(
            Code::GkeNodeMetadata,
            "the pod uses the node's network, and so the node's metadata",
        )
        .seen(email)
        .seen_all(addresses)
        .because("workload identity is not there for pods with hostNetwork")
        .mend(remedy::patch(
            observation,
            r#"{"spec":{"template":{"spec":{"hostNetwork":false}}}}"#,
        ));
    }
    let machine = match observation.detection.metadata.side {
        Side::Pod => None,
        Side::Node => Some("it knows what GKE sets its nodes up by, which GKE's own server hides"),
        Side::Machine => Some("it does not know instance/attributes/cluster-name"),
    };
    if let Some(machine) = machine {
        return Finding::fail(
            Code::GkeNodeMetadata,
            "the metadata server is that of the machine, not of GKE",
        )
        .seen(email)
        .seen(machine)
        .because("the node pool has no GKE metadata server")
        .mend(Remedy::helm(
            "cloudIdentity:\n  gke:\n    nodeSelector: true\n",
        ))
        .mend(node_pool());
    }
    if found.account == Account::Node {
        return Finding::fail(
            Code::NodeIdentityFallback,
            "requests would be made as the node's service account",
        )
        .seen(email)
        .because("the node pool hands out the node's metadata; workload identity is off there")
        .mend(Remedy::helm(
            "cloudIdentity:\n  gke:\n    nodeSelector: true\n",
        ))
        .mend(node_pool());
    }
    match mismatch(observation, found) {
        Some(finding) => finding.seen(email),
        None => Finding::pass(Code::GkeAccountMismatch, email),
    }
}

fn mismatch(observation: &Observation<'_>, found: &Metadata) -> Option<Finding> {
    let expected = observation.detection.expected.principal.as_deref()?;
    let value = remedy::yaml(expected);
    let finding = |summary: &str| {
        Finding::fail(Code::GkeAccountMismatch, summary)
            .seen(format!("the template names {expected}"))
    };
    match found.account {
        Account::Direct if expected.contains('@') => Some(
            finding("the ServiceAccount is not linked to the Google service account")
                .because("it lacks the annotation iam.gke.io/gcp-service-account, or got it after the pod was created")
                .mend(Remedy::helm(format!("cloudIdentity:\n  provider: gke\n  gke:\n    mode: impersonation\n    serviceAccount: {value}\n")))
                .mend(remedy::annotate(observation, &format!("iam.gke.io/gcp-service-account={expected}")))
                .mend(remedy::restart(observation)),
        ),
        Account::Impersonation if expected.starts_with("system:serviceaccount:") => Some(
            finding("the ServiceAccount acts as a Google service account, and is meant to be its own principal")
                .because("an annotation iam.gke.io/gcp-service-account was left, or the node pool hands out a node's account of its own name; look at both")
                .mend(Remedy::helm("cloudIdentity:\n  provider: gke\n  gke:\n    mode: direct\n"))
                .mend(remedy::annotate(observation, "iam.gke.io/gcp-service-account-"))
                .mend(node_pool()),
        ),
        Account::Impersonation if expected != found.email => Some(
            finding("the metadata server speaks for another service account")
                .because("the annotation names another one, or the node pool hands out the node's account; look at both")
                .mend(Remedy::helm(format!("cloudIdentity:\n  gke:\n    serviceAccount: {value}\n")))
                .mend(node_pool())
                .mend(remedy::restart(observation)),
        ),
        _ => None,
    }
}
