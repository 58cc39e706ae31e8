//! A strict, bounded JSON reader (RFC 8259) that keeps the exact source slice of every member.
//!
//! Signed bytes must never be read two ways. So duplicate keys, lone surrogates, trailing bytes and invalid UTF-8 are
//! errors, numbers stay source text, and no value is re-encoded unless a caller asks for it.

mod read;
mod text;

use std::borrow::Cow;

pub(crate) use read::parse;
pub(crate) use text::{escaped_len, text_of, write_string};

/// A JSON value that borrows from its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as its source text.
    Number(&'a str),
    /// A string, unescaped.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Json<'a>>),
    /// An object's members in received order; keys are distinct.
    Object(Vec<(Cow<'a, str>, Member<'a>)>),
}

/// One member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member<'a> {
    /// Its value.
    pub(crate) value: Json<'a>,
    /// The value's exact source text, without surrounding white space.
    pub(crate) slice: &'a str,
}

/// Why a text is not acceptable JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {offset}")]
pub(crate) struct JsonError {
    /// Byte offset of the fault in the input.
    pub(crate) offset: usize,
    /// What is wrong there.
    pub(crate) what: &'static str,
    /// The key that stands twice in one object, when that is the fault.
    pub(crate) duplicate_key: Option<String>,
}

impl<'a> Json<'a> {
    /// The members when it is an object.
    pub(crate) fn members(&self) -> Option<&[(Cow<'a, str>, Member<'a>)]> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The named member with its source slice, when it is an object that has one.
    pub(crate) fn member(&self, key: &str) -> Option<&Member<'a>> {
        self.members()?.iter().find(|(name, _)| name == key).map(|(_, member)| member)
    }

    /// The named member's value, `null` included.
    pub(crate) fn get(&self, key: &str) -> Option<&Json<'a>> {
        self.member(key).map(|member| &member.value)
    }

    /// The named member's value unless it is absent or `null`.
    pub(crate) fn get_some(&self, key: &str) -> Option<&Json<'a>> {
        self.get(key).filter(|value| !matches!(value, Json::Null))
    }

    /// The text of that member, when it has one.
    pub(crate) fn into_text(self, key: &str) -> Option<String> {
        let Self::Object(members) = self else { return None };
        match members.into_iter().find(|(name, _)| name == key)?.1.value {
            Self::String(text) => Some(text.into_owned()),
            _ => None,
        }
    }

    /// The elements when it is an array.
    pub(crate) fn as_array(&self) -> Option<&[Json<'a>]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The text when it is a string.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value when it is one.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The source text when it is a number.
    pub(crate) fn as_number(&self) -> Option<&'a str> {
        match self {
            Self::Number(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a plain integer token: digits only, so no sign, fraction or exponent.
    pub(crate) fn as_u64(&self) -> Option<u64> {
        let text = self.as_number()?;
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
    }

    /// As [`Self::as_u64`], with an optional minus sign; `-0` is refused.
    pub(crate) fn as_i64(&self) -> Option<i64> {
        let text = self.as_number()?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        (text != "-0" && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
    }

    /// Compact text in received key order with the escapes of ECMAScript's `JSON.stringify`. Numbers keep their text.
    pub(crate) fn to_compact(&self) -> String {
        let mut out = Vec::new();
        self.write(&mut out, false);
        text_of(out)
    }

    /// Compact text with keys sorted by UTF-16 code units (RFC 8785, 3.2.3). Numbers keep their text, except that
    /// `-0` becomes `0`: the family's signed bytes hold integers only, for which that is the canonical form.
    pub(crate) fn to_jcs(&self) -> String {
        let mut out = Vec::new();
        self.write(&mut out, true);
        text_of(out)
    }

    // Recursion is bounded by JSON_DEPTH_MAX, which the parser enforced.
    fn write(&self, out: &mut Vec<u8>, sorted: bool) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Number("-0") if sorted => out.push(b'0'),
            Self::Number(text) => out.extend_from_slice(text.as_bytes()),
            Self::String(text) => write_string(out, text),
            Self::Array(items) => {
                out.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    item.write(out, sorted);
                }
                out.push(b']');
            }
            Self::Object(members) => {
                let mut order: Vec<_> = members.iter().collect();
                if sorted {
                    order.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
                }
                write_members(out, order.into_iter().map(|(key, member)| (&**key, &member.value)), sorted);
            }
        }
    }
}

