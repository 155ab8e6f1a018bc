//! [`Span`] and [`Size`]: durations and sizes as a configuration gives them.
//!
//! Reading one from a file never fails: what cannot be read is kept as it stands, and
//! [`PoolConfig::resolve`](super::PoolConfig::resolve) reports it together with every other problem.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::units;

/// A duration in a configuration: text with a unit, `"250ms"`, or a [`Duration`] from a setter.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(pyproc::Span::from("250ms"), Duration::from_millis(250).into());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Span(Given<Duration>);

/// A number of bytes in a configuration: text with a unit, `"64MiB"`, or a number from a setter.
///
/// ```
/// assert_eq!(pyproc::Size::from("64MiB"), (64 << 20).into());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Size(Given<u64>);

/// A value, or the text that does not give one.
#[derive(Clone, PartialEq, Eq)]
enum Given<T> {
    Value(T),
    Unreadable(String),
}

impl Span {
    /// The duration, if it is one within the bounds.
    ///
    /// # Errors
    ///
    /// What is wrong and what would be right, to stand after the key: `is 2h; it must be from 0s to 1h`.
    pub fn within(&self, bounds: RangeInclusive<Duration>) -> Result<Duration, String> {
        match &self.0 {
            Given::Value(span) => within(*span, bounds, units::duration),
            Given::Unreadable(text) => Err(format!(
                "is {text}, which is not a duration: write text with a unit, such as \"250ms\", \"10s\" or \"5m\""
            )),
        }
    }
}

impl Size {
    /// The number of bytes, if it is one within the bounds.
    ///
    /// # Errors
    ///
    /// What is wrong and what would be right, to stand after the key: `is 2TiB; it must be from 1KiB to 1TiB`.
    pub fn within(&self, bounds: RangeInclusive<u64>) -> Result<u64, String> {
        match &self.0 {
            Given::Value(size) => within(*size, bounds, units::bytes),
            Given::Unreadable(text) => Err(format!(
                "is {text}, which is not a size: write text with a unit, such as \"512KiB\", \"64MiB\" or \"1GiB\""
            )),
        }
    }
}

/// A value within its bounds, or the sentence that says both.
pub(super) fn within<T: PartialOrd + Copy, D: Display>(
    value: T,
    bounds: RangeInclusive<T>,
    show: fn(T) -> D,
) -> Result<T, String> {
    if bounds.contains(&value) {
        return Ok(value);
    }
    let (least, most) = bounds.into_inner();
    Err(format!(
        "is {}; it must be from {} to {}",
        show(value),
        show(least),
        show(most)
    ))
}

impl From<Duration> for Span {
    fn from(span: Duration) -> Self {
        Self(Given::Value(span))
    }
}

impl From<&str> for Span {
    fn from(text: &str) -> Self {
        Self(
            units::parse_duration(text)
                .map_or_else(|| Given::Unreadable(format!("{text:?}")), Given::Value),
        )
    }
}

impl From<u64> for Size {
    fn from(size: u64) -> Self {
        Self(Given::Value(size))
    }
}

impl From<&str> for Size {
    fn from(text: &str) -> Self {
        Self(
            units::parse_size(text)
                .map_or_else(|| Given::Unreadable(format!("{text:?}")), Given::Value),
        )
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Given::Value(span) => formatter.write_str(&units::duration(*span)),
            Given::Unreadable(text) => formatter.write_str(text),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Given::Value(size) => formatter.write_str(&units::bytes(*size)),
            Given::Unreadable(text) => formatter.write_str(text),
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Debug for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(TextVisitor)
            .map(|scalar| match scalar {
                Scalar::Text(text) => Self::from(text.as_str()),
                Scalar::Number(number) => Self(Given::Unreadable(number)),
            })
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(TextVisitor)
            .map(|scalar| match scalar {
                Scalar::Text(text) => Self::from(text.as_str()),
                Scalar::Number(number) => Self(Given::Unreadable(number)),
            })
    }
}

/// What stands where text with a unit should.
enum Scalar {
    Text(String),
    Number(String),
}

/// Takes text, and numbers as well, so that a missing unit is reported with the other problems.
struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Scalar;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("text with a unit")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number.to_string()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number.to_string()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number.to_string()))
    }
}
