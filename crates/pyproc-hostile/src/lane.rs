//! Lies through shared memory.

use std::io;
use std::thread;
use std::time::Duration;

use pyproc_ipc::message::{Direction, ToHost, ToWorker};
use pyproc_ipc::record::{ContentType, FLAG_SEGMENT, Header, Kind, SegmentRef};
use pyproc_ipc::worker::Incoming;

use crate::Worker;
use crate::raw::{
    REQUEST_HEAD, REQUEST_RELEASED, REQUEST_TAIL, RESPONSE_HEAD, RESPONSE_TAIL, SEGMENTS,
};

fn header(call: u64, length: usize) -> Header {
    Header {
        length: length as u32,
        kind: Kind::Result,
        flags: 0,
        function: 0,
        call,
        time: u64::MAX,
        content: ContentType::MsgPack,
        wanted: ContentType::None,
        extension: 0,
    }
}

/// Lies of a worker that does not take its calls the usual way.
pub(crate) fn before_serving(worker: &mut Worker) {
    let result = match worker.lie.as_str() {
        "not-reading" => worker.hang(),
        "state-nonsense" => scribble_states(worker),
        "answer-without-claim" => answer_without_claim(worker),
        _ => Ok(()),
    };
    if result.is_err() {
        std::process::exit(1);
    }
}

/// Waits for the call at `position` without claiming it: its header and where its state word is.
fn wait_for(worker: &Worker, position: u64) -> io::Result<([u64; 4], u64)> {
    while worker.raw.load(REQUEST_TAIL)? <= position {
        thread::sleep(Duration::from_millis(1));
        worker.heed();
    }
    worker.raw.request(position)
}

fn scribble_states(worker: &Worker) -> io::Result<()> {
    let (words, state) = wait_for(worker, 0)?;
    worker.raw.store(state, words[3] & !0xffff_ffff | 77)?;
    worker.hang()
}

/// Answers the call that it has never said it would run, then goes on honestly.
fn answer_without_claim(worker: &mut Worker) -> io::Result<()> {
    let (words, _) = wait_for(worker, 0)?;
    let body = worker.raw.request_body(words[0] as u32 as usize)?;
    worker.answer(words[1], &body)?;
    // Takes the record out of the ring; its answer is out already.
    let _ = worker.lane.poll();
    Ok(())
}

impl crate::raw::Raw {
    fn request_body(&self, length: usize) -> io::Result<Vec<u8>> {
        let mut body = vec![0; length];
        std::os::unix::fs::FileExt::read_exact_at(&self.memory, &mut body, 4096 + 32)?;
        Ok(body)
    }
}

