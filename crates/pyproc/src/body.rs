//! What calls carry: [`Body`] to a function, [`Reply`] from it.

use std::fmt;

use bytes::Bytes;
use pyproc_ipc::record::ContentType;
use serde::Serialize;
use serde::de::value::{BytesDeserializer, SeqDeserializer, UnitDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::allocate::BodyMut;
use crate::error::CallError;

/// The arguments of a call, as bytes and what they are.
///
/// A body that is given as bytes goes to Python untouched; nothing checks it before Python decodes
/// it. Memory for a large body that is to be written in place comes from
/// [`Pool::allocate`](crate::Pool::allocate). `Debug` shows how many bytes there are: they may be
/// secret.
///
/// ```
/// use pyproc::{Body, ContentType};
///
/// let body = Body::json(r#"{"value": 42}"#);
/// assert_eq!(body.content_type(), ContentType::Json);
/// assert_eq!(body.bytes().len(), 13);
/// ```
#[derive(Default)]
pub struct Body {
    content_type: ContentType,
    payload: Payload,
}

impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Body")
            .field("content_type", &self.content_type)
            .field("bytes", &self.bytes().len())
            .finish()
    }
}

/// Where a body's bytes are.
pub(crate) enum Payload {
    /// In memory of this process.
    Bytes(Bytes),
    /// In shared memory already.
    InPlace(BodyMut),
}

impl Default for Payload {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl Body {
    /// No body at all: the function's defaults apply.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// A body in MessagePack.
    #[must_use]
    pub fn msgpack(bytes: impl Into<Bytes>) -> Self {
        Self {
            content_type: ContentType::MsgPack,
            payload: Payload::Bytes(bytes.into()),
        }
    }

    /// A body in JSON: UTF-8 text.
    #[must_use]
    pub fn json(bytes: impl Into<Bytes>) -> Self {
        Self {
            content_type: ContentType::Json,
            payload: Payload::Bytes(bytes.into()),
        }
    }

    /// Bytes as they are: the function's one argument.
    #[must_use]
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self {
            content_type: ContentType::Raw,
            payload: Payload::Bytes(bytes.into()),
        }
    }

    /// Typed arguments, in MessagePack: structs travel as maps by name.
    ///
    /// ```
    /// # fn main() -> Result<(), pyproc::CallError> {
    /// let body = pyproc::Body::encode(&("text", 3))?;
    /// assert_eq!(body.bytes(), b"\x92\xa4text\x03");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CallError::Malformed`] when their `Serialize` fails.
    pub fn encode<A: Serialize + ?Sized>(arguments: &A) -> Result<Self, CallError> {
        let mut buffer = Vec::new();
        encode_arguments(arguments, &mut buffer)?;
        Ok(Self::msgpack(buffer))
    }

    /// How the bytes are to be read.
    #[must_use]
    pub fn content_type(&self) -> ContentType {
        self.content_type
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.payload {
            Payload::Bytes(bytes) => bytes,
            Payload::InPlace(body) => body,
        }
    }

    /// The same bytes once more, shared and not copied. `None` when they were written in place: that
    /// memory belongs to one call.
    #[must_use]
    pub fn try_clone(&self) -> Option<Self> {
        match &self.payload {
            Payload::Bytes(bytes) => Some(Self {
                content_type: self.content_type,
                payload: Payload::Bytes(bytes.clone()),
            }),
            Payload::InPlace(_) => None,
        }
    }

    pub(crate) fn in_place(content_type: ContentType, body: BodyMut) -> Self {
        Self {
            content_type,
            payload: Payload::InPlace(body),
        }
    }

    pub(crate) fn into_payload(self) -> Payload {
        self.payload
    }
}

/// Encodes the arguments of a typed call at the end of `buffer`: MessagePack, structs as maps by
/// name.
pub(crate) fn encode_arguments<A: Serialize + ?Sized>(
    arguments: &A,
    buffer: &mut Vec<u8>,
) -> Result<(), CallError> {
    rmp_serde::encode::write_named(buffer, arguments).map_err(|error| CallError::Malformed {
        message: format!("the arguments cannot be encoded ({error})"),
    })
}

/// What a function returned, as bytes and what they are. `Debug` shows how many: they may be secret.
///
/// ```no_run
/// # async fn example(pool: &pyproc::Pool) -> Result<(), pyproc::CallError> {
/// use pyproc::{Body, ContentType};
///
/// let reply = pool.request("thumbnail").body(Body::raw("a picture")).send().await?;
/// match reply.content_type() {
///     ContentType::Raw => println!("{} bytes", reply.into_bytes().len()),
///     _ => println!("{:?}", reply.decode::<Option<String>>()?),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Reply {
    content_type: ContentType,
    bytes: Bytes,
}

impl fmt::Debug for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Reply")
            .field("content_type", &self.content_type)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

impl Reply {
    pub(crate) fn new(content_type: ContentType, bytes: Bytes) -> Self {
        Self {
            content_type,
            bytes,
        }
    }

    /// How the bytes are to be read.
    #[must_use]
    pub fn content_type(&self) -> ContentType {
        self.content_type
    }

