//! How each server is started: one worker, no log of requests, what its own documentation recommends
//! for production.

use std::path::Path;
use std::process::Command;

use crate::Failure;
use crate::python::{folder, interpreter};

/// axum without Python, in this program.
pub(super) fn echo(port: u16) -> Result<Command, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--http-echo", &port.to_string()]);
    Ok(command)
}

/// With everything at its default, which is one worker and one runtime thread.
pub(super) fn pyproc(port: u16) -> Result<Command, Failure> {
    let mut command = Command::new(folder("../target/release/pyproc"));
    command
        .arg("serve")
        .arg(folder("python/worker.py"))
        .args(["--workers", "1", "--metrics-listen", "127.0.0.1:0"])
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .env("PYPROC_PYTHON", interpreter());
    Ok(command)
}

/// uvicorn with its fast event loop and parser.
fn uvicorn(port: u16, application: &str) -> Result<Command, Failure> {
    let mut command = program("uvicorn")?;
    command
        .args(["--loop", "uvloop", "--http", "httptools"])
        .args(["--no-access-log", "--log-level", "warning"])
        .args(["--port", &port.to_string(), application]);
    Ok(command)
}

pub(super) fn raw_asgi(port: u16) -> Result<Command, Failure> {
    uvicorn(port, "raw_asgi:app")
}

pub(super) fn fastapi(port: u16) -> Result<Command, Failure> {
    uvicorn(port, "on_fastapi:app")
}

/// A single-threaded runtime is what Granian recommends for few processes.
pub(super) fn granian(port: u16) -> Result<Command, Failure> {
    let mut command = program("granian")?;
    command
        .args([
            "--interface",
            "rsgi",
            "--workers",
            "1",
            "--runtime-mode",
            "st",
        ])
        .args(["--loop", "uvloop", "--log-level", "warning"])
        .args(["--port", &port.to_string(), "rsgi:app"]);
    Ok(command)
}

pub(super) fn mosec(port: u16) -> Result<Command, Failure> {
    let mut command = script("on_mosec.py");
    command
        .args(["--address", "127.0.0.1", "--port", &port.to_string()])
        .args(["--log-level", "warning"]);
    Ok(command)
}

pub(super) fn litserve(port: u16) -> Result<Command, Failure> {
    let mut command = script("on_litserve.py");
    command.arg(port.to_string());
    Ok(command)
}

/// A program that stands beside the interpreter.
fn program(name: &str) -> Result<Command, Failure> {
    let interpreter = interpreter();
    let path = interpreter.parent().unwrap_or(Path::new("")).join(name);
    if !path.exists() {
        return Err(format!("{name} is not installed").into());
    }
    let mut command = Command::new(path);
    command.current_dir(folder("python/http"));
    Ok(command)
}

fn script(name: &str) -> Command {
    let mut command = Command::new(interpreter());
    command.arg(name).current_dir(folder("python/http"));
    command
}
