//! Remedies computed from the pod's own token: policies and commands that can be pasted as they are.

use serde_json::json;

use super::Remedy;
use super::observation::Observation;
use crate::claims::Claims;

/// Pods keep what they were created with.
pub(super) fn restart(observation: &Observation<'_>) -> Remedy {
    let (namespace, _) = observation.account_words();
    Remedy::shell(format!(
        "kubectl --namespace {namespace} rollout restart deployment DEPLOYMENT"
    ))
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
    let good_name = (1..=64).contains(&last.len())
        && name.len() <= 576
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&byte));
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
pub(super) fn federated_credential(claims: &Claims) -> String {
    format!(
        "az identity federated-credential create --name pyproc --identity-name IDENTITY --resource-group GROUP \
         --issuer {} --subject {} --audiences api://AzureADTokenExchange",
        quoted(&claims.issuer),
        quoted(&claims.subject)
    )
}

/// The command that lets a member act as a Google service account.
pub(super) fn workload_identity_user(service_account: &str, member: &str) -> String {
    format!(
        "gcloud iam service-accounts add-iam-policy-binding {} --role roles/iam.workloadIdentityUser --member {}",
        quoted(service_account),
        quoted(member)
    )
}

/// A word for a POSIX shell.
pub(super) fn quoted(word: &str) -> String {
    let plain = !word.is_empty()
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
    fn words_survive_the_shell() {
        assert_eq!(quoted("a:b/c"), "a:b/c");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
    }
}
