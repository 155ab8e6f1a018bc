//! Stored keys: what the clouds' SDKs take before, or instead of, the pod's identity.

use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::external_account::stored_key;
use crate::mechanism::Cloud;
use crate::pod::Pod;
use crate::read;

/// A key that was found. Its value is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticKey {
    /// Whose SDKs take it.
    pub cloud: Cloud,
    /// The variable or the file that holds it.
    pub place: String,
    /// What takes it before the pod's identity.
    pub wins: &'static str,
}

impl fmt::Display for StaticKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.place, self.wins)
    }
}

const AWS: &str = "boto3 and every other AWS SDK take it before a token or the agent";
const AWS_FILE: &str = "boto3 takes it before the agent, other AWS SDKs before a token too";
const AZURE: &str = "DefaultAzureCredential takes it before workload identity";
const AZURE_STORAGE: &str = "programs that read it need no identity";
const GOOGLE: &str = "google.auth.default takes it before the metadata server";

/// Everything found in the environment and in the files that the SDKs look into.
#[must_use]
pub fn find(pod: &Pod) -> Vec<StaticKey> {
    let mut found = Vec::new();
    for (variable, cloud, wins) in [
        ("AWS_ACCESS_KEY_ID", Cloud::Aws, AWS),
        ("AWS_SECRET_ACCESS_KEY", Cloud::Aws, AWS),
        ("AZURE_CLIENT_SECRET", Cloud::Azure, AZURE),
        ("AZURE_CLIENT_CERTIFICATE_PATH", Cloud::Azure, AZURE),
        ("AZURE_PASSWORD", Cloud::Azure, AZURE),
        ("AZURE_STORAGE_KEY", Cloud::Azure, AZURE_STORAGE),
        (
            "AZURE_STORAGE_CONNECTION_STRING",
            Cloud::Azure,
            AZURE_STORAGE,
        ),
        ("AZURE_STORAGE_SAS_TOKEN", Cloud::Azure, AZURE_STORAGE),
    ] {
        if pod.variable(variable).is_some() {
            found.push(StaticKey {
                cloud,
                place: variable.to_owned(),
                wins,
            });
        }
    }
    aws_files(pod, &mut found);
    google_files(pod, &mut found);
    found
}

/// SDKs take keys from the configuration as well as from the credentials.
fn aws_files(pod: &Pod, found: &mut Vec<StaticKey>) {
    for (variable, file) in [
        ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
        ("AWS_CONFIG_FILE", ".aws/config"),
    ] {
        let Some(path) = named(pod, variable, file) else {
            continue;
        };
        if text(pod, &path).is_some_and(|text| has_aws_key(&text)) {
            found.push(StaticKey {
                cloud: Cloud::Aws,
                place: path.display().to_string(),
                wins: AWS_FILE,
            });
        }
    }
}

/// The file that a variable names, else the one in the home folder.
fn named(pod: &Pod, variable: &str, file: &str) -> Option<PathBuf> {
    match pod.variable(variable) {
        // SDKs expand it.
        Some(path) => match (path.strip_prefix("~/"), pod.home()) {
            (Some(path), Some(home)) => Some(home.join(path)),
            _ => Some(PathBuf::from(path)),
        },
        None => pod.home().map(|home| home.join(file)),
    }
}

/// Whether a profile has a key, with an equals sign or, as botocore takes it too, a colon.
fn has_aws_key(text: &[u8]) -> bool {
    let text = Zeroizing::new(String::from_utf8_lossy(text).into_owned());
    text.lines()
        .filter_map(|line| line.split_once(['=', ':']))
        .any(|(name, value)| {
            name.trim().eq_ignore_ascii_case("aws_secret_access_key") && !value.trim().is_empty()
        })
}

fn google_files(pod: &Pod, found: &mut Vec<StaticKey>) {
    let named = pod
        .variable("GOOGLE_APPLICATION_CREDENTIALS")
        .map(Path::new)
        .map(Path::to_owned);
    let by_gcloud = match pod.variable("CLOUDSDK_CONFIG") {
        Some(folder) => Some(PathBuf::from(folder)),
        None => pod.home().map(|home| home.join(".config/gcloud")),
    };
    let by_gcloud = by_gcloud.map(|folder| folder.join("application_default_credentials.json"));
    for path in named.into_iter().chain(by_gcloud) {
        let Some(kind) = text(pod, &path).and_then(|text| stored_key(&text)) else {
            continue;
        };
        let place = format!("{}, a file of type {kind}", path.display());
        found.push(StaticKey {
            cloud: Cloud::Google,
            place,
            wins: GOOGLE,
        });
    }
}

