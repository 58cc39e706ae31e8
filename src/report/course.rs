//! What happened over time: coverage by month, registered gaps, changes of custody.

use serde_json::{Value, json};

use super::model::Model;
use super::pseudonym::Pseudonyms;
use crate::ledger::CustodyChange;
use crate::reconcile::{Cell, GapUse};

/// `coverage_by_month`: verified events by source, kind and month, on the basis of the slice they came in.
pub(super) fn by_month(cells: &[Cell]) -> Vec<Value> {
    let cell = |cell: &Cell| {
        json!({
            "source": cell.source, "kind": cell.kind, "month": cell.month.to_string(),
            "from": cell.window.0.map(|at| at.0), "until": cell.window.1.map(|at| at.0),
            "events": cell.items, "missing_here": cell.missing_here, "in_gaps": cell.in_gaps,
            "taken_down": cell.taken_down, "basis": cell.basis.name(), "complete": cell.complete, "open": cell.open,
        })
    };
    cells.iter().map(cell).collect()
}

/// `gaps`: every registration, and what it explains in this run.
pub(super) fn gaps(gaps: &[GapUse]) -> Vec<Value> {
    let gap = |used: &GapUse| {
        json!({
            "source": used.gap.source, "from": used.gap.from.0, "until": used.gap.until.0, "reason": used.gap.reason,
            "cite": used.gap.cite, "expires": used.gap.expires.0, "state": used.state, "missing": used.missing,
        })
    };
    gaps.iter().map(gap).collect()
}

/// `custody`: changes by month, the latest of them, and principals by their state.
pub(super) fn custody(model: &Model<'_>) -> Value {
    let names = Pseudonyms::new(model.inputs.evidence_root, model.reveal_users);
    let change = |change: &CustodyChange| {
        json!({
            "at": change.at.0, "id": change.id.to_hex(), "user": names.name(&change.who), "change": change.change,
            "from": change.from, "to": change.to, "counts": change.counts,
            "anchor_height": change.anchor.map(|height| height.0),
        })
    };
    let months = model.custody.months.iter().map(|(month, changes)| (month.to_string(), json!(changes)));
    json!({
        "changes": model.custody.changes,
        "latest": model.custody.latest.iter().map(change).collect::<Vec<_>>(),
        "months": months.collect::<serde_json::Map<_, _>>(),
        "states": model.custody.states,
    })
}
