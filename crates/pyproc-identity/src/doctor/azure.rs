//! Checks of Azure, and what Entra refuses with.

use super::observation::{Observation, Seen, claims_lines};
use super::{Code, Finding, Remedy, aws, refusals, remedy};
use crate::exchange::ExchangeError;
use crate::expected::AKS_LABEL;
use crate::mechanism::{Cloud, Entra, Mechanism, Provider};
use crate::secret::shown;

const VARIABLES: [&str; 4] = [
    "AZURE_CLIENT_ID",
    "AZURE_TENANT_ID",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_AUTHORITY_HOST",
];
/// Audiences of the public cloud and of the sovereign ones.
const AUDIENCES: [&str; 4] = [
    "api://AzureADTokenExchange",
    "api://AzureADTokenExchangeUSGov",
    "api://AzureADTokenExchangeChina",
    "api://AKSIdentityBinding",
];
/// The oldest azure-identity with workload identity.
const OLDEST: (u32, u32, u32) = (1, 13, 0);

pub(super) fn check(observation: &Observation<'_>) -> Vec<Finding> {
    let token = observation
        .pod
        .variable("AZURE_FEDERATED_TOKEN_FILE")
        .is_some();
    if !observation.is_of(Cloud::Azure) && !token {
        return Vec::new();
    }
    let mut findings = Vec::new();
    if !token && observation.detection.expected.provider() == Some(Provider::Aks) {
        findings.push(not_injected(observation));
        findings.push(node(observation));
        return findings;
    }
    findings.push(
        Finding::pass(Code::AzNotInjected, "the token is injected")
            .seen_all(observation.set(&VARIABLES)),
    );
    findings.push(incomplete(observation));
    for seen in &observation.seen {
        if let Mechanism::AksWorkloadIdentity(entra) = &seen.mechanism {
            findings.extend(ids(entra));
            findings.extend(stale(observation, entra));
            findings.push(audience(seen));
            findings.push(authority(entra));
        }
    }
    findings.push(sdk(observation));
    findings
}

