//! Money is conserved: whatever part of whatever world is known, every msat that comes in came in by a settlement, every
//! msat that leaves left by one, and between them nothing appears or vanishes.

use std::collections::{BTreeMap, BTreeSet};

use reledger::domain::{Code, Digest32, Direction, Media, RawEvidence, SettlementKind};
use reledger::evidence::{InvoiceState, SettlementEvent};
use reledger::ledger::{Account, Entry, Fact, Rule};

use super::cases;
use super::world::{Held, Judged};
use crate::support::Lcg;

/// Worlds that parts are taken of.
const WORLDS: usize = 3;

#[test]
fn every_entry_and_every_balance_sums_to_zero_whatever_is_known() {
    let worlds: Vec<Held> = (0..WORLDS).map(|seed| Held::of(50 + seed as u64, seed * 6)).collect();
    let mut chance = Lcg(20_261_122);
    let (mut posted, mut kinds) = (0, BTreeSet::new());
    for case in 0..cases(12) {
        let held = &worlds[case % WORLDS];
        let part = part(held, &mut chance);
        let judged = held.judge(&part);
        entries_close(&judged);
        balances_are_the_journal(&judged);
        facts_are_posted_once(&judged);
        custody_moves_by_settlements_only(&judged);
        no_rule_is_broken_in_silence(&judged);
        posted += judged.entries.len();
        kinds.extend(judged.entries.iter().map(|entry| entry.kind));
    }
    assert!(posted > 100, "{posted} entries were looked at");
    for kind in ["envelope", "vesting", "escrow.deposit", "escrow.rebate", "distribution.settled"] {
        assert!(kinds.contains(kind), "{kind} was never posted: {kinds:?}");
    }
}

/// A part of the evidence: each media keeps its own share, and some media are missing altogether.
fn part<'h>(held: &'h Held, chance: &mut Lcg) -> Vec<&'h RawEvidence> {
    let keep: BTreeMap<Media, usize> = Media::ALL
        .into_iter()
        .map(|media| {
            // Without key sets nothing is posted: they are withheld less often.
            let least = if media == Media::Jwks { 80 } else { 30 };
            (media, if chance.below(10) == 0 { 0 } else { least + chance.below(101 - least) })
        })
        .collect();
    held.evidence.iter().filter(|raw| chance.below(100) < keep[&raw.media]).collect()
}

fn sum(entry: &Entry) -> i128 {
    entry.postings.iter().map(|posting| posting.delta.0).sum()
}

/// What an entry does to custody.
fn custody(entry: &Entry) -> i128 {
    let of_custody = entry.postings.iter().filter(|posting| matches!(posting.account, Account::Custody(_)));
    of_custody.map(|posting| posting.delta.0).sum()
}

fn entries_close(judged: &Judged) {
    for entry in &judged.entries {
        assert_eq!(sum(entry), 0, "{entry:?}");
    }
    let bugs = judged.divergences.iter().filter(|divergence| divergence.code == Code::ConsBug).count();
    assert_eq!(bugs, 0);
}

/// The balances are what the journal leaves, and what is held equals what is owed.
fn balances_are_the_journal(judged: &Judged) {
    let mut balances: BTreeMap<&Account, i128> = BTreeMap::new();
    for posting in judged.entries.iter().flat_map(|entry| &entry.postings) {
        *balances.entry(&posting.account).or_default() += posting.delta.0;
    }
    // A payment that has landed has no account any more.
    balances.retain(|account, held| *held != 0 || !matches!(account, Account::InFlight(_)));
    let theirs: BTreeMap<&Account, i128> =
        judged.ledgers.treasury.balances().iter().map(|(account, delta)| (account, delta.0)).collect();
    assert_eq!(theirs, balances);
    let side = |asset: bool| -> i128 {
        balances.iter().filter(|(account, _)| account.is_asset() == asset).map(|(_, delta)| delta).sum()
    };
    assert_eq!(side(true), -side(false), "custody is the sum of liabilities");
}

