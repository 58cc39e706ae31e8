//! The table in words: a matrix for a terminal, a list where it is too narrow, and canonical JSON. Needs no colour.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::model::{CoverageTable, SliceRow};
use crate::domain::{CompletenessBasis, Month, SourceId, UnixSeconds, inert, inert_limited};
use crate::reconcile::{Cell, Reconstructible};
use crate::report::coverage_row;

/// The name of the JSON's shape.
const COVERAGE_SCHEMA: &str = "reledger/coverage/1";
/// Characters of a source's name in a line.
const SOURCE_CHARS: usize = 44;
/// Characters of a reason in a line.
const REASON_CHARS: usize = 60;
const LEGEND: &str = "cells: basis and events, -n missing here, ! open; = set-equal, F finish-hint, E exhausted, H heuristic, \
                      S saturated, ? none\n";

/// One letter for a basis.
const fn symbol(basis: CompletenessBasis) -> char {
    match basis {
        CompletenessBasis::SetEqual => '=',
        CompletenessBasis::FinishHint => 'F',
        CompletenessBasis::Exhausted => 'E',
        CompletenessBasis::Heuristic => 'H',
        CompletenessBasis::Saturated => 'S',
        CompletenessBasis::None => '?',
    }
}

/// The verdict, the slices with their basis, counts with denominators, the exit code.
fn sentence(table: &CoverageTable, exit_code: u8) -> String {
    let complete = table.declared().filter(|slice| slice.coverage.complete).count();
    let word = if table.is_complete() { "complete" } else { "incomplete" };
    let mut text = format!("{word}: {complete} of {} declared slices complete", table.declared().count());
    if !table.unheard.is_empty() {
        text.push_str(&format!("; {} declared sources left no receipt", table.unheard.len()));
    }
    if table.time_boxed {
        text.push_str("; the time limit ended fetching");
    }
    if table.left_out > 0 {
        text.push_str(&format!("; {} slices not shown", table.left_out));
    }
    text.push_str(&format!("; exit {exit_code}"));
    text
}

/// The table for people, at most `width` characters a line where it is a matrix.
pub fn coverage_text(table: &CoverageTable, width: usize, exit_code: u8) -> String {
    let state = if table.finished { "finished run" } else { "captured, not finished" };
    let mut text = format!("coverage as of {} ({state})\n\n", table.as_of);
    text.push_str(&matrix(table, width).unwrap_or_else(|| list(table)));
    text.push_str(&slices(table));
    for source in &table.unheard {
        text.push_str(&format!("OPEN  {} left no receipt: it was not asked, or not to its end\n", shown(source)));
    }
    for window in &table.open {
        let span = span(window.from, window.until);
        let reason = inert_limited(&window.reason, REASON_CHARS);
        text.push_str(&format!("OPEN  {} kind {} {span}: {reason}\n", shown(&window.source), inert(&window.kind)));
    }
    text.push_str(&explained(table));
    for (what, counts) in [("envelopes", table.envelopes), ("events", table.events)] {
        text.push_str(&format!(
            "reconstructible: {} {what}; without the operator's relays {} of {}\n",
            counts.with_operator, counts.without_operator, counts.with_operator
        ));
    }
    text.push_str(&sentence(table, exit_code));
    text.push('\n');
    text
}

fn shown(source: &SourceId) -> String {
    inert_limited(&source.0, SOURCE_CHARS)
}

fn span(from: Option<UnixSeconds>, until: Option<UnixSeconds>) -> String {
    let end = |at: Option<UnixSeconds>| at.map_or_else(|| "..".to_owned(), |at| at.to_string());
    format!("{} to {}", end(from), end(until))
}

/// What a cell shows: `E12-3!` is 12 events on the basis of exhausted pages, 3 missing, and a window open.
fn mark(cell: &Cell) -> String {
    let missing = if cell.missing_here > 0 { format!("-{}", cell.missing_here) } else { String::new() };
    let open = if cell.open { "!" } else { "" };
    format!("{}{}{missing}{open}", symbol(cell.basis), cell.items)
}

