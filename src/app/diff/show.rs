//! A difference in words, and as JSON.

use serde_json::{Value, json};

use super::descend::{FirstDifference, Record, Side};
use super::{Changed, Difference, EvidenceDifference, Listed, ReportDifference, Unshared};
use crate::domain::{Media, inert, inert_limited};

/// The schema name of what `--json` prints.
const SCHEMA: &str = "reledger/diff/1";
/// Lines of one part that people get; `--json` has all.
const LINES_MAX: usize = 20;
/// Characters of one value.
const VALUE_MAX: usize = 200;
/// Hex digits of a fingerprint that people get.
const DIGITS: usize = 16;

/// The difference for people.
pub fn difference_text(difference: &Difference) -> String {
    let (left, right) = &difference.state_roots;
    let mut text = if left == right {
        format!("state root {}: equal\n", inert(left))
    } else {
        format!("state root: {} | {}\n", inert(left), inert(right))
    };
    if let Some(reports) = &difference.reports {
        for (name, list) in parts(reports) {
            changes(name, list, &mut text);
        }
        listed("divergences", &reports.divergences, divergence, &mut text);
        listed("coverage", &reports.coverage, row, &mut text);
        changes("other", &reports.other, &mut text);
    }
    if let Some(evidence) = &difference.evidence {
        held(evidence, &mut text);
    }
    for parted in difference.parted.iter().flatten() {
        bisected(parted, &mut text);
    }
    if difference.parted.as_ref().is_some_and(Vec::is_empty) {
        text.push_str("no tree parts: every record is the same on both sides\n");
    }
    text
}

/// Evidence that one side holds alone, with the sources that have it.
fn held(evidence: &EvidenceDifference, text: &mut String) {
    let EvidenceDifference { only_left, only_right, left, right } = evidence;
    text.push_str(&format!("evidence: {only_left} items only in the first, {only_right} only in the second\n"));
    for (sign, list, count) in [("-", left, only_left), ("+", right, only_right)] {
        let line = |seen: &Unshared| format!("{sign} {} {} from {}", seen.id, media(seen), sources(seen).join(", "));
        lines(list.iter().map(line), usize::try_from(*count).unwrap_or(usize::MAX), text);
    }
}

fn media(seen: &Unshared) -> &'static str {
    seen.media.map_or("unknown", Media::name)
}

fn sources(seen: &Unshared) -> Vec<&str> {
    seen.sources.iter().map(|source| source.0.as_str()).collect()
}

fn evidence_value(evidence: &EvidenceDifference) -> Value {
    let list = |list: &[Unshared]| -> Vec<Value> {
        list.iter()
            .map(|seen| json!({"id": seen.id.to_string(), "media": media(seen), "sources": sources(seen)}))
            .collect()
    };
    json!({
        "only_left": evidence.only_left, "only_right": evidence.only_right,
        "left": list(&evidence.left), "right": list(&evidence.right),
    })
}

