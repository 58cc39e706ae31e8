//! One subtype of a project is in at most one active schedule (FORMATS 5, 11): as far as sealed manifests name schedules.

use std::collections::BTreeMap;

use crate::domain::{Code, EvidenceId, Finding, Subject, UnixMicros, WindowId};

use super::roll::EnvelopeLedger;

/// The members of one subtype in one window: the times of the first and the last.
#[derive(Clone, Copy)]
struct Span<'a> {
    window: &'a WindowId,
    schedule: &'a str,
    first: UnixMicros,
    last: UnixMicros,
    manifest: EvidenceId,
}

impl Span<'_> {
    /// True when one has a member strictly between two members of the other, or they interleave. A schedule that takes over
    /// from another one does neither, and what happens in one instant has no order.
    fn crosses(&self, other: &Self) -> bool {
        self.schedule != other.schedule && self.first < other.last && other.first < self.last
    }
}

/// DROP_WINDOW, rule `schedule`: a subtype in windows of two schedules at once. One finding for the later window.
pub(super) fn check(ledger: &EnvelopeLedger, findings: &mut Vec<Finding>) {
    let mut told: BTreeMap<&WindowId, Finding> = BTreeMap::new();
    for ((_, subtype), mut spans) in spans(ledger) {
        spans.sort_by_key(|span| (span.first, span.window));
        let mut open: Vec<Span<'_>> = Vec::new();
        for span in spans {
            open.retain(|earlier| earlier.last > span.first);
            if let Some(other) = open.iter().find(|earlier| earlier.crosses(&span)) {
                told.entry(span.window).or_insert_with(|| finding(subtype, other, &span));
            }
            open.push(span);
        }
    }
    findings.extend(told.into_values());
}

/// Spans by (project or site, subtype), of windows whose manifest names a schedule.
fn spans(ledger: &EnvelopeLedger) -> BTreeMap<(&str, &str), Vec<Span<'_>>> {
    let mut schedules: BTreeMap<&WindowId, (&str, EvidenceId)> = BTreeMap::new();
    for (entry, manifest) in ledger.manifests() {
        if let Some(schedule) = &manifest.schedule {
            schedules.entry(&manifest.window).or_insert((schedule, entry.carrier));
        }
    }
    let mut by_window: BTreeMap<(&str, &str, &WindowId), Span<'_>> = BTreeMap::new();
    for (_, event) in ledger.events() {
        let Some(window) = event.drop.as_ref().map(|drop| &drop.window) else { continue };
        let Some(&(schedule, manifest)) = schedules.get(window) else { continue };
        let owner = event.project.as_ref().map_or(event.site.as_str(), |project| project.as_str());
        let at = event.occurred_at;
        let span = by_window.entry((owner, &event.subtype, window)).or_insert(Span {
            window,
            schedule,
            first: at,
            last: at,
            manifest,
        });
        (span.first, span.last) = (span.first.min(at), span.last.max(at));
    }
    let mut spans: BTreeMap<(&str, &str), Vec<Span<'_>>> = BTreeMap::new();
    for ((owner, subtype, _), span) in by_window {
        spans.entry((owner, subtype)).or_default().push(span);
    }
    spans
}

fn finding(subtype: &str, earlier: &Span<'_>, later: &Span<'_>) -> Finding {
    Finding::new(Code::DropWindow, Subject::new("window", later.window).and("rule", "schedule"))
        .with_values(
            format!("{subtype} in schedule {} alone", earlier.schedule),
            format!("in {} too, while {} was open", later.schedule, earlier.window),
        )
        .with_evidence(earlier.manifest, "first")
        .with_evidence(later.manifest, "second")
        .with_explanation("A subtype is in at most one active schedule; its events were sorted into windows of two.")
}