/// Rows are source and kind (and window, where several were asked for), columns are months. `None` when a line would be
/// wider than the terminal.
fn matrix(table: &CoverageTable, width: usize) -> Option<String> {
    type Row<'a> = (&'a SourceId, u16, (Option<UnixSeconds>, Option<UnixSeconds>));
    let mut rows: BTreeMap<Row<'_>, BTreeMap<Month, String>> = BTreeMap::new();
    for cell in &table.cells {
        rows.entry((&cell.source, cell.kind, cell.window)).or_default().insert(cell.month, mark(cell));
    }
    let months: BTreeSet<Month> = table.cells.iter().map(|cell| cell.month).collect();
    let (Some(first), Some(last)) = (months.first().copied(), months.last().copied()) else {
        return Some("no events\n\n".to_owned());
    };
    let several: BTreeSet<_> = rows.keys().map(|row| row.2).collect();
    let name = |row: &Row<'_>| {
        let window = if several.len() > 1 { format!(" {}", span(row.2.0, row.2.1)) } else { String::new() };
        format!("{} {}{window}", shown(row.0), row.1)
    };
    let head = rows.keys().map(|row| name(row).chars().count()).max().unwrap_or_default();
    let column = table.cells.iter().map(|cell| mark(cell).len()).chain([7]).max().unwrap_or_default() + 1;
    let mut columns = Vec::new();
    let mut month = first;
    while month <= last {
        columns.push(month);
        month = month.next();
        if columns.len().saturating_mul(column).saturating_add(head) > width {
            return None;
        }
    }
    let line = |head_text: &str, cells: Vec<String>| {
        let mut line = format!("{head_text:<head$}");
        for cell in cells {
            line.push_str(&format!("{cell:>column$}"));
        }
        line.push('\n');
        line
    };
    let mut text = line("", columns.iter().map(ToString::to_string).collect());
    for (row, cells) in &rows {
        let cells = columns.iter().map(|month| cells.get(month).cloned().unwrap_or_else(|| ".".to_owned()));
        text.push_str(&line(&name(row), cells.collect()));
    }
    text.push_str(LEGEND);
    text.push('\n');
    Some(text)
}

/// One line a cell: what is shown where the matrix does not fit.
fn list(table: &CoverageTable) -> String {
    let mut text = String::new();
    for cell in &table.cells {
        text.push_str(&format!("{} {} {} {}\n", cell.month, shown(&cell.source), cell.kind, mark(cell)));
    }
    text.push_str(LEGEND);
    text.push('\n');
    text
}

/// One line a slice: the incomplete ones with their reason.
fn slices(table: &CoverageTable) -> String {
    let mut text = String::new();
    for SliceRow { coverage, declared, operator } in &table.slices {
        let state = if coverage.complete { "ok  " } else { "OPEN" };
        let missing =
            if coverage.missing_here > 0 { format!(", {} missing here", coverage.missing_here) } else { String::new() };
        let mut notes = String::new();
        if *operator {
            notes.push_str(" (operator)");
        }
        if !declared {
            notes.push_str(" (not declared)");
        }
        if !coverage.reason.is_empty() {
            notes.push_str(&format!(": {}", inert_limited(&coverage.reason, REASON_CHARS)));
        }
        text.push_str(&format!(
            "{state}  {} {} {}, {} items{missing}{notes}\n",
            shown(&coverage.source),
            inert_limited(&coverage.slice.kind, SOURCE_CHARS),
            coverage.basis,
            coverage.items
        ));
    }
    text.push('\n');
    text
}

/// Gaps and takedowns: listed, and counted above all the same.
fn explained(table: &CoverageTable) -> String {
    let mut text = String::new();
    for used in &table.gaps {
        text.push_str(&format!(
            "gap       {} {} to {} ({}): {} missing inside; {} ({})\n",
            shown(&used.gap.source),
            used.gap.from,
            used.gap.until,
            used.state,
            used.missing,
            inert_limited(&used.gap.reason, REASON_CHARS),
            inert_limited(&used.gap.cite, REASON_CHARS)
        ));
    }
    for used in &table.takedowns {
        let day: String = used.takedown.date.to_string().chars().take(10).collect();
        text.push_str(&format!(
            "takedown  {day} kind {} d {}: {} missing\n",
            used.takedown.kind,
            inert_limited(&used.takedown.d, REASON_CHARS),
            used.missing
        ));
    }
    if table.unread_takedowns > 0 {
        text.push_str(&format!("takedown  {} lines of the log can't be read\n", table.unread_takedowns));
    }
    text
}

