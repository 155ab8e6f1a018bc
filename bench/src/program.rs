//! Python programs that are compared with: run to their end, or kept as servers. A program that fails
//! or hangs ends with a reason in one line; nothing of it is left running.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::Failure;
use crate::python::interpreter;

/// Runs a script to its end and gives what it printed.
pub(crate) fn output(
    script: &Path,
    arguments: &[String],
    limit: Duration,
) -> Result<String, Failure> {
    let mut group = Group::start(script, arguments, Stdio::piped())?;
    let mut stdout = group.process.stdout.take().ok_or("no stdout")?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        // Whoever waited has given up if this cannot be sent.
        let _ = sender.send(stdout.read_to_string(&mut text).map(|_| text));
    });
    let text = receiver.recv_timeout(limit);
    if text.is_err() {
        return Err(format!("did not end within {} s", limit.as_secs()).into());
    }
    let status = group.process.wait()?;
    if status.success() {
        Ok(text??)
    } else {
        Err(group.reason(&status.to_string()).into())
    }
}

/// A script that serves on a Unix socket, until it is dropped.
pub(crate) struct Server {
    group: Group,
    folder: PathBuf,
}

impl Server {
    /// Starts `python SCRIPT SOCKET` and waits until there is a socket.
    pub(crate) fn start(script: &Path, limit: Duration) -> Result<Self, Failure> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("pyproc-bench-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder)?;
        let socket = folder.join("socket");
        let mut server = Self {
            group: Group::start(
                script,
                &[socket.to_string_lossy().into_owned()],
                Stdio::null(),
            )?,
            folder,
        };
        let begin = Instant::now();
        while !socket.exists() {
            if let Some(reason) = server.group.ended()? {
                return Err(reason.into());
            }
            if begin.elapsed() > limit {
                return Err(format!("did not serve within {} s", limit.as_secs()).into());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(server)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's cleaning of temporary files.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A process and what it started.
pub(crate) struct Group {
    process: Child,
    stderr: Option<ChildStderr>,
}

impl Group {
    fn start(script: &Path, arguments: &[String], stdout: Stdio) -> Result<Self, Failure> {
        let mut command = Command::new(interpreter());
        command.arg(script).args(arguments);
        Self::spawn(command, stdout)
    }

    pub(crate) fn spawn(mut command: Command, stdout: Stdio) -> Result<Self, Failure> {
        let mut process = command
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        let stderr = process.stderr.take();
        Ok(Self { process, stderr })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Why it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<String>, Failure> {
        let status = self.process.try_wait()?;
        Ok(status.map(|status| self.reason(&status.to_string())))
    }

    fn kill(&mut self) {
        // It may already be gone.
        let _ = kill_process_group(Pid::from_child(&self.process), Signal::KILL);
        let _ = self.process.wait();
    }

    /// The last line that it wrote to stderr; how it ended, if there is none.
    fn reason(&mut self, ended: &str) -> String {
        // No process may be left that keeps the pipe open.
        self.kill();
        let mut text = String::new();
        if let Some(mut stderr) = self.stderr.take() {
            // What could be read is still the best there is.
            let _ = stderr.read_to_string(&mut text);
        }
        last_line(&text).unwrap_or(ended).to_owned()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

fn last_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).rfind(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    /// A script of its own for a test.
    fn script(name: &str, text: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("pyproc-bench-{}-{name}.py", std::process::id()));
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn what_a_script_prints_is_given() {
        let path = script("prints", "import sys; print(sys.argv[1])");
        assert_eq!(output(&path, &["7".into()], LIMIT).unwrap(), "7\n");
    }

    #[test]
    fn a_script_that_fails_says_why_in_one_line() {
        let path = script("fails", "import there_is_no_such_module");
        let expected = "ModuleNotFoundError: No module named 'there_is_no_such_module'";
        assert_eq!(output(&path, &[], LIMIT).unwrap_err().to_string(), expected);
        assert_eq!(
            Server::start(&path, LIMIT).err().unwrap().to_string(),
            expected
        );
        let path = script("exits", "raise SystemExit(3)");
        assert_eq!(
            output(&path, &[], LIMIT).unwrap_err().to_string(),
            "exit status: 3"
        );
    }

    #[test]
    fn a_script_that_hangs_is_ended() {
        let path = script("hangs", "import threading; threading.Event().wait()");
        let short = Duration::from_millis(1);
        assert_eq!(
            output(&path, &[], short).unwrap_err().to_string(),
            "did not end within 0 s"
        );
        assert_eq!(
            Server::start(&path, short).err().unwrap().to_string(),
            "did not serve within 0 s"
        );
    }

    #[test]
    fn a_server_is_there_once_its_socket_is() {
        let path = script(
            "serves",
            "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen()\ns.accept()",
        );
        let server = Server::start(&path, LIMIT).unwrap();
        let socket = server.socket();
        assert!(socket.exists());
        drop(server);
        assert!(!socket.exists());
    }
}
