//! The JSON schema of a configuration, with the feature `schema`.
//!
//! A `PoolConfig` is a [`JsonSchema`](schemars::JsonSchema): descriptions are its comments, defaults and
//! bounds those of the code. A program whose own configuration has durations and sizes uses [`Span`] and
//! [`Size`] for them and gives them [`bounds`].

use std::borrow::Cow;
use std::ops::RangeInclusive;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::{Size, Span, bounds as own};

/// What a duration looks like: [`Span`] reads this, and what is longer than 584 years it refuses.
const DURATION: &str = "^\\s*([0-9]+(\\.[0-9]+)?\\s*(ns|nsec|us|µs|usec|ms|msec|s|sec|secs|second|seconds|m|min|mins|minute|minutes\
|h|hr|hrs|hour|hours|d|day|days|w|wk|wks|week|weeks|M|month|months|y|yr|yrs|year|years)\\s*)+$";

/// What a size looks like.
const SIZE: &str = "^\\s*[0-9]+(\\.[0-9]+)?\\s*([kKmMgGtTpPeE][iI]?[bB]?|[bB])\\s*$";

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": DURATION, "examples": ["250ms", "10s", "1m 30s"]})
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": SIZE, "examples": ["512KiB", "64MiB", "1GiB"]})
    }
}

/// Writes the bounds of a key into the schema of its struct: `minimum` and `maximum` of a number;
/// `x-minimum` and `x-maximum` of what is text, which JSON schema has no words for.
pub fn bounds<T: Bound>(schema: &mut Schema, key: &str, bounds: RangeInclusive<T>) {
    let property = schema
        .pointer_mut(&format!("/properties/{key}"))
        .and_then(Value::as_object_mut);
    if let Some(property) = property {
        let (least, most) = bounds.into_inner();
        let [minimum, maximum] = T::WORDS;
        property.insert(minimum.to_owned(), least.value());
        property.insert(maximum.to_owned(), most.value());
    }
}