    /// The bytes; they belong to this program alone, the worker can no longer change them.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Decodes the reply: MessagePack and JSON into whatever `R` is, raw bytes into what takes
    /// bytes or a sequence of them, nothing into `()` or `None`.
    ///
    /// # Errors
    ///
    /// [`CallError::BadResult`] when the function returned something else than an `R`.
    pub fn decode<R: DeserializeOwned>(&self) -> Result<R, CallError> {
        decode_result(self.content_type, &self.bytes)
    }
}

/// The kind of MessagePack value that begins with this byte.
fn kind_of(marker: u8) -> &'static str {
    match marker {
        0x80..=0x8f | 0xde | 0xdf => "a map",
        0x90..=0x9f | 0xdc | 0xdd => "an array",
        0xa0..=0xbf | 0xd9..=0xdb => "a string",
        0xc0 => "null",
        0xc2 | 0xc3 => "a boolean",
        0xc4..=0xc6 => "bytes",
        0xc1 | 0xc7..=0xc9 | 0xd4..=0xd8 => "an extension",
        0xca | 0xcb => "a float",
        0x00..=0x7f | 0xcc..=0xd3 | 0xe0..=0xff => "an integer",
    }
}

/// Decodes what a function returned.
pub(crate) fn decode_result<R: DeserializeOwned>(
    content_type: ContentType,
    bytes: &[u8],
) -> Result<R, CallError> {
    let unlike = |error: &dyn std::fmt::Display| CallError::BadResult {
        message: format!("it is not a {} ({error})", short_type_name::<R>()),
    };
    match content_type {
        ContentType::MsgPack => rmp_serde::from_slice(bytes).map_err(|error| match error {
            rmp_serde::decode::Error::TypeMismatch(marker) => {
                unlike(&format_args!("it has {} there", kind_of(marker.to_u8())))
            }
            error => unlike(&error),
        }),
        ContentType::Json => serde_json::from_slice(bytes).map_err(|error| unlike(&error)),
        ContentType::Raw => R::deserialize(Raw(bytes)).map_err(|error| unlike(&error)),
        ContentType::None => R::deserialize(UnitDeserializer::<serde::de::value::Error>::new())
            .map_err(|error| unlike(&error)),
        other => Err(unlike(&format_args!(
            "it is {other:?}, which cannot be decoded"
        ))),
    }
}

/// The name of a type without the modules around it: `Vec<Prediction>`.
fn short_type_name<T>() -> String {
    let mut short = String::new();
    let mut word = String::new();
    for character in std::any::type_name::<T>().chars() {
        if character == ':' {
            word.clear();
        } else if character.is_alphanumeric() || character == '_' {
            word.push(character);
        } else {
            short.push_str(&word);
            short.push(character);
            word.clear();
        }
    }
    short + &word
}

/// Raw bytes as a value: bytes to whoever takes bytes, a sequence to whoever wants one.
struct Raw<'b>(&'b [u8]);

impl<'de> Deserializer<'de> for Raw<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        BytesDeserializer::new(self.0).deserialize_any(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        SeqDeserializer::new(self.0.iter().copied()).deserialize_seq(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Prediction {
        result: f64,
    }

    fn reply(content_type: ContentType, bytes: &'static [u8]) -> Reply {
        Reply::new(content_type, Bytes::from_static(bytes))
    }

    #[test]
    fn arguments_are_maps_by_name() {
        let mut buffer = Vec::new();
        encode_arguments(&Prediction { result: 1.5 }, &mut buffer).expect("plain data");
        assert_eq!(
            buffer,
            b"\x81\xa6result\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"
        );
    }

    #[test]
    fn replies_decode_whatever_they_are() {
        let expected = Prediction { result: 2.0 };
        assert_eq!(
            reply(ContentType::Json, br#"{"result": 2}"#).decode(),
            Ok(expected)
        );
        assert_eq!(
            reply(ContentType::MsgPack, b"\x81\xa6result\x02").decode(),
            Ok(Prediction { result: 2.0 })
        );
        assert_eq!(
            reply(ContentType::Raw, b"abc").decode::<Vec<u8>>(),
            Ok(b"abc".to_vec())
        );
        assert_eq!(
            reply(ContentType::Raw, b"abc").decode::<Option<Vec<u8>>>(),
            Ok(Some(b"abc".to_vec()))
        );
        assert_eq!(
            reply(ContentType::Raw, b"abc").decode::<String>(),
            Ok("abc".to_owned())
        );
        assert_eq!(reply(ContentType::None, b"").decode::<()>(), Ok(()));
        assert_eq!(
            reply(ContentType::None, b"").decode::<Option<u8>>(),
            Ok(None)
        );
    }

    #[test]
    fn a_result_of_another_type_says_so() {
        let error = reply(ContentType::Json, br#"{"value": 2}"#)
            .decode::<Vec<Prediction>>()
            .expect_err("a map");
        assert_eq!(
            error.to_string(),
            "the function's result cannot be used: it is not a Vec<Prediction> \
             (invalid type: map, expected a sequence at line 1 column 0)"
        );
    }
}
