use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::http::HttpError;
use crate::mechanism::{AGENT_URL, PodIdentity};
use crate::testing::{Folder, listen, serve};

const SOON: Patience = Patience {
    limits: Limits {
        connect: Duration::from_millis(500),
        total: Duration::from_millis(500),
    },
    total: Duration::from_millis(600),
};

fn token() -> String {
    crate::claims::tests::token(&serde_json::json!({"sub": "system:serviceaccount:a:b"}))
}

async fn silent() -> String {
    let server = listen(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    });
    format!("http://{}", server.await)
}

async fn by_the_agent(sts: &str, elsewhere: Option<SocketAddr>) -> Outcome {
    let agent = serve(|_| {
        let keys = r#"{"AccessKeyId":"i","SecretAccessKey":"k","Token":"t"}"#;
        (200, "", keys)
    });
    let folder = Folder::new();
    folder.mount("/run", &[("token", &token())]);
    let mut pod = folder
        .pod()
        .with_address("169.254.170.23:80", agent.await)
        .set(&[("AWS_ENDPOINT_URL_STS", sts)]);
    if let Some(server) = elsewhere {
        pod = pod.with_address("198.51.100.1:80", server);
    }
    let mechanism = Mechanism::EksPodIdentity(PodIdentity {
        url: AGENT_URL.to_owned(),
        token_file: "/run/token".into(),
    });
    exchange(&pod, &mechanism, SOON).await
}

#[tokio::test]
async fn keys_of_the_agent_are_kept_when_sts_does_not_say_whose_they_are() {
    let outcome = by_the_agent(&silent().await, None).await;
    let Ok(identity) = outcome.result else {
        panic!("keys")
    };
    assert_eq!(identity.principal, None);
}

#[tokio::test]
async fn a_session_is_not_sent_where_it_would_be_read() {
    static ASKED: AtomicBool = AtomicBool::new(false);
    let sts = listen(|stream| async move {
        ASKED.store(true, Ordering::Relaxed);
        drop(stream);
    });
    let outcome = by_the_agent("http://198.51.100.1", Some(sts.await)).await;
    assert!(outcome.result.is_ok() && !ASKED.load(Ordering::Relaxed));
}

#[tokio::test]
async fn who_does_not_answer_a_second_request_is_named() {
    let sts = serve(|_| (200, "", r#"{"access_token":"t","expires_in":1}"#)).await;
    let account = silent().await;
    let folder = Folder::new();
    folder.mount("/run", &[("token", &token())]);
    let text = format!(
        r#"{{"type": "external_account", "audience": "a", "token_url": "http://{sts}/", "credential_source": {{"file": "/run/token"}},
             "service_account_impersonation_url": "{account}/x"}}"#
    );
    folder.write("credentials.json", &text);
    let pod = folder
        .pod()
        .set(&[("GOOGLE_APPLICATION_CREDENTIALS", "/credentials.json")]);
    let Ok(Some(file)) = Mechanism::external_account(&pod) else {
        panic!("a file")
    };
    let outcome = exchange(&pod, &Mechanism::ExternalAccount(file), SOON).await;
    let error = outcome.result.err();
    assert!(
        matches!(
            error,
            Some(ExchangeError::Http(HttpError::TimedOut {
                connecting: false,
                ..
            }))
        ),
        "{error:?}"
    );
}
