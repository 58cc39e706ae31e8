//! One subtype of a project is in at most one active schedule (FORMATS 5, 11): as far as sealed manifests name schedules.

use std::collections::BTreeMap;

use crate::domain::{Code, EvidenceId, Finding, Names, Subject, UnixMicros, WindowId};

use super::members::Member;
use super::survey::Survey;

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

/// Spans of windows whose manifest names a schedule.
pub(super) struct Spans<'s> {
    schedules: BTreeMap<&'s WindowId, (&'s str, EvidenceId)>,
    /// By (project or site, subtype), as numbers.
    spans: BTreeMap<(u32, u32), Vec<Span<'s>>>,
}

impl<'s> Spans<'s> {
    pub(super) fn of(survey: &'s Survey) -> Self {
        let mut schedules: BTreeMap<&WindowId, (&str, EvidenceId)> = BTreeMap::new();
        for (signed, manifest) in survey.manifests() {
            if let Some(schedule) = &manifest.schedule {
                schedules.entry(&manifest.window).or_insert((schedule, signed.carrier));
            }
        }
        Self { schedules, spans: BTreeMap::new() }
    }

    /// Notes a member; all members of a window come one after the other.
    pub(super) fn note(&mut self, window: &'s WindowId, member: &Member) {
        let Some(&(schedule, manifest)) = self.schedules.get(window) else { return };
        let (at, spans) = (member.at, self.spans.entry((member.owner, member.subtype)).or_default());
        match spans.last_mut() {
            Some(span) if span.window == window => {
                (span.first, span.last) = (span.first.min(at), span.last.max(at));
            }
            _ => spans.push(Span { window, schedule, first: at, last: at, manifest }),
        }
    }

    /// DROP_WINDOW, rule `schedule`: a subtype in windows of two schedules at once. One finding for the later window.
    pub(super) fn check(self, names: &Names, findings: &mut Vec<Finding>) {
        let mut told: BTreeMap<&WindowId, Finding> = BTreeMap::new();
        let named = self.spans.into_iter();
        let named = named.map(|((owner, subtype), spans)| ((names.name(owner), names.name(subtype)), spans));
        // In order of name, so that which of two subtypes tells of a window depends on no number.
        for ((_, subtype), mut spans) in named.collect::<BTreeMap<_, _>>() {
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

#[cfg(test)]
mod tests {
    use crate::domain::{Code, Finding};
    use crate::ledger::testkit::{World, in_window, manifest, micros};

    const DAYS: [&str; 4] =
        ["2026-05-05T00:00:00Z", "2026-05-06T00:00:00Z", "2026-05-07T00:00:00Z", "2026-05-08T00:00:00Z"];

    /// Events in these windows (a schedule of the same letter each) on these days; what is said about schedules.
    fn told(members: &[(&str, usize)], schedules: &[(&str, Option<&str>)], subtype: &str) -> Vec<Finding> {
        let mut world = World::new();
        for (number, (window, day)) in members.iter().enumerate() {
            world.event(&format!("e{number}"), |event| {
                in_window(event, window, None);
                event.occurred_at = micros(DAYS[*day]);
                if number == 1 {
                    event.subtype = subtype.into();
                }
            });
        }
        for (window, schedule) in schedules {
            let mut sealed = manifest(window, &[], 0, 0);
            sealed.schedule = schedule.map(str::to_owned);
            world.drop_manifest(&format!("m {window}"), sealed);
        }
        let is_it = |finding: &Finding| finding.subject.get("rule") == Some("schedule");
        world.ledgers().findings.into_iter().filter(is_it).collect()
    }

    #[test]
    fn a_subtype_in_windows_of_two_schedules_at_once_is_told_about_the_later_window() {
        let two = [("w_a", Some("weekly")), ("w_b", Some("monthly"))];
        for members in [
            // One between two of the other, and two that interleave.
            &[("w_a", 0), ("w_b", 1), ("w_a", 2)][..],
            &[("w_a", 0), ("w_b", 1), ("w_a", 2), ("w_b", 3)],
        ] {
            let found = told(members, &two, "session_creation");
            assert_eq!(found.len(), 1, "{members:?}");
            assert_eq!((found[0].code, found[0].subject.get("window")), (Code::DropWindow, Some("w_b")));
            assert_eq!(found[0].expected, "session_creation in schedule weekly alone");
            assert_eq!(found[0].observed, "in monthly too, while w_a was open");
            assert_eq!(found[0].evidence.len(), 2);
        }
    }

    #[test]
    fn one_schedule_after_the_other_another_subtype_or_an_unnamed_schedule_is_no_contradiction() {
        let two = [("w_a", Some("weekly")), ("w_b", Some("monthly"))];
        let crossing = [("w_a", 0), ("w_b", 1), ("w_a", 2)];
        let none = |members: &[(&str, usize)], schedules: &[(&str, Option<&str>)], subtype: &str| {
            assert_eq!(told(members, schedules, subtype), [], "{members:?} {schedules:?} {subtype}");
        };
        none(&[("w_a", 0), ("w_a", 1), ("w_b", 2), ("w_b", 3)], &two, "session_creation");
        // In one instant nothing is before anything.
        none(&[("w_a", 0), ("w_b", 1), ("w_a", 1), ("w_b", 2)], &two, "session_creation");
        none(&crossing, &two, "account_creation");
        none(&crossing, &[("w_a", Some("weekly")), ("w_b", Some("weekly"))], "session_creation");
        none(&crossing, &[("w_a", Some("weekly")), ("w_b", None)], "session_creation");
        none(&crossing, &two[..1], "session_creation");
    }
}
