//! `report.md`: the report for a pull request, a ticket or a transparency page. docs/renderings.md says how it is written.

mod escape;
mod findings;
mod sections;

use std::io::{self, Write};

use super::document::Document;

/// Foreign text inside a page of Markdown, as in every page that this program writes.
pub fn markdown_text(foreign: &str) -> String {
    escape::text(foreign)
}

/// Writes the page. Its bytes are a function of the report's bytes: of times it holds those that the report holds.
///
/// # Errors
/// Those of the writer.
pub(super) fn write_markdown(document: &Document<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::default();
    sections::verdict(&mut page, document);
    sections::denominators(&mut page, &document.head);
    sections::does_not_prove(&mut page, &document.head);
    sections::runbook(&mut page, &document.head);
    sections::coverage(&mut page, &document.head);
    findings::divergences(&mut page, document);
    findings::unverifiable(&mut page, &document.head);
    findings::acknowledgements(&mut page, &document.head);
    findings::gaps(&mut page, &document.head);
    sections::roots(&mut page, document);
    out.write_all(page.0.as_bytes())
}

/// Markdown while it is written: whole blocks, each with a blank line before it. What is foreign in them is escaped already.
#[derive(Default)]
struct Page(String);

impl Page {
    fn block(&mut self, lines: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(lines);
        self.0.push('\n');
    }

    fn heading(&mut self, depth: usize, words: &str) {
        self.block(&format!("{} {words}", "#".repeat(depth)));
    }

    fn list(&mut self, items: impl Iterator<Item = String>) {
        let items: Vec<String> = items.map(|item| format!("- {item}")).collect();
        self.block(&items.join("\n"));
    }

    /// A table; `:` before a column's name aligns it to the right.
    fn table(&mut self, columns: &[&str], rows: impl Iterator<Item = Vec<String>>) {
        let names: Vec<&str> = columns.iter().map(|column| column.trim_start_matches(':')).collect();
        let rules: Vec<&str> =
            columns.iter().map(|column| if column.starts_with(':') { "--:" } else { "---" }).collect();
        let mut lines = vec![format!("| {} |", names.join(" | ")), format!("|{}|", rules.join("|"))];
        lines.extend(rows.map(|cells| format!("| {} |", cells.join(" | "))));
        self.block(&lines.join("\n"));
    }
}
