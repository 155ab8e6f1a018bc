//! The recorder behind `/metrics`.

use std::time::Duration;

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

/// How often what was measured is put into its buckets.
pub(super) const UPKEEP: Duration = Duration::from_secs(5);

/// Puts what was measured into its buckets, for ever. Until then every sample is kept, and nobody may ever
/// scrape.
pub(super) async fn keep_up(recorder: PrometheusHandle, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        recorder.run_upkeep();
    }
}

/// Makes the program's metrics go to a recorder that can be scraped.
pub(super) fn install() -> Result<PrometheusHandle, Failure> {
    let recorder = PrometheusBuilder::new()
        .set_buckets(&SECONDS)
        .and_then(PrometheusBuilder::install_recorder);
    recorder.map_err(|error| Failure::Failed(format!("the metrics cannot be recorded: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn samples_are_not_kept_until_somebody_scrapes() {
        /// Eight bytes each; other tests take less meanwhile.
        const SAMPLES: usize = 1 << 20;
        const ROUNDS: usize = 64;
        let resident = || {
            let status = std::fs::read_to_string("/proc/self/status").expect("a process");
            let size = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let size = size.and_then(|size| size.split_whitespace().next());
            size.expect("a size").parse::<usize>().expect("a number") << 10
        };
        let recorder = PrometheusBuilder::new()
            .set_buckets(&SECONDS)
            .expect("buckets")
            .build_recorder();
        let histogram = metrics::with_local_recorder(&recorder, || metrics::histogram!("seconds"));
        let keeper = tokio::spawn(keep_up(recorder.handle(), Duration::ZERO));
        let before = resident();
        for _ in 0..ROUNDS {
            histogram.record_many(0.5, SAMPLES);
            // The keeper has its turn before this one's.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let more = resident().saturating_sub(before);
        assert!(more < SAMPLES * ROUNDS * 4, "{more}");
        keeper.abort();
        let count = format!("seconds_count {}", SAMPLES * ROUNDS);
        assert!(recorder.handle().render().contains(&count));
    }
}
