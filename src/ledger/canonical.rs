//! Canonical JSON of ledger leaves: sorted keys, no spaces, no floats. Specified in `docs/state-root.md`.

use std::fmt::{self, Display, Write as _};
use std::ops::Range;

/// One flat JSON object under construction. Values are rendered one behind the other into one text; sorting their names is all
/// that is left for the end: leaves are as many as facts.
#[derive(Debug, Default)]
pub(crate) struct Leaf {
    values: String,
    /// Each with its value's place.
    members: Vec<(&'static str, Range<usize>)>,
}

impl Leaf {
    /// A leaf that says what it is.
    pub(crate) fn new(kind: &str) -> Self {
        let leaf = Self { values: String::with_capacity(512), members: Vec::with_capacity(16) };
        leaf.text("type", kind)
    }

    fn member(mut self, name: &'static str, render: impl FnOnce(&mut String)) -> Self {
        let begin = self.values.len();
        render(&mut self.values);
        self.members.push((name, begin..self.values.len()));
        self
    }

    /// A text member.
    pub(crate) fn text(self, name: &'static str, value: impl Display) -> Self {
        self.member(name, |out| quote(out, value))
    }

    /// A text member, `null` when absent.
    pub(crate) fn text_or_null(self, name: &'static str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self.member(name, |out| out.push_str("null")),
        }
    }

    /// An integer member.
    pub(crate) fn int(self, name: &'static str, value: impl Into<i128>) -> Self {
        self.member(name, |out| plain(out, value.into()))
    }

    /// An integer member, `null` when absent.
    pub(crate) fn int_or_null(self, name: &'static str, value: Option<impl Into<i128>>) -> Self {
        match value {
            Some(value) => self.int(name, value),
            None => self.member(name, |out| out.push_str("null")),
        }
    }

    /// A true or false member.
    pub(crate) fn flag(self, name: &'static str, value: bool) -> Self {
        self.member(name, |out| plain(out, value))
    }

    /// An array of texts.
    pub(crate) fn texts(self, name: &'static str, values: impl IntoIterator<Item = impl Display>) -> Self {
        self.member(name, |out| list(out, values, quote))
    }

    /// An array of pairs of texts.
    pub(crate) fn pairs(
        self,
        name: &'static str,
        values: impl IntoIterator<Item = (impl Display, impl Display)>,
    ) -> Self {
        self.member(name, |out| {
            list(out, values, |out, (first, second)| {
                out.push('[');
                quote(out, first);
                out.push(',');
                quote(out, second);
                out.push(']');
            });
        })
    }

    /// The bytes that are hashed.
    pub(crate) fn bytes(mut self) -> Vec<u8> {
        self.members.sort_unstable_by_key(|(name, _)| *name);
        let names: usize = self.members.iter().map(|(name, _)| name.len() + r#""":,"#.len()).sum();
        let mut out = String::with_capacity(self.values.len() + names + "{}".len());
        out.push('{');
        for (at, (name, value)) in self.members.into_iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            // Ours, and without anything to escape.
            out.push('"');
            out.push_str(name);
            out.push_str("\":");
            out.push_str(&self.values[value]);
        }
        out.push('}');
        out.into_bytes()
    }
}

fn plain(out: &mut String, value: impl Display) {
    write!(out, "{value}").expect("a text takes whatever is written into it");
}

fn quote(out: &mut String, value: impl Display) {
    out.push('"');
    write!(Escaped(out), "{value}").expect("a text takes whatever is written into it");
    out.push('"');
}

fn list<T>(out: &mut String, values: impl IntoIterator<Item = T>, render: impl Fn(&mut String, T)) {
    out.push('[');
    for (at, value) in values.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        render(out, value);
    }
    out.push(']');
}

/// Escapes what is written through it as RFC 8259 asks, and nothing else. What needs it is rare.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Counting looks at many bytes at once; stopping at the first would mean one by one.
        if text.bytes().filter(|byte| *byte < b' ' || *byte == b'"' || *byte == b'\\').count() == 0 {
            self.0.push_str(text);
            return Ok(());
        }
        let quoted = serde_json::to_string(text).map_err(|_| fmt::Error)?;
        self.0.push_str(quoted.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).ok_or(fmt::Error)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_sorted_compact_json() {
        let leaf = Leaf::new("x").int("b", -5).texts("a", ["q\"", "\u{1}"]).text_or_null("c", None::<&str>);
        let bytes = leaf.flag("d", true).pairs("e", [("k", 1)]).bytes();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            r#"{"a":["q\"","\u0001"],"b":-5,"c":null,"d":true,"e":[["k","1"]],"type":"x"}"#
        );
    }

    #[test]
    fn every_character_is_written_as_json_has_it() {
        for character in (0..=0x2_ffff).filter_map(char::from_u32) {
            let text = format!("a{character}b");
            let bytes = Leaf::default().text("t", &text).bytes();
            assert_eq!(String::from_utf8(bytes).unwrap(), serde_json::json!({ "t": text }).to_string());
        }
    }
}
