//! Where the blocks run: folders of their own, with what `make build` has made.
#![allow(dead_code, reason = "each test program uses its part of this")]

pub(crate) mod gateway;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use pyproc_book::markdown::{Block, blocks};
use pyproc_book::root;
use regex::Regex;

/// How long anything may take before it counts as hung: never a measure of speed.
const PATIENCE_SECONDS: &str = "600";

/// The blocks of a page, README.md included.
pub(crate) fn blocks_of(page: &str) -> Vec<Block> {
    let folder = if page == "README.md" {
        root()
    } else {
        root().join("docs")
    };
    blocks(&fs::read_to_string(folder.join(page)).expect(page))
}

/// An empty folder of this name.
pub(crate) fn fresh(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("an old folder");
    }
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Writes a block into the file that it names, if it names one.
pub(crate) fn write(block: &Block, folder: &Path) {
    if let Some(file) = block.value("file") {
        let file = folder.join(file);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, &block.text).expect("a file");
    }
}

/// The folder of the programs that cargo has made.
pub(crate) fn programs() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_book-programs"));
    program.parent().expect("a folder").to_owned()
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    let target = programs().join("..");
    target.canonicalize().expect("a folder")
}

/// A program to be run in `folder`, with the checkout's Python and programs, and ended if it hangs.
pub(crate) fn command(program: &Path, folder: &Path) -> Command {
    let venv = root().join(".venv");
    let pyproc = programs().join("pyproc");
    assert!(
        venv.join("bin/python").exists() && pyproc.exists(),
        "run `make build` first: .venv or {} is missing",
        pyproc.display()
    );
    let mut path = vec![programs(), venv.join("bin")];
    path.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=10", PATIENCE_SECONDS])
        .arg(program)
        .current_dir(folder)
        .env("VIRTUAL_ENV", venv)
        .env(
            "PATH",
            std::env::join_paths(path).expect("folders without colons"),
        )
        .stdin(Stdio::null());
    for variable in [
        "PYPROC_PYTHON",
        "PYPROC_LOG_FILTER",
        "PYTHONPATH",
        "RUST_LOG",
    ] {
        command.env_remove(variable);
    }
    command
}

/// Lines for the shell, run in `folder`.
pub(crate) fn shell(lines: &str, folder: &Path) -> Output {
    let mut command = command(Path::new("bash"), folder);
    command.args(["-euo", "pipefail", "-c", lines]);
    command.output().expect("bash")
}

/// The commands of a console block, each with the output that is shown under it.
pub(crate) fn commands(text: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    let mut continues = false;
    for line in text.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), String::new())),
            (None, Some((command, _))) if continues => {
                command.push('\n');
                command.push_str(line);
            }
            (None, Some((_, output))) => {
                output.push_str(line);
                output.push('\n');
            }
            (None, None) => assert_eq!(line, "$ …", "how a console block begins"),
        }
        continues = line.ends_with('\\');
    }
    commands
}

/// Asserts that `came` is what is `shown`, where `…` stands for anything in a line, and a line of its
/// own for any lines.
#[track_caller]
pub(crate) fn assert_shown(at: &str, shown: &str, came: &str) {
    let lines: Vec<String> = shown
        .trim_end()
        .lines()
        .map(|line| match line.trim() {
            "…" => "(?:.*\n)*?".to_owned(),
            _ => regex::escape(line.trim_end()).replace('…', ".*") + "[ ]*\n",
        })
        .collect();
    let pattern = Regex::new(&format!("^{}$", lines.concat())).expect("escaped text");
    let came = match came.trim_end() {
        "" => String::new(),
        came => format!("{came}\n"),
    };
    assert!(
        pattern.is_match(&came),
        "{at}: the book shows\n{shown}\nbut this came:\n{came}"
    );
}
