//! From a result or an exception to a record in the response ring.

use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyproc_ipc::lane::INLINE_MAX;
use pyproc_ipc::message::ToHost;
use pyproc_ipc::record::{ContentType, Kind};
use pyproc_ipc::ring::Violation;
use pyproc_ipc::worker::{Response, Wanted};
use serde::Serialize;

use crate::object::{Buffer, Object, WithoutGil, call1};
use crate::table::Codec;
use crate::worker::Worker;

/// How long the host may take to grant memory for a large result.
const GRANT: Duration = Duration::from_secs(30);

/// The part of a call that failed, by the name that `describe_error` knows.
#[derive(Clone, Copy)]
pub(crate) enum Phase {
    Decode,
    Call,
    Encode,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Call => "call",
            Self::Encode => "encode",
        }
    }
}

/// What has become of a call.
pub(crate) enum Outcome {
    /// A `bytes` object, or with [`ContentType::Raw`] anything that has bytes.
    Done(Object, ContentType),
    /// An exception.
    Failed(PyErr, Phase),
}

/// A body that does not fit in the ring.
#[derive(Clone, Copy)]
enum Large<'a> {
    /// Read without the GIL.
    Fixed(&'a [u8]),
    /// Read with the GIL, since Python code of other threads may write to it.
    Changing(&'a Buffer),
}

/// Error bodies that need no Python.
#[derive(Serialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub(crate) enum Failure<'a> {
    NoSuchFunction {},
    TooLarge {
        size: u64,
        limit: u64,
    },
    BadResult {
        message: &'a str,
    },
    Python {
        r#type: &'a str,
        message: &'a str,
        traceback: &'a str,
    },
}

impl Failure<'_> {
    fn encode(&self) -> Vec<u8> {
        rmp_serde::to_vec_named(self).unwrap_or_default()
    }
}

impl Codec {
    /// Encodes a result in the way that the caller wants it.
    #[inline]
    pub(crate) fn encode(&self, py: Python<'_>, result: &Object, wanted: Wanted) -> Outcome {
        let (encoder, content) = match wanted.content {
            _ if wanted.raw_bytes && result.is_bytes_like() => (&self.encode_raw, ContentType::Raw),
            ContentType::Json => (&self.encode_json, ContentType::Json),
            ContentType::Raw => (&self.encode_raw, ContentType::Raw),
            _ => (&self.encode_msgpack, ContentType::MsgPack),
        };
        match call1(py, encoder, result) {
            Some(body) => Outcome::Done(body, content),
            None => Outcome::Failed(PyErr::fetch(py), Phase::Encode),
        }
    }
}

impl Worker {
    /// Answers a call.
    #[inline]
    pub(crate) fn answer(
        &mut self,
        py: Python<'_>,
        call: u64,
        run_ns: u64,
        outcome: &Outcome,
    ) -> PyResult<()> {
        let (kind, content) = match outcome {
            Outcome::Done(_, content) => (Kind::Result, *content),
            Outcome::Failed(..) => (Kind::Error, ContentType::MsgPack),
        };
        let response = Response {
            kind,
            call,
            content,
            run_ns,
        };
        match outcome {
            Outcome::Done(body, _) => match body.as_bytes() {
                Some(bytes) => self.send(py, &response, bytes),
                None => match Buffer::of(py, body) {
                    Ok(buffer) => self.send_buffer(py, &response, &buffer),
                    Err(error) => self.answer_error(py, &response, &error, Phase::Encode),
                },
            },
            Outcome::Failed(error, phase) => self.answer_error(py, &response, error, *phase),
        }
    }

    #[cold]
    fn answer_error(
        &mut self,
        py: Python<'_>,
        response: &Response,
        error: &PyErr,
        phase: Phase,
    ) -> PyResult<()> {
        // Unlike `value`, it has its traceback.
        let value = error.clone_ref(py).into_value(py);
        let described = self
            .codec
            .describe_error
            .call1(py, (value, phase.name()))
            .and_then(|body| body.extract::<Vec<u8>>(py));
        let body = described.unwrap_or_else(|_| {
            // A signal handler of the worker's own code raised meanwhile.
            let kind = error.get_type(py).to_string();
            Failure::Python {
                r#type: &kind,
                message: "",
                traceback: "",
            }
            .encode()
        });
        self.send(
            py,
            &Response {
                kind: Kind::Error,
                content: ContentType::MsgPack,
                ..*response
            },
            &body,
        )
    }

