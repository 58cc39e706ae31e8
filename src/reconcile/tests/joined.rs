//! Goal: what is said about fees, matches, claims and custody names the settlement, the payment or the instant, and by which
//! rule each settlement was matched; neither the order of records nor the spelling of a hash matters.

use super::claims::client_sent;
use super::custody::observe;
use super::fees::FEES;
use super::legs::{accepted, charged, entry, hex, payout_fee, routed, sent};
use super::matching::{MATCHES, twins};
use super::*;
use crate::domain::{Digest32, sha256};

pub(super) fn about(scene: &Scene, code: Code) -> Subject {
    one(&scene.run(), code).subject.clone()
}

#[test]
fn subjects_name_the_settlement_the_payment_or_the_instant() {
    let settlement = |name: &str| Subject::new("settlement", digest(name));
    for (cases, name) in [(FEES, "payout"), (MATCHES, "payout")] {
        for (code, produce, _) in cases.iter().filter(|(code, ..)| *code != Code::MatchAmbiguous) {
            let mut scene = Scene::honest();
            produce(&mut scene);
            let subject = about(&scene, *code);
            assert!(subject == settlement(name) || subject == settlement("deposit"), "{code}: {subject:?}");
        }
    }
    let mut scene = Scene::honest();
    twins(&mut scene, 2, |_, _| ());
    assert_eq!(about(&scene, Code::MatchAmbiguous), settlement("keyless"));
    let cited = one(&scene.run(), Code::MatchAmbiguous).evidence.clone();
    assert_eq!(cited.iter().map(|it| it.id).collect::<Vec<_>>(), [evidence("keyless")], "strangers are not cited");
    let mut scene = Scene::honest();
    sent(&mut scene, "payout", "payout", 39_000, 0);
    accepted(&mut scene, "another");
    assert_eq!(about(&scene, Code::GwOpen), Subject::new("payment_hash", hash("payout")));
    let mut scene = Scene::honest();
    client_sent(&mut scene, Some([0x42; 32]));
    assert_eq!(about(&scene, Code::GwOpen), Subject::new("payment_hash", sha256(&[0x42; 32])));
    let mut scene = Scene::honest();
    observe(&mut scene, "2026-06-30T00:00:00Z", 99_960_999);
    let drift = one(&scene.run(), Code::CustodyDrift).clone();
    assert_eq!(drift.subject, Subject::new("federation", "oc-me-v1").and("at", time("2026-06-30T00:00:00Z").0));
    assert_eq!(
        (drift.expected.as_str(), drift.observed.as_str()),
        ("99961000 msat by the ledger", "99960999 msat, -1")
    );
    scene.world.policy.observed.clear();
    observe(&mut scene, "2026-06-30T00:00:00Z", 99_961_002);
    assert_eq!(one(&scene.run(), Code::CustodyDrift).observed, "99961002 msat, +2");
}

#[test]
fn the_order_of_log_and_records_changes_no_match() {
    let mut scene = Scene::honest();
    payout_fee(&mut scene, 3);
    charged(&mut scene, 10_150);
    routed(&mut scene, Some(4_000), InvoiceState::Settled);
    sent(&mut scene, "deposit", "another", 39_000, 1);
    twins(&mut scene, 3, |_, _| ());
    let mut turned = scene.clone();
    // Pieces lie in the order of their evidence: under other ids they are in another order.
    let other = |id: EvidenceId| EvidenceId(crate::domain::sha256(id.as_bytes()));
    turned.world.set.payment_log = scene.world.set.payment_log.iter().map(|(id, it)| (other(id), it)).collect();
    turned.world.set.invoices = scene.world.set.invoices.iter().map(|(id, it)| (other(id), it)).collect();
    let told = |scene: &Scene| {
        let told = scene.run().divergences.into_iter();
        told.map(|it| (it.code, it.subject, it.expected, it.observed, it.at_stake)).collect::<BTreeSet<_>>()
    };
    assert_eq!(told(&scene), told(&turned));
    for code in [Code::FeeSettlement, Code::MatchContradiction, Code::MatchAmbiguous, Code::GwOpen] {
        assert!(open(&scene).contains(&code), "{code}");
    }
}

