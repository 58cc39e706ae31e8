//! The table of divergences: the first rows as they stand without a script, and the controls that a script brings to life.

use super::packed::CHUNK_ROWS;
use super::words::{badge, code, grouped, scroll, text, tone};
use crate::domain::{Digest32, Divergence, Severity, State, UnixSeconds};
use crate::report::document::Document;

/// The section up to the end of its static table.
pub(super) fn divergences(document: &Document<'_>) -> String {
    let (all, first) = (document.tally.all, &document.tally.first);
    if all == 0 {
        return format!(
            "<p>{} None was found in what was checked; <a href=\"#checks\">what was checked</a> says how much that is.</p>\n",
            badge("none", "good")
        );
    }
    let mut out = by_code(document);
    out.push_str(&ages(document));
    out.push_str("<h3>One by one</h3>\n");
    out.push_str(&controls());
    let shown = if (first.len() as u64) < all {
        format!(
            "the first {} of {}; all of them with JavaScript, or by <code>reledger divergences list</code>",
            grouped(first.len()),
            grouped(all)
        )
    } else {
        format!("{} divergences", grouped(all))
    };
    out.push_str(&format!("<p id=\"count\" role=\"status\">{shown}</p>\n"));
    out.push_str(&scroll("Divergences"));
    out.push_str(HEAD);
    for one in first {
        out.push_str(&row(one, document.head.as_of.time));
    }
    out.push_str("</tbody></table></div>\n");
    out.push_str(
        "<div class=\"pager\" id=\"pager\" data-live hidden><button type=\"button\" id=\"first\">first</button>\
        <button type=\"button\" id=\"previous\">previous</button><button type=\"button\" id=\"next\">next</button>\
        <button type=\"button\" id=\"last\">last</button></div>\n",
    );
    out
}

/// Attributes of the section that the script reads.
pub(super) fn attributes(document: &Document<'_>) -> String {
    format!(
        " data-total=\"{}\" data-chunk=\"{CHUNK_ROWS}\" data-as-of=\"{}\"",
        document.tally.all, document.head.as_of.time.0
    )
}

const HEAD: &str = "<table class=\"rows\"><thead><tr>\
    <th scope=\"col\" data-sort=\"severity\">severity</th><th scope=\"col\" data-sort=\"code\">code</th>\
    <th scope=\"col\" data-sort=\"state\">state</th><th scope=\"col\" class=\"n\">step</th>\
    <th scope=\"col\">about</th><th scope=\"col\" class=\"n\" data-sort=\"stake\">sats at stake</th>\
    <th scope=\"col\" class=\"n\" data-sort=\"age\">age</th></tr></thead><tbody id=\"rows\">\n";

fn controls() -> String {
    let boxes = |name: &str, words: Vec<&str>| {
        let boxes: Vec<String> = words
            .into_iter()
            .map(|word| {
                format!("<label><input type=\"checkbox\" name=\"{name}\" value=\"{word}\" checked> {word}</label>")
            })
            .collect();
        boxes.concat()
    };
    format!(
        "<form id=\"filter\" data-live hidden aria-label=\"Filter divergences\">\
        <fieldset><legend>severity</legend>{}</fieldset><fieldset><legend>state</legend>{}</fieldset>\
        <label class=\"block\">code<select name=\"code\"><option value=\"\">every code</option></select></label>\
        <label class=\"block\">text<input type=\"search\" name=\"text\" autocomplete=\"off\" spellcheck=\"false\"></label>\
        <button type=\"button\" id=\"reset\">reset</button></form>\n",
        boxes("severity", Severity::ALL.iter().rev().map(|one| one.name()).collect()),
        boxes("state", State::ALL.iter().map(|one| one.name()).collect()),
    )
}

fn by_code(document: &Document<'_>) -> String {
    let sats = &document.head.summary.by_code_sats;
    let rows = document.tally.rows().into_iter().map(|row| {
        let of = |state: State| grouped(row.states.get(&state).copied().unwrap_or_default());
        vec![
            id_code(row.code.name()),
            badge(row.severity.name(), tone(row.severity.name())),
            grouped(row.count),
            of(State::Open),
            of(State::Acknowledged),
            of(State::Explained),
            sats.get(row.code.name()).map(grouped).unwrap_or_default(),
            text(row.code.meaning()),
        ]
    });
    let columns = ["code", "severity", "#all", "#open", "#acknowledged", "#explained", "#sats at stake", "meaning"];
    super::words::table("By code, worst first. What is explained or acknowledged stays counted.", &columns, rows)
}

