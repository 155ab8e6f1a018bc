//! Clients that leave: before their request is whole, or before they have its answer.

use crate::client::{Client, request};
use crate::gateway::{Gateway, wait_until};

/// How a client leaves.
const WAYS: [fn(Client); 2] = [drop, Client::reset];

#[test]
fn requests_that_are_cut_off_harm_nobody() {
    let gateway = Gateway::start(&[]);
    let whole = request(
        "echo",
        "application/json",
        format!("[{}]", "1,".repeat(50_000)).as_bytes(),
    );
    let chunked = "POST /v1/call/echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                   Transfer-Encoding: chunked\r\n\r\n4\r\n[1,2\r\n5\r\n,";
    for leave in WAYS {
        for cut in [1, 20, 60, 120, 130, 200, 10_000, whole.len() - 1] {
            let mut client = gateway.connect();
            client.send(&whole[..cut]);
            leave(client);
        }
        for cut in 100..chunked.len() {
            let mut client = gateway.connect();
            client.send(&chunked[..cut]);
            leave(client);
        }
    }
    gateway.is_unharmed();
}

#[test]
fn a_body_that_ends_early_is_never_called_with() {
    let gateway = Gateway::start(&[]);
    for body in [
        "Content-Length: 10\r\n\r\n",
        "Content-Length: 10\r\n\r\n[1]",
        "Transfer-Encoding: chunked\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3\r\n[1]",
        "Transfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n0\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n0\r\nX: y\r\n",
    ] {
        let mut client = gateway.connect();
        client.send(format!(
            "POST /v1/call/smuggled HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{body}"
        ));
        client.finish();
        // The gateway may say so, or see that nobody is there.
        for answer in client.rest() {
            assert_eq!(answer.status, 400, "{body}");
        }
    }
    assert_eq!(gateway.count("smuggled"), 0);
    gateway.is_unharmed();
}

#[test]
fn who_leaves_cancels_a_coroutine() {
    let gateway = Gateway::start(&[]);
    for (left, leave) in WAYS.iter().cycle().take(20).enumerate() {
        let mut client = gateway.connect();
        client.call("wait", "");
        gateway.said("waits", left + 1);
        leave(client);
        wait_until("the coroutine's end", || {
            gateway.count("cancelled") == left as u64 + 1
        });
    }
    gateway.is_unharmed();
}

#[test]
fn who_leaves_with_the_next_request_begun_cancels_too() {
    let gateway = Gateway::start(&[]);
    let rests = [
        "G",
        "\r",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ];
    let ways = rests
        .iter()
        .flat_map(|rest| WAYS.map(|leave| (rest, leave)));
    let mut left = 0;
    for at_once in [true, false] {
        for (rest, leave) in ways.clone() {
            left += 1;
            let mut client = gateway.connect();
            let call = request("wait", "application/json", b"");
            if at_once {
                client.send([&call, rest.as_bytes()].concat());
                gateway.said("waits", left);
            } else {
                client.send(call);
                gateway.said("waits", left);
                client.send(rest);
            }
            leave(client);
            wait_until("the coroutine's end", || {
                gateway.count("cancelled") == left as u64
            });
        }
    }
    // Who stays is answered, the next request too.
    let mut client = gateway.connect();
    let first = request("doze", "application/json", b"0.6");
    client.send([first, request("echo", "application/json", b"2")].concat());
    assert_eq!(client.answer().text(), "0.6");
    assert_eq!(client.answer().text(), "2");
    drop(client);
    gateway.is_unharmed();
}

#[test]
fn who_leaves_interrupts_a_plain_function() {
    let gateway = Gateway::start(&[]);
    for (left, leave) in WAYS.iter().cycle().take(4).enumerate() {
        let mut client = gateway.connect();
        client.call("sleep", "");
        gateway.said("sleeps", left + 1);
        leave(client);
        // There is one worker: it answers when it has been freed.
        assert_eq!(gateway.count("interrupted"), left as u64 + 1);
    }
    gateway.is_unharmed();
}

#[test]
fn a_crowd_that_leaves_at_once_leaves_nothing() {
    let gateway = Gateway::start(&[]);
    let mut crowd: Vec<Client> = (0..300).map(|_| gateway.connect()).collect();
    for (number, client) in crowd.iter_mut().enumerate() {
        match number % 3 {
            0 => client.call("wait", ""),
            1 => client.call("large", "1000000"),
            _ => client.call("echo", "[1, 2, 3]"),
        }
    }
    gateway.said("waits", 1);
    for (number, client) in crowd.into_iter().enumerate() {
        WAYS[number % 2](client);
    }
    gateway.is_unharmed();
}
