//! The mechanisms by which a cloud gives a pod its identity, as they show in the environment.

use std::path::PathBuf;

use crate::external_account::{ExternalAccount, ExternalAccountError};
use crate::pod::Pod;

/// Where EKS Pod Identity's agent listens.
pub const AGENT_URL: &str = "http://169.254.170.23/v1/credentials";
/// The same in a cluster with IPv6.
pub const AGENT_URL_IPV6: &str = "http://[fd00:ec2::23]/v1/credentials";
/// The agent's two addresses.
pub(crate) const AGENT_HOSTS: [&str; 2] = ["169.254.170.23", "fd00:ec2::23"];

/// A cloud's way to give an identity, in the words of the chart's `cloudIdentity.provider`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provider {
    /// GKE Workload Identity Federation.
    Gke,
    /// EKS IAM Roles for Service Accounts.
    EksIrsa,
    /// EKS Pod Identity.
    EksPodIdentity,
    /// AKS with Entra Workload Identity.
    Aks,
}

impl Provider {
    /// The provider of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Gke, Self::EksIrsa, Self::EksPodIdentity, Self::Aks]
            .into_iter()
            .find(|one| one.name() == name)
    }

    /// Its name in the chart.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gke => "gke",
            Self::EksIrsa => "eks-irsa",
            Self::EksPodIdentity => "eks-pod-identity",
            Self::Aks => "aks",
        }
    }

    /// The cloud that it is of.
    #[must_use]
    pub fn cloud(self) -> Cloud {
        match self {
            Self::Gke => Cloud::Google,
            Self::EksIrsa | Self::EksPodIdentity => Cloud::Aws,
            Self::Aks => Cloud::Azure,
        }
    }
}

/// Whose rules a request follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// Amazon Web Services.
    Aws,
    /// Microsoft Azure.
    Azure,
    /// Google Cloud.
    Google,
}

/// An identity that the pod has been given, as far as can be told without a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// A token for AWS STS.
    EksIrsa(Irsa),
    /// The agent of EKS Pod Identity.
    EksPodIdentity(PodIdentity),
    /// A token for Microsoft Entra.
    AksWorkloadIdentity(Entra),
    /// A token for Google STS, by a file of type `external_account`.
    ExternalAccount(ExternalAccount),
    /// The metadata server of GKE.
    GkeMetadata(Metadata),
}

/// AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Irsa {
    /// The role.
    pub role: String,
    /// The token's path.
    pub token_file: PathBuf,
}

/// AWS_CONTAINER_CREDENTIALS_FULL_URI and AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodIdentity {
    /// Where credentials are asked for.
    pub url: String,
    /// The token's path.
    pub token_file: PathBuf,
}

/// AZURE_CLIENT_ID, AZURE_TENANT_ID, AZURE_FEDERATED_TOKEN_FILE and AZURE_AUTHORITY_HOST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entra {
    /// The identity.
    pub client: String,
    /// Its tenant.
    pub tenant: String,
    /// The token's path.
    pub token_file: PathBuf,
    /// Who gives tokens: a URL.
    pub authority: String,
}

/// What the metadata server says about the pod's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// `host[:port][/prefix]` of the server.
    pub host: String,
    /// The account's name: an address, or the pool of a direct principal.
    pub email: String,
    /// What it is.
    pub account: Account,
    /// The project of the cluster, whose pool its ServiceAccounts are of.
    pub project: Option<String>,
}

/// Whom GKE's metadata server speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// A Google service account that the ServiceAccount is linked to.
    Impersonation,
    /// The ServiceAccount itself.
    Direct,
    /// The node: workload identity is off here.
    Node,
}

impl Account {
    /// Of an account that the pod's template names.
    pub(crate) fn of_linked(email: &str) -> Self {
        match Self::of(email) {
            Self::Node => Self::Impersonation,
            other => other,
        }
    }

    /// Tells from the account's name. A node's account may have any name of its owner's; the default
    /// one is known.
    #[must_use]
    pub fn of(email: &str) -> Self {
        if email.ends_with(".svc.id.goog") || email.starts_with("principal://") {
            Self::Direct
        } else if email.ends_with("-compute@developer.gserviceaccount.com") {
            Self::Node
        } else {
            Self::Impersonation
        }
    }
}

impl Mechanism {
    /// Its provider.
    #[must_use]
    pub fn provider(&self) -> Provider {
        match self {
            Self::EksIrsa(_) => Provider::EksIrsa,
            Self::EksPodIdentity(_) => Provider::EksPodIdentity,
            Self::AksWorkloadIdentity(_) => Provider::Aks,
            Self::ExternalAccount(_) | Self::GkeMetadata(_) => Provider::Gke,
        }
    }

