//! Time and custody as bars. Each has a table beside it that says the same.

use std::collections::BTreeSet;

use super::words::{badge, duration, grouped, instant, table, text};
use crate::domain::{UnixSeconds, inert};
use crate::report::document::{Custody, Head};
use crate::report::rendering::Measurements;

/// Objectives, and how long each stage took where that was measured.
pub(super) fn time(head: &Head, measured: Option<&Measurements>) -> String {
    let mut out = String::new();
    match measured {
        None => out.push_str("<p class=\"soft\">How long it took stands in run.json, which is not here.</p>\n"),
        Some(measured) => out.push_str(&stages(measured)),
    }
    let objective = measured.and_then(|measured| measured.rpo_seconds);
    let point = |name: &str, seconds: Option<u64>, what: &str| {
        let late = seconds.zip(objective).is_some_and(|(seconds, limit)| seconds > limit);
        let told = seconds.map_or_else(|| "not known".to_owned(), duration);
        vec![name.to_owned(), if late { badge(&told, "bad") } else { told }, what.to_owned()]
    };
    let recovery = &head.recovery;
    let newest = |what: &str, at: Option<UnixSeconds>| format!("newest {what}: {}", instant(at, "none"));
    let rows = [
        point("claimed", recovery.rpo_claimed_seconds, &newest("envelope", recovery.newest_envelope_time)),
        point("provable", recovery.rpo_provable_seconds, &newest("anchor", recovery.newest_anchor_time)),
    ];
    let limit = objective.map(|seconds| format!("; the objective is {}", duration(seconds))).unwrap_or_default();
    out.push_str(&table(&format!("Recovery point at the as-of{limit}"), &["basis", "age", "by"], rows));
    out
}

fn stages(measured: &Measurements) -> String {
    let total = measured.total_millis();
    let budget = measured.rto_seconds.map(|seconds| seconds.saturating_mul(1_000));
    let late = budget.is_some_and(|budget| total > budget);
    let verdict = match budget {
        None => format!("All stages together: {}. No recovery time objective is set.", millis(total)),
        Some(budget) => format!(
            "{} All stages together: {} of {}.",
            if late { badge("over budget", "bad") } else { badge("within budget", "good") },
            millis(total),
            millis(budget)
        ),
    };
    let span = total.max(budget.unwrap_or_default()).max(1);
    let x = |at: u64| 180 + u128::from(at) * 780 / u128::from(span);
    let height = 30 + 24 * measured.stages.len();
    let mut out = format!(
        "<p>{verdict}</p>\n<figure><svg viewBox=\"0 0 1000 {height}\" role=\"img\" aria-labelledby=\"stages-t\">\
        <title id=\"stages-t\">Stages one after the other against the recovery time objective; the table below says the \
        same</title>"
    );
    let mut begun = 0_u64;
    for (place, (name, took)) in measured.stages.iter().enumerate() {
        let y = 8 + 24 * place;
        let (from, to) = (x(begun), x(begun.saturating_add(*took)));
        let class = if budget.is_some_and(|budget| begun.saturating_add(*took) > budget) { "late" } else { "bar" };
        out.push_str(&format!(
            "<text x=\"0\" y=\"{}\">{}</text><rect class=\"{class}\" x=\"{from}\" y=\"{y}\" width=\"{}\" height=\"16\"/>",
            y + 13,
            text(name),
            (to - from).max(2)
        ));
        begun = begun.saturating_add(*took);
    }
    if let Some(budget) = budget {
        let at = x(budget);
        out.push_str(&format!(
            "<line class=\"budget\" x1=\"{at}\" x2=\"{at}\" y1=\"0\" y2=\"{}\"/><text class=\"t\" x=\"{}\" y=\"{}\" \
            text-anchor=\"end\">objective</text>",
            height - 4,
            at - 6,
            height - 6
        ));
    }
    out.push_str("</svg></figure>\n");
    let rows = measured.stages.iter().map(|(name, took)| vec![text(name), millis(*took)]);
    let table = table("Stages of the last session", &["stage", "#took"], rows);
    out.push_str(&format!("<details><summary>stages as a table</summary>{table}</details>\n"));
    out.push_str(&budgets(measured));
    if measured.resumed > 0 {
        out.push_str(&format!(
            "<p>The run was resumed {} times; earlier sessions are not counted.</p>\n",
            measured.resumed
        ));
    }
    out
}

