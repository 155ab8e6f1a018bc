//! Bodies of any size: what is too large for the ring travels in shared memory.

use std::time::Duration;

use pyproc::{Body, CallError, ContentType, Part, Pool};

use crate::support::{eventually, failure, maps_of, next_call_works, pid, scenario, start, worker};

const MIB: usize = 1 << 20;

/// The name of segments in /proc/PID/maps.
const SEGMENT: &str = "memfd:pyproc-segment";

const WORKER: &str = r#"
    import hashlib

    @expose
    def size(data: memoryview):
        assert data.readonly
        return len(data)

    @expose
    def digest(data: memoryview):
        return hashlib.blake2b(data, digest_size=8).hexdigest()

    @expose
    def make(size):
        return bytes(range(256)) * (size // 256)

    @expose
    def echo_raw(data: memoryview):
        return data

    written = bytearray()
    done = threading.Event()

    def write():
        while not done.is_set():
            written[:] = bytes([(written[0] + 1) % 256]) * len(written)

    @expose
    def changing(size):
        if not written:
            written.extend(bytes(size))
            threading.Thread(target=write, daemon=True).start()
        return written

    @expose
    def stop_writing():
        done.set()

    kept = []

    @expose
    def keep(data: memoryview):
        kept.append(data)

    @expose
    def kept_bytes():
        return [bytes(data[:4]) for data in kept]

    @expose
    def let_go():
        kept.clear()
"#;

/// Bytes of which no two neighbouring pages are alike.
fn pattern(size: usize) -> Vec<u8> {
    (0..size)
        .map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8)
        .collect()
}

/// Sends `size` bytes and gets them back.
async fn there_and_back(pool: &Pool, size: usize) {
    let bytes = pattern(size);
    let mut body = pool.allocate(size).expect("memory");
    body.copy_from_slice(&bytes);
    let reply = pool
        .request("echo_raw")
        .body(body.into_body(ContentType::Raw))
        .send()
        .await
        .expect("echo_raw");
    assert_eq!(reply.content_type(), ContentType::Raw);
    assert!(*reply.bytes() == bytes, "{size} bytes come back changed");
}

