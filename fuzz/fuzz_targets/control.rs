//! Whatever arrives on the control socket is a message or an error, and a message survives the way back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pyproc_ipc::message::{MAX_MESSAGE, ToHost, ToWorker};

fuzz_target!(|bytes: &[u8]| {
    let mut encoded = Vec::new();
    if let Ok(message) = ToHost::decode(bytes) {
        message.encode(&mut encoded);
        assert!(encoded.len() <= MAX_MESSAGE);
        assert_eq!(ToHost::decode(&encoded).expect("our own"), message);
    }
    if let Ok(message) = ToWorker::decode(bytes) {
        message.encode(&mut encoded);
        assert!(encoded.len() <= MAX_MESSAGE);
        assert_eq!(ToWorker::decode(&encoded).expect("our own"), message);
    }
});
