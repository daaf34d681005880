//! Reads a tree of settings into typed structs, to the letter, with the key's path in every fault.
//!
//! `config`'s own deserializer turns numbers into text and text into numbers, and tells its faults as finished
//! sentences; here `5` is not `"5"`, and a fault keeps what is needed to say what to write instead.

use std::{collections::VecDeque, fmt};

use config::{Value, ValueKind};
use serde::{
    Deserialize,
    de::{self, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor},
    forward_to_deserialize_any,
};

use super::error::{Fault, Problem};

/// Reads a whole tree.
pub(super) fn read<'de, T: Deserialize<'de>>(value: Value) -> Result<T, Fault> {
    T::deserialize(Strict(value))
}

struct Strict(Value);

impl Strict {
    fn mismatch(&self, expected: &dyn de::Expected) -> Fault {
        Fault::invalid_type(unexpected(&self.0.kind), expected)
    }
}

impl<'de> Deserializer<'de> for Strict {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.kind {
            ValueKind::Nil => visitor.visit_unit(),
            ValueKind::Boolean(value) => visitor.visit_bool(value),
            ValueKind::I64(value) => visitor.visit_i64(value),
            ValueKind::U64(value) => visitor.visit_u64(value),
            ValueKind::I128(value) => visitor.visit_i128(value),
            ValueKind::U128(value) => visitor.visit_u128(value),
            ValueKind::Float(value) => visitor.visit_f64(value),
            ValueKind::String(value) => visitor.visit_string(value),
            ValueKind::Array(values) => visitor.visit_seq(Values {
                left: values.into(),
                index: 0,
            }),
            ValueKind::Table(table) => {
                let mut left: Vec<_> = table.into_iter().collect();
                // The tree is a hash map: without this, which of two faults is told would be chance.
                left.sort_by(|(one, _), (other, _)| one.cmp(other));
                visitor.visit_map(Entries { left: left.into() })
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.kind {
            ValueKind::Nil => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        // A derived struct would take a list, too, by position.
        match self.0.kind {
            ValueKind::Table(_) => self.deserialize_any(visitor),
            _ => Err(self.mismatch(&"a table")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0.kind {
            ValueKind::String(name) => visitor.visit_enum(name.into_deserializer()),
            _ => Err(self.mismatch(&OneOf(variants))),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map identifier ignored_any
    }
}

struct OneOf(&'static [&'static str]);

impl de::Expected for OneOf {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            let or = if index > 0 { " or " } else { "" };
            write!(formatter, "{or}\"{name}\"")?;
        }
        Ok(())
    }
}

struct Values {
    left: VecDeque<Value>,
    index: usize,
}

impl<'de> de::SeqAccess<'de> for Values {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(value) = self.left.pop_front() else {
            return Ok(None);
        };
        let read = seed.deserialize(Strict(value));
        let read = read.map_err(|fault| fault.under(&format!("[{}]", self.index)))?;
        self.index += 1;
        Ok(Some(read))
    }
}

struct Entries {
    left: VecDeque<(String, Value)>,
}

impl<'de> de::MapAccess<'de> for Entries {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        match self.left.front() {
            Some((key, _)) => seed.deserialize(key.as_str().into_deserializer()).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (key, value) = (self.left.pop_front()).expect("serde asks for a value after its key");
        seed.deserialize(Strict(value)).map_err(|fault| fault.under(&key))
    }
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(sentence: T) -> Self {
        Self::value("", sentence.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        // serde's own words for its own types; the rest are ours.
        let expected = match expected.to_string().as_str() {
            "a sequence" => "a list".to_owned(),
            "a map" => "a table".to_owned(),
            other => other.to_owned(),
        };
        Self {
            key: String::new(),
            problem: Problem::Type {
                found: found(unexpected),
                expected,
            },
        }
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self {
            key: String::new(),
            problem: Problem::NoneOf {
                found: variant.to_owned(),
                known: expected.to_vec(),
            },
        }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self {
            key: field.to_owned(),
            problem: Problem::UnknownKey {
                known: expected.to_vec(),
            },
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            key: field.to_owned(),
            problem: Problem::Missing,
        }
    }
}

impl de::StdError for Fault {}

fn unexpected(kind: &ValueKind) -> Unexpected<'_> {
    match kind {
        ValueKind::Nil => Unexpected::Unit,
        ValueKind::Boolean(value) => Unexpected::Bool(*value),
        ValueKind::I64(value) => Unexpected::Signed(*value),
        ValueKind::U64(value) => Unexpected::Unsigned(*value),
        ValueKind::I128(_) | ValueKind::U128(_) => Unexpected::Other("a huge number"),
        ValueKind::Float(value) => Unexpected::Float(*value),
        ValueKind::String(value) => Unexpected::Str(value),
        ValueKind::Table(_) => Unexpected::Map,
        ValueKind::Array(_) => Unexpected::Seq,
    }
}

fn found(unexpected: Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(value) => format!("{value}"),
        Unexpected::Unsigned(value) => format!("the number {value}"),
        Unexpected::Signed(value) => format!("the number {value}"),
        Unexpected::Float(value) => format!("the number {value}"),
        Unexpected::Str(value) => format!("the text {:?}", super::values::shortened(value)),
        Unexpected::Unit => "empty".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}
