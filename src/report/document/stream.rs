//! One pass over a report: its divergences one by one, everything else as values.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufReader, Read};

use serde::de::{DeserializeSeed, Deserializer as _, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::DocumentError;
use super::line::Line;
use crate::domain::{Digest32, Divergence, Sha256Stream};

type Visit<'v> = dyn FnMut(Divergence) -> io::Result<()> + 'v;

/// The members but the divergences, and sha256 of all bytes.
pub(super) fn members(
    from: Box<dyn Read + '_>,
    visit: &mut Visit<'_>,
) -> Result<(BTreeMap<String, Value>, Digest32), DocumentError> {
    let mut failed = None;
    let mut hashed = Hashed { inner: from, hasher: Sha256Stream::default() };
    let read = {
        let mut deserializer = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 18, &mut hashed));
        let members = deserializer.deserialize_map(Top { visit, failed: &mut failed });
        members.and_then(|members| deserializer.end().map(|()| members))
    };
    if let Some(error) = failed {
        return Err(error);
    }
    let members = read.map_err(|error| match error.classify() {
        serde_json::error::Category::Io => DocumentError::Io(error.into()),
        _ => DocumentError::Damaged { member: "report.json".to_owned(), what: format!("is no report: {error}") },
    })?;
    // The buffer has read to the end: nothing but white space follows the document.
    Ok((members, hashed.hasher.finish()))
}

struct Hashed<'r> {
    inner: Box<dyn Read + 'r>,
    hasher: Sha256Stream,
}

impl Read for Hashed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.hasher.update(into.get(..count).unwrap_or_default());
        Ok(count)
    }
}

struct Top<'a, 'v> {
    visit: &'a mut Visit<'v>,
    failed: &'a mut Option<DocumentError>,
}

impl<'de> Visitor<'de> for Top<'_, '_> {
    type Value = BTreeMap<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a report")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = if name == "divergences" {
                map.next_value_seed(Lines { visit: &mut *self.visit, failed: &mut *self.failed })?;
                Value::Null
            } else {
                map.next_value()?
            };
            if members.insert(name.clone(), value).is_some() {
                return Err(A::Error::custom(format!("member `{name}` stands twice")));
            }
        }
        Ok(members)
    }
}

struct Lines<'a, 'v> {
    visit: &'a mut Visit<'v>,
    failed: &'a mut Option<DocumentError>,
}

impl<'de> DeserializeSeed<'de> for Lines<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Lines<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of divergences")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut lines: A) -> Result<(), A::Error> {
        let mut place = 0_u64;
        while let Some(line) = lines.next_element::<Line>()? {
            let done = line
                .divergence()
                .map_err(|error| error.at(place))
                .and_then(|divergence| (self.visit)(divergence).map_err(DocumentError::Io));
            if let Err(error) = done {
                *self.failed = Some(error);
                return Err(A::Error::custom("stopped"));
            }
            place += 1;
        }
        Ok(())
    }
}
