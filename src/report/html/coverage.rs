//! What each source gave, month by month on what basis; and the gaps, registered or open, along one axis of time.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{badge, grouped, instant, scroll, table, text};
use crate::domain::{Month, UnixSeconds};
use crate::report::document::{GapRow, Head, MonthRow};

/// Bases from the weakest on, with the letter that stands for each where colour does not tell.
const BASES: [(&str, &str, &str); 6] = [
    ("none", "?", "nothing, or cut off"),
    ("saturated", "S", "a second as full as a page: the rest can't be asked for"),
    ("heuristic", "H", "an end that proves nothing"),
    ("exhausted", "E", "paged to the end"),
    ("finish-hint", "F", "the source said that nothing is left"),
    ("set-equal", "=", "the sets of ids were proven equal"),
];
/// Months shown; the latest.
const MONTHS_MAX: usize = 36;

pub(super) fn coverage(head: &Head) -> String {
    let complete = head.coverage.iter().filter(|row| row.complete).count();
    let (all, counts) = (head.coverage.len(), &head.reconstructible);
    let mut out = format!(
        "<p>{} {complete} of {all} slices complete.</p>\n<p>{} {} of {} envelopes could be rebuilt without the operator's \
        relays.</p>\n",
        if complete == all && all > 0 { badge("complete", "good") } else { badge("open", "warning") },
        match (counts.with_operator, counts.without_operator) {
            (0, _) => badge("nothing to rebuild", "warning"),
            (all, without) if without == all => badge("independent", "good"),
            _ => badge("not independent", "warning"),
        },
        grouped(counts.without_operator),
        grouped(counts.with_operator),
    );
    out.push_str(&heat_map(&head.coverage_by_month));
    out.push_str(&timeline(head));
    let rows = head.coverage.iter().map(|row| {
        vec![
            text(&row.source),
            text(&row.kind),
            text(&row.basis),
            if row.complete { "yes".to_owned() } else { badge("no", "warning") },
            grouped(row.events),
            grouped(row.missing_here),
            format!("{} to {}", instant(row.from, "beginning"), instant(row.until, "end")),
            text(&row.reason),
        ]
    });
    let columns = ["source", "kind", "basis", "complete", "#items", "#missing here", "window", "reason"];
    let slices = table("Every slice that was asked for", &columns, rows);
    out.push_str(&format!("<details><summary>every slice</summary>{slices}</details>\n"));
    out
}

/// What a cell of the map sums up: all kinds of one source and month.
#[derive(Default)]
struct Cell {
    weakest: usize,
    events: u64,
    missing: u64,
    open: bool,
    kinds: BTreeSet<u16>,
}

