//! OpenTelemetry's variables, and what makes traces go nowhere.

use std::process::Stdio;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair,
    KeyUsagePurpose,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::collector::Collector;
use crate::common::Marked;
use crate::gateway::Gateway;
use crate::{client, find};

fn call(gateway: &Gateway, header: &str) {
    let answer = gateway.call("price", r#""tea""#, &[("traceparent", header)]);
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn the_environment_can_say_everything() {
    let collector = Collector::start(None);
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=shop".to_owned()),
        ("OTEL_SERVICE_NAME", "prices".to_owned()),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test".to_owned(),
        ),
        // Spans arrive while the gateway runs, too.
        ("OTEL_BSP_SCHEDULE_DELAY", "50".to_owned()),
    ];
    let variables = variables
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let gateway = Gateway::start("traced.py", &[], &variables);
    call(&gateway, &client(1).2);
    let spans = collector.wait_for(4);
    gateway.stop();
    for span in spans {
        assert_eq!(span.resource["service.name"], "prices");
        assert_eq!(span.resource["deployment.environment.name"], "test");
        assert_eq!(span.headers["x-tenant"], "shop", "{span:#?}");
    }
}

#[test]
fn what_is_not_sampled_is_not_sent() {
    let collector = Collector::start(None);
    let url = collector.url();
    let (trace, _, header) = client(1);
    let unsampled = header.replace("-01", "-00");
    let gateway = Gateway::start("traced.py", &["--otlp-endpoint", &url], &[]);
    call(&gateway, &unsampled);
    call(&gateway, &client(2).2);
    gateway.stop();
    let spans = collector.spans();
    assert_eq!(spans.len(), 4, "{spans:#?}");
    assert!(spans.iter().all(|span| span.trace != trace));

    let never = [("OTEL_TRACES_SAMPLER", "always_off")];
    let gateway = Gateway::start("traced.py", &["--otlp-endpoint", &url], &never);
    call(&gateway, &header);
    gateway.stop();
    assert_eq!(collector.spans().len(), 4);
}

#[test]
fn traces_can_be_turned_off_and_lines_know_the_clients_all_the_same() {
    let collector = Collector::start(None);
    let url = collector.url();
    let (trace, span, header) = client(1);
    for off in [
        vec![],
        vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
            ("OTEL_SDK_DISABLED", "true"),
        ],
        vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
            ("OTEL_TRACES_EXPORTER", "none"),
        ],
    ] {
        let gateway = Gateway::start("traced.py", &[], &off);
        call(&gateway, &header);
        let line = gateway.line(|line| line["message"] == "printed for tea");
        assert_eq!(
            (&line["trace_id"], &line["span_id"]),
            (&trace.clone().into(), &span.clone().into())
        );
        gateway.stop();
    }
    assert_eq!(collector.spans().len(), 0);
}

#[test]
fn a_provider_of_the_workers_own_is_used() {
    let collector = Collector::start(None);
    let gateway = Gateway::start(
        "own_provider.py",
        &["--otlp-endpoint", &collector.url()],
        &[],
    );
    let (trace, _, header) = client(1);
    call(&gateway, &header);
    let lines = gateway.stop();
    let spans = collector.spans();
    let python = find(&spans, &trace, "price");
    assert_eq!(python.resource["own"], "yes");
    assert_eq!(python.parent, find(&spans, &trace, "pyproc.call").id);
    // Nobody has tried to set up another.
    assert!(
        lines
            .iter()
            .all(|line| line["level"] != "WARN" || line["target"] != "pyproc::worker"),
        "{lines:#?}"
    );
}

/// An authority's certificate as PEM, and one that it has given this machine.
fn certificate() -> Result<(String, Certificate, KeyPair), rcgen::Error> {
    let mut authority = CertificateParams::new(Vec::new())?;
    // Not the name of the other, which would look as if it had signed itself.
    let name = rcgen::DnType::CommonName;
    authority.distinguished_name.push(name, "authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let mut own = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
    own.use_authority_key_identifier_extension = true;
    let own = own.signed_by(&key, &authority)?;
    Ok((authority.pem(), own, key))
}

#[test]
fn a_collector_behind_tls_is_known_by_its_certificate() {
    let (authority, certificate, key) = certificate().expect("certificates");
    let file = format!(
        "{}/collector-{}.pem",
        env!("CARGO_TARGET_TMPDIR"),
        std::process::id()
    );
    std::fs::write(&file, authority).expect("a file");
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .expect("a server");
    let collector = Collector::start(Some(TlsAcceptor::from(Arc::new(config))));
    let url = format!("https://{}", collector.address);
    let trusting = [("OTEL_EXPORTER_OTLP_CERTIFICATE", file.as_str())];
    let gateway = Gateway::start("traced.py", &["--otlp-endpoint", &url], &trusting);
    call(&gateway, &client(1).2);
    let lines = gateway.stop();
    assert_eq!(collector.spans().len(), 4, "{lines:#?}");

    // The system's certificates do not know it.
    let variables = [("OTEL_BSP_SCHEDULE_DELAY", "50")];
    let gateway = Gateway::start("traced.py", &["--otlp-endpoint", &url], &variables);
    call(&gateway, &client(2).2);
    let line = gateway.line(|line| line["collector"] == collector.address.to_string());
    let message = line["message"].as_str().unwrap_or_default();
    assert!(message.contains("certificate"), "{message}");
    gateway.stop();
    assert_eq!(collector.spans().len(), 4);
    std::fs::remove_file(file).expect("a file");
}

#[test]
fn an_address_that_is_none_is_one_sentence() {
    for url in [
        "collector:4317",
        "ftp://collector",
        "http://",
        "http:///",
        "collector",
    ] {
        let mut marked = Marked::new();
        let output = marked
            .command
            .args(["serve", "traced.py"])
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", url)
            .stdin(Stdio::null())
            .output()
            .expect("the program under test");
        let stderr = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(
            stderr.contains("that is no http:// or https:// address"),
            "{stderr}"
        );
        assert!(stderr.starts_with("error: OTEL_EXPORTER_OTLP_ENDPOINT leads to"));
        assert!(stderr.contains("such as http://collector:4318"), "{stderr}");
    }
}
