//! SRC_OMITS, SRC_KNOWN_GAP and SRC_TAKEN_DOWN: a completeness claim against what other sources hold (INV-8, FORMATS 2.3).

use std::collections::BTreeMap;

use crate::domain::{Code, CompletenessBasis, Finding, KnownGap, Subject};

use super::absences::{Why, absent, gaps};
use super::audit::wide;
use super::coverage::{Rows, is_relay, slice_subject};
use super::reconciler::Input;
use super::takedowns;

/// At most so many missing items are named in one finding; the count is exact.
const NAMED_MAX: usize = 20;

/// Counts what each relay lacks, withdraws contradicted claims, lists registered gaps.
pub(super) fn check(input: &Input<'_>, rows: &mut Rows) -> Vec<Finding> {
    let asked: Vec<_> = rows.keys().filter(|(source, _)| is_relay(input, source)).cloned().collect();
    let absent = absent(input, &asked.iter().map(|(source, slice)| (source, slice)).collect::<Vec<_>>());
    let mut found = Vec::new();
    let mut inside: BTreeMap<&KnownGap, usize> = gaps(input).map(|gap| (gap, 0)).collect();
    let of_relays = rows.iter_mut().filter(|((source, _), _)| is_relay(input, source));
    for (((source, slice), row), absent) in of_relays.zip(absent) {
        row.coverage.missing_here = wide(absent.len());
        let (mut missing, mut unexplained) = (Vec::new(), 0_usize);
        for absent in &absent {
            match absent.why {
                Why::TakenDown(takedown) if row.coverage.complete => {
                    found.push(takedowns::finding(source, takedown, absent.id));
                }
                Why::TakenDown(_) => {}
                Why::Gap(gap) => {
                    *inside.entry(gap).or_default() += 1;
                    missing.push(absent.id);
                }
                Why::Unexplained => {
                    unexplained += 1;
                    missing.push(absent.id);
                }
            }
        }
        if missing.is_empty() || !row.coverage.complete {
            continue;
        }
        let mut finding = Finding::new(Code::SrcOmits, slice_subject(source, slice))
            .with_values("every event that another source holds", format!("{} events missing", missing.len()))
            .with_explanation("The source claimed this slice complete and lacks events that another source holds.");
        for id in missing.iter().take(NAMED_MAX) {
            finding = finding.with_evidence(*id, "missing");
        }
        if unexplained == 0 {
            finding = finding.explained("everything missing lies inside a registered gap");
        } else {
            // INV-8: a contradicted claim is withdrawn.
            row.withdrawn = true;
            row.coverage.complete = false;
            row.coverage.basis = CompletenessBasis::None;
            row.coverage.reason = format!("claim withdrawn: {unexplained} events missing outside any registered gap");
        }
        found.push(finding);
    }
    found.extend(inside.into_iter().map(|(gap, count)| known_gap(gap, count)));
    found
}

fn known_gap(gap: &KnownGap, count: usize) -> Finding {
    let subject = Subject::new("source", &gap.source).and("from", gap.from.0).and("until", gap.until.0);
    Finding::new(Code::SrcKnownGap, subject)
        .with_values("no absence", format!("{count} events of other sources missing inside the gap"))
        .with_explanation("What is missing here and nowhere else cannot be seen.")
        .explained(format!("{} ({})", gap.reason, gap.cite))
}
