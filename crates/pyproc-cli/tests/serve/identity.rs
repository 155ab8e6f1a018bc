//! What the gateway does about the pod's cloud identity, and about dumps of its workers' memory.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::common::server::Server;
use crate::common::{Marked, not_run, python, run, wait_until};

/// A folder of one test's files, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("serve-identity-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for a test");
    folder
}

/// `pyproc serve` for a worker of the tests, on a free port, outside of every cloud.
fn gateway(mut marked: Marked, worker: &str, home: &Path) -> Marked {
    let ports = ["--listen", "127.0.0.1:0", "--metrics-listen", "off"];
    marked.command.args(["serve", worker, "--workers", "1"]);
    marked.command.args(ports).env("HOME", home);
    for (name, _) in std::env::vars() {
        if ["AWS_", "AZURE_", "GOOGLE_", "KUBERNETES_"]
            .iter()
            .any(|cloud| name.starts_with(cloud))
        {
            marked.command.env_remove(name);
        }
    }
    marked
}

#[test]
fn a_stored_key_is_refused_before_any_worker_is_started() {
    let folder = folder("keys");
    let (home, started) = (folder.join("home"), folder.join("started"));
    fs::create_dir_all(home.join(".aws")).expect("a folder");
    let credentials = home.join(".aws/credentials");
    fs::write(&credentials, "[default]\naws_secret_access_key = hush\n").expect("a file");
    let refused = |arguments: &[&str], variable: Option<(&str, &str)>| {
        let mut marked = gateway(Marked::new(), "identity.py", &folder);
        marked.command.env("STARTED", &started).envs(variable);
        let arguments = [&["--no-static-credentials"], arguments].concat();
        let run = run(marked, &arguments, b"");
        assert!(!started.exists(), "a worker was started");
        assert!(!run.stderr.contains("hush"), "{}", run.stderr);
        run.error(1).to_owned()
    };
    let sentence = |places: &str, them: &str| {
        format!(
            "error: stored cloud keys are forbidden here (no_static_credentials), and there {places}; remove {them}, \
             so that the pod's own identity is used\n"
        )
    };
    // Inherited, given to the workers, and where only the workers' environment leads to it.
    assert_eq!(
        refused(&[], Some(("AZURE_CLIENT_SECRET", "hush"))),
        sentence("is one: AZURE_CLIENT_SECRET", "it")
    );
    let key = ["--env", "AWS_SECRET_ACCESS_KEY=hush"];
    assert_eq!(
        refused(&key, Some(("AWS_ACCESS_KEY_ID", "hush"))),
        sentence("are some: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY", "them")
    );
    assert_eq!(
        refused(&["--env", &format!("HOME={}", home.display())], None),
        sentence(&format!("is one: {}", credentials.display()), "it")
    );

    let file = folder.join("key.json");
    fs::write(
        &file,
        r#"{"type": "service_account", "private_key": "hush"}"#,
    )
    .expect("a file");
    let relative = ["--working-dir", folder.to_str().expect("a path")];
    let named = Some(("GOOGLE_APPLICATION_CREDENTIALS", "key.json"));
    assert_eq!(
        refused(&relative, named),
        sentence("is one: key.json, a file of type service_account", "it")
    );

    // For programs that read the log.
    let mut marked = gateway(Marked::new(), "identity.py", &home);
    marked.command.env("PYPROC_NO_STATIC_CREDENTIALS", "true");
    let run = run(marked, &["--log", "json"], b"");
    let line: Value = serde_json::from_str(run.error(1)).expect("one line of JSON");
    assert_eq!(line["level"], "ERROR");

    // What is no key is no obstacle; what the workers' environment takes away neither.
    let mut marked = gateway(Marked::new(), "identity.py", &folder);
    marked.command.env("AWS_ACCESS_KEY_ID", "hush");
    let arguments = ["--no-static-credentials", "--env", "AWS_ACCESS_KEY_ID="];
    marked.command.args(arguments);
    let mut server = Server::spawn(marked);
    server.until_ready();
    server.stop();
}

