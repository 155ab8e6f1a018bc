use std::collections::BTreeMap;

use super::*;
use crate::machine::Machine;

fn report() -> Report {
    let mut report = Report::new(Machine {
        cores: 2,
        processor: "a processor".into(),
        kernel: "6.1".into(),
        python: "Python 3.11".into(),
    });
    report.begin(PART);
    report
}

fn measured(p50: f64, rate: f64) -> Measured {
    Measured {
        p50,
        p99: p50 * 2.0,
        rates: AT_ONCE.into_iter().map(|at_once| (at_once, rate)).collect(),
    }
}

fn failing(_: f64) -> Result<Measured, Failure> {
    let script = std::env::temp_dir().join(format!("pyproc-bench-{}-peer.py", std::process::id()));
    std::fs::write(&script, "import zmq_that_is_not_installed")?;
    script::run(&script, 0.01)
}

#[test]
fn a_peer_that_fails_is_missing_and_the_others_stay() {
    let name = CONTENDERS[4].name;
    let peer = Contender {
        name,
        kind: Kind::Peer(name),
        look: CONTENDERS[4].look,
        run: failing,
    };
    let mut outcomes: Vec<Outcome> = CONTENDERS
        .iter()
        .map(|_| Ok(vec![measured(100.0, 1.0)]))
        .collect();
    add_round(&peer, &mut outcomes[4], 0.01).unwrap();
    // It is not tried again.
    let never = Contender {
        run: |_| panic!("a missing peer was started again"),
        ..peer
    };
    add_round(&never, &mut outcomes[4], 0.01).unwrap();

    let mut report = report();
    record(&mut report, &outcomes);
    assert_eq!(report.missing.len(), 1);
    assert_eq!(report.missing[0].name, name);
    assert_eq!(
        report.missing[0].reason,
        "ModuleNotFoundError: No module named 'zmq_that_is_not_installed'"
    );
    assert!(report.find(PART, &p50(name)).is_none());
    assert!(report.find(PART, &p50(CONTENDERS[5].name)).is_some());
    let json = serde_json::to_value(&report).unwrap();
    let judged = json["bars"].to_string();
    assert!(
        !judged.contains(name) && judged.contains("ZeroMQ"),
        "{judged}"
    );
}

#[test]
fn without_pyproc_itself_nothing_is_measured() {
    let ours = Contender {
        name: "pyproc",
        kind: Kind::Pyproc,
        look: CONTENDERS[0].look,
        run: failing,
    };
    assert!(add_round(&ours, &mut Ok(Vec::new()), 0.01).is_err());
}

#[test]
fn a_peer_is_judged_by_the_better_of_its_ways() {
    let outcomes: Vec<Outcome> = CONTENDERS
        .iter()
        .map(|contender| {
            Ok(vec![match contender.name {
                "pyproc, tokio, one thread" => measured(1.0, 60.0),
                "ZeroMQ, called from Python (pyzmq)" => measured(19.0, 20.0),
                "ZeroMQ, called from Rust (zeromq)" => measured(30.0, 40.0),
                _ => measured(21.0, 20.0),
            }])
        })
        .collect();
    let mut report = report();
    record(&mut report, &outcomes);
    let json = serde_json::to_value(&report).unwrap();
    let bars: BTreeMap<&str, (f64, bool)> = json["bars"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bar| {
            let measured = bar["measured"].as_f64().unwrap();
            (
                bar["name"].as_str().unwrap(),
                (measured, bar["kept"].as_bool().unwrap()),
            )
        })
        .collect();
    assert_eq!(bars.len(), 2 * PEERS.len());
    assert_eq!(
        bars["one at a time: p50 of ZeroMQ / p50 of pyproc"],
        (19.0, false)
    );
    assert_eq!(
        bars["one at a time: p50 of gRPC / p50 of pyproc"],
        (21.0, true)
    );
    assert_eq!(
        bars["64 at once: calls/s of pyproc / those of ZeroMQ"],
        (1.5, false)
    );
    assert_eq!(
        bars["64 at once: calls/s of pyproc / those of gRPC"],
        (3.0, true)
    );
}

/// What a script prints that is not a measurement.
#[test]
fn a_peer_that_leaves_out_a_figure_is_missing() {
    let script = std::env::temp_dir().join(format!("pyproc-bench-{}-half.py", std::process::id()));
    let text = r#"print('{"p50": 1, "p99": 2, "rates": {"1": 3}}')"#;
    std::fs::write(&script, text).unwrap();
    let message = script::run(&script, 0.01).unwrap_err().to_string();
    assert_eq!(message, "printed no rate of 8 at once");
    std::fs::write(&script, "print('hello')").unwrap();
    let message = script::run(&script, 0.01).unwrap_err().to_string();
    assert!(
        message.starts_with(r#"printed "hello\n": expected value"#),
        "{message}"
    );
}

/// Every row starts and gives right answers: its program checks them. What is not installed cannot
/// run; `make test` lists it.
#[test]
fn every_contender_starts_and_answers() {
    let packages = python::packages().unwrap();
    for contender in &CONTENDERS {
        let needs = match contender.kind {
            Kind::Peer("ZeroMQ") => "pyzmq",
            Kind::Peer("gRPC") => "grpcio",
            _ => "msgspec",
        };
        if !packages.contains_key(needs) {
            crate::not_run(contender.name, needs);
            continue;
        }
        let measured =
            (contender.run)(0.01).unwrap_or_else(|failure| panic!("{}: {failure}", contender.name));
        assert!(
            measured.p50 > 0.0 && measured.rates.values().all(|&rate| rate > 0.0),
            "{}",
            contender.name
        );
    }
}
