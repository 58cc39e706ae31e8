//! Bearer money in a log: e-cash notes are spendable by whoever reads them (TREASURY 0.4), so they are replaced by
//! their hash before a byte is kept.
//!
//! The search is lexical, not structural: a record that is cut off or is not JSON may hold notes all the same.

use std::ops::Range;

use crate::domain::sha256;
use crate::evidence::json::{self, Json};

/// Members that hold spendable notes: `mint` and `mintv2` `payment-send` (TREASURY 1.4).
const BEARER_MEMBERS: [&str; 2] = ["oob_notes", "ecash"];
const REDACTED: &str = "redacted:sha256:";
/// A member name of nine letters, each written as a six-byte escape.
const KEY_SOURCE_BYTES_MAX: usize = 64;

/// Replaces every bearer string by `redacted:sha256:<hex of its source bytes>`; `None` when there is none. Whoever
/// captures a log entry applies it first, so that the notes are in no evidence, store or bundle. Applying it twice
/// changes nothing more.
pub fn redact(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut kept_to = 0;
    for secret in secrets(bytes).into_iter().filter(|secret| !is_redacted(&bytes[secret.at.clone()])) {
        out.extend_from_slice(&bytes[kept_to..secret.at.start]);
        let replacement = format!("{REDACTED}{}", sha256(&bytes[secret.at.clone()]));
        match secret.form {
            Form::Text => out.extend_from_slice(replacement.as_bytes()),
            Form::Nested => out.extend_from_slice(format!("\"{replacement}\"").as_bytes()),
        }
        kept_to = secret.at.end;
    }
    if kept_to == 0 {
        return None;
    }
    out.extend_from_slice(&bytes[kept_to..]);
    Some(out)
}

/// True when the bytes hold a bearer member, redacted or not.
pub(super) fn is_present(bytes: &[u8]) -> bool {
    !secrets(bytes).is_empty()
}

/// The paths of the bearer members, redacted or not, for example `payload.oob_notes`.
pub(super) fn paths(json: &Json<'_>) -> Vec<String> {
    let mut found = Vec::new();
    walk(json, "", &mut found);
    found
}

// Recursion is bounded by JSON_DEPTH_MAX, which the parser enforced.
fn walk(json: &Json<'_>, path: &str, found: &mut Vec<String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match json {
        Json::Object(members) => {
            for (name, member) in members {
                let holds = matches!(member.value, Json::String(_) | Json::Object(_) | Json::Array(_));
                if BEARER_MEMBERS.contains(&&**name) && holds {
                    found.push(below(name));
                } else {
                    walk(&member.value, &below(name), found);
                }
            }
        }
        Json::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                walk(item, &below(&at.to_string()), found);
            }
        }
        Json::String(text) if is_present(text.as_bytes()) => found.push(path.to_owned()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

struct Secret {
    at: Range<usize>,
    form: Form,
}

#[derive(Clone, Copy)]
enum Form {
    /// The inside of a string.
    Text,
    /// An object or array.
    Nested,
}

/// Every value of a bearer member, found at any quotation mark, so that a stray one before it hides nothing. In a damaged
/// record a name may follow a secret at once: where one ends, a name may begin, whatever its own last bytes were.
fn secrets(bytes: &[u8]) -> Vec<Secret> {
    let mut found: Vec<Secret> = Vec::new();
    let (mut at, mut behind) = (0, None);
    while let Some(mark) = bytes.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == b'"')) {
        let (start, escaped) = match behind.take() {
            // What replaces an object or array is a string: its closing mark is not there yet.
            Some(Form::Nested) => (at, false),
            // The backslashes of a string escape nothing behind it.
            Some(Form::Text) if mark == 0 => (at + 1, false),
            // JSON text inside a JSON string has its marks escaped.
            _ => (at + mark + 1, bytes[..at + mark].ends_with(b"\\")),
        };
        at = start;
        let Some(after_key) = bearer_key_end(bytes, start, escaped) else { continue };
        if let Some(secret) = value_after(bytes, after_key, escaped) {
            (at, behind) = (secret.at.end, Some(secret.form));
            found.push(secret);
        }
    }
    found
}

/// Where a bearer member's name ends, its closing mark included, when one begins at `start`.
fn bearer_key_end(bytes: &[u8], start: usize, escaped: bool) -> Option<usize> {
    let rest = &bytes[start..];
    if escaped {
        let closed = |name: &&&str| rest.starts_with(name.as_bytes()) && rest[name.len()..].starts_with(b"\\\"");
        return BEARER_MEMBERS.iter().find(closed).map(|name| start + name.len() + 2);
    }
    let length = string_length(&rest[..rest.len().min(KEY_SOURCE_BYTES_MAX)])?;
    let end = start + length + 1;
    let written = &rest[..length];
    if !written.contains(&b'\\') {
        return BEARER_MEMBERS.iter().any(|name| name.as_bytes() == written).then_some(end);
    }
    // The name may be written with escapes: the strict reader undoes them.
    let quoted = [b"\"", written, b"\""].concat();
    let name = json::parse(&quoted).ok()?;
    BEARER_MEMBERS.contains(&name.as_str()?).then_some(end)
}

