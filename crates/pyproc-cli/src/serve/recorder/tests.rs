use super::*;

fn call(recorder: &Recorder, function: &str, status: u16) {
    let status = StatusCode::from_u16(status).expect("a status");
    recorder.begin(function).answered(status);
}

#[test]
fn calls_are_counted_by_function_and_outcome() {
    let recorder = Recorder::default();
    call(&recorder, "early", 503);
    recorder.functions(["one".to_owned(), "two".to_owned()]);
    for status in [200, 200, 422, 500] {
        call(&recorder, "two", status);
    }
    call(&recorder, "nobody", 404);
    drop(recorder.begin("two"));
    let recorded = recorder.recorded();
    let [one, two] = recorded.functions.as_slice() else {
        panic!("{:?}", recorded.functions);
    };
    assert_eq!((one.name.as_str(), one.calls.calls), ("one", 0));
    assert_eq!(one.calls.latency_seconds, None);
    let calls = &two.calls;
    assert_eq!(
        (calls.calls, calls.refused, calls.failed, calls.abandoned),
        (4, 1, 1, 1)
    );
    assert!(calls.latency_seconds.is_some());
    let all = &recorded.calls;
    assert_eq!((all.calls.calls, all.calls.failed), (6, 2));
    assert_eq!(
        all.statuses,
        BTreeMap::from([(200, 2), (404, 1), (422, 1), (500, 1), (503, 1)])
    );
}

#[test]
fn a_minute_passes() {
    let mut window = Window::default();
    let at = |milliseconds| Duration::from_millis(milliseconds);
    for second in 0..5 {
        window.record(second, at(10), second == 4);
    }
    window.record(5, at(100), false);
    window.forget(5);
    let [all] = [[&window]];
    assert!((window::rate(&all, 5) - 1.0).abs() < f64::EPSILON);
    let history = window::history(&all, 5);
    assert_eq!(history.len(), 5);
    assert_eq!(
        history[4],
        Second {
            calls: 1,
            failed: 1
        }
    );
    let latency = window::latency(&all).expect("calls");
    assert!((latency.p50 - 0.010).abs() < 0.001 && (latency.p99 - 0.100).abs() < 0.01);

    window.record(64, at(1), false);
    let all = [&window];
    let history = window::history(&all, 64);
    assert_eq!(history.len(), 60);
    assert_eq!(
        history[0],
        Second {
            calls: 1,
            failed: 1
        }
    );
    assert_eq!(
        history[1],
        Second {
            calls: 1,
            failed: 0
        }
    );
    assert!(
        history[2..]
            .iter()
            .all(|second| *second == Second::default())
    );
    assert!(window::rate(&all, 64).abs() < f64::EPSILON);
    assert!(window::latency(&all).expect("calls").p50 > 0.005);

    window.record(75, at(1), false);
    assert!(window::latency(&[&window]).expect("calls").p99 < 0.002);
    window.forget(1_000_000);
    assert_eq!(window::latency(&[&window]), None);
    assert_eq!(
        window::history(&[&window], 1_000_000),
        [Second::default(); 60]
    );
}

#[test]
fn the_last_errors_are_kept_and_those_of_clients_push_out_no_other() {
    let recorder = Recorder::default();
    let problem = |status, detail: &str| Problem::new(status, "code", detail).of_function("f");
    let server = problem(StatusCode::INTERNAL_SERVER_ERROR, &"é".repeat(1000));
    recorder.begin("f").failed(&server, "first");
    recorder.begin("f").failed(&server, "second");
    for number in 0..100 {
        let client = problem(StatusCode::UNPROCESSABLE_ENTITY, &format!("{number}"));
        let client = client.of_function(&"x".repeat(60_000));
        recorder.begin("f").failed(&client, "third");
    }
    let errors = serde_json::to_value(recorder.recorded().errors).expect("JSON");
    let errors = errors.as_array().expect("errors");
    assert_eq!(errors.len(), 21);
    assert_eq!(
        (&errors[0]["detail"], &errors[0]["status"]),
        (&"99".into(), &422.into())
    );
    assert_eq!(errors[0]["function"].as_str().map(str::len), Some(503));
    let oldest = &errors[20];
    assert_eq!(
        (&oldest["count"], &oldest["request_id"], &oldest["function"]),
        (&2.into(), &"second".into(), &"f".into())
    );
    assert_eq!(oldest["detail"].as_str().map(str::len), Some(503));
    assert_eq!(recorder.recorded().calls.calls.calls, 102);
}
