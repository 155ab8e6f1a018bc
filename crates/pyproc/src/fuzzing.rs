//! Doors for the fuzz targets to what is not public.

use std::collections::BTreeMap;

use pyproc_ipc::record::ContentType;

use crate::body::decode_result;
use crate::error::worker_error;

/// The body of an answer, first as an error, then as a result of several types.
pub fn answer(body: &[u8]) {
    let error = worker_error(body, "predict", ["predikt".to_owned(), "health".to_owned()]);
    let _ = (error.to_string(), error.may_have_run(), error.http_status());
    for content in [
        ContentType::None,
        ContentType::MsgPack,
        ContentType::Json,
        ContentType::Raw,
    ] {
        let _ = decode_result::<BTreeMap<String, Vec<f64>>>(content, body);
        let _ = decode_result::<serde_json::Value>(content, body);
        let _ = decode_result::<(u8, Option<String>, Vec<u8>)>(content, body);
    }
}
