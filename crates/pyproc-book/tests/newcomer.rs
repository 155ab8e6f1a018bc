//! Does what a reader does who has nothing but the book: three projects in fresh folders outside of
//! the repository, with the files as they stand on the page, built and run by cargo.
//!
//! Only installing is left out: the checkout's `.venv`, which holds the wheel, stands for the
//! project's own, and crates come from what cargo has downloaded already.

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use pyproc_book::markdown::Block;
use pyproc_book::root;
use support::{assert_shown, blocks_of, command, commands, target};

/// A project made from a page, in a folder that goes with it.
struct Project {
    page: &'static str,
    folder: PathBuf,
    blocks: Vec<Block>,
}

impl Project {
    fn of(page: &'static str) -> Self {
        let name = format!("pyproc-newcomer-{}-{page}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let blocks = blocks_of(page);
        for block in &blocks {
            if let Some(file) = block.value("file") {
                let file = folder.join(file);
                fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
                let checkout = root().display().to_string();
                fs::write(file, block.text.replace("/path/to/pyproc", &checkout)).expect("a file");
            }
        }
        // The versions that are tested; cargo leaves out what the project does not need.
        fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).expect("a lock file");
        let project = Self {
            page,
            folder,
            blocks,
        };
        let mut cargo = command(Path::new(env!("CARGO")), &project.folder);
        configure(&mut cargo);
        let output = cargo.args(["build", "--release"]).output().expect("cargo");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{page}: {said}");
        assert!(!said.contains("warning"), "{page}: {said}");
        project
    }

    /// Runs the blocks that are marked `project`, with other text for some of each command.
    fn run_console(&self, instead: impl Fn(&str) -> String) {
        let blocks = self.blocks.iter().filter(|block| block.has("project"));
        for block in blocks {
            for (line, shown) in commands(&block.text) {
                let lines = format!("exec 2>&1\n{}", instead(&line));
                let mut shell = command(Path::new("bash"), &self.folder);
                configure(&mut shell);
                let output = shell.args(["-c", &lines]).output().expect("bash");
                let at = format!("{}:{}: {line}", self.page, block.line);
                assert_shown(&at, &shown, &String::from_utf8_lossy(&output.stdout));
            }
        }
    }
}

/// The workspace's folder and its profile, so that nothing is compiled twice; no network.
fn configure(command: &mut Command) {
    command
        .env("CARGO_TARGET_DIR", target())
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_TERM_QUIET", "true");
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the workspace");
    let manifest: toml::Table = toml::from_str(&manifest).expect("the workspace");
    let profile = manifest["profile"]["release"]
        .as_table()
        .expect("a profile");
    for (key, value) in profile {
        let variable = key.to_uppercase().replace('-', "_");
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        command.env(format!("CARGO_PROFILE_RELEASE_{variable}"), value);
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_typed_call() {
    Project::of("getting-started.md").run_console(str::to_owned);
}

#[test]
fn a_command_line_tool() {
    Project::of("tools.md").run_console(str::to_owned);
}

#[test]
fn a_web_service() {
    let project = Project::of("service.md");
    let server = Server::start(&project);
    project.run_console(|line| line.replace("http://127.0.0.1:3000", &server.address));
    server.stop();
}

/// The service, until it is stopped; killed with its workers when the test fails.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(project: &Project) -> Self {
        let program = target().join("release/suggestions");
        let mut process = command(&program, &project.folder)
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the service");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on ").expect(&line);
        Self {
            address: address.to_owned(),
            process,
        }
    }

    fn signal(&self, signal: &str) {
        // `timeout`, which the program runs under, passes it on.
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.expect("kill").success());
    }

    fn stop(mut self) {
        self.signal("-INT");
        let status = self.process.wait().expect("its end");
        assert!(status.success(), "after Ctrl-C: {status}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            self.signal("-TERM");
            let _ = self.process.wait();
        }
    }
}
