//! Step 4, open positions: a Lightning payment that is done while the federation has not accepted its claim (TREASURY 1.4).

use crate::domain::{Code, Digest32, EvidenceId, Finding, Sats, Severity, Subject, UnixMicros, packed_struct};
use crate::ledger::rails::{OPEN_SECONDS_MAX, Rails, paid};
use crate::scratch::Sorter;

use super::audit::Audit;
use super::reconciler::Input;
use super::settlements::AllPosted;

/// One payment of ours that the log says is done.
#[derive(Debug)]
struct Done {
    at: UnixMicros,
    entry: EvidenceId,
    settlement: EvidenceId,
    /// The largest settlement of it.
    amount: Sats,
    /// The log of its federation names transactions.
    is_told: bool,
    /// The federation accepted a claim under one of its operations.
    is_accepted: bool,
}

packed_struct!(Done { at, entry, settlement, amount, is_told, is_accepted });

impl Done {
    /// What another settlement or entry says of the same payment. The earliest word that it is done counts.
    fn join(&mut self, other: &Self) {
        if (other.at, other.entry) < (self.at, self.entry) {
            (self.at, self.entry, self.is_told) = (other.at, other.entry, other.is_told);
        }
        self.amount = self.amount.max(other.amount);
        self.is_accepted |= other.is_accepted;
    }
}

pub(super) fn check(input: &Input<'_>, posted: &AllPosted, audit: &mut Audit) {
    if !input.declared.payment_log {
        return;
    }
    let (mut told, mut untold, mut found) = (0, 0, Vec::new());
    done(input, posted).each(
        |held, other| held.join(&other),
        |hash, done| {
            if !done.is_told {
                untold += 1;
                return;
            }
            told += 1;
            found.extend((!done.is_accepted).then(|| finding(input, hash, &done)));
        },
    );
    if untold > 0 {
        let reason = "the gateway's log names no federation transaction; ask it for tx-accepted by name";
        audit.not_possible("settlement.claim", reason, untold, true);
    }
    audit.check("settlement.claim", told, found);
}

/// Payments of ours that went out and are done, by hash.
fn done(input: &Input<'_>, posted: &AllPosted) -> Sorter<Digest32, Done> {
    let Rails { legs, claims } = &input.ledgers.rails;
    let (mut legs, mut payments) = (legs.reader(), posted.sorter());
    for settlement in posted.values() {
        for leg in legs.of_partners(settlement.partners) {
            let mut is_accepted = None;
            for (id, entry) in &leg.entries {
                let Some(hash) = paid(entry) else { continue };
                // The claim runs under an operation of the leg, or of the settlement.
                let is_accepted = *is_accepted.get_or_insert_with(|| {
                    let mut operations = leg.operations();
                    operations.insert(settlement.event.operation.as_str());
                    claims.accepted(operations).is_some()
                });
                let done = Done {
                    at: entry.at,
                    entry: *id,
                    settlement: settlement.carrier,
                    amount: settlement.event.amount,
                    is_told: claims.is_told(&entry.federation_id),
                    is_accepted,
                };
                payments.push(&hash.0, &done);
            }
        }
    }
    payments
}

/// GW_OPEN: a warning while the position is young.
fn finding(input: &Input<'_>, hash: Digest32, done: &Done) -> Finding {
    let due = done.at.0.saturating_add(OPEN_SECONDS_MAX * 1_000_000);
    let finding = Finding::new(Code::GwOpen, Subject::new("payment_hash", hash))
        .with_values("tx-accepted under the operation of the payment", format!("done at {}", done.at.seconds()))
        .with_stake(done.amount.msat().delta())
        .with_evidence(done.entry, "log")
        .with_evidence(done.settlement, "settlement")
        .with_explanation("The Lightning payment is done and the federation has not accepted its claim.");
    if UnixMicros::from(input.as_of.time).0 > due { finding.with_severity(Severity::Error) } else { finding }
}