fn value_after(bytes: &[u8], after_key: usize, escaped: bool) -> Option<Secret> {
    let colon = skip_space(bytes, after_key);
    if bytes.get(colon) != Some(&b':') {
        return None;
    }
    let value = skip_space(bytes, colon + 1);
    let rest = &bytes[value..];
    if escaped {
        let inside = rest.strip_prefix(b"\\\"")?;
        let length = inside.iter().position(|&byte| byte == b'\\' || byte == b'"').unwrap_or(inside.len());
        return Some(Secret { at: value + 2..value + 2 + length, form: Form::Text });
    }
    match rest.first()? {
        b'"' => {
            let length = string_length(&rest[1..]).unwrap_or(rest.len() - 1);
            Some(Secret { at: value + 1..value + 1 + length, form: Form::Text })
        }
        b'{' | b'[' => Some(Secret { at: value..value + nested_length(rest), form: Form::Nested }),
        _ => None,
    }
}

/// Bytes up to the closing mark of a string whose opening mark was passed.
fn string_length(inside: &[u8]) -> Option<usize> {
    let mut escaped = false;
    inside.iter().position(|&byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

/// Bytes of the object or array that begins here; all there is when it is cut off.
fn nested_length(bytes: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => at += string_length(&bytes[at..]).map_or(bytes.len() - at, |length| length + 1),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn is_redacted(secret: &[u8]) -> bool {
    let hex = secret.strip_prefix(REDACTED.as_bytes());
    hex.is_some_and(|hex| hex.len() == 64 && hex.iter().all(u8::is_ascii_hexdigit))
}

fn skip_space(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOTES: &str = "AQEEsecretNOTES";

    fn redacted(text: &str) -> Option<String> {
        redact(text.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn bearer_strings_are_replaced_by_their_hash_wherever_they_stand() {
        let hash = sha256(NOTES.as_bytes());
        for (before, after) in [
            (r#"{"payload":{"oob_notes":"#, r#","amount":5}}"#),
            (r#"{"ecash" :  "#, "}"),
            (r#"[1,"payment-send",["mint",1],2,{"ecash":"#, "}]"),
            (r#"{"\u006fob\u005fnotes":"#, "}"),
            (r#"stray " mark {"oob_notes":"#, ""),
        ] {
            let expected = format!(r#"{before}"redacted:sha256:{hash}"{after}"#);
            assert_eq!(redacted(&format!("{before}\"{NOTES}\"{after}")), Some(expected.clone()));
            assert_eq!(redacted(&expected), None, "a second time changes nothing");
        }
    }

    #[test]
    fn notes_in_any_other_form_are_replaced_too() {
        for text in [
            format!(r#"{{"oob_notes":["{NOTES}",{{"n":"]{NOTES}"}}],"x":1}}"#),
            format!(r#"{{"ecash":{{"a":"}}{NOTES}"}}}}"#),
            format!(r#"{{"payload":"{{\"oob_notes\":\"{NOTES}\"}}"}}"#),
            format!(r#"{{"oob_notes":"{NOTES}"#),
            format!(r#"{{"oob_notes":["{NOTES}"#),
            format!(r#"{{"oob_notes":"a\"{NOTES}","ecash":"{NOTES}"}}"#),
        ] {
            let after = redacted(&text).unwrap();
            assert!(!after.contains(NOTES), "{after}");
            assert!(is_present(after.as_bytes()), "{after}");
        }
    }

    /// Found by fuzzing: the backslash that ends a note is not one that escapes the mark behind it.
    #[test]
    fn a_name_right_behind_a_secret_is_seen_the_first_time() {
        for text in [
            format!(r#"{{"oob_notes":"a\\"oob_notes":"{NOTES}"}}"#),
            format!(r#"{{"oob_notes":["a"]ecash":"{NOTES}"}}"#),
            format!(r#"{{"oob_notes":["a"]\"ecash\":\"{NOTES}\""}}"#),
        ] {
            let after = redacted(&text).unwrap();
            assert!(!after.contains(NOTES), "{after}");
            assert_eq!(redacted(&after), None, "{after}");
        }
    }

    #[test]
    fn what_bears_no_money_stays_as_it_is() {
        for text in [
            r#"{"kind":"oob-notes-spent","payload":{"requested_amount":5}}"#,
            r#"{"ecash_balance_msats":"5"}"#,
            r#"{"ecash":5,"oob_notes":null}"#,
            r#"{"note":"oob_notes"}"#,
            r#"["oob_notes","x"]"#,
            "",
        ] {
            assert_eq!(redacted(text), None, "{text}");
        }
    }

    #[test]
    fn paths_name_the_members_and_not_their_values() {
        let text =
            format!(r#"{{"p":{{"oob_notes":"{NOTES}","l":[{{"ecash":[]}}],"ecash":1}},"q":"{{\"ecash\":\"x\"}}"}}"#);
        assert_eq!(paths(&json::parse(text.as_bytes()).unwrap()), ["p.oob_notes", "p.l.0.ecash", "q"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_search_fail(parts in proptest::collection::vec(prop_oneof![
            Just("\"oob_notes\""), Just("\\\"ecash\\\""), Just(":"), Just("\""), Just("\\"), Just("{"), Just("["), Just("]"), Just(" "), Just("a"),
            Just("oob_notes\":\""),
        ], 0..24)) {
            let text = parts.concat();
            let once = redact(text.as_bytes()).unwrap_or_else(|| text.clone().into_bytes());
            prop_assert_eq!(redact(&once), None);
        }
    }
}
