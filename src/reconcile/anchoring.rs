//! Step 3: is every signed envelope anchored, in time, and not before it claims to exist (FORMATS 9.5)?

use crate::domain::{Code, Digest32, EvidenceId, Finding, Subject, UnixMicros, UnixSeconds};
use crate::evidence::OcMeKind;
use crate::ledger::Exclusion;
use crate::ledger::Level;
use crate::ledger::Standing;
use crate::scratch::Ascending;
use crate::verify::AnchorState;

use super::audit::Audit;
use super::reconciler::Input;
use super::result::NeedsAnchor;

/// Block times are loose by two hours (BIP-0113).
const BLOCK_TIME_SLACK_SECONDS: i64 = 2 * 3600;

/// A signed thing whose id should be anchored.
struct Item {
    /// `envelope` or `attestation`.
    what: &'static str,
    digest: Digest32,
    claimed: Option<UnixMicros>,
    carrier: EvidenceId,
    /// A rebind's order in time is judged in its own ledger (REB_ANCHOR_TIME).
    judges_order: bool,
    /// Anchoring was promised soon after the claimed time. An attestation is anchored when it upgrades a tier.
    is_prompt: bool,
}

impl Item {
    fn subject(&self) -> Subject {
        Subject::new(self.what, self.digest)
    }
}

/// Judges every signed envelope and bonded attestation; returns the queue for anchoring, sorted.
pub(super) fn check(input: &Input<'_>, audit: &mut Audit) -> Vec<NeedsAnchor> {
    let mut found = Vec::new();
    let mut queue = Vec::new();
    let mut header_missing = 0;
    let (mut judged, mut bonds) = (0, 0);
    let mut judge_all = |items: &mut dyn Iterator<Item = Item>| {
        let mut anchors = Ascending::over(&input.set.anchors);
        for item in items {
            judged += 1;
            bonds += usize::from(!item.is_prompt);
            if let Some(reason) = judge(input, &item, anchors.get(&item.digest).as_ref(), &mut found) {
                header_missing += usize::from(reason == "header-missing");
                queue.push(NeedsAnchor { id: item.digest, reason });
            }
        }
    };
    judge_all(&mut billed(input));
    judge_all(&mut rebound(input));
    judge_all(&mut attestations(input));
    if header_missing > 0 {
        let reason = "no known header answers for the height that the proof names";
        audit.not_possible("anchoring.header", reason, header_missing, input.declared.headers);
    }
    audit.check("anchoring.proof", judged, found);
    // Who holds the coins of a bond says only the set of unspent outputs, and no source gives that (FORMATS 7.5).
    if bonds > 0 {
        audit.not_possible("attestations.bond_backing", "unspent outputs of the chain are no input", bonds, false);
    }
    queue.sort();
    queue
}

const LATER: Standing = Standing::Excluded(Exclusion::AfterAsOf);

/// All envelopes but rebinds, in order of id.
fn billed<'i>(input: &'i Input<'_>) -> impl Iterator<Item = Item> + use<'i> {
    input.ledgers.envelope.listed().filter(|entry| entry.standing != LATER).map(|entry| Item {
        what: "envelope",
        digest: entry.id.0,
        claimed: entry.claimed,
        carrier: entry.carrier,
        judges_order: entry.kind != OcMeKind::Rebind,
        is_prompt: true,
    })
}

/// Rebinds, in order of id.
fn rebound<'i>(input: &'i Input<'_>) -> impl Iterator<Item = Item> + use<'i> {
    input.ledgers.rebind.entries.values().filter(|entry| entry.standing != LATER).map(|entry| Item {
        what: "envelope",
        digest: entry.id.0,
        claimed: Some(entry.rebind.at),
        carrier: entry.carrier,
        judges_order: false,
        is_prompt: true,
    })
}

/// Attestations with a bond are anchored when they upgrade a tier (FORMATS 7.5).
fn attestations<'i>(input: &'i Input<'_>) -> impl Iterator<Item = Item> + use<'i> {
    let register = &input.ledgers.attestations.entries;
    let bonded = register.iter().filter(|(_, entry)| entry.level > Level::SignedEvent && entry.bond.is_some());
    bonded.filter_map(|(id, entry)| {
        Some(Item {
            what: "attestation",
            digest: id.0,
            claimed: entry.issued_at,
            carrier: input.set.attestations.get(id)?.first_carrier(),
            judges_order: true,
            is_prompt: false,
        })
    })
}

/// Pushes what is wrong with one item; returns why it still needs an anchor.
fn judge(
    input: &Input<'_>,
    item: &Item,
    state: Option<&AnchorState>,
    found: &mut Vec<Finding>,
) -> Option<&'static str> {
    let Some(state) = state.filter(|state| has_any(state)) else {
        found.push(absent(item));
        return Some("absent");
    };
    if let Some(anchor) = state.best() {
        found.extend(order(input, item, anchor.time, anchor.proof));
        return None;
    }
    if !state.header_missing.is_empty() {
        return Some("header-missing");
    }
    let Some(first) = state.pending.first() else {
        // What anchored it is gone (HDR_REORG): it waits for a block as on its first day.
        return Some(if state.stale.is_empty() { "refused" } else { "reorg" });
    };
    let submitted = state.pending.iter().filter_map(|pending| pending.submitted_at).min();
    let since = submitted.or(item.claimed.map(UnixMicros::seconds));
    let due = since.map(|since| since.plus(input.policy.ots_overdue_seconds));
    let overdue = due.is_none_or(|due| input.as_of.time > due);
    let code = if overdue { Code::OtsOverdue } else { Code::OtsPending };
    let finding = Finding::new(code, item.subject())
        .with_values(due.map_or_else(String::new, |due| format!("confirmed by {due}")), "pending")
        .with_evidence(first.proof, "proof")
        .with_explanation("The proof is not in a block yet.");
    found.push(if overdue { finding } else { finding.explained("inside the calendars' budget") });
    Some(if overdue { "overdue" } else { "pending" })
}

fn has_any(state: &AnchorState) -> bool {
    let AnchorState { confirmed, header_missing, stale, pending, answered: _, refused, proofs } = state;
    !(confirmed.is_empty()
        && header_missing.is_empty()
        && stale.is_empty()
        && pending.is_empty()
        && refused.is_empty()
        && proofs.is_empty())
}

fn absent(item: &Item) -> Finding {
    Finding::new(Code::OtsAbsent, item.subject())
        .with_values("a proof", "none")
        .with_evidence(item.carrier, "carrier")
        .with_explanation("No OpenTimestamps proof is held; the id is queued for anchoring.")
}

/// OTS_LATE and OTS_BEFORE_CLAIM: the block's time against the claimed time.
fn order(input: &Input<'_>, item: &Item, block: UnixSeconds, proof: EvidenceId) -> Option<Finding> {
    let claimed = item.claimed?.seconds();
    let latest = claimed.plus(input.policy.ots_late_seconds);
    let (code, expected, why) = if item.is_prompt && block > latest {
        (Code::OtsLate, format!("a block by {latest}"), "The anchor came later than promised plus Bitcoin's latency.")
    } else if item.judges_order && block.plus(BLOCK_TIME_SLACK_SECONDS) < claimed {
        let why = "A block commits to the envelope before the time it claims: it is post-dated.";
        (Code::OtsBeforeClaim, format!("a block after {claimed}"), why)
    } else {
        return None;
    };
    Some(
        Finding::new(code, item.subject())
            .with_values(expected, block)
            .with_evidence(item.carrier, "carrier")
            .with_evidence(proof, "proof")
            .with_explanation(why),
    )
}
