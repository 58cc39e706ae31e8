//! SRC_SHRANK: a source that must only grow, against what a sealed earlier run saw of it.

use crate::domain::{Code, Finding, Subject};

use super::audit::Audit;
use super::coverage::Rows;
use super::reconciler::Input;

/// Compares the sources of earlier runs that are declared and were read whole now: elsewhere an absence says nothing.
pub(super) fn check(input: &Input<'_>, rows: &Rows, audit: &mut Audit) {
    let mut found = Vec::new();
    let mut compared = 0_usize;
    for earlier in input.declared.earlier.iter().flat_map(|run| &run.sources) {
        let mut own = rows.iter().filter(|((source, _), _)| *source == earlier.source).peekable();
        let whole = own.peek().is_some() && own.all(|(_, row)| row.coverage.complete);
        if !input.declared.sources.contains(&earlier.source) || !whole {
            let reason = "a source of an earlier run was not read whole this time";
            audit.not_possible("capture.growth", reason, usize::try_from(earlier.held).unwrap_or(usize::MAX), false);
            continue;
        }
        compared += 1;
        if earlier.lost == 0 {
            continue;
        }
        let finding = Finding::new(Code::SrcShrank, Subject::new("source", &earlier.source))
            .with_values(
                format!("every one of {} items that an earlier run saw", earlier.held),
                format!("{} missing", earlier.lost),
            )
            .with_explanation("The source must only grow, and lacks what a sealed earlier run saw of it.");
        found.push(earlier.named.iter().fold(finding, |finding, id| finding.with_evidence(*id, "earlier")));
    }
    if !input.declared.earlier.is_empty() {
        audit.check("capture.growth", compared, found);
    }
}
