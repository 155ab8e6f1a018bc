//! What GKE's metadata server and Google STS refuse with, and what that means.

use super::google::{provider_value, silent, wait};
use super::observation::{Observation, Seen};
use super::{Code, Finding, Remedy, refusals, remedy};
use crate::exchange::{ExchangeError, google};
use crate::external_account::ExternalAccount;
use crate::mechanism::Metadata;

/// The finding for a refusal of the metadata server.
pub(super) fn metadata_refusal(
    observation: &Observation<'_>,
    metadata: &Metadata,
    error: &ExchangeError,
) -> Finding {
    let denied = matches!(error, ExchangeError::Refused { message, .. } if message.contains("getAccessToken"));
    let (namespace, account) = observation.account_words();
    match error {
        ExchangeError::Refused { .. } if denied => {
            // The cluster's, which the server knows; the service account may be of another.
            let project = metadata.project.as_deref().unwrap_or("PROJECT");
            let member = format!("serviceAccount:{project}.svc.id.goog[{namespace}/{account}]");
            Finding::fail(Code::GkeImpersonationDenied, "the ServiceAccount may not act as the Google service account")
                .seen(error.sentence())
                .seen(format!("ServiceAccount: {namespace}/{account}"))
                .because(
                    "the service account does not exist, or its IAM policy does not name this ServiceAccount; the pool is that of \
                     the cluster's project, by its id and not its number",
                )
                .mend(Remedy::helm(format!("cloudIdentity:\n  gke:\n    serviceAccount: {}\n", remedy::yaml(&metadata.email))))
                .mend(remedy::workload_identity_user(&metadata.email, &member))
        }
        ExchangeError::Refused { status, .. } | ExchangeError::Unexpected { status, .. }
            if *status >= 500 =>
        {
            Finding::fail(
                Code::GkeMdsNotReady,
                "the metadata server gives no token now",
            )
            .seen(error.sentence())
            .because("it starts, or the node cannot reach sts.googleapis.com")
            .mend(wait())
            .mend(refusals::again())
        }
        ExchangeError::Http(problem) => silent(observation, problem),
        error => refusals::other(observation, error),
    }
}

/// The finding for a refusal of Google STS, or of the impersonation after it.
pub(super) fn external_refusal(
    observation: &Observation<'_>,
    seen: &Seen,
    file: &ExternalAccount,
    error: &ExchangeError,
) -> Finding {
    let (code, message) = match error {
        ExchangeError::Http(problem) => {
            return refusals::transport(observation, problem).unwrap_or_else(|| {
                let finding = Finding::fail(Code::GcpStsUnreachable, "Google STS does not answer");
                let otherwise =
                    "the network has no way to it: a network policy needs a rule for port 443";
                refusals::no_way(observation, finding, problem, otherwise)
            });
        }
        ExchangeError::Refused { code, message, .. } => (code.as_str(), message.as_str()),
        error => return refusals::other(observation, error),
    };
    let finding = refusals::refused(seen, error, format!("provider: {}", file.audience));
    let subject = seen
        .claims()
        .map_or("SUBJECT", |claims| claims.subject.as_str());
    let issuer = seen
        .claims()
        .map_or("ISSUER", |claims| claims.issuer.as_str());
    let names = Names::of(&file.audience);
    match code {
        "PERMISSION_DENIED" | "SERVICE_DISABLED" if message.contains("has not been used") || message.contains("is disabled") => {
            finding(Code::ExchangeRefused, "the API that service accounts are impersonated by is not enabled")
                .because("Google enables it by project, and a new one takes some minutes")
                .mend(Remedy::command(&[
                    "gcloud", "services", "enable", "iamcredentials.googleapis.com", "--project",
                    project_in(message).unwrap_or(names.project),
                ]))
        }
        _ if message.contains("getAccessToken") || code == "PERMISSION_DENIED" => {
            let account = file.service_account().unwrap_or("SERVICE_ACCOUNT");
            let member = google::principal(&file.audience, subject);
            finding(Code::GkeImpersonationDenied, "the ServiceAccount may not act as the Google service account")
                .because("the service account does not exist, or its IAM policy does not name this principal; Google does not tell which")
                .mend(Remedy::helm(format!("cloudIdentity:\n  gke:\n    serviceAccount: {}\n", remedy::yaml(account))))
                .mend(remedy::workload_identity_user(account, &member))
        }
        "invalid_target" => finding(Code::GcpNoProvider, "Google knows no such workload identity pool or provider")
            .because("its name has the project's id in place of its number, or it is deleted or disabled")
            .mend(Remedy::helm(format!(
                "cloudIdentity:\n  gke:\n    workloadIdentityProvider: {}\n",
                provider_value(file)
            )))
            .mend(names.command("create-oidc", &["--issuer-uri", issuer, "--attribute-mapping", "google.subject=assertion.sub"])),
        "invalid_grant" | "unauthorized_client" => finding(Code::GcpTokenRefused, "Google STS refused the token")
            .because("Google's sentence says what differs: the issuer, the audience, the signature or the provider's condition")
            .mend(Remedy::helm(format!(
                "cloudIdentity:\n  gke:\n    workloadIdentityProvider: {}\n",
                provider_value(file)
            )))
            .mend(names.command("update-oidc", &[
                "--issuer-uri",
                issuer,
                "--allowed-audiences",
                &seen.claims().map(|claims| claims.audiences.join(",")).unwrap_or_default(),
            ])),
        _ => refusals::other(observation, error),
    }
}

/// The project that Google's sentence names, by its number.
fn project_in(message: &str) -> Option<&str> {
    let (_, after) = message.split_once(" in project ")?;
    let end = after.find(|c: char| !c.is_ascii_digit());
    after
        .get(..end.unwrap_or(after.len()))
        .filter(|number| !number.is_empty())
}

/// The parts of a provider's name.
struct Names<'a> {
    project: &'a str,
    pool: &'a str,
    provider: &'a str,
}

impl<'a> Names<'a> {
    /// A command about the provider.
    fn command(&self, verb: &str, options: &[&str]) -> Remedy {
        let mut words = vec![
            "gcloud",
            "iam",
            "workload-identity-pools",
            "providers",
            verb,
        ];
        words.extend([
            self.provider,
            "--project",
            self.project,
            "--location",
            "global",
        ]);
        words.extend(["--workload-identity-pool", self.pool]);
        words.extend(options);
        Remedy::command(&words)
    }

    fn of(audience: &'a str) -> Self {
        let after = |word: &str| {
            let mut parts = audience.split('/').skip_while(|part| *part != word);
            parts.nth(1).filter(|part| !part.is_empty())
        };
        Self {
            project: after("projects").unwrap_or("PROJECT"),
            pool: after("workloadIdentityPools").unwrap_or("POOL"),
            provider: after("providers").unwrap_or("PROVIDER"),
        }
    }
}