/// Stages that have a budget of their own: all times of one together.
fn budgets(measured: &Measurements) -> String {
    if measured.stage_seconds.is_empty() {
        return String::new();
    }
    let rows = measured.stage_seconds.iter().map(|(name, seconds)| {
        let (took, budget) = (measured.stage_millis(name), seconds.saturating_mul(1_000));
        let verdict = if took > budget { badge("over budget", "bad") } else { badge("within budget", "good") };
        vec![text(name), millis(took), millis(budget), verdict]
    });
    table("Budgets of single stages", &["stage", "#took", "#budget", "verdict"], rows)
}

fn millis(millis: u64) -> String {
    if millis < 10_000 { format!("{} ms", grouped(millis)) } else { duration(millis / 1_000) }
}

/// Changes of custody by month, where everybody stands, and the latest changes.
pub(super) fn custody(custody: &Custody) -> String {
    if custody.changes == 0 {
        return "<p>No change of custody is held.</p>\n".to_owned();
    }
    let states = custody.states.iter().map(|(state, count)| format!("{} in {}", grouped(count), text(state)));
    let states: Vec<String> = states.collect();
    let mut out = format!("<p>{} changes. Now: {}.</p>\n", grouped(custody.changes), states.join(", "));
    out.push_str(&bars(custody));
    let rows = custody.latest.iter().map(|change| {
        vec![
            change.at.to_string(),
            text(&change.change),
            text(&change.user),
            text(&short(&change.from)),
            text(&short(&change.to)),
            change
                .anchor_height
                .map_or_else(|| "not anchored".to_owned(), |height| format!("block {}", grouped(height))),
            if change.counts { "yes".to_owned() } else { badge("no", "warning") },
        ]
    });
    let columns = ["effective", "change", "whose", "from", "to", "anchor", "counts"];
    let latest = table("The latest changes, newest first", &columns, rows);
    out.push_str(&format!("<details><summary>the latest {}</summary>{latest}</details>\n", custody.latest.len()));
    out
}

/// A descriptor's id to its first digits.
fn short(name: &str) -> String {
    let name = inert(name);
    if name.chars().count() > 30 { name.chars().take(24).chain("...".chars()).collect() } else { name }
}

const KINDS: [(&str, &str); 3] = [("rebind", "bar"), ("graduation", "bar2"), ("rotation", "bar3")];

fn bars(custody: &Custody) -> String {
    let months: Vec<_> = custody.months.iter().rev().take(48).collect::<Vec<_>>().into_iter().rev().collect();
    let most = months.iter().map(|(_, changes)| changes.values().sum::<u64>()).max().unwrap_or_default().max(1);
    let wide = (960 / months.len().max(1)).min(76);
    let mut out = String::from(
        "<figure><svg viewBox=\"0 0 1000 170\" role=\"img\" aria-labelledby=\"custody-t\"><title id=\"custody-t\">Changes of \
        custody by month; the table below says the same</title><line class=\"axis\" x1=\"20\" x2=\"980\" y1=\"145\" y2=\"145\"/>",
    );
    let every = months.len().div_ceil(12).max(1);
    for (place, (month, changes)) in months.iter().enumerate() {
        let x = 20 + wide * place;
        let mut y = 145_u64;
        for (kind, class) in KINDS {
            let count = changes.get(kind).copied().unwrap_or_default();
            let tall = (count * 130).div_ceil(most);
            y = y.saturating_sub(tall);
            if count > 0 {
                out.push_str(&format!(
                    "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{tall}\"><title>{} {kind} {}</title></rect>",
                    wide.saturating_sub(3).clamp(2, 60),
                    text(month),
                    grouped(count)
                ));
            }
        }
        if place % every == 0 {
            out.push_str(&format!("<text class=\"t\" x=\"{x}\" y=\"162\">{}</text>", text(month)));
        }
    }
    out.push_str("</svg></figure>\n");
    let kinds: BTreeSet<&str> =
        custody.months.values().flat_map(|changes| changes.keys().map(String::as_str)).collect();
    let columns: Vec<String> =
        std::iter::once("month".to_owned()).chain(kinds.iter().map(|kind| format!("#{kind}"))).collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let rows = custody.months.iter().map(|(month, changes)| {
        let counts = kinds.iter().map(|kind| grouped(changes.get(*kind).copied().unwrap_or_default()));
        std::iter::once(text(month)).chain(counts).collect()
    });
    let by_month = table("Changes that count, by month", &columns, rows);
    out.push_str(&format!("<details><summary>by month</summary>{by_month}</details>\n"));
    out
}
