use super::*;
use crate::machine::Machine;
use crate::python;

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

fn round(rate: f64, p50: f64, p99: f64) -> Round {
    let measured = Measured {
        rate,
        p50,
        p99,
        cpu: 5_000.0,
    };
    CONNECTIONS
        .map(|connections| (connections, measured))
        .into()
}

/// Two rounds of everybody.
fn outcomes(of: fn(&Contender) -> (f64, f64, f64)) -> Vec<Outcome> {
    CONTENDERS
        .iter()
        .map(|contender| {
            let (rate, p50, p99) = of(contender);
            Ok(vec![round(rate, p50, p99); 2])
        })
        .collect()
}

fn bars(report: &Report) -> BTreeMap<String, (f64, bool)> {
    let json = serde_json::to_value(report).unwrap();
    let bars = json["bars"].as_array().unwrap().iter();
    bars.map(|bar| {
        let name = bar["name"].as_str().unwrap().to_owned();
        let kept = bar["kept"].as_bool().unwrap();
        (name, (bar["measured"].as_f64().unwrap(), kept))
    })
    .collect()
}

#[test]
fn each_bar_is_held_against_the_best_of_the_others() {
    let outcomes = outcomes(|contender| match contender.kind {
        Kind::Echo => (100.0, 1.0, 2.0),
        Kind::Pyproc => (80.0, 5.0, 9.0),
        Kind::Peer if contender.name == "mosec" => (50.0, 9.0, 12.0),
        Kind::Peer if contender.name == "LitServe" => (10.0, 4.0, 10.0),
        Kind::Peer => (20.0, 20.0, 30.0),
    });
    let mut report = report();
    record(&mut report, &outcomes);
    judge(&mut report, &outcomes);
    let bars = bars(&report);
    let bar = |name: &str| bars[name];
    assert_eq!(
        bar("16 connections: requests/s / those of the best Python server"),
        (1.6, true)
    );
    assert_eq!(
        bar("64 connections: requests/s / those of the best Python server"),
        (1.6, false)
    );
    assert_eq!(
        bar("64 connections: p99 / the lowest of any Python server"),
        (0.9, true)
    );
    assert_eq!(
        bar("1 connection: p50 / the lowest of any Python server"),
        (1.25, false)
    );
    assert_eq!(
        bar("256 connections: requests/s / those of the axum echo"),
        (0.8, true)
    );
    assert_eq!(bars.len(), 8);
    let table = table::table(&report).unwrap().plain();
    assert_eq!(table.lines().count(), 1 + CONTENDERS.len());
    assert!(table.contains("8.0 ×"), "{table}");
}

#[test]
fn a_server_that_fails_is_missing_and_the_others_stay() {
    let mut outcomes = outcomes(|_| (50.0, 1.0, 2.0));
    let last = CONTENDERS.len() - 1;
    let broken = Contender {
        command: |_| {
            let mut command = Command::new(python::interpreter());
            command.args(["-c", "import litserve_that_is_not_installed"]);
            Ok(command)
        },
        ..peer(CONTENDERS[last].name, 5, servers::litserve)
    };
    add_round(&broken, &mut outcomes[last]).unwrap();
    // It is not tried again.
    let never = Contender {
        command: |_| panic!("a missing server was started again"),
        ..broken
    };
    add_round(&never, &mut outcomes[last]).unwrap();
    let mut report = report();
    record(&mut report, &outcomes);
    judge(&mut report, &outcomes);
    assert_eq!(
        (
            report.missing[0].name.as_str(),
            report.missing[0].reason.as_str()
        ),
        (
            "LitServe",
            "ModuleNotFoundError: No module named 'litserve_that_is_not_installed'"
        )
    );
    let bars = bars(&report);
    assert_eq!(bars.len(), 8);
    assert!(
        bars.contains_key(
            "16 connections: requests/s / those of the best Python server (without LitServe)"
        ),
        "{bars:?}"
    );
    // What is measured has to be there.
    let ours = Contender {
        kind: Kind::Pyproc,
        command: |_| Err("pyproc is broken".into()),
        ..never
    };
    assert!(add_round(&ours, &mut Ok(Vec::new())).is_err());
}

/// Every server but the echo, which is this program itself, starts and gives right answers.
#[test]
fn every_server_starts_and_answers() {
    let packages = python::packages().unwrap();
    for contender in CONTENDERS
        .iter()
        .filter(|contender| contender.kind != Kind::Echo)
    {
        let needs = match contender.name {
            "raw ASGI on uvicorn" => "uvicorn",
            "RSGI on Granian" => "granian",
            "FastAPI on uvicorn" => "fastapi",
            "mosec" => "mosec",
            "LitServe" => "litserve",
            _ => "msgspec",
        };
        if !packages.contains_key(needs) {
            crate::not_run(contender.name, needs);
            continue;
        }
        let answer = serde_json::json!({"result": 84});
        let server = Serving::start(contender.command, contender.path, &answer)
            .unwrap_or_else(|failure| panic!("{}: {failure}", contender.name));
        assert!(server.answer_bytes() > 13, "{}", contender.name);
    }
}