#[test]
fn trouble_is_logged_once_with_its_code_and_holds_nothing_up() {
    let folder = folder("trouble");
    let mut marked = gateway(Marked::new(), "identity.py", &folder);
    marked.command.args(["--log", "json"]);
    // A role without a token: the webhook has done half of its work.
    let role = "arn:aws:iam::123456789012:role/pyproc";
    marked.command.env("AWS_ROLE_ARN", role);
    let mut server = Server::spawn(marked);
    server.program.line(|line| line.contains(r#""listening""#));
    let logged = |line: &str| line.contains(r#""code":"AWS_NOT_INJECTED""#);
    let line: Value = serde_json::from_str(&server.program.line(logged)).expect("JSON");
    assert_eq!(line["level"], "ERROR");
    assert!(
        line["message"]
            .as_str()
            .is_some_and(|message| message.ends_with("; `pyproc auth doctor` says more")),
        "{line}"
    );
    server.until_listening();
    assert_eq!(server.get("/readyz").json(), json!({"ok": true}));
    server.signal(Signal::TERM);
    let lines = server.ended().stderr;
    assert_eq!(lines.lines().filter(|line| logged(line)).count(), 1);

    // Workers that cannot be started may have failed for that very reason.
    let mut marked = gateway(Marked::new(), "broken_import.py", &folder);
    marked.command.env("AWS_ROLE_ARN", role);
    let failed = run(marked, &[], b"");
    let said = failed.error(1);
    assert!(
        said.contains("AWS_NOT_INJECTED") && said.contains("error: "),
        "{said}"
    );
}

#[test]
fn nothing_is_said_where_nothing_expects_an_identity() {
    let folder = folder("silent");
    let mut marked = gateway(Marked::new(), "broken_import.py", &folder);
    // A pod, which has none, and a key that nothing forbids.
    marked.command.env("KUBERNETES_SERVICE_HOST", "10.0.0.1");
    marked.command.env("AWS_ACCESS_KEY_ID", "hush");
    // The doctor has ended when a start that failed has.
    let failed = run(marked, &[], b"");
    let said = failed.error(1);
    assert!(!said.contains("cloud identity"), "{said}");
}

#[test]
fn workers_wait_for_the_identity_and_probes_say_why() {
    let folder = folder("wait");
    let (token, started) = (folder.join("token"), folder.join("started"));
    let agent = Agent::start();
    let mut server = Server::spawn(waiting(&agent, &folder));
    server.until_listening();
    let says = |server: &Server, part: &str| {
        wait_until(part, || {
            let probes = ["/startupz", "/readyz"].map(|probe| server.get(probe));
            probes.iter().all(|answer| {
                let reason = answer.json()["reason"].as_str().unwrap_or_default().to_owned();
                answer.status == 503
                    && reason.starts_with(
                        "the workers are not up yet, since they wait for the cloud identity: EKS Pod Identity: ",
                    )
                    && reason.contains(part)
            })
        });
        assert!(!started.exists(), "a worker was started");
    };
    says(&server, "token does not exist");
    assert_eq!(server.get("/healthz").json(), json!({"ok": true}));
    // Who calls is told no more than that it is too early.
    assert_eq!(
        server.call("core_limits", "").problem(),
        (
            503,
            "not_ready".into(),
            "the workers are not up yet; try again soon".into()
        )
    );
    fs::write(&token, TOKEN).expect("a file");
    says(&server, "ResourceNotFoundException");
    agent.phase.store(1, SeqCst);
    says(&server, "AccessDeniedException");
    agent.phase.store(2, SeqCst);
    let said = server.until_ready().join("\n");
    assert!(
        said.contains("workers wait for the cloud identity: EKS Pod Identity: "),
        "{said}"
    );
    assert_eq!(server.get("/readyz").json(), json!({"ok": true}));
    assert!(started.exists());
    server.signal(Signal::TERM);
    let ended = server.ended();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(
        !ended.stderr.contains(SECRET) && !ended.stderr.contains(TOKEN),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_wait_ends_with_sigterm() {
    let folder = folder("wait-ended");
    let mut server = Server::spawn(waiting(&Agent::start(), &folder));
    server
        .program
        .line(|line| line.contains("workers wait for the cloud identity: "));
    server.program.stop();
    assert!(!folder.join("started").exists());
}

#[test]
fn a_wait_for_nothing_is_said_and_is_none() {
    let folder = folder("wait-for-nothing");
    let mut marked = gateway(Marked::new(), "identity.py", &folder);
    marked.command.arg("--wait-for-identity");
    let mut server = Server::spawn(marked);
    let said = server.until_ready().join("\n");
    assert!(
        said.contains("`wait_for_identity` has nothing to wait for"),
        "{said}"
    );
    server.stop();
}

#[test]
fn neither_the_gateway_nor_a_worker_that_crashes_leaves_a_dump_of_memory() {
    let folder = folder("cores");
    let (ours, other) = (folder.join("ours"), folder.join("other"));
    for folder in [&ours, &other] {
        fs::create_dir(folder).expect("a folder");
    }
    let cores = |folder: &Path| {
        let files = fs::read_dir(folder).expect("a folder").flatten();
        files
            .filter(|file| file.file_name().to_string_lossy().starts_with("core"))
            .count()
    };
    // Whoever starts the gateway allows dumps.
    let marked = Marked::through("prlimit", &["--core=unlimited:unlimited"]);
    let worker = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workers/identity.py");
    let mut marked = gateway(marked, worker.to_str().expect("a path"), &folder);
    marked.command.arg("--working-dir").arg(&ours);
    let mut server = Server::spawn(marked);
    server.until_ready();
    let nothing = json!(["0", "0", "00000000"]);
    assert_eq!(server.call("core_limits", "").result(), nothing);
    let own = format!("/proc/{}/limits", server.program.pid().as_raw_nonzero());
    let own = fs::read_to_string(own).expect("a running process");
    let none = |line: &str| {
        line.split_whitespace()
            .eq(["Max", "core", "file", "size", "0", "0", "bytes"])
    };
    assert!(own.lines().any(none), "{own}");
    let (status, code, detail) = server.call("crash", "").problem();
    assert_eq!((status, code.as_str()), (502, "worker_died"), "{detail}");
    assert!(detail.contains("SIGSEGV"), "{detail}");
    // The next worker of the same place: the crash is over.
    wait_until("the next worker", || {
        server.call("core_limits", "").status == 200
    });
    assert_eq!(cores(&ours), 0);
    server.stop();

    // Whether there would have been one here.
    let crashed = Command::new("prlimit")
        .arg("--core=unlimited:unlimited")
        .arg(python())
        .args(["-c", "import ctypes; ctypes.string_at(0)"])
        .current_dir(&other)
        .stderr(Stdio::null())
        .status()
        .expect("prlimit");
    assert!(!crashed.success());
    if cores(&other) == 0 {
        not_run(
            "crates/pyproc-cli/tests/serve/identity.rs: this machine writes cores elsewhere, so that only the limit \
             was looked at",
        );
    }
}

/// A gateway that waits for what the agent gives.
fn waiting(agent: &Agent, folder: &Path) -> Marked {
    let mut marked = gateway(Marked::new(), "identity.py", folder);
    let url = format!("http://127.0.0.1:{}", agent.port);
    marked
        .command
        .arg("--wait-for-identity")
        .env("STARTED", folder.join("started"))
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)
        .env(
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            folder.join("token"),
        )
        // Whom the keys belong to is asked here too, and no cloud.
        .env("AWS_ENDPOINT_URL_STS", &url)
        .env("AWS_REGION", "eu-west-1");
    marked
}

/// `{"alg":"none"}`, `{"aud":["pods.eks.amazonaws.com"]}` and a signature that nobody checks here.
const TOKEN: &str =
    "eyJhbGciOiJub25lIn0.eyJhdWQiOlsicG9kcy5la3MuYW1hem9uYXdzLmNvbSJdfQ.c2lnbmF0dXJl";
/// The key that the agent gives.
const SECRET: &str = "the-secret-of-the-session";

/// The agent of EKS Pod Identity as far as a wait goes: it refuses, refuses for another reason, then gives.
struct Agent {
    port: u16,
    phase: Arc<AtomicUsize>,
}

impl Agent {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let phase = Arc::new(AtomicUsize::new(0));
        let current = Arc::clone(&phase);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    match stream.read(&mut byte) {
                        Ok(1) => head.push(byte[0]),
                        _ => break,
                    }
                }
                let asks_agent = head.starts_with(b"GET ");
                let (status, body) = match current.load(SeqCst) {
                    _ if !asks_agent => (404, "nobody".to_owned()),
                    0 => (
                        404,
                        "(ResourceNotFoundException): no association".to_owned(),
                    ),
                    1 => (403, "(AccessDeniedException): not trusted".to_owned()),
                    _ => {
                        let keys = json!({
                            "AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": SECRET, "Token": "t",
                            "AccountId": "123456789012", "Expiration": "2999-01-01T00:00:00Z",
                        });
                        (200, keys.to_string())
                    }
                };
                let answer = format!(
                    "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                // Who has gone meanwhile needs none.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { port, phase }
    }
}
