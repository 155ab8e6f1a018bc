//! The metadata server of Google's clouds: whose account, and its token.

use super::{Budget, Clock, Credential, ExchangeError, Identity, entra, google, unexpected};
use crate::http::{Answer, Client, HttpError, Limits, Request};
use crate::mechanism::{Account, Metadata};
use crate::pod::Pod;

/// Where it is when the environment does not say.
pub const ADDRESS: &str = "169.254.169.254";

/// `host[:port][/prefix]` of the server, as the SDKs choose it.
#[must_use]
pub fn host(pod: &Pod) -> String {
    let named = ["GCE_METADATA_HOST", "GCE_METADATA_ROOT"]
        .into_iter()
        .find_map(|name| pod.variable(name));
    named.unwrap_or(ADDRESS).trim_end_matches('/').to_owned()
}

/// What the server is asked: `path` below `computeMetadata/v1/`.
#[must_use]
pub fn request(host: &str, path: &str) -> Request {
    Request::get(format!("http://{host}/computeMetadata/v1/{path}"))
        .header("metadata-flavor", "Google")
        .direct()
}

/// Whether the answer is one of Google's metadata server.
#[must_use]
pub fn is_google(answer: &Answer) -> bool {
    answer.header("metadata-flavor") == Some("Google")
}

/// Asks for the account; nothing when another cloud's metadata server answers.
///
/// # Errors
/// When nobody answers, or the server does not say.
pub async fn account(
    client: &Client<'_>,
    host: &str,
    limits: Limits,
) -> Result<Option<Metadata>, HttpError> {
    let ask = |path| client.send(request(host, path), limits);
    let (answer, project) = tokio::join!(
        ask("instance/service-accounts/default/email"),
        ask("project/project-id")
    );
    let answer = answer?;
    if !is_google(&answer) {
        return Ok(None);
    }
    if !answer.is_success() {
        return Err(HttpError::Status {
            host: host.to_owned(),
            status: answer.status,
        });
    }
    let Some(email) = parse_text(&answer.body) else {
        return Ok(None);
    };
    let project = project
        .ok()
        .filter(|answer| answer.is_success() && is_google(answer));
    Ok(Some(Metadata {
        host: host.to_owned(),
        account: Account::of(&email),
        email,
        project: project.and_then(|answer| parse_text(&answer.body)),
    }))
}

pub(super) async fn token(
    client: &Client<'_>,
    metadata: &Metadata,
    budget: Budget,
    clock: &mut Clock,
) -> Result<Identity, ExchangeError> {
    let path = "instance/service-accounts/default/token";
    let answer = client
        .send(request(&metadata.host, path), budget.left())
        .await?;
    clock.hear(answer.date());
    if !answer.is_success() {
        return Err(google::refusal(&metadata.host, &answer, &[]));
    }
    let token = entra::parse(&answer.body)
        .map_err(|problem| unexpected(&metadata.host, &answer, problem))?;
    Ok(Identity {
        principal: Some(metadata.email.clone()),
        expires: clock.after(token.expires_in),
        credential: Credential::Bearer(token.access_token),
    })
}

/// A short line of text, as the server answers most paths.
#[must_use]
pub fn parse_text(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let good = !text.is_empty()
        && text.len() <= 512
        && !text.contains(|c: char| c.is_control() || c == '<');
    good.then(|| text.to_owned())
}
