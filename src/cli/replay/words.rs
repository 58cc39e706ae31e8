//! What a replay took and brought, for people and for programs.

use serde_json::{Map, Value, json};

use crate::app::{Course, Replayed, RestoredFrom, StageTime, Unfreeze, WouldReplay};
use crate::domain::{UnixSeconds, inert};

/// The lines between the report's summary and the verdict about writes.
pub(super) fn course_text(replayed: &Replayed) -> String {
    let course = &replayed.finished.course;
    let mut lines = Vec::new();
    if let Some(origin) = &replayed.origin {
        let did = if origin.is_new { "restored" } else { "restored earlier" };
        lines.push(format!("{did}: {}", origin_text(origin)));
    }
    lines.push(format!("stages: {}", course.stages.iter().map(stage_text).collect::<Vec<_>>().join(", ")));
    lines.push(objectives_text(course));
    lines.push(format!("replayed: {}", window_text(replayed.window)));
    lines.push(format!(
        "evidence: {} new, {} already present; {} without an anchor",
        course.inserted, course.already_present, course.needs_anchor
    ));
    lines.into_iter().fold(String::new(), |text, line| text + &inert(&line) + "\n")
}

fn origin_text(origin: &RestoredFrom) -> String {
    format!("snapshot {} with {} entries, sha256 {}", origin.sequence, origin.entries, origin.sha256)
}

fn stage_text(stage: &StageTime) -> String {
    let took = format!("{} {}", stage.name, took(stage.millis));
    match stage.budget_seconds {
        None => took,
        Some(budget) if stage.is_over() => format!("{took} of {budget} s (over budget)"),
        Some(budget) => format!("{took} of {budget} s"),
    }
}

/// Milliseconds as seconds with three decimals.
fn took(millis: u64) -> String {
    format!("{}.{:03} s", millis / 1_000, millis % 1_000)
}

fn objectives_text(course: &Course) -> String {
    let of = |budget: Option<u64>| budget.map(|budget| format!(" of {budget} s")).unwrap_or_default();
    let age = |seconds: Option<i64>| seconds.map_or_else(|| "not known".to_owned(), |seconds| format!("{seconds} s"));
    format!(
        "RTO {}{}{}; RPO claimed {}{}, provable {}",
        took(course.total_millis),
        of(course.rto_seconds),
        if course.rto_missed { " (over budget)" } else { "" },
        age(course.rpo_claimed_seconds),
        of(course.rpo_seconds),
        age(course.rpo_provable_seconds)
    )
}

fn window_text((from, until): (Option<UnixSeconds>, Option<UnixSeconds>)) -> String {
    let end = |at: Option<UnixSeconds>, none: &str| at.map_or_else(|| none.to_owned(), |at| at.to_string());
    match (from, until) {
        (None, None) => "everything".to_owned(),
        _ => format!("from {} to {}", end(from, "the beginning"), end(until, "the end")),
    }
}

/// The member `replay`.
pub(super) fn replay_value(replayed: &Replayed) -> Value {
    let Unfreeze { safe, reasons, blocking, covered, conditions } = &replayed.unfreeze;
    let blocking: Map<String, Value> =
        blocking.iter().map(|(code, count)| (code.name().to_owned(), json!(count))).collect();
    let course = &replayed.finished.course;
    let stages = course.stages.iter().map(|stage| {
        json!({
            "name": stage.name, "millis": stage.millis, "budget_seconds": stage.budget_seconds,
            "over_budget": stage.is_over(),
        })
    });
    json!({
        "safe_to_unfreeze": safe, "reasons": reasons, "blocking": blocking, "conditions": conditions,
        "slices": {"covered": covered.0, "all": covered.1},
        "notes": replayed.notes, "sentence": replayed.unfreeze.sentence(),
        "restored": replayed.origin.as_ref().map(origin_value),
        "stages": stages.collect::<Vec<_>>(),
        "rto": {"millis": course.total_millis, "budget_seconds": course.rto_seconds, "over_budget": course.rto_missed},
        "rpo": {
            "claimed_seconds": course.rpo_claimed_seconds, "provable_seconds": course.rpo_provable_seconds,
            "budget_seconds": course.rpo_seconds,
        },
        "window": {"from": replayed.window.0, "until": replayed.window.1},
        "evidence": {"new": course.inserted, "already_present": course.already_present},
        "needs_anchor": course.needs_anchor,
    })
}

fn origin_value(origin: &RestoredFrom) -> Value {
    json!({
        "sha256": origin.sha256.to_hex(), "sequence": origin.sequence, "entries": origin.entries, "now": origin.is_new,
    })
}

/// What a dry run says.
pub(super) fn would_text(would: &WouldReplay) -> String {
    let mut text = String::new();
    if let Some(origin) = &would.origin {
        text.push_str(&format!("would restore {}\n", origin_text(origin)));
    }
    text.push_str("would ask:\n");
    for (source, kind, window) in &would.asks {
        let window = if *window == (None, None) { "whole".to_owned() } else { window_text(*window) };
        text.push_str(&inert(&format!("  {source} kind {kind}: {window}")));
        text.push('\n');
    }
    for note in &would.notes {
        text.push_str(&inert(note));
        text.push('\n');
    }
    text.push_str("nothing was contacted or written\n");
    text
}

/// What a dry run says to programs.
pub(super) fn would_value(would: &WouldReplay) -> Value {
    let asks: Vec<Value> = (would.asks.iter())
        .map(|(source, kind, (from, until))| json!({"source": source, "kind": kind, "from": from, "until": until}))
        .collect();
    json!({
        "would_ask": asks, "notes": would.notes, "would_restore": would.origin.as_ref().map(origin_value),
    })
}
