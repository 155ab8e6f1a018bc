//! More connections than there may be, and more than there are descriptors for.

use crate::client::Client;
use crate::gateway::{Gateway, wait_until};

#[test]
fn one_connection_too_many_is_told_so() {
    const MOST: usize = 16;
    let gateway = Gateway::start(&["--max-connections=16"]);
    for _ in 0..3 {
        wait_until("the end of the last connections", || {
            gateway.is_left_by_all()
        });
        let mut crowd: Vec<Client> = (0..MOST).map(|_| gateway.connect()).collect();
        for client in &mut crowd {
            client.call("echo", "1");
            assert_eq!(client.answer().status, 200);
        }
        let mut others: Vec<Client> = (0..MOST).map(|_| gateway.connect()).collect();
        for client in &mut others {
            client.call("echo", "1");
            let answer = client.answer();
            assert_eq!(answer.status, 503);
            assert!(answer.header("retry-after").is_some());
            client.is_closed();
        }
        // Who asks whether it is alive, and who scrapes, is answered all the same.
        let mut probe = gateway.connect();
        probe.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = probe.answer();
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, r#"{"ok":true}"#)
        );
        let mut scraper = Client::connect(gateway.metrics);
        scraper.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(scraper.answer().status, 200);

        for client in &mut crowd {
            client.call("echo", "2");
            assert_eq!(client.answer().status, 200);
        }
    }
    wait_until("the end of the last connections", || {
        gateway.is_left_by_all()
    });
    gateway.is_unharmed();
}

#[test]
fn a_flood_of_connections_beyond_the_limit_passes() {
    let gateway = Gateway::start(&["--max-connections=8"]);
    let crowd: Vec<Client> = (0..1_000).map(|_| gateway.connect()).collect();
    drop(crowd);
    wait_until("the end of the flood", || gateway.is_left_by_all());
    gateway.is_unharmed();
}

#[test]
fn connections_that_say_nothing_keep_no_probe_out() {
    let gateway = Gateway::start(&["--max-connections=8"]);
    wait_until("the end of the first call", || gateway.is_left_by_all());
    let mut crowd: Vec<Client> = (0..8).map(|_| gateway.connect()).collect();
    for client in &mut crowd {
        client.call("echo", "1");
        assert_eq!(client.answer().status, 200);
    }
    for _ in 0..5 {
        let silent: Vec<Client> = (0..200).map(|_| gateway.connect()).collect();
        let mut probe = gateway.connect();
        probe.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(probe.answer().status, 200);
        drop(silent);
    }
    drop(crowd);
    wait_until("the end of the crowd", || gateway.is_left_by_all());
    gateway.is_unharmed();
}

#[test]
fn clients_take_no_descriptor_that_a_worker_needs() {
    // Few for the program, many for the workers.
    let gateway = Gateway::start_within(320, &["--workers=8"]);
    let mut crowd: Vec<Client> = (0..500).map(|_| gateway.connect()).collect();
    let scrapers: Vec<Client> = (0..50).map(|_| Client::connect(gateway.metrics)).collect();
    for client in crowd.iter_mut().take(10) {
        client.call("echo", "1");
        assert_eq!(client.answer().status, 200);
    }
    for client in crowd.iter_mut().take(20) {
        client.call("die", "");
        assert_eq!(client.answer().status, 502);
    }
    drop((crowd, scrapers));
    wait_until("the end of the crowd", || gateway.is_left_by_all());
    gateway.works();
    let said = gateway.lines();
    let failed = |line: &&String| line.contains("Too many open files");
    assert_eq!(said.iter().find(failed), None);
}

#[test]
fn a_gateway_without_descriptors_goes_on_when_there_are_some() {
    let gateway = Gateway::start(&[]);
    gateway.limit_descriptors(20);
    for _ in 0..3 {
        let mut crowd: Vec<Client> = (0..100).map(|_| gateway.connect()).collect();
        wait_until("the last descriptor", || gateway.more_descriptors() >= 20);
        // The first ones are served; the others wait where the system keeps them.
        for client in crowd.iter_mut().take(10) {
            client.call("echo", "1");
            assert_eq!(client.answer().status, 200);
        }
        // The last one comes up when others have gone.
        let mut last = crowd.pop().expect("a hundred");
        drop(crowd);
        last.call("echo", "2");
        assert_eq!(last.answer().status, 200);
        drop(last);
        wait_until("the end of the crowd", || gateway.is_left_by_all());
    }
    gateway.said("connections cannot be accepted", 1);
    gateway.is_unharmed();
}