/// A file's text, wiped after use.
fn text(pod: &Pod, path: &Path) -> Option<Zeroizing<Vec<u8>>> {
    const LARGEST: u64 = 1024 * 1024;
    let contents = read::read(&pod.path(path), LARGEST).ok()?;
    Some(contents.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;

    #[test]
    fn keys_are_found_and_an_external_account_is_none() {
        let folder = Folder::new();
        let mut pod = folder.pod();
        for (name, value) in [
            ("HOME", "/home/app"),
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AZURE_CLIENT_SECRET", ""),
        ] {
            pod.variables.insert(name.to_owned(), value.to_owned());
        }
        folder.write(
            "home/app/.aws/credentials",
            "[default]\naws_secret_access_key = x\n",
        );
        folder.write(
            "key.json",
            r#"{"type": "service_account", "private_key": "x"}"#,
        );
        pod.variables.insert(
            "GOOGLE_APPLICATION_CREDENTIALS".to_owned(),
            "/key.json".to_owned(),
        );
        let places = |pod: &Pod| {
            find(pod)
                .into_iter()
                .map(|key| key.place)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            places(&pod),
            [
                "AWS_ACCESS_KEY_ID",
                "/home/app/.aws/credentials",
                "/key.json, a file of type service_account"
            ]
        );
        pod.directory = "/srv".into();
        folder.write("srv/key.json", r#"{"type": "authorized_user"}"#);
        folder.write("home/app/config", "[profile a]\naws_secret_access_key=x\n");
        for (name, value) in [
            ("GOOGLE_APPLICATION_CREDENTIALS", "key.json"),
            ("AWS_CONFIG_FILE", "~/config"),
        ] {
            pod.variables.insert(name.to_owned(), value.to_owned());
        }
        assert_eq!(
            places(&pod),
            [
                "AWS_ACCESS_KEY_ID",
                "/home/app/.aws/credentials",
                "/home/app/config",
                "key.json, a file of type authorized_user"
            ]
        );
        folder.write("srv/key.json", r#"{"type": "external_account"}"#);
        folder.write("home/app/config", "[profile a]\nregion = eu-west-1\n");
        pod.variables.remove("AWS_ACCESS_KEY_ID");
        assert_eq!(places(&pod), ["/home/app/.aws/credentials"]);
    }

    #[test]
    fn no_file_with_a_key_is_missed() {
        let folder = Folder::new();
        let mut pod = folder.pod();
        for (name, value) in [
            ("HOME", "/home/app"),
            ("AWS_SHARED_CREDENTIALS_FILE", "~/keys"),
            ("CLOUDSDK_CONFIG", "/gcloud"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "/key.json"),
        ] {
            pod.variables.insert(name.to_owned(), value.to_owned());
        }
        folder.write("home/app/keys", "[default]\nAWS_SECRET_ACCESS_KEY: x\n");
        folder.write(
            "home/app/.aws/config",
            "[profile a]\naws_secret_access_key=x\n",
        );
        folder.write(
            "gcloud/application_default_credentials.json",
            r#"{"type": "external_account_authorized_user", "refresh_token": "x"}"#,
        );
        let places: Vec<String> = find(&pod).into_iter().map(|key| key.place).collect();
        assert_eq!(
            places,
            [
                "/home/app/keys",
                "/home/app/.aws/config",
                "/gcloud/application_default_credentials.json, a file of type external_account_authorized_user"
            ]
        );
        for (text, stored) in [
            (
                r#"{"type": "service_account", "credential_source": "x"}"#,
                true,
            ),
            (
                r#"{"type": "external_account", "type": "service_account"}"#,
                true,
            ),
            (
                r#"{"type": "impersonated_service_account", "source_credentials": {"type": "authorized_user"}}"#,
                true,
            ),
            (
                r#"{"type": "impersonated_service_account", "source_credentials": {"type": "external_account"}}"#,
                false,
            ),
        ] {
            folder.write("key.json", text);
            let found = find(&pod)
                .iter()
                .any(|key| key.place.starts_with("/key.json"));
            assert_eq!(found, stored, "{text}");
        }
    }
}
