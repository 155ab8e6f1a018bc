//! Checks of the environment that hold for every cloud.

use super::observation::Observation;
use super::{Code, Finding, Remedy, Verdict};
use crate::http::Proxies;
use crate::mechanism::{Cloud, Mechanism, Provider};

pub(super) fn check(observation: &Observation<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(provider) = &observation.detection.expected.unknown_provider {
        let summary = format!(
            "the pod's template names the provider {provider:?}, which this program does not know"
        );
        findings.push(Finding::warn(Code::UnknownProvider, summary));
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
        finding.mend(Remedy::shell(format!("unset {}", unset.join(" "))))
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
            .mend(Remedy::helm("cloudIdentity:\n  provider: eks-pod-identity\n"));
    }
    finding.because(
        "each cloud's SDK takes its own; whoever meant one of them should remove the other",
    )
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
        .filter(|(_, cloud)| observation.is_of(*cloud))
        .map(|(name, _)| *name)
        .filter(|name| {
            pod.variable(name)
                .is_some_and(|url| !is_private_endpoint(url))
        })
        .collect();
    if set.is_empty() {
        return Finding::pass(Code::EmulatorLeftOn, "no variable sends an SDK elsewhere");
    }
    Finding::warn(Code::EmulatorLeftOn, format!("{} sends SDKs to another place than the cloud", set.join(" and ")))
        .seen_all(observation.set(&set))
        .because("variables for emulators are honoured in production too; STORAGE_EMULATOR_HOST even sends no credential")
        .mend(Remedy::shell(format!("unset {}", set.join(" "))))
}

/// Whether a URL is the own name of a VPC endpoint.
fn is_private_endpoint(url: &str) -> bool {
    let host = url.strip_prefix("https://").unwrap_or_default();
    let host = host.split(['/', ':', '?']).next().unwrap_or_default();
    host.ends_with(".vpce.amazonaws.com") || host.ends_with(".vpce.amazonaws.com.cn")
}

fn proxy(observation: &Observation<'_>) -> Finding {
    let proxies = Proxies::of(observation.pod);
    let needed = local_addresses(observation);
    let captured: Vec<&str> = needed
        .iter()
        .copied()
        .filter(|host| proxies.capture(host, 80))
        .collect();
    if captured.is_empty() {
        return Finding::pass(
            Code::ProxyCapturesMetadata,
            "no proxy stands before an address of this machine",
        );
    }
    let line = no_proxy(observation, &captured);
    Finding::fail(
        Code::ProxyCapturesMetadata,
        format!("requests to {} go to the proxy, which cannot reach it", captured.join(" and ")),
    )
    .seen_all(["NO_PROXY", "no_proxy"].map(|name| match observation.pod.variable(name) {
        Some(list) => format!("{name}={list}"),
        None => format!("{name} is not set"),
    }))
    .because("a link-local address means another machine to the proxy; not every SDK understands a network such as 169.254.0.0/16")
    .mend(Remedy::helm(format!(
        "extraEnv:\n  - name: NO_PROXY\n    value: \"{line}\"\n  - name: no_proxy\n    value: \"{line}\"\n"
    )))
    .mend(Remedy::environment(format!("NO_PROXY={line}\nno_proxy={line}")))
}

/// The addresses that the pod's identity comes from.
fn local_addresses(observation: &Observation<'_>) -> Vec<&'static str> {
    let external = observation
        .seen
        .iter()
        .any(|seen| matches!(seen.mechanism, Mechanism::ExternalAccount(_)));
    match observation.provider() {
        Some(Provider::Gke) if !external => vec!["169.254.169.254", "metadata.google.internal"],
        Some(Provider::EksPodIdentity) => vec!["169.254.170.23", "fd00:ec2::23"],
        _ => Vec::new(),
    }
}

fn no_proxy(observation: &Observation<'_>, captured: &[&str]) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_endpoint_is_no_emulator() {
        for own in [
            "https://vpce-0-1.sts.eu-west-1.vpce.amazonaws.com",
            "https://vpce-0-1.sts.cn-north-1.vpce.amazonaws.com.cn:443/",
        ] {
            assert!(is_private_endpoint(own), "{own}");
        }
        for other in [
            "http://vpce-0-1.sts.eu-west-1.vpce.amazonaws.com",
            "https://localhost:5000/.vpce.amazonaws.com",
            "https://vpce.amazonaws.com.example.com",
            "http://localhost:5000",
        ] {
            assert!(!is_private_endpoint(other), "{other}");
        }
    }
}
