//! What workers write: lines of their standard streams and records of Python's `logging`, as events
//! of `tracing` under the target `pyproc::worker`.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use pyproc_ipc::message::{Log, LogLevel, LogStream};

use crate::request_id;

/// Lines of stderr that are kept for an error message.
const TAIL_LINES: usize = 64;

/// A longer line is cut there.
const LINE_MAX: usize = 8 * 1024;

/// What one look at a stream reads at most, so that a worker that floods one cannot occupy the driver.
const READ_MAX: usize = 64 * 1024;

/// Which worker a line comes from.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    pub(crate) worker: usize,
    pub(crate) pid: u32,
}

/// What a line was written for, as far as it is known.
#[derive(Clone, Copy, Default)]
struct Origin<'l> {
    call: Option<u64>,
    request_id: Option<&'l str>,
    trace_id: Option<&'l str>,
    span_id: Option<&'l str>,
}

impl<'l> Origin<'l> {
    /// What the worker says of it; ids that are none are left out.
    fn of(log: &'l Log) -> Self {
        fn hex(id: Option<&String>, length: usize) -> Option<&str> {
            let id = id?;
            let digits = id.len() == length && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            digits.then_some(id)
        }
        let request_id = log.request_id.as_deref();
        Self {
            call: log.call,
            request_id: request_id.filter(|id| request_id::check(id).is_ok()),
            trace_id: hex(log.trace_id.as_ref(), 32),
            span_id: hex(log.span_id.as_ref(), 16),
        }
    }
}

/// One standard stream of a worker, line by line.
pub(crate) struct Stream {
    fd: OwnedFd,
    kind: LogStream,
    partial: Vec<u8>,
}

impl Stream {
    pub(crate) fn new(fd: OwnedFd, kind: LogStream) -> Self {
        Self {
            fd,
            kind,
            partial: Vec::new(),
        }
    }

    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Reads what is there, within bounds; `false` once the stream has ended.
    pub(crate) fn read(&mut self, source: Source, tail: &mut Tail) -> bool {
        let mut buffer = [0; 16 * 1024];
        let mut read = 0;
        while read < READ_MAX {
            match rustix::io::read(&self.fd, &mut buffer) {
                Ok(0) => return false,
                Ok(bytes) => {
                    read += bytes;
                    self.take(&buffer[..bytes], source, tail);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return true,
                Err(_) => return false,
            }
        }
        true
    }

    fn take(&mut self, mut bytes: &[u8], source: Source, tail: &mut Tail) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.partial.extend_from_slice(&bytes[..end]);
            self.end_line(source, tail);
            bytes = &bytes[end + 1..];
        }
        self.partial.extend_from_slice(bytes);
        while self.partial.len() > LINE_MAX {
            let rest = self.partial.split_off(LINE_MAX);
            self.end_line(source, tail);
            self.partial = rest;
        }
    }

    /// The stream is over: an unfinished line is one too.
    pub(crate) fn finish(&mut self, source: Source, tail: &mut Tail) {
        if !self.partial.is_empty() {
            self.end_line(source, tail);
        }
    }

    fn end_line(&mut self, source: Source, tail: &mut Tail) {
        let line = String::from_utf8_lossy(&self.partial);
        let line = line.trim_end_matches('\r');
        emit_stream(source, self.kind, Origin::default(), line);
        if self.kind == LogStream::Stderr {
            tail.push(line);
        }
        self.partial.clear();
    }
}

/// The last lines that a worker wrote to stderr.
#[derive(Default)]
pub(crate) struct Tail {
    lines: VecDeque<String>,
}

impl Tail {
    pub(crate) fn push(&mut self, line: &str) {
        if self.lines.len() == TAIL_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

/// Passes on what Python code logged or wrote.
pub(crate) fn emit(source: Source, log: &Log, tail: &mut Tail) {
    let Source { worker, pid } = source;
    let origin = Origin::of(log);
    if let Some(stream) = log.stream {
        for line in log.message.lines() {
            emit_stream(source, stream, origin, line);
            if stream == LogStream::Stderr {
                tail.push(line);
            }
        }
        return;
    }
    let (logger, message) = (log.logger.as_str(), log.message.as_str());
    let Origin {
        call,
        request_id,
        trace_id,
        span_id,
    } = origin;
    match log.level {
        LogLevel::Trace => {
            tracing::trace!(target: "pyproc::worker", worker, pid, call, request_id, trace_id, span_id, logger, "{message}")
        }
        LogLevel::Debug => {
            tracing::debug!(target: "pyproc::worker", worker, pid, call, request_id, trace_id, span_id, logger, "{message}")
        }
        LogLevel::Info => {
            tracing::info!(target: "pyproc::worker", worker, pid, call, request_id, trace_id, span_id, logger, "{message}")
        }
        LogLevel::Warn => {
            tracing::warn!(target: "pyproc::worker", worker, pid, call, request_id, trace_id, span_id, logger, "{message}")
        }
        LogLevel::Error => {
            tracing::error!(target: "pyproc::worker", worker, pid, call, request_id, trace_id, span_id, logger, "{message}")
        }
    }
}

fn emit_stream(source: Source, stream: LogStream, origin: Origin<'_>, line: &str) {
    let Source { worker, pid } = source;
    let Origin {
        call,
        request_id,
        trace_id,
        span_id,
    } = origin;
    let stream = match stream {
        LogStream::Stdout => "stdout",
        LogStream::Stderr => "stderr",
    };
    tracing::info!(target: "pyproc::worker", worker, pid, call, request_id, trace_id, span_id, stream, "{line}");
}
