//! The keys that the gateway has beside those of its pool, as plain data.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use pyproc::{Size, Span, schema};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

/// How the gateway is to be. It knows nothing about right and wrong; [`resolve`](super::resolve) does.
///
/// A comment is the description in the schema, the help of the flag and the row of the book's table: first
/// what the key is, with its unit, bounds and default, then what follows from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = bounds)]
pub(crate) struct GatewayConfig {
    /// Where requests are taken: `address:port`, or `unix:/path`. Default: 127.0.0.1:8080.
    ///
    /// An address that other machines can reach needs a `token_file` or `allow_unauthenticated`. Port 0 is
    /// any free one.
    pub(crate) listen: String,

    /// Where Prometheus finds the metrics: `address:port`, `unix:/path` or `off`. Default: 127.0.0.1:9090.
    ///
    /// What is there says nothing about arguments or results, and needs no token.
    pub(crate) metrics_listen: String,

    /// A file with the bearer tokens that may call, one per line. Default: none.
    ///
    /// It is read again when it changes. Without it everybody may call who reaches the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_file: Option<PathBuf>,

    /// Whether everybody may call who reaches an address that other machines can reach. Default: false.
    ///
    /// It is for containers and for networks that let only the right ones through. Without it and without a
    /// `token_file`, requests for other hosts than this machine, and from web pages of others, are refused
    /// with 403.
    pub(crate) allow_unauthenticated: bool,

    /// Threads that serve HTTP, 1 to 1024. Default: 1.
    ///
    /// One keeps several workers busy. More take cores away from the workers.
    pub(crate) threads: u32,

    /// Connections that may be open, HTTP/1.1 and HTTP/2 together, 1 to 1,000,000. Default: 20,000.
    ///
    /// Beyond it, clients are turned away with 503. Each takes a descriptor and some memory; where the
    /// system allows fewer open files, that is the bound.
    pub(crate) max_connections: u32,

    /// Bytes that the body of a request may have, 1 KiB to 1 TiB. Default: 64 MiB.
    ///
    /// Larger ones are refused with 413, before they are received. `max_body` bounds calls, and so results.
    pub(crate) max_request_body: Size,

    /// Bytes that the bodies of all requests, and the heads of those over HTTP/2, may have at the same time,
    /// 1 MiB to 16 TiB. Default: 1 GiB.
    ///
    /// Beyond it, requests are refused with 503. Answers that clients have not taken yet have the same bound,
    /// counted apart; a result beyond it is an error of its function. Small answers over HTTP/1.1 and what a
    /// connection itself takes are not counted: `max_connections` bounds them.
    pub(crate) request_memory: Size,

    /// Header fields that a request may have, 8 to 10,000. Default: 100.
    ///
    /// Requests with more are refused with 431.
    pub(crate) max_headers: u32,

    /// Bytes that the head of a request may have, 8 KiB to 16 MiB. Default: 64 KiB.
    ///
    /// Longer ones are refused with 431. Each connection may hold so much; over HTTP/2, where it may have 256
    /// requests at a time, `request_memory` bounds the heads of all.
    pub(crate) max_header_bytes: Size,

    /// How long the head of a request may take, 10 ms to 1 hour. Default: 10 seconds.
    ///
    /// It counts from the connection, or from the first byte of the next request. Then the connection is
    /// closed.
    pub(crate) header_timeout: Span,

    /// How long a body that is received, or an answer that is taken, may stand still, 10 ms to 1 hour.
    /// Default: 30 seconds.
    ///
    /// Then the answer is 408, or the connection is closed. A client that goes on with 1 KiB a
    /// second is not affected.
    pub(crate) body_timeout: Span,

    /// How long a connection may be open without a request, 10 ms to 1 day. Default: 75 seconds.
    ///
    /// Behind a load balancer it should be longer than the balancer's own, which would otherwise send
    /// requests into connections that are being closed.
    pub(crate) idle_timeout: Span,

    /// How long requests are still taken after SIGTERM, 0 to 1 hour. Default: 0 seconds.
    ///
    /// `/readyz` says no from the signal on, and balancers need a while to hear of it. Then what was begun
    /// may take `shutdown_timeout`.
    pub(crate) shutdown_delay: Span,

    /// Whether the gateway refuses to start where workers would find a stored cloud key. Default: false.
    ///
    /// Variables with a key, and files of keys where the clouds' SDKs look for them, are named, and no worker is
    /// started. What counts is the environment that workers get, `env` included.
    pub(crate) no_static_credentials: bool,

