//! Who may call.

use std::fs;
use std::path::PathBuf;

use crate::common::server::{Answer, Server, serve};
use crate::common::{pyproc, wait_until};

fn with_token(server: &Server, token: &str) -> Answer {
    let request = server
        .agent
        .post(format!("{}/v1/call/echo", server.base))
        .header("authorization", format!("Bearer {token}"))
        .content_type("application/json");
    Answer::of(request.send("1").expect("an answer"))
}

fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()))
}

#[test]
fn a_token_opens_and_a_new_one_replaces_it() {
    let file = scratch("tokens");
    fs::write(&file, "first\n").expect("a file");
    let path = file.to_str().expect("text");
    let server = serve(&["--workers", "1", "--token-file", path]);
    let refused = server.call("echo", "1");
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    assert_eq!(
        refused.problem(),
        (
            401,
            "unauthorized".into(),
            "a token is needed: send the header `Authorization: Bearer TOKEN`".into()
        )
    );
    assert_eq!(with_token(&server, "second").status, 401);
    assert_eq!(with_token(&server, "first").result(), 1);
    assert_eq!(server.get("/v1/functions").status, 401);
    for open in ["/healthz", "/readyz", "/startupz"] {
        assert_eq!(server.get(open).status, 200, "{open}");
    }
    let metrics = server.agent.get(&server.metrics).call().expect("metrics");
    assert_eq!(metrics.status(), 200);

    // As Kubernetes and careful people do it: a new file takes the old one's place.
    let next = file.with_extension("next");
    fs::write(&next, "second\n").expect("a file");
    fs::rename(&next, &file).expect("the file");
    wait_until("the file to be read again", || {
        with_token(&server, "second").status == 200
    });
    assert_eq!(with_token(&server, "first").status, 401);
    // A file that is gone shuts nobody out.
    fs::remove_file(&file).expect("the file");
    server
        .program
        .line(|line| line.contains("the tokens that were read before stay valid"));
    assert_eq!(with_token(&server, "second").status, 200);
    server.stop();
}

#[test]
fn a_public_address_needs_a_token_or_a_word() {
    let run = pyproc(&["serve", "gateway.py", "--listen", "0.0.0.0:0"]);
    assert!(
        run.error(2).starts_with(
            "error: --listen: `listen` is 0.0.0.0:0, which other machines can reach: \
             name a `token_file`, or set `allow_unauthenticated`\n"
        ),
        "{}",
        run.stderr
    );
    let run = pyproc(&[
        "serve",
        "gateway.py",
        "--listen",
        "127.0.0.1:0",
        "--token-file",
        "/no/such/file",
    ]);
    assert_eq!(
        run.error(1),
        "error: `token_file` /no/such/file: cannot be read: No such file or directory (os error 2)\n"
    );
    serve(&[
        "--listen",
        "0.0.0.0:0",
        "--allow-unauthenticated",
        "--workers",
        "1",
    ])
    .stop();
}
