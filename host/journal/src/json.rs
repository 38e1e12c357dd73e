//! Events as JSON: the bytes that serde_json writes, made faster, and never `null` where a number should be.
//!
//! serde_json writes NaN and infinities as `null`. Such an event could be written and never read again, and a host
//! that cannot read its journal does not start. Here they are an error that names the field. As serialising is the
//! largest part of an append that is ours and not SQLite's, this writer also takes strings eight bytes at a time and
//! the names of fields as they are. Numbers are left to serde_json.

use serde::ser::{self, Serialize};
use std::fmt;

/// Appends `value` to `bytes`. After an error, what was appended so far is to be thrown away.
pub(crate) fn write(bytes: &mut Vec<u8>, value: &impl Serialize) -> Result<(), JsonError> {
    value.serialize(&mut Json { bytes, field: "" })
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    #[error("`{field}` is not a finite number")]
    NotFinite { field: &'static str },
    #[error("a map has a key that is no string")]
    KeyNoString,
    #[error("{0}")]
    Refused(String),
}

impl ser::Error for JsonError {
    fn custom<T: fmt::Display>(message: T) -> JsonError {
        JsonError::Refused(message.to_string())
    }
}

struct Json<'b> {
    bytes: &'b mut Vec<u8>,
    /// The field under way, for the message.
    field: &'static str,
}

impl Json<'_> {
    #[inline]
    fn number(&mut self, number: impl Serialize) -> Result<(), JsonError> {
        serde_json::to_writer(&mut *self.bytes, &number).map_err(ser::Error::custom)
    }

    #[inline]
    fn string(&mut self, text: &str) {
        self.bytes.reserve(text.len() + 2);
        self.bytes.push(b'"');
        self.escaped(text);
        self.bytes.push(b'"');
    }

    fn escaped(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        while let Some(at) = first_to_escape(rest) {
            self.bytes.extend_from_slice(&rest[..at]);
            let short = match rest[at] {
                b'"' => b'"',
                b'\\' => b'\\',
                0x08 => b'b',
                0x0C => b'f',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                _ => b'u',
            };
            self.bytes.extend_from_slice(&[b'\\', short]);
            if short == b'u' {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let byte = usize::from(rest[at]);
                self.bytes.extend_from_slice(&[b'0', b'0', DIGITS[byte >> 4], DIGITS[byte & 15]]);
            }
            rest = &rest[at + 1..];
        }
        self.bytes.extend_from_slice(rest);
    }
}

#[inline]
fn must_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

#[inline]
fn first_to_escape(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Has a zero byte, or reports one above a true one: exact on the question whether there is any.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let mut chunks = bytes.chunks_exact(8);
    let mut at = 0;
    for chunk in &mut chunks {
        let word = u64::from_le_bytes(chunk.try_into().expect("chunks of eight"));
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        if (control | zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\')))) != 0 {
            break;
        }
        at += 8;
    }
    bytes[at..].iter().position(|byte| must_escape(*byte)).map(|found| at + found)
}

macro_rules! numbers {
    ($($method:ident: $type:ty),*) => {
        $(#[inline]
        fn $method(self, number: $type) -> Result<(), JsonError> {
            self.number(number)
        })*
    };
}

impl<'j, 'b> ser::Serializer for &'j mut Json<'b> {
    type Ok = ();
    type Error = JsonError;
    type SerializeSeq = Parts<'j, 'b>;
    type SerializeTuple = Parts<'j, 'b>;
    type SerializeTupleStruct = Parts<'j, 'b>;
    type SerializeTupleVariant = Parts<'j, 'b>;
    type SerializeMap = Parts<'j, 'b>;
    type SerializeStruct = Parts<'j, 'b>;
    type SerializeStructVariant = Parts<'j, 'b>;

    numbers!(
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128
    );

