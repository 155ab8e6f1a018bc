use super::*;

fn machine(python: &str) -> Machine {
    Machine {
        cores: 1,
        processor: "a processor".into(),
        kernel: "6.1".into(),
        python: python.into(),
    }
}

#[test]
fn a_bar_is_judged_by_the_median_of_its_rounds() {
    let mut report = Report::new(machine("Python 3.11"));
    report.begin("speed");
    report.at_most("speed", "time", &[0.9, 5.0, 1.0], 1.0);
    report.at_least("speed", "rate", &[0.9, 0.1, 1.0], 0.9);
    assert_eq!(report.missed(), 0);
    report.at_most("speed", "time", &[0.9, 1.1, 1.2], 1.0);
    report.at_least("speed", "nothing was measured", &[], 0.9);
    assert_eq!(report.missed(), 2);
}

#[test]
fn parts_that_are_not_measured_again_stay_and_are_not_judged() {
    let folder = std::env::temp_dir().join(format!("pyproc-bench-report-{}", std::process::id()));
    let path = folder.join("latest.json");
    let mut first = Report::new(machine("Python 3.11"));
    first.begin("speed");
    first.begin("idle");
    first.figure("speed", "time", Unit::Nanoseconds, &[1.0, 3.0, 2.0]);
    first.at_most("speed", "time", &[2.0], 1.0);
    first.figure("idle", "cpus", Unit::Cpus, &[0.1]);
    first.missing("idle", "a peer", "not there");
    first.write(&path).unwrap();

    let mut second = Report::resume(&path, machine("Python 3.11"));
    second.begin("idle");
    assert_eq!(second.find("speed", "time").unwrap().median, 2.0);
    assert!(second.find("idle", "cpus").is_none());
    assert!(second.missing.is_empty());
    assert_eq!((second.bars.len(), second.missed()), (1, 0));

    let other = Report::resume(&path, machine("Python 3.12"));
    assert!(other.find("speed", "time").is_none());
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_is_not_a_report_is_said_with_its_place() {
    let path = std::env::temp_dir().join(format!("pyproc-bench-not-{}", std::process::id()));
    fs::write(&path, "{}").unwrap();
    let message = Report::read(&path).err().unwrap().to_string();
    assert!(
        message.contains("is not a report: missing field"),
        "{message}"
    );
    fs::remove_file(&path).unwrap();
}
