//! A Google credentials file of type `external_account`: where the token lies and who takes it.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::pod::Pod;
use crate::read;

const LARGEST: u64 = 256 * 1024;

/// The file's content, as far as it is used here: a token in a file, exchanged at Google STS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalAccount {
    /// The file's own path in the pod.
    pub path: PathBuf,
    /// `//iam.googleapis.com/projects/N/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`.
    pub audience: String,
    /// The type of the token.
    pub token_type: String,
    /// Where it is exchanged.
    pub token_url: String,
    /// The token's path.
    pub token_file: PathBuf,
    /// Where a service account is impersonated with what came.
    pub impersonation_url: Option<String>,
}

/// Why a credentials file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExternalAccountError {
    /// The file cannot be read.
    #[error("{} cannot be read: {problem}", .path.display())]
    Unreadable {
        /// The path in the pod.
        path: PathBuf,
        /// What the operating system says.
        problem: String,
    },
    /// The file takes its token from elsewhere than a file; SDKs may do so, it cannot be looked at here.
    #[error("{} takes its token from {source_kind}, which pyproc does not check", .path.display())]
    Unchecked {
        /// The path in the pod.
        path: PathBuf,
        /// Where from.
        source_kind: &'static str,
    },
    /// The file is no credentials file.
    #[error("{} is no credentials file of Google: {problem}", .path.display())]
    Malformed {
        /// The path in the pod.
        path: PathBuf,
        /// What it lacks.
        problem: String,
    },
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "type")]
    kind: String,
    audience: Option<String>,
    subject_token_type: Option<String>,
    token_url: Option<String>,
    credential_source: Option<Source>,
    service_account_impersonation_url: Option<String>,
}

#[derive(Deserialize)]
struct Source {
    file: Option<PathBuf>,
    #[serde(default)]
    format: Format,
    url: Option<Value>,
    executable: Option<Value>,
    environment_id: Option<Value>,
    certificate: Option<Value>,
}

