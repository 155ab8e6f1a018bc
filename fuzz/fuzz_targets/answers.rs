//! The host's end of a lane whose shared bytes a worker writes as it likes, at any moment: between any
//! two steps of the host the fuzzer changes positions, headers, state words or any other bytes.
#![no_main]

use std::fs::File;
use std::os::unix::fs::FileExt;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use pyproc_ipc::lane::{AnswerBody, HostLane, Outgoing, RING_MIN};
use pyproc_ipc::record::{ContentType, SegmentRef};

/// One step of the host, or one lie of the worker.
#[derive(Arbitrary, Debug)]
enum Step {
    Push {
        call: u64,
        bytes: u16,
        extension: u8,
    },
    PushSegment {
        call: u64,
        number: u32,
        turn: u32,
        bytes: u64,
    },
    Publish,
    Revoke(u8),
    Pop {
        known: bool,
    },
    Release,
    Arm,
    Disarm,
    Watch,
    Segment {
        number: u32,
        turn: u32,
    },
    /// Any word of the header page.
    Word {
        index: u8,
        value: u64,
    },
    /// A likely position, as tail of the answers or head of the calls.
    Position {
        head: bool,
        records: i16,
        off: u8,
    },
    /// A record of the worker: header words, anywhere in its ring.
    Answer {
        slot: u8,
        words: [u64; 4],
    },
    /// A likely record: its length, kind and flags.
    Likely {
        slot: u8,
        length: u16,
        kind: u8,
        flags: u8,
        call: u64,
    },
    /// A state word of a call.
    State {
        slot: u8,
        value: u32,
    },
    Bytes {
        offset: u32,
        bytes: Vec<u8>,
    },
}

const HEADER: u64 = 4096;
const RESPONSE_TAIL: u64 = 384;
const REQUEST_HEAD: u64 = 128;

fuzz_target!(|steps: Vec<Step>| {
    let (mut lane, _bells) = HostLane::create(RING_MIN).expect("a lane");
    let memory = File::from(
        lane.memory()
            .fd()
            .try_clone_to_owned()
            .expect("its descriptor"),
    );
    let ring = lane.ring_bytes() as u64;
    let size = lane.memory().bytes() as u64;
    let write = |bytes: &[u8], offset: u64| {
        let room = size.saturating_sub(offset).min(bytes.len() as u64) as usize;
        memory
            .write_all_at(&bytes[..room], offset)
            .expect("written");
    };
    let mut positions = Vec::new();
    let mut body = Vec::new();
    let mut broken = false;
    for step in steps {
        match step {
            Step::Push {
                call,
                bytes,
                extension,
            } => {
                let extension = vec![1; usize::from(extension)];
                match lane.push(
                    &outgoing(call),
                    &extension,
                    &vec![2; usize::from(bytes) % 32_768],
                ) {
                    Ok(Some(position)) => positions.push(position),
                    Ok(None) => {}
                    Err(_) => broken = true,
                }
            }
            Step::PushSegment {
                call,
                number,
                turn,
                bytes,
            } => {
                match lane.push_segment(
                    &outgoing(call),
                    &[],
                    SegmentRef {
                        number,
                        turn,
                        bytes,
                    },
                ) {
                    Ok(Some(position)) => positions.push(position),
                    Ok(None) => {}
                    Err(_) => broken = true,
                }
            }
            Step::Publish => {
                let _ = lane.publish();
            }
            Step::Revoke(which) => {
                if !positions.is_empty() {
                    // The host takes a call back once.
                    let position = positions.swap_remove(usize::from(which) % positions.len());
                    broken |= lane.revoke(position).is_err();
                }
            }
            Step::Pop { known } => match lane.pop(|_| known.then_some(&mut body)) {
                Ok(Some(answer)) => match answer.body {
                    AnswerBody::Inline => assert!(body.len() as u64 <= ring),
                    AnswerBody::Segment(_) => assert_eq!(body.len(), SegmentRef::BYTES),
                },
                Ok(None) => {}
                Err(_) => broken = true,
            },
            Step::Release => lane.release(),
            Step::Arm => {
                let _ = lane.arm();
            }
            Step::Disarm => lane.disarm(),
            Step::Watch => {
                let _ = (lane.watch().ready(), lane.ready());
            }
            Step::Segment { number, turn } => {
                let segment = SegmentRef {
                    number,
                    turn,
                    bytes: 1,
                };
                let _ = lane.request_segment_free(segment);
                lane.free_response_segment(segment);
            }
            Step::Word { index, value } => write(&value.to_le_bytes(), u64::from(index) * 64),
            Step::Position { head, records, off } => {
                let offset = if head { REQUEST_HEAD } else { RESPONSE_TAIL };
                let position = (i64::from(records) * 64 + i64::from(off & 1)) as u64;
                write(&position.to_le_bytes(), offset);
            }
            Step::Answer { slot, words } => {
                for (index, word) in words.iter().enumerate() {
                    write(
                        &word.to_le_bytes(),
                        HEADER + ring + u64::from(slot) * 64 + 8 * index as u64,
                    );
                }
            }
            Step::Likely {
                slot,
                length,
                kind,
                flags,
                call,
            } => {
                let at = HEADER + ring + u64::from(slot) * 64;
                let first =
                    u64::from(length) | u64::from(kind % 6) << 32 | u64::from(flags % 3) << 40;
                for (index, word) in [first, call, 0, 0].into_iter().enumerate() {
                    write(&word.to_le_bytes(), at + 8 * index as u64);
                }
            }
            Step::State { slot, value } => {
                write(&value.to_le_bytes(), HEADER + u64::from(slot) * 64 + 24)
            }
            Step::Bytes { offset, bytes } => write(&bytes, u64::from(offset) % size),
        }
        if broken {
            // The host stops listening and kills the worker.
            break;
        }
    }
});

fn outgoing(call: u64) -> Outgoing {
    Outgoing {
        call,
        function: 1,
        deadline: 2,
        content: ContentType::MsgPack,
        wanted: ContentType::Json,
        raw_bytes: false,
    }
}