#[test]
fn a_hash_in_capitals_leads_to_the_same_leg() {
    let mut scene = Scene::honest();
    payout_fee(&mut scene, 3);
    charged(&mut scene, 5_000);
    scene.change_settlement("payout", |x| {
        x.event.payment_hash = x.event.payment_hash.as_ref().map(|hash| hash.to_uppercase());
        x.event.operation = Digest32([9; 32]).to_hex().into();
    });
    assert!(open(&scene).contains(&Code::FeeSettlement));
}

/// Of the project, which has earned 9 at noon of 2026-05-04.
pub(super) fn rebate_of(scene: &mut Scene, amount: u64, at: &str) {
    scene.world.settlement("rebate", SettlementKind::EscrowRebate, |event| {
        (event.amount, event.settled_at, event.payment_hash) = (sats(amount), time(at), None);
    });
}

/// Rules by name with their settlements and satoshi.
fn by_rule(scene: &Scene) -> [Vec<(&'static str, u64, u128)>; 2] {
    let matching = scene.run().matching;
    [matching.rail, matching.ledger]
        .map(|side| side.into_iter().map(|(rule, one)| (rule, one.settlements, one.sats)).collect())
}

#[test]
fn every_settlement_is_summed_under_the_rule_that_matched_it() {
    // A deposit and a rebate of a known project, the payout of a held distribution; no record of any payment.
    let mut honest = Scene::honest();
    rebate_of(&mut honest, 9, "2026-05-05T00:00:00Z");
    let [rail, ledger] = by_rule(&honest);
    let deposit = honest.world.set.settlements.get(&digest("deposit")).unwrap().fact().event.amount.get();
    assert_eq!(rail, []);
    assert_eq!(ledger, [("R4", 1, 39), ("R6", 2, u128::from(deposit) + 9)]);
    let mut scene = honest.clone();
    charged(&mut scene, 0);
    with_invoice(&mut scene, deposit * 1_000, deposit * 1_000, InvoiceState::Settled);
    let [rail, _] = by_rule(&scene);
    assert_eq!(rail, [("R1", 1, 39), ("R2", 1, u128::from(deposit)), ("internal", 1, 9)]);
    // By vested shares without its batch; by a transaction; by nothing but amount and time.
    scene.change_settlement("payout", |x| {
        x.event.distribution = None;
        (x.event.operation, x.event.payment_hash, x.event.txid) = ("unknown".into(), None, Some(hex("tx")));
    });
    entry(&mut scene, "wallet", "withdraw-request", |entry| entry.txid = Some(digest("hash of tx")));
    twins(&mut scene, 1, |_, _| ());
    let [rail, ledger] = by_rule(&scene);
    assert_eq!(rail, [("R2", 1, u128::from(deposit)), ("R3", 1, 39), ("R7", 1, 7), ("internal", 1, 9)]);
    assert_eq!(ledger, [("R5", 1, 39), ("R6", 2, u128::from(deposit) + 9), ("unruled", 1, 7)]);
    // A second candidate: nothing is suggested any more.
    let mut scene = Scene::honest();
    twins(&mut scene, 2, |_, _| ());
    assert!(by_rule(&scene)[0].iter().all(|(rule, ..)| *rule != "R7"));
}

#[test]
fn a_rebate_returns_no_more_than_was_earned_by_then() {
    let told = |amount: u64, at: &str| {
        let mut scene = Scene::honest();
        rebate_of(&mut scene, amount, at);
        let settlement = Subject::new("settlement", digest("rebate"));
        scene.run().divergences.iter().any(|one| one.code == Code::SetOrphan && one.subject == settlement)
    };
    assert!(told(10, "2026-05-05T00:00:00Z"));
    assert!(!told(9, "2026-05-05T00:00:00Z"));
    assert!(told(9, "2026-05-04T11:59:59Z"));
}
