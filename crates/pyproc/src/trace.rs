//! A call's place in a trace: the W3C context that travels with it, and its own span.

use std::fmt;

use tracing::Span;
use tracing::field::Empty;

use crate::calls::CallData;
use crate::request_id::RequestId;

/// Characters of a `traceparent` that this version of the standard defines.
const PARENT_CHARS: usize = 55;

/// Characters that a `tracestate` may have; every participant has to pass on that much.
const STATE_CHARS: usize = 512;

/// Members that a `tracestate` may have.
const STATE_MEMBERS: usize = 32;

/// A W3C trace context, to go with a call: [`Request::trace_context`](crate::Request::trace_context).
///
/// In Python `current_call()` shows it, and in a worker that uses OpenTelemetry the function runs in a
/// span that continues the trace.
///
/// ```
/// use pyproc::TraceContext;
///
/// let context = TraceContext::parse(
///     "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
///     Some("vendor=opaque"),
/// )?;
/// assert_eq!(context.tracestate(), Some("vendor=opaque"));
/// # Ok::<(), pyproc::InvalidTraceContext>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// As a record's extension block begins: the `traceparent`; after a line break the `tracestate`, if there is one.
    text: Box<str>,
}

/// Why a text is not a trace context.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {header} {text:?} {problem}")]
pub struct InvalidTraceContext {
    header: &'static str,
    text: String,
    problem: &'static str,
}

impl TraceContext {
    /// Reads the values of the headers `traceparent` and `tracestate`. A later version of the standard
    /// is read as far as this one goes. For the headers of a client there is
    /// [`from_headers`](Self::from_headers), which leaves out what is wrong.
    ///
    /// # Errors
    /// A sentence that says which of the two is wrong, and how it should be.
    pub fn parse(traceparent: &str, tracestate: Option<&str>) -> Result<Self, InvalidTraceContext> {
        let invalid = |header, text: &str, problem| InvalidTraceContext {
            header,
            text: text.to_owned(),
            problem,
        };
        let ids = parent(traceparent.trim())
            .map_err(|problem| invalid("traceparent", traceparent, problem))?;
        let mut text = format!("00{ids}");
        let state = tracestate.map(str::trim).filter(|state| !state.is_empty());
        if let Some(state) = state {
            check_state(state).map_err(|problem| invalid("tracestate", state, problem))?;
            text.push('\n');
            text.push_str(state);
        }
        Ok(Self { text: text.into() })
    }

    /// Reads the headers of a request that a service answers, as the standard wants it: `None` without a
    /// good `traceparent`; a `tracestate` that is wrong is left out.
    ///
    /// ```
    /// use pyproc::TraceContext;
    ///
    /// let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// let context = TraceContext::from_headers(Some(parent), Some("no list")).expect("a good parent");
    /// assert_eq!((context.traceparent(), context.tracestate()), (parent, None));
    /// assert_eq!(TraceContext::from_headers(Some("01"), None), None);
    /// assert_eq!(TraceContext::from_headers(None, Some("a=1")), None);
    /// ```
    #[must_use]
    pub fn from_headers(traceparent: Option<&str>, tracestate: Option<&str>) -> Option<Self> {
        let parent = traceparent?;
        Self::parse(parent, tracestate)
            .or_else(|_| Self::parse(parent, None))
            .ok()
    }

    /// The value of the header `traceparent`.
    #[must_use]
    pub fn traceparent(&self) -> &str {
        &self.text[..PARENT_CHARS]
    }

    /// The value of the header `tracestate`, if there is one.
    #[must_use]
    pub fn tracestate(&self) -> Option<&str> {
        self.text.get(PARENT_CHARS + 1..)
    }
}

/// A call's extension block: what it belongs to, as its record says it.
#[inline]
pub(crate) fn extension(
    trace: Option<Box<TraceContext>>,
    request_id: Option<RequestId>,
) -> Option<Box<str>> {
    match (trace, request_id) {
        (None, None) => None,
        (Some(trace), None) => Some(trace.text),
        (trace, Some(id)) => {
            let trace = trace.as_ref().map_or("", |trace| &trace.text);
            // Its second line, where it has none.
            let line = if trace.contains('\n') { "" } else { "\n" };
            Some([trace, line, "\n", id.as_str()].concat().into())
        }
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TraceContext")
            .field("traceparent", &self.traceparent())
            .field("tracestate", &self.tracestate())
            .finish()
    }
}