/// Every counted event and every settlement stands in the journal once, or the ledger says why not.
fn facts_are_posted_once(judged: &Judged) {
    let treasury = &judged.ledgers.treasury;
    let mut facts = BTreeSet::new();
    for entry in &judged.entries {
        assert!(facts.insert(&entry.key.fact), "{:?} stands twice", entry.key.fact);
    }
    for entry in judged.ledgers.envelope.events() {
        assert!(facts.contains(&Fact::Envelope(entry.id)), "{} is counted and not posted", entry.id);
    }
    for digest in judged.set.settlements.keys() {
        let is_posted = facts.contains(&Fact::Settlement(digest));
        assert_ne!(is_posted, treasury.unposted.contains_key(&digest), "{digest} is either posted or listed");
    }
}

/// Where the books break a rule, a divergence says what in the world is wrong.
fn no_rule_is_broken_in_silence(judged: &Judged) {
    let told: BTreeSet<Code> = judged.divergences.iter().map(|divergence| divergence.code).collect();
    for (rule, asked) in judged.ledgers.treasury.invariants.iter().filter(|(_, asked)| asked.broken > 0) {
        let codes: &[Code] = match rule {
            Rule::Custody => &[Code::ConsCustody],
            Rule::Escrow => &[Code::EscUnfunded, Code::EscNegative, Code::EscNeverFunded],
            Rule::Payable | Rule::Settled => &[Code::UserOverpaid, Code::SetEarly, Code::SetOrphan],
            Rule::Split => &[Code::FeeSplit],
            Rule::Clearing => &[Code::GwOpen],
            Rule::Suspense => {
                &[Code::InvOverpaid, Code::DirWrong, Code::FieldMissing, Code::FeeSplit, Code::AdjUnexplained]
            }
            ours => panic!("{ours:?} is broken: {asked:?}"),
        };
        assert!(codes.iter().any(|code| told.contains(code)), "{rule:?} is broken and nothing says so: {asked:?}");
    }
}

/// Only a settlement moves custody, by its own amount and fee, and by what its invoice received beyond it.
fn custody_moves_by_settlements_only(judged: &Judged) {
    for entry in &judged.entries {
        match &entry.key.fact {
            Fact::Envelope(_) | Fact::Vesting(..) | Fact::Claim(_) => assert_eq!(custody(entry), 0, "{entry:?}"),
            Fact::Settlement(digest) => settled(judged, *digest, custody(entry)),
        }
    }
}

fn settled(judged: &Judged, digest: Digest32, moved: i128) {
    let event = judged.set.settlements.get(&digest).unwrap().into_fact().event;
    let amount = i128::from(event.amount.get()) * 1_000;
    let fee = event.fee.map_or(0, |fee| i128::from(fee.get()) * 1_000);
    let inside = matches!(event.kind, SettlementKind::EscrowRebate | SettlementKind::PlatformAccrual)
        && event.destination.is_none();
    let allowed = match event.direction {
        Direction::In => vec![amount, received(judged, &event).unwrap_or(amount)],
        // Money that leaves against its kind's direction leaves without a fee that anyone is charged for.
        Direction::Out => vec![-amount - fee, -amount],
    };
    assert!(allowed.contains(&moved) || (inside && moved == 0), "{moved} msat for {event:?}");
}

/// What a deposit's invoice received, when that is more than was settled.
fn received(judged: &Judged, event: &SettlementEvent) -> Option<i128> {
    let hash = event.payment_hash.as_ref()?.to_ascii_lowercase();
    let paid = judged
        .set
        .invoices
        .iter()
        .filter(|(_, invoice)| invoice.state == InvoiceState::Settled && invoice.payment_hash.to_string() == hash);
    paid.filter_map(|(_, invoice)| invoice.received_msat.map(i128::from)).min()
}
