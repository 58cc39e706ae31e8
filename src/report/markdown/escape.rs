//! Foreign text inside Markdown: what no CommonMark or GFM reader takes for markup, a link, an image, HTML, a mention or a
//! reference, and what reads the same once it is rendered.
//!
//! CommonMark 2.4 lets a backslash stand before every punctuation; a pipe stands as an entity, because GFM splits a table's rows
//! before it reads backslashes. Readers link addresses, mentions (`@name`) and references (`#1`, `GH-1`) in the *rendered* text,
//! where no escape is left: there the character stands as `\u{..}`, as everything does that a terminal would act on.

use crate::domain::inert_limited;

/// Characters of one cell or line that are shown; the report has the rest.
pub(super) const TEXT_MAX: usize = 240;

/// Foreign text for a table's cell or the middle of a line; never empty, so that no row loses a cell.
pub(super) fn text(foreign: &str) -> String {
    let shown: Vec<char> = unaddressed(&inert_limited(foreign.trim(), TEXT_MAX)).chars().collect();
    if shown.is_empty() {
        return "\u{2013}".to_owned();
    }
    let mut out = String::with_capacity(shown.len().saturating_mul(2));
    for (at, character) in shown.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| shown.get(at)).copied();
        push(&mut out, before, *character, shown.get(at.saturating_add(1)).copied());
    }
    out
}

/// A word or digest of ours: hex digits, codes, lower-case names. Anything else is written as [`text`].
pub(super) fn code(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if word.is_empty() || word.len() > TEXT_MAX || !word.bytes().all(is_plain) {
        return text(word);
    }
    format!("`{word}`")
}

fn push(out: &mut String, before: Option<char>, character: char, after: Option<char>) {
    let is_word = |beside: Option<char>| beside.is_some_and(|beside| beside.is_ascii_alphanumeric());
    match character {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '|' => out.push_str("&#124;"),
        ',' | ';' | '%' | '?' | '\'' => out.push(character),
        // A number and a point begin a list.
        '.' if before.is_some_and(|before| before.is_ascii_digit()) => out.push_str("\\."),
        '.' | ':' if matches!(after, None | Some(' ')) => out.push(character),
        '-' if is_word(before) && is_word(after) => out.push(character),
        '/' if before != Some('/') && after != Some('/') => out.push(character),
        _ if character.is_ascii_punctuation() => {
            out.push('\\');
            out.push(character);
        }
        _ => out.push(character),
    }
}

/// Without what leads somewhere in the rendered text.
fn unaddressed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        let is_before_digit = rest.peek().is_some_and(char::is_ascii_digit);
        let leads = match character {
            '@' => true,
            '#' => is_before_digit,
            '-' => is_before_digit && ends_in_gh(&out),
            _ => false,
        };
        if leads { out.extend(character.escape_unicode()) } else { out.push(character) }
    }
    out
}

fn ends_in_gh(text: &str) -> bool {
    text.len().checked_sub(2).and_then(|at| text.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case("gh"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_active_character_is_disarmed_and_words_stay_readable() {
        for (foreign, written) in [
            ("wss://relay.ochk.io", r"wss\:\/\/relay\.ochk\.io"),
            ("<b onload=\"x\">", r"&lt;b onload\=&quot;x&quot;&gt;"),
            ("a|b\\|c", r"a&#124;b\\&#124;c"),
            ("![x](http://y)", r"\!\[x\]\(http\:\/\/y\)"),
            ("a@b.org #12 GH-7 #x", r"a\\u\{40\}b\.org \\u\{23\}12 GH\\u\{2d\}7 \#x"),
            ("**x** _y_ `z` ~w~ {{v}} $u$", r"\*\*x\*\* \_y\_ \`z\` \~w\~ \{\{v\}\} \$u\$"),
            ("- 1. x", r"\- 1\. x"),
            ("a\nb\u{202e}", r"a\\u\{a\}b\\u\{202e\}"),
            ("user-01ab, 3 of 4; 5%?", "user-01ab, 3 of 4; 5%?"),
            ("  ", "\u{2013}"),
            ("&#x202e;", r"&amp;\#x202e;"),
        ] {
            assert_eq!(text(foreign), written);
        }
        assert_eq!((code("ENV_SIG_BAD"), code("a`b")), ("`ENV_SIG_BAD`".to_owned(), r"a\`b".to_owned()));
    }

    #[test]
    fn what_is_long_is_cut_and_says_so() {
        assert_eq!(text(&"x".repeat(1000)), format!(r"{}\.\..", "x".repeat(TEXT_MAX)));
    }
}