#[derive(Default, Deserialize)]
struct Format {
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl ExternalAccount {
    pub(crate) fn read(
        pod: &Pod,
        path: impl AsRef<Path>,
    ) -> Result<Option<Self>, ExternalAccountError> {
        let path = path.as_ref();
        let contents = read::read(&pod.path(path), LARGEST).map_err(|error| {
            ExternalAccountError::Unreadable {
                path: path.to_owned(),
                problem: error.to_string(),
            }
        })?;
        Self::parse(&contents.bytes, path)
    }

    /// Reads the text of a credentials file; nothing when it is of another type.
    ///
    /// # Errors
    /// When it is none, or lacks what an external account needs.
    pub fn parse(text: &[u8], path: &Path) -> Result<Option<Self>, ExternalAccountError> {
        let problem = |problem: &str| ExternalAccountError::Malformed {
            path: path.to_owned(),
            problem: problem.to_owned(),
        };
        if credentials_type(text).is_some_and(|kind| kind != "external_account") {
            return Ok(None);
        }
        let raw: Raw = serde_json::from_slice(text).map_err(|error| {
            // The error's text may quote the file.
            problem(&format!(
                "line {} column {} is not what belongs there",
                error.line(),
                error.column()
            ))
        })?;
        if raw.kind != "external_account" {
            return Ok(None);
        }
        let source = raw
            .credential_source
            .ok_or_else(|| problem("it has no credential_source"))?;
        let unchecked = |source_kind| ExternalAccountError::Unchecked {
            path: path.to_owned(),
            source_kind,
        };
        let Some(token_file) = source.file else {
            return Err(match source {
                Source {
                    environment_id: Some(_),
                    ..
                } => unchecked("the metadata of AWS"),
                Source { url: Some(_), .. } => unchecked("a URL"),
                Source {
                    executable: Some(_),
                    ..
                } => unchecked("a program"),
                Source {
                    certificate: Some(_),
                    ..
                } => unchecked("a certificate"),
                _ => problem("its credential_source names no file"),
            });
        };
        if source.format.kind.is_some_and(|kind| kind != "text") {
            return Err(unchecked("a field of a JSON file"));
        }
        let token_url = raw
            .token_url
            .unwrap_or_else(|| "https://sts.googleapis.com/v1/token".to_owned());
        Ok(Some(Self {
            path: path.to_owned(),
            audience: raw.audience.ok_or_else(|| problem("it has no audience"))?,
            token_type: raw
                .subject_token_type
                .unwrap_or_else(|| "urn:ietf:params:oauth:token-type:jwt".to_owned()),
            token_url,
            token_file,
            impersonation_url: raw.service_account_impersonation_url,
        }))
    }

    /// The service account that is impersonated.
    #[must_use]
    pub fn service_account(&self) -> Option<&str> {
        let (_, account) = self
            .impersonation_url
            .as_deref()?
            .rsplit_once("/serviceAccounts/")?;
        account.strip_suffix(":generateAccessToken")
    }
}

/// Types that hold a key or a refresh token.
const STORED: &[&str] = &[
    "service_account",
    "authorized_user",
    "external_account_authorized_user",
    "gdch_service_account",
];

/// The type of a credentials file, whatever else is in it: SDKs read the type first, and of two the last.
#[must_use]
pub fn credentials_type(text: &[u8]) -> Option<String> {
    let file = serde_json::from_slice::<Value>(text).ok()?;
    file["type"].as_str().map(str::to_owned)
}

/// The type of a credentials file that holds a key, by itself or in the credentials that it impersonates
/// somebody with.
pub(crate) fn stored_key(text: &[u8]) -> Option<String> {
    let file = serde_json::from_slice::<Value>(text).ok()?;
    let kind = file["type"].as_str()?;
    let inner = file["source_credentials"]["type"].as_str();
    let stored = STORED.contains(&kind)
        || kind == "impersonated_service_account"
            && inner.is_some_and(|inner| STORED.contains(&inner));
    stored.then(|| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_the_chart_is_read() {
        let text = br#"{"type": "external_account", "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": "https://sts.googleapis.com/v1/token",
            "credential_source": {"file": "/var/run/secrets/x/token", "format": {"type": "text"}},
            "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@p.iam.gserviceaccount.com:generateAccessToken"}"#;
        let file = ExternalAccount::parse(text, Path::new("/c"))
            .unwrap()
            .unwrap();
        assert_eq!(file.service_account(), Some("a@p.iam.gserviceaccount.com"));
        assert_eq!(
            ExternalAccount::parse(br#"{"type": "service_account"}"#, Path::new("/c")),
            Ok(None)
        );
        assert_eq!(
            ExternalAccount::parse(
                br#"{"type": "service_account", "credential_source": "x"}"#,
                Path::new("/c")
            ),
            Ok(None)
        );
        let missing = ExternalAccount::parse(br#"{"type": "external_account"}"#, Path::new("/c"));
        assert_eq!(
            missing.unwrap_err().to_string(),
            "/c is no credentials file of Google: it has no credential_source"
        );
        for (source, kind) in [
            (r#"{"url": "http://x"}"#, "a URL"),
            (r#"{"executable": {"command": "x"}}"#, "a program"),
            (
                r#"{"environment_id": "aws1", "url": "http://x"}"#,
                "the metadata of AWS",
            ),
            (
                r#"{"file": "/t", "format": {"type": "json"}}"#,
                "a field of a JSON file",
            ),
        ] {
            let text = format!(
                r#"{{"type": "external_account", "audience": "a", "credential_source": {source}}}"#
            );
            let error = ExternalAccount::parse(text.as_bytes(), Path::new("/c")).unwrap_err();
            assert!(
                matches!(&error, ExternalAccountError::Unchecked { source_kind, .. } if *source_kind == kind),
                "{error}"
            );
        }
        let key = ExternalAccount::parse(br#"{"private_key": "x""#, Path::new("/c"));
        assert_eq!(
            key.unwrap_err().to_string(),
            "/c is no credentials file of Google: line 1 column 19 is not what belongs there"
        );
    }
}
