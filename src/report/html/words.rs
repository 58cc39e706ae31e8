//! The page's alphabet: every text that comes from outside passes through [`text`].

use std::fmt::Display;

use crate::domain::{UnixSeconds, inert};

/// A text inside an element or a quoted attribute: markup characters are entities, live characters are spelled out.
pub(super) fn text(foreign: &str) -> String {
    let mut out = String::with_capacity(foreign.len());
    for character in inert(foreign).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
    out
}

/// Digits in groups of three: `1,340,840`.
pub(super) fn grouped(number: impl Display + Copy) -> String {
    let digits = number.to_string();
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |digits| ("-", digits));
    let mut out = String::from(sign);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A short word in a coloured box; the word says what the colour says.
pub(super) fn badge(word: &str, tone: &str) -> String {
    let class = if tone.is_empty() { "badge".to_owned() } else { format!("badge {tone}") };
    format!("<span class=\"{class}\">{}</span>", text(word))
}

/// The tone of a severity.
pub(super) fn tone(severity: &str) -> &'static str {
    match severity {
        "critical" | "error" => "bad",
        "warn" => "warning",
        _ => "",
    }
}

/// A digest or an id.
pub(super) fn code(id: impl Display + Copy) -> String {
    format!("<code>{}</code>", text(&id.to_string()))
}

/// An instant, or a word for none.
pub(super) fn instant(at: Option<UnixSeconds>, none: &str) -> String {
    at.map_or_else(|| none.to_owned(), |at| at.to_string())
}

/// A span of time in the two largest units that say something.
pub(super) fn duration(seconds: u64) -> String {
    let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let mut left = seconds;
    let mut said = Vec::new();
    for (name, size) in units {
        let count = left / size;
        left %= size;
        if count > 0 || (said.is_empty() && size == 1) {
            said.push(format!("{count} {name}"));
        }
        if said.len() == 2 {
            break;
        }
    }
    said.join(" ")
}

/// A table of cells that are markup already. Columns whose name begins with `#` hold numbers.
pub(super) fn table(caption: &str, columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let class = |name: &str| if name.starts_with('#') { " class=\"n\"" } else { " class=\"wrap\"" };
    let caption = text(caption);
    let mut out = format!("{}<table><caption>{caption}</caption><thead><tr>", scroll(&caption));
    for name in columns {
        let numbers = if name.starts_with('#') { " class=\"n\"" } else { "" };
        out.push_str(&format!("<th scope=\"col\"{numbers}>{}</th>", text(name.trim_start_matches('#'))));
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        for (place, (name, cell)) in columns.iter().zip(row).enumerate() {
            let cell = match place {
                0 => format!("<th scope=\"row\"{}>{cell}</th>", class(name)),
                _ => format!("<td{}>{cell}</td>", class(name)),
            };
            out.push_str(&cell);
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

/// Opens a box that scrolls where it is too wide, by the keyboard too. The label is markup already.
pub(super) fn scroll(label: &str) -> String {
    format!("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\">")
}

/// Names with what is known under each, which is markup already.
pub(super) fn facts(facts: &[(&str, String)]) -> String {
    let mut out = String::from("<dl class=\"facts\">");
    for (name, value) in facts {
        out.push_str(&format!("<dt>{name}</dt><dd>{value}</dd>"));
    }
    out.push_str("</dl>\n");
    out
}

/// A section with its heading.
pub(super) fn section(id: &str, heading: &str, body: &str) -> String {
    format!("<section id=\"{id}\" aria-labelledby=\"{id}-h\">\n<h2 id=\"{id}-h\">{heading}</h2>\n{body}</section>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_markup_and_no_live_character_survives() {
        assert_eq!(
            text("<img src=x onerror='a'>&\"\u{202e}\x07"),
            "&lt;img src=x onerror=&#39;a&#39;&gt;&amp;&quot;\\u{202e}\\u{7}"
        );
    }

    #[test]
    fn numbers_are_grouped_and_spans_are_told_in_two_units() {
        let shown = [0, 999, 1_000, 1_340_840, -1_000, -12].map(|number: i128| grouped(number));
        assert_eq!(shown, ["0", "999", "1,000", "1,340,840", "-1,000", "-12"]);
        let told = [0, 59, 60, 3_661, 86_400, 200_000].map(duration);
        assert_eq!(told, ["0 s", "59 s", "1 min", "1 h 1 min", "1 d", "2 d 7 h"]);
    }
}