    /// A stable word for it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::EksIrsa(_) => "eks-irsa",
            Self::EksPodIdentity(_) => "eks-pod-identity",
            Self::AksWorkloadIdentity(_) => "aks-workload-identity",
            Self::ExternalAccount(_) => "external-account",
            Self::GkeMetadata(_) => "gke-metadata",
        }
    }

    /// Its name as the clouds write it.
    #[must_use]
    pub fn title(&self) -> &'static str {
        match self {
            Self::EksIrsa(_) => "EKS IAM Roles for Service Accounts",
            Self::EksPodIdentity(_) => "EKS Pod Identity",
            Self::AksWorkloadIdentity(_) => "AKS Entra Workload Identity",
            Self::ExternalAccount(_) => {
                "Google Workload Identity Federation (external_account file)"
            }
            Self::GkeMetadata(metadata) => match metadata.account {
                Account::Impersonation => {
                    "GKE Workload Identity Federation (linked service account)"
                }
                Account::Direct => "GKE Workload Identity Federation (direct principal)",
                // Detection takes it for no mechanism of the pod.
                Account::Node => "GKE's metadata server (the node)",
            },
        }
    }

    /// Whom it is to act as, as far as the pod says.
    #[must_use]
    pub fn principal(&self) -> Option<&str> {
        match self {
            Self::EksIrsa(irsa) => Some(&irsa.role),
            Self::EksPodIdentity(_) => None,
            Self::AksWorkloadIdentity(entra) => Some(&entra.client),
            Self::ExternalAccount(file) => file.service_account().or(Some(&file.audience)),
            Self::GkeMetadata(metadata) => Some(&metadata.email),
        }
    }

    /// Where its token is mounted.
    #[must_use]
    pub fn token_file(&self) -> Option<&PathBuf> {
        match self {
            Self::EksIrsa(irsa) => Some(&irsa.token_file),
            Self::EksPodIdentity(agent) => Some(&agent.token_file),
            Self::AksWorkloadIdentity(entra) => Some(&entra.token_file),
            Self::ExternalAccount(file) => Some(&file.token_file),
            Self::GkeMetadata(_) => None,
        }
    }

    /// The audience that its token needs, where that is fixed.
    #[must_use]
    pub fn audience(&self) -> Option<&'static str> {
        match self {
            Self::EksIrsa(_) => Some("sts.amazonaws.com"),
            Self::EksPodIdentity(_) => Some("pods.eks.amazonaws.com"),
            Self::AksWorkloadIdentity(_) => Some("api://AzureADTokenExchange"),
            Self::ExternalAccount(_) | Self::GkeMetadata(_) => None,
        }
    }

    /// Those that the environment describes completely, in the order in which SDKs try them.
    #[must_use]
    pub fn from_environment(pod: &Pod) -> Vec<Self> {
        let mut found = Vec::new();
        let path = |name: &str| pod.variable(name).map(PathBuf::from);
        let text = |name: &str| pod.variable(name).map(str::to_owned);
        if let (Some(role), Some(token_file)) =
            (text("AWS_ROLE_ARN"), path("AWS_WEB_IDENTITY_TOKEN_FILE"))
        {
            found.push(Self::EksIrsa(Irsa { role, token_file }));
        }
        if let (Some(url), Some(token_file)) = (
            text("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
            path("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
        ) {
            found.push(Self::EksPodIdentity(PodIdentity { url, token_file }));
        }
        if let (Some(client), Some(tenant), Some(token_file)) = (
            text("AZURE_CLIENT_ID"),
            text("AZURE_TENANT_ID"),
            path("AZURE_FEDERATED_TOKEN_FILE"),
        ) {
            let authority = match text("AZURE_AUTHORITY_HOST") {
                // SDKs complete a host alone.
                Some(host) if !host.contains("://") => format!("https://{host}"),
                Some(url) => url,
                None => "https://login.microsoftonline.com/".to_owned(),
            };
            found.push(Self::AksWorkloadIdentity(Entra {
                client,
                tenant,
                token_file,
                authority,
            }));
        }
        found
    }

    /// Whether the environment has one of the two variables of IRSA: EKS sets both or none.
    #[must_use]
    pub fn is_half_irsa(pod: &Pod) -> bool {
        let has = |name| pod.variable(name).is_some();
        has("AWS_ROLE_ARN") != has("AWS_WEB_IDENTITY_TOKEN_FILE")
    }

    /// Whether the environment has a part of EKS Pod Identity's variables: the address of its agent, or the
    /// file of its token. A server of somebody else's may want another token or none.
    #[must_use]
    pub fn is_half_agent(pod: &Pod) -> bool {
        let url = pod.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        let file = pod
            .variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
            .is_some();
        let token = pod.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN").is_some();
        let relative = pod
            .variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
            .is_some();
        let of_eks = url.is_some_and(|url| {
            let host = crate::http::host(url);
            AGENT_HOSTS
                .iter()
                .any(|agent| host.trim_matches(['[', ']']) == *agent)
        });
        match (url, file) {
            (Some(_), false) => of_eks && !token,
            (None, true) => !relative,
            _ => false,
        }
    }

    /// The file that GOOGLE_APPLICATION_CREDENTIALS names, when it is an external account.
    ///
    /// # Errors
    /// When the file cannot be read, or is one that cannot be used here.
    pub fn external_account(pod: &Pod) -> Result<Option<ExternalAccount>, ExternalAccountError> {
        match pod.variable("GOOGLE_APPLICATION_CREDENTIALS") {
            Some(path) => ExternalAccount::read(pod, path),
            None => Ok(None),
        }
    }
}
