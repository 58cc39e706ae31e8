//! Goal: payments in flight, and every rule of the books: what breaks it, and what only looks like it.
//! Method: hand-made facts through `rebuild`; what only an error of ours can break goes straight to the watch.

use super::*;

use crate::domain::OperationId;
use crate::evidence::PaymentLogEntry;
use crate::ledger::treasury::invariants::{Rule, Watch};
use crate::ledger::treasury::postings;

const SETTLED: &str = "2026-05-06T00:00:00Z";

fn logged(world: &mut World, (module, kind, at): (&str, &str, &str), operation: &str, hash: Option<&str>) {
    let entry = PaymentLogEntry {
        federation_id: "fed".into(),
        id: world.set.payment_log.len() as u64,
        module: module.into(),
        kind: kind.into(),
        at: crate::ledger::testkit::micros(at),
        payment_hash: hash.map(|name| digest(&format!("hash of {name}")).to_hex().parse().unwrap()),
        operation: Some(OperationId::from(digest(operation).to_hex().as_str())),
        contract: None,
        txid: None,
        amount_msat: None,
        contract_msat: None,
        fee_msat: None,
        preimage: None,
        known: true,
    };
    let id = evidence(&format!("log {}", entry.id));
    world.set.payment_log.push((id, entry));
}

/// The worked example, with the payout done in a log that knows of `accepted` claims.
fn in_flight(accepted: &[(&str, &str)]) -> World {
    let mut world = worked_example();
    logged(&mut world, ("ln", "outgoing-payment-succeeded", SETTLED), "payout", Some("payout"));
    for (operation, at) in accepted {
        logged(&mut world, ("", "tx-accepted", at), operation, None);
    }
    world
}

fn flights(world: &World) -> [i128; 4] {
    let treasury = world.ledgers().treasury;
    let operation = OperationId::from(digest("payout").to_hex().as_str());
    [
        Account::InFlight(operation),
        Account::Custody("oc-me-v1".into()),
        Account::UserInFlight("bc1quser".into()),
        Account::PlatformAccrued,
    ]
    .map(|account| treasury.balance(&account).0)
}

const LANDED: [i128; 4] = [0, 99_958_000, 0, -9_000];
const FLYING: [i128; 4] = [42_000, 99_958_000, -39_000, -12_000];

#[test]
fn a_payout_is_in_flight_until_the_federation_accepts_its_claim() {
    let late = "2026-05-06T00:00:00.000001Z";
    assert_eq!(flights(&in_flight(&[("another", SETTLED)])), FLYING);
    let world = in_flight(&[("payout", late), ("payout", "2026-05-07T00:00:00Z")]);
    assert_eq!(flights(&world), LANDED);
    let entries: Vec<_> = world.entries().iter().map(|entry| (entry.kind, entry.tier)).collect();
    assert_eq!(entries[entries.len() - 2..], [("distribution.settled", Tier::T1), ("claim", Tier::T2)]);
    // Accepted by then, or a log that names no transaction at all: one entry, as signed.
    for accepted in [&[("payout", SETTLED)][..], &[]] {
        let world = in_flight(accepted);
        assert_eq!((flights(&world), world.entries().len()), (LANDED, 4));
    }
    // Accepted after the as-of, which is 2026-06-30.
    assert_eq!(flights(&in_flight(&[("payout", "2026-06-30T00:00:00.000001Z")])), FLYING);
    assert_eq!(flights(&in_flight(&[("payout", "2026-06-30T00:00:00Z")])), LANDED);
}

#[test]
fn what_is_sent_and_what_lands_are_together_what_was_settled() {
    let outgoing = [
        SettlementKind::EscrowRefund,
        SettlementKind::EscrowRebate,
        SettlementKind::PlatformAccrual,
        SettlementKind::DistributionSettled,
        SettlementKind::OperatorPayout,
        SettlementKind::Adjustment,
    ];
    for kind in outgoing {
        for (user, payee) in [(Some("bc1quser".into()), false), (None, true), (Some("bc1quser".into()), true)] {
            let mut event = crate::ledger::testkit::plain_settlement(kind, "s");
            (event.fee, event.destination) = (Some(sats(3)), Some("somewhere".to_owned()));
            event.operator = Some("guardian-1".to_owned());
            let mut policy = crate::domain::TrustPolicy::orangecheck_2026_10();
            if payee {
                policy.fee_bearers.insert("oc-me-v1".into(), [(kind, crate::domain::FeeBearer::Payee)].into());
            }
            let whole = postings::of_settlement(&event, user.as_ref(), crate::domain::Msat::ZERO, &policy).unwrap();
            let (sent, closed) = postings::of_flight(&event, user.as_ref(), &policy).unwrap();
            let mut sums = std::collections::BTreeMap::<Account, i128>::new();
            for posting in sent.iter().chain(&closed) {
                *sums.entry(posting.account.clone()).or_default() += posting.delta.0;
            }
            sums.retain(|_, sum| *sum != 0);
            let whole: std::collections::BTreeMap<_, _> =
                whole.into_iter().map(|posting| (posting.account, posting.delta.0)).collect();
            assert_eq!(sums, whole, "{kind}");
            assert_eq!(sent.iter().map(|posting| posting.delta.0).sum::<i128>(), 0);
        }
    }
}

