//! Which identity the pod has: environment, mounted files, link-local addresses. Nothing is changed and no
//! token is asked for; it takes a second at most.

use std::time::Duration;

use crate::exchange::metadata;
use crate::expected::Expected;
use crate::external_account::{ExternalAccount, ExternalAccountError};
use crate::http::{Client, HttpError, Limits, Request, host, is_local};
use crate::mechanism::{AGENT_URL, AGENT_URL_IPV6, Account, Cloud, Mechanism, Metadata, Provider};
use crate::pod::Pod;
use crate::static_keys::{self, StaticKey};

/// What was found.
#[derive(Clone, Debug)]
pub struct Detection {
    /// What the pod's template says.
    pub expected: Expected,
    /// The identities that the pod has been given; SDKs of one cloud take its first.
    pub mechanisms: Vec<Mechanism>,
    /// The file that GOOGLE_APPLICATION_CREDENTIALS names, when it is an external account.
    pub credentials: Result<Option<ExternalAccount>, ExternalAccountError>,
    /// Stored keys.
    pub static_keys: Vec<StaticKey>,
    /// What answers at the link-local addresses.
    pub metadata: Servers,
}

/// The servers that clouds put at link-local addresses.
#[derive(Clone, Debug)]
pub struct Servers {
    /// Google's: the account that it speaks for.
    pub google: Result<Option<Metadata>, HttpError>,
    /// Whose metadata that is.
    pub side: Side,
    /// Whether AWS' instance metadata answers, which has the node's role.
    pub aws: bool,
    /// Whether Azure's instance metadata answers, which has the node's identity.
    pub azure: bool,
    /// Whether the agent of EKS Pod Identity takes a connection; asked only where one should be.
    pub agent: Option<Result<(), HttpError>>,
}

/// Whose metadata a server of Google's has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The pod's: it is GKE's own server, which knows the cluster's name and hides what nodes are set up by.
    Pod,
    /// That of a node of GKE: it knows what nodes are set up by.
    Node,
    /// That of another machine, or nobody's.
    Machine,
}

impl Detection {
    /// The mechanism that the pod's template asks for, or the only one there is.
    #[must_use]
    pub fn chosen(&self) -> Option<&Mechanism> {
        let provider = self.expected.provider();
        let expected = self
            .mechanisms
            .iter()
            .find(|mechanism| Some(mechanism.provider()) == provider);
        expected.or(self.mechanisms.first().filter(|_| provider.is_none()))
    }

    /// Whether anything says that this pod should have an identity.
    #[must_use]
    pub fn expects(&self, pod: &Pod) -> bool {
        asks(pod, &self.expected, &self.credentials) || !self.mechanisms.is_empty()
    }

    /// Whether there may be an identity that was not looked at: a credentials file with a source of another
    /// kind, or a metadata server elsewhere that nobody may ask.
    #[must_use]
    pub fn may_have_another(&self) -> bool {
        matches!(
            self.credentials,
            Err(ExternalAccountError::Unchecked { .. })
        ) || self.expected.provider() == Some(Provider::Gke)
            && matches!(self.metadata.google, Err(HttpError::NotAsked { .. }))
    }

    /// Whether an identity is expected and there is none.
    #[must_use]
    pub fn is_absent(&self, pod: &Pod) -> bool {
        self.expects(pod) && self.chosen().is_none() && !self.may_have_another()
    }
}

/// Whether this may be a pod that should have an identity, as far as can be told without asking any
/// address: on other machines nobody has to be asked.
#[must_use]
pub fn may_expect(pod: &Pod) -> bool {
    pod.variable("KUBERNETES_SERVICE_HOST").is_some()
        || asks(pod, &Expected::of(pod), &Mechanism::external_account(pod))
        || !Mechanism::from_environment(pod).is_empty()
}

/// Whether the pod's template, a variable or a credentials file asks for an identity, even where that does
/// not suffice. A file that holds a key asks for none.
fn asks(
    pod: &Pod,
    expected: &Expected,
    credentials: &Result<Option<ExternalAccount>, ExternalAccountError>,
) -> bool {
    expected.provider().is_some()
        || expected.unknown_provider.is_some()
        || Mechanism::is_half_irsa(pod)
        || Mechanism::is_half_agent(pod)
        || pod.variable("AZURE_FEDERATED_TOKEN_FILE").is_some()
        || !matches!(credentials, Ok(None))
}

/// Looks at everything there is, side by side. `anywhere`: metadata servers that the environment names are
/// asked wherever they are; without it only on this machine and at link-local addresses.
///
/// # Cancel safety
/// Dropping the future closes what it opened.
pub async fn detect(pod: &Pod, anywhere: bool) -> Detection {
    let expected = Expected::of(pod);
    let credentials = Mechanism::external_account(pod);
    let mut mechanisms = Mechanism::from_environment(pod);
    mechanisms.extend(
        credentials
            .iter()
            .flatten()
            .cloned()
            .map(Mechanism::ExternalAccount),
    );
    let mut metadata = servers(pod, &expected, &mechanisms, anywhere).await;
    if let Ok(Some(found)) = &mut metadata.google {
        if metadata.side == Side::Pod && expected.principal.as_deref() == Some(&*found.email) {
            // A ServiceAccount may be linked to the default account of Compute Engine too.
            found.account = Account::of_linked(&found.email);
        }
        // A plain machine of Google's is no pod with an identity of its own.
        if found.account != Account::Node && metadata.side == Side::Pod {
            mechanisms.push(Mechanism::GkeMetadata(found.clone()));
        }
    }
    Detection {
        expected,
        mechanisms,
        credentials,
        static_keys: static_keys::find(pod),
        metadata,
    }
}

