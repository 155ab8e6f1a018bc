//! Content types: what a body is (Content-Type) and what an answer is to be (Accept).

use hyper::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use pyproc::ContentType;

use super::problem::Problem;

/// What bodies and answers can be, the default first, with every name that it goes by.
const NAMES: [(ContentType, &[&str]); 3] = [
    (ContentType::Json, &["application/json"]),
    (
        ContentType::MsgPack,
        &[
            "application/msgpack",
            "application/vnd.msgpack",
            "application/x-msgpack",
        ],
    ),
    (ContentType::Raw, &["application/octet-stream"]),
];

/// In sentences.
const ALL: &str = "application/json, application/msgpack or application/octet-stream";

/// In sentences about values.
const VALUES: &str = "application/json or application/msgpack";

/// The header of an answer.
pub(super) fn header(content_type: ContentType) -> HeaderValue {
    HeaderValue::from_static(match content_type {
        ContentType::MsgPack => "application/msgpack",
        ContentType::Raw => "application/octet-stream",
        _ => "application/json",
    })
}

/// What a body is. Without the header that is not guessed, since browsers let any page send such a request.
pub(super) fn body(headers: &HeaderMap) -> Result<ContentType, Problem> {
    for encoding in headers.get_all(CONTENT_ENCODING) {
        if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") {
            return Err(unsupported(format!(
                "a body of Content-Encoding {:?} cannot be taken; send it as it is",
                String::from_utf8_lossy(encoding.as_bytes())
            )));
        }
    }
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Err(unsupported(format!(
            "the body has no Content-Type; say which of {ALL} it is"
        )));
    };
    if value.as_bytes() == b"application/json" {
        return Ok(ContentType::Json);
    }
    let text = value.to_str().unwrap_or_default();
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    let essence = essence.trim().to_ascii_lowercase();
    let content_type = match named(&essence) {
        None if essence.starts_with("application/") && essence.ends_with("+json") => {
            ContentType::Json
        }
        None => {
            return Err(unsupported(format!(
                "a body of Content-Type {text:?} cannot be taken; send {ALL}"
            )));
        }
        Some(content_type) => content_type,
    };
    if content_type == ContentType::Json {
        check_charset(parameters)?;
    }
    Ok(content_type)
}

/// JSON is UTF-8, whatever else it says it is.
fn check_charset(parameters: &str) -> Result<(), Problem> {
    let charset = parameters
        .split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .map(|(_, charset)| charset.trim().trim_matches('"'));
    match charset {
        Some(charset) if !charset.eq_ignore_ascii_case("utf-8") => Err(unsupported(format!(
            "JSON in charset {charset:?} cannot be taken; send UTF-8"
        ))),
        _ => Ok(()),
    }
}

fn unsupported(detail: String) -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        detail,
    )
}

fn named(essence: &str) -> Option<ContentType> {
    NAMES
        .iter()
        .find(|(_, names)| names.contains(&essence))
        .map(|(content_type, _)| *content_type)
}

/// What a client wants its answer to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) content_type: ContentType,
    /// Whether it takes the bytes that a function returns as they are.
    pub(super) raw_bytes: bool,
    /// What it likes best beside bytes, if it takes anything else.
    value: Option<ContentType>,
}

impl Wanted {
    /// The same of a function that never returns bytes.
    pub(super) fn without_bytes(self, function: &str) -> Result<Self, Problem> {
        let Some(content_type) = self.value else {
            let detail = format!(
                "the function `{function}` returns no bytes, and the Accept header allows nothing else; accept {VALUES}"
            );
            return Err(not_acceptable(detail).of_function(function));
        };
        Ok(Self {
            content_type,
            ..self
        })
    }
}

fn not_acceptable(detail: String) -> Problem {
    Problem::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", detail)
}

/// What the answer is to be: what the client likes best, JSON where it has no preference. Bytes are
/// sent as they are unless it says that it does not take them.
pub(super) fn answer(headers: &HeaderMap) -> Result<Wanted, Problem> {
    let mut accepts = headers.get_all(ACCEPT).iter();
    let (first, more) = (accepts.next(), accepts.next());
    let json = |raw_bytes| Wanted {
        content_type: ContentType::Json,
        raw_bytes,
        value: Some(ContentType::Json),
    };
    match (first.map(HeaderValue::as_bytes), more) {
        (None | Some(b"*/*"), None) => return Ok(json(true)),
        (Some(b"application/json"), None) => return Ok(json(false)),
        _ => {}
    }
    let ranges: Vec<Range> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(Range::parse)
        .collect();
    let taken: Vec<(u16, ContentType)> = NAMES
        .iter()
        .filter_map(|(content_type, names)| {
            let quality = names.iter().map(|name| quality(name, &ranges)).max()?;
            (quality > 0).then_some((quality, *content_type))
        })
        .collect();
    let Some(content_type) = best(taken.iter()) else {
        return Err(not_acceptable(format!(
            "the Accept header allows no type of answer that there is; accept {ALL}"
        )));
    };
    let is_raw = |(_, taken): &&(u16, ContentType)| *taken == ContentType::Raw;
    Ok(Wanted {
        content_type,
        raw_bytes: taken.iter().any(|taken| is_raw(&taken)),
        value: best(taken.iter().filter(|taken| !is_raw(taken))),
    })
}

