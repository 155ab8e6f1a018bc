//! Checks of AWS that need no exchange.

use super::observation::{Observation, Seen};
use super::{Code, Finding, Remedy, remedy};
use crate::exchange::{agent, endpoint as sts};
use crate::mechanism::{Cloud, Mechanism, Provider};
use crate::secret::shown;

const IRSA: [&str; 2] = ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"];
const AGENT: [&str; 2] = [
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];
/// The oldest boto3 and botocore with the agent's address.
const OLDEST_BOTO: (u32, u32, u32) = (1, 34, 41);

pub(super) fn check(observation: &Observation<'_>) -> Vec<Finding> {
    let pod = observation.pod;
    let (half_irsa, half_agent) = (Mechanism::is_half_irsa(pod), Mechanism::is_half_agent(pod));
    if !observation.is_of(Cloud::Aws) && !half_irsa && !half_agent {
        return Vec::new();
    }
    let mut findings = injected(observation, half_irsa, half_agent);
    findings.extend(node(observation));
    for seen in &observation.seen {
        match &seen.mechanism {
            Mechanism::EksIrsa(irsa) => {
                findings.push(role(observation, &irsa.role));
                findings.push(audience(observation, seen, "sts.amazonaws.com"));
                findings.push(endpoint(observation));
            }
            Mechanism::EksPodIdentity(found) => {
                findings.push(audience(observation, seen, "pods.eks.amazonaws.com"));
                findings.push(address(observation, &found.url));
            }
            _ => {}
        }
    }
    findings.extend(agent_answers(observation));
    findings
}

fn injected(observation: &Observation<'_>, half_irsa: bool, half_agent: bool) -> Vec<Finding> {
    let wants = |provider| observation.detection.expected.provider() == Some(provider);
    let has = |provider| {
        observation
            .seen
            .iter()
            .any(|seen| seen.mechanism.provider() == provider)
    };
    let mut findings = Vec::new();
    if half_irsa || wants(Provider::EksIrsa) && !has(Provider::EksIrsa) {
        let finding = Finding::fail(
            Code::AwsNotInjected,
            "the pod did not get the role of its ServiceAccount",
        )
        .seen_all(observation.set(&IRSA));
        findings.push(if half_irsa {
            let set = IRSA.into_iter().filter(|name| observation.pod.variable(name).is_some());
            let [helm, command] = remedy::unset(observation, &set.collect::<Vec<_>>());
            finding
                .because("one of the two variables was set by hand, and then EKS injects neither")
                .mend(Remedy::helm("cloudIdentity:\n  provider: eks-irsa\n  eks:\n    roleArn: ROLE_ARN\n"))
                .mend(helm)
                .mend(command)
        } else {
            finding
                .because(
                    "the pod was created before its ServiceAccount was annotated, or the webhook of EKS did not run, \
                     which it does not say; from inside the two look alike",
                )
                .mend(remedy::restart(observation))
                .mend(Remedy::helm("cloudIdentity:\n  projectToken: true\n  eks:\n    region: REGION\n"))
        });
    } else if has(Provider::EksIrsa) {
        findings.push(
            Finding::pass(Code::AwsNotInjected, "role and token are injected")
                .seen_all(observation.set(&IRSA)),
        );
    }
    if half_agent || wants(Provider::EksPodIdentity) && !has(Provider::EksPodIdentity) {
        let (namespace, account) = observation.account_words();
        findings.push(
            Finding::fail(Code::AwsNotInjected, "the pod did not get the variables of EKS Pod Identity")
                .seen_all(observation.set(&AGENT))
                .because(
                    "the association did not exist when the pod was created, or the add-on eks-pod-identity-agent is not \
                     installed; from inside the two look alike",
                )
                .mend(association(&namespace, &account))
                .mend(remedy::restart(observation)),
        );
    } else if has(Provider::EksPodIdentity) {
        findings.push(
            Finding::pass(Code::AwsNotInjected, "the agent's variables are injected")
                .seen_all(observation.set(&AGENT)),
        );
    }
    findings
}

/// The command that associates a role with the ServiceAccount.
pub(super) fn association(namespace: &str, account: &str) -> Remedy {
    Remedy::command(&[
        "aws",
        "eks",
        "create-pod-identity-association",
        "--cluster-name",
        "CLUSTER",
        "--namespace",
        namespace,
        "--service-account",
        account,
        "--role-arn",
        "ROLE_ARN",
    ])
}

