//! Ten thousand idle connections, from a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::python;
use crate::gateway::{Gateway, not_run};

const CONNECTIONS: usize = 10_000;

/// Memory that one connection may take in the gateway.
const EACH: u64 = 24 << 10;

#[test]
fn ten_thousand_idle_connections_cost_little_and_hold_nobody_up() {
    // Nobody is late on a machine that is busy.
    let gateway = Gateway::start(&["--header-timeout=5m", "--idle-timeout=10m"]);
    let before = gateway.memory();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/abuse/idle.py");
    let mut crowd = Command::new(python())
        .arg(script)
        .args([
            gateway.address.ip().to_string(),
            gateway.address.port().to_string(),
        ])
        .arg(CONNECTIONS.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python");
    let mut lines = BufReader::new(crowd.stdout.take().expect("piped")).lines();
    let mut next = || lines.next().expect("a line").expect("text");
    let mut orders = crowd.stdin.take().expect("piped");

    let opened = next();
    if opened.starts_with("forbidden") {
        not_run(&format!(
            "10,000 idle connections: {opened}; raise the limit of open files (ulimit -Hn)"
        ));
    } else {
        assert_eq!(opened, format!("open {CONNECTIONS}"));
        gateway.works();
        for _ in 0..2 {
            writeln!(orders, "use").expect("it listens");
            assert_eq!(next(), format!("good {CONNECTIONS}"));
            gateway.works();
        }
        let taken = gateway.memory().saturating_sub(before) / CONNECTIONS as u64;
        assert!(taken <= EACH, "{taken} bytes for each connection");
    }
    drop(orders);
    assert!(crowd.wait().expect("a status").success());
    gateway.is_unharmed_but(EACH * CONNECTIONS as u64);
}