/// Youngest first, as `summary.by_age` names them and as the page does.
const AGES: [(&str, &str); 7] = [
    ("<=15m", "up to 15 minutes"),
    ("<=24h", "up to a day"),
    ("<=7d", "up to a week"),
    ("<=14d", "up to two weeks"),
    ("<=93d", "up to 93 days"),
    (">93d", "older"),
    ("unknown", "not known"),
];

fn ages(document: &Document<'_>) -> String {
    let summary = &document.head.summary;
    let rows = AGES.iter().filter_map(|(age, words)| {
        let count = summary.by_age.get(*age)?;
        Some(vec![(*words).to_owned(), grouped(count), summary.by_age_sats.get(*age).map(grouped).unwrap_or_default()])
    });
    let mut out = super::words::table("Open ones by age at the as-of", &["age", "#open", "#sats at stake"], rows);
    if !summary.by_project.is_empty() {
        let rows = summary.by_project.iter().map(|(project, ages)| {
            let open: u64 = ages.by_age.values().sum();
            let sats: i128 = ages.by_age_sats.values().map(|sats| sats.0).sum();
            let old: u64 = [">93d", "<=93d"].iter().filter_map(|age| ages.by_age.get(*age)).sum();
            vec![text(project), grouped(open), grouped(old), grouped(sats)]
        });
        let columns = ["project", "#open", "#older than 14 days", "#sats at stake"];
        let table = super::words::table("Open ones that are about one project", &columns, rows);
        out.push_str(&format!("<details><summary>by project</summary>{table}</details>\n"));
    }
    out
}

/// A row, as the script draws one.
fn row(one: &Divergence, as_of: UnixSeconds) -> String {
    let print = one.fingerprint.to_hex();
    let id = print.get(..16).unwrap_or_default();
    let mut list = String::new();
    let subject = one.subject.0.iter().map(|(name, value)| (name.as_str(), value));
    for (name, value) in subject.chain([("expected", &one.expected), ("observed", &one.observed)]) {
        if !value.is_empty() {
            list.push_str(&format!("<dt>{}</dt><dd>{}</dd>", text(name), text(value)));
        }
    }
    for evidence in &one.evidence {
        list.push_str(&format!("<dt>{}</dt><dd>{}</dd>", text(&evidence.role), code(evidence.id)));
    }
    format!(
        "<tr id=\"d-{id}\"><td data-label=\"\">{}</td><td data-label=\"\">{}</td><td data-label=\"state\">{}</td>\
        <td class=\"n\" data-label=\"step\">{}</td><td class=\"wrap\" data-label=\"\"><details><summary>{}</summary><dl>{list}\
        <dt>fingerprint</dt><dd><code>{print}</code></dd><dt></dt><dd><a href=\"#d-{id}\">link to this divergence</a></dd>\
        </dl></details></td><td class=\"n\" data-label=\"sats\">{}</td><td class=\"n\" data-label=\"age\">{}</td></tr>\n",
        badge(one.severity.name(), tone(one.severity.name())),
        id_code(one.code.name()),
        one.state.name(),
        one.step.number(),
        line(one),
        one.at_stake.map(|stake| grouped(stake.0 / 1000)).unwrap_or_default(),
        one.at.map(|at| age(as_of, at)).unwrap_or_default(),
    )
}

/// What it is about in a line: digests to their first digits, which the details have whole.
fn line(one: &Divergence) -> String {
    let short = |value: &String| match value.parse::<Digest32>() {
        Ok(digest) => format!("{}\u{2026}", digest.to_hex().get(..16).unwrap_or_default()),
        Err(_) => text(value),
    };
    let subject: Vec<String> =
        one.subject.0.iter().map(|(name, value)| format!("{} {}", text(name), short(value))).collect();
    let subject = if subject.is_empty() { "details".to_owned() } else { subject.join(", ") };
    match one.explanation.as_str() {
        "" => subject,
        explanation => format!("{subject}<small>{}</small>", text(explanation)),
    }
}

/// A code's name, never broken.
fn id_code(name: &str) -> String {
    format!("<code class=\"id\">{}</code>", text(name))
}

fn age(as_of: UnixSeconds, at: UnixSeconds) -> String {
    let seconds = as_of.0.saturating_sub(at.0).max(0);
    let rounded = |unit: i64| (seconds + unit / 2) / unit;
    match seconds {
        0..5_400 => format!("{} min", rounded(60)),
        5_400..172_800 => format!("{} h", rounded(3_600)),
        _ => format!("{} d", rounded(86_400)),
    }
}