fn not_injected(observation: &Observation<'_>) -> Finding {
    let label = observation.detection.expected.aks_label.as_deref();
    let finding = Finding::fail(
        Code::AzNotInjected,
        "the pod did not get its token from the Azure webhook",
    )
    .seen(match label {
        Some(value) => format!("the pod's label {AKS_LABEL} is {value:?}"),
        None => format!("the pod has no label {AKS_LABEL}"),
    })
    .seen_all(observation.set(&VARIABLES));
    let (finding, labelled) = match label {
        Some("true") => (finding.because("the webhook is not installed in the cluster, or was added after the pod was created"), true),
        _ => (finding.because("the label belongs on the pod's template, as the text \"true\"; on the ServiceAccount it does nothing"), false),
    };
    let finding = finding.mend(labelled_pod());
    if labelled {
        finding
            .mend(Remedy::command(&[
                "az",
                "aks",
                "update",
                "--name",
                "CLUSTER",
                "--resource-group",
                "GROUP",
                "--enable-oidc-issuer",
                "--enable-workload-identity",
            ]))
            .mend(remedy::restart(observation))
    } else {
        finding.mend(remedy::patch(observation, r#"{"spec":{"template":{"metadata":{"labels":{"azure.workload.identity/use":"true"}}}}}"#))
    }
}

/// The chart sets the label for this provider; the second value is for pods of other charts.
fn labelled_pod() -> Remedy {
    Remedy::helm(
        "cloudIdentity:\n  provider: aks\npodLabels:\n  azure.workload.identity/use: \"true\"\n",
    )
}

/// Without the pod's own identity azure-identity goes on to those of the node.
fn node(observation: &Observation<'_>) -> Finding {
    if !observation.detection.metadata.azure {
        return Finding::pass(
            Code::NodeIdentityFallback,
            "no identity of the node answers",
        );
    }
    Finding::fail(
        Code::AzImdsAmbiguous,
        "requests would be made with an identity of the node",
    )
    .seen("169.254.169.254 answers as the instance metadata of Azure")
    .because(
        "without a token azure-identity asks the node, which may have several identities or none",
    )
    .mend(labelled_pod())
    .mend(remedy::restart(observation))
}

fn incomplete(observation: &Observation<'_>) -> Finding {
    let missing: Vec<&str> = ["AZURE_CLIENT_ID", "AZURE_TENANT_ID"]
        .into_iter()
        .filter(|name| observation.pod.variable(name).is_none())
        .collect();
    if missing.is_empty() {
        return Finding::pass(Code::AzClientIdMissing, "client id and tenant are injected");
    }
    let finding = Finding::fail(
        Code::AzClientIdMissing,
        format!("{} is not set beside the token", missing.join(" and ")),
    );
    if missing == ["AZURE_TENANT_ID"] {
        return finding
            .seen_all(observation.set(&VARIABLES))
            .because("neither the ServiceAccount's annotation azure.workload.identity/tenant-id nor the webhook's own settings name the tenant")
            .mend(Remedy::helm("cloudIdentity:\n  aks:\n    tenantId: TENANT_ID\n"))
            .mend(remedy::annotate(observation, "azure.workload.identity/tenant-id=TENANT_ID"))
            .mend(remedy::restart(observation));
    }
    let client = observation
        .detection
        .expected
        .principal
        .as_deref()
        .unwrap_or("CLIENT_ID");
    finding
        .seen_all(observation.set(&VARIABLES))
        .because("the ServiceAccount has no annotation azure.workload.identity/client-id, and the webhook injects no empty value")
        .mend(Remedy::helm(format!("cloudIdentity:\n  provider: aks\n  aks:\n    clientId: {}\n", remedy::yaml(client))))
        .mend(remedy::annotate(observation, &format!("azure.workload.identity/client-id={client}")))
        .mend(remedy::restart(observation))
}

fn ids(entra: &Entra) -> Vec<Finding> {
    let tenant =
        is_guid(&entra.tenant) || entra.tenant.contains('.') && !entra.tenant.contains('/');
    if is_guid(&entra.client) && tenant {
        return vec![Finding::pass(
            Code::AzWrongApp,
            "client id and tenant have the form of ids",
        )];
    }
    let finding = |summary: &str| {
        Finding::fail(Code::AzWrongApp, summary)
            .seen(format!("AZURE_CLIENT_ID={}", entra.client))
            .seen(format!("AZURE_TENANT_ID={}", entra.tenant))
    };
    let finding = if is_guid(&entra.client) {
        finding("the tenant is not an id")
            .because("the tenant's id or its domain is meant, not its name")
            .mend(Remedy::helm(
                "cloudIdentity:\n  aks:\n    tenantId: TENANT_ID\n",
            ))
    } else {
        finding("the client id is not an id")
            .because("the client id of the identity is meant, not its name or resource id")
            .mend(Remedy::helm(
                "cloudIdentity:\n  aks:\n    clientId: CLIENT_ID\n",
            ))
    };
    vec![finding.mend(show_identity())]
}

/// Shows the two ids.
fn show_identity() -> Remedy {
    Remedy::command(&[
        "az",
        "identity",
        "show",
        "--name",
        "IDENTITY",
        "--resource-group",
        "GROUP",
        "--query",
        "{client: clientId, tenant: tenantId}",
    ])
}

/// Eight, four, four, four and twelve hexadecimal digits.
fn is_guid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts
            .iter()
            .all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn stale(observation: &Observation<'_>, entra: &Entra) -> Option<Finding> {
    let expected = observation
        .detection
        .expected
        .principal
        .as_deref()
        .filter(|principal| is_guid(principal))?;
    Some(if expected.eq_ignore_ascii_case(&entra.client) {
        Finding::pass(
            Code::StalePod,
            "the pod has the client id that its template names",
        )
    } else {
        Finding::fail(
            Code::StalePod,
            "the pod has another client id than its template names",
        )
        .seen(format!("AZURE_CLIENT_ID={}", entra.client))
        .seen(format!("the template names {expected}"))
        .because(
            "the ServiceAccount's annotation was changed by hand, or after this pod was created",
        )
        .mend(Remedy::helm(format!(
            "cloudIdentity:\n  aks:\n    clientId: {}\n",
            remedy::yaml(expected)
        )))
        .mend(remedy::restart(observation))
    })
}

fn audience(seen: &Seen) -> Finding {
    if seen.works() {
        return Finding::pass(Code::AzNoMatchingFic, "the token's audience is accepted");
    }
    match seen.claims() {
        Some(claims) if !AUDIENCES.iter().any(|audience| claims.is_for(audience)) => Finding::warn(
            Code::AzNoMatchingFic,
            "the token is not for api://AzureADTokenExchange",
        )
        .seen_all(claims_lines(claims))
        .because("it works only if the federated credential names this audience")
        .mend(remedy::federated_credential(claims)),
        _ => Finding::pass(
            Code::AzNoMatchingFic,
            "the token is for api://AzureADTokenExchange",
        ),
    }
}

fn authority(entra: &Entra) -> Finding {
    if entra.authority.starts_with("https://") {
        return Finding::pass(
            Code::AzAuthorityUnreachable,
            format!("tokens come from {}", shown(&entra.authority)),
        );
    }
    Finding::fail(
        Code::AzAuthorityUnreachable,
        format!("{:?} is no https address", shown(&entra.authority)),
    )
    .because("SDKs send the token over https only")
    .mend(Remedy::helm(
        "cloudIdentity:\n  aks:\n    authorityHost: https://login.microsoftonline.com/\n",
    ))
}

fn sdk(observation: &Observation<'_>) -> Finding {
    match observation.pod.packages.get("azure-identity") {
        Some(version) if aws::numbers(version) < OLDEST => Finding::fail(
            Code::AzImdsAmbiguous,
            format!("azure-identity {version} is older than workload identity"),
        )
        .because("it does not know the token and asks the node's identities")
        .mend(Remedy::command(&["pip", "install", "azure-identity>=1.13"])),
        _ => Finding::pass(
            Code::AzImdsAmbiguous,
            "the token is there, so no identity of the node is asked",
        ),
    }
}

/// The finding for a refusal of Entra.
pub(super) fn refusal(
    observation: &Observation<'_>,
    seen: &Seen,
    entra: &Entra,
    error: &ExchangeError,
) -> Finding {
    let code = match error {
        ExchangeError::Http(problem) => {
            return refusals::transport(observation, problem).unwrap_or_else(|| {
                let finding = Finding::fail(
                    Code::AzAuthorityUnreachable,
                    format!("{} does not answer", shown(&entra.authority)),
                );
                let otherwise =
                    "the network has no way to it: a network policy needs a rule for port 443";
                refusals::no_way(observation, finding, problem, otherwise)
            });
        }
        ExchangeError::Refused { code, .. } => code.as_str(),
        error => return refusals::other(observation, error),
    };
    let finding = refusals::refused(seen, error, format!("client id: {}", entra.client));
    match code {
        "AADSTS70021" | "AADSTS700211" | "AADSTS700212" | "AADSTS700213" | "AADSTS7002138" => {
            federated(seen, code, finding(Code::AzNoMatchingFic, "no federated credential of the identity fits the token"))
        }
        "AADSTS700016" | "AADSTS90002" | "AADSTS900023" | "AADSTS900021" => {
            finding(Code::AzWrongApp, "Entra does not know this client id in this tenant")
                .seen(format!("tenant: {}", entra.tenant))
                .because("the object or resource id was taken for the client id, or the tenant is another one")
                .mend(Remedy::helm("cloudIdentity:\n  aks:\n    clientId: CLIENT_ID\n    tenantId: TENANT_ID\n"))
                .mend(show_identity())
        }
        "AADSTS700024" => finding(Code::TokenExpired, "Entra says that the token is not valid at this time")
            .because("the file was not renewed, or this node's clock is wrong; Entra does not tell which, so look at both")
            .mend(remedy::restart(observation)),
        "AADSTS50013" | "AADSTS90061" | "AADSTS700222" | "AADSTS50027" | "AADSTS7000272" | "AADSTS5000819" => {
            let issuer = seen.claims().map_or("ISSUER", |claims| claims.issuer.as_str());
            finding(Code::AzIssuerKeys, "Entra cannot verify the token with the issuer's keys")
                .because("the issuer's keys cannot be read from the internet, or have changed, or the token was signed by another cluster")
                .mend(remedy::discovery(issuer))
        }
        "AADSTS90033" | "temporarily_unavailable" => refusals::throttled(error),
        _ => refusals::other(observation, error),
    }
}

fn federated(seen: &Seen, code: &str, finding: Finding) -> Finding {
    let part = match code {
        "AADSTS700211" => "the issuer, to the last character: a slash at its end counts",
        "AADSTS700212" => "the audience",
        "AADSTS700213" => "the subject: namespace or ServiceAccount",
        "AADSTS7002138" => {
            "the subject in another case: namespace and ServiceAccount are compared letter by letter"
        }
        _ => "issuer, subject or audience; Entra does not say which, so compare all three",
    };
    let finding = finding.because(format!(
        "what differs is {part}. A new federated credential takes up to some minutes"
    ));
    match seen.claims() {
        Some(claims) => finding
            .mend(Remedy::helm(format!(
                "serviceAccount:\n  name: {}\n",
                remedy::yaml(
                    claims
                        .service_account()
                        .map_or("SERVICE_ACCOUNT", |(_, name)| name)
                ),
            )))
            .mend(remedy::federated_credential(claims))
            .mend(Remedy::command(&[
                "az",
                "identity",
                "federated-credential",
                "list",
                "--identity-name",
                "IDENTITY",
                "--resource-group",
                "GROUP",
            ])),
        None => finding,
    }
}