/// What this worker does with a call instead of answering it; `false`: it answers.
pub(crate) fn lies(worker: &mut Worker, incoming: &Incoming) -> io::Result<bool> {
    let call = incoming.call();
    let good = header(call, 1);
    let nil: &[u8] = &[0xc0];
    let words = good.encode();
    let first = worker.calls == 1;
    let raw = &mut worker.raw;
    let lie = worker.lie.clone();
    match lie.as_str() {
        "tail-far" => raw.store(RESPONSE_TAIL, raw.ring + 64)?,
        "tail-max" => raw.store(RESPONSE_TAIL, !63)?,
        "tail-unaligned" => raw.store(RESPONSE_TAIL, 33)?,
        "tail-empty-records" => raw.store(RESPONSE_TAIL, raw.ring)?,
        "tail-backwards" if !first => {
            // Not before the host has read as far as the tail was.
            while worker.raw.load(RESPONSE_HEAD)? == 0 {
                thread::sleep(Duration::from_millis(1));
                worker.heed();
            }
            worker.raw.store(RESPONSE_TAIL, 0)?;
        }
        "tail-flickers" => flicker(worker)?,
        "head-far" | "head-unaligned" | "head-max" => {
            let head = match lie.as_str() {
                "head-far" => 1 << 40,
                "head-unaligned" => 33,
                _ => !63,
            };
            let body = worker.body(incoming);
            worker.answer(call, &body)?;
            // No more than what the lane does by itself overwrites it.
            worker.raw.store(REQUEST_HEAD, head)?;
            return Ok(true);
        }
        "indices-nonsense" => {
            for offset in (0..REQUEST_RELEASED).step_by(8) {
                raw.store(offset, 0xdead_beef_dead_beef)?;
            }
        }
        "host-head-moved" => raw.store(RESPONSE_HEAD, 1 << 30)?,
        "kind-unknown" => raw.put([words[0] | 9 << 32, words[1], words[2], words[3]], nil)?,
        "kind-call" => raw.put_header(
            &Header {
                kind: Kind::Call,
                ..good
            },
            nil,
        )?,
        "flags-unknown" => raw.put_header(
            &Header {
                flags: 0xfe,
                ..good
            },
            nil,
        )?,
        "content-unknown" => raw.put([words[0], words[1], words[2], words[3] | 77 << 32], nil)?,
        "length-max" => raw.put_header(
            &Header {
                length: u32::MAX,
                ..good
            },
            nil,
        )?,
        "length-beyond-tail" => raw.put_header(
            &Header {
                length: 1000,
                ..good
            },
            nil,
        )?,
        "length-beyond-ring" => raw.put_header(
            &Header {
                length: 1 << 21,
                ..good
            },
            nil,
        )?,
        "extension" => raw.put_header(
            &Header {
                length: 9,
                extension: 8,
                ..good
            },
            &[0xc0; 9],
        )?,
        "extension-beyond-length" => raw.put_header(
            &Header {
                extension: 8,
                ..good
            },
            nil,
        )?,
        "padding" => raw.put_header(
            &Header {
                kind: Kind::Padding,
                ..good
            },
            nil,
        )?,
        "padding-endless" => pad_for_ever(worker)?,
        "id-unknown" => raw.put_header(
            &Header {
                call: call ^ 0x3f8,
                ..good
            },
            nil,
        )?,
        "id-previous-generation" => raw.put_header(
            &Header {
                call: call.wrapping_sub(1 << 32),
                ..good
            },
            nil,
        )?,
        "id-next-version" => raw.put_header(
            &Header {
                call: call.wrapping_add(1 << 16),
                ..good
            },
            nil,
        )?,
        "id-max" => raw.put_header(
            &Header {
                call: u64::MAX,
                ..good
            },
            nil,
        )?,
        "twice" => {
            let body = worker.body(incoming);
            let header = header(call, body.len());
            worker.raw.put_header(&header, &body)?;
            worker.raw.put_header(&header, &body)?;
        }
        "error-nonsense" => raw.put_header(
            &Header {
                kind: Kind::Error,
                ..good
            },
            nil,
        )?,
        "segment-unknown" => refer(
            worker,
            call,
            SegmentRef {
                number: 5,
                turn: 1,
                bytes: 10,
            },
        )?,
        "segment-number-max" => refer(
            worker,
            call,
            SegmentRef {
                number: u32::MAX,
                turn: 1,
                bytes: 10,
            },
        )?,
        "segment-short-reference" => {
            raw.put_header(
                &Header {
                    flags: FLAG_SEGMENT,
                    length: 4,
                    ..good
                },
                &[0; 4],
            )?;
        }
        "segment-past-end" | "segment-bytes-max" => {
            let (number, size) = ask(worker, 64 * 1024)?;
            let bytes = if lie == "segment-past-end" {
                size + 1
            } else {
                u64::MAX
            };
            refer(
                worker,
                call,
                SegmentRef {
                    number,
                    turn: 1,
                    bytes,
                },
            )?;
        }
        "segment-reused" => {
            let (number, _) = ask(worker, 64 * 1024)?;
            refer(
                worker,
                call,
                SegmentRef {
                    number,
                    turn: 1,
                    bytes: 1,
                },
            )?;
            let Ok(Some(second)) = worker.lane.poll() else {
                worker.hang()
            };
            refer(
                worker,
                second.call(),
                SegmentRef {
                    number,
                    turn: 1,
                    bytes: 1,
                },
            )?;
        }
        "segment-huge-request" => {
            if first {
                worker.say(&ToHost::SegmentRequest {
                    request: 1,
                    bytes: 1 << 63,
                })?;
                while !matches!(worker.hear()?.0, ToWorker::SegmentDenied { request: 1, .. }) {}
            }
            return Ok(false);
        }
        "segment-many-requests" => {
            if first {
                for request in 1..1_000 {
                    worker.say(&ToHost::SegmentRequest {
                        request,
                        bytes: 100 << 20,
                    })?;
                }
            }
            return Ok(false);
        }
        "released-early" => {
            for number in 0..SEGMENTS / 2 {
                worker
                    .raw
                    .store(REQUEST_RELEASED + 8 * number, 1 | 1 << 32)?;
            }
            worker.answer(call, nil)?;
            return Ok(true);
        }
        "punched" if !first => {
            let flags =
                rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
            let length = worker.raw.memory.metadata()?.len();
            rustix::fs::fallocate(&worker.raw.memory, flags, 0, length)?;
        }
        "resized" => {
            let length = worker.raw.memory.metadata()?.len();
            let refused = [0, 4096, length - 1, length + 1, 1 << 40]
                .iter()
                .all(|&length| rustix::fs::ftruncate(&worker.raw.memory, length).is_err());
            let sealed =
                rustix::fs::fcntl_add_seals(&worker.raw.memory, rustix::fs::SealFlags::WRITE)
                    .is_err();
            // An answer that compares unequal fails the test.
            if !refused || !sealed {
                worker.answer(call, nil)?;
                return Ok(true);
            }
            return Ok(false);
        }
        "never-answering" => return Ok(true),
        _ => return Ok(false),
    }
    worker.ring();
    worker.hang()
}

/// Asks for a response segment: its number and size.
fn ask(worker: &Worker, bytes: u64) -> io::Result<(u32, u64)> {
    worker.say(&ToHost::SegmentRequest { request: 1, bytes })?;
    loop {
        if let (
            ToWorker::SegmentGrant {
                number,
                bytes,
                direction: Direction::Response,
                ..
            },
            _,
        ) = worker.hear()?
        {
            return Ok((number, bytes));
        }
    }
}

fn refer(worker: &mut Worker, call: u64, reference: SegmentRef) -> io::Result<()> {
    let header = Header {
        flags: FLAG_SEGMENT,
        ..header(call, SegmentRef::BYTES)
    };
    worker.raw.put_header(&header, &reference.encode())
}

/// Pretends without end that there is something to read.
fn flicker(worker: &Worker) -> io::Result<()> {
    for round in 0.. {
        worker.raw.store(RESPONSE_TAIL, 64)?;
        worker.raw.store(RESPONSE_TAIL, 0)?;
        if round % 64 == 0 {
            worker.ring();
            worker.heed();
        }
    }
    Ok(())
}

/// Publishes padding as fast as it can, a ring at a time.
fn pad_for_ever(worker: &mut Worker) -> io::Result<()> {
    let ring = worker.raw.ring;
    let padding = Header {
        kind: Kind::Padding,
        length: ring as u32 - 32,
        ..header(0, 0)
    };
    worker.raw.put_header(&padding, &[])?;
    let mut tail = 0;
    loop {
        tail += ring;
        worker.raw.store(RESPONSE_TAIL, tail)?;
        if tail % (ring * 1024) == 0 {
            worker.ring();
            worker.heed();
        }
    }
}