    fn serialize_bool(self, value: bool) -> Result<(), JsonError> {
        self.bytes.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), JsonError> {
        if !value.is_finite() {
            return Err(JsonError::NotFinite { field: self.field });
        }
        self.number(value)
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<(), JsonError> {
        if !value.is_finite() {
            return Err(JsonError::NotFinite { field: self.field });
        }
        self.number(value)
    }

    fn serialize_char(self, value: char) -> Result<(), JsonError> {
        self.string(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), JsonError> {
        self.string(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), JsonError> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_none(self) -> Result<(), JsonError> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), JsonError> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), JsonError> {
        self.bytes.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), JsonError> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), JsonError> {
        self.string(variant);
        Ok(())
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), JsonError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), JsonError> {
        self.variant(variant);
        value.serialize(&mut *self)?;
        self.bytes.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'j, 'b>, JsonError> {
        Ok(self.open(b'[', b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'j, 'b>, JsonError> {
        Ok(self.open(b'[', b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'j, 'b>, JsonError> {
        Ok(self.open(b'[', b"]"))
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result<Parts<'j, 'b>, JsonError> {
        self.variant(variant);
        Ok(self.open(b'[', b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'j, 'b>, JsonError> {
        Ok(self.open(b'{', b"}"))
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'j, 'b>, JsonError> {
        Ok(self.open(b'{', b"}"))
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result<Parts<'j, 'b>, JsonError> {
        self.variant(variant);
        Ok(self.open(b'{', b"}}"))
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), JsonError> {
        self.bytes.push(b'"');
        // Fails only if the value's own `Display` does.
        fmt::Write::write_fmt(&mut Escaped(self), format_args!("{value}")).map_err(ser::Error::custom)?;
        self.bytes.push(b'"');
        Ok(())
    }
}

impl<'j, 'b> Json<'b> {
    #[inline]
    fn open(&'j mut self, begin: u8, end: &'static [u8]) -> Parts<'j, 'b> {
        self.bytes.push(begin);
        Parts {
            json: self,
            first: true,
            end,
        }
    }

    fn variant(&mut self, variant: &'static str) {
        self.bytes.push(b'{');
        self.string(variant);
        self.bytes.push(b':');
    }
}

struct Escaped<'j, 'b>(&'j mut Json<'b>);

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.escaped(text);
        Ok(())
    }
}

/// A list or an object under way.
struct Parts<'j, 'b> {
    json: &'j mut Json<'b>,
    first: bool,
    end: &'static [u8],
}

impl Parts<'_, '_> {
    #[inline]
    fn separate(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.json.bytes.push(b',');
        }
    }

    #[inline]
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        self.separate();
        value.serialize(&mut *self.json)
    }

    #[inline]
    fn named<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), JsonError> {
        // Names of fields are words of ours, in which nothing is to be escaped.
        let bytes = &mut *self.json.bytes;
        bytes.reserve(name.len() + 4);
        if !std::mem::take(&mut self.first) {
            bytes.push(b',');
        }
        bytes.push(b'"');
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b"\":");
        self.json.field = name;
        value.serialize(&mut *self.json)
    }

    #[inline]
    fn close(self) -> Result<(), JsonError> {
        self.json.bytes.extend_from_slice(self.end);
        Ok(())
    }
}

macro_rules! parts {
    ($($trait:ident, $method:ident($($name:ident: $type:ty)?) => $write:ident;)*) => {
        $(impl ser::$trait for Parts<'_, '_> {
            type Ok = ();
            type Error = JsonError;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, $($name: $type,)? value: &T) -> Result<(), JsonError> {
                self.$write($($name,)? value)
            }

            #[inline]
            fn end(self) -> Result<(), JsonError> {
                self.close()
            }
        })*
    };
}

parts! {
    SerializeSeq, serialize_element() => item;
    SerializeTuple, serialize_element() => item;
    SerializeTupleStruct, serialize_field() => item;
    SerializeTupleVariant, serialize_field() => item;
    SerializeStruct, serialize_field(name: &'static str) => named;
    SerializeStructVariant, serialize_field(name: &'static str) => named;
}

impl ser::SerializeMap for Parts<'_, '_> {
    type Ok = ();
    type Error = JsonError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), JsonError> {
        self.separate();
        let start = self.json.bytes.len();
        key.serialize(&mut *self.json)?;
        // Numbers as keys would have to be quoted; none of our maps has any.
        if self.json.bytes.get(start) == Some(&b'"') {
            Ok(())
        } else {
            Err(JsonError::KeyNoString)
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        self.json.bytes.push(b':');
        value.serialize(&mut *self.json)
    }

    fn end(self) -> Result<(), JsonError> {
        self.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_model::decision::Scores;
    use pointsman_model::run::{Completion, Pair, RunEnd, RunReport};
    use serde::Serialize;
    use std::collections::BTreeMap;

    fn same(value: impl Serialize) {
        let mut bytes = Vec::new();
        write(&mut bytes, &value).expect("written");
        let expected = serde_json::to_string(&value).expect("written");
        assert_eq!(String::from_utf8(bytes).expect("text"), expected);
    }

    #[derive(Serialize)]
    enum Shape {
        Unit,
        Newtype(f64),
        Tuple(u8, String),
        Struct { a: Option<i32>, b: char },
    }

    #[derive(Serialize)]
    struct Unit;

    #[derive(Serialize)]
    struct Pairs(bool, u64);

    #[test]
    fn writes_what_serde_json_writes() {
        same([
            Shape::Unit,
            Shape::Newtype(1e300),
            Shape::Tuple(7, "x".into()),
            Shape::Struct { a: None, b: '"' },
        ]);
        same([Shape::Struct { a: Some(-1), b: 'ä' }]);
        same((
            Unit,
            (),
            Pairs(true, u64::MAX),
            i64::MIN,
            -0.0,
            0.1f32,
            5e-324,
            f64::MAX,
            1u128 << 100,
        ));
        same(BTreeMap::from([("a\n", vec![1.5, 2.0]), ("b", vec![])]));
        same(Some(Some("nested")));
    }

    #[test]
    fn escapes_at_every_place() {
        for code in (0..=0x100).chain([0x2028, 0xFFFF, 0x10_FFFF]) {
            let Some(special) = char::from_u32(code) else { continue };
            for before in 0..18 {
                same(format!(
                    "{}{special}{}{special}",
                    "é".repeat(before / 3) + &"x".repeat(before),
                    "~\u{7f}"
                ));
            }
        }
    }

    #[test]
    fn names_the_field_that_is_not_finite() {
        let fails = |value: &dyn Fn(&mut Vec<u8>) -> Result<(), JsonError>| value(&mut Vec::new());
        let scores = Scores {
            totals: vec![1.0, f64::NAN],
            ..Scores::default()
        };
        assert_eq!(fails(&|bytes| write(bytes, &scores)), Err(JsonError::NotFinite { field: "totals" }));
        let pair = Pair {
            host: "news".into(),
            baseline: 1.0,
            candidate: f64::INFINITY,
        };
        let end = RunEnd::Completed(Completion {
            pairs: vec![pair],
            ..Completion::default()
        });
        let report = RunReport { duration_ms: 1, end };
        assert_eq!(
            fails(&|bytes| write(bytes, &report)),
            Err(JsonError::NotFinite { field: "candidate" })
        );
        assert_eq!(
            fails(&|bytes| write(bytes, &Some(f32::NEG_INFINITY))),
            Err(JsonError::NotFinite { field: "" })
        );
        assert_eq!(fails(&|bytes| write(bytes, &BTreeMap::from([(1, 2)]))), Err(JsonError::KeyNoString));
    }
}
