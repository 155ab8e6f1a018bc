//! What host and worker say to each other over the control socket: one MessagePack map per message,
//! fields by name, so that two versions can at least tell each other that they do not fit.
//!
//! Everything that arrives is bounded ([`MAX_MESSAGE`]) and checked; [`ToWorker::encode`] and
//! [`ToHost::encode`] shorten what would be too long instead of failing.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of everything that the two processes must agree on: messages, lane layout and records.
pub const PROTOCOL: u32 = 1;

/// The longest message in bytes.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// The environment variable that holds the number of the control socket's descriptor in the worker.
pub const CONTROL_FD_VARIABLE: &str = "PYPROC_CONTROL_FD";

/// The first message to a worker. Three descriptors travel with it: the lane's memory, the bell that
/// the worker waits at, and the bell that it rings.
///
/// A field that the sender did not know has its default: the receiver looks at `protocol` first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Welcome {
    /// The host's [`PROTOCOL`].
    pub protocol: u32,
    /// The host's package version, for the sentence about a mismatch.
    pub version: String,
    /// The size of the lane's memory.
    pub lane_bytes: u64,
    /// The worker's place in the pool, from 0.
    pub worker: u32,
    /// How many processes have had this place before, plus one. It is part of every call id.
    pub generation: u32,
    /// How many coroutine calls may run at the same time. The host sends no more than that.
    pub max_concurrency: u32,
    /// How long to spin before sleeping, in nanoseconds.
    pub spin_ns: u64,
    /// The longest body of a call or reply.
    pub max_body: u64,
}

/// Which way a segment carries bodies, and so who may write to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// Arguments: written by the host, mapped read-only by the worker.
    Request,
    /// Results: written by the worker, copied out by the host.
    Response,
}

/// What the host says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToWorker {
    /// The beginning; three descriptors.
    Welcome(Welcome),
    /// Nobody waits for this call any more.
    Cancel {
        /// The call's id.
        call: u64,
    },
    /// Memory for large bodies; one descriptor.
    SegmentGrant {
        /// The number by which records name it.
        number: u32,
        /// Its size, a power of two.
        bytes: u64,
        /// What it is for.
        direction: Direction,
        /// The [`ToHost::SegmentRequest`] that it answers; 0 for request segments.
        request: u32,
    },
    /// No memory: the pool's cap is reached or the system has none.
    SegmentDenied {
        /// The [`ToHost::SegmentRequest`] that it answers.
        request: u32,
        /// Why, in one sentence.
        reason: String,
    },
    /// The host has given up this segment; unmap and close it, then say [`ToHost::SegmentDropped`].
    SegmentDrop {
        /// Its number.
        number: u32,
        /// What it was for.
        direction: Direction,
        /// The last turn that the host has copied out of a response segment; a later one keeps it alive.
        turn: u32,
    },
    /// Finish what runs, take nothing new, exit.
    Shutdown,
}

/// What the worker says. Nothing in it is trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToHost {
    /// One exposed function; all of them are announced before [`ToHost::Ready`].
    Function(FunctionInfo),
    /// Calls are welcome.
    Ready(Ready),
    /// This worker can not work with this host.
    Rejected {
        /// The worker's [`PROTOCOL`].
        protocol: u32,
        /// The worker's package version.
        version: String,
        /// Why, in one sentence.
        reason: String,
    },
    /// The worker's own code failed before it was ready.
    StartFailed {
        /// The exception's type.
        r#type: String,
        /// The exception's message.
        message: String,
        /// The formatted traceback.
        traceback: String,
    },
    /// A line of Python's `logging`, or one that Python code wrote to stdout or stderr.
    Log(Log),
    /// Memory for a large result is needed.
    SegmentRequest {
        /// A number of the worker's choice, not 0, repeated in the answer.
        request: u32,
        /// How large at least.
        bytes: u64,
    },
    /// The worker has unmapped and closed a segment.
    SegmentDropped {
        /// Its number.
        number: u32,
        /// What it was for.
        direction: Direction,
    },
}

/// The worker's last word of the handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ready {
    /// The worker's [`PROTOCOL`].
    pub protocol: u32,
    /// The version of the `pyproc-worker` package.
    pub version: String,
    /// The interpreter's version, such as `3.12.4`.
    pub python: String,
    /// The worker's process id as it sees it.
    pub pid: u32,
}

/// An exposed function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FunctionInfo {
    /// What call records name it by.
    pub number: u16,
    /// What callers name it by.
    pub name: String,
    /// A coroutine function: several calls of it may run at the same time in one worker.
    pub is_async: bool,
    /// Its own limit, when it has one.
    pub timeout_ns: Option<u64>,
    /// As Python shows it, such as `(req: Features) -> Prediction`.
    pub signature: String,
    /// Its docstring.
    pub doc: Option<String>,
    /// How a body becomes arguments, in words.
    pub body_mapping: String,
    /// JSON schema of the body, as JSON.
    pub parameters: Option<String>,
    /// JSON schema of the result, as JSON.
    pub returns: Option<String>,
}

