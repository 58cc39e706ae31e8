//! Text inside a page of Markdown: no markup, no HTML, no link, nothing that a terminal or a reader acts on.

use crate::domain::inert_limited;

/// Characters of one text: pages are read by people.
const TEXT_MAX: usize = 300;
/// ASCII punctuation that is never markup inside a line.
const PLAIN: &str = ",;'";

/// The text as it can stand anywhere in a paragraph or a cell of a table (CommonMark 2.4, GitHub's tables and autolinks).
///
/// Every other punctuation is escaped, which also keeps addresses from becoming links. A mail address can't be kept by escaping,
/// because readers look for it after escapes are undone: its sign is written out. Cut after 300 characters.
pub fn markdown_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in inert_limited(text, TEXT_MAX).chars() {
        match character {
            // Not by a backslash: what is not quite CommonMark may hand HTML on before it looks at escapes.
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '@' => out.push_str("(at)"),
            character if character.is_ascii_punctuation() && !PLAIN.contains(character) => {
                out.push('\\');
                out.push(character);
            }
            character => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_markup_survives() {
        let hostile =
            "<script>x</script> [a](http://b.c) ![i](d) `k` | *e* _u_ # h\n- l\r\n1. n www.x.org a@b.cd &amp; \\ ~~s~~";
        let shown = markdown_text(hostile);
        for live in ["<", ">", "](", "://", "www.", "a@b", "\n", "\r", " `", " |", "&amp;amp\\;x"] {
            assert!(!shown.contains(live), "{live}: {shown}");
        }
        // Every punctuation that has a meaning stands behind a backslash, an entity apart.
        let bare = shown.replace("&lt;", "").replace("&gt;", "").replace("&amp;", "").replace("(at)", "");
        let mut before = ' ';
        for character in bare.chars() {
            let is_live = "`*_{}[]()<>#+-.!|~&:/=\"$^".contains(character);
            assert!(!is_live || before == '\\', "{character} in {bare}");
            before = if before == '\\' && character == '\\' { ' ' } else { character };
        }
    }

    #[test]
    fn plain_words_stay_as_they_are_and_control_characters_do_not() {
        assert_eq!(markdown_text("three words, \u{e9}"), "three words, \u{e9}");
        let shown = markdown_text("a\x1b[31m\u{202e}b\u{200d}");
        assert!(!shown.chars().any(|one| one.is_control() || "\u{202e}\u{200d}".contains(one)), "{shown}");
        assert!(markdown_text(&"x".repeat(1_000)).len() < 400);
    }
}
