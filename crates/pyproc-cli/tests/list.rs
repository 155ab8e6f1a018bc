//! `pyproc list` with real Python.

mod common;

use common::pyproc;
use serde_json::{Value, json};

#[test]
fn functions_are_listed_for_people() {
    let run = pyproc(&["list", "worker.py"]);
    let text = run.output();
    assert!(
        text.starts_with(
            "double(req)\n    Doubles a value.\n\n    Nothing else.\n    body: the whole body as `req`\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("\nasync wait(seconds: float = 0.0) -> str\n"),
        "{text}"
    );
    assert!(text.contains("\n    limit: 10m\n"), "{text}");
    let warning = "\n    warning: the body is not described: no annotation\n";
    assert!(text.contains(warning), "{text}");
}

#[test]
fn functions_are_listed_for_scripts() {
    let run = pyproc(&["list", "worker.py", "--json"]);
    let functions: Vec<Value> = serde_json::from_str(run.output()).expect("a JSON array");
    let named = |name: &str| {
        functions
            .iter()
            .find(|function| function["name"] == name)
            .expect(name)
    };
    assert_eq!(named("double")["doc"], "Doubles a value.\n\nNothing else.");
    assert_eq!(named("double")["body"], "the whole body as `req`");
    assert_eq!(named("double")["timeout"], Value::Null);
    assert_eq!(named("wait")["async"], true);
    assert_eq!(named("wait")["timeout"], "10m");
    assert_eq!(named("predict")["returns"], json!({"type": "number"}));
    assert_eq!(named("health")["async"], false);
    assert_eq!(named("double")["parameters"], json!({}));
    assert_eq!(
        named("double")["warnings"],
        json!([
            "the body is not described: no annotation",
            "the result is not described: no annotation",
        ])
    );
    assert_eq!(named("health")["warnings"], json!([]));
}

#[test]
fn one_function_of_a_module_is_listed_alone() {
    let run = pyproc(&["list", "math:hypot"]);
    let functions: Vec<&str> = run
        .output()
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with(' '))
        .collect();
    assert!(
        matches!(functions.as_slice(), [only] if only.starts_with("hypot(")),
        "{functions:?}"
    );
}