fn heat_map(rows: &[MonthRow]) -> String {
    let (months, skipped) = months(rows);
    if months.is_empty() {
        return "<p class=\"soft\">No event has a month: nothing was given by any relay or archive.</p>\n".to_owned();
    }
    let mut cells: BTreeMap<&str, BTreeMap<&str, Cell>> = BTreeMap::new();
    for row in rows.iter().filter(|row| months.contains(&row.month)) {
        let basis = BASES.iter().position(|(name, ..)| *name == row.basis).unwrap_or_default();
        let cell = cells.entry(&row.source).or_default().entry(&row.month);
        let cell = cell.or_insert_with(|| Cell { weakest: basis, ..Cell::default() });
        cell.weakest = cell.weakest.min(basis);
        cell.events += row.events;
        cell.missing += row.missing_here;
        cell.open |= row.open;
        cell.kinds.insert(row.kind);
    }
    let mut out =
        String::from("<h3>Events by source and month</h3>\n<ul class=\"legend\" aria-label=\"Bases, weakest first\">");
    for (place, (name, letter, what)) in BASES.iter().enumerate() {
        out.push_str(&format!("<li><i class=\"b{place}\">{letter}</i>{name}: {what}</li>"));
    }
    out.push_str("<li><i>-n</i>n events that others have</li><li><i>!</i>a window is open</li></ul>\n");
    let earlier = if skipped > 0 { format!("; {skipped} earlier months left out") } else { String::new() };
    out.push_str(&format!(
        "{}<table class=\"map\"><caption>Verified events on the weakest basis of any kind{earlier}</caption>\
        <thead><tr><th scope=\"col\">source</th>",
        scroll("Events by source and month")
    ));
    for month in &months {
        out.push_str(&format!("<th scope=\"col\">{}</th>", text(month)));
    }
    out.push_str("</tr></thead><tbody>");
    for (source, by_month) in &cells {
        out.push_str(&format!("<tr><th scope=\"row\">{}</th>", text(source)));
        for month in &months {
            out.push_str(&cell(by_month.get(month.as_str())));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

/// The latest months that hold anything, with those between them that do not; and how many earlier ones are left out. Where the
/// months lie too far apart, as a forged date makes them, those that hold nothing are left out too.
fn months(rows: &[MonthRow]) -> (Vec<String>, usize) {
    let begin = |row: &MonthRow| format!("{}-01T00:00:00Z", row.month).parse::<UnixSeconds>().ok().map(Month::of);
    let all: BTreeSet<Month> = rows.iter().filter_map(begin).collect();
    let skipped = all.len().saturating_sub(MONTHS_MAX);
    let held: Vec<Month> = all.into_iter().skip(skipped).collect();
    let (Some(first), Some(last)) = (held.first(), held.last()) else { return (Vec::new(), 0) };
    let every: Vec<Month> = std::iter::successors(Some(*first), |month| Some(month.next()))
        .take_while(|month| month <= last)
        .take(MONTHS_MAX + 1)
        .collect();
    let shown = if every.len() <= MONTHS_MAX { every } else { held };
    (shown.iter().map(Month::to_string).collect(), skipped)
}

fn cell(cell: Option<&Cell>) -> String {
    let Some(cell) = cell else { return "<td class=\"none0\">.</td>".to_owned() };
    let (name, letter, _) = BASES.get(cell.weakest).copied().unwrap_or(BASES[0]);
    let missing = if cell.missing > 0 { format!("-{}", grouped(cell.missing)) } else { String::new() };
    let kinds: Vec<String> = cell.kinds.iter().map(u16::to_string).collect();
    format!(
        "<td class=\"b{}\" title=\"{name}, kinds {}\">{letter}{}{missing}{}</td>",
        cell.weakest,
        kinds.join(" "),
        grouped(cell.events),
        if cell.open { "!" } else { "" }
    )
}

/// A span to draw: what it is, from and until.
struct Span<'a> {
    source: &'a str,
    class: &'static str,
    from: UnixSeconds,
    until: UnixSeconds,
    title: String,
}

fn timeline(head: &Head) -> String {
    let gaps = head.gaps.iter().map(gap);
    let open = head.coverage_by_month.iter().filter(|row| row.open).filter_map(open_month);
    let spans: Vec<Span<'_>> = gaps.chain(open).collect();
    if spans.is_empty() {
        return "<p>No gap is registered, and no month is open at any source.</p>\n".to_owned();
    }
    let first = spans.iter().map(|span| span.from).min().unwrap_or_default();
    let last = spans.iter().map(|span| span.until).max().unwrap_or_default().max(head.as_of.time);
    let sources: BTreeSet<&str> = spans.iter().map(|span| span.source).collect();
    let sources: Vec<&str> = sources.into_iter().take(40).collect();
    let x = |at: UnixSeconds| {
        let width = i128::from(last.0.saturating_sub(first.0).max(1));
        260 + i128::from(at.0.saturating_sub(first.0)) * 720 / width
    };
    let height = 34 + 22 * sources.len();
    let mut out = format!(
        "<h3>Gaps</h3>\n<figure><svg viewBox=\"0 0 1000 {height}\" role=\"img\" aria-labelledby=\"gaps-t\"><title id=\"gaps-t\">\
        Registered gaps and open months by source, {first} to {last}; the table below says the same</title>\
        <text class=\"t\" x=\"260\" y=\"12\">{first}</text><text class=\"t\" x=\"980\" y=\"12\" text-anchor=\"end\">{last}</text>\
        <line class=\"axis\" x1=\"260\" x2=\"980\" y1=\"20\" y2=\"20\"/>"
    );
    for (place, source) in sources.iter().enumerate() {
        let y = 28 + 22 * place;
        let name: String = source.chars().take(38).collect();
        out.push_str(&format!("<text x=\"0\" y=\"{}\">{}</text>", y + 12, text(&name)));
        for span in spans.iter().filter(|span| span.source == *source) {
            let (from, width) = (x(span.from), (x(span.until) - x(span.from)).max(2));
            // An open month lies lower than a registered gap, so that both are seen.
            let (top, tall) = if span.class == "open" { (y + 9, 6) } else { (y, 8) };
            out.push_str(&format!(
                "<rect class=\"{}\" x=\"{from}\" y=\"{top}\" width=\"{width}\" height=\"{tall}\"><title>{}</title></rect>",
                span.class,
                text(&span.title)
            ));
        }
    }
    out.push_str(
        "</svg><figcaption>Upper bars: registered gaps (grey: expired or not asked). Lower bars: months that could \
        not be asked for to their end.</figcaption></figure>\n",
    );
    out.push_str(&gap_table(&head.gaps));
    out
}

fn gap(gap: &GapRow) -> Span<'_> {
    let class = if gap.state == "active" { "gap" } else { "dead" };
    let title = format!("{} to {}: {} ({})", gap.from, gap.until, gap.reason, gap.state);
    Span { source: &gap.source, class, from: gap.from, until: gap.until, title }
}

fn open_month(row: &MonthRow) -> Option<Span<'_>> {
    let from: UnixSeconds = format!("{}-01T00:00:00Z", row.month).parse().ok()?;
    let title = format!("{} kind {}: open, basis {}", row.month, row.kind, row.basis);
    Some(Span { source: &row.source, class: "open", from, until: from.plus(30 * 86_400), title })
}

fn gap_table(gaps: &[GapRow]) -> String {
    if gaps.is_empty() {
        return "<p>No gap is registered.</p>\n".to_owned();
    }
    let rows = gaps.iter().map(|gap| {
        vec![
            text(&gap.source),
            gap.from.to_string(),
            gap.until.to_string(),
            text(&gap.state),
            grouped(gap.missing),
            text(&gap.reason),
            text(&gap.cite),
            gap.expires.to_string(),
        ]
    });
    let columns = ["source", "from", "until", "state", "#missing inside", "reason", "cited", "expires"];
    table("Registered gaps. What they explain stays counted as missing.", &columns, rows)
}
