//! Traces leave as OTLP over HTTP, in batches, by a thread of their own.
//!
//! OpenTelemetry's variables apply as its SDK reads them (`OTEL_TRACES_SAMPLER`, `OTEL_RESOURCE_ATTRIBUTES`,
//! `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_BSP_*` and so on). Without an endpoint there is nothing of this.
//! A collector that is slow or gone costs spans, never requests.

mod client;
mod exporter;

use std::time::Duration;

use hyper::Uri;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use pyproc::PoolConfig;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::registry::LookupSpan;

use crate::failure::Failure;
use client::{Client, LastProblem};
use exporter::Tolerant;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
const PROTOCOLS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
];
const TIMEOUTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
];

/// How long the last batch may take.
const LAST: Duration = Duration::from_secs(3);

/// The spans that are exported: those of requests, and of the pool's calls.
const TARGETS: [&str; 2] = ["pyproc", crate::serve::REQUESTS];

/// Where traces go.
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    /// The collector, where the configuration names it and not the environment.
    endpoint: Option<String>,
    service: String,
}

/// Begins to export, when there is somewhere to export to: `endpoint` is the configuration's
/// `otlp_endpoint`; without it the environment says. `service` is the name of what is traced, unless
/// the environment gives it another.
pub(crate) fn start(endpoint: Option<&str>, service: &str) -> Result<Option<Traces>, Failure> {
    if is_off() {
        return Ok(None);
    }
    let (name, url) = match (endpoint, variable(TRACES_ENDPOINT), variable(ENDPOINT)) {
        (Some(base), _, _) => ("otlp_endpoint", with_path(base)),
        (None, Some(url), _) => (TRACES_ENDPOINT, url),
        (None, None, Some(base)) => (ENDPOINT, with_path(&base)),
        (None, None, None) => return Ok(None),
    };
    let protocol = PROTOCOLS.iter().find_map(|name| variable(name));
    if endpoint.is_none() && protocol.as_deref() == Some("grpc") {
        return Err(Failure::Usage(format!(
            "{name} is for OTLP over gRPC, as OTEL_EXPORTER_OTLP_PROTOCOL says; traces are sent over HTTP: \
             give `otlp_endpoint`, mostly port 4318 of the same collector"
        )));
    }
    let wrong = |problem: &dyn std::fmt::Display| {
        Failure::Usage(format!(
            "{name} leads to {url:?}: {problem}; write the address of a collector that takes OTLP over HTTP, \
             such as http://collector:4318"
        ))
    };
    let uri = url.parse::<Uri>().ok().filter(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|it| !it.is_empty())
    });
    let uri = uri.ok_or_else(|| wrong(&"that is no http:// or https:// address"))?;
    let timeout = TIMEOUTS
        .iter()
        .find_map(|name| variable(name)?.parse().ok())
        .map_or(
            opentelemetry_otlp::OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT,
            Duration::from_millis,
        );
    let problem = LastProblem::default();
    let client = Client::new(&uri, timeout, problem.clone()).map_err(|error| wrong(&error))?;
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(&url)
        .with_timeout(timeout)
        .with_http_client(client)
        .build()
        .map_err(|error| wrong(&error))?;
    let resource = resource(service);
    let service = resource
        .get(&Key::from_static_str("service.name"))
        .map_or_else(|| service.to_owned(), |name| name.to_string());
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(Tolerant::new(exporter, &uri, problem))
        .with_resource(resource)
        .build();
    Ok(Some(Traces {
        provider,
        endpoint: endpoint.map(str::to_owned),
        service,
    }))
}

impl Traces {
    /// What makes spans of `tracing` those of OpenTelemetry.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let wanted =
            |metadata: &Metadata<'_>| metadata.is_span() && TARGETS.contains(&metadata.target());
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("pyproc"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_level(false)
            .with_target(false)
            .with_context_activation(false)
            .with_filter(filter_fn(wanted).with_max_level_hint(LevelFilter::DEBUG))
    }

    /// Tells the workers where their spans go and who they are, unless they have been told.
    pub(crate) fn tell_workers(&self, config: &mut PoolConfig) {
        let is_told = |name: &str| config.env.contains_key(name) || variable(name).is_some();
        let mut told = Vec::new();
        if let Some(endpoint) = &self.endpoint
            && !is_told(ENDPOINT)
        {
            told.push((ENDPOINT, endpoint.as_str()));
            told.push((PROTOCOLS[1], "http/protobuf"));
        }
        if !is_told(SERVICE_NAME) {
            told.push((SERVICE_NAME, &self.service));
        }
        let told = told.into_iter();
        config
            .env
            .extend(told.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    /// Sends what is left, within a bounded time.
    pub(crate) fn finish(self) {
        // What was lost has been said.
        let _ = self.provider.shutdown_with_timeout(LAST);
    }
}

/// Whether the environment wants no traces, wherever they could go.
fn is_off() -> bool {
    let disabled = variable("OTEL_SDK_DISABLED").is_some_and(|it| it.eq_ignore_ascii_case("true"));
    let exporters = variable("OTEL_TRACES_EXPORTER");
    disabled || exporters.is_some_and(|list| !list.split(',').any(|name| name.trim() == "otlp"))
}

/// Who the spans come from: what the environment says, and what it does not.
fn resource(service: &str) -> Resource {
    let named = Resource::builder().build();
    let unnamed = named
        .get(&Key::from_static_str("service.name"))
        .is_none_or(|name| name.as_str().starts_with("unknown_service"));
    let mut builder = Resource::builder();
    if unnamed {
        builder = builder.with_service_name(service.to_owned());
    }
    let mut own = vec![KeyValue::new("process.pid", i64::from(std::process::id()))];
    if named
        .get(&Key::from_static_str("service.version"))
        .is_none()
    {
        own.push(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    }
    builder.with_attributes(own).build()
}

/// The collector's address with the path for traces.
fn with_path(base: &str) -> String {
    format!("{}/v1/traces", base.trim_end_matches('/'))
}

/// A variable that says something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .filter(|value| !value.trim().is_empty())
}
