//! What the pod's own template says its identity should be, from the labels and annotations that the
//! chart mounts.

use std::collections::BTreeMap;
use std::path::Path;

use crate::mechanism::Provider;
use crate::pod::{PODINFO, Pod};
use crate::read;

/// All annotations of a pod have 256 KiB at most, and are written with escapes.
const LARGEST: u64 = 1024 * 1024;

/// The annotation that names the provider, in the chart's words.
pub const PROVIDER: &str = "pyproc/identity-provider";
/// The annotation that names the identity: a role, a Google service account, a client id.
pub const PRINCIPAL: &str = "pyproc/identity-principal";
/// The annotation that names the pod's ServiceAccount: `NAMESPACE/NAME`.
pub const SERVICE_ACCOUNT: &str = "pyproc/service-account";
/// The pod label that AKS requires.
pub const AKS_LABEL: &str = "azure.workload.identity/use";

/// What the pod should have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The provider that the chart was set to.
    pub provider: Option<Provider>,
    /// A provider that this program does not know.
    pub unknown_provider: Option<String>,
    /// The identity that the chart was given.
    pub principal: Option<String>,
    /// Namespace and name of the pod's ServiceAccount.
    pub service_account: Option<(String, String)>,
    /// The value of AKS's label, where the pod has it.
    pub aks_label: Option<String>,
}

impl Expected {
    /// Reads the mounted files; files that are not there say nothing.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        let folder = Path::new(PODINFO);
        let read = |name: &str| {
            let contents = read::read(&pod.path(folder.join(name)), LARGEST).ok()?;
            Some(parse(&String::from_utf8_lossy(&contents.bytes)))
        };
        let labels = read("labels").unwrap_or_default();
        let mut annotations = read("annotations").unwrap_or_default();
        let provider = annotations
            .remove(PROVIDER)
            .filter(|provider| !provider.is_empty());
        let known = provider.as_deref().and_then(Provider::parse);
        Self {
            provider: known,
            unknown_provider: provider.filter(|_| known.is_none()),
            principal: annotations
                .remove(PRINCIPAL)
                .filter(|principal| !principal.is_empty()),
            service_account: annotations
                .remove(SERVICE_ACCOUNT)
                .as_deref()
                .and_then(|names| names.split_once('/'))
                .filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty())
                .map(|(namespace, name)| (namespace.to_owned(), name.to_owned())),
            aks_label: labels.get(AKS_LABEL).cloned(),
        }
    }

    /// The provider that the pod should have; AKS's label asks for an identity too.
    #[must_use]
    pub fn provider(&self) -> Option<Provider> {
        let by_label = self.aks_label.as_deref() == Some("true");
        self.provider.or(by_label.then_some(Provider::Aks))
    }
}

/// The lines of a downward-API file, `name="value"` with the value as Go quotes it.
#[must_use]
pub fn parse(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.trim().to_owned(), unquoted(value.trim())))
        .collect()
}

fn unquoted(value: &str) -> String {
    // Go and JSON differ in the escapes of characters that no identity has.
    serde_json::from_str(value).unwrap_or_else(|_| value.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;

    #[test]
    fn the_mounted_files_say_what_is_expected() {
        let folder = Folder::new();
        assert_eq!(Expected::of(&folder.pod()), Expected::default());
        folder.mount(
            PODINFO,
            &[
                (
                    "labels",
                    "app=\"x\"\nazure.workload.identity/use=\"true\"\n",
                ),
                (
                    "annotations",
                    "pyproc/identity-provider=\"aks\"\npyproc/identity-principal=\"a\\\"b\"\npyproc/service-account=\"shop/app\"\n",
                ),
            ],
        );
        let expected = Expected::of(&folder.pod());
        assert_eq!(expected.provider(), Some(Provider::Aks));
        assert_eq!(expected.principal.as_deref(), Some("a\"b"));
        assert_eq!(
            expected.service_account,
            Some(("shop".to_owned(), "app".to_owned()))
        );
    }
}
