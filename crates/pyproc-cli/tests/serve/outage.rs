//! No worker, and none soon: who is told what, and when to come back.

use std::fs;
use std::path::PathBuf;

use crate::common::server::Server;
use crate::common::{Marked, wait_until};

#[test]
fn an_outage_counts_down_and_probes_say_nothing_of_python() {
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let mark = scratch.join(format!("starts-once-{}", std::process::id()));
    let mut marked = Marked::new();
    marked.command.args(["serve", "starts_once.py"]).args([
        "--workers=1",
        "--restart-backoff-initial=30s",
        "--listen=127.0.0.1:0",
        "--metrics-listen=127.0.0.1:0",
    ]);
    marked.command.env("STARTS_ONCE_MARK", &mark);
    let mut server = Server::spawn(marked);
    server.until_ready();
    // One that had answered is replaced at once; the next one fails, and the pool waits.
    assert_eq!(server.call("hello", "").result(), "hello");
    assert_eq!(server.call("die", "").status, 502);
    let error = "raised RuntimeError: cannot connect with password=hunter2";
    wait_until("the second start to fail", || {
        let pool = &server.get("/v1/status").json()["pool"];
        let last = pool["last_error"].as_str().unwrap_or_default();
        last.ends_with(error) && pool["workers"][0]["state"] == "down"
    });

    let pause = "no worker is up, the next start is in ";
    // Whoever reaches the gateway may ask.
    let probe = server.get("/readyz");
    assert_eq!(probe.status, 503);
    let reason = probe.json()["reason"].as_str().expect("text").to_owned();
    assert!(
        reason.starts_with(pause) && !reason.contains("hunter2"),
        "{reason}"
    );
    // Who may call may know.
    let refused = server.call("hello", "");
    let (status, code, detail) = refused.problem();
    assert_eq!((status, code.as_str()), (503, "not_ready"));
    assert!(
        detail.starts_with(pause) && detail.ends_with(error),
        "{detail}"
    );
    let seconds = |answer: crate::common::server::Answer| -> u64 {
        answer.header("retry-after").parse().expect("seconds")
    };
    let first = seconds(refused);
    assert!((2..=30).contains(&first), "{first}");
    wait_until("less to wait for", || {
        seconds(server.call("hello", "")) < first
    });
    server.stop();
    fs::remove_file(mark).expect("the mark");
}
