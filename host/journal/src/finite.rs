//! Finds numbers that JSON cannot hold.
//!
//! serde_json writes NaN and infinities as `null`. Such an event could be written and never read again, and a host
//! that cannot read its journal does not start. So each event is walked once before it is written; this costs a few
//! nanoseconds a field, and no list of float fields has to be kept up to date by hand.

use serde::ser::{self, Serialize};
use std::fmt;

/// Fails with the name of the field that holds a number JSON has no form for.
pub(crate) fn check(value: &impl Serialize) -> Result<(), NotFinite> {
    value.serialize(&mut Walk { field: "" })
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotFinite {
    pub(crate) field: &'static str,
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a finite number", self.field)
    }
}

impl std::error::Error for NotFinite {}

impl ser::Error for NotFinite {
    /// A type's own refusal; none of the events has one.
    fn custom<T: fmt::Display>(_: T) -> NotFinite {
        NotFinite { field: "" }
    }
}

struct Walk {
    field: &'static str,
}

macro_rules! nothing_to_check {
    ($($method:ident: $type:ty),*) => {
        $(#[inline]
        fn $method(self, _: $type) -> Result<(), NotFinite> {
            Ok(())
        })*
    };
}

impl ser::Serializer for &mut Walk {
    type Ok = ();
    type Error = NotFinite;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    nothing_to_check!(
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_u8: u8,
        serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_char: char, serialize_str: &str, serialize_bytes: &[u8],
        serialize_unit_struct: &'static str
    );

    fn serialize_f32(self, value: f32) -> Result<(), NotFinite> {
        self.serialize_f64(f64::from(value))
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<(), NotFinite> {
        if value.is_finite() {
            Ok(())
        } else {
            Err(NotFinite { field: self.field })
        }
    }

    fn serialize_none(self) -> Result<(), NotFinite> {
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), NotFinite> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotFinite> {
        value.serialize(self)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), NotFinite> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), NotFinite> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), NotFinite> {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self, NotFinite> {
        Ok(self)
    }

    /// Digests and other text made on the way: no number.
    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Result<(), NotFinite> {
        Ok(())
    }
}

macro_rules! walk_items {
    ($($trait:ident $method:ident),*) => {
        $(impl ser::$trait for &mut Walk {
            type Ok = ();
            type Error = NotFinite;
            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotFinite> {
                value.serialize(&mut **self)
            }
            fn end(self) -> Result<(), NotFinite> {
                Ok(())
            }
        })*
    };
}

walk_items!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

macro_rules! walk_fields {
    ($($trait:ident),*) => {
        $(impl ser::$trait for &mut Walk {
            type Ok = ();
            type Error = NotFinite;
            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), NotFinite> {
                self.field = name;
                value.serialize(&mut **self)
            }
            fn end(self) -> Result<(), NotFinite> {
                Ok(())
            }
        })*
    };
}

walk_fields!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for &mut Walk {
    type Ok = ();
    type Error = NotFinite;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, _: &T) -> Result<(), NotFinite> {
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotFinite> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), NotFinite> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_model::decision::{Scores, Verdict};
    use pointsman_model::event::Event;
    use pointsman_model::run::{Completion, Pair, RunEnd, RunReport};

    #[test]
    fn names_the_field() {
        let scores = Scores {
            totals: vec![1.0, f64::NAN],
            ..Scores::default()
        };
        assert_eq!(check(&scores).map_err(|error| error.field), Err("totals"));
        let pair = Pair {
            host: "news".into(),
            baseline: 1.0,
            candidate: f64::INFINITY,
        };
        let end = RunEnd::Completed(Completion {
            pairs: vec![pair],
            ..Completion::default()
        });
        assert_eq!(
            check(&RunReport { duration_ms: 1, end }).map_err(|error| error.field),
            Err("candidate")
        );
        assert_eq!(check(&Some(f64::NEG_INFINITY)).map_err(|error| error.field), Err(""));
    }

    #[test]
    fn lets_the_rest_pass() {
        assert_eq!(
            check(&Event::HostStarted {
                version: "NaN".into(),
                term: 1
            }),
            Ok(())
        );
        assert_eq!(
            check(&Verdict::Selection(pointsman_model::decision::SelectionVerdict::Pick(vec![1]))),
            Ok(())
        );
        assert_eq!(check(&(f64::MAX, f64::MIN_POSITIVE, -0.0)), Ok(()));
    }
}
