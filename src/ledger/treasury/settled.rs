//! Entries of the settlement log: what came in and went out, and what is still in flight (TREASURY 5.2).

use std::collections::BTreeMap;

use crate::domain::{Digest32, EvidenceId, Msat, Packed, SettlementKind, UnixMicros, UserKey, packed_struct};
use crate::evidence::{InvoiceState, SettlementEvent};
use crate::ledger::rails::{Claim, LegReader, Rails};
use crate::ledger::scope::Scope;
use crate::scratch::{Sorter, Table, by_time};
use crate::verify::{SignedSettlement, Verified};

use super::entry::{EntryKey, Fact, Tier};
use super::journal::{Cause, Step};
use super::movement::{Movement, is_wrong_way, movement};
use super::postings;
use super::roll::Unposted;

/// Every posted settlement, and the claims that close payments in flight.
#[derive(Debug)]
pub(super) struct Settled<'a> {
    scope: Scope<'a>,
    /// In order of time, rank and digest.
    facts: Table<Digest32, Moved>,
}

/// A posted settlement, or the claim that closes it.
#[derive(Debug)]
pub(super) struct Moved {
    at: UnixMicros,
    rank: u8,
    settlement: Verified<SignedSettlement>,
    flight: Flight,
    paid: Option<PaidInvoice>,
}

packed_struct!(Moved { at, rank, settlement, flight, paid });

impl Moved {
    /// Where it stands among all facts.
    pub(super) fn place(&self) -> (UnixMicros, u8) {
        (self.at, self.rank)
    }

    /// Sorts by time, rank and digest.
    fn order(&self) -> Digest32 {
        let mut then = [0; 24];
        then[0] = self.rank;
        then[1..].copy_from_slice(&self.settlement.fact().digest.0[..23]);
        by_time(self.at, &then)
    }
}

impl<'a> Settled<'a> {
    /// Ranks on ties of time: money in comes first, then billing and vesting, money out, claims.
    const IN: u8 = 0;
    const OUT: u8 = 3;
    const CLAIM: u8 = 4;

    pub(super) fn gather(scope: Scope<'a>, unposted: &BTreeMap<Digest32, Unposted>, rails: &Rails) -> Self {
        let paid = paid_invoices(scope);
        let mut legs = rails.legs.reader();
        let mut facts: Sorter<Digest32, Moved> = scope.set.settlements.sorter();
        for (number, (digest, settlement)) in scope.set.settlements.iter().enumerate() {
            if unposted.contains_key(&digest) {
                continue;
            }
            let event = &settlement.fact().event;
            let flight = flight(scope, (rails, &mut legs), number, event);
            let rank = if movement(event) == Movement::In { Self::IN } else { Self::OUT };
            let hash = event.payment_hash.as_ref().and_then(|hash| hash.parse().ok());
            let paid = hash.and_then(|hash| paid.get(&hash));
            let mut moved = Moved { at: UnixMicros::from(event.settled_at), rank, flight, paid, settlement };
            facts.push(&moved.order(), &moved);
            if let Flight::Closed(at, _) = moved.flight {
                (moved.at, moved.rank) = (at, Self::CLAIM);
                facts.push(&moved.order(), &moved);
            }
        }
        Self { scope, facts: facts.finish(|_, _| ()) }
    }

    /// In order of time, rank and digest.
    pub(super) fn facts(&self) -> impl Iterator<Item = Moved> + use<> {
        self.facts.values()
    }

    fn user<'e>(&'e self, event: &'e SettlementEvent) -> Option<&'e UserKey> {
        event.user.as_ref().map(|user| self.scope.people.account_of(user))
    }

    pub(super) fn step(&self, moved: Moved) -> Step {
        if moved.rank == Self::CLAIM { self.claim(moved) } else { self.settlement(moved) }
    }

