//! Google STS for an external account, and the impersonation of a service account after it.

use std::time::SystemTime;

use serde::Deserialize;

use super::{Budget, Clock, Credential, ExchangeError, Identity, entra, is_safe, unexpected};
use crate::external_account::ExternalAccount;
use crate::http::{self, Answer, Client, Request};
use crate::pod::Pod;
use crate::secret::{Secret, scrubbed};
use crate::token_file::TokenFile;

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

pub(super) async fn token(
    pod: &Pod,
    client: &Client<'_>,
    file: &ExternalAccount,
    budget: Budget,
    clock: &mut Clock,
) -> Result<Identity, ExchangeError> {
    let urls = [Some(&file.token_url), file.impersonation_url.as_ref()];
    if let Some(url) = urls.into_iter().flatten().find(|url| !is_safe(url)) {
        return Err(ExchangeError::Unsafe { url: url.clone() });
    }
    let mounted = TokenFile::read(pod, &file.token_file)?;
    let request = Request::form(
        file.token_url.as_str(),
        &[
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            ("audience", &file.audience),
            ("scope", SCOPE),
            (
                "requested_token_type",
                "urn:ietf:params:oauth:token-type:access_token",
            ),
            ("subject_token", mounted.token.expose()),
            ("subject_token_type", &file.token_type),
        ],
    );
    let answer = client.send(request, budget.left()).await?;
    clock.hear(answer.date());
    if !answer.is_success() {
        return Err(refusal(&file.token_url, &answer, &[&mounted.token]));
    }
    let token = entra::parse(&answer.body)
        .map_err(|problem| unexpected(&file.token_url, &answer, problem))?;
    let Some(url) = &file.impersonation_url else {
        let principal = principal(&file.audience, &mounted.claims.subject);
        let expires = clock.after(token.expires_in);
        return Ok(Identity {
            principal: Some(principal),
            expires,
            credential: Credential::Bearer(token.access_token),
        });
    };
    let body = format!(r#"{{"scope":["{SCOPE}"],"lifetime":"3600s"}}"#);
    let request = Request::post(url.as_str(), "application/json", body.into_bytes())
        .authorization("Bearer ", &token.access_token);
    let answer = client.send(request, budget.left()).await?;
    if !answer.is_success() {
        return Err(refusal(
            url,
            &answer,
            &[&mounted.token, &token.access_token],
        ));
    }
    let (token, expires) =
        parse_impersonation(&answer.body).map_err(|problem| unexpected(url, &answer, problem))?;
    let principal = file.service_account().map(str::to_owned);
    Ok(Identity {
        principal,
        expires,
        credential: Credential::Bearer(token),
    })
}

/// The name that IAM knows a subject of the pool by.
#[must_use]
pub fn principal(audience: &str, subject: &str) -> String {
    let pool = audience
        .trim_start_matches("https:")
        .split("/providers/")
        .next()
        .unwrap_or_default();
    format!("principal:{pool}/subject/{subject}")
}

pub(super) fn refusal(url: &str, answer: &Answer, secrets: &[&Secret]) -> ExchangeError {
    let (code, message) = parse_error(&answer.body);
    let message = scrubbed(&message, secrets);
    ExchangeError::Refused {
        host: http::host(url),
        status: answer.status,
        code,
        message,
        retry_after: answer.retry_after(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Impersonated {
    access_token: Secret,
    expire_time: Option<String>,
}

/// Reads the answer of generateAccessToken.
///
/// # Errors
/// With what it lacks.
pub fn parse_impersonation(json: &[u8]) -> Result<(Secret, Option<SystemTime>), String> {
    let raw: Impersonated =
        serde_json::from_slice(json).map_err(|_| "it has no accessToken".to_owned())?;
    let expires = raw
        .expire_time
        .and_then(|time| humantime::parse_rfc3339_weak(&time).ok());
    Ok((raw.access_token, expires))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawError {
    /// STS: OAuth's form.
    OAuth {
        error: String,
        #[serde(default)]
        error_description: String,
    },
    /// Everything else of Google's.
    Api { error: ApiError },
}

#[derive(Deserialize)]
struct ApiError {
    #[serde(default)]
    status: String,
    #[serde(default)]
    message: String,
}

/// Reads an error of Google's in any of its forms: code and message.
#[must_use]
pub fn parse_error(body: &[u8]) -> (String, String) {
    let (code, message) = match serde_json::from_slice(body) {
        Ok(RawError::OAuth {
            error,
            error_description,
        }) => (error, error_description),
        Ok(RawError::Api { error }) => (error.status, error.message),
        Err(_) => (
            String::new(),
            String::from_utf8_lossy(body).trim().to_owned(),
        ),
    };
    let code: String = code
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .take(80)
        .collect();
    (
        if code.is_empty() {
            "refused".to_owned()
        } else {
            code
        },
        message,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_both_forms_are_read() {
        assert_eq!(
            parse_error(br#"{"error":"invalid_grant","error_description":"d"}"#),
            ("invalid_grant".into(), "d".into())
        );
        assert_eq!(
            parse_error(br#"{"error":{"code":403,"message":"Permission 'iam.serviceAccounts.getAccessToken' denied","status":"PERMISSION_DENIED"}}"#).0,
            "PERMISSION_DENIED"
        );
        assert_eq!(parse_error(b"nginx"), ("refused".into(), "nginx".into()));
    }

    #[test]
    fn a_subject_has_the_name_that_iam_knows() {
        assert_eq!(
            principal(
                "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
                "system:serviceaccount:a:b"
            ),
            "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/subject/system:serviceaccount:a:b"
        );
    }
}
