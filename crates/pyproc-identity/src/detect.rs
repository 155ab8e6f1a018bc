//! Which identity the pod has: environment, mounted files, link-local addresses. Nothing is changed and no
//! token is asked for; it takes a second at most.

use std::time::Duration;

use crate::exchange::metadata;
use crate::expected::Expected;
use crate::http::{Client, HttpError, Limits, Request};
use crate::mechanism::{AGENT_URL, Account, Cloud, Mechanism, Metadata, Provider};
use crate::pod::Pod;
use crate::static_keys::{self, StaticKey};

/// What was found.
#[derive(Clone, Debug)]
pub struct Detection {
    /// What the pod's template says.
    pub expected: Expected,
    /// The identities that the pod has been given; SDKs of one cloud take its first.
    pub mechanisms: Vec<Mechanism>,
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
    /// Whether it says to be GKE's: it knows the cluster's name.
    pub gke: bool,
    /// Whether AWS' instance metadata answers, which has the node's role.
    pub aws: bool,
    /// Whether Azure's instance metadata answers, which has the node's identity.
    pub azure: bool,
    /// Whether the agent of EKS Pod Identity takes a connection; asked only where one should be.
    pub agent: Option<Result<(), HttpError>>,
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
        asks(pod, &self.expected) || !self.mechanisms.is_empty()
    }
}

/// Whether this may be a pod that should have an identity, as far as can be told without asking any
/// address: on other machines nobody has to be asked.
#[must_use]
pub fn may_expect(pod: &Pod) -> bool {
    pod.variable("KUBERNETES_SERVICE_HOST").is_some()
        || asks(pod, &Expected::of(pod))
        || !Mechanism::from_environment(pod).is_empty()
}

/// Whether the pod's template or a variable asks for an identity.
fn asks(pod: &Pod, expected: &Expected) -> bool {
    expected.provider().is_some()
        || expected.unknown_provider.is_some()
        || ASKING.iter().any(|name| pod.variable(name).is_some())
}

/// Variables that ask for an identity, even where they do not suffice.
const ASKING: &[&str] = &[
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AZURE_FEDERATED_TOKEN_FILE",
];

/// Looks at everything there is, side by side.
///
/// # Cancel safety
/// Dropping the future closes what it opened.
pub async fn detect(pod: &Pod) -> Detection {
    let expected = Expected::of(pod);
    let mut mechanisms = Mechanism::from_environment(pod);
    let metadata = servers(pod, &expected, &mechanisms).await;
    if let Ok(Some(found)) = &metadata.google
        && found.account != Account::Node
        // A plain machine of Google's is no pod with an identity of its own.
        && metadata.gke
    {
        mechanisms.push(Mechanism::GkeMetadata(found.clone()));
    }
    Detection {
        expected,
        mechanisms,
        static_keys: static_keys::find(pod),
        metadata,
    }
}

async fn servers(pod: &Pod, expected: &Expected, mechanisms: &[Mechanism]) -> Servers {
    const ALL: Duration = Duration::from_millis(950);
    let client = Client::new(pod, Cloud::Google);
    let host = metadata::host(pod);
    let wants_agent = expected.provider() == Some(Provider::EksPodIdentity)
        || mechanisms
            .iter()
            .any(|one| one.provider() == Provider::EksPodIdentity);
    let looked = async {
        tokio::join!(
            google(pod, &client, &host),
            is_gke(&client, &host),
            is_aws(&client),
            is_azure(&client),
            async {
                if wants_agent {
                    Some(agent(&client, mechanisms).await)
                } else {
                    None
                }
            },
        )
    };
    match tokio::time::timeout(ALL, looked).await {
        Ok((google, gke, aws, azure, agent)) => Servers {
            google,
            gke,
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
            let agent = wants_agent.then(|| Err(silent.clone()));
            Servers {
                google: Err(silent),
                gke: false,
                aws: false,
                azure: false,
                agent,
            }
        }
    }
}

async fn google(pod: &Pod, client: &Client<'_>, host: &str) -> Result<Option<Metadata>, HttpError> {
    if pod.variable("NO_GCE_CHECK") == Some("true") {
        return Ok(None);
    }
    metadata::account(client, host, Limits::DETECT).await
}

async fn is_gke(client: &Client<'_>, host: &str) -> bool {
    let request = metadata::request(host, "instance/attributes/cluster-name");
    client
        .send(request, Limits::DETECT)
        .await
        .is_ok_and(|answer| answer.is_success() && metadata::is_google(&answer))
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

/// Whether the agent takes a request: without a token it refuses, which is an answer.
async fn agent(client: &Client<'_>, mechanisms: &[Mechanism]) -> Result<(), HttpError> {
    let named = mechanisms.iter().find_map(|mechanism| match mechanism {
        Mechanism::EksPodIdentity(agent) => Some(agent.url.as_str()),
        _ => None,
    });
    let url = named
        .filter(|url| crate::exchange::agent::is_allowed(url))
        .unwrap_or(AGENT_URL);
    client
        .send(Request::get(url).direct(), Limits::DETECT)
        .await
        .map(drop)
}
