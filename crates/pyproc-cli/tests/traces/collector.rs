//! What stands for a collector: takes OTLP over HTTP, reads it with the protocol's own types, and keeps it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span as ProtoSpan;
use prost::Message;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A span that has arrived.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    /// 1 internal, 2 server, 3 client.
    pub(crate) kind: i32,
    /// 0 unset, 2 error.
    pub(crate) status: i32,
    pub(crate) state: String,
    pub(crate) attributes: BTreeMap<String, String>,
    /// Who has sent it.
    pub(crate) resource: BTreeMap<String, String>,
    /// The headers with which it came.
    pub(crate) headers: BTreeMap<String, String>,
}

#[derive(Default)]
struct Kept {
    spans: Mutex<Vec<Span>>,
    news: Condvar,
}

/// A collector in this process, for as long as the process lives.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    kept: Arc<Kept>,
}

impl Collector {
    /// Over plain HTTP, or TLS.
    pub(crate) fn start(tls: Option<TlsAcceptor>) -> Self {
        Self::start_at("127.0.0.1:0", tls)
    }

    /// The same at this address.
    pub(crate) fn start_at(place: &str, tls: Option<TlsAcceptor>) -> Self {
        let kept = Arc::new(Kept::default());
        let listener = std::net::TcpListener::bind(place).expect("a free port");
        let address = listener.local_addr().expect("an address");
        listener.set_nonblocking(true).expect("tokio's way");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let keep = Arc::clone(&kept);
        thread::spawn(move || runtime.block_on(accept(listener, tls, keep)));
        Self { address, kept }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What has arrived.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.kept.spans.lock().expect("no panic inside").clone()
    }

    /// The spans, once this many have arrived.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Span> {
        let watchdog = Instant::now() + Duration::from_secs(60);
        let mut spans = self.kept.spans.lock().expect("no panic inside");
        while spans.len() < count {
            let left = watchdog.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "{} of {count} spans: {spans:#?}",
                spans.len()
            );
            (spans, _) = self
                .kept
                .news
                .wait_timeout(spans, left)
                .expect("no panic inside");
        }
        spans.clone()
    }
}

async fn accept(listener: std::net::TcpListener, tls: Option<TlsAcceptor>, kept: Arc<Kept>) {
    let listener = TcpListener::from_std(listener).expect("a listener");
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, kept) = (tls.clone(), Arc::clone(&kept));
        tokio::spawn(async move {
            match tls {
                None => serve(TokioIo::new(stream), kept).await,
                Some(tls) => serve_tls(tls, stream, kept).await,
            }
        });
    }
}

async fn serve_tls(tls: TlsAcceptor, stream: TcpStream, kept: Arc<Kept>) {
    if let Ok(stream) = tls.accept(stream).await {
        serve(TokioIo::new(stream), kept).await;
    }
}

async fn serve<S>(stream: S, kept: Arc<Kept>)
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
{
    let service = service_fn(|request| take(request, Arc::clone(&kept)));
    let server = hyper::server::conn::http1::Builder::new();
    // A client that goes is no matter.
    let _ = server.serve_connection(stream, service).await;
}

async fn take(
    request: Request<Incoming>,
    kept: Arc<Kept>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let protobuf = header("content-type") == Some("application/x-protobuf");
    let export = ExportTraceServiceRequest::decode(body);
    let (true, "/v1/traces", "POST", Ok(export)) =
        (protobuf, parts.uri.path(), parts.method.as_str(), export)
    else {
        let mut refused = Response::default();
        *refused.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(refused);
    };
    let headers: BTreeMap<String, String> = parts
        .headers
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                value.to_str().unwrap_or_default().to_owned(),
            )
        })
        .collect();
    let mut spans = kept.spans.lock().expect("no panic inside");
    for of_resource in export.resource_spans {
        let resource = texts(&of_resource.resource.unwrap_or_default().attributes);
        for span in of_resource
            .scope_spans
            .into_iter()
            .flat_map(|scope| scope.spans)
        {
            spans.push(span_of(span, resource.clone(), headers.clone()));
        }
    }
    kept.news.notify_all();
    let answer = ExportTraceServiceResponse::default().encode_to_vec();
    let answer = Response::builder()
        .header("content-type", "application/x-protobuf")
        .body(Full::from(answer));
    Ok(answer.expect("a good answer"))
}

fn span_of(
    span: ProtoSpan,
    resource: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
) -> Span {
    let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
    assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
    Span {
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        kind: span.kind,
        status: span.status.unwrap_or_default().code,
        state: span.trace_state,
        attributes: texts(&span.attributes),
        name: span.name,
        resource,
        headers,
    }
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| match attribute.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    };
    attributes
        .iter()
        .filter_map(|attribute| Some((attribute.key.clone(), text(attribute)?)))
        .collect()
}
