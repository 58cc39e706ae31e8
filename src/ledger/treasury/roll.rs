//! Gathers the facts in journal order and posts them.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    AmountError, Code, Digest32, EvidenceId, Finding, Msat, MsatDelta, PaymentHash, ProjectKey, SettlementKind,
    Subject, UnixMicros, UserKey, WindowId,
};
use crate::evidence::{BillableEvent, InvoiceState, SettlementEvent};
use crate::ledger::envelope::EnvelopeLedger;
use crate::ledger::operations::first_of_each;
use crate::ledger::scope::Scope;
use crate::ledger::view::LedgerView;
use crate::verify::{SignedSettlement, Verified};

use super::account::{Account, Posting};
use super::book::{Book, Entry, EntryKey, Fact, Tier};
use super::movement::{Movement, movement};
use super::postings;

/// Why a verified settlement has no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unposted {
    /// Settled after the as-of.
    AfterAsOf,
    /// Another event came first under its operation id.
    Conflict(Digest32),
}

/// Double entry over everything that counts. Debits are positive, credits negative, so the trial balance sums to zero.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TreasuryLedger {
    book: Book,
    /// Settlements that are listed and not posted.
    pub unposted: BTreeMap<Digest32, Unposted>,
}

impl TreasuryLedger {
    pub(crate) fn fold(scope: Scope<'_>, envelopes: &EnvelopeLedger, findings: &mut Vec<Finding>) -> Self {
        let mut ledger = Self { unposted: unposted(scope, findings), ..Self::default() };
        let mut journal: BTreeMap<EntryKey, Result<Entry, AmountError>> = BTreeMap::new();
        gather_envelopes(scope, envelopes, &mut journal);
        gather_settlements(scope, &ledger.unposted, &mut journal);
        for (key, entry) in journal {
            match entry.map(|entry| ledger.book.post(entry)) {
                Ok(Ok(())) => {}
                Ok(Err(finding)) => findings.push(*finding),
                Err(AmountError) => findings.push(
                    Finding::new(Code::AmtRange, Subject::new("entry", format!("{:?}", key.fact)))
                        .with_explanation("A sum leaves 128 bits; the entry is not posted."),
                ),
            }
        }
        findings.extend(ledger.book.trial());
        ledger
    }

    /// The journal in its order.
    pub fn entries(&self) -> &[Entry] {
        &self.book.entries
    }

    /// Final balance by account: debits positive.
    pub fn balances(&self) -> &BTreeMap<Account, MsatDelta> {
        &self.book.balances
    }

    /// The balance of one account; zero when nothing was posted on it.
    pub fn balance(&self, account: &Account) -> MsatDelta {
        self.book.balances.get(account).copied().unwrap_or_default()
    }

    /// True when the settlement has an entry.
    pub fn is_posted(&self, digest: &Digest32) -> bool {
        !self.unposted.contains_key(digest)
    }

    /// The journal's leaves in its order, totals, and the trial balance.
    pub fn view(&self) -> LedgerView {
        let side = |asset: bool| -> i128 {
            let of_side = self.book.balances.iter().filter(|(account, _)| account.is_asset() == asset);
            of_side.map(|(_, delta)| delta.0).fold(0, i128::saturating_add)
        };
        let mut by_class: BTreeMap<String, i128> = BTreeMap::new();
        for (account, delta) in &self.book.balances {
            let balance = by_class.entry(account.class().to_owned()).or_default();
            *balance = balance.saturating_add(delta.0);
        }
        let count = |n: usize| i128::try_from(n).unwrap_or(i128::MAX);
        LedgerView {
            name: "treasury",
            leaves: self.book.entries.iter().map(Entry::leaf).collect(),
            totals: BTreeMap::from([
                ("entries".to_owned(), count(self.book.entries.len())),
                ("unposted".to_owned(), count(self.unposted.len())),
                ("custody_msat".to_owned(), side(true)),
                ("liabilities_msat".to_owned(), side(false).saturating_neg()),
            ]),
            trial_balance: by_class,
        }
    }
}

/// One posting set per operation id: the first by (settled_at, digest). The others are listed, never netted.
fn unposted(scope: Scope<'_>, findings: &mut Vec<Finding>) -> BTreeMap<Digest32, Unposted> {
    let first = first_of_each(scope);
    let mut unposted = BTreeMap::new();
    for (digest, verified) in &scope.set.settlements {
        let event = &verified.fact().event;
        if event.settled_at <= scope.as_of.time {
            let kept = first.get(event.operation.as_str()).filter(|(_, kept)| kept != digest);
            unposted.extend(kept.map(|(_, kept)| (*digest, Unposted::Conflict(*kept))));
            continue;
        }
        unposted.insert(*digest, Unposted::AfterAsOf);
        findings.push(
            Finding::new(Code::EnvTime, Subject::new("settlement", digest))
                .with_values(format!("not after {}", scope.as_of.time), event.settled_at)
                .with_evidence(verified.first_carrier(), "settlement")
                .with_explanation("The settlement claims a time after the as-of; it is not counted."),
        );
    }
    unposted
}

