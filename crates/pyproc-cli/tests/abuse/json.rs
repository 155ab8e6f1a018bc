//! Bodies that are no JSON, in every way, and JSON that is strange but right.

use crate::client::request;
use crate::gateway::Gateway;

const DEEP: usize = 100_000;

/// Bodies that no reader of JSON may take.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("only blanks", text(" \t\r\n ")),
        ("a truncated object", text(r#"{"a":"#)),
        ("a truncated key", text(r#"{"a"#)),
        ("a truncated array", text("[1,2")),
        ("a truncated string", text(r#""abc"#)),
        ("a truncated escape", text(r#""\u12"#)),
        ("a truncated word", text("tru")),
        ("NaN", text("NaN")),
        ("NaN inside", text(r#"{"a":NaN}"#)),
        ("infinity", text("Infinity")),
        ("negative infinity", text("[-Infinity]")),
        ("a lone surrogate", text(r#""\ud800""#)),
        ("surrogates in the wrong order", text(r#""\udc00\ud800""#)),
        ("half a surrogate pair", text(r#""\ud800x""#)),
        ("a byte that is no UTF-8", b"\"\xff\"".to_vec()),
        ("UTF-8 that is too long", b"\"\xc0\xaf\"".to_vec()),
        ("a surrogate in UTF-8", b"\"\xed\xa0\x80\"".to_vec()),
        ("truncated UTF-8", b"\"\xe2\x82\"".to_vec()),
        ("no UTF-8 in a key", b"{\"\xff\":1}".to_vec()),
        ("UTF-16", b"\xff\xfe1\x00".to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf1".to_vec()),
        ("a NUL", b"\0".to_vec()),
        ("a NUL after a value", b"1\0".to_vec()),
        ("a NUL in a string", b"\"\0\"".to_vec()),
        ("a line's end in a string", b"\"\n\"".to_vec()),
        ("an unknown escape", text(r#""\x41""#)),
        ("single quotes", text("'a'")),
        ("a key without quotes", text("{a:1}")),
        ("a number as a key", text("{1:1}")),
        ("a comma too many", text("[1,]")),
        ("a comma too many in an object", text(r#"{"a":1,}"#)),
        ("a comma too few", text("[1 2]")),
        ("a colon too few", text(r#"{"a" 1}"#)),
        ("a leading zero", text("01")),
        ("a plus", text("+1")),
        ("no digit before the point", text(".5")),
        ("no digit after the point", text("1.")),
        ("no exponent", text("1e")),
        ("a minus alone", text("-")),
        ("hexadecimal", text("0x10")),
        ("a comment", text("1 // one")),
        ("two values", text("1 2")),
        ("two objects", text("{}{}")),
        ("the wrong bracket", text("[1}")),
        ("a bracket alone", text("]")),
        ("deep arrays", "[".repeat(DEEP).into_bytes()),
        (
            "deep arrays that end",
            ["[".repeat(DEEP), "]".repeat(DEEP)].concat().into_bytes(),
        ),
        ("deep objects", r#"{"a":"#.repeat(DEEP).into_bytes()),
        (
            "arrays and objects in turn",
            r#"[{"a":"#.repeat(DEEP).into_bytes(),
        ),
        (
            "something else entirely",
            (0..=255).cycle().take(4096).collect(),
        ),
    ]
}

#[test]
fn malformed_json_is_400_and_harms_nobody() {
    let gateway = Gateway::start(&[]);
    let mut client = gateway.connect();
    let mut wrong = Vec::new();
    for (what, body) in malformed() {
        for (function, statuses) in [("echo", &[400][..]), ("typed", &[400, 422])] {
            client.send(request(function, "application/json", &body));
            let answer = client.answer();
            if !statuses.contains(&answer.status) {
                wrong.push((what, function, answer.status, answer.text()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    drop(client);
    gateway.is_unharmed();
}

#[test]
fn strange_json_is_what_it_is() {
    let gateway = Gateway::start(&[]);
    let mut client = gateway.connect();
    let long = "9".repeat(100_000);
    let cases: &[(&str, &str, u16)] = &[
        ("echo", r#"{"a":1,"a":2}"#, 200),
        ("echo", "1e-999", 200),
        ("echo", "-0", 200),
        ("echo", r#""\u0000""#, 200),
        ("echo", "18446744073709551616", 200),
        ("echo", "1e999", 422),
        ("echo", &long, 422),
        ("echo", &format!("-{long}"), 422),
        ("echo", &format!("0.{long}"), 200),
        ("echo", &format!("1e{long}"), 422),
        ("echo", "", 422),
        ("typed", "", 422),
        ("typed", "null", 422),
        ("typed", r#"{"x": "one"}"#, 422),
        ("typed", r#"{"x": 1, "x": 2}"#, 200),
        ("typed", r#"{"x": 1, "z": [[[{}]]]}"#, 200),
        ("typed", &format!(r#"{{"x": {long}}}"#), 422),
    ];
    let mut wrong = Vec::new();
    for (function, body, status) in cases {
        client.call(function, body);
        let answer = client.answer();
        if answer.status != *status {
            let start: String = body.chars().take(40).collect();
            wrong.push((function, start, status, answer.status, answer.text()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    drop(client);
    gateway.is_unharmed();
}

#[test]
fn however_deep_it_is_the_worker_lives() {
    let gateway = Gateway::start(&[]);
    let mut client = gateway.connect();
    let mut deepest = 0;
    for depth in [
        10, 100, 500, 800, 900, 950, 990, 1_000, 1_100, 2_000, 5_000, 20_000, 1_000_000,
    ] {
        let inside = ["[".repeat(depth), "]".repeat(depth)].concat();
        for (function, body) in [
            ("echo", inside.clone()),
            ("typed", format!(r#"{{"x": 1, "z": {inside}}}"#)),
            ("typed", format!(r#"{{"x": {inside}}}"#)),
        ] {
            client.call(function, &body);
            let answer = client.answer();
            // Which it is, is for Python's limit of recursion to say.
            assert!(
                matches!(answer.status, 200 | 400 | 422),
                "{function} {depth}: {} {}",
                answer.status,
                answer.text()
            );
            if function == "echo" && answer.status == 200 {
                deepest = depth;
                assert_eq!(answer.text(), inside);
            }
        }
    }
    assert!((100..10_000).contains(&deepest), "{deepest}");
    drop(client);
    gateway.is_unharmed();
}
