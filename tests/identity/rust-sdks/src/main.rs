//! What Rust programs use beside a worker: each cloud's own SDK finds the pod's identity by itself, and the cloud says
//! who that is. Prints what it was given as JSON; `rust-sdks aws`, `azure` or `google`.

use anyhow::{Context as _, bail};
use azure_core::credentials::TokenCredential as _;
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let cloud = std::env::args().nth(1).unwrap_or_default();
    let given = match cloud.as_str() {
        "aws" => aws().await?,
        "azure" => azure().await?,
        "google" => google().await?,
        _ => bail!("usage: rust-sdks aws|azure|google"),
    };
    println!("{given}");
    Ok(())
}

/// The keys of the chain of `aws-config`, and whom STS knows them as.
async fn aws() -> anyhow::Result<Value> {
    use aws_sdk_sts::config::ProvideCredentials as _;

    let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let provider = config
        .credentials_provider()
        .context("there is no provider of credentials")?;
    let keys = provider.provide_credentials().await?;
    let caller = aws_sdk_sts::Config::from(&config)
        .to_builder()
        .credentials_provider(keys.clone())
        .build();
    let caller = aws_sdk_sts::Client::from_conf(caller)
        .get_caller_identity()
        .send()
        .await?;
    Ok(json!({ "key": keys.access_key_id(), "session": keys.session_token(), "arn": caller.arn() }))
}

/// The token of `azure_identity` for storage.
async fn azure() -> anyhow::Result<Value> {
    let credential = azure_identity::WorkloadIdentityCredential::new(None)?;
    let token = credential
        .get_token(&["https://storage.azure.com/.default"], None)
        .await?;
    Ok(json!({ "token": token.token.secret() }))
}

/// The token of `google-cloud-auth`'s application default credentials.
async fn google() -> anyhow::Result<Value> {
    let credentials =
        google_cloud_auth::credentials::Builder::default().build_access_token_credentials()?;
    Ok(json!({ "token": credentials.access_token().await?.token }))
}
