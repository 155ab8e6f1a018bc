//! Flags over variables over a file over defaults, for every key.

use serde_json::{Value, json};

use super::super::keys::{Key, Kind, key, keys, schema};
use super::super::{Config, Effective};
use super::{configured, parsed};

/// A value of the key that is not its default, as text; `way` tells several apart.
fn value(key: &Key, way: usize) -> String {
    let way = way + 1;
    match (key.name, &key.kind) {
        ("target", _) => format!("worker{way}.py"),
        ("listen" | "metrics_listen", _) => format!("127.0.0.1:80{way}"),
        ("otlp_endpoint", _) => format!("http://collector{way}"),
        ("log_filter", _) => format!("pyproc=info,a{way}=warn"),
        ("segment_memory", _) => format!("{way}TiB"),
        ("request_memory", _) => format!("{way}GiB"),
        ("ring", _) => format!("{}MiB", 1 << way),
        ("spin", _) => format!("{way}ms"),
        ("restart_backoff_max", _) => format!("{way}h"),
        (_, Kind::Number { .. }) => (10 + way).to_string(),
        (_, Kind::Duration) => format!("{way}s"),
        (_, Kind::Size) => format!("{way}MiB"),
        (_, Kind::Choice(words)) => words[way % words.len()].clone(),
        (_, Kind::TrueOrFalse) => (way % 2 == 1).to_string(),
        (_, Kind::ListOfText) => format!("[\"argument {way}\"]"),
        (_, Kind::Text | Kind::TableOfText) => format!("text{way}"),
    }
}

/// A line of a TOML file.
fn line(key: &Key, value: &str) -> String {
    match key.kind {
        Kind::Number { .. } | Kind::TrueOrFalse | Kind::ListOfText => {
            format!("{} = {value}\n", key.name)
        }
        _ => format!("{} = \"{value}\"\n", key.name),
    }
}

