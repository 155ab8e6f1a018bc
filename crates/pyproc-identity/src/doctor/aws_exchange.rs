//! What STS and the agent of EKS Pod Identity refuse with, and what that means.

use super::aws::{association, unreachable};
use super::observation::{Observation, Seen, claims_lines};
use super::{Code, Finding, Remedy, refusals, remedy};
use crate::exchange::ExchangeError;
use crate::exchange::endpoint::Endpoint;
use crate::http::HttpError;
use crate::mechanism::Irsa;
use crate::secret::shown;

/// The finding for a refused AssumeRoleWithWebIdentity.
pub(super) fn irsa(
    observation: &Observation<'_>,
    seen: &Seen,
    irsa: &Irsa,
    error: &ExchangeError,
) -> Finding {
    let (code, message) = match error {
        ExchangeError::Http(error) => return no_answer(observation, error),
        ExchangeError::Refused { code, message, .. } => (code.as_str(), message.as_str()),
        error => return refusals::other(observation, error),
    };
    let finding = refusals::refused(seen, error, format!("role: {}", irsa.role));
    match code {
        "AccessDenied" => trust(observation, seen, irsa, finding(Code::AwsTrustMismatch, "STS did not let this ServiceAccount assume the role")),
        "InvalidIdentityToken" if message.contains("retrieve verification key") => {
            finding(Code::AwsIdpTransient, "STS could not verify the token with the cluster's keys")
                .because(
                    "STS could not fetch the issuer's keys just now, or they are not the ones that signed this token; it \
                     does not say which. Try again, then see whether the issuer's discovery document and keys are right",
                )
                .mend(discovery(seen))
        }
        "InvalidIdentityToken" if message.to_ascii_lowercase().contains("audience") => {
            let provider = provider_arn(seen, irsa);
            let audience = seen.claims().and_then(|claims| claims.audiences.first().cloned()).unwrap_or_default();
            finding(Code::AwsAudience, "the IAM identity provider does not know the token's audience")
                .because("the audience is not among the provider's client ids")
                .mend(Remedy::helm("cloudIdentity:\n  eks:\n    audience: sts.amazonaws.com\n"))
                .mend(Remedy::command(&[
                    "aws", "iam", "add-client-id-to-open-id-connect-provider", "--open-id-connect-provider-arn", &provider,
                    "--client-id", &audience,
                ]))
        }
        "InvalidIdentityToken" => no_provider(seen, irsa, finding(Code::AwsNoOidcProvider, "the role's account does not know this cluster as an identity provider")),
        "ExpiredTokenException" => finding(Code::TokenExpired, "STS says that the token has expired")
            .because("the file was not renewed, or this node's clock is behind")
            .mend(remedy::restart(observation)),
        "IDPCommunicationError" => finding(Code::AwsIdpTransient, "STS could not reach the cluster's issuer")
            .because("AWS itself says to try again")
            .mend(discovery(seen)),
        "Throttling" | "ThrottlingException" => refusals::throttled(error),
        "RegionDisabledException" => finding(Code::AwsStsEndpoint, "STS is not enabled in this region")
            .seen_all(observation.set(&["AWS_REGION", "AWS_DEFAULT_REGION"]))
            .mend(Remedy::command(&[
                "aws", "account", "enable-region", "--region-name", &Endpoint::of(observation.pod).region,
            ])),
        "ValidationError" => finding(Code::AwsRoleArn, "STS does not take the role's name")
            .mend(Remedy::helm("cloudIdentity:\n  eks:\n    roleArn: arn:aws:iam::ACCOUNT:role/NAME\n")),
        "SignatureDoesNotMatch" | "RequestExpired" => finding(Code::ClockSkew, "STS does not accept the time of the request")
            .mend(remedy::set_clock()),
        _ => refusals::other(observation, error),
    }
}

fn trust(observation: &Observation<'_>, seen: &Seen, irsa: &Irsa, finding: Finding) -> Finding {
    let finding = finding.because(
        "the role does not exist, or its trust policy has another provider, sub or aud; STS does not tell these apart, \
         so look at both",
    );
    let (Some(role), Some(claims)) = (remedy::role(&irsa.role), seen.claims()) else {
        return finding;
    };
    let audience = claims
        .audiences
        .first()
        .map_or("sts.amazonaws.com", String::as_str);
    let expected = observation
        .detection
        .expected
        .principal
        .as_deref()
        .filter(|name| name.starts_with("arn:"));
    finding
        .mend(Remedy::helm(format!(
            "cloudIdentity:\n  eks:\n    roleArn: {}\n",
            remedy::yaml(expected.unwrap_or(&irsa.role))
        )))
        .mend(Remedy::command(&[
            "aws",
            "iam",
            "get-role",
            "--role-name",
            role.last(),
        ]))
        .mend(Remedy::trust_policy(remedy::trust_policy(
            &role, claims, audience,
        )))
        .mend(Remedy::command(&[
            "aws",
            "iam",
            "update-assume-role-policy",
            "--role-name",
            role.last(),
            "--policy-document",
            "file://trust-policy.json",
        ]))
}

