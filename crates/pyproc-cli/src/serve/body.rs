//! Request bodies: received whole, within their bounds of size, memory and time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, timeout, timeout_at};

use super::app::App;
use super::connections::SLOWEST;
use super::memory::Share;
use super::problem::Problem;

/// Memory for a body is never taken further ahead of what has come than this.
const AHEAD: usize = 1 << 20;

/// How long the rest of a body is read that nobody wants, so that its client gets to see the answer.
const REST: Duration = Duration::from_secs(5);

/// A body with its share of the memory.
pub(super) type Received = (Bytes, Share);

/// Receives a body.
pub(super) async fn receive(app: &App, body: &mut Incoming) -> Result<Received, Problem> {
    let most = app.settings.max_request_body;
    let expected = body.size_hint().lower();
    if expected > most as u64 {
        return Err(too_large(Some(expected), most));
    }
    let mut share = app.memory.share();
    // Nearly always the body has come with the head, in one piece.
    let first = match frame(body).now_or_never() {
        Some(Some(piece)) => piece?,
        Some(None) => return Ok((Bytes::new(), share)),
        None => Bytes::new(),
    };
    take(&mut share, first.len(), app)?;
    if body.is_end_stream() && first.len() <= most {
        return Ok((first, share));
    }
    let ahead = usize::try_from(expected).unwrap_or(AHEAD).min(AHEAD);
    let mut whole = BytesMut::with_capacity(ahead.max(first.len()));
    whole.extend_from_slice(&first);
    drop(first);
    let begun = Instant::now();
    loop {
        if whole.len() > most {
            return Err(too_large(None, most));
        }
        let earned = Duration::from_secs_f64(whole.len() as f64 / f64::from(SLOWEST));
        let deadline = begun + app.settings.body_timeout + earned;
        let piece = tokio::select! {
            biased;
            piece = timeout_at(deadline, frame(body)) => piece,
            () = app.closing.cancelled() => return Err(closing()),
        };
        match piece {
            Ok(Some(piece)) => {
                let piece = piece?;
                take(&mut share, piece.len(), app)?;
                whole.extend_from_slice(&piece);
            }
            Ok(None) => return Ok((whole.freeze(), share)),
            Err(_) => return Err(too_slow(whole.len(), expected)),
        }
    }
}

/// The next piece of a body; trailers are passed over.
async fn frame(body: &mut Incoming) -> Option<Result<Bytes, Problem>> {
    loop {
        match body.frame().await? {
            Ok(frame) => {
                if let Ok(piece) = frame.into_data() {
                    return Some(Ok(piece));
                }
            }
            Err(error) => return Some(Err(broken(&error))),
        }
    }
}

fn take(share: &mut Share, bytes: usize, app: &App) -> Result<(), Problem> {
    if share.grow(bytes) {
        return Ok(());
    }
    Err(Problem::unavailable(
        "overloaded",
        format!(
            "the bodies of all requests take the {} that `request_memory` allows; try again later",
            size(app.memory.limit() as u64)
        ),
        Duration::from_secs(1),
    ))
}

fn closing() -> Problem {
    Problem::unavailable(
        "closed",
        "the gateway shuts down and the body of the request has not come whole; send it again",
        Duration::from_secs(1),
    )
}

fn too_large(bytes: Option<u64>, most: usize) -> Problem {
    let is = bytes.map_or_else(|| format!("larger than {}", size(most as u64)), size);
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        format!(
            "the body of the request is {is}, and `max_request_body` allows {}; send less or raise it",
            size(most as u64)
        ),
    )
}

fn too_slow(received: usize, expected: u64) -> Problem {
    let of = if expected > 0 {
        format!(" of {expected}")
    } else {
        String::new()
    };
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "slow_body",
        format!(
            "the body of the request came too slowly: {received}{of} bytes had come; send it faster or raise `body_timeout`"
        ),
    )
}

fn broken(error: &hyper::Error) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed",
        format!("the body of the request is broken off or badly framed: {error}"),
    )
}

fn size(bytes: u64) -> String {
    pyproc::Size::from(bytes).to_string()
}

/// Reads for a while what is left of a body that was answered before its end. A connection that is
/// closed while bytes come is reset, and then many clients lose the answer.
///
/// Says whether there is such a rest: then an HTTP/1 connection cannot be used again, and the answer
/// has to say so.
pub(super) fn discard(mut body: Incoming) -> bool {
    while !body.is_end_stream() {
        match body.frame().now_or_never() {
            Some(Some(Ok(_))) => {}
            Some(None) => return false,
            Some(Some(Err(_))) => return true,
            None => {
                tokio::spawn(timeout(REST, async move {
                    while let Some(Ok(_)) = body.frame().await {}
                }));
                return true;
            }
        }
    }
    false
}
