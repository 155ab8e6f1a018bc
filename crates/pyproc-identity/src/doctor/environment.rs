//! Checks of the environment that hold for every cloud.

use super::observation::Observation;
use super::{Code, Finding, Remedy, Verdict, remedy};
use crate::exchange::endpoint;
use crate::http::{Proxies, host};
use crate::mechanism::{Cloud, Mechanism, Provider};
use crate::pod::Pod;

pub(super) fn check(observation: &Observation<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(provider) = &observation.detection.expected.unknown_provider {
        let summary = format!(
            "the pod's template names the provider {provider:?}, which this program does not know"
        );
        let finding = Finding::warn(Code::UnknownProvider, summary)
            .because("the chart is newer or older than the program");
        findings.push(finding.mend(Remedy::command(&[
            "helm",
            "upgrade",
            "RELEASE",
            "CHART",
            "--reuse-values",
            "--version",
            env!("CARGO_PKG_VERSION"),
        ])));
    }
    if observation.provider().is_none() {
        findings.extend(
            static_keys(observation)
                .into_iter()
                .filter(|finding| finding.verdict != Verdict::Pass),
        );
        return findings;
    }
    findings.extend(static_keys(observation));
    findings.push(mechanisms(observation));
    findings.push(emulators(observation));
    findings.push(proxy(observation));
    findings.extend(openssl_only(observation));
    findings
}

fn static_keys(observation: &Observation<'_>) -> Option<Finding> {
    let keys = &observation.detection.static_keys;
    let shadows: Vec<_> = keys
        .iter()
        .filter(|key| observation.is_of(key.cloud))
        .collect();
    let finding = if !shadows.is_empty() {
        Finding::fail(
            Code::StaticKeysShadow,
            "a stored key is used instead of the pod's identity",
        )
        .seen_all(shadows.iter().map(ToString::to_string))
        .because("SDKs look for stored keys first")
    } else if !keys.is_empty() {
        Finding::warn(
            Code::StaticKeysShadow,
            "a stored key is there that workload identity could replace",
        )
        .seen_all(keys.iter().map(ToString::to_string))
    } else {
        return Some(Finding::pass(
            Code::StaticKeysShadow,
            "no stored key is in the way",
        ));
    };
    let variables: Vec<_> = keys
        .iter()
        .filter(|key| observation.pod.variable(&key.place).is_some())
        .collect();
    let unset: Vec<&str> = variables.iter().map(|key| key.place.as_str()).collect();
    Some(if unset.is_empty() {
        finding
    } else {
        let [helm, command] = remedy::unset(observation, &unset);
        finding.mend(helm).mend(command)
    })
}

/// The metadata server is there for every pod, so it does not count as one that was set up.
fn mechanisms(observation: &Observation<'_>) -> Finding {
    let set_up = observation
        .seen
        .iter()
        .filter(|seen| !matches!(seen.mechanism, Mechanism::GkeMetadata(_)));
    let names: Vec<&str> = set_up.map(|seen| seen.mechanism.title()).collect();
    let aws = |provider| {
        observation
            .seen
            .iter()
            .any(|seen| seen.mechanism.provider() == provider)
    };
    if names.len() < 2 {
        return Finding::pass(Code::TwoMechanisms, "one mechanism is set up");
    }
    let finding = Finding::warn(
        Code::TwoMechanisms,
        format!("{} are set up at once", names.join(" and ")),
    );
    if aws(Provider::EksIrsa) && aws(Provider::EksPodIdentity) {
        return finding
            .because("boto3 and the other AWS SDKs take the web identity token of IRSA before the agent of Pod Identity")
            .seen_all(observation.set(&["AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_FULL_URI"]))
            .mend_all(one_of_two(observation));
    }
    finding.because(
        "each cloud's SDK takes its own; whoever meant one of them should remove the other",
    )
}