#[test]
fn a_payee_bears_the_routing_fee_only_where_policy_says_so() {
    let available = |payee: bool, earned: u64| {
        let mut world = worked_example();
        if payee {
            let of_kind = [(SettlementKind::DistributionSettled, crate::domain::FeeBearer::Payee)].into();
            world.policy.fee_bearers.insert("oc-me-v1".into(), of_kind);
        }
        world.event("envelope", |event| {
            (event.gross, event.platform, event.user_earned, event.rebate) =
                (sats(60), sats(12), sats(earned), sats(48 - earned));
        });
        let treasury = world.ledgers().treasury;
        let broken = treasury.invariants.get(&Rule::Settled).is_some_and(|asked| asked.broken > 0);
        let user = treasury.balance(&Account::UserAvailable("bc1quser".into())).0;
        (user, treasury.balance(&Account::PlatformAccrued).0, broken)
    };
    // 39 paid with a fee of 3.
    assert_eq!(available(false, 39), (0, -9_000, false));
    assert_eq!(available(true, 39), (3_000, -12_000, true));
    assert_eq!(available(true, 42), (0, -12_000, false));
}

fn broken(world: &World) -> Vec<Rule> {
    let invariants = world.ledgers().treasury.invariants;
    invariants.into_iter().filter(|(_, asked)| asked.broken > 0).map(|(rule, _)| rule).collect()
}

/// A rule, a change of the worked example that breaks it, and one that does not.
type RuleCase = (Rule, fn(&mut World), fn(&mut World));

const BREAKABLE: &[RuleCase] = &[
    (Rule::Custody, |w| custody_of(w, 41), |w| custody_of(w, 42)),
    (Rule::Escrow, |w| billed(w, 100_001), |w| billed(w, 100_000)),
    (
        Rule::Payable,
        |w| w.payout("second", "2026-05-07T00:00:00Z", 1),
        |w| w.payout("second", "2026-05-07T00:00:00Z", 0),
    ),
    (Rule::Payable, |w| rebated(w, 10), |w| rebated(w, 9)),
    (Rule::Split, |w| w.event("e", |e| (e.platform, e.user_earned) = (sats(19), sats(66))), |w| w.event("e", |_| ())),
    (Rule::Split, |w| w.event("e", |e| e.rebate = sats(14)), |w| w.event("e", |e| e.rebate = sats(15))),
    (Rule::Settled, |w| paid_at(w, "2026-05-03T00:00:00Z"), |w| paid_at(w, SETTLED)),
    (Rule::Suspense, |w| adjusted(w, None), |w| adjusted(w, Some("ticket 12"))),
    (Rule::Suspense, |w| adjusted(w, Some(" ")), |w| adjusted(w, Some("ticket 12"))),
    (Rule::Clearing, |w| *w = flying_since("2026-06-28T23:59:59Z"), |w| *w = flying_since("2026-06-29T00:00:00Z")),
];

/// Custody after everything that the example takes out of a deposit.
fn custody_of(world: &mut World, deposit: u64) {
    world.settlement("deposit", SettlementKind::EscrowDeposit, |event| event.amount = sats(deposit));
}

fn billed(world: &mut World, gross: u64) {
    world.event("envelope", |event| {
        (event.gross, event.platform) = (sats(gross), sats(gross / 5));
        (event.user_earned, event.rebate) = (sats(gross - gross / 5), sats(0));
    });
    world.set.settlements.remove(&digest("rebate"));
}

