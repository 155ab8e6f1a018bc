//! The limit of open files, and how many connections it leaves room for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::settings::Settings;
use super::{METRICS_CONNECTIONS, turned_away};
use crate::config::gateway::GatewayConfig;

/// Descriptors of the program itself: the runtimes, listeners, logs, files that are read.
const PROGRAM: usize = 64;

/// Descriptors of one worker: seven for its process, its socket, its output, its lane and its bells, as many
/// again while it is replaced, and one for a large body now and then.
const WORKER: usize = 16;

/// Descriptors that are not for clients: clients that are turned away, whoever scrapes, and workers have
/// theirs.
const fn own(workers: usize) -> usize {
    PROGRAM + turned_away::MOST + METRICS_CONNECTIONS + WORKER * workers
}

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
    let pool = settings.pool.clone().resolve();
    let own = own(pool.map_or(1, |pool| pool.workers));
    let possible = descriptors.map_or(usize::MAX, |most| {
        usize::try_from(most)
            .unwrap_or(usize::MAX)
            .saturating_sub(own)
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
