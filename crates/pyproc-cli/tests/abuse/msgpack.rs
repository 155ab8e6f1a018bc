//! Bodies that are no MessagePack, or promise more than they have.

use crate::client::request;
use crate::gateway::Gateway;

const DEEP: usize = 100_000;

/// Bodies that no reader of MessagePack may take.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let long = |kind: u8| vec![kind, 0xff, 0xff, 0xff, 0xff];
    vec![
        ("the byte that means nothing", vec![0xc1]),
        ("it inside of an array", vec![0x91, 0xc1]),
        ("a truncated number", vec![0xcf, 1, 2]),
        ("a truncated float", vec![0xcb, 1]),
        ("a truncated string", vec![0xa5, b'a']),
        ("a truncated array", vec![0x92, 1]),
        ("a truncated map", vec![0x81, 0xa1, b'a']),
        ("an array without its length", vec![0xdd, 0]),
        ("an array of 4 G", long(0xdd)),
        ("a map of 4 G", long(0xdf)),
        ("a string of 4 G", long(0xdb)),
        ("bytes of 4 G", long(0xc6)),
        ("an extension of 4 G", [long(0xc9), vec![1]].concat()),
        ("arrays of 4 G in each other", long(0xdd).repeat(1_000)),
        (
            "maps of 4 G in each other",
            [long(0xdf), vec![0xa1, b'a']].concat().repeat(1_000),
        ),
        (
            "arrays of 64 k in each other",
            [0xdc, 0xff, 0xff].repeat(DEEP),
        ),
        ("deep arrays", vec![0x91; DEEP]),
        ("deep arrays that end", [vec![0x91; DEEP], vec![1]].concat()),
        ("deep maps", [0x81, 0xa1, b'a'].repeat(DEEP)),
        ("a string that is no UTF-8", vec![0xa1, 0xff]),
        ("a key that is no UTF-8", vec![0x81, 0xa1, 0xff, 1]),
        ("two values", vec![1, 2]),
        ("a time of the wrong length", vec![0xc7, 3, 0xff, 0, 0, 0]),
        (
            "a time with 4 G nanoseconds",
            [vec![0xd7, 0xff], vec![0xff; 8]].concat(),
        ),
        ("a map as a key", vec![0x81, 0x80, 1]),
    ]
}

#[test]
fn malformed_messagepack_is_400_or_422_and_harms_nobody() {
    let gateway = Gateway::start(&[]);
    let mut client = gateway.connect();
    let mut wrong = Vec::new();
    for (what, body) in malformed() {
        for function in ["echo", "typed"] {
            client.send(request(function, "application/msgpack", &body));
            let answer = client.answer();
            // A value that cannot be has a place, and is named as a wrong argument.
            if !matches!(answer.status, 400 | 422) {
                wrong.push((what, function, answer.status, answer.text()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    drop(client);
    gateway.is_unharmed();
}

#[test]
fn any_bytes_are_a_value_or_refused() {
    let gateway = Gateway::start(&[]);
    let mut client = gateway.connect();
    for first in 0..=255_u8 {
        let rest =
            (0..64_u8).map(|place| first.wrapping_mul(31).wrapping_add(place.wrapping_mul(7)));
        let body: Vec<u8> = std::iter::once(first).chain(rest).collect();
        client.send(request("echo", "application/msgpack", &body));
        let answer = client.answer();
        assert!(
            matches!(answer.status, 200 | 400 | 422),
            "{body:?}: {}",
            answer.text()
        );
    }
    drop(client);
    gateway.is_unharmed();
}
