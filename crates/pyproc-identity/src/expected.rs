//! What the pod's own template says its identity should be, from the labels and annotations that the
//! chart mounts.

use std::collections::BTreeMap;
use std::path::Path;

use crate::mechanism::Provider;
use crate::pod::{PODINFO, Pod};

/// The annotation that names the provider, in the chart's words.
pub const PROVIDER: &str = "pyproc/identity-provider";
/// The annotation that names the identity: a role, a Google service account, a client id.
pub const PRINCIPAL: &str = "pyproc/identity-principal";
/// The pod label that AKS requires.
pub const AKS_LABEL: &str = "azure.workload.identity/use";

/// What the pod should have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Whether labels and annotations are mounted at all.
    pub mounted: bool,
    /// The provider that the chart was set to.
    pub provider: Option<Provider>,
    /// A provider that this program does not know.
    pub unknown_provider: Option<String>,
    /// The identity that the chart was given.
    pub principal: Option<String>,
    /// The value of AKS's label, where the pod has it.
    pub aks_label: Option<String>,
}

impl Expected {
    /// Reads the mounted files; files that are not there say nothing.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        let folder = Path::new(PODINFO);
        let read = |name: &str| std::fs::read_to_string(pod.path(folder.join(name))).ok();
        let (labels, annotations) = (read("labels"), read("annotations"));
        let mounted = labels.is_some() || annotations.is_some();
        let labels = parse(&labels.unwrap_or_default());
        let mut annotations = parse(&annotations.unwrap_or_default());
        let provider = annotations
            .remove(PROVIDER)
            .filter(|provider| !provider.is_empty());
        let known = provider.as_deref().and_then(Provider::parse);
        Self {
            mounted,
            provider: known,
            unknown_provider: provider.filter(|_| known.is_none()),
            principal: annotations
                .remove(PRINCIPAL)
                .filter(|principal| !principal.is_empty()),
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
                    "pyproc/identity-provider=\"aks\"\npyproc/identity-principal=\"a\\\"b\"\n",
                ),
            ],
        );
        let expected = Expected::of(&folder.pod());
        assert_eq!(expected.provider(), Some(Provider::Aks));
        assert_eq!(expected.principal.as_deref(), Some("a\"b"));
    }
}