/// Without an identity of its own, the pod's SDKs go on to the node's.
fn node(observation: &Observation<'_>) -> Option<Finding> {
    let wants = observation
        .provider()
        .is_some_and(|provider| provider.cloud() == Cloud::Aws);
    let has = observation
        .seen
        .iter()
        .any(|seen| seen.mechanism.provider().cloud() == Cloud::Aws);
    let disabled = observation.pod.is_true("AWS_EC2_METADATA_DISABLED");
    if !wants {
        return None;
    }
    if has || disabled || !observation.detection.metadata.aws {
        return Some(Finding::pass(
            Code::NodeIdentityFallback,
            "no SDK falls back to the role of the node",
        ));
    }
    Some(
        Finding::fail(
            Code::NodeIdentityFallback,
            "requests would be made with the role of the node",
        )
        .seen("169.254.169.254 answers as the instance metadata of EC2")
        .seen("AWS_EC2_METADATA_DISABLED is not true")
        .because(
            "without a token of its own an SDK takes the role of the machine that the pod runs on",
        )
        .mend(Remedy::helm(
            "extraEnv:\n  - name: AWS_EC2_METADATA_DISABLED\n    value: \"true\"\n",
        ))
        .mend(Remedy::command(&[
            "aws",
            "ec2",
            "modify-instance-metadata-options",
            "--instance-id",
            "INSTANCE",
            "--http-tokens",
            "required",
            "--http-put-response-hop-limit",
            "1",
        ])),
    )
}

fn role(observation: &Observation<'_>, arn: &str) -> Finding {
    let expected = observation
        .detection
        .expected
        .principal
        .as_deref()
        .filter(|principal| principal.starts_with("arn:"));
    if remedy::role(arn).is_none() {
        return Finding::fail(Code::AwsRoleArn, format!("{arn:?} is not the ARN of a role"))
            .seen_all(observation.set(&["AWS_ROLE_ARN"]))
            .because("EKS injects the annotation as it is; a role is arn:aws:iam::ACCOUNT:role/NAME, with twelve digits")
            .mend(Remedy::helm("cloudIdentity:\n  eks:\n    roleArn: arn:aws:iam::ACCOUNT:role/NAME\n"));
    }
    match expected {
        Some(expected) if expected != arn => Finding::fail(
            Code::StalePod,
            "the pod has another role than its template names",
        )
        .seen(format!("AWS_ROLE_ARN={arn}"))
        .seen(format!("the template names {expected}"))
        .because(
            "the ServiceAccount's annotation was changed by hand, or after this pod was created",
        )
        .mend(Remedy::helm(format!(
            "cloudIdentity:\n  eks:\n    roleArn: {}\n",
            remedy::yaml(expected)
        )))
        .mend(remedy::restart(observation)),
        _ => Finding::pass(Code::AwsRoleArn, format!("the role is {arn}")),
    }
}

fn audience(observation: &Observation<'_>, seen: &Seen, wanted: &str) -> Finding {
    if seen.works() {
        return Finding::pass(Code::AwsAudience, "the token's audience is accepted");
    }
    let Some(claims) = seen.claims() else {
        // The token's own finding says why.
        return Finding::pass(Code::AwsAudience, "the token's audience cannot be seen");
    };
    if claims.is_for(wanted)
        || wanted == "sts.amazonaws.com" && claims.is_for("sts.amazonaws.com.cn")
    {
        return Finding::pass(Code::AwsAudience, format!("the token is for {wanted}"));
    }
    let other = if wanted == "sts.amazonaws.com" {
        "pods.eks.amazonaws.com"
    } else {
        "sts.amazonaws.com"
    };
    let lines = super::observation::claims_lines(claims);
    if claims.is_for(other) {
        let mixed = if other == "pods.eks.amazonaws.com" {
            IRSA
        } else {
            AGENT
        };
        let [helm, command] = remedy::unset(observation, &mixed);
        return Finding::fail(
            Code::AwsMixedMigration,
            format!("the token is for {other}, and it is used for {wanted}"),
        )
        .seen_all(lines)
        .because("variables of EKS Pod Identity and of IRSA are mixed")
        .mend(helm)
        .mend(command);
    }
    Finding::warn(Code::AwsAudience, format!("the token is not for {wanted}"))
        .seen_all(lines)
        .because(
            "it works only if the IAM identity provider has this audience among its client ids",
        )
        .mend(Remedy::helm(
            "cloudIdentity:\n  eks:\n    audience: sts.amazonaws.com\n",
        ))
}

