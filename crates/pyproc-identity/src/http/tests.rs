use super::*;
use crate::testing::{Folder, listen};

fn client(pod: &Pod) -> Client<'_> {
    Client::new(pod, Cloud::Aws)
}

#[test]
fn hosts_of_this_machine_are_told_from_others() {
    for local in [
        "localhost:80",
        "127.0.0.9:80/w/x",
        "169.254.170.23",
        "[fd00:ec2::23]",
        "[::1]:80",
        "fe80::1",
        "metadata.google.internal.",
    ] {
        assert!(is_local(local), "{local}");
    }
    for other in [
        "",
        "metadata.example",
        "10.0.0.1",
        "[fd00::1]:80",
        "127.0.0.1.example",
    ] {
        assert!(!is_local(other), "{other}");
    }
    assert_eq!(host("https://user:key@host:1/a@b"), "host:1");
}

#[tokio::test]
async fn a_handshake_that_is_cut_off_is_nobodys_distrust() {
    let server = listen(|stream| async move { drop(stream) }).await;
    let folder = Folder::new();
    folder.write("ca.pem", CERTIFICATE);
    let pod = folder.pod().set(&[("AWS_CA_BUNDLE", "/ca.pem")]);
    let request = Request::get(format!("https://localhost:{}/", server.port()));
    let error = client(&pod).send(request, Limits::CHECK).await.err();
    assert!(matches!(error, Some(HttpError::Lost { .. })), "{error:?}");
    // What is no TLS is not trusted.
    let server = listen(|mut stream| async move {
        // Whoever asked may have gone.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 x\r\n\r\n").await;
    });
    let request = Request::get(format!("https://localhost:{}/", server.await.port()));
    let error = client(&pod).send(request, Limits::CHECK).await.err();
    assert!(matches!(error, Some(HttpError::Tls { .. })), "{error:?}");
}

#[tokio::test]
async fn an_address_without_a_way_leaves_time_to_the_others() {
    // Two connections fill the queue of the first, and the kernel drops what comes after them.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let full = socket.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(
        Duration::from_millis(100),
        tokio::net::TcpStream::connect(address),
    )
    .await
    {
        held.push(stream);
    }
    let good = listen(|stream| async move { drop(stream) }).await;
    let pod = Pod::default();
    let limit = Duration::from_millis(400);
    let client = client(&pod);
    let found = tokio::time::timeout(limit, client.any_of("host", &[address, good], limit)).await;
    assert!(matches!(found, Ok(Ok(_))), "{found:?}");
    let silent = client.any_of("host", &[address], limit).await.err();
    assert!(silent.is_some_and(|error| error.is_silence()));
}

#[test]
fn only_packets_that_are_dropped_are_silence() {
    let late = |connecting| HttpError::TimedOut {
        host: "h".to_owned(),
        connecting,
        after: Duration::from_secs(1),
    };
    assert!(late(true).is_silence() && !late(false).is_silence());
}

#[test]
fn several_folders_of_certificates_are_read() {
    let folder = Folder::new();
    folder.write("a/12345678.0", CERTIFICATE);
    folder.write("b/87654321.0", &CERTIFICATE.replace("MIIB", "MIIC"));
    let pod = folder.pod();
    let count = |value| tls::certificates(&pod, "SSL_CERT_DIR", value).certs.len();
    assert_eq!((count("/a"), count("/a:/b")), (1, 2));
}

#[test]
fn what_grows_keeps_what_it_held() {
    let mut whole = Zeroizing::new(Vec::new());
    for part in [b"ab".as_slice(), b"", b"cdefgh"] {
        append(&mut whole, part);
    }
    assert_eq!(whole.as_slice(), b"abcdefgh");
}

/// Nobody's: its key was not kept.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIULEeSmAc2Xtv4LdRuyKNheg+iH5IwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjQxMzQ5MThaGA8yMTI2MTAzMTEzNDkx
OFowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLma
YLBEnRanUJVaJb/Ktz+p08JWMGizfEHgRYa1jKzgfqfaN3TCFZ7puDKX9WAsQnd0
T+ThkVzKBn0lCVVCSiWjUzBRMB0GA1UdDgQWBBQHWoumgTFII9bBLUv6fLEJiLef
kzAfBgNVHSMEGDAWgBQHWoumgTFII9bBLUv6fLEJiLefkzAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIQDyzOz33DH26fjOZQKQw5uz4a4MkNvU2bcm
I8oReeKulwIgQ9BxyUW2ZKNZothsndBTwccfUgSvhzUEG8ZGWlEZIto=
-----END CERTIFICATE-----
";