/// The table for programs. `slices` are the rows of the report's `coverage`, and `reconstructible` is the report's.
pub fn coverage_value(table: &CoverageTable, exit_code: u8) -> Value {
    let seconds = |at: Option<UnixSeconds>| at.map(|at| at.0);
    let slice = |row: &SliceRow| {
        let mut value = coverage_row(&row.coverage);
        value["declared"] = row.declared.into();
        value["operator"] = row.operator.into();
        value
    };
    let mut reconstructible = shares(table.envelopes);
    reconstructible["events"] = shares(table.events);
    json!({
        "schema": COVERAGE_SCHEMA,
        "as_of": table.as_of.0,
        "state": if table.finished { "finished" } else { "captured" },
        "evidence_root": table.evidence_root.to_hex(),
        "verdict": {
            "outcome": if table.is_complete() { "complete" } else { "incomplete" },
            "exit_code": exit_code,
            "slices": table.declared().count(),
            "complete": table.declared().filter(|slice| slice.coverage.complete).count(),
            "not_shown": table.left_out,
            "time_boxed": table.time_boxed,
            "sentence": sentence(table, exit_code),
        },
        "slices": table.slices.iter().map(slice).collect::<Vec<_>>(),
        "cells": table.cells.iter().map(cell_value).collect::<Vec<_>>(),
        "open": table.open.iter().map(|window| json!({
            "source": window.source, "kind": window.kind, "from": seconds(window.from), "until": seconds(window.until),
            "items": window.items, "reason": window.reason,
        })).collect::<Vec<_>>(),
        "unheard": table.unheard,
        "gaps": table.gaps.iter().map(|used| json!({
            "source": used.gap.source, "from": used.gap.from.0, "until": used.gap.until.0, "reason": used.gap.reason,
            "cite": used.gap.cite, "expires": used.gap.expires.0, "state": used.state, "missing": used.missing,
        })).collect::<Vec<_>>(),
        "takedowns": table.takedowns.iter().map(|used| json!({
            "kind": used.takedown.kind, "d": used.takedown.d, "date": used.takedown.date.0, "missing": used.missing,
        })).collect::<Vec<_>>(),
        "unread_takedowns": table.unread_takedowns,
        "reconstructible": reconstructible,
    })
}

fn cell_value(cell: &Cell) -> Value {
    json!({
        "source": cell.source, "kind": cell.kind, "month": cell.month.to_string(),
        "from": cell.window.0.map(|at| at.0), "until": cell.window.1.map(|at| at.0),
        "items": cell.items, "missing_here": cell.missing_here, "in_gaps": cell.in_gaps, "taken_down": cell.taken_down,
        "basis": cell.basis.name(), "complete": cell.complete, "open": cell.open, "reason": cell.reason,
    })
}

/// With the operator's relays and without, as the report has it, and what is left without them as a share.
fn shares(counts: Reconstructible) -> Value {
    json!({
        "with_operator": counts.with_operator,
        "without_operator": counts.without_operator,
        "share_without_operator": {"num": counts.without_operator, "den": counts.with_operator},
    })
}