/// What follows the version in a `traceparent`.
fn parent(text: &str) -> Result<&str, &'static str> {
    const FORM: &str = "is not of the form 00-{32 hexadecimal digits}-{16}-{2}, in lower case";
    let hex = |text: &str| {
        text.bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    if !text.is_ascii() || text.len() < PARENT_CHARS {
        return Err(FORM);
    }
    let (known, rest) = text.split_at(PARENT_CHARS);
    let parts: Vec<&str> = known.split('-').collect();
    let [version, trace, parent, flags] = parts[..] else {
        return Err(FORM);
    };
    let lengths = [version, trace, parent, flags].map(str::len);
    if lengths != [2, 32, 16, 2] || ![version, trace, parent, flags].into_iter().all(hex) {
        return Err(FORM);
    }
    if !rest.is_empty() && (version == "00" || !rest.starts_with('-')) {
        return Err(FORM);
    }
    let zero = |id: &str| id.bytes().all(|byte| byte == b'0');
    match () {
        () if version == "ff" => Err("is of version ff, which there is not"),
        () if zero(trace) => Err("has a trace id of zeros, which stands for none"),
        () if zero(parent) => Err("has a parent id of zeros, which stands for none"),
        () => Ok(&known[2..]),
    }
}

fn check_state(text: &str) -> Result<(), &'static str> {
    if text.len() > STATE_CHARS {
        return Err("is longer than 512 characters");
    }
    let members = text
        .split(',')
        .map(|member| member.trim_matches([' ', '\t']))
        .filter(|member| !member.is_empty());
    let mut count = 0;
    for member in members {
        count += 1;
        let fits = member.split_once('=').is_some_and(|(key, value)| {
            let key_char = |byte: u8| {
                matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@')
            };
            let value_char = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'=';
            key.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
                && key.bytes().all(key_char)
                && !value.is_empty()
                && value.bytes().all(value_char)
        });
        if !fits {
            return Err("is not a list of key=value, separated by commas");
        }
    }
    if count > STATE_MEMBERS {
        return Err("has more than 32 members");
    }
    Ok(())
}

/// The span of one call. Without a subscriber that wants it, it is nothing.
pub(crate) struct CallSpan {
    span: Span,
    ended: bool,
}

impl CallSpan {
    #[inline]
    pub(crate) fn new(function: &str) -> Self {
        // What OpenTelemetry calls the caller's side of a call between two processes.
        #[cfg(feature = "opentelemetry")]
        let span = tracing::debug_span!(
            target: "pyproc", "pyproc.call", otel.kind = "client",
            function, outcome = Empty, worker = Empty, attempts = Empty
        );
        #[cfg(not(feature = "opentelemetry"))]
        let span = tracing::debug_span!(
            target: "pyproc", "pyproc.call",
            function, outcome = Empty, worker = Empty, attempts = Empty
        );
        Self { span, ended: false }
    }

    /// The context that the call takes along: that of its own span, or, where nobody wants that one, of
    /// the span in which it is made.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn context(&self) -> Option<Box<TraceContext>> {
        use opentelemetry::trace::TraceContextExt;
        use tracing_opentelemetry::OpenTelemetrySpanExt;