async fn servers(
    pod: &Pod,
    expected: &Expected,
    mechanisms: &[Mechanism],
    anywhere: bool,
) -> Servers {
    const ALL: Duration = Duration::from_millis(950);
    let client = Client::new(pod, Cloud::Google);
    let host = metadata::host(pod);
    let ask_google = anywhere || is_local(&host);
    let agents = agents(expected, mechanisms, anywhere);
    let looked = async {
        tokio::join!(
            google(pod, &client, &host, ask_google),
            async {
                if ask_google {
                    side(&client, &host).await
                } else {
                    Side::Machine
                }
            },
            is_aws(&client),
            is_azure(&client),
            agent(&client, &agents),
        )
    };
    match tokio::time::timeout(ALL, looked).await {
        Ok((google, side, aws, azure, agent)) => Servers {
            google,
            side,
            aws,
            azure,
            agent,
        },
        Err(_) => {
            let silent = HttpError::TimedOut {
                host,
                connecting: true,
                after: ALL,
            };
            let agent = (!agents.is_empty()).then(|| Err(silent.clone()));
            Servers {
                google: Err(silent),
                side: Side::Machine,
                aws: false,
                azure: false,
                agent,
            }
        }
    }
}

async fn google(
    pod: &Pod,
    client: &Client<'_>,
    host: &str,
    ask: bool,
) -> Result<Option<Metadata>, HttpError> {
    if pod.variable("NO_GCE_CHECK") == Some("true") {
        return Ok(None);
    }
    if !ask {
        return Err(HttpError::NotAsked {
            host: host.to_owned(),
        });
    }
    metadata::account(client, host, Limits::DETECT).await
}

/// A node's metadata has the cluster's name too. What only the node's has are the attributes that it is set
/// up by, and their names are no secret.
async fn side(client: &Client<'_>, host: &str) -> Side {
    let ask = |path| client.send(metadata::request(host, path), Limits::DETECT);
    let (name, names) = tokio::join!(
        ask("instance/attributes/cluster-name"),
        ask("instance/attributes/")
    );
    let answers = |answer: &crate::http::Answer| answer.is_success() && metadata::is_google(answer);
    if !name.is_ok_and(|answer| answers(&answer)) {
        return Side::Machine;
    }
    let is_node = names.is_ok_and(|answer| {
        answers(&answer)
            && answer
                .text()
                .lines()
                .any(|name| ["kube-env", "kube-labels"].contains(&name.trim()))
    });
    if is_node { Side::Node } else { Side::Pod }
}

async fn is_aws(client: &Client<'_>) -> bool {
    let request = Request::get("http://169.254.169.254/latest/meta-data/").direct();
    // Version 2 of the service refuses what brings no session of its own.
    let answer = client.send(request, Limits::DETECT).await;
    answer.is_ok_and(|answer| {
        !metadata::is_google(&answer) && answer.header("server") == Some("EC2ws")
    })
}

async fn is_azure(client: &Client<'_>) -> bool {
    let request = Request::get("http://169.254.169.254/metadata/versions")
        .header("metadata", "true")
        .direct();
    let answer = client.send(request, Limits::DETECT).await;
    answer.is_ok_and(|answer| answer.is_success() && answer.text().contains("apiVersions"))
}

/// Where an agent of EKS Pod Identity should be: where the pod's variable says, else at one of its two
/// addresses. Nowhere when none is expected, or when it may not be asked.
fn agents(expected: &Expected, mechanisms: &[Mechanism], anywhere: bool) -> Vec<String> {
    let named = mechanisms.iter().find_map(|mechanism| match mechanism {
        Mechanism::EksPodIdentity(agent) => Some(agent.url.clone()),
        _ => None,
    });
    match named {
        Some(url) if crate::exchange::agent::is_allowed(&url) => {
            let ask = anywhere || is_local(&host(&url));
            ask.then_some(url).into_iter().collect()
        }
        None if expected.provider() != Some(Provider::EksPodIdentity) => Vec::new(),
        _ => vec![AGENT_URL.to_owned(), AGENT_URL_IPV6.to_owned()],
    }
}

/// Whether the agent takes a request: without a token it refuses, which is an answer.
async fn agent(client: &Client<'_>, urls: &[String]) -> Option<Result<(), HttpError>> {
    let ask = |url: Option<&String>| {
        let request = url.map(|url| Request::get(url.as_str()).direct());
        async {
            let answer = client.send(request?, Limits::DETECT).await;
            Some(answer.map(drop))
        }
    };
    let (first, second) = tokio::join!(ask(urls.first()), ask(urls.get(1)));
    match (first, second) {
        (Some(Err(_)), Some(Ok(()))) => Some(Ok(())),
        (first, _) => first,
    }
}

#[cfg(test)]
mod tests;
