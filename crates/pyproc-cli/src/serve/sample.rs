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
                (None, Some(item)) if item.is_object() => {
                    let count = bound(schema, "minItems")
                        .map_or(1, |least| (least as usize).clamp(1, LENGTH));
                    vec![deeper(item); count].into()
                }
                _ => json!([]),
            }
        }
        Some("integer") => json!(within(schema, 1.0, 1.0) as i64),
        Some("number") => json!(within(schema, 1.5, 0.5)),
        Some("string") => json!(fitted(
            schema,
            match schema.get("format").and_then(Value::as_str) {
                Some("date") => "2026-01-31",
                Some("time") => "12:00:00Z",
                Some("date-time") => "2026-01-31T12:00:00Z",
                Some("duration") => "PT1H",
                Some("uuid") => "00000000-0000-4000-8000-000000000000",
                Some("decimal") => "1.50",
                _ => "text",
            }
        )),
        Some("boolean") => json!(true),
        _ => Value::Null,
    }
}

/// Characters and elements that a sample has at most.
const LENGTH: usize = 64;

fn bound(schema: &Value, member: &str) -> Option<f64> {
    schema.get(member).and_then(Value::as_f64)
}

/// A number that the schema allows: this one, or the nearest to it in steps of this size from a bound that is
/// itself left out.
fn within(schema: &Value, wanted: f64, step: f64) -> f64 {
    let least = bound(schema, "minimum")
        .or_else(|| bound(schema, "exclusiveMinimum").map(|below| below + step));
    let most = bound(schema, "maximum")
        .or_else(|| bound(schema, "exclusiveMaximum").map(|above| above - step));
    let number = match (least, most) {
        // Narrower than a step.
        (Some(least), Some(most)) if least > most => f64::midpoint(least - step, most + step),
        (least, most) => wanted
            .max(least.unwrap_or(f64::MIN))
            .min(most.unwrap_or(f64::MAX)),
    };
    match bound(schema, "multipleOf") {
        Some(multiple) if multiple > 0.0 => (number / multiple).ceil() * multiple,
        _ => number,
    }
}

/// A text as long as the schema wants it.
fn fitted(schema: &Value, text: &str) -> String {
    let least = bound(schema, "minLength").map_or(0, |least| (least as usize).min(LENGTH));
    let most = bound(schema, "maxLength").map_or(LENGTH, |most| most as usize);
    text.chars()
        .cycle()
        .take(text.len().max(least).min(most))
        .collect()
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
    fn a_sample_is_within_its_bounds() {
        for (schema, sample) in [
            (json!({"type": "integer", "exclusiveMinimum": 5}), json!(6)),
            (json!({"type": "integer", "maximum": -3}), json!(-3)),
            (
                json!({"type": "integer", "minimum": 3, "multipleOf": 5}),
                json!(5),
            ),
            (json!({"type": "number", "maximum": 0.5}), json!(0.5)),
            (
                json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.25}),
                json!(0.125),
            ),
            (json!({"type": "number"}), json!(1.5)),
            (
                json!({"type": "string", "minLength": 10}),
                json!("texttextte"),
            ),
            (json!({"type": "string", "maxLength": 1}), json!("t")),
            (
                json!({"type": "array", "items": {"type": "integer"}, "minItems": 2}),
                json!([1, 1]),
            ),
        ] {
            assert_eq!(of(&schema), sample, "{schema}");
        }
    }

    #[test]
    fn a_schema_that_contains_itself_has_an_end() {
        let schema = json!({"type": "array", "items": {"$ref": "#"}});
        assert!(of(&schema).is_array());
        assert_eq!(of(&json!({})), Value::Null);
    }
}
