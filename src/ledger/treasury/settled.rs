//! Entries of the settlement log: what came in and went out, and what is still in flight (TREASURY 5.2).

use std::collections::BTreeMap;

use crate::domain::{Digest32, EvidenceId, Msat, PaymentHash, SettlementKind, UnixMicros};
use crate::evidence::{InvoiceState, SettlementEvent};
use crate::ledger::rails::{Claim, Claims, Legs};
use crate::ledger::scope::Scope;
use crate::verify::{SignedSettlement, Verified};

use super::book::{EntryKey, Fact, Tier};
use super::journal::Journal;
use super::movement::{Movement, is_explained, is_wrong_way, movement};
use super::postings;
use super::roll::Unposted;

/// Every posted settlement, and the claims that close payments in flight.
pub(super) fn gather(scope: Scope<'_>, unposted: &BTreeMap<Digest32, Unposted>, journal: &mut Journal) {
    let paid = paid_invoices(scope);
    let claims = Claims::of(scope.set);
    // Only a log that tells of claims is put together here.
    let legs = if claims.are_silent() { Legs::default() } else { Legs::of(scope.set) };
    for (digest, verified) in scope.set.settlements.iter().filter(|(digest, _)| !unposted.contains_key(*digest)) {
        let event = &verified.fact().event;
        let user = event.user.as_ref().map(|user| scope.people.account_of(user));
        let invoice = event.payment_hash.as_ref().and_then(|hash| paid.get(&hash.parse().ok()?));
        let excess = invoice.map_or(Msat::ZERO, |paid| paid.excess_over(event));
        let rank = if movement(event) == Movement::In { 0 } else { 3 };
        let key = EntryKey { at: UnixMicros::from(event.settled_at), rank, fact: Fact::Settlement(*digest) };
        let mut evidence = vec![verified.first_carrier()];
        if excess > Msat::ZERO {
            evidence.extend(invoice.map(|paid| paid.evidence));
        }
        let flight = flight(scope, (&claims, &legs), event);
        journal.watch.operation(&event.operation, &key);
        journal.flows.settlement(event, excess, matches!(flight, Flight::Open), scope.policy);
        if event.kind == SettlementKind::Adjustment {
            journal.watch.correction(is_explained(event), &key);
        }
        let rests_on = (evidence, tier_of(verified, excess, invoice));
        if let Flight::Landed = flight {
            journal.add(key, event.kind.name(), postings::of_settlement(event, user, excess, scope.policy), rests_on);
            continue;
        }
        let (sent, accepted) = match postings::of_flight(event, user, scope.policy) {
            Ok((sent, accepted)) => (Ok(sent), Ok(accepted)),
            Err(error) => (Err(error), Err(error)),
        };
        journal.add(key, event.kind.name(), sent, rests_on);
        if let Flight::Closed(at, entry) = flight {
            let key = EntryKey { at, rank: 4, fact: Fact::Claim(*digest) };
            journal.add(key, "claim", accepted, (vec![verified.first_carrier(), entry], Tier::T2));
        }
    }
}

/// A payment at and after its settlement.
#[derive(Debug, Clone, Copy)]
enum Flight {
    /// Nothing says that it is in flight.
    Landed,
    /// The federation has not accepted its claim by the as-of.
    Open,
    /// It does so then, by that entry of the log.
    Closed(UnixMicros, EvidenceId),
}

fn flight<'a>(scope: Scope<'_>, (claims, legs): (&Claims<'a>, &Legs<'a>), event: &SettlementEvent) -> Flight {
    if movement(event) != Movement::Out || is_wrong_way(event, scope.policy) {
        return Flight::Landed;
    }
    match claims.of_settlement(event, legs) {
        Claim::Silent => Flight::Landed,
        Claim::Accepted(at, _) if at <= UnixMicros::from(event.settled_at) => Flight::Landed,
        Claim::Accepted(at, entry) if scope.has_happened(at) => Flight::Closed(at, entry),
        Claim::Accepted(..) | Claim::Open => Flight::Open,
    }
}

/// A received amount beside an invoice, unsigned.
struct PaidInvoice {
    evidence: EvidenceId,
    received: Msat,
    has_bolt11: bool,
}

impl PaidInvoice {
    /// What a deposit's invoice received above the settled amount. A factor of exactly 1000 is a unit error, not money.
    fn excess_over(&self, event: &SettlementEvent) -> Msat {
        let settled = event.amount.msat().get();
        let suspect = settled.checked_mul(1000) == Some(self.received.get());
        if event.kind != SettlementKind::EscrowDeposit || suspect {
            return Msat::ZERO;
        }
        Msat::new(self.received.get().saturating_sub(settled)).unwrap_or(Msat::ZERO)
    }
}

/// Paid invoices by hash. Of several records the one with the smallest received amount, then the lowest id, is believed.
fn paid_invoices(scope: Scope<'_>) -> BTreeMap<PaymentHash, PaidInvoice> {
    let mut paid: BTreeMap<PaymentHash, PaidInvoice> = BTreeMap::new();
    for (evidence, invoice) in &scope.set.invoices {
        let received = invoice.received_msat.and_then(|msat| Msat::new(msat).ok());
        let (InvoiceState::Settled, Some(received)) = (invoice.state, received) else { continue };
        let record = PaidInvoice { evidence: *evidence, received, has_bolt11: invoice.bolt11.is_some() };
        let better = paid
            .get(&invoice.payment_hash)
            .is_none_or(|held| (record.received, record.evidence) < (held.received, held.evidence));
        if better {
            paid.insert(invoice.payment_hash, record);
        }
    }
    paid
}

fn tier_of(verified: &Verified<SignedSettlement>, excess: Msat, invoice: Option<&PaidInvoice>) -> Tier {
    let settlement = verified.fact();
    if excess > Msat::ZERO {
        return Tier::T2;
    }
    let proven = settlement.preimage_proven && invoice.is_some_and(|invoice| invoice.has_bolt11);
    if proven && movement(&settlement.event) == Movement::Out { Tier::T0 } else { Tier::T1 }
}
