//! XML 1.0 without a document type: elements, attributes and text, whatever stands in them.

use crate::domain::inert_limited;

/// Characters of one attribute or line that are shown; the report has the rest.
const TEXT_MAX: usize = 500;

/// Foreign text for an attribute in double quotes or for an element: inert, legal (XML 1.0 2.2) and escaped (2.4).
pub(super) fn text(foreign: &str) -> String {
    let mut out = String::new();
    for character in inert_limited(foreign, TEXT_MAX).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            // Also the end of a CDATA section, which must not stand in text.
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => out.extend(character.escape_unicode()),
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_an_attribute_or_a_section_and_nothing_is_illegal() {
        assert_eq!(
            text("]]>\"'<a&b\u{1b}\n\u{fffe}\u{ffff}\u{0}"),
            "]]&gt;&quot;&apos;&lt;a&amp;b\\u{1b}\\u{a}\\u{fffe}\\u{ffff}\\u{0}"
        );
        assert_eq!(text("\u{1f600} \u{e9}"), "\u{1f600} \u{e9}");
    }
}
