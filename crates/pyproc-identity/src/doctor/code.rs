//! The doctor's codes: stable words that scripts and pages may rely on.

use serde::Serialize;

/// What can be wrong with a pod's identity. A code keeps its meaning.
///
/// The first paragraph of each says what it means, the second how it is mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum Code {
    /// The pod's template names a provider that this version of pyproc does not know.
    ///
    /// Use the chart that belongs to the program's version.
    UnknownProvider,
    /// A stored key lies where the SDKs look first, so the pod's identity is not used.
    ///
    /// Remove it; `pyproc serve --no-static-credentials` refuses to start with one.
    StaticKeysShadow,
    /// Two mechanisms are set up at once. Which of them an SDK takes depends on the SDK.
    ///
    /// Keep one: remove the other's annotation, association or variables.
    TwoMechanisms,
    /// A variable sends an SDK to an emulator or to another endpoint.
    ///
    /// Remove it outside of tests.
    EmulatorLeftOn,
    /// The proxy of the environment would be asked for an address that only this machine can reach.
    ///
    /// Extend NO_PROXY, in both spellings.
    ProxyCapturesMetadata,
    /// The pod came without what its template asked for, or with another identity than it names: it was
    /// created before its ServiceAccount was changed.
    ///
    /// Restart the pods.
    StalePod,
    /// Requests would be made as the node: the pod's own identity is not there, and the node's answers.
    ///
    /// Mend what keeps the pod's identity away, and keep pods from the node's metadata.
    NodeIdentityFallback,
    /// The token's file does not exist.
    ///
    /// Mount it where the variable says.
    TokenMissing,
    /// The process may not read its token.
    ///
    /// Set `fsGroup`, so that the kubelet writes the token for that group.
    TokenUnreadable,
    /// What lies at the token's path is no token: it is empty, a folder or something else.
    ///
    /// Look at the mount path; mount the volume, not a file of it.
    TokenMalformed,
    /// The token is no longer valid; the kubelet renews it at 80 % of its time.
    ///
    /// Restart the pod; read the file at every use, and never copy it.
    TokenExpired,
    /// The token lies outside of a volume that the kubelet can replace, as with a `subPath`: it will expire.
    ///
    /// Mount the whole volume.
    Subpath,
    /// For how long tokens are valid: for information.
    ///
    /// Nothing to do.
    TokenLifetime,
    /// The clock of this machine differs from the cloud's, or the token is from the future.
    ///
    /// Let the node synchronize its clock.
    ClockSkew,
    /// Whoever answered for the cloud has a certificate that is not trusted here, or none is; or only the
    /// variables of OpenSSL name the authorities, which the SDKs for Python do not follow.
    ///
    /// Add the authority of the proxy that inspects traffic to the CA bundle, and name it in all variables.
    TlsUntrusted,
    /// The cloud is asked too often.
    ///
    /// Make one client per process and keep it; run fewer processes.
    Throttled,
    /// The cloud refused for a reason that has no code of its own here; its own code is in the evidence.
    ///
    /// Look the provider's code up.
    ExchangeRefused,
    /// The exchange failed on the way: a proxy refused, or the answer was not one of the cloud's.
    ///
    /// See what stands between the pod and the cloud.
    ExchangeFailed,

    /// EKS injected nothing, or only one of its two variables is there.
    ///
    /// Restart the pods once the ServiceAccount is annotated (or the association made) and the webhook runs;
    /// set neither variable by hand.
    AwsNotInjected,
    /// The role's name is not one: `arn:aws:iam::ACCOUNT:role/NAME`.
    ///
    /// Correct it.
    AwsRoleArn,
    /// The token is for another audience than STS expects.
    ///
    /// Remove the audience, or add it to the client ids of the IAM identity provider.
    AwsAudience,
    /// A token of EKS Pod Identity is used for IRSA, or the reverse.
    ///
    /// Remove the variables of the mechanism that was left.
    AwsMixedMigration,
    /// STS is asked at its global endpoint or without a region, or cannot be reached, or its name cannot be
    /// resolved.
    ///
    /// Set the region; in a private network make a VPC endpoint for STS in it. Let the pod ask the cluster's
    /// DNS.
    AwsStsEndpoint,
    /// STS refused: the role does not exist, or its trust policy does not name this ServiceAccount. STS does
    /// not say which.
    ///
    /// Look whether the role exists, then set its trust policy.
    AwsTrustMismatch,
    /// The role's account has no OIDC provider for this cluster.
    ///
    /// Create it in the account of the role.
    AwsNoOidcProvider,
    /// STS could not fetch the cluster's keys.
    ///
    /// Try again; if it lasts, the issuer's keys cannot be reached or have changed.
    AwsIdpTransient,
    /// The installed SDK is older than EKS Pod Identity, or the credentials' address is one that SDKs refuse.
    ///
    /// Install boto3 1.34.41 or later.
    AwsContainerHost,
    /// The agent of EKS Pod Identity does not answer.
    ///
    /// Install the add-on `eks-pod-identity-agent`; let the pod reach 169.254.170.23 port 80.
    AwsAgentUnreachable,
    /// EKS knows no Pod Identity association for this ServiceAccount.
    ///
    /// Create it.
    AwsNoAssociation,
    /// EKS Pod Identity may not assume the role.
    ///
    /// Let the role trust `pods.eks.amazonaws.com` with `sts:AssumeRole` and `sts:TagSession`.
    AwsPodIdentityTrust,

    /// The Azure webhook injected nothing: the pod's label is missing, or the webhook is.
    ///
    /// Set the label on the pod's template, as a text: `azure.workload.identity/use: "true"`.
    AzNotInjected,
    /// The token is there and the identity's client id or tenant is not.
    ///
    /// Annotate the ServiceAccount with the client id and restart the pods.
    AzClientIdMissing,
    /// Client id or tenant are not ids, or Entra does not know them together.
    ///
    /// Use the client id, not the object or resource id, and its own tenant.
    AzWrongApp,
    /// No federated credential of the identity fits the token's issuer, subject and audience.
    ///
    /// Create it from the token's claims; a new one takes up to some minutes.
    AzNoMatchingFic,
    /// Entra cannot verify the token with the issuer's keys.
    ///
    /// See that the issuer's discovery document and keys can be read from the internet.
    AzIssuerKeys,
    /// Entra's address is none, or cannot be reached.
    ///
    /// Let the pod reach it on port 443; use the authority of your cloud.
    AzAuthorityUnreachable,
    /// The node's identities are asked instead of the pod's, and there may be several.
    ///
    /// Mend the injection; install azure-identity 1.13 or later.
    AzImdsAmbiguous,

    /// GKE's metadata server does not take connections yet, or fails.
    ///
    /// Wait for it: `pyproc auth wait`, or `cloudIdentity.wait` in the chart.
    GkeMdsNotReady,
    /// The metadata server cannot be reached: packets are dropped on the way.
    ///
    /// Allow both of its addresses in the network policy; keep them out of the mesh.
    GkeNetpol,
    /// The node answers with its own metadata: the node pool has no GKE metadata server, or the pod uses the
    /// node's network.
    ///
    /// Set the node pool to GKE_METADATA, and let the pod have a network of its own.
    GkeNodeMetadata,
    /// The metadata server speaks for another account than the pod's template names.
    ///
    /// Set or remove the annotation `iam.gke.io/gcp-service-account`, and restart the pods.
    GkeAccountMismatch,
    /// The ServiceAccount may not act as the Google service account.
    ///
    /// Give it `roles/iam.workloadIdentityUser`.
    GkeImpersonationDenied,
    /// Signed URLs and identity tokens need a Google service account: for information.
    ///
    /// Link one where they are needed.
    GkeNoGsaFeature,
    /// The credentials file cannot be used.
    ///
    /// Mount one of type `external_account`.
    GcpCredentialsFile,
    /// The token is for another audience than the workload identity provider expects.
    ///
    /// Project it for the provider, with `https:` before its name.
    GcpAudience,
    /// Google knows no such workload identity pool or provider, or it is disabled.
    ///
    /// Create it, or correct its name.
    GcpNoProvider,
    /// Google refused the token: its issuer, audience, signature or the provider's condition does not fit.
    ///
    /// Compare the provider's issuer, audiences and condition with the token's claims.
    GcpTokenRefused,
    /// Google's STS cannot be reached.
    ///
    /// Let the pod reach sts.googleapis.com and iamcredentials.googleapis.com on port 443.
    GcpStsUnreachable,
}

impl Code {
    /// The word itself, such as `AWS_TRUST_MISMATCH`.
    #[must_use]
    pub fn name(self) -> String {
        // The name in JSON is the only list there is.
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name,
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_word_in_capitals() {
        assert_eq!(Code::AwsTrustMismatch.name(), "AWS_TRUST_MISMATCH");
        assert_eq!(Code::AzNoMatchingFic.name(), "AZ_NO_MATCHING_FIC");
    }
}
