//! Lies before and during the handshake.

use std::io;

use pyproc_ipc::message::{FunctionInfo, PROTOCOL, ToHost};

use crate::{Worker, ready};

/// The handshake; lies return only when the pool should have come up all the same.
pub(crate) fn shake(worker: &mut Worker) -> io::Result<()> {
    let text = |bytes: usize| "x".repeat(bytes);
    match worker.lie.clone().as_str() {
        "handshake-garbage" => worker.say_bytes(&[0xc1; 100])?,
        "handshake-other-message" => worker.say_bytes(b"\x81\xa5Hello\xc0")?,
        "handshake-deep" => worker.say_bytes(&[0x91; 60_000])?,
        "handshake-huge-length" => worker.say_bytes(b"\x81\xa8Function\xdb\xff\xff\xff\xff")?,
        "handshake-oversize" => worker.say_bytes(&vec![0xc0; 100_000])?,
        "handshake-version" => worker.say(&ready(PROTOCOL + 98, "9.8.7"))?,
        "handshake-rejected" => worker.say(&ToHost::Rejected {
            protocol: PROTOCOL + 98,
            version: "9.8.7".to_owned(),
            reason: "no".to_owned(),
        })?,
        "handshake-failed" => worker.say(&ToHost::StartFailed {
            r#type: "ValueError".to_owned(),
            message: "no".to_owned(),
            traceback: String::new(),
        })?,
        "handshake-silent" => {}
        "handshake-segment" => worker.say(&ToHost::SegmentRequest {
            request: 1,
            bytes: 1 << 63,
        })?,
        "handshake-close" => worker.control = None,
        "handshake-bell-close" => worker.ringer = None,
        "handshake-functions" => {
            for number in 0..100_000 {
                let info = FunctionInfo {
                    number: number as u16,
                    name: format!("f{number}"),
                    ..FunctionInfo::default()
                };
                worker.say(&ToHost::Function(info))?;
            }
        }
        "handshake-long-functions" => {
            for number in 0..100_000 {
                let name = format!("{number}{}", text(60_000));
                worker.say(&ToHost::Function(FunctionInfo {
                    name,
                    ..FunctionInfo::default()
                }))?;
            }
        }
        "handshake-duplicates" => {
            for number in 0..10_000 {
                let info = FunctionInfo {
                    number,
                    name: "echo".to_owned(),
                    is_async: true,
                    ..FunctionInfo::default()
                };
                worker.say(&ToHost::Function(info))?;
            }
            return worker.ready();
        }
        "handshake-huge-strings" => {
            let info = FunctionInfo {
                name: text(15_000),
                doc: Some(text(15_000)),
                signature: text(15_000),
                ..FunctionInfo::default()
            };
            worker.say(&ToHost::Function(info))?;
            return worker.ready();
        }
        "handshake-answers" => {
            worker.answer(0, b"\xc0")?;
            return worker.ready();
        }
        "handshake-rings" => {
            for _ in 0..100_000 {
                worker.ring();
            }
            return worker.ready();
        }
        _ => return worker.ready(),
    }
    worker.hang()
}
