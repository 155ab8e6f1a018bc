//! A program that runs until it is stopped: what it says meanwhile, and that nothing of it is left.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::{Marked, PATIENCE};

/// A running program.
pub(crate) struct Program {
    marked: Marked,
    child: Child,
    output: Arc<Output>,
    reader: Option<JoinHandle<()>>,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    /// All that it said.
    pub(crate) stderr: String,
}

/// What a program has written to stderr.
#[derive(Default)]
struct Output {
    said: Mutex<Said>,
    more: Condvar,
}

#[derive(Default)]
struct Said {
    lines: Vec<String>,
    ended: bool,
}

impl Program {
    pub(crate) fn spawn(mut marked: Marked) -> Self {
        let mut child = marked
            .command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program under test");
        let output = Arc::new(Output::default());
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let written = Arc::clone(&output);
        let reader = thread::spawn(move || {
            for line in stderr.lines() {
                written.change(|said| said.lines.push(line.expect("text")));
            }
            written.change(|said| said.ended = true);
        });
        Self {
            marked,
            child,
            output,
            reader: Some(reader),
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("a running program");
    }

    /// The lines that it has said.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.output.said.lock().expect("a lock").lines.clone()
    }

    /// The first line that fits, once it has been said.
    #[track_caller]
    pub(crate) fn line(&self, fits: impl Fn(&str) -> bool) -> String {
        self.line_of_number(1, fits)
    }

    /// The line of this number among those that fit, once it has been said.
    #[track_caller]
    pub(crate) fn line_of_number(&self, number: usize, fits: impl Fn(&str) -> bool) -> String {
        let mut said = self.output.said.lock().expect("a lock");
        let watchdog = Instant::now() + PATIENCE;
        loop {
            let mut fitting = said.lines.iter().filter(|line| fits(line));
            if let Some(line) = fitting.nth(number - 1) {
                return line.clone();
            }
            let left = watchdog.saturating_duration_since(Instant::now());
            let over = said.ended || left.is_zero();
            assert!(!over, "it was not said: {:#?}", said.lines);
            let woken = self.output.more.wait_timeout(said, left);
            said = woken.expect("a lock").0;
        }
    }

    /// Waits for its end; nothing of it is left then.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> Ended {
        let status = self.child.wait().expect("its child").code();
        if let Some(reader) = self.reader.take() {
            reader.join().expect("text");
        }
        self.marked.nothing_left();
        Ended {
            status,
            stderr: self.lines().join("\n"),
        }
    }

    /// Stops it as a supervisor does; it ends well.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::TERM);
        let ended = self.ended();
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A test that failed leaves nothing running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Output {
    fn change(&self, change: impl FnOnce(&mut Said)) {
        change(&mut self.said.lock().expect("a lock"));
        self.more.notify_all();
    }
}
