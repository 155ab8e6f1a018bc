//! The recorder behind `/metrics`.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::failure::Failure;

/// Bounds of the buckets of durations, in seconds: from what a small function takes to what is given up.
const SECONDS: [f64; 20] = [
    0.000_001,
    0.000_002_5,
    0.000_005,
    0.000_01,
    0.000_025,
    0.000_05,
    0.000_1,
    0.000_25,
    0.000_5,
    0.001,
    0.002_5,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    1.0,
    5.0,
    30.0,
];

/// Makes the program's metrics go to a recorder that can be scraped.
pub(super) fn install() -> Result<PrometheusHandle, Failure> {
    let recorder = PrometheusBuilder::new()
        .set_buckets(&SECONDS)
        .and_then(PrometheusBuilder::install_recorder);
    recorder.map_err(|error| Failure::Failed(format!("the metrics cannot be recorded: {error}")))
}
