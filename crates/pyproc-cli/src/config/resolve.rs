//! Whether a configuration makes sense: the pool's part and the gateway's, every problem at once.

use std::fmt::Display;
use std::ops::RangeInclusive;

use pyproc::Size;
use tracing_subscriber::filter::Targets;

use super::Config;
use super::gateway::{self, GatewayConfig};
use crate::serve::settings::{Listen, Settings};

/// Problems: the key (or part of one), and what goes on after it.
type Found = Vec<(String, String)>;

/// Checks everything.
pub(super) fn resolve(config: &Config) -> Result<Settings, Found> {
    let mut problems = Check(Vec::new());
    let pool = config.pool.clone().resolve();
    if let Err(wrong) = &pool {
        let wrong = wrong.problems().iter();
        problems
            .0
            .extend(wrong.map(|problem| (problem.key.clone(), problem.message.clone())));
    }
    let GatewayConfig {
        listen,
        metrics_listen,
        token_file,
        allow_unauthenticated,
        threads,
        max_connections,
        max_request_body,
        request_memory,
        max_headers,
        max_header_bytes,
        header_timeout,
        body_timeout,
        idle_timeout,
        shutdown_delay,
        no_static_credentials,
        wait_for_identity,
        show_tracebacks,
        log,
        log_filter,
        otlp_endpoint,
    } = &config.gateway;

    let place = problems.take("listen", Listen::parse(listen));
    if let Some(place) = &place
        && place.is_public()
        && token_file.is_none()
        && !allow_unauthenticated
    {
        problems.add(
            "listen",
            format!("is {place}, which other machines can reach: name a `token_file`, or set `allow_unauthenticated`"),
        );
    }
    let metrics = match metrics_listen.as_str() {
        "off" => None,
        text => problems.take("metrics_listen", Listen::parse(text)),
    };
    let any_port = |place: &Listen| matches!(place, Listen::Tcp(address) if address.port() == 0);
    if let (Some(place), Some(metrics)) = (&place, &metrics)
        && place == metrics
        && !any_port(place)
    {
        problems.add(
            "metrics_listen",
            format!("is {metrics}, which is `listen` already"),
        );
    }
    if let Some(path) = token_file.as_ref().map(|path| path.as_os_str()) {
        if path.is_empty() {
            problems.add("token_file", "is empty; leave it out to have none");
        } else if path.as_encoded_bytes().contains(&0) {
            problems.add("token_file", "contains a NUL character, which no path can");
        }
    }
    problems.number("threads", *threads, gateway::THREADS);
    problems.number(
        "max_connections",
        *max_connections,
        gateway::MAX_CONNECTIONS,
    );
    let body = problems.size(
        "max_request_body",
        max_request_body,
        gateway::MAX_REQUEST_BODY,
    );
    let memory = problems.size("request_memory", request_memory, gateway::REQUEST_MEMORY);
    if let (Some(body), Some(memory)) = (body, memory)
        && body > memory
    {
        problems.add(
            "request_memory",
            format!("is {request_memory}, too little for one body of `max_request_body` ({max_request_body})"),
        );
    }
    problems.number("max_headers", *max_headers, gateway::MAX_HEADERS);
    let head = problems.size(
        "max_header_bytes",
        max_header_bytes,
        gateway::MAX_HEADER_BYTES,
    );
    let header_timeout = problems.take(
        "header_timeout",
        header_timeout.within(gateway::HEADER_TIMEOUT),
    );
    let body_timeout = problems.take("body_timeout", body_timeout.within(gateway::BODY_TIMEOUT));
    let idle_timeout = problems.take("idle_timeout", idle_timeout.within(gateway::IDLE_TIMEOUT));
    let shutdown_delay = problems.take(
        "shutdown_delay",
        shutdown_delay.within(gateway::SHUTDOWN_DELAY),
    );
    if let Err(error) = log_filter.parse::<Targets>() {
        problems.add(
            "log_filter",
            format!("is {log_filter:?}, which is no filter: {error}"),
        );
    }
    problems.endpoint(otlp_endpoint.as_deref());

    if !problems.0.is_empty() {
        return Err(problems.0);
    }
    let checked = "what could not be read is a problem, and there was none";
    let bytes = |size: Option<u64>| {
        usize::try_from(size.expect(checked)).expect("pyproc needs a 64-bit machine")
    };
    let pool = pool.expect(checked);
    Ok(Settings {
        shutdown_timeout: pool.shutdown_timeout,
        name: pool.name,
        pool: config.pool.clone(),
        listen: place.expect(checked),
        metrics_listen: metrics,
        token_file: token_file.clone(),
        allow_unauthenticated: *allow_unauthenticated,
        threads: *threads as usize,
        max_connections: *max_connections as usize,
        max_request_body: bytes(body),
        request_memory: bytes(memory),
        max_headers: *max_headers as usize,
        max_header_bytes: bytes(head),
        header_timeout: header_timeout.expect(checked),
        body_timeout: body_timeout.expect(checked),
        idle_timeout: idle_timeout.expect(checked),
        shutdown_delay: shutdown_delay.expect(checked),
        no_static_credentials: *no_static_credentials,
        wait_for_identity: *wait_for_identity,
        show_tracebacks: *show_tracebacks,
        log: *log,
        log_filter: log_filter.clone(),
        otlp_endpoint: otlp_endpoint.clone(),
    })
}

/// The problems found so far. A check returns the value, or `None` when it is part of a problem.
struct Check(Found);

impl Check {
    fn add(&mut self, key: &str, message: impl Display) {
        self.0.push((key.to_owned(), message.to_string()));
    }

    fn take<T>(&mut self, key: &str, value: Result<T, String>) -> Option<T> {
        value.map_err(|message| self.add(key, message)).ok()
    }

    fn number(&mut self, key: &str, number: u32, bounds: RangeInclusive<u32>) {
        if !bounds.contains(&number) {
            let (least, most) = bounds.into_inner();
            self.add(
                key,
                format!("is {number}; it must be from {least} to {most}"),
            );
        }
    }

    fn size(&mut self, key: &str, size: &Size, bounds: RangeInclusive<u64>) -> Option<u64> {
        self.take(key, size.within(bounds))
    }

    fn endpoint(&mut self, endpoint: Option<&str>) {
        let Some(endpoint) = endpoint else { return };
        let host = ["http://", "https://"]
            .iter()
            .find_map(|scheme| endpoint.strip_prefix(scheme));
        let fits = host.is_some_and(|host| {
            !host.is_empty()
                && !host.starts_with(['/', ':', '?'])
                && !host.contains(char::is_whitespace)
        });
        if !fits {
            self.add(
                "otlp_endpoint",
                format!("is {endpoint:?}; write a URL, such as \"http://localhost:4318\""),
            );
        }
    }
}
