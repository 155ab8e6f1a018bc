//! What a program in production has switched on: a recorder for the metrics, a subscriber for the log.

use std::io::sink;
use std::thread;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use tracing::Level;

use crate::Failure;

/// How often the exporter takes in what has been recorded, as it does beside its listener.
const UPKEEP: Duration = Duration::from_secs(5);

/// Installs both for the rest of the process: Prometheus without its listener, and a subscriber that
/// writes everything above DEBUG to nowhere.
pub(crate) fn install() -> Result<(), Failure> {
    let handle = PrometheusBuilder::new().install_recorder()?;
    thread::Builder::new()
        .name("upkeep".to_owned())
        .spawn(move || {
            loop {
                thread::sleep(UPKEEP);
                handle.run_upkeep();
            }
        })?;
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::INFO)
        .with_writer(sink)
        .finish();
    tracing::subscriber::set_global_default(subscriber)?;
    Ok(())
}