/// Removes the mechanism that is not meant: the annotation of IRSA, or the association of Pod Identity.
fn one_of_two(observation: &Observation<'_>) -> Vec<Remedy> {
    if observation.detection.expected.provider() == Some(Provider::EksIrsa) {
        let (namespace, account) = observation.account_words();
        let list = [
            "aws",
            "eks",
            "list-pod-identity-associations",
            "--cluster-name",
            "CLUSTER",
            "--namespace",
            &namespace,
            "--service-account",
            &account,
        ];
        let delete = [
            "aws",
            "eks",
            "delete-pod-identity-association",
            "--cluster-name",
            "CLUSTER",
            "--association-id",
            "ASSOCIATION",
        ];
        return vec![
            Remedy::helm("cloudIdentity:\n  provider: eks-irsa\n"),
            Remedy::command(&list),
            Remedy::command(&delete),
            remedy::restart(observation),
        ];
    }
    vec![
        // With a role's name the chart would annotate it, and refuses that for this provider.
        Remedy::helm("cloudIdentity:\n  provider: eks-pod-identity\n  eks:\n    roleArn: \"\"\n"),
        remedy::annotate(observation, "eks.amazonaws.com/role-arn-"),
        remedy::restart(observation),
    ]
}

/// Variables that no production pod has, with the cloud whose SDKs follow them.
const EMULATORS: &[(&str, Cloud)] = &[
    ("STORAGE_EMULATOR_HOST", Cloud::Google),
    ("GCE_METADATA_HOST", Cloud::Google),
    ("GCE_METADATA_ROOT", Cloud::Google),
    ("GCE_METADATA_IP", Cloud::Google),
    ("NO_GCE_CHECK", Cloud::Google),
    ("API_ENDPOINT_OVERRIDE", Cloud::Google),
    ("AWS_ENDPOINT_URL", Cloud::Aws),
    ("AWS_ENDPOINT_URL_STS", Cloud::Aws),
    ("AWS_ENDPOINT_URL_S3", Cloud::Aws),
    ("IDENTITY_ENDPOINT", Cloud::Azure),
    ("MSI_ENDPOINT", Cloud::Azure),
];

fn emulators(observation: &Observation<'_>) -> Finding {
    let pod = observation.pod;
    let set: Vec<&str> = EMULATORS
        .iter()
        .filter(|(name, cloud)| {
            observation.is_of(*cloud)
                && pod
                    .variable(name)
                    .is_some_and(|value| leads_away(pod, name, value))
        })
        .map(|(name, _)| *name)
        .collect();
    if set.is_empty() {
        return Finding::pass(Code::EmulatorLeftOn, "no variable sends an SDK elsewhere");
    }
    let [helm, command] = remedy::unset(observation, &set);
    Finding::warn(Code::EmulatorLeftOn, format!("{} sends SDKs to another place than the cloud", set.join(" and ")))
        .seen_all(observation.set(&set))
        .because("variables for emulators are honoured in production too; STORAGE_EMULATOR_HOST even sends no credential")
        .mend(helm)
        .mend(command)
}

/// Whether a variable sends SDKs to somewhere else than the cloud: one that names a VPC endpoint or the
/// metadata server's own address does not.
fn leads_away(pod: &Pod, name: &str, value: &str) -> bool {
    let target = host(value);
    let name_only = target
        .rsplit_once(':')
        .map_or(target.as_str(), |(name, _)| name);
    match name {
        // SDKs follow this word alone.
        "NO_GCE_CHECK" => value == "true",
        _ if name.starts_with("GCE_METADATA_") => {
            !["169.254.169.254", "metadata.google.internal", "metadata"].contains(&name_only)
        }
        _ if name.starts_with("AWS_ENDPOINT_URL") => {
            let ignored = pod.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
            let of_aws = value.starts_with("https://") && endpoint::is_of_aws(name_only);
            !ignored && !of_aws
        }
        "API_ENDPOINT_OVERRIDE" => {
            !(value.starts_with("https://") && name_only.ends_with(".googleapis.com"))
        }
        _ => true,
    }
}

/// The same authority for every library of the workers.
pub(super) fn bundle() -> Remedy {
    Remedy::helm(
        "extraEnv:\n  - name: SSL_CERT_FILE\n    value: /etc/ca/ca.crt\n  - name: REQUESTS_CA_BUNDLE\n    value: /etc/ca/ca.crt\n  \
         - name: AWS_CA_BUNDLE\n    value: /etc/ca/ca.crt\n",
    )
}

/// Where distributions keep the certificates that everybody has: naming it changes nothing.
const PLATFORM: &[&str] = &[
    "/etc/ssl/certs",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
];

