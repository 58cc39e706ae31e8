//! Canonical JSON: keys sorted by their UTF-8 bytes, no white space, integers only, one trailing line feed.

use serde_json::Value;

/// Writes a value canonically. Floats can't occur in a report; one that does is written as `null` and caught by the schema.
pub fn canonical_json(value: &Value) -> Vec<u8> {
    let mut out = String::new();
    write(value, &mut out);
    out.push('\n');
    out.into_bytes()
}

/// As [`canonical_json`], without the line feed, at the end of a text.
pub(super) fn push_canonical(value: &Value, out: &mut String) {
    write(value, out);
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) if number.is_f64() => out.push_str("null"),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
            out.push('{');
            for (at, (name, item)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_text(name, out);
                out.push(':');
                write(item, out);
            }
            out.push('}');
        }
    }
}

/// Escapes what JSON demands, and every character that a terminal or page might act on (INV-10): a report is often `cat`ed.
fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            _ if is_plain(character) => out.push(character),
            _ => {
                let mut units = [0_u16; 2];
                for unit in character.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}

fn is_plain(character: char) -> bool {
    // Almost everything is printable ASCII, of which nothing is live.
    if matches!(character, ' '..='~') {
        return true;
    }
    let mut buffer = [0_u8; 4];
    let text: &str = character.encode_utf8(&mut buffer);
    crate::domain::inert(text) == text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_and_nothing_live_is_written() {
        let value = json!({"b": [1, "x\u{1b}[31m\u{202e}\u{1f600}\u{e0001}"], "a": null, "\u{e9}": -1});
        let text = String::from_utf8(canonical_json(&value)).unwrap();
        assert_eq!(text, "{\"a\":null,\"b\":[1,\"x\\u001b[31m\\u202e\u{1f600}\\udb40\\udc01\"],\"\u{e9}\":-1}\n");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