        let context = if self.span.is_disabled() {
            Span::current().context()
        } else {
            self.span.context()
        };
        let span = context.span();
        let parent = span.span_context();
        if !parent.is_valid() {
            return None;
        }
        let (trace, id) = (parent.trace_id(), parent.span_id());
        let traceparent = format!("00-{trace}-{id}-{:02x}", parent.trace_flags());
        let state = parent.trace_state().header();
        // A state that is beyond the standard's limits is left out.
        TraceContext::from_headers(Some(&traceparent), Some(&state)).map(Box::new)
    }

    /// Without the feature `opentelemetry` a call takes along what it is told to, and nothing else.
    #[cfg(not(feature = "opentelemetry"))]
    #[inline]
    pub(crate) fn context(&self) -> Option<Box<TraceContext>> {
        None
    }

    /// Which worker had the call last, and how many had it.
    #[inline]
    pub(crate) fn ran(&self, data: &CallData) {
        if !self.span.is_disabled() && data.attempts > 0 {
            self.span.record("worker", data.worker);
            self.span.record("attempts", data.attempts);
        }
    }

    /// How the call ended, in the words of the metrics.
    #[inline]
    pub(crate) fn end(&mut self, outcome: &'static str) {
        if !self.span.is_disabled() {
            self.span.record("outcome", outcome);
            self.ended = true;
            #[cfg(feature = "opentelemetry")]
            if outcome != crate::request::OK {
                self.mark_failed(outcome);
            }
        }
    }

    /// What shows a span as failed to who looks at the trace.
    #[cfg(feature = "opentelemetry")]
    #[cold]
    fn mark_failed(&self, outcome: &'static str) {
        use opentelemetry::trace::Status;
        use tracing_opentelemetry::OpenTelemetrySpanExt;

        self.span.set_attribute("error.type", outcome);
        self.span.set_status(Status::error(outcome));
    }
}

impl Drop for CallSpan {
    #[inline]
    fn drop(&mut self) {
        if !self.ended && !self.span.is_disabled() {
            self.span.record("outcome", "dropped");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_good_context_is_kept_as_it_is() {
        let context =
            TraceContext::parse(PARENT, Some("a=1, tenant@vendor=x y ,, b=2")).expect("good");
        assert_eq!(context.traceparent(), PARENT);
        assert_eq!(context.tracestate(), Some("a=1, tenant@vendor=x y ,, b=2"));
        for state in [None, Some(""), Some("  ")] {
            let context = TraceContext::parse(&format!(" {PARENT} "), state).expect("good");
            assert_eq!(
                (context.traceparent(), context.tracestate()),
                (PARENT, None)
            );
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_this_one_goes() {
        let later = PARENT.replacen("00", "cc", 1) + "-what-the-future-brings";
        let context = TraceContext::parse(&later, None).expect("good");
        assert_eq!(context.traceparent(), PARENT);
    }

    #[test]
    fn what_is_wrong_is_one_sentence() {
        let wrong = |parent: &str, state: Option<&str>| {
            TraceContext::parse(parent, state)
                .expect_err("wrong")
                .to_string()
        };
        let form = "is not of the form 00-{32 hexadecimal digits}-{16}-{2}, in lower case";
        for parent in [
            "",
            "00-4bf92f35",
            &PARENT.to_uppercase(),
            &PARENT.replace('-', "_"),
            &format!("{PARENT}-more"),
            &format!("{}é", &PARENT[..53]),
        ] {
            assert_eq!(
                wrong(parent, None),
                format!("the traceparent {parent:?} {form}")
            );
        }
        let zeros = PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32));
        assert!(wrong(&zeros, None).ends_with("has a trace id of zeros, which stands for none"));
        let zeros = PARENT.replace("00f067aa0ba902b7", &"0".repeat(16));
        assert!(wrong(&zeros, None).ends_with("has a parent id of zeros, which stands for none"));
        let version = PARENT.replacen("00", "ff", 1);
        assert!(wrong(&version, None).ends_with("is of version ff, which there is not"));
        for state in ["a", "=1", "a=", "A=1", "a=1\n", "a=b=c", "a=é"] {
            let sentence = wrong(PARENT, Some(&format!("b=2,{state},c=3")));
            assert!(
                sentence.ends_with("is not a list of key=value, separated by commas"),
                "{sentence}"
            );
        }
        let many: Vec<String> = (0..33).map(|at| format!("k{at}=v")).collect();
        assert!(wrong(PARENT, Some(&many.join(","))).ends_with("has more than 32 members"));
        let long = format!("a={}", "x".repeat(511));
        assert!(wrong(PARENT, Some(&long)).ends_with("is longer than 512 characters"));
    }
}
