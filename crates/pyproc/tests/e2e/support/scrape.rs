//! A real recorder, scraped as Prometheus would.

use std::collections::{BTreeMap, BTreeSet};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use pyproc::Pool;

/// The recorder of this process. Once per process, before the pool is started.
pub(crate) struct Recorder {
    handle: PrometheusHandle,
}

/// What one scrape gave.
#[derive(Clone, Debug)]
pub(crate) struct Scrape {
    /// Values by series, written as Prometheus writes it.
    series: BTreeMap<String, f64>,
    /// Kinds by name.
    pub(crate) kinds: BTreeMap<String, String>,
    /// Descriptions by name.
    pub(crate) help: BTreeMap<String, String>,
}

impl Recorder {
    pub(crate) fn install() -> Self {
        let buckets = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0];
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &buckets)
            .expect("buckets")
            .install_recorder()
            .expect("the only recorder");
        Self { handle }
    }

    /// What has happened until now.
    pub(crate) fn scrape(&self, pool: &Pool) -> Scrape {
        pool.publish_metrics();
        self.read()
    }

    /// What has been handed on until now.
    pub(crate) fn read(&self) -> Scrape {
        let mut scrape = Scrape {
            series: BTreeMap::new(),
            kinds: BTreeMap::new(),
            help: BTreeMap::new(),
        };
        for line in self.handle.render().lines() {
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect("a kind");
                scrape.kinds.insert(name.to_owned(), kind.to_owned());
            } else if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').expect("a description");
                scrape.help.insert(name.to_owned(), help.to_owned());
            } else if let Some((series, value)) = line.rsplit_once(' ') {
                let value = value.parse().expect("a number");
                scrape.series.insert(series.to_owned(), value);
            }
        }
        scrape
    }
}

impl Scrape {
    /// Every series: its name and its labels, without those that Prometheus adds to histograms.
    pub(crate) fn all(&self) -> BTreeSet<(String, BTreeSet<String>)> {
        let parts = |series: &String| {
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let name = ["_bucket", "_sum", "_count"]
                .iter()
                .filter_map(|part| name.strip_suffix(part))
                .find(|name| self.kinds.contains_key(*name))
                .unwrap_or(name);
            let labels = labels.trim_end_matches('}').split("\",");
            let labels = labels
                .filter_map(|label| label.split_once("=\""))
                .map(|(label, _)| label.to_owned())
                .filter(|label| label != "le");
            (name.to_owned(), labels.collect())
        };
        self.series.keys().map(parts).collect()
    }

    /// The value of a series whose labels, the pool's name left out, are these; 0 when there is none.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |series: &str| {
            let (found, of) = series.split_once('{').unwrap_or((series, ""));
            let wanted =
                |(label, value): &(&str, &str)| of.contains(&format!("{label}=\"{value}\""));
            found == name && labels.iter().all(wanted)
        };
        self.series
            .iter()
            .filter(|(series, _)| fits(series))
            .map(|(_, value)| value)
            .sum()
    }

    /// By how much the series of this name have moved since `before`, by their labels but the pool's,
    /// in the order in which Prometheus has them.
    pub(crate) fn moved(&self, before: &Self, name: &str) -> BTreeMap<String, f64> {
        let mut moved = BTreeMap::new();
        for (series, value) in &self.series {
            let (found, labels) = series.split_once('{').unwrap_or((series, ""));
            let difference = value - before.series.get(series).unwrap_or(&0.0);
            if found == name && difference != 0.0 {
                let labels = labels
                    .trim_end_matches('}')
                    .split("\",")
                    .filter(|label| !label.starts_with("pool="))
                    .map(|label| label.replace("=\"", "="));
                let labels: Vec<String> = labels.map(|label| label.replace('"', "")).collect();
                moved.insert(labels.join(" "), difference);
            }
        }
        moved
    }
}
