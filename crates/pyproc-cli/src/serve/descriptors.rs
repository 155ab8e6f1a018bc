//! The limit of open files, and how many connections it leaves room for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::settings::Settings;
use crate::config::gateway::GatewayConfig;

/// Descriptors that are not for clients: workers, logs, files that are read.
const OWN_DESCRIPTORS: u64 = 128;

/// As many connections as the settings allow and the system has descriptors for.
pub(super) fn connections(settings: &Settings) -> usize {
    let limit = getrlimit(Resource::Nofile);
    // The soft limit is for programs that cannot handle more.
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let descriptors = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let possible = descriptors.map_or(usize::MAX, |most| {
        usize::try_from(most.saturating_sub(OWN_DESCRIPTORS)).unwrap_or(usize::MAX)
    });
    let most = settings.max_connections.min(possible).max(1);
    if most < settings.max_connections {
        let wanted = settings.max_connections;
        let sentence = format!(
            "`max_connections` is {wanted}, and the system allows {most}: raise the limit of open files (ulimit -n)"
        );
        // Whoever asked for less than the default, or for more, asked.
        if wanted == GatewayConfig::default().max_connections as usize {
            tracing::debug!("{sentence}");
        } else {
            tracing::warn!("{sentence}");
        }
    }
    most
}
