//! The gateway as process 1 of a container: here, of a PID namespace.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::{Marked, PATIENCE, not_run, wait_until};

#[test]
fn orphans_are_reaped_and_sigterm_drains() {
    let Some(mut container) = Container::start("drain") else {
        return;
    };
    let orphan = container.call("orphan", "null");
    wait_until("the orphan to be reaped", || {
        container.call("is_there", &orphan) == "false"
    });

    let (begun, end) = (container.folder.join("begun"), container.folder.join("end"));
    let argument = format!(r#"{{"begun": {begun:?}, "end": {end:?}}}"#);
    let under_way = container.send("POST", "/v1/call/between", &argument);
    wait_until("the call to begin", || begun.exists());
    container.signal("TERM");
    fs::write(&end, "").expect("a file");
    assert_eq!(answer(under_way).1, r#""done""#);
    assert_eq!(container.status(), 0);
}

#[test]
fn the_container_ends_as_the_gateway_does() {
    let Some(mut container) = Container::start("killed") else {
        return;
    };
    // No answer comes; how the connection ends is the kernel's business.
    let mut sent = container.send("POST", "/v1/call/kill_gateway", "null");
    let _ = sent.read_to_end(&mut Vec::new());
    assert_eq!(container.status(), 128 + 9);
}

/// `pyproc serve` as the first process of a namespace.
struct Container {
    unshare: Child,
    folder: PathBuf,
    marked: Marked,
}

impl Container {
    fn start(name: &str) -> Option<Self> {
        let possible = Command::new("unshare")
            .args(["--pid", "--fork", "--mount-proc", "true"])
            .stderr(Stdio::null())
            .status();
        if !possible.is_ok_and(|status| status.success()) {
            not_run(
                "crates/pyproc-cli/tests/first_process.rs: a PID namespace needs unshare and root",
            );
            return None;
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("first-process-{name}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");

        let mut marked = Marked::through(
            "unshare",
            &["--pid", "--fork", "--mount-proc", "--kill-child", "--"],
        );
        let listen = format!("unix:{}", folder.join("socket").display());
        let unshare = marked
            .command
            .args([
                "serve",
                "processes.py",
                "--metrics-listen",
                "off",
                "--listen",
                &listen,
            ])
            .spawn()
            .expect("unshare");
        let container = Self {
            unshare,
            folder,
            marked,
        };
        wait_until("the gateway to be ready", || {
            container.socket().exists() && answer(container.send("GET", "/readyz", "")).0 == 200
        });
        Some(container)
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// A call's result.
    #[track_caller]
    fn call(&self, function: &str, argument: &str) -> String {
        let (status, body) = answer(self.send("POST", &format!("/v1/call/{function}"), argument));
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Sends a request, and does not wait for its answer.
    fn send(&self, method: &str, path: &str, body: &str) -> UnixStream {
        let mut stream = UnixStream::connect(self.socket()).expect("the gateway");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("a request");
        stream
    }

    /// Sends a signal to the first process of the namespace, as a container engine does.
    fn signal(&self, name: &str) {
        let parent = self.unshare.id();
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
        let first = children.expect("unshare's child");
        let sent = Command::new("kill")
            .args(["-s", name, first.trim()])
            .status();
        assert!(sent.expect("kill").success());
    }

    /// Waits for the end; nothing of the namespace may be left.
    fn status(&mut self) -> i32 {
        let mut status = None;
        wait_until("the container to end", || {
            status = self.unshare.try_wait().expect("a child");
            status.is_some()
        });
        self.marked.nothing_left();
        status
            .and_then(|status| status.code())
            .expect("an exit status")
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Of a test that failed; the namespace goes with it.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}

/// Status and body.
fn answer(mut stream: UnixStream) -> (u16, String) {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    (status.expect("a status"), body.to_owned())
}