fn no_provider(seen: &Seen, irsa: &Irsa, finding: Finding) -> Finding {
    let account = remedy::role(&irsa.role).map_or("?", |role| role.account);
    let claims = seen.claims();
    let issuer = claims.map_or("", |claims| claims.issuer.as_str());
    let audience = claims
        .and_then(|claims| claims.audiences.first())
        .map_or("sts.amazonaws.com", String::as_str);
    finding
        .because(format!("account {account} has no OIDC provider for {issuer}; it belongs into the account of the role"))
        .mend(Remedy::command(&[
            "eksctl", "utils", "associate-iam-oidc-provider", "--cluster", "CLUSTER", "--approve",
        ]))
        .mend(Remedy::command(&[
            "aws", "iam", "create-open-id-connect-provider", "--url", issuer, "--client-id-list", audience,
        ]))
}

fn provider_arn(seen: &Seen, irsa: &Irsa) -> String {
    let issuer = seen
        .claims()
        .map_or("ISSUER", |claims| remedy::issuer_path(&claims.issuer));
    match remedy::role(&irsa.role) {
        Some(role) => format!(
            "arn:{}:iam::{}:oidc-provider/{issuer}",
            role.partition, role.account
        ),
        None => format!("arn:aws:iam::ACCOUNT:oidc-provider/{issuer}"),
    }
}

fn discovery(seen: &Seen) -> Remedy {
    let issuer = seen.claims().map(|claims| claims.issuer.as_str());
    remedy::discovery(issuer.unwrap_or("ISSUER"))
}

fn no_answer(observation: &Observation<'_>, error: &HttpError) -> Finding {
    if let Some(finding) = refusals::transport(observation, error) {
        return finding;
    }
    let endpoint = Endpoint::of(observation.pod);
    let finding = Finding::fail(
        Code::AwsStsEndpoint,
        format!("{} does not answer", shown(&endpoint.url)),
    )
    .seen_all(observation.set(&[
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_STS_REGIONAL_ENDPOINTS",
    ]));
    if matches!(error, HttpError::Resolve { .. }) {
        return refusals::no_way(observation, finding, error, "");
    }
    finding
        .seen(error.to_string())
        .because(
            "the network has no way to it: a private network needs a VPC endpoint for STS in the region, a network policy \
             a rule for port 443",
        )
        .mend(Remedy::helm(format!(
            "cloudIdentity:\n  eks:\n    region: {}\n    stsRegionalEndpoints: true\nnetworkPolicy:\n  identityCIDRs: []\n",
            remedy::yaml(&endpoint.region)
        )))
        .mend(Remedy::command(&[
            "aws", "ec2", "create-vpc-endpoint", "--vpc-id", "VPC", "--vpc-endpoint-type", "Interface",
            "--private-dns-enabled", "--service-name", &format!("com.amazonaws.{}.sts", endpoint.region), "--subnet-ids",
            "SUBNETS",
        ]))
}

/// The finding for a refusal of the agent.
pub(super) fn agent(observation: &Observation<'_>, seen: &Seen, error: &ExchangeError) -> Finding {
    let (code, status) = match error {
        ExchangeError::Http(error) => {
            return refusals::transport(observation, error).unwrap_or_else(|| {
                unreachable(observation, &error.to_string(), error.is_silence())
            });
        }
        ExchangeError::Refused { code, status, .. } => (code.as_str(), *status),
        error => return refusals::other(observation, error),
    };
    let (namespace, account) = observation.account_words();
    let finding = |code, summary: &str| {
        Finding::fail(code, summary)
            .seen(error.sentence())
            .seen_all(seen.claims().map(claims_lines).unwrap_or_default())
    };
    match code {
        "ResourceNotFoundException" => finding(Code::AwsNoAssociation, "EKS has no Pod Identity association for this ServiceAccount")
            .because("it was deleted, or made for another namespace, ServiceAccount or cluster")
            .mend(association(&namespace, &account)),
        "AccessDeniedException" => finding(Code::AwsPodIdentityTrust, "EKS Pod Identity may not assume the role of the association")
            .because("the role's trust policy lacks pods.eks.amazonaws.com, sts:AssumeRole or sts:TagSession, or the node may not ask for it")
            .mend(Remedy::trust_policy(remedy::pod_identity_policy())),
        "ExpiredTokenException" => finding(Code::TokenExpired, "EKS says that the token has expired").mend(remedy::restart(observation)),
        "ThrottlingException" => refusals::throttled(error),
        _ if status == 429 => refusals::throttled(error),
        _ => refusals::other(observation, error),
    }
}
