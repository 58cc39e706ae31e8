//! The report as one page: no request, no link out, legible without a script, usable with a million divergences.

mod coverage;
mod figures;
mod ledgers;
mod packed;
mod rows;
mod summary;
mod words;

use std::collections::BTreeSet;
use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::document::{Document, DocumentError};
use super::rendering::Measurements;
use crate::domain::sha256;
use packed::Packer;
use words::{section, text};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Sections by id, in the order of the page.
const SECTIONS: [(&str, &str); 12] = [
    ("population", "What was checked"),
    ("not-proven", "What this does not prove"),
    ("runbook", "Runbook"),
    ("divergences", "Divergences"),
    ("coverage", "Coverage"),
    ("time", "Time"),
    ("checks", "Checks"),
    ("ledgers", "Ledgers"),
    ("balances", "Balances"),
    ("custody", "Custody"),
    ("acknowledgements", "Acknowledgements"),
    ("origin", "Origin"),
];

/// Writes the page. It ends with `</html>` only when it is whole.
pub(super) fn write_html(
    document: &Document<'_>,
    measured: Option<&Measurements>,
    out: &mut dyn Write,
) -> Result<(), DocumentError> {
    out.write_all(opening(document).as_bytes())?;
    out.write_all(summary::header(document).as_bytes())?;
    out.write_all(contents().as_bytes())?;
    for (id, heading) in SECTIONS {
        let body = body(id, document, measured);
        let mut made = section(id, heading, &body);
        if id == "divergences" {
            let attributes = rows::attributes(document);
            made = made.replacen("<section", &format!("<section{attributes}"), 1);
        }
        out.write_all(made.as_bytes())?;
    }
    out.write_all(b"</main>\n<footer><p class=\"soft\">Made by reledger from report.json alone.</p></footer>\n")?;
    if document.tally.all > 0 {
        let codes: BTreeSet<_> = document.tally.by.keys().map(|(code, ..)| *code).collect();
        let mut packer = Packer::new(codes);
        document.each(&mut |divergence| packer.add(&divergence, out))?;
        packer.finish(out)?;
    }
    out.write_all(format!("<script>{SCRIPT}</script>\n</body>\n</html>\n").as_bytes())?;
    Ok(())
}

fn body(id: &str, document: &Document<'_>, measured: Option<&Measurements>) -> String {
    let head = &document.head;
    match id {
        "population" => summary::population(head),
        "not-proven" => summary::not_proven(head),
        "runbook" => head.runbook.as_ref().map_or_else(older, summary::runbook),
        "divergences" => rows::divergences(document),
        "coverage" => coverage::coverage(head),
        "time" => figures::time(head, measured),
        "checks" => summary::checks(head),
        "ledgers" => ledgers::ledgers(head),
        "balances" => ledgers::balances(head),
        "custody" => head.custody.as_ref().map_or_else(older, figures::custody),
        "acknowledgements" => ledgers::acknowledgements(head),
        _ => ledgers::origin(document),
    }
}

fn older() -> String {
    "<p class=\"soft\">This report is of a version that does not tell.</p>\n".to_owned()
}

fn opening(document: &Document<'_>) -> String {
    let (style, script) = (hash(STYLE), hash(SCRIPT));
    let head = &document.head;
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
        <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src {style}; script-src {script}; \
        base-uri 'none'; form-action 'none'\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
        <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
        <meta name=\"generator\" content=\"reledger {}\">\n<title>{}: reledger report as of {}</title>\n\
        <style>{STYLE}</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the report</a>\n",
        text(&head.tool.version),
        text(&head.verdict.outcome.replace('_', " ")),
        head.as_of.time,
    )
}

fn contents() -> String {
    let links = SECTIONS.map(|(id, heading)| format!("<li><a href=\"#{id}\">{heading}</a></li>"));
    format!("<nav aria-label=\"Sections\"><ul>{}</ul></nav>\n<main id=\"main\">\n", links.concat())
}

/// The source expression of a content security policy that admits exactly this text (CSP Level 3, 2.3.1).
fn hash(inline: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(sha256(inline.as_bytes()).as_bytes()))
}