    /// Whether workers are started only once the pod's cloud identity answers. Default: false.
    ///
    /// Until then `/startupz` and `/readyz` say no and why. The gateway never gives up.
    pub(crate) wait_for_identity: bool,

    /// Whether answers to calls that raised an exception carry its traceback. Default: false.
    ///
    /// Tracebacks show code and may show values: turn it on where clients are your own.
    pub(crate) show_tracebacks: bool,

    /// How lines of the log are written to stderr: `pretty` or `json`. Default: pretty.
    pub(crate) log: LogFormat,

    /// What is logged, in the syntax of `RUST_LOG`, such as `warn,pyproc=debug`.
    /// Default: pyproc=info,opentelemetry=warn.
    ///
    /// What Python prints and logs comes under `pyproc::worker`. It holds for the program's other commands
    /// too, whose default is `pyproc::worker=info`.
    pub(crate) log_filter: String,

    /// Where traces are sent, by OTLP over HTTP, such as `http://localhost:4318`. Default: none.
    ///
    /// Without it OpenTelemetry's own variables are looked at, `OTEL_EXPORTER_OTLP_ENDPOINT` first of all, and
    /// without those nothing is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) otlp_endpoint: Option<String>,
}

/// How lines of the log are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum LogFormat {
    Pretty,
    Json,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = KIB << 10;
const GIB: u64 = MIB << 10;
const TIB: u64 = GIB << 10;
const MOMENT: Duration = Duration::from_millis(10);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) const THREADS: RangeInclusive<u32> = 1..=1024;
pub(super) const MAX_CONNECTIONS: RangeInclusive<u32> = 1..=1_000_000;
pub(super) const MAX_REQUEST_BODY: RangeInclusive<u64> = KIB..=TIB;
pub(super) const REQUEST_MEMORY: RangeInclusive<u64> = MIB..=16 * TIB;
pub(super) const MAX_HEADERS: RangeInclusive<u32> = 8..=10_000;
/// hyper cannot read with less than 8 KiB.
pub(super) const MAX_HEADER_BYTES: RangeInclusive<u64> = 8 * KIB..=16 * MIB;
pub(super) const HEADER_TIMEOUT: RangeInclusive<Duration> = MOMENT..=HOUR;
pub(super) const BODY_TIMEOUT: RangeInclusive<Duration> = MOMENT..=HOUR;
pub(super) const IDLE_TIMEOUT: RangeInclusive<Duration> = MOMENT..=DAY;
pub(super) const SHUTDOWN_DELAY: RangeInclusive<Duration> = Duration::ZERO..=HOUR;

/// The bounds in the schema.
fn bounds(schema: &mut Schema) {
    schema::bounds(schema, "threads", THREADS);
    schema::bounds(schema, "max_connections", MAX_CONNECTIONS);
    schema::bounds(schema, "max_request_body", MAX_REQUEST_BODY);
    schema::bounds(schema, "request_memory", REQUEST_MEMORY);
    schema::bounds(schema, "max_headers", MAX_HEADERS);
    schema::bounds(schema, "max_header_bytes", MAX_HEADER_BYTES);
    schema::bounds(schema, "header_timeout", HEADER_TIMEOUT);
    schema::bounds(schema, "body_timeout", BODY_TIMEOUT);
    schema::bounds(schema, "idle_timeout", IDLE_TIMEOUT);
    schema::bounds(schema, "shutdown_delay", SHUTDOWN_DELAY);
}

impl Default for GatewayConfig {
    fn default() -> Self {
        let seconds = |seconds| Span::from(Duration::from_secs(seconds));
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            metrics_listen: "127.0.0.1:9090".to_owned(),
            token_file: None,
            allow_unauthenticated: false,
            threads: 1,
            max_connections: 20_000,
            max_request_body: (64 * MIB).into(),
            request_memory: GIB.into(),
            max_headers: 100,
            max_header_bytes: (64 * KIB).into(),
            header_timeout: seconds(10),
            body_timeout: seconds(30),
            idle_timeout: seconds(75),
            shutdown_delay: seconds(0),
            no_static_credentials: false,
            wait_for_identity: false,
            show_tracebacks: false,
            log: LogFormat::Pretty,
            log_filter: crate::log::DEFAULT.to_owned(),
            otlp_endpoint: None,
        }
    }
}