fn parts(reports: &ReportDifference) -> [(&'static str, &[Changed]); 4] {
    [
        ("inputs", &reports.inputs),
        ("verdict", &reports.verdict),
        ("ledgers", &reports.ledgers),
        ("balances", &reports.balances),
    ]
}

fn changes(name: &str, list: &[Changed], text: &mut String) {
    if !list.is_empty() {
        text.push_str(&format!("{name}: {} differ\n", list.len()));
        lines(list.iter().map(change), list.len(), text);
    }
}

fn lines(all: impl Iterator<Item = String>, count: usize, text: &mut String) {
    for line in all.take(LINES_MAX) {
        text.push_str(&format!("  {}\n", inert(&line)));
    }
    if count > LINES_MAX {
        text.push_str(&format!("  and {} more: --json has all\n", count - LINES_MAX));
    }
}

fn change(changed: &Changed) -> String {
    format!("{}: {} | {}", changed.path, value(changed.left.as_ref()), value(changed.right.as_ref()))
}

fn value(value: Option<&Value>) -> String {
    let Some(value) = value else { return "absent".to_owned() };
    inert_limited(&value.as_str().map_or_else(|| value.to_string(), str::to_owned), VALUE_MAX)
}

fn listed(name: &str, list: &Listed, of: fn(&Value) -> String, text: &mut String) {
    if list.is_equal() {
        return;
    }
    let Listed { only_left, only_right, changed } = list;
    let counts = (only_left.len(), only_right.len(), changed.len());
    text.push_str(&format!(
        "{name}: {} only in the first, {} only in the second, {} changed\n",
        counts.0, counts.1, counts.2
    ));
    lines(only_left.iter().map(|item| format!("- {}", of(item))), counts.0, text);
    lines(only_right.iter().map(|item| format!("+ {}", of(item))), counts.1, text);
    let told = |(item, changed): &(Value, Vec<Changed>)| {
        let members: Vec<String> = changed.iter().map(change).collect();
        format!("! {}: {}", of(item), members.join("; "))
    };
    lines(changed.iter().map(told), counts.2, text);
}

fn divergence(item: &Value) -> String {
    let text = |name: &str| item[name].as_str().unwrap_or_default();
    let fingerprint = text("fingerprint");
    let subject = inert_limited(&item["subject"].to_string(), VALUE_MAX);
    let short = fingerprint.get(..DIGITS).unwrap_or(fingerprint);
    format!("{} {} {} {short} {subject}", text("code"), text("severity"), text("state"))
}

fn row(item: &Value) -> String {
    let window = format!("{}..{}", value(item.get("from")), value(item.get("until")));
    let counts = format!("{} items, basis {}", value(item.get("events")), value(item.get("basis")));
    format!("{} {} {window}: {counts}", value(item.get("source")), value(item.get("kind")))
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Left => "only in the first",
        Side::Right => "only in the second",
        Side::Both => "differs",
    }
}

fn bisected(parted: &FirstDifference, text: &mut String) {
    let FirstDifference { tree, index, leaves, comparisons, .. } = parted;
    text.push_str(&format!(
        "{tree}: first difference at record {index} of {} | {}, found by {comparisons} node comparisons; {}\n",
        leaves.0,
        leaves.1,
        side(parted.side)
    ));
    for (sign, record) in [("-", &parted.left), ("+", &parted.right)] {
        let line = record.as_ref().map_or_else(|| "nothing".to_owned(), |record| record.leaf.clone());
        text.push_str(&format!("  {sign} {}\n", inert(&line)));
    }
}

/// The difference for programs.
pub fn difference_value(difference: &Difference, exit_code: u8) -> Value {
    let (left, right) = &difference.state_roots;
    json!({
        "schema": SCHEMA,
        "equal": difference.is_equal(),
        "same_state": difference.is_same_state(),
        "exit_code": exit_code,
        "state_root": {"left": left, "right": right},
        "report": difference.reports.as_ref().map(report),
        "evidence": difference.evidence.as_ref().map(evidence_value),
        "bisected": difference.parted.as_ref().map(|all| all.iter().map(parted).collect::<Vec<_>>()),
    })
}

fn report(reports: &ReportDifference) -> Value {
    let mut value = json!({
        "divergences": list_value(&reports.divergences),
        "coverage": list_value(&reports.coverage),
        "other": changes_value(&reports.other),
    });
    for (name, list) in parts(reports) {
        value[name] = changes_value(list);
    }
    value
}

fn changes_value(list: &[Changed]) -> Value {
    list.iter().map(|one| json!({"path": one.path, "left": one.left, "right": one.right})).collect()
}

fn list_value(list: &Listed) -> Value {
    let changed: Vec<Value> =
        list.changed.iter().map(|(item, changed)| json!({"left": item, "changed": changes_value(changed)})).collect();
    json!({"only_left": list.only_left, "only_right": list.only_right, "changed": changed})
}

fn parted(parted: &FirstDifference) -> Value {
    let record = |record: &Option<Record>| {
        record.as_ref().map(|record| json!({"leaf_hash": record.hash.to_hex(), "leaf": record.leaf}))
    };
    let only = match parted.side {
        Side::Left => Some("left"),
        Side::Right => Some("right"),
        Side::Both => None,
    };
    json!({
        "tree": parted.tree, "index": parted.index, "comparisons": parted.comparisons, "only": only,
        "leaves": {"left": parted.leaves.0, "right": parted.leaves.1},
        "left": record(&parted.left), "right": record(&parted.right),
    })
}
