//! Says once that spans do not arrive, and once that they do again.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use hyper::Uri;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use super::client::LastProblem;

/// An exporter whose failures are told once and are nobody's problem otherwise.
#[derive(Debug)]
pub(super) struct Tolerant<E> {
    inner: E,
    collector: String,
    problem: LastProblem,
    /// Spans that did not arrive since some last did.
    lost: AtomicU64,
}

impl<E> Tolerant<E> {
    pub(super) fn new(inner: E, endpoint: &Uri, problem: LastProblem) -> Self {
        let host = endpoint.host().unwrap_or_default();
        let port = endpoint.port_u16();
        Self {
            inner,
            // Without what may be secret in an address.
            collector: port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
            problem,
            lost: AtomicU64::new(0),
        }
    }
}

impl<E: SpanExporter> SpanExporter for Tolerant<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len() as u64;
        let collector = self.collector.as_str();
        match self.inner.export(batch).await {
            Ok(()) => {
                let lost = self.lost.swap(0, Relaxed);
                if lost > 0 {
                    tracing::warn!(collector, lost, "traces arrive at the collector again");
                }
            }
            Err(error) => {
                if self.lost.fetch_add(spans, Relaxed) == 0 {
                    let problem = self.problem.take().unwrap_or_else(|| error.to_string());
                    tracing::warn!(
                        collector,
                        "traces do not arrive at the collector ({problem}); spans are lost until they do, requests are not concerned"
                    );
                }
            }
        }
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        let lost = self.lost.swap(0, Relaxed);
        if lost > 0 {
            tracing::warn!(
                collector = self.collector,
                lost,
                "these spans never arrived"
            );
        }
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
