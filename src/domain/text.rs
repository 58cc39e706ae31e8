//! Making foreign text inert before it reaches a terminal.

/// Replaces everything a terminal might act on: C0, C1, DEL, line and paragraph separators, bidi and other format characters.
///
/// A replaced character stands as `\u{..}`. Evidence itself stays raw; only what is shown passes through here.
pub fn inert(text: &str) -> String {
    inert_limited(text, usize::MAX)
}

/// As [`inert`], cut after `limit` characters with an ellipsis.
pub fn inert_limited(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit.saturating_add(8)));
    for (count, character) in text.chars().enumerate() {
        if count == limit {
            out.push_str("...");
            break;
        }
        if is_active(character) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

fn is_active(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_terminal_acts_on_survives() {
        let hostile = "a\x1b]52;c;AAAA\x07b\u{202e}c\u{9b}31md\re\nf\u{7f}\u{200d}";
        let shown = inert(hostile);
        assert!(!shown.chars().any(|c| c.is_control() || c == '\u{202e}' || c == '\u{200d}'));
        assert!(shown.starts_with("a\\u{1b}]52"));
        assert_eq!(inert("plain text, \u{e9}"), "plain text, \u{e9}");
        assert_eq!(inert_limited("abcdef", 3), "abc...");
    }
}
