//! Request bodies: received whole, within their bounds of kind, size, memory and time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::{HeaderMap, StatusCode};
use pyproc::ContentType;
use tokio::time::{Instant, timeout, timeout_at};

use super::app::App;
use super::connections::SLOWEST;
use super::media;
use super::memory::Share;
use super::problem::Problem;

/// Memory for a body is never taken further ahead of what has come than this.
const AHEAD: usize = 1 << 20;

/// How long the rest of a body is read that nobody wants, so that its client gets to see the answer.
const REST: Duration = Duration::from_secs(5);

/// A body with its share of the memory.
pub(super) struct Received {
    pub(super) content_type: ContentType,
    pub(super) bytes: Bytes,
    pub(super) share: Share,
}

/// Receives a body; nothing when it is empty, and then it need not say what it is.
pub(super) async fn receive(
    app: &App,
    headers: &HeaderMap,
    body: &mut Incoming,
) -> Result<Option<Received>, Problem> {
    let most = app.settings.max_request_body;
    let expected = body.size_hint().lower();
    if expected > most as u64 {
        return Err(too_large(Some(expected), most));
    }
    // One that cannot be taken is not asked for; of one without a length the first byte tells.
    let mut content_type = None;
    if expected > 0 {
        content_type = Some(media::body(headers)?);
    }
    let mut share = app.memory.share();
    // Nearly always the body has come with the head, in one piece.
    let first = match frame(body).now_or_never() {
        Some(Some(piece)) => piece?,
        Some(None) => return Ok(None),
        None => Bytes::new(),
    };
    if content_type.is_none() && !first.is_empty() {
        content_type = Some(media::body(headers)?);
    }
    take(&mut share, first.len(), app)?;
    let received = |content_type: Option<ContentType>, bytes, share| {
        content_type.map(|content_type| Received {
            content_type,
            bytes,
            share,
        })
    };
    if body.is_end_stream() && first.len() <= most {
        return Ok(received(content_type, first, share));
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
                if content_type.is_none() && !piece.is_empty() {
                    content_type = Some(media::body(headers)?);
                }
                take(&mut share, piece.len(), app)?;
                whole.extend_from_slice(&piece);
            }
            Ok(None) => return Ok(received(content_type, whole.freeze(), share)),
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

/// Takes memory for what a request has sent.
pub(super) fn take(share: &mut Share, bytes: usize, app: &App) -> Result<(), Problem> {
    if share.grow(bytes) {
        return Ok(());
    }
    Err(Problem::unavailable(
        "overloaded",
        format!(
            "all requests together take the {} that `request_memory` allows; try again later",
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
