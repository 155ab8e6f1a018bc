use super::*;

fn function(name: &str, parameters: &Value, returns: &Value) -> FunctionInfo {
    let mut function = FunctionInfo::default();
    function.name = name.to_owned();
    function.signature = "(user: User) -> User".to_owned();
    function.body_mapping = "the whole body as `user`".to_owned();
    function.parameters = Some(parameters.to_string());
    function.returns = Some(returns.to_string());
    function
}

fn user(field: &str) -> Value {
    json!({
        "$ref": "#/$defs/User",
        "$defs": {
            "User": {"type": "object", "properties": {"friend": {"$ref": "#/$defs/User"}, "at": {"$ref": "#/$defs/At"}}},
            "At": {"type": "object", "properties": {field: {"type": "string"}}},
        },
    })
}

fn body_of<'d>(document: &'d Value, path: &str) -> &'d Value {
    &document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
}

#[test]
fn a_function_has_its_path_its_words_and_every_status() {
    let mut predict = function(
        "prédire/v2",
        &json!({"type": "integer", "default": 1}),
        &json!({}),
    );
    predict.doc = Some("Predicts.\n\nSlowly.".to_owned());
    let document = document(&[predict], "worker.py", true);
    let path = "/v1/call/pr%C3%A9dire%2Fv2";
    let operation = &document["paths"][path]["post"];
    assert_eq!(operation["operationId"], "pr_dire_v2");
    assert_eq!(operation["summary"], "Predicts.");
    assert_eq!(
        operation["description"],
        "`prédire/v2(user: User) -> User`\n\nPredicts.\n\nSlowly.\n\nBody: the whole body as `user`."
    );
    assert_eq!(operation["requestBody"]["required"], false);
    let statuses: Vec<&str> = operation["responses"]
        .as_object()
        .expect("responses")
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        statuses,
        [
            "200", "400", "401", "404", "405", "406", "408", "413", "414", "415", "422", "431",
            "500", "502", "503", "504"
        ]
    );
    assert_eq!(document["security"], json!([{"token": []}]));
    assert_eq!(document["paths"]["/healthz"]["get"]["security"], json!([]));
}

#[test]
fn without_a_token_none_is_asked_for() {
    let document = document(&[function("f", &json!({}), &json!({}))], "worker.py", false);
    assert_eq!(document.get("security"), None);
    let responses = &document["paths"]["/v1/call/f"]["post"]["responses"];
    assert_eq!(responses.get("401"), None);
}

#[test]
fn definitions_that_are_the_same_become_one() {
    let functions = [
        function("a", &user("x"), &json!({})),
        function("b", &user("x"), &user("x")),
    ];
    let document = document(&functions, "worker.py", false);
    let at = json!({"$ref": "#/components/schemas/User"});
    assert_eq!(body_of(&document, "/v1/call/a"), &at);
    assert_eq!(body_of(&document, "/v1/call/b"), &at);
    assert_eq!(
        document["components"]["schemas"]["User"]["properties"]["friend"],
        at
    );
    assert!(!document.to_string().contains("$defs"));
}

#[test]
fn definitions_of_one_name_that_differ_keep_apart() {
    let functions = [
        function("a", &user("x"), &json!({})),
        // Its User is written the same, and refers to another At.
        function("b", &user("y"), &json!({})),
        function(
            "c",
            &json!({"$ref": "#/$defs/Problem", "$defs": {"Problem": {"type": "integer"}}}),
            &json!({}),
        ),
    ];
    let document = document(&functions, "worker.py", false);
    let reference = |path| {
        body_of(&document, path)["$ref"]
            .as_str()
            .expect("a reference")
    };
    assert_eq!(reference("/v1/call/a"), "#/components/schemas/User");
    assert_eq!(reference("/v1/call/b"), "#/components/schemas/b.User");
    assert_eq!(reference("/v1/call/c"), "#/components/schemas/c.Problem");
    let schemas = &document["components"]["schemas"];
    assert_eq!(
        schemas["b.User"]["properties"]["at"]["$ref"],
        "#/components/schemas/b.At"
    );
    assert_eq!(
        schemas["b.At"]["properties"],
        json!({"y": {"type": "string"}})
    );
    assert_eq!(schemas["c.Problem"], json!({"type": "integer"}));
}

#[test]
fn operations_have_ids_of_their_own() {
    let functions = ["a/b", "a b", "a-b"].map(|name| function(name, &json!({}), &json!({})));
    let document = document(&functions, "worker.py", false);
    let id = |path: &str| document["paths"][path]["post"]["operationId"].clone();
    assert_eq!(id("/v1/call/a%2Fb"), "a_b");
    assert_eq!(id("/v1/call/a%20b"), "a_b2");
    assert_eq!(id("/v1/call/a-b"), "a-b");
}
