use super::*;
use crate::config::PoolConfig;
use std::fs;
use std::path::PathBuf;

fn settings() -> Settings {
    PoolConfig::new("math:hypot")
        .resolve()
        .expect("a good configuration")
}

fn answer() -> Probe {
    Probe {
        version: "3.12.4".into(),
        implementation: "CPython".into(),
        free_threaded: false,
        worker: Some("0.1.0".into()),
        problem: None,
    }
}

fn verdict(probe: Probe) -> Option<String> {
    probe
        .verdict(Path::new("/py"), "0.1.0")
        .map(|error| error.to_string())
}

#[test]
fn what_is_wrong_is_a_sentence() {
    assert_eq!(verdict(answer()), None);
    for (probe, expected) in [
        (
            Probe {
                implementation: "PyPy".into(),
                ..answer()
            },
            "/py cannot run workers: it is PyPy, and workers need CPython",
        ),
        (
            Probe {
                version: "3.9.20".into(),
                ..answer()
            },
            "/py is Python 3.9.20, and workers need Python 3.11 or later; name another with `python` or PYPROC_PYTHON",
        ),
        (
            Probe {
                free_threaded: true,
                worker: None,
                problem: Some("ImportError: x".into()),
                ..answer()
            },
            "/py is a free-threaded build of Python, which workers cannot use yet; \
             name an ordinary build with `python` or PYPROC_PYTHON",
        ),
        (
            Probe {
                worker: None,
                ..answer()
            },
            "the package pyproc-worker is not installed for /py; \
             install its wheel: /py -m pip install pyproc_worker-*.whl",
        ),
        (
            Probe {
                worker: None,
                problem: Some("ImportError: no".into()),
                ..answer()
            },
            "/py cannot run workers: its package pyproc_worker can not be imported: ImportError: no",
        ),
        (
            Probe {
                worker: Some("0.2.0".into()),
                ..answer()
            },
            "pyproc 0.1.0 cannot work with pyproc-worker 0.2.0, which is installed for /py; \
             install pyproc-worker 0.1.0 there",
        ),
    ] {
        assert_eq!(verdict(probe).as_deref(), Some(expected));
    }
}

/// A real interpreter, wherever this machine has one.
fn python() -> PathBuf {
    crate::python::find(&settings()).expect("this test needs Python")
}

#[test]
fn a_real_interpreter_answers() {
    let probe = probe(&python(), &settings()).expect("an answer");
    assert_eq!(probe.implementation, "CPython");
    assert!(probe.number() >= (3, 0), "{probe:?}");
}

#[test]
fn a_package_that_is_missing_or_broken_is_told_apart() {
    let folder = std::env::temp_dir().join(format!("pyproc-probe-{}", std::process::id()));
    fs::create_dir_all(folder.join("pyproc_worker")).expect("a folder");
    fs::write(
        folder.join("pyproc_worker/__init__.py"),
        "import nothing_like_it",
    )
    .expect("a file");
    let mut broken = settings();
    broken
        .env
        .insert("PYTHONPATH".into(), folder.display().to_string());
    let probe = probe(&python(), &broken).expect("an answer");
    assert_eq!(
        probe.problem.as_deref(),
        Some("ModuleNotFoundError: No module named 'nothing_like_it'")
    );
    fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn what_is_no_interpreter_is_told_by_what_it_does() {
    let problem =
        |program: &str| probe(Path::new(program), &settings()).expect_err("no interpreter");
    assert_eq!(
        problem("/bin/false"),
        "it exited with status 1 without a word"
    );
    // A shell runs what it can of the question, and complains.
    let complaint = problem("/bin/sh");
    assert!(complaint.starts_with("it says: "), "{complaint}");
    assert_eq!(
        problem("/nowhere/python"),
        "could not execute /nowhere/python: No such file or directory (os error 2)"
    );
}
