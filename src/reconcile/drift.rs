//! SRC_DRIFT: lists that should say the same and do not.

use crate::domain::{Code, Finding, Subject};

use super::audit::Audit;
use super::reconciler::Input;

pub(super) fn check(input: &Input<'_>, audit: &mut Audit) {
    let found = input.declared.drift.iter().map(|drift| {
        Finding::new(Code::SrcDrift, Subject::new("list", &drift.list))
            .with_values(&drift.expected, &drift.observed)
            .with_explanation(
                "Two lists disagree; what only one of them names was not asked for, or counts for nobody.",
            )
    });
    audit.findings.extend(found);
}