fn rebated(world: &mut World, amount: u64) {
    world.settlement("rebate", SettlementKind::EscrowRebate, |event| {
        (event.amount, event.settled_at) = (sats(amount), time("2026-05-05T00:00:00Z"));
    });
}

fn paid_at(world: &mut World, at: &str) {
    world.payout("payout", at, 39);
}

fn adjusted(world: &mut World, note: Option<&str>) {
    world.settlement("adjustment", SettlementKind::Adjustment, |event| {
        (event.amount, event.payment_hash, event.note) = (sats(1), None, note.map(str::to_owned));
    });
}

fn flying_since(at: &str) -> World {
    let mut world = in_flight(&[("another", SETTLED)]);
    world.payout("payout", at, 39);
    world
}

#[test]
fn every_rule_that_the_world_can_break_is_seen_broken_and_no_sooner() {
    assert_eq!(broken(&worked_example()), []);
    for (number, (rule, breaks, misses)) in BREAKABLE.iter().enumerate() {
        let (mut bad, mut good) = (worked_example(), worked_example());
        breaks(&mut bad);
        misses(&mut good);
        assert!(broken(&bad).contains(rule), "case {number}: {rule:?} is not seen broken: {:?}", broken(&bad));
        assert!(!broken(&good).contains(rule), "case {number}: {rule:?} is broken by its near miss");
        // What only an error of ours can break stands in every world.
        assert!(broken(&bad).iter().all(|rule| !rule.is_ours()), "case {number}: {:?}", broken(&bad));
        assert!(!rule.is_ours());
    }
}

#[test]
fn the_first_entry_that_breaks_a_rule_is_named() {
    let mut world = worked_example();
    paid_at(&mut world, "2026-05-03T00:00:00Z");
    let asked = &world.ledgers().treasury.invariants[&Rule::Settled];
    assert_eq!((asked.times, asked.broken), (1, 1));
    assert_eq!(asked.first.as_ref().map(|key| key.fact.clone()), Some(Fact::Settlement(digest("payout"))));
}

#[test]
fn every_rule_that_only_we_can_break_is_seen_broken() {
    let ours = |feed: &dyn Fn(&mut Watch)| {
        let mut watch = Watch::default();
        feed(&mut watch);
        let asked = watch.close(UnixMicros::from(UnixSeconds(0)), &crate::ledger::Balances::default());
        asked.into_iter().filter(|(_, asked)| asked.broken > 0).map(|(rule, _)| rule).collect::<Vec<_>>()
    };
    let posted = |deltas: &[(Account, i128)]| {
        let entry = entry(deltas);
        // The book refuses what does not sum to zero: the watch is asked of it all the same.
        let mut book = Book::default();
        assert_eq!(book.post(&entry).is_ok(), deltas.iter().map(|(_, delta)| delta).sum::<i128>() == 0);
        ours(&|watch| watch.entry(&entry, &book))
    };
    let (custody, rounding) = (|| Account::Custody("oc-me-v1".into()), || Account::Rounding("oc-me-v1".into()));
    assert_eq!(posted(&[(custody(), 5), (Account::PlatformAccrued, -4)]), [Rule::Entry, Rule::Trial, Rule::Owed]);
    assert_eq!(posted(&[(custody(), 5), (Account::PlatformAccrued, -5)]), []);
    assert_eq!(posted(&[(custody(), 1_000), (rounding(), -1_000)]), [Rule::Residue]);
    assert_eq!(posted(&[(custody(), 999), (rounding(), -999)]), []);
    let key = entry(&[]).key;
    let twice = |one: &str, other: &str| {
        ours(&|watch| [one, other].iter().for_each(|it| watch.operation(&OperationId::from(*it), &key)))
    };
    assert_eq!(twice("one", "one"), [Rule::Operation]);
    assert_eq!(twice("one", "other"), []);
    for rule in [Rule::Conservation, Rule::Global] {
        assert_eq!(ours(&|watch| watch.agree(rule, 1, 2)), [rule]);
        assert_eq!(ours(&|watch| watch.agree(rule, 2, 2)), []);
    }
}

#[test]
fn a_flight_is_cleared_by_its_operation_alone() {
    let ledgers = in_flight(&[("another", "2026-05-06T00:00:01Z")]).ledgers();
    assert_eq!(ledgers.treasury.invariants[&Rule::Clearing].broken, 1);
    assert_eq!(
        in_flight(&[("payout", "2026-05-06T00:00:01Z")]).ledgers().treasury.invariants.get(&Rule::Clearing),
        None
    );
}
