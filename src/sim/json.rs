//! The world's own JSON writer: members in a chosen order, escapes as `JSON.stringify` writes them.

use std::fmt::Display;

use serde_json::Value;

/// A JSON object under construction: names and finished JSON texts, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Object(Vec<(String, String)>);

impl Object {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Appends a member whose value already is JSON.
    pub(super) fn raw(mut self, name: &str, json: impl Into<String>) -> Self {
        self.0.push((name.to_owned(), json.into()));
        self
    }

    /// Appends a text member.
    pub(super) fn text(self, name: &str, value: impl AsRef<str>) -> Self {
        let json = quoted(value.as_ref());
        self.raw(name, json)
    }

    /// Appends a member that prints as JSON: an integer or a boolean.
    pub(super) fn plain(self, name: &str, value: impl Display) -> Self {
        self.raw(name, value.to_string())
    }

    /// Appends a text member for a value that prints as its text.
    pub(super) fn plain_text(self, name: &str, value: impl Display) -> Self {
        self.text(name, value.to_string())
    }

    /// Appends a text member, or `null`.
    pub(super) fn text_or_null(self, name: &str, value: Option<&str>) -> Self {
        let json = value.map_or_else(|| "null".to_owned(), quoted);
        self.raw(name, json)
    }

    /// The JSON text of a member.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(held, _)| held == name).map(|(_, json)| json.as_str())
    }

    /// Appends every member of another object.
    pub(super) fn all(mut self, other: &Self) -> Self {
        self.0.extend(other.0.iter().cloned());
        self
    }

    /// The same members sorted by name: RFC 8785 order for ASCII names.
    pub(super) fn sorted(mut self) -> Self {
        self.0.sort_by(|a, b| a.0.cmp(&b.0));
        self
    }

    /// Compact JSON text.
    pub(super) fn compact(&self) -> String {
        let mut out = String::from("{");
        for (name, json) in &self.0 {
            if out.len() > 1 {
                out.push(',');
            }
            out.push_str(&quoted(name));
            out.push(':');
            out.push_str(json);
        }
        out.push('}');
        out
    }
}

/// A JSON array of finished JSON texts.
pub(super) fn array<I, S>(items: I) -> String
where
    I: IntoIterator<Item = S>,
    S: AsRef<str>,
{
    let items: Vec<String> = items.into_iter().map(|item| item.as_ref().to_owned()).collect();
    format!("[{}]", items.join(","))
}

/// A JSON array of texts.
pub(super) fn texts<I, S>(items: I) -> String
where
    I: IntoIterator<Item = S>,
    S: AsRef<str>,
{
    array(items.into_iter().map(|item| quoted(item.as_ref())))
}

/// A JSON string: only what RFC 8259 demands is escaped, control characters in their short form where one exists.
pub(super) fn quoted(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = 0;
    while plain < bytes.len() && bytes[plain] >= b' ' && bytes[plain] != b'"' && bytes[plain] != b'\\' {
        plain += 1;
    }
    if plain < bytes.len() {
        return Value::from(text).to_string();
    }
    // Nearly every text of a world is plain.
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    out.push_str(text);
    out.push('"');
    out
}

/// Compact JSON re-flowed as `JSON.stringify(value, null, 2)` prints it.
pub(super) fn pretty(compact: &str) -> String {
    let mut out = String::with_capacity(compact.len() * 2);
    let mut depth = 0_usize;
    let (mut in_text, mut escaped) = (false, false);
    let mut characters = compact.chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(character) = characters.next() {
        if in_text {
            out.push(character);
            in_text = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        match character {
            '{' | '[' => {
                out.push(character);
                if let Some(close) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(character);
            }
            ',' => {
                out.push(',');
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            other => {
                in_text = other == '"';
                out.push(other);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_and_sorting_is_asked_for() {
        let object = Object::new().text("b", "x\"\n\u{1}\u{e9}").plain("a", 7).text_or_null("c", None);
        assert_eq!(object.compact(), "{\"b\":\"x\\\"\\n\\u0001\u{e9}\",\"a\":7,\"c\":null}");
        assert_eq!(object.sorted().compact(), "{\"a\":7,\"b\":\"x\\\"\\n\\u0001\u{e9}\",\"c\":null}");
    }

    #[test]
    fn pretty_text_reads_as_the_compact_one() {
        let compact = r#"{"a":[],"b":[{"c":"x,{\"y\\"},2],"d":{"e":null}}"#;
        let text = pretty(compact);
        assert_eq!(
            text,
            "{\n  \"a\": [],\n  \"b\": [\n    {\n      \"c\": \"x,{\\\"y\\\\\"\n    },\n    2\n  ],\n  \"d\": {\n    \"e\": null\n  }\n}"
        );
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&text), read(compact));
    }
}
