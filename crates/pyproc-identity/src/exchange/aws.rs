//! AWS STS: AssumeRoleWithWebIdentity, and GetCallerIdentity to learn who a session is.

use std::time::SystemTime;

use roxmltree::{Document, Node};

use super::endpoint::Endpoint;
use super::{
    AwsKeys, Budget, Clock, Credential, ExchangeError, Identity, is_safe, signature, unexpected,
};
use crate::http::{self, Answer, Client, Limits, Request};
use crate::mechanism::Irsa;
use crate::pod::Pod;
use crate::secret::{Secret, scrubbed};
use crate::token_file::TokenFile;

pub(super) async fn assume_role(
    pod: &Pod,
    client: &Client<'_>,
    irsa: &Irsa,
    budget: Budget,
    clock: &mut Clock,
) -> Result<Identity, ExchangeError> {
    let file = TokenFile::read(pod, &irsa.token_file)?;
    let endpoint = Endpoint::of(pod);
    if !is_safe(&endpoint.url) {
        return Err(ExchangeError::Unsafe { url: endpoint.url });
    }
    let request = Request::form(
        endpoint.url.as_str(),
        &[
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", &irsa.role),
            (
                "RoleSessionName",
                pod.variable("AWS_ROLE_SESSION_NAME").unwrap_or("pyproc"),
            ),
            ("WebIdentityToken", file.token.expose()),
        ],
    );
    let answer = client.send(request, budget.left()).await?;
    clock.hear(answer.date());
    if !answer.is_success() {
        return Err(refusal(&endpoint.url, &answer, &[&file.token]));
    }
    let session = parse_session(&answer.text())
        .map_err(|problem| unexpected(&endpoint.url, &answer, problem))?;
    Ok(Identity {
        principal: session.arn,
        expires: session.expires,
        credential: Credential::Aws(session.keys),
    })
}

/// Asks STS who a session is: its ARN.
///
/// # Errors
/// When STS does not say.
pub async fn caller(
    pod: &Pod,
    client: &Client<'_>,
    keys: &AwsKeys,
    limits: Limits,
) -> Result<String, ExchangeError> {
    let endpoint = Endpoint::of(pod);
    // The session's token goes along.
    if !is_safe(&endpoint.url) {
        return Err(ExchangeError::Unsafe { url: endpoint.url });
    }
    let (request, secrets) = signature::get_caller_identity(&endpoint, keys, pod.now());
    let answer = client.send(request, limits).await?;
    if !answer.is_success() {
        let secrets: Vec<&Secret> = secrets.iter().chain([&keys.secret, &keys.token]).collect();
        return Err(refusal(&endpoint.url, &answer, &secrets));
    }
    parse_caller(&answer.text()).map_err(|problem| unexpected(&endpoint.url, &answer, problem))
}

fn refusal(url: &str, answer: &Answer, secrets: &[&Secret]) -> ExchangeError {
    match parse_error(&answer.text()) {
        Ok((code, message)) => ExchangeError::Refused {
            host: http::host(url),
            status: answer.status,
            code,
            message: scrubbed(&message, secrets),
            retry_after: answer.retry_after(),
        },
        Err(problem) => unexpected(url, answer, problem),
    }
}

/// What AssumeRoleWithWebIdentity answers.
pub struct Session {
    /// The session's keys.
    pub keys: AwsKeys,
    /// Until when.
    pub expires: Option<SystemTime>,
    /// The assumed role.
    pub arn: Option<String>,
}

/// Reads the XML of a session.
///
/// # Errors
/// With what it lacks.
pub fn parse_session(xml: &str) -> Result<Session, String> {
    let document = document(xml)?;
    let root = document.root();
    let credentials = child_of(root, "Credentials").ok_or("it has no Credentials")?;
    let part = |name: &str| {
        let value =
            text(credentials, name).ok_or_else(|| format!("its Credentials have no {name}"))?;
        Ok::<_, String>(Secret::new(value))
    };
    let expires =
        text(credentials, "Expiration").and_then(|time| humantime::parse_rfc3339_weak(&time).ok());
    let keys = AwsKeys {
        id: part("AccessKeyId")?,
        secret: part("SecretAccessKey")?,
        token: part("SessionToken")?,
    };
    let arn = child_of(root, "AssumedRoleUser").and_then(|user| text(user, "Arn"));
    Ok(Session { keys, expires, arn })
}

/// Reads the XML of GetCallerIdentity: the ARN.
///
/// # Errors
/// With what it lacks.
pub fn parse_caller(xml: &str) -> Result<String, String> {
    let document = document(xml)?;
    let result = child_of(document.root(), "GetCallerIdentityResult")
        .ok_or("it has no GetCallerIdentityResult")?;
    text(result, "Arn").ok_or_else(|| "it has no Arn".to_owned())
}

/// Reads the XML of an error: code and message.
///
/// # Errors
/// With what it lacks.
pub fn parse_error(xml: &str) -> Result<(String, String), String> {
    let document = document(xml)?;
    let error = child_of(document.root(), "Error").ok_or("it has no Error")?;
    let code = text(error, "Code").ok_or("its Error has no Code")?;
    let code = code
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '.')
        .take(80)
        .collect();
    Ok((code, text(error, "Message").unwrap_or_default()))
}

fn document(xml: &str) -> Result<Document<'_>, String> {
    // The parser's message may quote the document.
    Document::parse(xml).map_err(|error| format!("it is no XML at line {}", error.pos().row))
}

/// The first element of this name, wherever it is; names without their namespace.
fn child_of<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.descendants()
        .find(|node| node.is_element() && node.tag_name().name() == name)
}

fn text(node: Node<'_, '_>, name: &str) -> Option<String> {
    let found = node
        .children()
        .find(|child| child.is_element() && child.tag_name().name() == name)?;
    found
        .text()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_answer_of_sts_is_read() {
        let xml = r#"<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
            <AssumeRoleWithWebIdentityResult><SubjectFromWebIdentityToken>s</SubjectFromWebIdentityToken>
            <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/app/pyproc</Arn></AssumedRoleUser>
            <Credentials><SessionToken>t</SessionToken><SecretAccessKey>k</SecretAccessKey>
            <Expiration>2026-11-24T19:55:00Z</Expiration><AccessKeyId>i</AccessKeyId></Credentials>
            </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"#;
        let Ok(session) = parse_session(xml) else {
            panic!("a session")
        };
        assert_eq!(session.keys.token.expose(), "t");
        assert_eq!(
            session.arn.as_deref(),
            Some("arn:aws:sts::123456789012:assumed-role/app/pyproc")
        );
        assert!(session.expires.is_some());
        let error = r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
            <Code>AccessDenied</Code><Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>"#;
        assert_eq!(
            parse_error(error).unwrap(),
            (
                "AccessDenied".into(),
                "Not authorized to perform sts:AssumeRoleWithWebIdentity".into()
            )
        );
        assert_eq!(parse_error("<html>").unwrap_err(), "it is no XML at line 1");
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(xml in ".{0,300}") {
            let _ = parse_session(&xml);
            let _ = parse_error(&xml);
            let _ = parse_caller(&xml);
        }
    }
}
