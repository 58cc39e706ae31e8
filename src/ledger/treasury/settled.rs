//! Entries of the settlement log: what came in and went out, and what is still in flight (TREASURY 5.2).

use std::collections::BTreeMap;

use crate::domain::{Digest32, EvidenceId, Msat, PaymentHash, SettlementKind, UnixMicros, UserKey};
use crate::evidence::{InvoiceState, SettlementEvent};
use crate::ledger::rails::{Claim, Claims, Legs};
use crate::ledger::scope::Scope;
use crate::verify::{SignedSettlement, Verified};

use super::entry::{EntryKey, Fact, Tier};
use super::journal::{Cause, Place, Step};
use super::movement::{Movement, is_wrong_way, movement};
use super::postings;
use super::roll::Unposted;

/// Every posted settlement, and the claims that close payments in flight.
#[derive(Debug)]
pub(super) struct Settled<'a> {
    scope: Scope<'a>,
    paid: BTreeMap<PaymentHash, PaidInvoice>,
    /// In order of digest.
    posted: Vec<(&'a Digest32, &'a Verified<SignedSettlement>)>,
    /// Of those that did not land at once, by place in `posted`.
    flights: BTreeMap<usize, Flight>,
}

impl<'a> Settled<'a> {
    /// Ranks on ties of time: money in comes first, then billing and vesting, money out, claims.
    const IN: u8 = 0;
    const OUT: u8 = 3;
    pub(super) const CLAIM: u8 = 4;

    pub(super) fn gather(scope: Scope<'a>, unposted: &BTreeMap<Digest32, Unposted>, places: &mut Vec<Place>) -> Self {
        let posted = scope.set.settlements.iter().filter(|(digest, _)| !unposted.contains_key(*digest)).collect();
        let mut settled = Self { scope, paid: paid_invoices(scope), posted, flights: BTreeMap::new() };
        let claims = Claims::of(scope.set);
        // Only a log that tells of claims is put together here.
        let legs = if claims.are_silent() { Legs::default() } else { Legs::of(scope.set) };
        for (number, (_, verified)) in settled.posted.iter().enumerate() {
            let event = &verified.fact().event;
            let rank = if movement(event) == Movement::In { Self::IN } else { Self::OUT };
            places.push(Place::new(UnixMicros::from(event.settled_at), rank, number));
            let flight = flight(scope, (&claims, &legs), event);
            if let Flight::Closed(at, _) = flight {
                places.push(Place::new(at, Self::CLAIM, number));
            }
            if !matches!(flight, Flight::Landed) {
                settled.flights.insert(number, flight);
            }
        }
        settled
    }

    fn flight(&self, place: Place) -> Flight {
        self.flights.get(&place.number()).copied().unwrap_or(Flight::Landed)
    }

    fn user(&self, event: &'a SettlementEvent) -> Option<&'a UserKey> {
        event.user.as_ref().map(|user| self.scope.people.account_of(user))
    }

    pub(super) fn settlement(&self, place: Place) -> Option<Step<'a>> {
        let (digest, verified) = self.posted.get(place.number())?;
        let event = &verified.fact().event;
        let invoice = event.payment_hash.as_ref().and_then(|hash| self.paid.get(&hash.parse().ok()?));
        let excess = invoice.map_or(Msat::ZERO, |paid| paid.excess_over(event));
        let mut evidence = vec![verified.first_carrier()];
        if excess > Msat::ZERO {
            evidence.extend(invoice.map(|paid| paid.evidence));
        }
        let flight = self.flight(place);
        let made = match flight {
            Flight::Landed => postings::of_settlement(event, self.user(event), excess, self.scope.policy),
            Flight::Open | Flight::Closed(..) => {
                postings::of_flight(event, self.user(event), self.scope.policy).map(|(sent, _)| sent)
            }
        };
        let key = EntryKey { at: place.at, rank: place.rank, fact: Fact::Settlement(**digest) };
        let rests_on = (evidence, tier_of(verified, excess, invoice));
        let cause = Cause::Settlement { event, excess, in_flight: matches!(flight, Flight::Open) };
        Some(Step::new(key, event.kind.name(), made, rests_on, cause))
    }

    pub(super) fn claim(&self, place: Place) -> Option<Step<'a>> {
        let (digest, verified) = self.posted.get(place.number())?;
        let Flight::Closed(at, logged) = self.flight(place) else { return None };
        let event = &verified.fact().event;
        let made = postings::of_flight(event, self.user(event), self.scope.policy).map(|(_, accepted)| accepted);
        let key = EntryKey { at, rank: place.rank, fact: Fact::Claim(**digest) };
        let rests_on = (vec![verified.first_carrier(), logged], Tier::T2);
        Some(Step::new(key, "claim", made, rests_on, Cause::Claim(event)))
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
#[derive(Debug)]
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
