//! What a pod is made of, as far as its identity goes: a value, so that it can be described.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Where the chart mounts the pod's labels and annotations (the downward API).
pub const PODINFO: &str = "/etc/podinfo";

/// The environment, the files and the addresses that decide about a pod's identity.
///
/// [`Pod::of_this_process`] is the real one; tests and tools describe others.
#[derive(Clone, Debug, Default)]
pub struct Pod {
    /// The environment. An empty value counts as absent, as it does for the clouds' SDKs.
    pub variables: BTreeMap<String, String>,
    /// The folder that stands for `/`; every absolute path is looked up below it.
    pub root: PathBuf,
    /// The folder that other paths start from, as seen from that root.
    pub directory: PathBuf,
    /// Addresses that are reached at another one instead.
    pub addresses: BTreeMap<SocketAddr, SocketAddr>,
    /// The time, where it is not that of the clock.
    pub time: Option<SystemTime>,
    /// Versions of the SDKs that the worker's Python has, by the name of the distribution.
    pub packages: BTreeMap<String, String>,
}

impl Pod {
    /// The pod (or the machine) that this process runs in. Variables that are no UTF-8 are left out.
    #[must_use]
    pub fn of_this_process() -> Self {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self {
            variables: variables.collect(),
            root: PathBuf::from("/"),
            // Without one, relative paths lead nowhere anyway.
            directory: std::env::current_dir().unwrap_or_default(),
            ..Self::default()
        }
    }

    /// The same pod as one of its workers sees it, which is given these variables too.
    #[must_use]
    pub fn with_variables(mut self, given: impl IntoIterator<Item = (String, String)>) -> Self {
        self.variables.extend(given);
        self
    }

    /// A variable that is set and not empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Whether a variable has one of the spellings of true.
    #[must_use]
    pub fn is_true(&self, name: &str) -> bool {
        let value = self.variable(name).unwrap_or_default();
        ["true", "1", "yes"]
            .iter()
            .any(|word| value.eq_ignore_ascii_case(word))
    }

    /// Where a path of the pod lies.
    #[must_use]
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = self.directory.join(path);
        self.root.join(path.strip_prefix("/").unwrap_or(&path))
    }

    /// Where an address is reached.
    #[must_use]
    pub fn address(&self, address: SocketAddr) -> SocketAddr {
        self.addresses.get(&address).copied().unwrap_or(address)
    }

    /// The time of this pod.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.time.unwrap_or_else(SystemTime::now)
    }

    /// The home folder of the process.
    #[must_use]
    pub fn home(&self) -> Option<&Path> {
        self.variable("HOME").map(Path::new)
    }
}
