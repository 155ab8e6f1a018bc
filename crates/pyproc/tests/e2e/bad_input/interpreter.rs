//! Interpreters on which no worker starts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use pyproc::PoolConfig;

use super::script::start_fails;
use crate::support::{config, python, scenario, scratch, script};

/// A program of these lines of shell.
fn program(name: &str, source: &str) -> PathBuf {
    let path = scratch().join(name);
    fs::write(&path, format!("#!/bin/sh\n{source}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Stands for an interpreter that this machine need not have: it runs no script, and answers the
/// question what it is as that one would.
fn stand_in(name: &str, version: &str, implementation: &str, free_threaded: bool) -> PathBuf {
    let answer = format!(
        r#"{{"version": "{version}", "implementation": "{implementation}", "free_threaded": {free_threaded}, "worker": null, "problem": null}}"#
    );
    program(
        name,
        &format!("[ \"$1\" = -c ] && echo '{answer}' && exit 0\nexit 1"),
    )
}

/// What is said about workers on this interpreter.
async fn sentence(python: &Path) -> String {
    let script = script("import pyproc_worker\npyproc_worker.run_worker()\n");
    start_fails(config(&script).python(python))
        .await
        .to_string()
}

#[test]
fn the_package_is_not_installed() {
    scenario(async || {
        let folder = scratch().join("bare");
        let made = Command::new(python())
            .args(["-m", "venv", "--without-pip"])
            .arg(&folder)
            .status()
            .unwrap();
        assert!(made.success());
        let bare = folder.join("bin/python");
        // Whoever runs the tests may have it in a folder of their own.
        let without = |config: PoolConfig| config.env("PYTHONPATH", "");
        let expected = format!(
            "the package pyproc-worker is not installed for {0}; \
             install its wheel: {0} -m pip install pyproc_worker-*.whl",
            bare.display()
        );
        let script = script("import pyproc_worker\n");
        let error = start_fails(without(config(&script).python(&bare))).await;
        assert_eq!(error.to_string(), expected);
        let module = PoolConfig::new("math:hypot").python(&bare).workers(1);
        assert_eq!(start_fails(without(module)).await.to_string(), expected);
    });
}

/// A package of another version, whose worker does this when it is imported.
fn other_version(source: &str) -> PathBuf {
    let folder = scratch().join("packages");
    let metadata = folder.join("pyproc_worker-9.9.9.dist-info");
    fs::create_dir_all(folder.join("pyproc_worker")).unwrap();
    fs::create_dir_all(&metadata).unwrap();
    fs::write(
        metadata.join("METADATA"),
        "Metadata-Version: 2.1\nName: pyproc-worker\nVersion: 9.9.9\n",
    )
    .unwrap();
    fs::write(folder.join("pyproc_worker/__init__.py"), source).unwrap();
    folder
}

#[test]
fn the_package_is_of_another_version() {
    scenario(async || {
        let script = script("import pyproc_worker\n");
        let expected = format!(
            "pyproc {0} cannot work with pyproc-worker 9.9.9, which is installed for {1}; \
             install pyproc-worker {0} there",
            env!("CARGO_PKG_VERSION"),
            python().display()
        );
        // It says so itself in the handshake ...
        let packages = other_version(
            "import msgspec, os, socket\n\
             control = socket.socket(fileno=int(os.environ['PYPROC_CONTROL_FD']))\n\
             control.send(msgspec.msgpack.encode({'Rejected': {'protocol': 99, 'version': '9.9.9', 'reason': 'no'}}))\n\
             raise SystemExit(1)\n",
        );
        let packages = packages.to_str().unwrap();
        let error = start_fails(config(&script).env("PYTHONPATH", packages)).await;
        assert_eq!(error.to_string(), expected);
        // ... or does not come that far, and the interpreter is asked.
        other_version("import os\nif 'PYPROC_CONTROL_FD' in os.environ: raise SystemExit(1)\n");
        let error = start_fails(config(&script).env("PYTHONPATH", packages)).await;
        assert_eq!(error.to_string(), expected);
    });
}

#[test]
fn no_python_is_found() {
    scenario(async || {
        let python = scratch().join("no/python");
        assert_eq!(
            sentence(&python).await,
            format!(
                "no Python interpreter was found; tried, in this order:\
                 \n  `python`: {} does not exist\
                 \ninstall Python 3.11 or later, or name one with `python` or PYPROC_PYTHON",
                python.display()
            )
        );
    });
}

#[test]
fn python_is_too_old() {
    scenario(async || {
        let old = stand_in("python3.9", "3.9.2", "CPython", false);
        assert_eq!(
            sentence(&old).await,
            format!(
                "{} is Python 3.9.2, and workers need Python 3.11 or later; \
                 name another with `python` or PYPROC_PYTHON",
                old.display()
            )
        );
    });
}

#[test]
fn python_is_free_threaded() {
    scenario(async || {
        let free = stand_in("python3.13t", "3.13.1", "CPython", true);
        assert_eq!(
            sentence(&free).await,
            format!(
                "{} is a free-threaded build of Python, which workers cannot use yet; \
                 name an ordinary build with `python` or PYPROC_PYTHON",
                free.display()
            )
        );
    });
}

#[test]
fn python_is_something_else() {
    scenario(async || {
        let pypy = stand_in("pypy3", "3.11.0", "PyPy", false);
        assert_eq!(
            sentence(&pypy).await,
            format!(
                "{} cannot run workers: it is PyPy, and workers need CPython",
                pypy.display()
            )
        );
        let shell = program("no-python", "echo 'what is this?' >&2; exit 2");
        assert_eq!(
            sentence(&shell).await,
            format!(
                "{} cannot run workers: it says: what is this?",
                shell.display()
            )
        );
    });
}
