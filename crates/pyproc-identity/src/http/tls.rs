//! Whom to trust: the bundle that the environment names, else the platform's certificates.

use std::sync::Arc;

use rustls_native_certs::{CertificateResult, load_certs_from_paths, load_native_certs};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::HttpError;
use crate::mechanism::Cloud;
use crate::pod::Pod;

/// The variable that decides, with its value: the one that the cloud's SDK for Python would follow, then
/// those of OpenSSL.
pub(crate) fn bundle(pod: &Pod, cloud: Cloud) -> Option<(&'static str, &str)> {
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
        .find_map(|name| Some((*name, pod.variable(name)?)))
}

/// The certificates of a file, or of a folder; of several folders where OpenSSL knows them.
pub(super) fn certificates(pod: &Pod, name: &str, value: &str) -> CertificateResult {
    let paths: Vec<&str> = if name == "SSL_CERT_DIR" {
        value.split(':').filter(|path| !path.is_empty()).collect()
    } else {
        vec![value]
    };
    let mut found = CertificateResult::default();
    for path in paths {
        let place = pod.path(path);
        let (file, folder) = if place.is_dir() {
            (None, Some(place.as_path()))
        } else {
            (Some(place.as_path()), None)
        };
        let more = load_certs_from_paths(file, folder);
        found.certs.extend(more.certs);
        found.errors.extend(more.errors);
    }
    found
}

/// The provider of the cryptography is named, so that no other crate's features can change it.
pub(super) fn configuration(pod: &Pod, cloud: Cloud) -> Result<Arc<ClientConfig>, HttpError> {
    let (source, found) = match bundle(pod, cloud) {
        Some((name, value)) => (format!("{name} is {value}"), certificates(pod, name, value)),
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
