//! Whom to trust: the bundle that the environment names, else the platform's certificates.

use std::path::PathBuf;
use std::sync::Arc;

use rustls_native_certs::{CertificateResult, load_certs_from_paths, load_native_certs};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::HttpError;
use crate::mechanism::Cloud;
use crate::pod::Pod;

/// The variable that decides, with its value: the one that the cloud's SDK for Python would follow, then
/// those of OpenSSL.
fn bundle(pod: &Pod, cloud: Cloud) -> Option<(&'static str, PathBuf)> {
    let names: &[&'static str] = match cloud {
        Cloud::Aws => &[
            "AWS_CA_BUNDLE",
            "REQUESTS_CA_BUNDLE",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
        ],
        Cloud::Azure | Cloud::Google => &[
            "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
        ],
    };
    names
        .iter()
        .find_map(|name| Some((*name, PathBuf::from(pod.variable(name)?))))
}

/// The provider of the cryptography is named, so that no other crate's features can change it.
pub(super) fn configuration(pod: &Pod, cloud: Cloud) -> Result<Arc<ClientConfig>, HttpError> {
    let (source, found) = match bundle(pod, cloud) {
        Some((name, path)) => {
            let place = pod.path(&path);
            let (file, folder) = if place.is_dir() {
                (None, Some(place))
            } else {
                (Some(place), None)
            };
            (
                format!("{name} is {}", path.display()),
                load_certs_from_paths(file.as_deref(), folder.as_deref()),
            )
        }
        None => (
            "the platform's certificates".to_owned(),
            load_native_certs(),
        ),
    };
    let roots = roots(&source, found)?;
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| HttpError::Roots {
            problem: error.to_string(),
        })?;
    Ok(Arc::new(
        builder.with_root_certificates(roots).with_no_client_auth(),
    ))
}

fn roots(source: &str, found: CertificateResult) -> Result<RootCertStore, HttpError> {
    let mut roots = RootCertStore::empty();
    // One odd certificate of a hundred is no reason to trust none.
    let (taken, refused) = roots.add_parsable_certificates(found.certs);
    if taken > 0 {
        return Ok(roots);
    }
    let problem = match found.errors.first() {
        Some(error) => format!("{source}: {error}"),
        None if refused > 0 => format!("{source}: none of {refused} certificates can be used"),
        None => format!(
            "{source}: there is none; install ca-certificates in the image or set SSL_CERT_FILE"
        ),
    };
    Err(HttpError::Roots { problem })
}