/// One line for the host's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// How important it is.
    pub level: LogLevel,
    /// The logger's name; empty for a stream.
    pub logger: String,
    /// The line.
    pub message: String,
    /// The call in which it was written, when it was written in one.
    pub call: Option<u64>,
    /// The stream that it was written to; none for `logging`.
    pub stream: Option<LogStream>,
    /// The id that the caller has given the call.
    #[serde(default)]
    pub request_id: Option<String>,
    /// The trace in which it was written, as 32 hexadecimal digits.
    #[serde(default)]
    pub trace_id: Option<String>,
    /// The span of that trace, as 16 hexadecimal digits.
    #[serde(default)]
    pub span_id: Option<String>,
}

/// How important a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LogLevel {
    /// Below `DEBUG`.
    Trace,
    /// `DEBUG`.
    Debug,
    /// `INFO`.
    Info,
    /// `WARNING`.
    Warn,
    /// `ERROR` and above.
    Error,
}

/// A standard stream of the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogStream {
    /// `sys.stdout`.
    Stdout,
    /// `sys.stderr`.
    Stderr,
}

/// A message that is not one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Longer than [`MAX_MESSAGE`].
    #[error("a control message of {0} bytes, the limit is {MAX_MESSAGE}")]
    TooLong(usize),
    /// Not MessagePack, or not a message of this protocol.
    #[error("a control message that is not of protocol {PROTOCOL}")]
    Malformed(#[source] rmp_serde::decode::Error),
    /// A message with something behind it.
    #[error("a control message followed by {0} bytes")]
    Trailing(usize),
}

impl ToWorker {
    /// Replaces what `out` holds by this message.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode(self, out);
        if out.len() > MAX_MESSAGE {
            let mut short = self.clone();
            match &mut short {
                Self::Welcome(Welcome { version: text, .. })
                | Self::SegmentDenied { reason: text, .. } => {
                    keep_start(text, TEXT);
                }
                Self::Cancel { .. }
                | Self::SegmentGrant { .. }
                | Self::SegmentDrop { .. }
                | Self::Shutdown => {}
            }
            encode(&short, out);
        }
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When it is not one; nothing of it counts then.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        decode(bytes)
    }
}

impl ToHost {
    /// Replaces what `out` holds by this message. A function's schemas, then its docstring, then the rest
    /// are given up where they do not fit; of a traceback the end is kept, of other texts the beginning.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode(self, out);
        if out.len() <= MAX_MESSAGE {
            return;
        }
        let mut short = self.clone();
        if let Self::Function(function) = &mut short {
            function.parameters = None;
            function.returns = None;
            encode(&short, out);
            if out.len() <= MAX_MESSAGE {
                return;
            }
        }
        short.shorten();
        encode(&short, out);
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When it is not one; nothing of it counts then.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        decode(bytes)
    }

    /// Cuts every text so that the message fits for certain.
    fn shorten(&mut self) {
        match self {
            Self::Function(function) => {
                function.doc = None;
                for text in [
                    &mut function.name,
                    &mut function.signature,
                    &mut function.body_mapping,
                ] {
                    keep_start(text, TEXT);
                }
            }
            Self::Ready(ready) => {
                keep_start(&mut ready.version, TEXT);
                keep_start(&mut ready.python, TEXT);
            }
            Self::Rejected {
                version, reason, ..
            } => {
                keep_start(version, TEXT);
                keep_start(reason, TEXT);
            }
            Self::StartFailed {
                r#type,
                message,
                traceback,
            } => {
                keep_start(r#type, TEXT);
                keep_start(message, TEXT);
                keep_end(traceback, 2 * TEXT);
            }
            Self::Log(log) => {
                keep_start(&mut log.logger, TEXT);
                keep_start(&mut log.message, 2 * TEXT);
                for id in [&mut log.request_id, &mut log.trace_id, &mut log.span_id] {
                    *id = id.take().filter(|id| id.len() <= MAX_ID);
                }
            }
            Self::SegmentRequest { .. } | Self::SegmentDropped { .. } => {}
        }
    }
}

/// What a text is cut to: four of them and everything else fit into [`MAX_MESSAGE`].
const TEXT: usize = 15 * 1024;

/// The longest id that goes with a line or a call, in bytes.
pub const MAX_ID: usize = 128;

/// What stands for the part that was cut.
const CUT: &str = "...";

fn keep_start(text: &mut String, limit: usize) {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit - CUT.len()));
        text.push_str(CUT);
    }
}

fn keep_end(text: &mut String, limit: usize) {
    if text.len() > limit {
        let start = text.ceil_char_boundary(text.len() - (limit - CUT.len()));
        text.replace_range(..start, CUT);
    }
}

fn encode(message: &impl Serialize, out: &mut Vec<u8>) {
    out.clear();
    let result = rmp_serde::encode::write_named(out, message);
    // Plain data with string keys, written to memory: there is nothing that could fail.
    debug_assert!(result.is_ok(), "{result:?}");
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, MessageError> {
    if bytes.len() > MAX_MESSAGE {
        return Err(MessageError::TooLong(bytes.len()));
    }
    let mut rest = bytes;
    let mut deserializer = rmp_serde::Deserializer::new(&mut rest);
    deserializer.set_max_depth(8);
    let message = T::deserialize(&mut deserializer).map_err(MessageError::Malformed)?;
    drop(deserializer);
    if rest.is_empty() {
        Ok(message)
    } else {
        Err(MessageError::Trailing(rest.len()))
    }
}

#[cfg(test)]
mod tests;
