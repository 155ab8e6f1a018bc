//! The few requests to a collector: HTTP/1.1, one connection each, over TLS where its address says so.
//!
//! They are made by the exporter's own thread, which waits for them.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The file with the certificates by which the collector is known, instead of the system's.
const CERTIFICATES: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
];

/// Bytes of an answer that are read.
const ANSWER_MAX: usize = 1 << 20;

/// Why the last request failed; the exporter's own words leave it out.
#[derive(Clone, Debug, Default)]
pub(super) struct LastProblem(Arc<Mutex<String>>);

impl LastProblem {
    fn set(&self, problem: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    pub(super) fn take(&self) -> Option<String> {
        let problem = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        Some(problem).filter(|problem| !problem.is_empty())
    }
}

/// What carries the exporter's requests.
pub(super) struct Client {
    runtime: Runtime,
    tls: Option<TlsConnector>,
    limit: Duration,
    problem: LastProblem,
}

impl Client {
    /// A client for this endpoint; a request may take so long.
    pub(super) fn new(
        endpoint: &Uri,
        limit: Duration,
        problem: LastProblem,
    ) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let https = endpoint.scheme_str() == Some("https");
        Ok(Self {
            runtime,
            tls: https.then(connector).transpose()?,
            limit,
            problem,
        })
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let host = request.uri().host().unwrap_or_default();
        let host = host.trim_matches(['[', ']']).to_owned();
        let port = request.uri().port_u16();
        let port = port.unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        match &self.tls {
            None => send(stream, request).await,
            Some(tls) => {
                send(
                    tls.connect(ServerName::try_from(host)?, stream).await?,
                    request,
                )
                .await
            }
        }
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let exchange = async {
            match tokio::time::timeout(self.limit, self.exchange(request)).await {
                Ok(done) => done,
                Err(_) => Err(format!("no answer within {:?}", self.limit).into()),
            }
        };
        let done = self.runtime.block_on(exchange);
        if let Err(error) = &done {
            self.problem.set(error.to_string());
        }
        done
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Client").finish_non_exhaustive()
    }
}

/// One request and its answer.
async fn send<S>(stream: S, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut request = request.map(Full::new);
    let authority = request.uri().authority().map(ToString::to_string);
    let host = authority.unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    request
        .headers_mut()
        .insert(HOST, HeaderValue::from_str(host)?);
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map(Uri::from).unwrap_or_default();

    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async move {
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, ANSWER_MAX).collect().await?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    };
    tokio::pin!(exchange);
    tokio::select! {
        done = &mut exchange => done,
        ended = connection => {
            ended?;
            exchange.await
        }
    }
}

/// TLS that trusts the certificates of the variable, else the system's.
fn connector() -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    match CERTIFICATES.iter().find_map(|name| super::variable(name)) {
        Some(path) => {
            let wrong =
                |error: &dyn std::fmt::Display| format!("the certificates of {path}: {error}");
            for certificate in
                CertificateDer::pem_file_iter(&path).map_err(|error| wrong(&error))?
            {
                let certificate = certificate.map_err(|error| wrong(&error))?;
                roots.add(certificate).map_err(|error| wrong(&error))?;
            }
        }
        None => {
            // Single ones that cannot be read are no reason to trust none.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(format!(
            "there are no certificates to trust: install the system's (ca-certificates), or name a file in {}",
            CERTIFICATES[1]
        ));
    }
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| io::Error::other(error).to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
