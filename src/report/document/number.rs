//! Integers that may be wider than JSON's 64 bits, and then stand as text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// An integer, written as a number or, beyond 64 bits and for millisatoshi always, as decimal text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Integer(pub i128);

impl fmt::Display for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Integer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer, or one as text")
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Integer, E> {
                Ok(Integer(value.into()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Integer, E> {
                Ok(Integer(value.into()))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Integer, E> {
                text.parse().map(Integer).map_err(|_| E::custom("text that is no integer"))
            }
        }
        deserializer.deserialize_any(Either)
    }
}
