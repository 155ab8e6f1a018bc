use super::*;
use proptest::prelude::*;

fn to_worker() -> Vec<ToWorker> {
    let welcome = Welcome {
        protocol: PROTOCOL,
        version: "0.1.0".into(),
        lane_bytes: 1 << 21,
        worker: 3,
        generation: 9,
        max_concurrency: 64,
        spin_ns: 50_000,
        max_body: 1 << 30,
    };
    vec![
        ToWorker::Welcome(welcome),
        ToWorker::Cancel { call: u64::MAX },
        ToWorker::SegmentGrant {
            number: 1,
            bytes: 1 << 20,
            direction: Direction::Response,
            request: 5,
        },
        ToWorker::SegmentDenied {
            request: 5,
            reason: "the pool's cap of 8 GiB is reached".into(),
        },
        ToWorker::SegmentDrop {
            number: 1,
            direction: Direction::Request,
            turn: 3,
        },
        ToWorker::Shutdown,
    ]
}

fn function() -> FunctionInfo {
    FunctionInfo {
        number: 7,
        name: "predict".into(),
        is_async: true,
        timeout_ns: Some(600_000_000_000),
        signature: "(req: Features) -> Prediction".into(),
        doc: Some("Predicts.".into()),
        body_mapping: "the whole body is req".into(),
        parameters: Some("{}".into()),
        returns: None,
    }
}

fn to_host() -> Vec<ToHost> {
    let log = Log {
        level: LogLevel::Warn,
        logger: "app.db".into(),
        message: "slow".into(),
        call: Some(1),
        stream: Some(LogStream::Stderr),
        request_id: Some("r-1".into()),
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
        span_id: None,
    };
    vec![
        ToHost::Function(function()),
        ToHost::Ready(Ready {
            protocol: 1,
            version: "0.1.0".into(),
            python: "3.12.4".into(),
            pid: 77,
        }),
        ToHost::Rejected {
            protocol: 2,
            version: "0.2.0".into(),
            reason: "no".into(),
        },
        ToHost::StartFailed {
            r#type: "ValueError".into(),
            message: "x".into(),
            traceback: "t".into(),
        },
        ToHost::Log(log),
        ToHost::SegmentRequest {
            request: 1,
            bytes: u64::MAX,
        },
        ToHost::SegmentDropped {
            number: 4,
            direction: Direction::Response,
        },
    ]
}

#[test]
fn every_message_comes_back() {
    let mut bytes = Vec::new();
    for message in to_worker() {
        message.encode(&mut bytes);
        assert_eq!(ToWorker::decode(&bytes).expect("decodes"), message);
    }
    for message in to_host() {
        message.encode(&mut bytes);
        assert_eq!(ToHost::decode(&bytes).expect("decodes"), message);
    }
}

#[test]
fn a_cut_or_continued_message_is_none() {
    let mut bytes = Vec::new();
    for message in to_host() {
        message.encode(&mut bytes);
        for end in 0..bytes.len() {
            assert!(ToHost::decode(&bytes[..end]).is_err());
        }
        bytes.push(0);
        assert!(matches!(
            ToHost::decode(&bytes),
            Err(MessageError::Trailing(1))
        ));
    }
}

#[test]
fn another_protocol_can_still_be_told() {
    #[derive(Serialize)]
    enum Future {
        Welcome {
            protocol: u32,
            version: &'static str,
            comet: [u8; 3],
        },
    }
    let bytes = rmp_serde::to_vec_named(&Future::Welcome {
        protocol: 9,
        version: "9.0",
        comet: [1, 2, 3],
    })
    .expect("encodes");
    let ToWorker::Welcome(welcome) = ToWorker::decode(&bytes).expect("decodes") else {
        unreachable!("it is a welcome");
    };
    assert_eq!((welcome.protocol, welcome.version.as_str()), (9, "9.0"));
}

#[test]
fn what_is_too_long_is_shortened() {
    let long = "é".repeat(MAX_MESSAGE);
    let mut bytes = Vec::new();

    let with_schema = FunctionInfo {
        parameters: Some(long.clone()),
        ..function()
    };
    ToHost::Function(with_schema).encode(&mut bytes);
    let expected = FunctionInfo {
        parameters: None,
        ..function()
    };
    assert_eq!(
        ToHost::decode(&bytes).expect("decodes"),
        ToHost::Function(expected)
    );

    let with_doc = FunctionInfo {
        doc: Some(long.clone()),
        ..function()
    };
    ToHost::Function(with_doc).encode(&mut bytes);
    let expected = FunctionInfo {
        parameters: None,
        doc: None,
        ..function()
    };
    assert_eq!(
        ToHost::decode(&bytes).expect("decodes"),
        ToHost::Function(expected)
    );

    let failed = ToHost::StartFailed {
        r#type: long.clone(),
        message: long.clone(),
        traceback: format!("{long}the end"),
    };
    failed.encode(&mut bytes);
    let ToHost::StartFailed {
        message, traceback, ..
    } = ToHost::decode(&bytes).expect("decodes")
    else {
        unreachable!("it is what it was");
    };
    assert!(
        message.ends_with("é...")
            && traceback.starts_with("...é")
            && traceback.ends_with("the end")
    );

    let log = Log {
        level: LogLevel::Info,
        logger: long.clone(),
        message: long.clone(),
        call: None,
        stream: None,
        request_id: Some(long.clone()),
        trace_id: Some(long.clone()),
        span_id: None,
    };
    ToHost::Log(log).encode(&mut bytes);
    assert!(ToHost::decode(&bytes).is_ok());
    ToHost::Ready(Ready {
        version: long.clone(),
        python: long.clone(),
        ..Ready::default()
    })
    .encode(&mut bytes);
    assert!(ToHost::decode(&bytes).is_ok());
    ToHost::Rejected {
        protocol: 1,
        version: long.clone(),
        reason: long.clone(),
    }
    .encode(&mut bytes);
    assert!(ToHost::decode(&bytes).is_ok());
    ToWorker::SegmentDenied {
        request: 1,
        reason: long,
    }
    .encode(&mut bytes);
    assert!(ToWorker::decode(&bytes).is_ok());
}

#[test]
fn errors_read_well() {
    let too_long = ToHost::decode(&vec![0; MAX_MESSAGE + 1]).expect_err("too long");
    assert_eq!(
        too_long.to_string(),
        "a control message of 65537 bytes, the limit is 65536"
    );
    let malformed = ToHost::decode(&[0xc1]).expect_err("no MessagePack");
    assert_eq!(
        malformed.to_string(),
        "a control message that is not of protocol 1"
    );
    let nested = ToHost::decode(&[0x81; 1000]).expect_err("deep");
    assert!(matches!(nested, MessageError::Malformed(_)));
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = ToHost::decode(&bytes);
        let _ = ToWorker::decode(&bytes);
    }

    #[test]
    fn a_changed_byte_never_panics(which in 0_usize..7, at in any::<proptest::sample::Index>(), value in any::<u8>()) {
        let mut bytes = Vec::new();
        to_host()[which].encode(&mut bytes);
        let at = at.index(bytes.len());
        bytes[at] = value;
        if let Ok(message) = ToHost::decode(&bytes) {
            message.encode(&mut bytes);
            prop_assert!(bytes.len() <= MAX_MESSAGE);
        }
    }
}
