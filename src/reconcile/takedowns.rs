//! SRC_TAKEN_DOWN: an absence that the operator's transparency log lists.

use std::collections::BTreeMap;

use crate::domain::{Code, Digest32, EvidenceId, Finding, SourceId, Subject, UnixSeconds};

use super::audit::Audit;
use super::reconciler::Input;
use super::recovery::is_operator;
use super::result::Takedown;

const DAY_SECONDS: i64 = 86_400;

/// The transparency log of one relay, ready to be asked.
pub(super) struct Log<'a> {
    entries: BTreeMap<(u16, &'a str), &'a Takedown>,
}

impl<'a> Log<'a> {
    /// The log as far as it speaks for this relay: for the operator's relays, or for all when none is named.
    pub(super) fn of(input: &Input<'a>, source: &SourceId) -> Self {
        let speaks = input.policy.operator_relays.is_empty() || is_operator(input, source);
        // What was logged after the as-of was not known then. Of several takedowns of one address the last counts.
        let known = input.declared.takedowns.iter().filter(|takedown| takedown.date <= input.as_of.time);
        let mut entries: BTreeMap<(u16, &str), &Takedown> = BTreeMap::new();
        for takedown in known.filter(|_| speaks) {
            let entry = entries.entry((takedown.kind, &takedown.d)).or_insert(takedown);
            if entry.date < takedown.date {
                *entry = takedown;
            }
        }
        Self { entries }
    }

    /// The takedown that explains why an event of that kind and time is missing. It explains nothing that was published
    /// after its day.
    pub(super) fn lists(&self, input: &Input<'_>, id: EvidenceId, kind: u16, at: UnixSeconds) -> Option<&'a Takedown> {
        let takedown = self.entries.get(&(kind, input.d_tags.get(&id)?.as_str()))?;
        (at.0 < takedown.date.0.saturating_add(DAY_SECONDS)).then_some(*takedown)
    }
}

pub(super) fn finding(source: &SourceId, takedown: &Takedown, id: EvidenceId) -> Finding {
    let subject = Subject::new("source", source).and("kind", takedown.kind).and("d", &takedown.d);
    Finding::new(Code::SrcTakenDown, subject)
        .with_values("an event that another source holds", "none")
        .with_evidence(id, "missing")
        .explained(format!("listed in the transparency log under {}", takedown.date))
}

/// SRC_PARSE for lines of the log that can't be read: what they list explains nothing.
pub(super) fn check(input: &Input<'_>, audit: &mut Audit) {
    let unread = |line: &Digest32| {
        Finding::new(Code::SrcParse, Subject::new("media", "transparency-log").and("sha256", line))
            .with_values("a kind, a d tag and a date", "a line that has none of it")
            .with_explanation("A line of the transparency log can't be read; it explains nothing.")
    };
    audit.findings.extend(input.declared.unread_takedowns.iter().map(unread));
}