fn shown(effective: &Effective, key: &Key) -> (String, String) {
    let config = serde_json::to_value(&effective.config).expect("plain data");
    let value = match &config[key.name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    (value, effective.source(key.name).to_string())
}

#[test]
fn flags_win_over_variables_over_the_file_over_defaults() {
    for key in keys().iter().filter(|key| key.kind != Kind::TableOfText) {
        let target = if key.name == "target" {
            ""
        } else {
            "target = 'worker.py'\n"
        };
        let file = format!("{target}{}", line(key, &value(key, 0)));
        let file = Some(("toml", file.as_str()));
        let variable = key.variable.as_deref().expect("a variable");
        let (second, third) = (value(key, 1), value(key, 2));
        let variables = [(variable, second.as_str())];
        let flag = key.flag.as_ref().map(|flag| format!("--{flag}={third}"));
        let flags = match (key.name, &flag) {
            ("args", _) => vec!["--", "argument 3"],
            (_, Some(flag)) => vec![flag.as_str()],
            _ => vec![third.as_str()],
        };

        let of = |file, variables, flags| {
            let effective = configured(file, variables, flags);
            shown(
                &effective.unwrap_or_else(|problem| panic!("{}: {problem}", key.name)),
                key,
            )
        };
        let (given, place) = of(file, &[], &[]);
        assert_eq!(given, value(key, 0), "{}", key.name);
        assert!(place.contains(".toml:"), "{}: {place}", key.name);
        let (given, place) = of(file, &variables, &[]);
        assert_eq!((given, place.as_str()), (second.clone(), variable));
        let (given, place) = of(file, &variables, &flags);
        assert_eq!(given, third, "{}", key.name);
        let on_command_line = key.on_command_line();
        assert_eq!(
            place,
            on_command_line.trim_start_matches("-- "),
            "{}",
            key.name
        );
    }
}

#[test]
fn every_key_has_a_flag_and_a_variable_of_one_rule() {
    let schema = schema();
    let properties = schema["properties"].as_object().expect("an object");
    for (name, property) in properties {
        let key = key(name).expect("a key");
        let variable = format!("PYPROC_{}", name.to_uppercase());
        let flag = format!("--{}", name.replace('_', "-"));
        match name.as_str() {
            "env" => assert_eq!(key.variable, None),
            _ => assert_eq!(property["x-variable"], variable),
        }
        match name.as_str() {
            "target" => assert_eq!(property["x-command-line"], "TARGET"),
            "args" => assert_eq!(property["x-command-line"], "-- ARGS"),
            _ => assert_eq!(property["x-command-line"], flag),
        }
    }
}

#[test]
fn defaults_are_those_of_the_structs_and_of_the_schema() {
    let effective = configured(None, &[], &["worker.py"]).expect("defaults");
    let mut config = Config::default();
    config.pool.target = "worker.py".to_owned();
    assert_eq!(effective.config, config);
    let values = serde_json::to_value(&config).expect("plain data");
    for (name, property) in schema()["properties"].as_object().expect("an object") {
        if name != "target" {
            assert_eq!(values.get(name), property.get("default"), "{name}");
        }
        assert_eq!(
            effective.source(name).to_string() == "default",
            name != "target"
        );
    }
}

#[test]
fn variables_for_the_workers_add_up() {
    let file = ("yaml", "target: worker.py\nenv:\n  A: file\n  B: file\n");
    let effective =
        configured(Some(file), &[], &["--env", "B=flag=1", "--env", "C="]).expect("good");
    assert_eq!(
        serde_json::to_value(&effective.config.pool.env).expect("plain data"),
        json!({"A": "file", "B": "flag=1", "C": ""})
    );
    assert!(effective.source("env.A").to_string().ends_with(".yaml:3:6"));
    assert_eq!(effective.source("env.B").to_string(), "--env");
    let shown = format!(
        "{effective:?}{}{}",
        effective.table(),
        serde_json::to_string(&effective.json()).expect("JSON")
    );
    assert!(!shown.contains("flag=1"), "{shown}");
}

#[test]
fn a_flag_alone_is_true() {
    let of = |flags: &[&str]| {
        configured(None, &[], flags)
            .expect("good")
            .settings
            .show_tracebacks
    };
    assert!(of(&["worker.py", "--show-tracebacks"]));
    assert!(!of(&["worker.py", "--show-tracebacks=false"]));
    assert!(
        of(&["--show-tracebacks", "worker.py"]),
        "it takes no next word"
    );
}

#[test]
fn opentelemetrys_own_variables_are_shown_where_the_key_is_not_given() {
    let standard = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://standard:4318");
    let of_traces = (
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "http://traces:4318/v1/traces",
    );
    let own = ("PYPROC_OTLP_ENDPOINT", "http://own:4318");
    let of = |variables: &[(&str, &str)]| {
        let effective = configured(None, variables, &["worker.py"]).expect("good");
        let table = effective.table();
        let row = table.lines().last().expect("a row").split_whitespace();
        let row = row.collect::<Vec<_>>().join(" ");
        (effective.config.gateway.otlp_endpoint, row)
    };
    let row = |variables: &[(&str, &str)]| of(variables).1;
    assert_eq!(row(&[]), "otlp_endpoint - default");
    assert_eq!(
        row(&[standard]),
        format!("otlp_endpoint {} {}", standard.1, standard.0)
    );
    assert_eq!(
        row(&[standard, of_traces]),
        format!("otlp_endpoint {} {}", of_traces.1, of_traces.0)
    );
    assert_eq!(
        row(&[own, standard]),
        format!("otlp_endpoint {} {}", own.1, own.0)
    );
    assert_eq!(
        of(&[standard]).0,
        None,
        "the exporter reads them itself, with those beside them"
    );
}

#[test]
fn a_variable_can_name_the_file_and_an_empty_one_is_not_set() {
    let scratch = super::Scratch::new("json", r#"{"target": "worker.py", "workers": 3}"#);
    let path = scratch.path();
    let variables = [("PYPROC_CONFIG", path.as_str()), ("PYPROC_WORKERS", "")];
    let effective = configured(None, &variables, &[]).expect("good");
    assert_eq!(effective.settings.pool.workers, Some(3));
    assert_eq!(
        effective.source("workers").to_string(),
        format!("{path}:1:36")
    );
}

#[test]
fn unknown_variables_are_warned_of_but_not_those_of_kubernetes() {
    let names = [
        "PYPROC_SERVICE_HOST",
        "PYPROC_SERVICE_PORT",
        "PYPROC_SERVICE_PORT_HTTP",
        "PYPROC_PORT",
        "PYPROC_PORT_8080_TCP",
        "PYPROC_PORT_8080_TCP_ADDR",
        "PYPROC_METRICS_SERVICE_HOST",
        "PYPROC_METRICS_SERVICE_PORT",
        "PYPROC_METRICS_PORT_9090_TCP_PROTO",
        "PYPROC_CONTROL_FD",
        "OTHER",
        "PYPROC_WORKER",
        "PYPROC_ZZZ",
        "PYPROC_ENV",
        "PYPROC_workers",
    ];
    let mut variables = names.map(|name| (name, "x")).to_vec();
    variables.push(("PYPROC_METRICS_PORT", "tcp://10.0.0.1:9090"));
    variables.push(("PYPROC_HTTP_PORT", "80"));
    let effective = configured(None, &variables, &["worker.py"]).expect("only warnings");
    assert_eq!(
        effective.warnings,
        [
            "PYPROC_ENV is no variable of pyproc",
            "PYPROC_HTTP_PORT is no variable of pyproc",
            "PYPROC_WORKER is no variable of pyproc; did you mean PYPROC_WORKERS?",
            "PYPROC_ZZZ is no variable of pyproc",
            "PYPROC_workers is no variable of pyproc; did you mean PYPROC_WORKERS?",
        ]
    );
}

#[test]
fn the_command_line_is_well_made() {
    <super::Flags as clap::Args>::augment_args(clap::Command::new("serve")).debug_assert();
    assert_eq!(
        parsed(&["worker.py", "--", "--model", "small"])
            .entries
            .len(),
        2
    );
}
