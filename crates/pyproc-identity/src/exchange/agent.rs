//! The agent of EKS Pod Identity: a GET with the token, a session of AWS back.

use serde::Deserialize;

use super::{AwsKeys, Budget, Clock, Credential, ExchangeError, Identity, aws, unexpected};
use crate::http::{self, Client, Request};
use crate::mechanism::PodIdentity;
use crate::pod::Pod;
use crate::secret::{Secret, scrubbed};
use crate::token_file::{TokenFile, TokenFileError};

/// Addresses that the SDKs allow without TLS, loopback beside.
const LINK_LOCAL: &[&str] = &["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

pub(super) async fn credentials(
    pod: &Pod,
    client: &Client<'_>,
    agent: &PodIdentity,
    budget: Budget,
    clock: &mut Clock,
) -> Result<Identity, ExchangeError> {
    if !is_allowed(&agent.url) {
        return Err(ExchangeError::Unsafe {
            url: agent.url.clone(),
        });
    }
    let file = TokenFile::read(pod, &agent.token_file)?;
    if file.facts.line_break {
        // The SDKs send the file's text as it is, and a header cannot carry a line break.
        let path = agent.token_file.clone();
        return Err(TokenFileError::Other {
            path,
            problem: "it ends with a line break".to_owned(),
        }
        .into());
    }
    let request = Request::get(agent.url.as_str())
        .authorization("", &file.token)
        .direct();
    let answer = client.send(request, budget.left()).await?;
    clock.hear(answer.date());
    if !answer.is_success() {
        let (code, message) = parse_error(&answer.text());
        let message = scrubbed(&message, &[&file.token]);
        return Err(ExchangeError::Refused {
            host: http::host(&agent.url),
            status: answer.status,
            code,
            message,
            retry_after: answer.retry_after(),
        });
    }
    let session =
        parse(&answer.body).map_err(|problem| unexpected(&agent.url, &answer, problem))?;
    let caller = aws::caller(pod, client, &session.keys, budget.left()).await;
    // The agent does not say whose keys these are; without STS it stays open.
    Ok(Identity {
        principal: caller.ok(),
        expires: session.expires,
        credential: Credential::Aws(session.keys),
    })
}

/// Whether the SDKs would send the token there.
#[must_use]
pub fn is_allowed(url: &str) -> bool {
    let host = url
        .parse::<hyper::Uri>()
        .ok()
        .and_then(|url| url.host().map(str::to_owned))
        .unwrap_or_default();
    let plain = url.starts_with("http://") && LINK_LOCAL.contains(&host.trim_matches(['[', ']']));
    plain || super::is_safe(url)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Raw {
    access_key_id: Secret,
    secret_access_key: Secret,
    token: Secret,
    expiration: Option<String>,
}

/// Reads the agent's answer.
///
/// # Errors
/// With what it lacks.
pub fn parse(json: &[u8]) -> Result<aws::Session, String> {
    let raw: Raw = serde_json::from_slice(json).map_err(|_| {
        "it has not AccessKeyId, SecretAccessKey and Token as a JSON object".to_owned()
    })?;
    let expires = raw
        .expiration
        .and_then(|time| humantime::parse_rfc3339_weak(&time).ok());
    let keys = AwsKeys {
        id: raw.access_key_id,
        secret: raw.secret_access_key,
        token: raw.token,
    };
    Ok(aws::Session {
        keys,
        expires,
        arn: None,
    })
}

/// Reads a refusal: the exception's name, and the text. The agent passes on what EKS said, as text or as
/// JSON.
#[must_use]
pub fn parse_error(text: &str) -> (String, String) {
    let word = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .find(|word| (10..=80).contains(&word.len()) && word.ends_with("Exception"));
    (word.unwrap_or("refused").to_owned(), text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_agent_says_is_read() {
        let json = br#"{"AccessKeyId":"i","SecretAccessKey":"k","Token":"t","AccountId":"1","Expiration":"2026-11-24T19:55:00.123456789Z"}"#;
        assert!(parse(json).is_ok_and(|session| session.expires.is_some()));
        assert!(parse(b"{}").is_err());
        let text = "(ResourceNotFoundException): No association found for this service account";
        assert_eq!(parse_error(text).0, "ResourceNotFoundException");
        let long = format!("{}Exception", "x".repeat(100));
        assert_eq!(parse_error(&long).0, "refused");
    }

    #[test]
    fn the_token_goes_to_the_agent_only() {
        assert!(
            is_allowed("http://169.254.170.23/v1/credentials")
                && is_allowed("http://[fd00:ec2::23]/v1/credentials")
        );
        assert!(is_allowed("http://127.0.0.1:80/x") && is_allowed("https://anywhere/x"));
        assert!(!is_allowed("http://10.0.0.1/x") && !is_allowed("http://169.254.170.23.example/x"));
    }
}
