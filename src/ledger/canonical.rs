//! Canonical JSON of ledger leaves: sorted keys, no spaces, no floats. Specified in `docs/state-root.md`.

use std::collections::BTreeMap;
use std::fmt::Display;

/// One flat JSON object under construction; members are kept rendered and sorted.
#[derive(Debug, Default)]
pub(crate) struct Leaf(BTreeMap<&'static str, String>);

impl Leaf {
    /// A leaf that says what it is.
    pub(crate) fn new(kind: &str) -> Self {
        Self::default().text("type", kind)
    }

    /// A text member.
    pub(crate) fn text(mut self, name: &'static str, value: impl Display) -> Self {
        self.0.insert(name, quoted(&value.to_string()));
        self
    }

    /// A text member, `null` when absent.
    pub(crate) fn text_or_null(mut self, name: &'static str, value: Option<impl Display>) -> Self {
        let rendered = value.map_or_else(|| "null".to_owned(), |value| quoted(&value.to_string()));
        self.0.insert(name, rendered);
        self
    }

    /// An integer member.
    pub(crate) fn int(mut self, name: &'static str, value: impl Into<i128>) -> Self {
        self.0.insert(name, value.into().to_string());
        self
    }

    /// An integer member, `null` when absent.
    pub(crate) fn int_or_null(mut self, name: &'static str, value: Option<impl Into<i128>>) -> Self {
        self.0.insert(name, value.map_or_else(|| "null".to_owned(), |value| value.into().to_string()));
        self
    }

    /// A true or false member.
    pub(crate) fn flag(mut self, name: &'static str, value: bool) -> Self {
        self.0.insert(name, value.to_string());
        self
    }

    /// An array of texts.
    pub(crate) fn texts(mut self, name: &'static str, values: impl IntoIterator<Item = impl Display>) -> Self {
        let items: Vec<String> = values.into_iter().map(|value| quoted(&value.to_string())).collect();
        self.0.insert(name, format!("[{}]", items.join(",")));
        self
    }

    /// An array of pairs of texts.
    pub(crate) fn pairs(
        mut self,
        name: &'static str,
        values: impl IntoIterator<Item = (impl Display, impl Display)>,
    ) -> Self {
        let items: Vec<String> = values
            .into_iter()
            .map(|(first, second)| format!("[{},{}]", quoted(&first.to_string()), quoted(&second.to_string())))
            .collect();
        self.0.insert(name, format!("[{}]", items.join(",")));
        self
    }

    /// The bytes that are hashed.
    pub(crate) fn bytes(self) -> Vec<u8> {
        let members: Vec<String> =
            self.0.into_iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
        format!("{{{}}}", members.join(",")).into_bytes()
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text always renders as JSON")
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
}