#[test]
fn every_size_around_every_boundary() {
    scenario(async || {
        let pool = start(worker(WORKER)).await;
        let boundaries = [8, 4096, 32 * 1024, 64 * 1024, 128 * 1024, MIB];
        let around = boundaries
            .into_iter()
            .flat_map(|size| [size - 1, size, size + 1]);
        for size in [0, 1].into_iter().chain(around) {
            let bytes = pattern(size);
            let reply = pool
                .request("echo_raw")
                .body(Body::raw(bytes.clone()))
                .send()
                .await
                .expect("echo_raw");
            assert!(*reply.bytes() == bytes, "{size} bytes come back changed");
            // MessagePack's own head comes on top.
            let text = "x".repeat(size);
            assert_eq!(pool.call::<_, String>("echo", &text).await, Ok(text));
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn what_another_thread_writes_to_is_answered_as_it_was_at_one_time() {
    scenario(async || {
        for size in [1000, 32 * 1024, MIB] {
            let pool = start(worker(WORKER)).await;
            for _ in 0..50 {
                let request = pool.request("changing").accept(ContentType::Raw);
                let reply = request.body(Body::json(size.to_string())).send().await;
                let reply = reply.expect("changing");
                let bytes = reply.bytes();
                assert_eq!(bytes.len(), size);
                assert!(bytes.iter().all(|byte| *byte == bytes[0]), "torn");
            }
            let _: () = pool.call("stop_writing", &()).await.expect("stop_writing");
            pool.shutdown().await.expect("shutdown");
        }
    });
}

#[test]
fn a_body_of_zero_bytes_is_a_body() {
    scenario(async || {
        let pool = start(worker(WORKER)).await;
        let size: usize = pool
            .request("size")
            .body(Body::raw(""))
            .send()
            .await
            .unwrap()
            .decode()
            .unwrap();
        assert_eq!(size, 0);
        let body = pool.allocate(0).unwrap().into_body(ContentType::Raw);
        let reply = pool.request("echo_raw").body(body).send().await.unwrap();
        assert_eq!(
            (reply.content_type(), reply.bytes().len()),
            (ContentType::Raw, 0)
        );
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_mebibyte_and_64_both_ways() {
    scenario(async || {
        let pool = start(worker(WORKER)).await;
        for _ in 0..20 {
            there_and_back(&pool, MIB).await;
        }
        for _ in 0..2 {
            there_and_back(&pool, 64 * MIB).await;
        }
        let made = pool
            .request("make")
            .body(Body::json((64 * MIB).to_string()))
            .send()
            .await
            .expect("make");
        assert_eq!(made.bytes().len(), 64 * MIB);
        assert!(made.bytes().chunks(256).all(|chunk| chunk[255] == 255));
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_gibibyte_both_ways() {
    scenario(async || {
        let pool = start(worker(WORKER)).await;
        there_and_back(&pool, 1024 * MIB).await;
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn several_large_calls_at_once_keep_their_bytes_apart() {
    scenario(async || {
        let pool = start(worker(WORKER).workers(2)).await;
        let calls: Vec<_> = (0..16_u8)
            .map(|caller| {
                let pool = pool.clone();
                tokio::spawn(async move {
                    for round in 0..10_usize {
                        let bytes = vec![caller; 40_000 + 100_000 * (round % 4)];
                        let reply = pool
                            .request("echo_raw")
                            .body(Body::raw(bytes.clone()))
                            .send()
                            .await
                            .expect("echo");
                        assert!(*reply.bytes() == bytes);
                    }
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn memory_that_python_keeps_is_not_written_again() {
    scenario(async || {
        let pool = start(worker(WORKER)).await;
        for value in 0..4_u8 {
            let _: () = pool
                .request("keep")
                .body(Body::raw(vec![value; MIB]))
                .send()
                .await
                .unwrap()
                .decode()
                .unwrap();
        }
        for value in 4..8_u8 {
            let sent = pool
                .request("size")
                .body(Body::raw(vec![value; MIB]))
                .send()
                .await
                .unwrap();
            assert_eq!(sent.decode(), Ok(MIB));
        }
        let reply = pool
            .request("kept_bytes")
            .accept(ContentType::Json)
            .send()
            .await;
        // bytes are base64 in JSON.
        let kept: Vec<String> = reply.unwrap().decode().unwrap();
        assert_eq!(kept, ["AAAAAA==", "AQEBAQ==", "AgICAg==", "AwMDAw=="]);
        // Bytes alone are sent as they are to who takes them so; what contains them is JSON all the same.
        let request = pool.request("kept_bytes").accept(ContentType::Json);
        let reply = request.raw_bytes().send().await.unwrap();
        assert_eq!(reply.content_type(), ContentType::Json);
        let request = pool.request("echo").accept(ContentType::Json);
        let request = request.body(Body::raw("\0\u{7f}")).raw_bytes();
        let reply = request.send().await.unwrap();
        assert_eq!(reply.content_type(), ContentType::Raw);
        assert_eq!(reply.bytes(), &b"\0\x7f"[..]);
        let _: () = pool.call("let_go", &()).await.unwrap();
        there_and_back(&pool, MIB).await;
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn idle_memory_is_given_back_on_both_sides() {
    scenario(async || {
        let pool = start(worker(WORKER).segment_idle(Duration::from_millis(50))).await;
        let worker = pid(&pool).await;
        for _ in 0..3 {
            there_and_back(&pool, MIB).await;
            there_and_back(&pool, 8 * MIB).await;
            let gone =
                async || maps_of(worker, SEGMENT) == 0 && maps_of(std::process::id(), SEGMENT) == 0;
            eventually("memory given back", gone).await;
        }
        assert_eq!(pid(&pool).await, worker);
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn memory_allocated_and_not_used_is_given_back() {
    scenario(async || {
        let pool = start(worker(WORKER).segment_idle(Duration::from_millis(50))).await;
        let mut body = pool.allocate(MIB).unwrap();
        body[0] = 1;
        assert_eq!(body.len(), MIB);
        assert_eq!(maps_of(std::process::id(), SEGMENT), 1);
        drop(body);
        eventually("memory given back", async || {
            maps_of(std::process::id(), SEGMENT) == 0
        })
        .await;
        // A call that was never made, and one to a function that is not there.
        let body = pool.allocate(MIB).unwrap().into_body(ContentType::Raw);
        drop(pool.request("size").body(body).send());
        let body = pool.allocate(MIB).unwrap().into_body(ContentType::Raw);
        failure(pool.request("sise").body(body).send()).await;
        eventually("memory given back", async || {
            maps_of(std::process::id(), SEGMENT) == 0
        })
        .await;
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn memory_of_another_pool_is_as_good_as_any() {
    scenario(async || {
        let (one, other) = (start(worker("")).await, start(worker("")).await);
        // Both have a segment of this size, under the same number.
        let text = "x".repeat(100_000);
        for pool in [&one, &other] {
            assert_eq!(
                pool.call::<_, String>("echo", &text).await.as_ref(),
                Ok(&text)
            );
        }
        for _ in 0..3 {
            let mut body = one.allocate(text.len()).expect("memory");
            body.fill(b' ');
            body[..2].copy_from_slice(b"17");
            let body = body.into_body(ContentType::Json);
            let reply = other.request("echo").body(body).send().await;
            assert_eq!(reply.expect("echo").decode(), Ok(17));
        }
        for pool in [&one, &other] {
            assert_eq!(
                pool.call::<_, String>("echo", &text).await.as_ref(),
                Ok(&text)
            );
            pool.shutdown().await.expect("shutdown");
        }
    });
}

#[test]
fn what_is_beyond_max_body_is_refused_before_the_worker_sees_it() {
    scenario(async || {
        let pool = start(worker(WORKER).max_body(MIB as u64)).await;
        let worker = pid(&pool).await;
        let error = failure(
            pool.request("size")
                .body(Body::raw(vec![0; MIB + 1]))
                .send(),
        )
        .await;
        let (size, limit) = (MIB as u64 + 1, MIB as u64);
        assert_eq!(
            error,
            CallError::TooLarge {
                part: Part::Arguments,
                size,
                limit
            }
        );
        assert!(!error.may_have_run());
        assert_eq!(pool.allocate(MIB + 1).map(|_| ()), Err(error.clone()));
        assert_eq!(
            error.to_string(),
            "the body of the call is too large: 1048577B where `max_body` allows 1MiB; send less or raise `max_body`"
        );
        assert_eq!(maps_of(worker, SEGMENT), 0);

        let error = failure(pool.call::<_, ()>("make", &(2 * MIB))).await;
        assert_eq!(
            error,
            CallError::TooLarge {
                part: Part::Result,
                size: 2 * limit,
                limit
            }
        );
        assert!(error.may_have_run());
        there_and_back(&pool, MIB).await;
        assert_eq!(pid(&pool).await, worker);
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn the_pools_shared_memory_is_bounded() {
    scenario(async || {
        let pool = start(
            worker(WORKER)
                .max_body(4 * MIB as u64)
                .segment_memory(8 * MIB as u64),
        )
        .await;
        let held = [
            pool.allocate(4 * MIB).unwrap(),
            pool.allocate(4 * MIB).unwrap(),
        ];
        let error = pool
            .allocate(1)
            .map(|_| ())
            .expect_err("all of it is taken");
        assert!(
            matches!(error, CallError::Overloaded { .. }) && !error.may_have_run(),
            "{error:?}"
        );
        next_call_works(&pool).await;
        drop(held);
        there_and_back(&pool, 4 * MIB).await;
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_worker_that_dies_with_large_bodies_leaves_no_memory() {
    scenario(async || {
        let pool = start(worker(
            r#"
            @expose
            def die(data: memoryview):
                os._exit(len(data) % 251)
            "#,
        ))
        .await;
        for _ in 0..3 {
            let error = failure(pool.request("die").body(Body::raw(vec![1; 2 * MIB])).send()).await;
            assert!(
                matches!(error, CallError::WorkerDied { .. }) && error.may_have_run(),
                "{error:?}"
            );
            eventually("memory given back", async || {
                maps_of(std::process::id(), SEGMENT) == 0
            })
            .await;
        }
        // Given to another worker, the body goes along.
        let request = pool
            .request("die")
            .idempotent()
            .body(Body::raw(vec![1; 2 * MIB]));
        let error = failure(request.send()).await;
        assert!(matches!(error, CallError::WorkerDied { .. }), "{error:?}");
        next_call_works(&pool).await;
        pool.shutdown().await.expect("shutdown");
    });
}
