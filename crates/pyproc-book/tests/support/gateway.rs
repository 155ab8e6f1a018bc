//! The gateway that a page starts: its later commands talk to it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{assert_shown, command};

/// Where the pages say that a gateway listens.
const SHOWN: [&str; 2] = ["127.0.0.1:8080", "localhost:8080"];
const SHOWN_METRICS: [&str; 2] = ["127.0.0.1:9090", "localhost:9090"];

/// How long a gateway may take to be up before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(120);

/// `pyproc serve` as a page shows it, on ports that are free; stopped when the page is over.
pub(crate) struct Gateway {
    process: Child,
    said: PathBuf,
    address: String,
    metrics: String,
}

impl Gateway {
    /// Starts what `line` says and compares what it prints.
    #[track_caller]
    pub(crate) fn start(at: &str, line: &str, shown: &str, folder: &Path) -> Self {
        let said = folder.join("gateway.log");
        let log = File::create(&said).expect("a file");
        let places = "--listen 127.0.0.1:0 --metrics-listen 127.0.0.1:0";
        let mut shell = command(Path::new("bash"), folder);
        let process = shell
            .args(["-c", &format!("exec {line} {places}")])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("bash");
        let mut gateway = Self {
            process,
            said,
            address: String::new(),
            metrics: String::new(),
        };
        let came = gateway.until_ready(at);
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

    /// What it says until it is up.
    #[track_caller]
    fn until_ready(&mut self, at: &str) -> String {
        let watchdog = Instant::now() + PATIENCE;
        loop {
            let came = fs::read_to_string(&self.said).expect("text");
            if came.contains("\nTry: ") && came.ends_with('\n') {
                return came;
            }
            let ended = self.process.try_wait().expect("a child");
            assert!(ended.is_none() && Instant::now() < watchdog, "{at}: {came}");
            // A file tells nobody that it grows.
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// A command of the page, with the ports that were free.
    pub(crate) fn command(&self, line: &str) -> String {
        let line = replaced(line, SHOWN, &self.address);
        replaced(&line, SHOWN_METRICS, &self.metrics)
    }
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
