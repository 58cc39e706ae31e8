//! Small, strict readers of what renderings are written in. What they read back is compared with what was foreign; other
//! people's readers look at the same in `make test-renderings`.

use std::collections::BTreeSet;

/// Rows of a CSV by RFC 4180: CRLF ends a row, a quote inside quotes stands twice.
pub(crate) fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut rest = text.chars().peekable();
    let mut quoted = false;
    while let Some(character) = rest.next() {
        match character {
            '"' if quoted && rest.peek() == Some(&'"') => cell.extend(rest.next()),
            '"' if quoted => quoted = false,
            _ if quoted => cell.push(character),
            '"' => {
                assert!(cell.is_empty(), "a quote inside a bare cell");
                quoted = true;
            }
            ',' => row.push(std::mem::take(&mut cell)),
            '\r' => {
                assert_eq!(rest.next(), Some('\n'));
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            '\n' => panic!("a bare line feed"),
            _ => cell.push(character),
        }
    }
    assert!(!quoted && row.is_empty() && cell.is_empty(), "the last row is whole");
    rows
}

/// True for what a spreadsheet takes for a formula.
pub(crate) fn is_formula(cell: &str) -> bool {
    let first = cell.trim_start().chars().next();
    first.is_some_and(|first| "=+-@\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}\u{2212}".contains(first))
        || cell.starts_with(['\t', '\r', '\n', '\0'])
}

/// Elements of an XML text with the values of their attributes, checked on the way: no raw `<`, no unknown entity, no character
/// that XML 1.0 forbids, every element closed.
pub(crate) fn xml(text: &str) -> Vec<(String, Vec<String>)> {
    let is_legal =
        |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(text.chars().all(is_legal));
    let body = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").unwrap();
    let (mut elements, mut open) = (Vec::new(), Vec::new());
    for piece in body.split('<').skip(1) {
        let (tag, between) = piece.split_once('>').unwrap();
        entities(between);
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let (tag, closes) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let values = attributes.split('"').skip(1).step_by(2).map(entities).collect();
        if !closes {
            open.push(name.to_owned());
        }
        elements.push((name.to_owned(), values));
    }
    assert!(open.is_empty());
    elements
}

/// The text behind five entities; any other ampersand or a bare `>` fails.
fn entities(text: &str) -> String {
    assert!(!text.contains('>'));
    let mut parts = text.split('&');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(';').unwrap();
        out.push_str(match name {
            "amp" => "&",
            "lt" => "<",
            "gt" => ">",
            "quot" => "\"",
            "apos" => "'",
            other => panic!("&{other};"),
        });
        out.push_str(rest);
    }
    out
}

/// Names, labels and values of an exposition; every sample once, below its own metadata, `# EOF` last.
pub(crate) fn metrics(text: &str) -> Vec<(String, Vec<String>, String)> {
    let (mut samples, mut seen, mut name_now) = (Vec::new(), BTreeSet::new(), String::new());
    let body = text.strip_suffix("# EOF\n").unwrap();
    for line in body.lines() {
        if let Some(meta) = line.strip_prefix("# ") {
            let mut words = meta.splitn(3, ' ');
            if words.next() == Some("TYPE") {
                words.next().unwrap().clone_into(&mut name_now);
                assert!(seen.insert(format!("# {name_now}")), "{name_now} stands in one block");
            }
            continue;
        }
        assert!(seen.insert(line.rsplit_once(' ').unwrap().0.to_owned()), "{line} stands twice");
        let (name, rest) = line.split_once(['{', ' ']).unwrap();
        assert_eq!(name, name_now);
        let (labels, value) = if line[name.len()..].starts_with('{') { labels(rest) } else { (Vec::new(), rest) };
        let is_number = |byte: u8| byte.is_ascii_digit() || byte == b'.' || byte == b'-';
        assert!(!value.is_empty() && value.bytes().all(is_number), "{line}");
        samples.push((name.to_owned(), labels, value.to_owned()));
    }
    samples
}

/// The values of `name="value",..}` and what follows.
fn labels(text: &str) -> (Vec<String>, &str) {
    let mut values = Vec::new();
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once("=\"").unwrap();
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'), "{name}");
        let mut value = String::new();
        let mut characters = after.char_indices();
        let end = loop {
            match characters.next().unwrap() {
                (at, '"') => break at,
                (_, '\\') => value.push(characters.next().unwrap().1),
                (_, character) => value.push(character),
            }
        };
        values.push(value);
        match &after[end + 1..] {
            more if more.starts_with(',') => rest = &more[1..],
            more => return (values, more.strip_prefix("} ").unwrap()),
        }
    }
}

/// What of a line of Markdown is markup: everything that is no letter, blank or harmless punctuation, after escapes and
/// entities are taken away.
pub(crate) fn markup(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line.chars();
    while let Some(character) = rest.next() {
        match character {
            '\\' => assert!(rest.next().is_some_and(|escaped| escaped.is_ascii_punctuation()), "{line}"),
            '&' => {
                let name: String = rest.by_ref().take_while(|character| *character != ';').collect();
                assert!(["amp", "lt", "gt", "quot", "#124"].contains(&name.as_str()), "{name} in {line}");
            }
            // A word of ours, or one that could be.
            '`' => {
                let word: String = rest.by_ref().take_while(|character| *character != '`').collect();
                assert!(word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)), "{line}");
            }
            ',' | ';' | '%' | '?' | '\'' | '.' | ':' | '-' | '/' | '\u{2013}' => {}
            _ if character.is_ascii_punctuation() => out.push(character),
            _ => {}
        }
    }
    out
}

/// Names of the tags of a page, opened and closed. Its own tests ask more of it (`src/report/html`).
pub(crate) fn tags(text: &str) -> Vec<String> {
    let name = |piece: &str| {
        piece
            .split(|character: char| !character.is_ascii_alphanumeric() && character != '/')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    text.split('<').skip(1).map(name).collect()
}
