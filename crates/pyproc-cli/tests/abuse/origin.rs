//! Pages of strangers in a browser on this machine, which reach a gateway that has no tokens.

use std::fs;

use crate::client::{Client, exchange};
use crate::gateway::Gateway;

/// The status of a call with these headers.
fn call(gateway: &Gateway, headers: &str) -> u16 {
    let bytes = format!("POST /v1/call/smuggled HTTP/1.1\r\n{headers}\r\n");
    let answers = exchange(gateway.address, bytes);
    assert_eq!(answers.len(), 1, "{answers:?}");
    answers[0].status
}

#[test]
fn pages_of_strangers_cannot_call() {
    let gateway = Gateway::start(&[]);
    let port = gateway.address.port();
    for headers in [
        "Host: example.org\r\n",
        "Host: localhost.example.org\r\n",
        "Host: 10.0.0.1\r\n",
        "Host: localhost\r\nOrigin: https://example.org\r\n",
        "Host: localhost\r\nOrigin: null\r\n",
        "Host: localhost\r\nOrigin: http://localhost\r\nOrigin: http://example.org\r\n",
    ] {
        assert_eq!(call(&gateway, headers), 403, "{headers}");
    }
    assert_eq!(gateway.count("smuggled"), 0);
    let own = [
        format!("Host: localhost:{port}\r\n"),
        format!("Host: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"),
        "Host: [::1]\r\nOrigin: http://app.localhost:3000\r\n".to_owned(),
    ];
    for headers in &own {
        assert_eq!(call(&gateway, headers), 200, "{headers}");
    }
    assert_eq!(gateway.count("smuggled"), own.len() as u64);

    // Data is not for them either; that it is alive is no secret.
    for (path, status) in [("/v1/functions", 403), ("/healthz", 200), ("/readyz", 200)] {
        let mut client = gateway.connect();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: example.org\r\n\r\n"));
        let answer = client.answer();
        assert_eq!(answer.status, status, "{path}");
        if status == 403 {
            assert_eq!(answer.code(), "foreign");
        }
    }
    gateway.is_unharmed();
}

#[test]
fn with_tokens_or_when_told_so_names_do_not_matter() {
    let file = std::env::temp_dir().join(format!("pyproc-abuse-tokens-{}", std::process::id()));
    fs::write(&file, "secret\n").expect("a file");
    let flag = format!("--token-file={}", file.display());
    for (flag, token) in [
        (flag.as_str(), "Authorization: Bearer secret\r\n"),
        ("--allow-unauthenticated", ""),
    ] {
        let gateway = Gateway::start_without_a_call(&[flag]);
        let headers = format!("Host: example.org\r\nOrigin: https://example.org\r\n{token}");
        assert_eq!(call(&gateway, &headers), 200);
        let mut client: Client = gateway.connect();
        client.send("GET /healthz HTTP/1.1\r\nHost: example.org\r\n\r\n");
        assert_eq!(client.answer().status, 200);
    }
    fs::remove_file(&file).expect("the file");
}
