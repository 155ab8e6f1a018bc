//! The body of a worker's error record, read as a [`CallError`].
//!
//! The body is a MessagePack map with a `code` and the fields of that code. It comes from a worker
//! and is not trusted: whatever is not exactly such a map is [`CallError::Protocol`].

use serde::Deserialize;

use super::{CallError, Part};

/// Every field that any code has.
#[derive(Deserialize)]
struct WireError {
    code: String,
    #[serde(rename = "type")]
    exception: Option<String>,
    message: Option<String>,
    traceback: Option<String>,
    path: Option<String>,
    expected: Option<String>,
    got: Option<String>,
    size: Option<u64>,
    limit: Option<u64>,
}

/// Reads the body of an error record that a worker sent about a call of `function`.
///
/// `available` names the functions that the worker exposes.
pub(crate) fn worker_error(
    body: &[u8],
    function: &str,
    available: impl IntoIterator<Item = String>,
) -> CallError {
    let wire: WireError = match rmp_serde::from_slice(body) {
        Ok(wire) => wire,
        Err(error) => {
            return CallError::Protocol {
                message: format!("it sent an error that cannot be read ({error})"),
            };
        }
    };
    let code = wire.code.clone();
    known(wire, function, available).unwrap_or_else(|| CallError::Protocol {
        message: format!(
            "it sent an error of kind `{}` that makes no sense",
            code.escape_debug()
        ),
    })
}

/// `None`: no such code, or a field of it is missing.
fn known(
    wire: WireError,
    function: &str,
    available: impl IntoIterator<Item = String>,
) -> Option<CallError> {
    Some(match wire.code.as_str() {
        "python" => CallError::Python {
            exception: wire.exception?,
            message: wire.message?,
            traceback: wire.traceback?,
        },
        "bad_argument" => CallError::BadArgument {
            path: wire.path?,
            expected: wire.expected?,
            got: wire.got?,
        },
        "malformed" => CallError::Malformed {
            message: wire.message?,
        },
        "bad_result" => CallError::BadResult {
            message: wire.message?,
        },
        "no_such_function" => CallError::no_such_function(function, available),
        "too_large" => CallError::TooLarge {
            part: Part::Result,
            size: wire.size?,
            limit: wire.limit?,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(error: &serde_json::Value) -> CallError {
        let body = rmp_serde::to_vec_named(error).expect("JSON values are MessagePack values");
        worker_error(&body, "predict", ["predikt".to_owned()])
    }

    #[test]
    fn reads_every_code() {
        assert_eq!(
            read(
                &json!({"code": "python", "type": "ValueError", "message": "no", "traceback": "Trace"})
            ),
            CallError::Python {
                exception: "ValueError".into(),
                message: "no".into(),
                traceback: "Trace".into()
            }
        );
        assert_eq!(
            read(
                &json!({"code": "bad_argument", "path": "$.a", "expected": "`int`", "got": "`str`"})
            ),
            CallError::BadArgument {
                path: "$.a".into(),
                expected: "`int`".into(),
                got: "`str`".into()
            }
        );
        assert_eq!(
            read(&json!({"code": "malformed", "message": "cut short"})),
            CallError::Malformed {
                message: "cut short".into()
            }
        );
        assert_eq!(
            read(&json!({"code": "bad_result", "message": "a socket"})),
            CallError::BadResult {
                message: "a socket".into()
            }
        );
        assert_eq!(
            read(&json!({"code": "no_such_function"})),
            CallError::NoSuchFunction {
                name: "predict".into(),
                nearest: Some("predikt".into()),
                available: vec!["predikt".into()]
            }
        );
        assert_eq!(
            read(&json!({"code": "too_large", "size": 11, "limit": 10})),
            CallError::TooLarge {
                part: Part::Result,
                size: 11,
                limit: 10
            }
        );
    }

    #[test]
    fn what_makes_no_sense_is_a_breach_of_the_protocol() {
        for error in [
            json!({"code": "fortune"}),
            json!({"code": "python", "type": "ValueError"}),
            json!({"code": 7}),
            json!({"message": "no code"}),
            json!({"code": "too_large", "size": -1, "limit": 10}),
            json!(["python", "ValueError"]),
            json!(null),
            json!("python"),
        ] {
            assert!(
                matches!(read(&error), CallError::Protocol { .. }),
                "{error}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_some_error(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            worker_error(&body, "predict", []);
        }
    }
}
