//! What operations share: the definitions of all schemas, under names of their own.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value, json};

use crate::schema::walk;

/// Where a schema's own definitions are.
const HERE: &str = "#/$defs/";

/// The definitions taken so far.
#[derive(Debug)]
pub(super) struct Components {
    schemas: Map<String, Value>,
    /// The name of a definition, by it and everything that it refers to.
    names: HashMap<String, String>,
    operations: HashSet<String>,
}

impl Default for Components {
    fn default() -> Self {
        Self {
            schemas: own(),
            names: HashMap::new(),
            operations: HashSet::new(),
        }
    }
}

impl Components {
    /// Takes the definitions out of a schema of a function and gives it with references to where they
    /// are now. Definitions that are the same for two functions become one; others of one name get two.
    pub(super) fn take(&mut self, mut schema: Value, function: &str) -> Value {
        let definitions = schema
            .as_object_mut()
            .and_then(|members| members.shift_remove("$defs"));
        let Some(Value::Object(definitions)) = definitions else {
            return schema;
        };
        let mut renamed = HashMap::new();
        let mut fresh = Vec::new();
        for name in definitions.keys() {
            let key = identity(name, &definitions);
            let known = self.names.get(&key).cloned();
            let new = known.unwrap_or_else(|| {
                let new = self.free(name, function);
                // Its place is taken before the next one looks for a name.
                self.schemas.insert(new.clone(), Value::Null);
                self.names.insert(key, new.clone());
                fresh.push((name.clone(), new.clone()));
                new
            });
            renamed.insert(name.clone(), new);
        }
        for (name, new) in fresh {
            let mut definition = definitions.get(&name).cloned().unwrap_or_default();
            refer(&mut definition, &renamed);
            self.schemas.insert(new, definition);
        }
        refer(&mut schema, &renamed);
        schema
    }

    /// A name for a definition that no other has.
    fn free(&self, name: &str, function: &str) -> String {
        let name = plain(name);
        let numbered = (2..).map(|number| format!("{}.{name}{number}", plain(function)));
        let mut names = [name.clone(), format!("{}.{name}", plain(function))]
            .into_iter()
            .chain(numbered);
        names
            .find(|name| !self.schemas.contains_key(name))
            .unwrap_or(name)
    }

    /// The id of a function's operation.
    pub(super) fn operation(&mut self, function: &str) -> String {
        let name = plain(function);
        let numbered = (2..).map(|number| format!("{name}{number}"));
        let mut names = std::iter::once(name.clone()).chain(numbered);
        let free = names.find(|name| self.operations.insert(name.clone()));
        free.unwrap_or(name)
    }

    pub(super) fn schemas(self) -> Map<String, Value> {
        self.schemas
    }
}

/// Only what names of components may have.
fn plain(name: &str) -> String {
    let allowed = |it: char| it.is_ascii_alphanumeric() || "._-".contains(it);
    name.chars()
        .map(|it| if allowed(it) { it } else { '_' })
        .collect()
}

/// A definition and all that it refers to, as text: two that have the same are the same.
fn identity(name: &str, definitions: &Map<String, Value>) -> String {
    let mut found = BTreeSet::from([name.to_owned()]);
    let mut open = vec![name.to_owned()];
    while let Some(name) = open.pop() {
        let mut definition = definitions.get(&name).cloned().unwrap_or_default();
        walk(&mut definition, "", &mut |schema, _| {
            let reference = schema.get("$ref").and_then(Value::as_str);
            if let Some(name) = reference.and_then(|it| it.strip_prefix(HERE))
                && found.insert(name.to_owned())
            {
                open.push(name.to_owned());
            }
        });
    }
    let parts = found.iter().map(|name| (name, definitions.get(name)));
    format!("{name} {:?}", parts.collect::<Vec<_>>())
}

fn refer(schema: &mut Value, renamed: &HashMap<String, String>) {
    walk(schema, "", &mut |schema, _| {
        if let Some(Value::String(reference)) = schema.get_mut("$ref")
            && let Some(name) = reference.strip_prefix(HERE)
            && let Some(new) = renamed.get(name)
        {
            *reference = format!("#/components/schemas/{new}");
        }
    });
}

/// The gateway's own schemas.
fn own() -> Map<String, Value> {
    let text = json!({"type": "string"});
    let maybe = json!({"type": ["string", "null"]});
    let schemas = json!({
        "Problem": {
            "title": "Problem",
            "description": "Why a request has no result (RFC 9457).",
            "type": "object",
            "properties": {
                "type": text,
                "title": {"type": "string", "description": "The status in words."},
                "status": {"type": "integer"},
                "detail": {"type": "string", "description": "What was wrong, where, and what to do."},
                "code": {"type": "string", "description": "The kind of failure, for programs."},
                "may_have_run": {"type": "boolean", "description": "Whether the function may have run, wholly or in part."},
                "function": text,
                "path": {"type": "string", "description": "Which part of the arguments is wrong."},
                "expected": {"type": "string", "description": "What the function takes there."},
                "got": {"type": "string", "description": "What the body has there."},
                "exception": {"type": "string", "description": "The class of the exception that the function raised."},
                "message": {"type": "string", "description": "The message of the exception."},
                "traceback": {"type": "string", "description": "The traceback, where the operator shows it."},
                "request_id": {"type": "string", "description": "As in the header X-Request-Id."},
            },
            "required": ["type", "title", "status", "detail", "code", "may_have_run"],
        },
        "Probe": {
            "title": "Probe",
            "type": "object",
            "properties": {
                "ok": {"type": "boolean"},
                "reason": {"type": "string", "description": "Why not, in one sentence."},
            },
            "required": ["ok"],
        },
        "Function": {
            "title": "Function",
            "type": "object",
            "properties": {
                "name": text,
                "signature": {"type": "string", "description": "As Python shows it."},
                "async": {"type": "boolean", "description": "Whether it is a coroutine function."},
                "timeout": {"type": ["string", "null"], "description": "Its own time limit."},
                "doc": maybe,
                "body": {"type": "string", "description": "How a body becomes arguments."},
                "parameters": {"type": "object", "description": "JSON schema of the body."},
                "returns": {"type": "object", "description": "JSON schema of the result."},
                "warnings": {"type": "array", "items": text, "description": "What could not be described."},
            },
            "required": ["name", "signature", "async", "body"],
        },
        "Status": super::responses::status(),
    });
    match schemas {
        Value::Object(schemas) => schemas,
        _ => Map::new(),
    }
}
