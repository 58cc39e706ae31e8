//! The reader: one pass over the bytes, nesting and members bounded.

use std::borrow::Cow;

use super::text::{plain_run, text_of, unescape_run};
use super::{Json, JsonError, Member};
use crate::evidence::limits::{JSON_DEPTH_MAX, JSON_MEMBERS_MAX};

/// Members of an object as records have them at most: their keys are compared pair by pair.
const MEMBERS_USUAL: usize = 24;
/// Room for members that is made at once.
const MEMBERS_CAPACITY: usize = 8;
/// Room for a string with its first escape, at most: what is not needed is given back.
const ESCAPED_CAPACITY: usize = 4_096;

/// Reads exactly one JSON value.
///
/// # Errors
/// [`JsonError`] on anything RFC 8259 does not allow, on duplicate keys, on lone surrogates, on nesting deeper than
/// `JSON_DEPTH_MAX` and on containers with more than `JSON_MEMBERS_MAX` members.
pub(crate) fn parse(bytes: &[u8]) -> Result<Json<'_>, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|error| JsonError {
        offset: error.valid_up_to(),
        what: "invalid UTF-8",
        duplicate_key: None,
    })?;
    let mut reader = Reader { text, at: 0, depth: 0 };
    reader.skip_space();
    let value = reader.value()?;
    reader.skip_space();
    if reader.at < text.len() { Err(reader.fault("trailing bytes")) } else { Ok(value) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn fault(&self, what: &'static str) -> JsonError {
        JsonError { offset: self.at, what, duplicate_key: None }
    }

    fn peek(&self) -> Option<u8> {
        // Most bytes of a world come by here, some twice: an index is one step in a debug build, `get` is several calls.
        let bytes = self.text.as_bytes();
        if self.at < bytes.len() { Some(bytes[self.at]) } else { None }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<Json<'a>, JsonError> {
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(Json::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(_) => Err(self.fault("unexpected byte")),
            None => Err(self.fault("unexpected end")),
        }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, JsonError> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.fault("unexpected byte"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn nested(
        &mut self,
        container: impl FnOnce(&mut Self) -> Result<Json<'a>, JsonError>,
    ) -> Result<Json<'a>, JsonError> {
        if self.depth == JSON_DEPTH_MAX {
            return Err(self.fault("nested too deep"));
        }
        self.depth += 1;
        self.at += 1; // The opening bracket, which the caller saw.
        self.skip_space();
        let value = container(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Json<'a>, JsonError> {
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            if items.len() == JSON_MEMBERS_MAX {
                return Err(self.fault("too many elements"));
            }
            items.push(self.value()?);
            if self.ends(b']')? {
                return Ok(Json::Array(items));
            }
        }
    }

    fn object(&mut self) -> Result<Json<'a>, JsonError> {
        if self.take(b'}') {
            return Ok(Json::Object(Vec::new()));
        }
        let (mut members, mut offsets) = (Vec::with_capacity(MEMBERS_CAPACITY), Vec::with_capacity(MEMBERS_CAPACITY));
        loop {
            if members.len() == JSON_MEMBERS_MAX {
                return Err(self.fault("too many members"));
            }
            offsets.push(self.at);
            let key = self.string()?;
            self.skip_space();
            if !self.take(b':') {
                return Err(self.fault("colon expected"));
            }
            self.skip_space();
            let start = self.at;
            let value = self.value()?;
            members.push((key, Member { value, slice: &self.text[start..self.at] }));
            if self.ends(b'}')? {
                break;
            }
        }
        match first_duplicate(&members, &offsets) {
            Some((offset, key)) => {
                Err(JsonError { offset, what: "duplicate key", duplicate_key: Some(key.to_owned()) })
            }
            None => Ok(Json::Object(members)),
        }
    }

    /// After an element: true at the closing bracket, false after a comma.
    fn ends(&mut self, close: u8) -> Result<bool, JsonError> {
        self.skip_space();
        if self.take(close) {
            return Ok(true);
        }
        if !self.take(b',') {
            return Err(self.fault("comma or closing bracket expected"));
        }
        self.skip_space();
        Ok(false)
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.fault("digit expected")) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<Json<'a>, JsonError> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        Ok(Json::Number(&self.text[start..self.at]))
    }

    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        if !self.take(b'"') {
            return Err(self.fault("string expected"));
        }
        let (text, start) = (self.text, self.at);
        self.at += plain_run(&text.as_bytes()[start..]);
        let run = &text[start..self.at];
        if self.take(b'"') {
            return Ok(Cow::Borrowed(run));
        }
        self.escaped(run)
    }

    /// What begins with that run and goes on with an escape.
    fn escaped(&mut self, run: &str) -> Result<Cow<'a, str>, JsonError> {
        let bytes = self.text.as_bytes();
        let mut out = Vec::with_capacity((run.len() + bytes.len() - self.at).min(ESCAPED_CAPACITY));
        out.extend_from_slice(run.as_bytes());
        loop {
            match self.peek() {
                None => return Err(self.fault("unterminated string")),
                Some(b'"') => break,
                Some(0..=0x1f) => return Err(self.fault("raw control character in a string")),
                Some(_) => match unescape_run(&mut out, &bytes[self.at..]) {
                    // An escape of another kind, or in the last bytes.
                    0 => {
                        let character = self.escape()?;
                        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                    taken => self.at += taken,
                },
            }
        }
        self.at += 1;
        if out.capacity() / 2 > out.len() {
            out.shrink_to_fit();
        }
        Ok(Cow::Owned(text_of(out)))
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        self.at += 1; // The backslash, which the caller saw.
        let character = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.fault("unknown escape")),
        };
        self.at += 1;
        Ok(character)
    }

    fn unicode_escape(&mut self) -> Result<char, JsonError> {
        let start = self.at;
        let first = self.code_unit()?;
        let mut units = vec![first];
        // A high surrogate must be followed by an escaped low one (RFC 8259, 7).
        if (0xd800..0xdc00).contains(&first) && self.take(b'\\') && self.peek() == Some(b'u') {
            units.push(self.code_unit()?);
        }
        let mut decoded = char::decode_utf16(units);
        match (decoded.next(), decoded.next()) {
            (Some(Ok(character)), None) => Ok(character),
            _ => Err(JsonError { offset: start, what: "lone surrogate", duplicate_key: None }),
        }
    }

    fn code_unit(&mut self) -> Result<u16, JsonError> {
        self.at += 1; // The `u`, which the caller saw.
        let digits = self.text.as_bytes().get(self.at..self.at + 4).unwrap_or_default();
        if digits.len() != 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(self.fault("four hex digits expected"));
        }
        let unit = u16::from_str_radix(&self.text[self.at..self.at + 4], 16);
        let unit = unit.map_err(|_| self.fault("four hex digits expected"))?;
        self.at += 4;
        Ok(unit)
    }
}

/// The first key that stands twice, with the offset of its second place.
fn first_duplicate<'m>(members: &'m [(Cow<'_, str>, Member<'_>)], offsets: &[usize]) -> Option<(usize, &'m str)> {
    if members.len() <= MEMBERS_USUAL {
        let place = (1..members.len()).find(|at| members[..*at].iter().any(|(key, _)| *key == members[*at].0))?;
        return Some((offsets[place], &members[place].0));
    }
    // Sorting keeps this O(n log n) for the 100,000 members an attacker may send.
    let mut keys: Vec<(&str, usize)> =
        members.iter().zip(offsets).map(|((key, _), offset)| (&**key, *offset)).collect();
    keys.sort_unstable();
    keys.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| (pair[1].1, pair[1].0)).min()
}