    fn settlement(&self, moved: Moved) -> Step {
        let Moved { at, rank, settlement, flight, paid } = moved;
        let event = &settlement.fact().event;
        let excess = paid.as_ref().map_or(Msat::ZERO, |paid| paid.excess_over(event));
        let mut evidence = vec![settlement.first_carrier()];
        if excess > Msat::ZERO {
            evidence.extend(paid.as_ref().map(|paid| paid.evidence));
        }
        let made = match flight {
            Flight::Landed => postings::of_settlement(event, self.user(event), excess, self.scope.policy),
            Flight::Open | Flight::Closed(..) => {
                postings::of_flight(event, self.user(event), self.scope.policy).map(|(sent, _)| sent)
            }
        };
        let key = EntryKey { at, rank, fact: Fact::Settlement(settlement.fact().digest) };
        let rests_on = (evidence, tier_of(&settlement, excess, paid.as_ref()));
        let (kind, in_flight) = (event.kind.name(), matches!(flight, Flight::Open));
        let cause = Cause::Settlement { event: Box::new(settlement.into_fact().event), excess, in_flight };
        Step::new(key, kind, made, rests_on, cause)
    }

    fn claim(&self, moved: Moved) -> Step {
        let Moved { at, rank, settlement, flight, .. } = moved;
        let event = &settlement.fact().event;
        let made = postings::of_flight(event, self.user(event), self.scope.policy).map(|(_, accepted)| accepted);
        let key = EntryKey { at, rank, fact: Fact::Claim(settlement.fact().digest) };
        let mut evidence = vec![settlement.first_carrier()];
        if let Flight::Closed(_, logged) = flight {
            evidence.push(logged);
        }
        Step::new(key, "claim", made, (evidence, Tier::T2), Cause::Claim(Box::new(settlement.into_fact().event)))
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

impl Packed for Flight {
    fn pack(&self, out: &mut Vec<u8>) {
        let sent: Option<Option<(UnixMicros, EvidenceId)>> = match *self {
            Self::Landed => None,
            Self::Open => Some(None),
            Self::Closed(at, entry) => Some(Some((at, entry))),
        };
        sent.pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(match Packed::unpack(from)? {
            None => Self::Landed,
            Some(None) => Self::Open,
            Some(Some((at, entry))) => Self::Closed(at, entry),
        })
    }
}

fn flight(
    scope: Scope<'_>,
    (rails, legs): (&Rails, &mut LegReader<'_>),
    number: usize,
    event: &SettlementEvent,
) -> Flight {
    // A log that tells of no claim says nothing of any.
    if rails.claims.are_silent() || movement(event) != Movement::Out || is_wrong_way(event, scope.policy) {
        return Flight::Landed;
    }
    match rails.claims.of_settlement(event, &legs.of_partners(rails.legs.partners(number))) {
        Claim::Silent => Flight::Landed,
        Claim::Accepted(at, _) if at <= UnixMicros::from(event.settled_at) => Flight::Landed,
        Claim::Accepted(at, entry) if scope.has_happened(at) => Flight::Closed(at, entry),
        Claim::Accepted(..) | Claim::Open => Flight::Open,
    }
}

/// A received amount beside an invoice, unsigned.
#[derive(Debug)]
struct PaidInvoice {
    received: Msat,
    evidence: EvidenceId,
    has_bolt11: bool,
}

packed_struct!(PaidInvoice { received, evidence, has_bolt11 });

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
fn paid_invoices(scope: Scope<'_>) -> Table<Digest32, PaidInvoice> {
    let mut paid: Sorter<Digest32, PaidInvoice> = scope.set.invoices.sorter();
    for (evidence, invoice) in &scope.set.invoices {
        let received = invoice.received_msat.and_then(|msat| Msat::new(msat).ok());
        if let (InvoiceState::Settled, Some(received)) = (invoice.state, received) {
            let record = PaidInvoice { received, evidence, has_bolt11: invoice.bolt11.is_some() };
            paid.push(&invoice.payment_hash.0, &record);
        }
    }
    paid.finish(|held, other| {
        if (other.received, other.evidence) < (held.received, held.evidence) {
            *held = other;
        }
    })
}

fn tier_of(verified: &Verified<SignedSettlement>, excess: Msat, invoice: Option<&PaidInvoice>) -> Tier {
    let settlement = verified.fact();
    if excess > Msat::ZERO {
        return Tier::T2;
    }
    let proven = settlement.preimage_proven && invoice.is_some_and(|invoice| invoice.has_bolt11);
    if proven && movement(&settlement.event) == Movement::Out { Tier::T0 } else { Tier::T1 }
}