/// What can be a bound.
pub trait Bound {
    /// The words for the least and the most.
    const WORDS: [&'static str; 2];
    /// The bound as it stands in a schema.
    fn value(self) -> Value;
}

impl Bound for u32 {
    const WORDS: [&'static str; 2] = ["minimum", "maximum"];

    fn value(self) -> Value {
        self.into()
    }
}

impl Bound for std::time::Duration {
    const WORDS: [&'static str; 2] = ["x-minimum", "x-maximum"];

    fn value(self) -> Value {
        Span::from(self).to_string().into()
    }
}

impl Bound for u64 {
    const WORDS: [&'static str; 2] = ["x-minimum", "x-maximum"];

    fn value(self) -> Value {
        Size::from(self).to_string().into()
    }
}

/// The bounds of a pool's keys.
pub(super) fn pool(schema: &mut Schema) {
    bounds(schema, "workers", own::WORKERS);
    bounds(schema, "queue", own::QUEUE);
    bounds(schema, "max_concurrency", own::MAX_CONCURRENCY);
    bounds(schema, "timeout", own::TIMEOUT);
    bounds(schema, "grace", own::GRACE);
    bounds(schema, "start_timeout", own::START_TIMEOUT);
    bounds(schema, "shutdown_timeout", own::SHUTDOWN_TIMEOUT);
    bounds(schema, "max_attempts", own::MAX_ATTEMPTS);
    bounds(schema, "max_body", own::MAX_BODY);
    bounds(schema, "ring", own::RING);
    bounds(schema, "segment_memory", own::SEGMENT_MEMORY);
    bounds(schema, "segment_idle", own::SEGMENT_IDLE);
    bounds(schema, "spin", own::SPIN);
    bounds(
        schema,
        "restart_backoff_initial",
        own::RESTART_BACKOFF_INITIAL,
    );
    bounds(schema, "restart_backoff_max", own::RESTART_BACKOFF_MAX);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use regex::Regex;
    use schemars::generate::SchemaSettings;
    use serde_json::{Value, json};

    use super::*;
    use crate::PoolConfig;
    use crate::config::units;

    fn properties() -> serde_json::Map<String, Value> {
        let schema = SchemaSettings::draft07()
            .into_generator()
            .into_root_schema_for::<PoolConfig>();
        let properties = schema.get("properties").and_then(Value::as_object);
        properties.expect("a struct has properties").clone()
    }

    /// The problems of a configuration with this value, with the key's own alone.
    fn problem(key: &str, value: &Value) -> Option<String> {
        let mut config = json!({"target": "worker.py", "segment_memory": "16TiB", "restart_backoff_initial": "1ms"});
        if key == "restart_backoff_initial" {
            config["restart_backoff_max"] = json!("1day");
        }
        if key == "segment_memory" {
            config["max_body"] = json!("1KiB");
        }
        config[key] = value.clone();
        let config: PoolConfig = serde_json::from_value(config).expect("a value of the right type");
        let problems = config.resolve().err()?;
        let own = problems
            .problems()
            .iter()
            .find(|problem| problem.key == key)?;
        Some(own.message.clone())
    }

    #[test]
    fn every_bound_of_the_schema_is_that_of_the_code() {
        let mut bounded = 0;
        for (key, property) in properties() {
            let words = ["minimum", "maximum", "x-minimum", "x-maximum"];
            let bounds: Vec<&Value> = words
                .iter()
                .filter_map(|word| property.get(*word))
                .collect();
            let quantity = property.get("pattern").is_some() || property.get("format").is_some();
            assert_eq!(
                bounds.len(),
                if quantity { 2 } else { 0 },
                "{key}: {property}"
            );
            let [least, most] = bounds[..] else { continue };
            bounded += 1;
            assert_eq!(problem(&key, least), None, "{key}");
            assert_eq!(problem(&key, most), None, "{key}");
            let beyond = match most {
                Value::Number(_) => json!(u32::MAX),
                _ if property["pattern"] == DURATION => json!("100years"),
                _ => json!("8EiB"),
            };
            let text = |bound: &Value| bound.to_string().replace('"', "");
            let said = problem(&key, &beyond).expect("beyond the bounds");
            let bounds = format!("; it must be from {} to {}", text(least), text(most));
            assert!(said.ends_with(&bounds), "{key}: {said} {bounds}");
        }
        assert_eq!(bounded, 15);
    }

    #[test]
    fn the_patterns_are_what_is_read() {
        let duration = Regex::new(DURATION).expect("a pattern");
        let size = Regex::new(SIZE).expect("a pattern");
        for text in [
            "",
            "0",
            "60",
            "1.5",
            "-1s",
            "soon",
            "s",
            "0s",
            "1m",
            "1h 30m",
            "1h30m",
            "1.5s",
            "10 s",
            "5minutes",
            "1M",
            "1 fortnight",
            "2weeks",
            " 1s ",
            "1µs",
            "1us",
            "1s,",
            "0B",
            "1kb",
            "64 MiB",
            "64M",
            "1GB",
            "1ZB",
            "1.5 GB",
            "1 byte",
            "1Mib",
            "MiB",
            "1,5MB",
            "7e",
        ] {
            assert_eq!(
                duration.is_match(text),
                units::parse_duration(text).is_some(),
                "{text:?} as a duration"
            );
            assert_eq!(
                size.is_match(text),
                units::parse_size(text).is_some(),
                "{text:?} as a size"
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_written_fits_the_patterns(nanoseconds: u64, bytes: u64) {
            let span = Span::from(Duration::from_nanos(nanoseconds)).to_string();
            prop_assert!(Regex::new(DURATION).expect("a pattern").is_match(&span));
            let size = Size::from(bytes).to_string();
            prop_assert!(Regex::new(SIZE).expect("a pattern").is_match(&size));
        }
    }
}