    /// Answers a call that has failed before Python was asked.
    #[cold]
    pub(crate) fn answer_failure(
        &mut self,
        py: Python<'_>,
        call: u64,
        failure: &Failure<'_>,
    ) -> PyResult<()> {
        let response = Response {
            kind: Kind::Error,
            call,
            content: ContentType::MsgPack,
            run_ns: 0,
        };
        self.send(py, &response, &failure.encode())
    }

    /// Answers a call whose deadline has passed.
    #[cold]
    pub(crate) fn answer_expired(&mut self, py: Python<'_>, call: u64) -> PyResult<()> {
        let response = Response {
            kind: Kind::Expired,
            call,
            content: ContentType::None,
            run_ns: 0,
        };
        self.send(py, &response, &[])
    }

    #[inline]
    fn send(&mut self, py: Python<'_>, response: &Response, body: &[u8]) -> PyResult<()> {
        if body.len() > INLINE_MAX {
            return self.send_large(py, response, Large::Fixed(body));
        }
        if self.lane.respond(response, body).map_err(violation)? {
            return Ok(());
        }
        self.send_waiting(py, |worker| worker.lane.respond(response, body))
    }

    /// Answers with what other threads may change as soon as they have the GIL.
    fn send_buffer(
        &mut self,
        py: Python<'_>,
        response: &Response,
        buffer: &Buffer,
    ) -> PyResult<()> {
        let body = buffer.bytes(py);
        if body.len() > INLINE_MAX {
            return self.send_large(py, response, Large::Changing(buffer));
        }
        if self.lane.respond(response, body).map_err(violation)? {
            return Ok(());
        }
        // The wait for room gives the GIL away.
        let copy = body.to_vec();
        self.send(py, response, &copy)
    }

    /// The ring is full: the host has to read first.
    #[cold]
    fn send_waiting(
        &mut self,
        py: Python<'_>,
        mut write: impl FnMut(&mut Self) -> Result<bool, Violation>,
    ) -> PyResult<()> {
        let mut attempt = 0;
        while !write(self).map_err(violation)? {
            let _released = WithoutGil::new(py);
            self.lane.wait_for_room(attempt);
            attempt += 1;
        }
        Ok(())
    }

    /// One copy, straight into memory that the host reads from.
    #[cold]
    fn send_large(&mut self, py: Python<'_>, response: &Response, body: Large<'_>) -> PyResult<()> {
        let bytes = match body {
            Large::Fixed(body) => body.len(),
            Large::Changing(buffer) => buffer.bytes(py).len(),
        };
        let (size, limit) = (bytes as u64, self.connection.welcome.max_body);
        if size > limit {
            return self.answer_failure(py, response.call, &Failure::TooLarge { size, limit });
        }
        let mut released = Some(WithoutGil::new(py));
        self.lane.begin_large();
        let ask = |request| {
            // When the host is gone, so is this process, soon.
            let _ = self.connection.attendant.send(&ToHost::SegmentRequest {
                request,
                bytes: size,
            });
        };
        let granted = self
            .connection
            .segments
            .response_or_ask(&self.lane, bytes, GRANT, ask);
        let body = match body {
            Large::Fixed(body) => body,
            Large::Changing(buffer) => {
                released = None;
                buffer.bytes(py)
            }
        };
        let filled = granted.map(|segment| segment.fill(body));
        drop(released);
        match filled {
            Ok(Some(reference)) => self.send_waiting(py, |worker| {
                worker.lane.respond_segment(response, reference)
            }),
            Ok(None) => self.answer_failure(py, response.call, &Failure::TooLarge { size, limit }),
            Err(error) => {
                let message = error.to_string();
                self.answer_failure(py, response.call, &Failure::BadResult { message: &message })
            }
        }
    }
}

/// The lane holds what no host writes: this worker cannot go on.
#[cold]
pub(crate) fn violation(violation: Violation) -> PyErr {
    PyRuntimeError::new_err(format!("the lane is broken: {violation}"))
}
