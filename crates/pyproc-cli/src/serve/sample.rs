//! A value that fits a JSON schema, to show how a function is called.

use serde_json::{Map, Value, json};

/// How deep a sample goes: enough to show a shape, and a schema may contain itself.
const DEPTH: usize = 10;

/// A value for this schema, as far as its types say what fits.
pub(super) fn of(schema: &Value) -> Value {
    value(schema, schema, DEPTH)
}

fn value(schema: &Value, root: &Value, depth: usize) -> Value {
    if depth == 0 {
        return Value::Null;
    }
    let deeper = |schema| value(schema, root, depth - 1);
    for member in ["const", "default"] {
        if let Some(value) = schema.get(member) {
            return value.clone();
        }
    }
    if let Some(first) = first(schema, &["examples", "enum"]) {
        return first.clone();
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let found = reference
            .strip_prefix('#')
            .and_then(|path| root.pointer(path));
        return found.map_or(Value::Null, deeper);
    }
    if let Some(first) = first(schema, &["anyOf", "oneOf", "allOf"]) {
        return deeper(first);
    }
    let number = |member| schema.get(member).and_then(Value::as_i64);
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let required: Vec<&str> = schema
                .get("required")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let members = properties.into_iter().flatten();
            let needed = members.filter(|(name, _)| required.contains(&name.as_str()));
            Value::Object(
                needed
                    .map(|(name, it)| (name.clone(), deeper(it)))
                    .collect::<Map<_, _>>(),
            )
        }
        Some("array") => {
            let items = schema.get("prefixItems").and_then(Value::as_array);
            match (items, schema.get("items")) {
                (Some(items), _) => items.iter().map(deeper).collect(),
                (None, Some(item)) if item.is_object() => json!([deeper(item)]),
                _ => json!([]),
            }
        }
        Some("integer") => json!(number("minimum").unwrap_or(1)),
        Some("number") => json!(number("minimum").map_or(1.5, |least| least as f64)),
        Some("string") => json!(match schema.get("format").and_then(Value::as_str) {
            Some("date") => "2026-01-31",
            Some("time") => "12:00:00Z",
            Some("date-time") => "2026-01-31T12:00:00Z",
            Some("duration") => "PT1H",
            Some("uuid") => "00000000-0000-4000-8000-000000000000",
            Some("decimal") => "1.50",
            _ => "text",
        }),
        Some("boolean") => json!(true),
        _ => Value::Null,
    }
}

/// The first element of the first of these arrays that there is.
fn first<'s>(schema: &'s Value, members: &[&str]) -> Option<&'s Value> {
    members
        .iter()
        .find_map(|member| schema.get(member)?.as_array()?.first())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_what_is_required() {
        let schema = json!({
            "$ref": "#/$defs/Order",
            "$defs": {
                "Order": {
                    "type": "object",
                    "required": ["id", "lines", "state"],
                    "properties": {
                        "id": {"type": "integer", "minimum": 5},
                        "note": {"type": "string"},
                        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
                        "state": {"enum": ["new", "sent"]},
                    },
                },
                "Line": {
                    "type": "object",
                    "required": ["price", "of"],
                    "properties": {"price": {"type": "number"}, "of": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
                },
            },
        });
        assert_eq!(
            of(&schema),
            json!({"id": 5, "lines": [{"price": 1.5, "of": "text"}], "state": "new"})
        );
    }

    #[test]
    fn a_schema_that_contains_itself_has_an_end() {
        let schema = json!({"type": "array", "items": {"$ref": "#"}});
        assert!(of(&schema).is_array());
        assert_eq!(of(&json!({})), Value::Null);
    }
}
