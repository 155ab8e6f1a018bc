//! With the feature `opentelemetry`: a call made in a span continues its trace in Python, by itself.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to panic")]
#![allow(clippy::panic, reason = "a test that cannot go on is to panic")]

#[path = "e2e"]
mod e2e {
    #[expect(
        dead_code,
        unused_imports,
        reason = "shared with the end-to-end tests, which use all of it"
    )]
    pub(crate) mod support;
}

use e2e::support::{OPEN_TELEMETRY, scenario, start, worker};
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use pyproc::{Pool, TraceContext};
use tracing::Instrument;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

/// Spans of this program from this level on, as OpenTelemetry's SDK exports them.
fn export(level: LevelFilter) -> InMemorySpanExporter {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let subscriber = tracing_subscriber::registry().with(level).with(layer);
    tracing::subscriber::set_global_default(subscriber).expect("the only subscriber");
    exporter
}

/// The trace and the parent of the span that Python has exported last.
async fn in_python(pool: &Pool) -> (String, String) {
    let spans: Vec<serde_json::Value> = pool.call("spans", &()).await.expect("spans");
    let last = spans.last().expect("a span");
    let part = |name: &str| last[name].as_str().expect("a text").to_owned();
    (part("trace"), part("parent"))
}

/// The trace of a span of this program, and its id: what Python should have as its parent.
fn ids(span: &SpanData) -> (String, String) {
    let context = &span.span_context;
    (
        context.trace_id().to_string(),
        context.span_id().to_string(),
    )
}

async fn call_in_a_span(pool: &Pool) -> [String; 2] {
    async { pool.call("plain", &1).await }
        .instrument(tracing::info_span!("handler"))
        .await
        .expect("a call")
}

#[test]
fn the_parent_is_the_calls_own_span() {
    scenario(async || {
        let exporter = export(LevelFilter::DEBUG);
        let pool = start(worker(OPEN_TELEMETRY)).await;
        for function in ["plain", "coroutine"] {
            let call = async { pool.call::<_, [String; 2]>(function, &1).await };
            call.instrument(tracing::info_span!("handler"))
                .await
                .expect("a call");
            let spans = exporter.get_finished_spans().expect("spans");
            let find = |name: &str| spans.iter().rev().find(|span| span.name == name).unwrap();
            let (call, handler) = (find("pyproc.call"), find("handler"));
            assert_eq!(call.parent_span_id, handler.span_context.span_id());
            assert_eq!(in_python(&pool).await, ids(call));
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn where_calls_have_no_spans_the_parent_is_the_span_around_them() {
    scenario(async || {
        let exporter = export(LevelFilter::INFO);
        let pool = start(worker(OPEN_TELEMETRY)).await;
        call_in_a_span(&pool).await;
        let spans = exporter.get_finished_spans().expect("spans");
        assert_eq!(spans.len(), 1);
        assert_eq!(in_python(&pool).await, ids(&spans[0]));
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_context_that_is_given_wins_and_without_a_span_there_is_none() {
    scenario(async || {
        let pool = start(worker(OPEN_TELEMETRY)).await;
        let ids: [String; 2] = pool.call("plain", &1).await.expect("a call");
        assert_eq!(ids[0], "0".repeat(32));
        export(LevelFilter::DEBUG);
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = TraceContext::parse(parent, None).expect("a good one");
        let request = pool.request("plain").trace_context(context);
        let ids: [String; 2] = request.call(&1).await.expect("a call");
        assert_eq!(ids[0], "4bf92f3577b34da6a3ce929d0e0e4736");
        pool.shutdown().await.expect("shutdown");
    });
}
