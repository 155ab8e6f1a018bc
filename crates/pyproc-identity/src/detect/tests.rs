use super::*;
use crate::pod::PODINFO;
use crate::testing::{Folder, serve};

const GOOGLE: &str = "metadata-flavor: Google\r\n";
const LINKED: &str = "1-compute@developer.gserviceaccount.com";

fn expecting(provider: &str, principal: &str) -> Folder {
    let folder = Folder::new();
    let annotations =
        format!("pyproc/identity-provider={provider:?}\npyproc/identity-principal={principal:?}\n");
    folder.mount(PODINFO, &[("annotations", &annotations)]);
    folder
}

fn gke(path: &str) -> (u16, &'static str, &'static str) {
    match path.trim_start_matches("/computeMetadata/v1/") {
        "instance/service-accounts/default/email" => (200, GOOGLE, LINKED),
        "instance/attributes/cluster-name" => (200, GOOGLE, "demo"),
        "instance/attributes/" => (200, GOOGLE, "cluster-location\ncluster-name\ncluster-uid\n"),
        "project/project-id" => (200, GOOGLE, "clusters-project"),
        _ => (404, GOOGLE, ""),
    }
}

fn node(path: &str) -> (u16, &'static str, &'static str) {
    match path.trim_start_matches("/computeMetadata/v1/") {
        "instance/service-accounts/default/email" => {
            (200, GOOGLE, "nodes@project.iam.gserviceaccount.com")
        }
        "instance/attributes/" => (200, GOOGLE, "cluster-name\nkube-env\nkube-labels\n"),
        _ => gke(path),
    }
}

#[tokio::test]
async fn a_starting_metadata_server_is_googles() {
    let server = serve(|_| (503, GOOGLE, "The metadata server is starting.")).await;
    let pod = Pod::default().with_address("169.254.169.254:80", server);
    let found = detect(&pod, false).await.metadata.google;
    assert!(
        matches!(found, Err(HttpError::Status { status: 503, .. })),
        "{found:?}"
    );
    let server = serve(|_| (503, "", "")).await;
    let pod = Pod::default().with_address("169.254.169.254:80", server);
    assert_eq!(detect(&pod, false).await.metadata.google, Ok(None));
}

#[tokio::test]
async fn a_node_is_no_pod_though_it_knows_the_clusters_name() {
    let server = serve(node).await;
    let pod = Pod::default().with_address("169.254.169.254:80", server);
    let detection = detect(&pod, false).await;
    assert_eq!(detection.metadata.side, Side::Node);
    assert!(detection.mechanisms.is_empty() && !detection.expects(&pod));
}

#[tokio::test]
async fn a_service_account_may_be_linked_to_the_default_account() {
    let server = serve(gke).await;
    let folder = expecting("gke", LINKED);
    let pod = folder.pod().with_address("169.254.169.254:80", server);
    let detection = detect(&pod, false).await;
    let Some(Mechanism::GkeMetadata(found)) = detection.chosen() else {
        panic!("a mechanism in {detection:?}")
    };
    assert_eq!(found.account, Account::Impersonation);
    assert_eq!(found.project.as_deref(), Some("clusters-project"));
    // Whom the template does not name is the node.
    let folder = expecting("gke", "app@project.iam.gserviceaccount.com");
    let pod = folder.pod().with_address("169.254.169.254:80", server);
    assert_eq!(detect(&pod, false).await.chosen(), None);
}

#[tokio::test]
async fn nobody_elsewhere_is_asked_offline() {
    let folder = expecting("gke", "a@b");
    let pod = folder.pod().alone().set(&[
        ("GCE_METADATA_HOST", "metadata.example"),
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "https://198.51.100.1/x",
        ),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/token"),
    ]);
    let detection = detect(&pod, false).await;
    assert_eq!(
        detection.metadata.google,
        Err(HttpError::NotAsked {
            host: "metadata.example".to_owned()
        })
    );
    assert!(detection.metadata.agent.is_none() && !detection.is_absent(&pod));
    // With the network allowed it is asked, here in vain.
    assert!(detect(&pod, true).await.metadata.agent.is_some());
}

#[tokio::test]
async fn the_agent_of_a_cluster_with_ipv6_is_found() {
    let folder = expecting("eks-pod-identity", "");
    let alone = folder.pod().alone();
    assert!(matches!(
        detect(&alone, false).await.metadata.agent,
        Some(Err(HttpError::Connect { .. }))
    ));
    let server = serve(|_| (400, "", "")).await;
    let pod = alone.with_address("[fd00:ec2::23]:80", server);
    assert_eq!(detect(&pod, false).await.metadata.agent, Some(Ok(())));
}

#[tokio::test]
async fn a_credentials_file_is_looked_at_once_and_without_waiting() {
    let folder = Folder::new();
    folder.pipe("pipe");
    folder.write("key", r#"{"type": "service_account"}"#);
    folder.write(
        "url",
        r#"{"type": "external_account", "audience": "a", "credential_source": {"url": "http://x"}}"#,
    );
    let of = async |path: &str| {
        let pod = folder
            .pod()
            .alone()
            .set(&[("GOOGLE_APPLICATION_CREDENTIALS", path)]);
        let detection = detect(&pod, false).await;
        (detection.expects(&pod), detection.is_absent(&pod))
    };
    // expected, absent
    assert_eq!(of("/pipe").await, (true, true));
    assert_eq!(of("/none").await, (true, true));
    assert_eq!(of("/key").await, (false, false));
    assert_eq!(of("/url").await, (true, false));
}

#[test]
fn a_part_of_the_agents_variables_is_told_from_another_server() {
    let half =
        |variables: &[(&str, &str)]| Mechanism::is_half_agent(&Pod::default().set(variables));
    let (url, token) = (
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    );
    assert!(half(&[(url, AGENT_URL)]) && half(&[(url, AGENT_URL_IPV6)]));
    assert!(half(&[("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/t")]));
    assert!(!half(&[(url, "http://127.0.0.1:80/x"), (token, "x")]));
    assert!(!half(&[(url, "http://localhost/x")]) && !half(&[]));
}