/// Of several types the one that is liked best; of two that are liked as much, the first.
fn best<'t>(taken: impl Iterator<Item = &'t (u16, ContentType)>) -> Option<ContentType> {
    let best = taken.reduce(|best, other| if other.0 > best.0 { other } else { best });
    best.map(|(_, content_type)| *content_type)
}

/// One range of an Accept header, `application/*;q=0.5`.
struct Range {
    essence: String,
    /// In thousandths.
    quality: u16,
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';');
        let essence = parts.next()?.trim().to_ascii_lowercase();
        let quality = parts
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
            .map_or(Some(1.0), |(_, value)| value.trim().parse::<f32>().ok())
            .filter(|quality| (0.0..=1.0).contains(quality))?;
        essence.contains('/').then_some(Self {
            essence,
            quality: (quality * 1000.0).round() as u16,
        })
    }

    /// How closely it describes a type: not at all, any, its family, exactly.
    fn closeness(&self, name: &str) -> u8 {
        let family = self.essence.strip_suffix('*');
        match family {
            _ if self.essence == name => 3,
            Some(family) if family != "*/" && name.starts_with(family) => 2,
            Some("*/") => 1,
            _ => 0,
        }
    }
}

/// How much a type is liked: what the closest range says.
fn quality(name: &str, ranges: &[Range]) -> u16 {
    ranges
        .iter()
        .map(|range| (range.closeness(name), range.quality))
        .filter(|(closeness, _)| *closeness > 0)
        .max()
        .map_or(0, |(_, quality)| quality)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: hyper::header::HeaderName, values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        headers
    }

    fn accepted(values: &[&'static str]) -> Option<(ContentType, bool)> {
        let wanted = answer(&headers(ACCEPT, values)).ok()?;
        Some((wanted.content_type, wanted.raw_bytes))
    }

    #[test]
    fn answers_are_what_the_client_likes_best() {
        use ContentType::{Json, MsgPack, Raw};
        assert_eq!(accepted(&[]), Some((Json, true)));
        assert_eq!(accepted(&["application/json"]), Some((Json, false)));
        assert_eq!(accepted(&["*/*"]), Some((Json, true)));
        assert_eq!(
            accepted(&["text/html, application/*;q=0.9"]),
            Some((Json, true))
        );
        assert_eq!(accepted(&["application/msgpack"]), Some((MsgPack, false)));
        assert_eq!(
            accepted(&["application/x-msgpack;q=0.5"]),
            Some((MsgPack, false))
        );
        assert_eq!(
            accepted(&["application/json;q=0.4, application/octet-stream;q=0.5"]),
            Some((Raw, true))
        );
        assert_eq!(
            accepted(&["*/*, application/json;q=0"]),
            Some((MsgPack, true))
        );
        assert_eq!(
            accepted(&["text/html", "Application/JSON ; q=1"]),
            Some((Json, false))
        );
        assert_eq!(accepted(&["text/html"]), None);
        assert_eq!(accepted(&["application/json;q=0"]), None);
        assert_eq!(accepted(&["application/json;q=2"]), None);
        assert_eq!(accepted(&[""]), None);
    }

    #[test]
    fn a_function_without_bytes_gives_what_is_liked_next() {
        let of = |value| {
            let wanted = answer(&headers(ACCEPT, &[value])).expect("a type");
            wanted.without_bytes("f").map(|wanted| wanted.content_type)
        };
        let both = "application/octet-stream, application/json;q=0.2, application/msgpack;q=0.3";
        assert_eq!(of(both).ok(), Some(ContentType::MsgPack));
        assert_eq!(of("*/*").ok(), Some(ContentType::Json));
        let none = of("application/octet-stream, application/json;q=0");
        assert_eq!(none.expect_err("nothing else").status(), 406);
    }

    #[test]
    fn bodies_are_what_they_say() {
        let of = |value| body(&headers(CONTENT_TYPE, &[value])).map_err(|it| it.document.detail);
        assert_eq!(of("application/json"), Ok(ContentType::Json));
        assert_eq!(
            of("Application/JSON; charset=\"UTF-8\""),
            Ok(ContentType::Json)
        );
        assert_eq!(of("application/ld+json"), Ok(ContentType::Json));
        assert_eq!(of("application/vnd.msgpack"), Ok(ContentType::MsgPack));
        assert_eq!(of("application/octet-stream"), Ok(ContentType::Raw));
        assert_eq!(
            of("application/json;charset=latin1").expect_err("no UTF-8"),
            "JSON in charset \"latin1\" cannot be taken; send UTF-8"
        );
        assert_eq!(
            of("text/plain").expect_err("a type too many"),
            "a body of Content-Type \"text/plain\" cannot be taken; send application/json, \
             application/msgpack or application/octet-stream"
        );
        assert_eq!(
            body(&HeaderMap::new())
                .expect_err("no type")
                .document
                .detail,
            "the body has no Content-Type; say which of application/json, application/msgpack or \
             application/octet-stream it is"
        );
    }
}
