//! Bodies: which content types a function takes and gives, by its schemas.

use serde_json::{Map, Value, json};

use crate::serve::sample;

/// Moves a schema's definitions to where all operations find them.
type Take<'t> = &'t mut dyn FnMut(Value) -> Value;

const JSON: &str = "application/json";
const MSGPACK: &str = "application/msgpack";
const RAW: &str = "application/octet-stream";

/// The body of a call: a schema with a `default` at its top describes one that may be left out.
pub(super) fn request_body(schema: Value, take: Take<'_>) -> Value {
    let required = schema.get("default").is_none();
    let (values, raw) = split(schema);
    let mut content = Map::new();
    if let Some(schema) = values {
        let sample = sample::of(&schema);
        let mut media = json!({"schema": take(schema)});
        if !sample.is_null() {
            media["example"] = sample;
        }
        content.insert(JSON.to_owned(), media);
        // The same value, but bytes are bytes in it.
        content.insert(MSGPACK.to_owned(), json!({}));
    }
    if raw {
        content.insert(RAW.to_owned(), json!({}));
    }
    json!({"required": required, "content": content})
}

/// The answer to a call that went well.
pub(super) fn result(schema: Value, take: Take<'_>) -> Value {
    let raw = may_be_bytes(&schema);
    let mut content = Map::new();
    content.insert(JSON.to_owned(), json!({"schema": take(schema)}));
    content.insert(MSGPACK.to_owned(), json!({}));
    if raw {
        content.insert(RAW.to_owned(), json!({}));
    }
    json!({
        "description": "What the function returned, as the Accept header asks for it.",
        "headers": {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}},
        "content": content,
    })
}

/// What a JSON or MessagePack body has to be, if there can be one, and whether a raw one is taken.
fn split(mut schema: Value) -> (Option<Value>, bool) {
    if is_raw(&schema) {
        return (None, true);
    }
    if is_anything(&schema) {
        return (Some(schema), true);
    }
    let Some(ways) = schema.get_mut("anyOf").and_then(Value::as_array_mut) else {
        return (Some(schema), false);
    };
    let count = ways.len();
    ways.retain(|way| !is_raw(way));
    let raw = ways.len() < count;
    if let (true, [_]) = (raw, ways.as_slice()) {
        let only = ways.swap_remove(0);
        if let (Value::Object(members), Value::Object(only)) = (&mut schema, only) {
            members.remove("anyOf");
            members.extend(only);
        }
    }
    (Some(schema), raw)
}

fn is_raw(schema: &Value) -> bool {
    schema.get("contentMediaType").is_some_and(|it| it == RAW)
}

/// Whether every value fits.
fn is_anything(schema: &Value) -> bool {
    let members = schema.as_object().into_iter().flatten();
    members
        .map(|(keyword, _)| keyword)
        .all(|keyword| keyword == "default")
}

/// Whether a result can be bytes, which is sent as they are to whoever takes that.
pub(super) fn may_be_bytes(schema: &Value) -> bool {
    let ways = schema.get("anyOf").and_then(Value::as_array);
    is_anything(schema)
        || schema.get("contentEncoding").is_some()
        // A NumPy array gives its bytes to whoever asks for them.
        || *schema == json!({"type": "array"})
        || ways.is_some_and(|ways| ways.iter().any(may_be_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(schema: Value) -> (bool, Vec<String>) {
        let body = request_body(schema, &mut |schema| schema);
        let content = body["content"].as_object().expect("content");
        let names = content.keys().map(|name| match name.as_str() {
            RAW => "raw".to_owned(),
            name => name.rsplit('/').next().unwrap_or_default().to_owned(),
        });
        (body["required"] == true, names.collect())
    }

    #[test]
    fn content_types_are_those_that_the_function_takes() {
        let raw = json!({"type": "string", "contentMediaType": RAW});
        let of = |required, names: &[&str]| {
            (
                required,
                names.iter().map(|name| (*name).to_owned()).collect(),
            )
        };
        assert_eq!(content(raw.clone()), of(true, &["raw"]));
        assert_eq!(content(json!({})), of(true, &["json", "msgpack", "raw"]));
        assert_eq!(
            content(json!({"type": "integer", "default": 1})),
            of(false, &["json", "msgpack"])
        );
        assert_eq!(
            content(json!({"anyOf": [{"type": "object"}, {"type": "array"}]})),
            of(true, &["json", "msgpack"])
        );
        let array = json!({"anyOf": [{"type": "array"}, raw]});
        assert_eq!(
            content(array.clone()),
            of(true, &["json", "msgpack", "raw"])
        );
        assert_eq!(split(array), (Some(json!({"type": "array"})), true));
    }

    #[test]
    fn bytes_are_given_where_a_function_may_return_them() {
        let bytes = json!({"type": "string", "contentEncoding": "base64"});
        let gives_raw = |schema| {
            let answer = result(schema, &mut |schema| schema);
            answer["content"].get(RAW).is_some()
        };
        assert!(gives_raw(json!({})));
        assert!(gives_raw(bytes.clone()));
        assert!(gives_raw(json!({"anyOf": [bytes, {"type": "null"}]})));
        assert!(!gives_raw(json!({"type": "string"})));
        assert!(!gives_raw(json!({"$ref": "#/$defs/User"})));
    }
}