fn write_members<'j, 'a: 'j>(out: &mut Vec<u8>, members: impl Iterator<Item = (&'j str, &'j Json<'a>)>, sorted: bool) {
    out.push(b'{');
    for (at, (key, value)) in members.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_string(out, key);
        out.push(b':');
        value.write(out, sorted);
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evidence::limits::JSON_DEPTH_MAX;

    fn fault(text: &[u8]) -> (usize, &'static str) {
        let error = parse(text).unwrap_err();
        (error.offset, error.what)
    }

    #[test]
    fn every_member_keeps_its_exact_source() {
        let text = br#" {"a" : {"x":1.50 , "y":[ true,null ]} ,"b":"\u0041\n\ud83d\ude00"} "#;
        let json = parse(text).unwrap();
        assert_eq!(json.member("a").unwrap().slice, r#"{"x":1.50 , "y":[ true,null ]}"#);
        assert_eq!(json.get("a").unwrap().get("x").unwrap().as_number(), Some("1.50"));
        assert_eq!(json.get("b").unwrap().as_str(), Some("A\n\u{1f600}"));
        assert_eq!(json.to_compact(), "{\"a\":{\"x\":1.50,\"y\":[true,null]},\"b\":\"A\\n\u{1f600}\"}");
        assert!(json.get_some("c").is_none());
    }

    #[test]
    fn a_duplicate_key_is_named_even_when_escaped_differently() {
        let error = parse(br#"{"k":1,"b":{"kid":1,"\u006bid":2}}"#).unwrap_err();
        assert_eq!((error.duplicate_key.as_deref(), error.offset), (Some("kid"), 20));
        assert!(parse(br#"{"kid":1,"b":{"kid":2}}"#).is_ok());
    }

    #[test]
    fn what_rfc_8259_forbids_is_refused_with_its_offset() {
        for (text, offset, what) in [
            (&b""[..], 0, "unexpected end"),
            (b"{} x", 3, "trailing bytes"),
            (b"\xef\xbb\xbf{}", 0, "unexpected byte"),
            (b"[1,]", 3, "unexpected byte"),
            (b"{\"a\"1}", 4, "colon expected"),
            (b"{a:1}", 1, "string expected"),
            (b"[01]", 2, "comma or closing bracket expected"),
            (b"[1.]", 3, "digit expected"),
            (b"[1e]", 3, "digit expected"),
            (b"-", 1, "digit expected"),
            (b"\"\\x\"", 2, "unknown escape"),
            (b"\"\\ud800\"", 2, "lone surrogate"),
            (b"\"\\udc00\"", 2, "lone surrogate"),
            (b"\"\\ud800\\u0041\"", 2, "lone surrogate"),
            (b"\"\\u00g0\"", 3, "four hex digits expected"),
            (b"\"\\u+041\"", 3, "four hex digits expected"),
            (b"\"a\nb\"", 2, "raw control character in a string"),
            (b"\"abc", 4, "unterminated string"),
            (b"\"\xff\"", 1, "invalid UTF-8"),
            (b"nul", 0, "unexpected byte"),
        ] {
            assert_eq!(fault(text), (offset, what), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(nested(JSON_DEPTH_MAX).as_bytes()).is_ok());
        assert_eq!(fault(nested(JSON_DEPTH_MAX + 1).as_bytes()), (JSON_DEPTH_MAX, "nested too deep"));
        assert_eq!(fault("[".repeat(10_000).as_bytes()).1, "nested too deep");
    }

    #[test]
    fn only_plain_integer_tokens_are_integers() {
        let number = |text: &'static str| parse(text.as_bytes()).unwrap();
        assert_eq!(number("18446744073709551615").as_u64(), Some(u64::MAX));
        for text in ["18446744073709551616", "1.0", "1e3", "-1", "-0", "\"1\""] {
            assert_eq!(number(text).as_u64(), None, "{text}");
        }
        assert_eq!(number("-5").as_i64(), Some(-5));
        assert_eq!(number("-0").as_i64(), None);
    }

    #[test]
    fn jcs_sorts_by_utf16_code_units() {
        // RFC 8785, 3.2.3: the example's keys, as escapes; U+1F600 sorts before U+FB33 in UTF-16 only.
        let text = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7,"z":-0}"#;
        assert_eq!(
            parse(text.as_bytes()).unwrap().to_jcs(),
            "{\"\\r\":2,\"1\":4,\"z\":0,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}"
        );
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_reads_back_the_same(text in "\\PC*", number: i64, flag: bool) {
            let value = serde_json::json!({"t": text.clone(), "n": number, "l": [flag, null_value()]});
            let source = serde_json::to_string(&value).unwrap();
            let json = parse(source.as_bytes()).unwrap();
            prop_assert_eq!(json.get("t").unwrap().as_str(), Some(text.as_str()));
            prop_assert_eq!(json.to_jcs(), source);
        }

        #[test]
        fn what_we_accept_serde_json_accepts(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if parse(&bytes).is_ok() {
                prop_assert!(serde_json::from_slice::<&serde_json::value::RawValue>(&bytes).is_ok());
            }
        }
    }

    fn null_value() -> serde_json::Value {
        serde_json::Value::Null
    }
}
