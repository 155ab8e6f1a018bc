//! Microsoft Entra: the token as a client assertion, an access token back.

use serde::Deserialize;

use super::{Budget, Clock, Credential, ExchangeError, Identity, is_safe, unexpected};
use crate::claims::Claims;
use crate::http::{self, Answer, Client, Request};
use crate::mechanism::Entra;
use crate::pod::Pod;
use crate::secret::{Secret, scrubbed};
use crate::token_file::TokenFile;

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub(super) async fn token(
    pod: &Pod,
    client: &Client<'_>,
    entra: &Entra,
    budget: Budget,
    clock: &mut Clock,
) -> Result<Identity, ExchangeError> {
    let file = TokenFile::read(pod, &entra.token_file)?;
    let url = url(entra);
    if !url.starts_with("https://") || !is_safe(&url) {
        return Err(ExchangeError::Unsafe { url });
    }
    let request = Request::form(
        url.as_str(),
        &[
            ("client_id", &entra.client),
            ("client_assertion", file.token.expose()),
            ("client_assertion_type", ASSERTION),
            ("grant_type", "client_credentials"),
            ("scope", scope(&entra.authority)),
        ],
    );
    let answer = client.send(request, budget.left()).await?;
    clock.hear(answer.date());
    if !answer.is_success() {
        return Err(refusal(&url, &answer, &file.token));
    }
    let token = parse(&answer.body).map_err(|problem| unexpected(&url, &answer, problem))?;
    let who = Claims::parse(token.access_token.expose())
        .ok()
        .and_then(|claims| claims.entra);
    let principal = who.map_or_else(
        || entra.client.clone(),
        |who| {
            format!(
                "{} (object {}, tenant {})",
                who.application, who.object, who.tenant
            )
        },
    );
    Ok(Identity {
        principal: Some(principal),
        expires: clock.after(token.expires_in),
        credential: Credential::Bearer(token.access_token),
    })
}

fn url(entra: &Entra) -> String {
    let authority = entra.authority.trim_end_matches('/');
    format!("{authority}/{}/oauth2/v2.0/token", entra.tenant)
}

/// The cloud's own management interface: a token for it needs no role.
fn scope(authority: &str) -> &'static str {
    match http::host(authority).as_str() {
        "login.microsoftonline.us" => "https://management.usgovcloudapi.net/.default",
        "login.chinacloudapi.cn" | "login.partner.microsoftonline.cn" => {
            "https://management.chinacloudapi.cn/.default"
        }
        _ => "https://management.azure.com/.default",
    }
}

fn refusal(url: &str, answer: &Answer, token: &Secret) -> ExchangeError {
    match parse_error(&answer.body) {
        Ok((code, message)) => ExchangeError::Refused {
            host: http::host(url),
            status: answer.status,
            code,
            message: scrubbed(&message, &[token]),
            retry_after: answer.retry_after(),
        },
        Err(problem) => unexpected(url, answer, problem),
    }
}

/// An OAuth answer with a token, as Entra and Google write it.
#[derive(Deserialize)]
pub struct Token {
    /// The token.
    pub access_token: Secret,
    /// For how many seconds it is good.
    #[serde(default, deserialize_with = "seconds")]
    pub expires_in: u64,
}

/// A number, or a text with one.
fn seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Seconds {
        Number(u64),
        Text(String),
    }
    match Seconds::deserialize(deserializer)? {
        Seconds::Number(seconds) => Ok(seconds),
        Seconds::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}

/// Reads an answer with a token.
///
/// # Errors
/// With what it lacks.
pub fn parse(json: &[u8]) -> Result<Token, String> {
    serde_json::from_slice(json)
        .map_err(|_| "it has no access_token with its expires_in".to_owned())
}

#[derive(Deserialize)]
struct RawError {
    error: String,
    #[serde(default)]
    error_description: String,
    #[serde(default)]
    error_codes: Vec<u64>,
}

/// Reads an error: its code as `AADSTS70021`, or OAuth's word where there is none, and the description.
///
/// # Errors
/// With what it lacks.
pub fn parse_error(json: &[u8]) -> Result<(String, String), String> {
    let raw: RawError =
        serde_json::from_slice(json).map_err(|_| "it is no error of OAuth".to_owned())?;
    let code = match raw.error_codes.first() {
        Some(number) => format!("AADSTS{number}"),
        None => code_in(&raw.error_description).unwrap_or(raw.error),
    };
    // What follows is trace ids and the time.
    let message = raw
        .error_description
        .split(" Trace ID:")
        .next()
        .unwrap_or_default();
    let message = message.split(['\r', '\n']).next().unwrap_or_default();
    Ok((
        code.chars()
            .filter(|c| c.is_ascii_alphanumeric() || "_-.".contains(*c))
            .take(80)
            .collect(),
        message.to_owned(),
    ))
}

fn code_in(text: &str) -> Option<String> {
    let code = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .find(|word| word.starts_with("AADSTS"));
    code.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_errors_are_read() {
        let Ok(token) = parse(br#"{"token_type":"Bearer","expires_in":"3599","access_token":"t"}"#)
        else {
            panic!("a token")
        };
        assert_eq!((token.access_token.expose(), token.expires_in), ("t", 3599));
        assert!(parse(br#"{"access_token":"t","expires_in":"x"}"#).is_err());
        let error = br#"{"error":"invalid_client","error_description":"AADSTS700213: No matching federated identity record found for presented assertion subject 'system:serviceaccount:a:b'. Trace ID: 1\r\nx","error_codes":[700213]}"#;
        let (code, message) = parse_error(error).unwrap();
        assert_eq!(code, "AADSTS700213");
        assert!(
            message.ends_with("'system:serviceaccount:a:b'."),
            "{message}"
        );
        assert_eq!(
            parse_error(br#"{"error":"invalid_client","error_description":"AADSTS7002138: case"}"#)
                .unwrap()
                .0,
            "AADSTS7002138"
        );
        assert_eq!(
            parse_error(br#"{"error":"invalid_grant"}"#).unwrap().0,
            "invalid_grant"
        );
    }

    #[test]
    fn a_slash_at_the_end_of_the_authority_is_one() {
        let entra = Entra {
            client: "c".into(),
            tenant: "t".into(),
            token_file: "/t".into(),
            authority: "https://login.microsoftonline.us/".into(),
        };
        assert_eq!(
            url(&entra),
            "https://login.microsoftonline.us/t/oauth2/v2.0/token"
        );
        assert_eq!(
            scope(&entra.authority),
            "https://management.usgovcloudapi.net/.default"
        );
    }
}
