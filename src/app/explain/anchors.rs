//! What the proofs of one digest show (FORMATS 9.5).

use super::known::Known;
use super::model::{AnchorTold, BlockTold, Class, PendingTold, RefusedTold, StaleTold};
use crate::domain::{Code, Digest32, EvidenceId};
use crate::verify::{Anchor, AnchorState, HeaderTrust};

/// Everything that is held about a digest's anchoring; `None` when no proof of it was ever seen and none is owed.
pub(super) fn told(known: &Known, class: Class, digest: Digest32) -> Option<AnchorTold> {
    let Some(state) = known.set.anchors.get(&digest) else {
        let is_owed = matches!(class, Class::Envelope | Class::Graduation | Class::Rotation);
        return is_owed.then(|| AnchorTold { status: "absent", ..AnchorTold::default() });
    };
    let earliest = state.best();
    Some(AnchorTold {
        status: status(&state),
        blocks: state.confirmed.iter().map(|anchor| block(known, anchor, earliest == Some(anchor))).collect(),
        stale: state
            .stale
            .iter()
            .map(|stale| StaleTold {
                height: stale.height.0,
                hash: stale.hash.to_string(),
                proof: stale.proof.to_string(),
            })
            .collect(),
        pending: state
            .pending
            .iter()
            .map(|pending| PendingTold {
                calendar: pending.uri.to_string(),
                commitment: hex(&pending.commitment),
                submitted_at: pending.submitted_at.map(|at| at.0),
                answered: state.answered.contains(&pending.commitment),
                proof: pending.proof.to_string(),
            })
            .collect(),
        header_missing: state.header_missing.iter().map(|height| height.0).collect(),
        refused: state.refused.iter().map(|proof| refused(known, *proof)).collect(),
    })
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

fn status(state: &AnchorState) -> &'static str {
    if !state.confirmed.is_empty() {
        "confirmed-verified"
    } else if !state.header_missing.is_empty() {
        "confirmed-unverified"
    } else if !state.pending.is_empty() {
        "pending"
    } else if !state.stale.is_empty() {
        "orphaned"
    } else if state.refused.is_empty() {
        "absent"
    } else {
        "invalid"
    }
}

fn block(known: &Known, anchor: &Anchor, earliest: bool) -> BlockTold {
    let tip = known.set.tip.filter(|_| anchor.trust == HeaderTrust::Chain);
    let above = tip.and_then(|tip| tip.height.0.checked_sub(anchor.height.0));
    BlockTold {
        height: anchor.height.0,
        hash: anchor.hash.to_string(),
        time: anchor.time.0,
        header_trust: anchor.trust.name(),
        is_final: anchor.is_final,
        depth: above.map(|above| above.saturating_add(1)),
        earliest,
        proof: anchor.proof.to_string(),
    }
}

fn refused(known: &Known, proof: EvidenceId) -> RefusedTold {
    let is_about = |code: Code| code.name().starts_with("OTS_") || code == Code::Unverifiable;
    let found = known.set.findings.iter().filter(|finding| is_about(finding.code));
    let found = found.filter(|finding| finding.evidence.iter().any(|evidence| evidence.id == proof));
    RefusedTold {
        proof: proof.to_string(),
        reasons: found.map(|finding| format!("{}: {}", finding.code, finding.explanation)).collect(),
    }
}
