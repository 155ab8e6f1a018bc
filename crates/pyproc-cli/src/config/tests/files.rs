//! The three formats say the same, and what is written is read back.

use proptest::prelude::*;
use pyproc::{Size, Span};

use super::super::keys::keys;
use super::super::{Config, Format};
use super::configured;

#[test]
fn the_three_formats_say_the_same() {
    let toml = "target = 'worker.py'\nqueue = 1_000\nargs = ['--model', 'small']\ntimeout = '90s'\n\
                metrics_listen = 'off'\nallow_unauthenticated = true\nenv.OMP_NUM_THREADS = '1'\n";
    let yaml = "# Helm writes large numbers so.\ntarget: worker.py\nqueue: 1e+03\nargs: [--model, small]\ntimeout: 1m 30s\n\
                metrics_listen: off\nallow_unauthenticated: true\nenv:\n  OMP_NUM_THREADS: \"1\"\n";
    let json = r#"{"target": "worker.py", "queue": 1000, "args": ["--model", "sm\u0061ll"], "timeout": "1.5m",
                "metrics_listen": "off", "allow_unauthenticated": true, "env": {"OMP_NUM_THREADS": "1"}}"#;
    let of = |extension, text| configured(Some((extension, text)), &[], &[]).expect(extension);
    let expected = of("toml", toml);
    assert_eq!(expected.settings.metrics_listen, None);
    assert_eq!(of("yaml", yaml).config, expected.config);
    assert_eq!(of("yml", yaml).config, expected.config);
    assert_eq!(of("json", json).config, expected.config);
    assert_eq!(
        of("json", &format!("\u{feff}{json}")).config,
        expected.config
    );
}

#[test]
fn a_file_of_comments_says_nothing() {
    for (extension, text) in [
        ("toml", "# none\n"),
        ("yaml", "# none\n"),
        ("yaml", ""),
        ("json", "{}"),
    ] {
        let effective = configured(Some((extension, text)), &[], &["worker.py"]);
        effective.unwrap_or_else(|problem| panic!("{extension}: {problem}"));
    }
}

/// Text that a format may trip over.
fn text() -> impl Strategy<Value = String> {
    let words = [
        "",
        "off",
        "yes",
        "null",
        "1e3",
        "0x10",
        "~",
        "- a",
        "a: b # c",
        "'\"\\",
        "{",
        "🦀",
        "\u{7f}",
        "a\nb\t\u{1b}\u{85}\u{2028}",
    ];
    prop_oneof![
        proptest::sample::select(words.to_vec()).prop_map(str::to_owned),
        any::<String>(),
    ]
    .prop_map(|text| text.replace(['\0', '\u{feff}'], ""))
}

prop_compose! {
    fn config()(
        args in proptest::collection::vec(text(), 0..4),
        env in proptest::collection::btree_map("[A-Za-z.\" #:-]{1,8}", text(), 0..4),
        working_dir in proptest::option::of("[a-z/ '\"]{1,9}"),
        workers in proptest::option::of(1u32..1024),
        queue in 0u32..1_000_000,
        nanoseconds in 1_000_000u64..1_000_000_000_000,
        bytes in 1024u64..1 << 30,
        truth: bool,
        log_filter in proptest::sample::select(vec!["", "info", "pyproc=trace,a::b=off"]),
    ) -> Config {
        let mut config = Config::default();
        config.pool.target = "worker.py".to_owned();
        config.pool.args = args;
        config.pool.env = env.into();
        config.pool.working_dir = working_dir.map(Into::into);
        config.pool.workers = workers;
        config.pool.queue = queue;
        config.pool.timeout = Span::from(std::time::Duration::from_nanos(nanoseconds));
        config.gateway.max_request_body = Size::from(bytes);
        config.gateway.show_tracebacks = truth;
        config.gateway.log_filter = log_filter.to_owned();
        config
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(config in config()) {
        for (format, extension) in [(Format::Toml, "toml"), (Format::Yaml, "yaml"), (Format::Json, "json")] {
            let written = config.to_file(format).expect(extension);
            let read = configured(Some((extension, &written)), &[], &[]);
            let read = read.unwrap_or_else(|problem| panic!("{problem}\n{written}"));
            prop_assert_eq!(&read.config, &config, "{}", written);
        }
    }
}

#[test]
fn what_is_written_stands_in_the_order_of_the_keys() {
    let config = configured(None, &[], &["worker.py"]).expect("good").config;
    let written = config.to_file(Format::Yaml).expect("a file");
    let names: Vec<&str> = written
        .lines()
        .filter_map(|line| Some(line.split_once(": ")?.0))
        .collect();
    let all = keys().iter().map(|key| key.name);
    let given: Vec<&str> = all.filter(|name| names.contains(name)).collect();
    assert_eq!(names, given);
    assert!(given.len() > 30, "{given:?}");
}
