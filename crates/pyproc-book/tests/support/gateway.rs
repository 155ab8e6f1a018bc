//! The gateway that a page starts: its later commands talk to it.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;

use super::{assert_shown, command};

/// Where the pages say that a gateway listens.
const SHOWN: [&str; 2] = ["127.0.0.1:8080", "localhost:8080"];
const SHOWN_METRICS: [&str; 2] = ["127.0.0.1:9090", "localhost:9090"];

/// `pyproc serve` as a page shows it, on ports that are free; stopped when the page is over.
pub(crate) struct Gateway {
    process: Child,
    address: String,
    metrics: String,
}

impl Gateway {
    /// Starts what `line` says and compares what it prints.
    #[track_caller]
    pub(crate) fn start(at: &str, line: &str, shown: &str, folder: &Path) -> Self {
        let places = "--listen 127.0.0.1:0 --metrics-listen 127.0.0.1:0";
        let mut shell = command(Path::new("bash"), folder);
        let mut process = shell
            .args(["-c", &format!("exec {line} {places}")])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("bash");
        let stderr = BufReader::new(process.stderr.take().expect("piped"));
        let mut gateway = Self {
            process,
            address: String::new(),
            metrics: String::new(),
        };
        let came = until_ready(at, stderr);
        let place = |start: &str| {
            let line = came.lines().find_map(|line| line.strip_prefix(start));
            let place = line.and_then(|line| line.split('/').nth(2));
            place.unwrap_or_default().to_owned()
        };
        gateway.address = place("Listening on ");
        gateway.metrics = place("Metrics on ");
        let came = came
            .replace(&gateway.address, SHOWN[0])
            .replace(&gateway.metrics, SHOWN_METRICS[0]);
        assert_shown(&format!("{at}: {line}"), shown, &came);
        gateway
    }

    /// A command of the page, with the ports that were free.
    pub(crate) fn command(&self, line: &str) -> String {
        let line = replaced(line, SHOWN, &self.address);
        replaced(&line, SHOWN_METRICS, &self.metrics)
    }
}

/// What a gateway says until it is up. What it says later is read and thrown away: a pipe that is full
/// would stop it.
#[track_caller]
fn until_ready(at: &str, mut stderr: BufReader<ChildStderr>) -> String {
    let mut came = String::new();
    while !came.contains("\nTry: ") {
        let count = stderr.read_line(&mut came).expect("text");
        assert!(count > 0, "{at}: {came}");
    }
    thread::spawn(move || io::copy(&mut stderr, &mut io::sink()));
    came
}

fn replaced(line: &str, shown: [&str; 2], place: &str) -> String {
    shown
        .iter()
        .fold(line.to_owned(), |line, shown| line.replace(shown, place))
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // `timeout`, which it runs under, passes the signal on.
        let pid = self.process.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.process.wait();
    }
}