/// The project that pays for an event: the one it names, else the only one with its site's domain, else the site itself.
fn payer(event: &BillableEvent, by_domain: &BTreeMap<String, BTreeSet<&ProjectKey>>) -> ProjectKey {
    if let Some(project) = &event.project {
        return project.clone();
    }
    let site = event.site.as_str().trim_end_matches('.').to_ascii_lowercase();
    match by_domain.get(&site) {
        Some(projects) if projects.len() == 1 => projects.first().map_or_else(|| site_account(&site), |p| (*p).clone()),
        _ => site_account(&site),
    }
}

fn site_account(site: &str) -> ProjectKey {
    ProjectKey::from(format!("site:{site}"))
}

/// What one user vests in one window, and the carriers it rests on.
type Share = (Result<MsatDelta, AmountError>, Vec<EvidenceId>);

fn gather_envelopes(
    scope: Scope<'_>,
    envelopes: &EnvelopeLedger,
    journal: &mut BTreeMap<EntryKey, Result<Entry, AmountError>>,
) {
    let by_domain = projects_by_domain(scope);
    let mut vesting: BTreeMap<(&WindowId, &UserKey), Share> = BTreeMap::new();
    for (entry, event) in envelopes.events() {
        let project = payer(event, &by_domain);
        let user = scope.people.account_of(&event.user);
        let window = event.drop.as_ref().map(|drop| &drop.window);
        let closed = window.and_then(|window| envelopes.windows.get(window)?.vested_at);
        // A member that comes after its window has vested is payable at once.
        let maturing = window.filter(|_| closed.is_none_or(|at| event.occurred_at < UnixMicros::from(at)));
        if let (Some(window), Some(_)) = (maturing, closed) {
            let (share, evidence) = vesting.entry((window, user)).or_insert_with(|| (Ok(MsatDelta::ZERO), Vec::new()));
            *share = share.and_then(|share| share.checked_add(event.user_earned.msat().delta()));
            evidence.push(entry.carrier);
        }
        let key = EntryKey { at: event.occurred_at, rank: 1, fact: Fact::Envelope(entry.id) };
        let made = postings::of_event(event, user, &project, maturing);
        journal.insert(key.clone(), made.map(|made| new_entry(key, "envelope", made, vec![entry.carrier], Tier::T1)));
    }
    for ((window, user), (share, evidence)) in vesting {
        let Some(at) = envelopes.windows.get(window).and_then(|window| window.vested_at) else { continue };
        let fact = Fact::Vesting(window.clone(), user.clone());
        let key = EntryKey { at: UnixMicros::from(at), rank: 2, fact };
        let made = share.and_then(|share| postings::of_vesting(user, window, share));
        journal.insert(key.clone(), made.map(|made| new_entry(key, "vesting", made, evidence, Tier::T1)));
    }
}

fn projects_by_domain(scope: Scope<'_>) -> BTreeMap<String, BTreeSet<&ProjectKey>> {
    let mut by_domain: BTreeMap<String, BTreeSet<&ProjectKey>> = BTreeMap::new();
    for (_, config) in &scope.set.configs {
        let domain = config.domain.trim_end_matches('.').to_ascii_lowercase();
        by_domain.entry(domain).or_default().insert(&config.project);
    }
    by_domain
}

fn new_entry(
    key: EntryKey,
    kind: &'static str,
    postings: Vec<Posting>,
    evidence: Vec<EvidenceId>,
    tier: Tier,
) -> Entry {
    let mut evidence = evidence;
    evidence.sort_unstable();
    evidence.dedup();
    Entry { key, kind, postings, evidence, tier }
}

fn gather_settlements(
    scope: Scope<'_>,
    unposted: &BTreeMap<Digest32, Unposted>,
    journal: &mut BTreeMap<EntryKey, Result<Entry, AmountError>>,
) {
    let paid = paid_invoices(scope);
    for (digest, verified) in scope.set.settlements.iter().filter(|(digest, _)| !unposted.contains_key(*digest)) {
        let event = &verified.fact().event;
        let invoice = event.payment_hash.as_ref().and_then(|hash| paid.get(&hash.parse().ok()?));
        let excess = invoice.map_or(Msat::ZERO, |paid| paid.excess_over(event));
        let rank = if movement(event) == Movement::In { 0 } else { 3 };
        let key = EntryKey { at: UnixMicros::from(event.settled_at), rank, fact: Fact::Settlement(*digest) };
        let user = event.user.as_ref().map(|user| scope.people.account_of(user));
        let mut evidence = vec![verified.first_carrier()];
        if excess > Msat::ZERO {
            evidence.extend(invoice.map(|paid| paid.evidence));
        }
        let made = postings::of_settlement(event, user, excess, scope.policy);
        let tier = tier_of(verified, excess, invoice);
        journal.insert(key.clone(), made.map(|made| new_entry(key, event.kind.name(), made, evidence, tier)));
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