/// OpenSSL's variables decide what pyproc trusts, and not what the SDKs for Python do, which bring
/// certificates of their own: an exchange that goes well says nothing about them then.
fn openssl_only(observation: &Observation<'_>) -> Option<Finding> {
    let pod = observation.pod;
    let cloud = observation.provider()?.cloud();
    let (name, path) = crate::http::bundle(pod, cloud)?;
    if !name.starts_with("SSL_CERT_") || PLATFORM.contains(&path) {
        return None;
    }
    let followed = match cloud {
        Cloud::Aws => ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"],
        Cloud::Azure | Cloud::Google => ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"],
    };
    Some(
        Finding::warn(Code::TlsUntrusted, format!("{name} names authorities that the SDKs for Python do not trust"))
            .seen(format!("{name}={path}"))
            .seen_all(observation.set(&followed))
            .because("requests and botocore bring certificates of their own and follow variables of their own")
            .mend(bundle()),
    )
}

fn proxy(observation: &Observation<'_>) -> Finding {
    let proxies = Proxies::of(observation.pod);
    let needed = local_addresses(observation);
    let captured: Vec<&str> = needed
        .iter()
        .map(String::as_str)
        .filter(|host| proxies.capture(host, 80))
        .collect();
    if captured.is_empty() {
        return Finding::pass(
            Code::ProxyCapturesMetadata,
            "no proxy stands before an address of this machine",
        );
    }
    let line = no_proxy(observation, &captured);
    let summary = format!(
        "requests to {} go to the proxy, which cannot reach it",
        captured.join(" and ")
    );
    let finding = if observation.provider() == Some(Provider::EksPodIdentity) {
        Finding::warn(Code::ProxyCapturesMetadata, summary)
            .seen("boto3 goes past every proxy to this address, other SDKs do not")
    } else {
        Finding::fail(Code::ProxyCapturesMetadata, summary)
    };
    finding.seen_all(["NO_PROXY", "no_proxy"].map(|name| match observation.pod.variable(name) {
        Some(list) => format!("{name}={list}"),
        None => format!("{name} is not set"),
    }))
    .because("a link-local address means another machine to the proxy; not every SDK understands a network such as 169.254.0.0/16")
    .mend(no_proxy_remedy(&line))
    .mend(Remedy::environment(format!("NO_PROXY={line}\nno_proxy={line}")))
}

/// The list as a value of the chart, in both spellings.
pub(super) fn no_proxy_remedy(line: &str) -> Remedy {
    let value = serde_json::Value::from(line);
    Remedy::helm(format!(
        "extraEnv:\n  - name: NO_PROXY\n    value: {value}\n  - name: no_proxy\n    value: {value}\n"
    ))
}

/// The addresses that the pod's identity comes from.
fn local_addresses(observation: &Observation<'_>) -> Vec<String> {
    let external = observation
        .seen
        .iter()
        .any(|seen| matches!(seen.mechanism, Mechanism::ExternalAccount(_)));
    match observation.provider() {
        Some(Provider::Gke) if !external => match observation.pod.variable("GCE_METADATA_HOST") {
            Some(named) => vec![address_of(named)],
            None => ["169.254.169.254", "metadata.google.internal"]
                .map(str::to_owned)
                .into(),
        },
        // A cluster has one of the agent's two addresses, and the variable says which.
        Some(Provider::EksPodIdentity) => {
            let agents = observation
                .seen
                .iter()
                .filter_map(|seen| match &seen.mechanism {
                    Mechanism::EksPodIdentity(agent) => Some(address_of(&agent.url)),
                    _ => None,
                });
            agents.collect()
        }
        _ => Vec::new(),
    }
}

/// The host of a URL or of `host:port`, an IPv6 address without its brackets.
fn address_of(url: &str) -> String {
    let host = host(url);
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address.to_owned(),
        None => host
            .split_once(':')
            .map_or(host.as_str(), |(name, _)| name)
            .to_owned(),
    }
}

/// The pod's list with these hosts added.
pub(super) fn no_proxy(observation: &Observation<'_>, captured: &[&str]) -> String {
    let now = ["no_proxy", "NO_PROXY"]
        .into_iter()
        .find_map(|name| observation.pod.variable(name));
    let added = captured.iter().map(|host| {
        if host.contains(':') {
            format!("[{host}]")
        } else {
            (*host).to_owned()
        }
    });
    let now = now.map(|list| list.trim_end_matches(',').to_owned());
    now.into_iter().chain(added).collect::<Vec<_>>().join(",")
}
