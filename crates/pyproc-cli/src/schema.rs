//! JSON schemas as workers write them: read, walked through, and what they could not describe.

use serde_json::{Map, Value};

/// What the worker's `$comment` on a part that it cannot describe begins with.
const MARK: &str = "pyproc: ";

/// A schema, with `{}` for every part that could not be described.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    pub(crate) value: Value,
    /// The parts, each with the reason, as sentences.
    pub(crate) warnings: Vec<String>,
}

impl Schema {
    /// Reads what a worker announced; `whole` names what it describes.
    pub(crate) fn read(text: Option<&str>, whole: &str) -> Self {
        let value = text.and_then(|text| serde_json::from_str(text).ok());
        let mut value = value.unwrap_or_else(|| Value::Object(Map::new()));
        let mut warnings = Vec::new();
        walk(&mut value, "$", &mut |schema, path| {
            let comment = schema.get("$comment").and_then(Value::as_str);
            let Some(why) = comment.and_then(|comment| comment.strip_prefix(MARK)) else {
                return;
            };
            let part = match path {
                "$" => whole.to_owned(),
                path if path.starts_with('$') => format!("`{path}` of {whole}"),
                path => format!("`{path}`"),
            };
            warnings.push(format!("{part} is not described: {why}"));
            schema.shift_remove("$comment");
        });
        Self { value, warnings }
    }
}

/// Visits a schema and every schema inside of it, definitions included, with its place: `$.name[0]`,
/// `Definition.name`.
pub(crate) fn walk(
    schema: &mut Value,
    path: &str,
    visit: &mut impl FnMut(&mut Map<String, Value>, &str),
) {
    let Value::Object(members) = schema else {
        return;
    };
    visit(members, path);
    for (keyword, value) in members {
        match (keyword.as_str(), value) {
            ("$defs", Value::Object(definitions)) => {
                for (name, definition) in definitions {
                    walk(definition, name, visit);
                }
            }
            ("properties", Value::Object(properties)) => {
                for (name, property) in properties {
                    walk(property, &format!("{path}.{name}"), visit);
                }
            }
            ("items", items) => walk(items, &format!("{path}[]"), visit),
            ("additionalProperties", values) => walk(values, &format!("{path}.*"), visit),
            ("prefixItems", Value::Array(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    walk(item, &format!("{path}[{index}]"), visit);
                }
            }
            ("anyOf" | "oneOf" | "allOf", Value::Array(ways)) => {
                for way in ways {
                    walk(way, path, visit);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_described_is_named_and_becomes_anything() {
        let text = json!({
            "anyOf": [
                {"type": "object", "properties": {
                    "model": {"$comment": "pyproc: no annotation", "default": 3},
                    "$comment": {"type": "string"},
                }},
                {"type": "array", "prefixItems": [{"$ref": "#/$defs/User"}]},
            ],
            "$defs": {"User": {"type": "object", "properties": {
                "friends": {"type": "array", "items": {"$comment": "pyproc: `X` has no JSON schema"}},
            }}},
            "$comment": "of somebody else",
        });
        let schema = Schema::read(Some(&text.to_string()), "the body");
        assert_eq!(
            schema.warnings,
            [
                "`$.model` of the body is not described: no annotation",
                "`User.friends[]` is not described: `X` has no JSON schema",
            ]
        );
        assert_eq!(
            schema.value["anyOf"][0]["properties"]["model"],
            json!({"default": 3})
        );
        assert_eq!(
            schema.value["$defs"]["User"]["properties"]["friends"]["items"],
            json!({})
        );
        assert_eq!(schema.value["$comment"], "of somebody else");
    }

    #[test]
    fn without_a_schema_anything_fits() {
        assert_eq!(Schema::read(None, "the result").value, json!({}));
        assert_eq!(
            Schema::read(Some("not JSON"), "the result").value,
            json!({})
        );
        let unknown = Schema::read(
            Some(r#"{"$comment":"pyproc: no annotation"}"#),
            "the result",
        );
        assert_eq!(unknown.value, json!({}));
        assert_eq!(
            unknown.warnings,
            ["the result is not described: no annotation"]
        );
    }
}
