//! HTTP/2 frame by frame: floods of frames that are allowed one by one.

use crate::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, PING, PRIORITY, RST_STREAM,
    SETTINGS, TIMEOUTS, WINDOW_UPDATE, Wire, block, frame, head,
};
use crate::gateway::Gateway;

#[test]
fn floods_of_frames_harm_nobody() {
    const TIMES: u32 = 200_000;
    let gateway = Gateway::start(&TIMEOUTS);
    let empty_headers = frame(CONTINUATION, 0, 1, &[]);
    let full_headers = frame(
        CONTINUATION,
        0,
        1,
        &block(&[("x", &"y".repeat(120))]).repeat(100),
    );
    type Frames<'f> = &'f dyn Fn(u32) -> Vec<u8>;
    let begun = frame(HEADERS, 0, 1, &head(&[]));
    let nothing: &[u8] = &[];
    let floods: &[(&str, &[u8], Frames<'_>)] = &[
        ("headers without an end", &begun, &|_| full_headers.clone()),
        ("headers of nothing without an end", &begun, &|_| {
            empty_headers.clone()
        }),
        ("requests that are taken back", nothing, &|number| {
            let stream = 2 * number + 1;
            let request = frame(HEADERS, END_HEADERS | END_STREAM, stream, &head(&[]));
            [request, frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
        }),
        ("requests beyond the limit", nothing, &|number| {
            frame(HEADERS, END_HEADERS, 2 * number + 1, &head(&[]))
        }),
        ("requests that are wrong", nothing, &|number| {
            frame(HEADERS, END_HEADERS, 2 * number + 1, &block(&[("X", "y")]))
        }),
        ("settings", nothing, &|_| {
            frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff])
        }),
        ("settings that nobody waits for", nothing, &|_| {
            frame(SETTINGS, ACK, 0, &[])
        }),
        ("pings", nothing, &|_| frame(PING, 0, 0, &[1; 8])),
        ("answers to no pings", nothing, &|_| {
            frame(PING, ACK, 0, &[1; 8])
        }),
        ("priorities", nothing, &|number| {
            frame(PRIORITY, 0, 2 * number + 1, &[0, 0, 0, 0, 1])
        }),
        ("windows", nothing, &|_| {
            frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])
        }),
        ("frames that nobody knows", nothing, &|_| {
            frame(0xbb, 0xff, 0, &[7; 1000])
        }),
        ("data of nothing", &begun_whole(), &|_| {
            frame(DATA, 0, 1, &[])
        }),
        ("data that is padding", &begun_whole(), &|_| {
            frame(DATA, PADDED, 1, &[99; 100])
        }),
    ];
    for (what, first, frames) in floods {
        let mut wire = Wire::open(&gateway);
        wire.send(first);
        wire.flood(TIMES, frames);
        gateway.works();
        wire.ends(what);
    }
    gateway.is_unharmed();
}

/// A request whose body is still to come.
fn begun_whole() -> Vec<u8> {
    frame(
        HEADERS,
        END_HEADERS,
        1,
        &head(&[("content-type", "application/json")]),
    )
}