fn endpoint(observation: &Observation<'_>) -> Finding {
    let pod = observation.pod;
    let seen = observation.set(&[
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_STS_REGIONAL_ENDPOINTS",
    ]);
    let regional = Remedy::helm(format!(
        "cloudIdentity:\n  eks:\n    region: {}\n    stsRegionalEndpoints: true\n",
        remedy::yaml(sts::region(pod).unwrap_or("REGION"))
    ));
    if sts::region(pod).is_none() {
        return Finding::warn(
            Code::AwsStsEndpoint,
            "the region is not set, so STS is asked at its global endpoint, if at all",
        )
        .seen_all(seen)
        .because("boto3 reads AWS_DEFAULT_REGION, most other SDKs AWS_REGION")
        .mend(regional);
    }
    if sts::Endpoint::of(pod).is_global() {
        return Finding::warn(Code::AwsStsEndpoint, "STS is asked at its global endpoint")
            .seen_all(seen)
            .because("a private network has a way to the region's endpoint only")
            .mend(regional);
    }
    let both = pod.variable("AWS_REGION").is_some() && pod.variable("AWS_DEFAULT_REGION").is_some();
    if !both {
        return Finding::warn(
            Code::AwsStsEndpoint,
            "one of the two variables for the region is not set",
        )
        .seen_all(seen)
        .because("boto3 reads AWS_DEFAULT_REGION, most other SDKs AWS_REGION")
        .mend(regional);
    }
    Finding::pass(
        Code::AwsStsEndpoint,
        format!("STS is asked at {}", shown(&sts::Endpoint::of(pod).url)),
    )
}

fn address(observation: &Observation<'_>, url: &str) -> Finding {
    if !agent::is_allowed(url) {
        let [helm, command] = remedy::unset(observation, &AGENT);
        return Finding::fail(
            Code::AwsContainerHost,
            format!("SDKs send no token to {}", shown(url)),
        )
        .because("without TLS they allow loopback and the addresses of ECS and EKS only")
        .mend(helm)
        .mend(command);
    }
    let old: Vec<String> = ["boto3", "botocore"]
        .iter()
        .filter_map(|name| Some((name, observation.pod.packages.get(*name)?)))
        .filter(|(_, version)| numbers(version) < OLDEST_BOTO)
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    if old.is_empty() {
        return Finding::pass(
            Code::AwsContainerHost,
            "the credentials' address is one that SDKs accept",
        );
    }
    Finding::fail(
        Code::AwsContainerHost,
        format!("{} is older than EKS Pod Identity", old.join(" and ")),
    )
    .seen_all(old)
    .because("it refuses the agent's address")
    .mend(Remedy::command(&["pip", "install", "boto3>=1.34.41"]))
}

/// The first three numbers of a version.
pub(super) fn numbers(version: &str) -> (u32, u32, u32) {
    let mut parts = version.split('.').map(|part| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    });
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

fn agent_answers(observation: &Observation<'_>) -> Option<Finding> {
    let answer = observation.detection.metadata.agent.as_ref()?;
    Some(match answer {
        Ok(()) => Finding::pass(
            Code::AwsAgentUnreachable,
            "the agent of EKS Pod Identity answers",
        ),
        Err(error) => unreachable(observation, &error.to_string(), error.is_silence()),
    })
}

/// The finding for an agent that does not answer.
pub(super) fn unreachable(observation: &Observation<'_>, problem: &str, silent: bool) -> Finding {
    let finding = Finding::fail(
        Code::AwsAgentUnreachable,
        "the agent of EKS Pod Identity does not answer",
    )
    .seen(problem);
    let finding = if silent {
        finding.because(
            "packets are dropped on the way: a network policy, or a pod on the node's network",
        )
    } else {
        finding.because("the add-on eks-pod-identity-agent does not run on this node")
    };
    finding
        .mend(Remedy::helm(
            "cloudIdentity:\n  provider: eks-pod-identity\n",
        ))
        .mend(remedy::policies(observation))
        .mend(Remedy::command(&[
            "aws",
            "eks",
            "create-addon",
            "--cluster-name",
            "CLUSTER",
            "--addon-name",
            "eks-pod-identity-agent",
        ]))
}
