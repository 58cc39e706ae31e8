//! CSV by RFC 4180, safe to open in a spreadsheet: the one way in which rows and cells are written.

use std::io::{self, Write};

use crate::domain::inert;

/// Writes a row. It ends with CRLF; a cell with a comma, quote or line break stands in quotes (RFC 4180 2.6, 2.7).
pub(super) fn row(out: &mut dyn Write, cells: &[String]) -> io::Result<()> {
    for (at, cell) in cells.iter().enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        if cell.contains([',', '"', '\r', '\n']) {
            write!(out, "\"{}\"", cell.replace('"', "\"\""))?;
        } else {
            out.write_all(cell.as_bytes())?;
        }
    }
    out.write_all(b"\r\n")
}

/// A cell that no terminal acts on and no spreadsheet takes for a formula. One that could be taken for one, or that begins with
/// the guard, begins with the guard: taking one away gives the text back.
pub(super) fn text(cell: &str) -> String {
    let shown = guarded(cell);
    inert(&shown)
}

/// An apostrophe before what a spreadsheet may compute: `=`, `+`, `-`, `@`, also after blanks or in full width, and before tab,
/// carriage return, line feed and NUL.
fn guarded(cell: &str) -> String {
    let is_active = |character: char| {
        matches!(
            character,
            '=' | '+' | '-' | '@' | '\'' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}' | '\u{2212}'
        )
    };
    let begins = cell.starts_with(['\t', '\r', '\n', '\0']);
    let computes = cell.trim_start().chars().next().is_some_and(is_active);
    if begins || computes { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_compute_is_guarded_and_nothing_else() {
        for formula in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n1",
            "\0",
            " =1",
            "\u{a0}=1",
            "\u{ff1d}1",
            "\u{ff0b}1",
            "\u{ff0d}1",
            "\u{ff20}x",
            "\u{2212}1",
            "'already",
        ] {
            assert_eq!(guarded(formula), format!("'{formula}"));
        }
        for plain in ["", "a=1", "user-01", "1+1", "pk_live", "2026-05-01", "\u{e9}"] {
            assert_eq!(guarded(plain), plain);
        }
        assert_eq!(text("\t=1\u{202e}"), "'\\u{9}=1\\u{202e}");
    }

    #[test]
    fn cells_follow_rfc_4180() {
        let mut out = Vec::new();
        row(&mut out, &["a,b", "say \"x\"", "plain", "", "two\r\nlines"].map(str::to_owned)).unwrap();
        assert_eq!(out, b"\"a,b\",\"say \"\"x\"\"\",plain,,\"two\r\nlines\"\r\n");
    }
}
