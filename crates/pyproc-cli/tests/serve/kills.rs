//! Workers that are killed under load.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::common::PATIENCE;
use crate::common::server::{agent, serve};

/// How many kills have to hit a call.
const KILLS: usize = 20;

#[test]
fn a_kill_fails_the_calls_that_ran_and_no_other() {
    let server = serve(&["--workers", "2"]);
    let over = AtomicBool::new(false);
    let count = AtomicU32::new(0);
    let died = Mutex::new(HashSet::new());
    let watchdog = Instant::now() + 2 * PATIENCE;
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut connection = agent();
                while !over.load(Relaxed) {
                    let value = count.fetch_add(1, Relaxed);
                    let body = format!(r#"{{"seconds": 0.00{}, "value": {value}}}"#, value % 5);
                    let answer = connection
                        .post(format!("{}/v1/call/pause", server.base))
                        .content_type("application/json")
                        .send(&body)
                        .map(crate::common::server::Answer::of)
                        .expect("an answer to every request");
                    match answer.status {
                        200 => assert_eq!(answer.json(), json!(value)),
                        502 => {
                            let document = answer.json();
                            assert_eq!(document["code"], "worker_died", "{document}");
                            assert_eq!(document["may_have_run"], true, "{document}");
                            let detail =
                                document["detail"].as_str().expect("a sentence").to_owned();
                            assert!(detail.ends_with("while it ran this call"), "{detail}");
                            died.lock().expect("nobody panicked").insert(detail);
                        }
                        other => panic!("{other}: {answer:?}"),
                    }
                    connection = if value.is_multiple_of(100) {
                        agent()
                    } else {
                        connection
                    };
                }
            });
        }
        scope.spawn(|| {
            while died.lock().expect("nobody panicked").len() < KILLS && Instant::now() < watchdog {
                let answer = server.call("pid", "");
                if let Some(pid) = answer.json().as_i64() {
                    let pid = Pid::from_raw(pid as i32).expect("a process");
                    // It may be gone already.
                    let _ = kill_process(pid, Signal::KILL);
                }
            }
            over.store(true, Relaxed);
        });
    });
    assert!(
        died.lock().expect("nobody panicked").len() >= KILLS,
        "too few kills hit a call"
    );
    assert_eq!(server.call("echo", "1").result(), 1);
    server.stop();
}