/// The certificates, one for each slice of a relay that has one.
pub fn certificates_value(table: &CoverageTable) -> Value {
    let one = |receipt: &crate::domain::FetchReceipt| {
        json!({
            "source": receipt.source, "kind": receipt.slice.kind,
            "from": receipt.slice.from.map(|at| at.0), "until": receipt.slice.until.map(|at| at.0),
            "end": receipt.end, "basis": receipt.basis.name(), "items": receipt.items,
            "certificate": receipt.backing.certificate,
        })
    };
    json!({
        "schema": "reledger/certificates/1",
        "evidence_root": table.evidence_root.to_hex(),
        "certificates": table.certificates.iter().map(one).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Coverage, KnownGap, Slice, sha256};

    use crate::reconcile::{GapUse, OpenWindow};

    fn table(source: &str, months: &[&str]) -> CoverageTable {
        let source = SourceId(source.to_owned());
        let coverage = Coverage {
            source: source.clone(),
            slice: Slice { kind: "30087".to_owned(), from: None, until: None },
            basis: CompletenessBasis::Saturated,
            complete: false,
            items: 12,
            missing_here: 3,
            retries: 0,
            reason: "a \x1b[31mfull second".to_owned(),
        };
        let cell = |month: &&str| Cell {
            source: source.clone(),
            kind: 30_087,
            window: (None, None),
            month: Month::of(format!("{month}-01T00:00:00Z").parse().unwrap()),
            items: 12,
            missing_here: 3,
            in_gaps: 1,
            taken_down: 0,
            basis: CompletenessBasis::Saturated,
            complete: false,
            open: true,
            reason: "full".to_owned(),
        };
        let gap = KnownGap {
            source: source.clone(),
            from: UnixSeconds(0),
            until: UnixSeconds(9),
            reason: "disk".to_owned(),
            cite: "log".to_owned(),
            expires: UnixSeconds(99),
        };
        CoverageTable {
            as_of: UnixSeconds(50),
            finished: true,
            evidence_root: sha256(b""),
            slices: vec![SliceRow { coverage, declared: true, operator: true }],
            left_out: 0,
            cells: months.iter().map(cell).collect(),
            open: vec![OpenWindow {
                source: source.clone(),
                kind: "30087".to_owned(),
                from: Some(UnixSeconds(7)),
                until: None,
                items: 1,
                reason: "full".to_owned(),
            }],
            unheard: vec![source],
            time_boxed: false,
            gaps: vec![GapUse { gap, state: "active", missing: 1 }],
            takedowns: Vec::new(),
            unread_takedowns: 1,
            envelopes: Reconstructible { with_operator: 4, without_operator: 1 },
            events: Reconstructible { with_operator: 5, without_operator: 2 },
            certificates: Vec::new(),
        }
    }

    #[test]
    fn a_matrix_that_does_not_fit_becomes_a_list_with_the_same_cells() {
        let table = table("ws://a", &["2026-05", "2026-07"]);
        let wide = coverage_text(&table, 60, 3);
        let head = wide.lines().find(|line| line.contains("2026-06")).unwrap();
        assert!(head.contains("2026-05") && head.contains("2026-07"), "{wide}");
        let row = wide.lines().find(|line| line.starts_with("ws://a 30087 ")).unwrap();
        assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["ws://a", "30087", "S12-3!", ".", "S12-3!"]);
        assert!(matrix(&table, 60).unwrap().lines().take(2).all(|line| line.len() <= 60));
        let narrow = coverage_text(&table, 30, 3);
        assert!(narrow.contains("2026-05 ws://a 30087 S12-3!\n") && narrow.contains("2026-07 ws://a 30087 S12-3!\n"));
        for text in [wide, narrow] {
            assert!(text.contains("gap       ws://a") && text.contains("1 missing inside"), "{text}");
            assert!(text.contains("OPEN  ws://a left no receipt"), "{text}");
            assert!(text.contains("without the operator's relays 1 of 4\n"), "{text}");
            assert!(text.ends_with(
                "incomplete: 0 of 1 declared slices complete; 1 declared sources left no receipt; exit 3\n"
            ));
        }
    }

    #[test]
    fn ten_thousand_years_of_months_are_a_list() {
        assert!(matrix(&table("ws://a", &["0001-01", "9999-12"]), 200).is_none());
        assert_eq!(matrix(&table("ws://a", &[]), 200).unwrap(), "no events\n\n");
    }

    #[test]
    fn foreign_text_is_inert_for_people_and_raw_for_programs() {
        let table = table("ws://a\x1b]52;c\x07", &["2026-05"]);
        let text = coverage_text(&table, 120, 3);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text}");
        let value = coverage_value(&table, 3);
        assert_eq!(value["slices"][0]["reason"], "a \x1b[31mfull second");
        assert_eq!(value["reconstructible"]["share_without_operator"], json!({"num": 1, "den": 4}));
        assert_eq!(value["reconstructible"]["events"]["share_without_operator"], json!({"num": 2, "den": 5}));
    }
}
