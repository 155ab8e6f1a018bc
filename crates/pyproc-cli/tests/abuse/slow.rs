//! A thousand clients that send or take a byte now and then, and one that wants to be served.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, connect, socket, sockopt};

use crate::client::Client;
use crate::gateway::{Gateway, wait_until};

/// What a slow client does before its next byte: being slow is the subject of these tests, and no event
/// ends it.
fn dawdle() {
    thread::sleep(Duration::from_millis(20));
}

const TIMEOUTS: [&str; 3] = [
    "--header-timeout=1s",
    "--body-timeout=1s",
    "--idle-timeout=2s",
];

#[test]
fn a_thousand_slow_clients_hold_nobody_up_and_are_sent_away() {
    let gateway = Gateway::start(&TIMEOUTS);
    let all_gone = AtomicBool::new(false);
    let served = AtomicU32::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !all_gone.load(Relaxed) {
                gateway.works();
                served.fetch_add(1, Relaxed);
            }
        });
        slow_heads_and_bodies(&gateway);
        let before = served.load(Relaxed);
        wait_until("another good answer", || served.load(Relaxed) > before + 1);
        all_gone.store(true, Relaxed);
    });
    gateway.is_unharmed();
}

fn slow_heads_and_bodies(gateway: &Gateway) {
    let head =
        "POST /v1/call/echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let ways = [
        // What is sent at once, and what then comes byte by byte.
        (String::new(), head),
        (head.to_owned(), "X: y\r\nX: y\r\nX: y\r\nX: y\r\n"),
        (format!("{head}Content-Length: 1000000\r\n\r\n"), "1"),
        (
            format!("{head}Transfer-Encoding: chunked\r\n\r\n"),
            "1\r\n1\r\n",
        ),
    ];
    let mut clients: Vec<(usize, Option<Client>)> = Vec::new();
    for number in 0..1_000 {
        let mut client = gateway.connect();
        client.send(&ways[number % ways.len()].0);
        clients.push((number % ways.len(), Some(client)));
    }
    let mut byte = 0;
    wait_until("the end of all slow clients", || {
        for (way, slot) in &mut clients {
            let bytes = ways[*way].1.as_bytes();
            let Some(client) = slot else {
                continue;
            };
            let sent = client.send(&bytes[byte % bytes.len()..][..1]);
            if sent && !has_come(&client.stream) {
                continue;
            }
            let answers = slot.take().expect("seen above").rest();
            // Late heads have no request to answer; late bodies have one.
            for answer in &answers {
                assert_eq!((answer.status, *way >= 2), (408, true), "{answer:?}");
            }
        }
        byte += 1;
        clients.iter().all(|(_, client)| client.is_none())
    });
}

/// Whether there is something to read, or the connection's end.
fn has_come(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("an option");
    let come = !matches!(stream.peek(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
    stream.set_nonblocking(false).expect("an option");
    come
}

#[test]
fn answers_that_nobody_takes_are_dropped() {
    const SIZE: usize = 4 << 20;
    let gateway = Gateway::start(&TIMEOUTS);
    let mut readers: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut client = small(gateway.address);
            client.call("large", &SIZE.to_string());
            client.stream
        })
        .collect();
    // Half of them read nothing, the others a little.
    wait_until("the end of all slow readers", || {
        gateway.works();
        dawdle();
        for reader in readers.iter_mut().step_by(2) {
            let _ = reader.read(&mut [0]);
        }
        gateway.is_left_by_all()
    });
    // What each one got is not all.
    for mut reader in readers {
        let mut got = Vec::new();
        let end = reader.read_to_end(&mut got);
        assert!(end.is_err() || got.len() < SIZE, "{}", got.len());
    }
    gateway.is_unharmed();
}

#[test]
fn answers_that_nobody_takes_have_one_bound() {
    const SIZE: usize = 4 << 20;
    let gateway = Gateway::start(&[
        "--max-request-body=1MiB",
        "--request-memory=16MiB",
        "--body-timeout=5m",
    ]);
    let mut readers: Vec<Client> = Vec::new();
    let mut refused = None;
    wait_until("an answer too many", || {
        let mut client = small(gateway.address);
        client.call("large", &SIZE.to_string());
        // Its head says which it is.
        let mut head = [0; 12];
        client.stream.peek(&mut head).expect("an answer");
        if head.ends_with(b"503") {
            refused = Some(client.answer());
        }
        readers.push(client);
        refused.is_some()
    });
    let refused = refused.expect("seen above");
    assert_eq!(refused.code(), "overloaded");
    assert!(refused.text().contains("\"may_have_run\":true"));
    // Small ones go on, and large ones when the others are taken.
    gateway.works();
    drop(readers);
    wait_until("the memory", || gateway.is_left_by_all());
    let mut client = gateway.connect();
    client.call("large", &SIZE.to_string());
    assert_eq!(client.answer().body.len(), SIZE);
    drop(client);
    gateway.is_unharmed();
}

#[test]
fn who_is_slow_but_steady_gets_everything() {
    const SIZE: usize = 1 << 20;
    let gateway = Gateway::start(&TIMEOUTS);
    let mut client = small(gateway.address);
    client.call("large", &SIZE.to_string());
    let mut got = 0;
    let mut bytes = vec![0; 16 << 10];
    while got < SIZE {
        dawdle();
        let count = client.stream.read(&mut bytes).expect("more");
        assert!(count > 0, "it ended after {got} bytes");
        got += count;
    }
    drop(client);
    gateway.is_unharmed();
}

#[test]
fn a_connection_without_a_request_ends() {
    let gateway = Gateway::start(&TIMEOUTS);
    let mut never = gateway.connect();
    let mut once = gateway.connect();
    once.call("echo", "1");
    assert_eq!(once.answer().status, 200);
    let mut begun = gateway.connect();
    begun.call("echo", "1");
    assert_eq!(begun.answer().status, 200);
    begun.send("P");
    let mut blank = gateway.connect();
    blank.send("\r\n\r\n");
    for client in [&mut never, &mut once, &mut begun, &mut blank] {
        client.is_closed();
    }
    gateway.is_unharmed();
}

/// A client whose system takes little before it is read.
fn small(address: SocketAddr) -> Client {
    let socket: OwnedFd = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    sockopt::set_socket_recv_buffer_size(&socket, 4096).expect("an option");
    connect(&socket, &address).expect("a connection");
    Client::on(socket.into())
}
