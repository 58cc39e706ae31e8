//! What the oracle says where the documents say it in numbers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answer::expect;
use super::read::parsed;
use super::rules::compute;
use super::treasury::class;
use crate::domain::Code;
use crate::sim::scene::Scene;
use crate::sim::{Expectation, World};

const VECTORS: &str = include_str!("../../../fixtures/vectors/oc-me-client/compute-fees.json");

/// An empty world in which one project was funded, sold one thing, took its rebate, and its user was paid.
fn worked_example(edit: impl FnOnce(&mut Scene)) -> Expectation {
    let mut scene = Scene::of(World::generate(1, 10));
    let world = &mut scene.world;
    for records in [&mut world.settlements, &mut world.balances, &mut world.activity, &mut world.invoices] {
        records.clear();
    }
    world.custody.clear();
    world.configs.clear();
    world.payment_log.clear();
    world.events.clear();
    let at = 1_785_000_000;
    let settled = |kind: &str, direction: &str, sats: u64, after: i64| {
        json!({
            "kind": kind, "federation_slug": "oc-me-v1", "operation_id": format!("{after:064x}"), "amount_sats": sats,
            "direction": direction, "settled_at": at + after, "txid": "t", "project_key": "pk", "user_address": null,
        })
    };
    let mut paid = settled("distribution.settled", "out", 39, 300);
    paid["user_address"] = "u".into();
    paid["fee_sats"] = 3.into();
    let mut event = json!({
        "v": 2, "kind": "oc-me-event", "class": "C", "subtype": "session_creation", "site": {"domain": "s.example"},
        "user_address": "u", "project_key": "pk", "gross_fee_sats": 60, "platform_fee_sats": 12, "user_earned_sats": 39,
        "site_rebate_sats": 9,
    });
    event["occurred_at"] = crate::domain::UnixSeconds(at + 100).to_string().into();
    for one in [settled("escrow.deposit", "in", 100_000, 0), settled("escrow.rebate", "out", 9, 200), paid] {
        scene.settle(&one);
    }
    let carrier = scene.sign(&event);
    scene.put(carrier);
    edit(&mut scene);
    expect(&scene)
}

fn codes(expectation: &Expectation) -> Vec<Code> {
    expectation.divergences.iter().map(|one| one.code).collect()
}

#[test]
fn the_worked_example_ends_as_published() {
    // TREASURY 5.2: deposit 100,000; one envelope 60 = 12 + 39 + 9; rebate 9, internal; payout 39 with a fee of 3.
    let expectation = worked_example(|_| ());
    let book = &expectation.trial_balance;
    let held: BTreeMap<&str, i128> =
        book.iter().filter(|(_, sum)| **sum != 0).map(|(name, sum)| (name.as_str(), *sum)).collect();
    let published = [("A:Custody", 99_958_000), ("L:Escrow", -99_949_000), ("L:Platform:Accrued", -9_000)];
    assert_eq!(held, BTreeMap::from(published));
    assert_eq!(expectation.balances, BTreeMap::from([("u".to_owned(), 0)]));
}

#[test]
fn published_fee_cases_come_out_as_published() {
    let vectors: Value = parsed(VECTORS);
    let cases = vectors["cases"].as_array().unwrap();
    for case in cases {
        let (config, fees) = (&case["config"], &case["expected"]["fees"]);
        let mut enabled = config.clone();
        // FORMATS 4.2: the rule itself does not look at it.
        enabled["enabled"] = true.into();
        let amount = case["payment_amount_sats"].as_u64().map(i128::from);
        let split = compute(&enabled, amount, case["is_agent"] == true).and_then(Result::ok);
        let names = ["gross_fee_sats", "platform_fee_sats", "user_earned_sats", "site_rebate_sats"];
        let expected = fees.is_object().then(|| names.map(|name| i128::from(fees[name].as_u64().unwrap())));
        assert_eq!(split, expected, "{case}");
    }
    assert_eq!(cases.len(), 26);
}

#[test]
fn a_share_of_an_unknown_amount_has_no_price() {
    let price =
        json!({"enabled": true, "site_pays": {"kind": "percent_of_amount", "pct": 0.005}, "user_share_pct": 0.75});
    assert_eq!(compute(&price, None, false), None);
    // FORMATS 4.5: the demo of 410,000.
    assert_eq!(compute(&price, Some(410_000), false), Some(Ok([2_050, 410, 1_538, 102])));
}

#[test]
fn an_agent_who_is_refused_is_charged_nothing() {
    let pays = json!({"kind": "fixed_sats", "sats": 100});
    let price = json!({"enabled": true, "site_pays": pays, "user_share_pct": 0.65, "agent": {"refuse": true}});
    assert_eq!(compute(&price, None, true), Some(Err(())));
    assert_eq!(compute(&price, None, false), Some(Ok([100, 20, 65, 15])));
}

#[test]
fn accounts_have_the_classes_of_the_trial_balance() {
    let named = [
        ("A:Custody:oc-me-v1", "A:Custody"),
        ("L:User:did:oc:12:Maturing:w_1", "L:User:Maturing"),
        ("L:User:did:oc:12:Available", "L:User:Available"),
        ("L:Platform:Settled", "L:Platform:Settled"),
        ("L:Suspense:INV_OVERPAID", "L:Suspense"),
    ];
    assert!(named.into_iter().all(|(account, of)| class(account) == of));
}

#[test]
fn a_user_is_overpaid_by_one_satoshi_and_not_by_none() {
    let more = worked_example(|scene| {
        let mut one = scene.settlement("distribution.settled", "out", 1);
        (one["user_address"], one["settled_at"]) = ("u".into(), 1_785_000_400.into());
        scene.settle(&one);
    });
    assert!(codes(&more).contains(&Code::UserOverpaid));
    assert!(!codes(&worked_example(|_| ())).contains(&Code::UserOverpaid));
}

#[test]
fn escrow_that_is_a_satoshi_short_is_unfunded() {
    let short = |sats: i64| {
        let expectation = worked_example(|scene| {
            let line: Value = parsed(&scene.world.settlements[0]);
            let mut event = line["event"].clone();
            event["amount_sats"] = sats.into();
            scene.world.settlements[0] = scene.settlement_line(&event, "settlement");
        });
        codes(&expectation).contains(&Code::EscUnfunded)
    };
    assert!(short(59));
    assert!(!short(60));
}

#[test]
fn the_oracle_stays_small() {
    let files = [
        include_str!("answer.rs"),
        include_str!("custody.rs"),
        include_str!("mod.rs"),
        include_str!("people.rs"),
        include_str!("rails.rs"),
        include_str!("read.rs"),
        include_str!("rules.rs"),
        include_str!("treasury.rs"),
    ];
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
    let lines = files.iter().flat_map(|text| text.lines()).filter(is_code).count();
    assert!(lines <= 1_700, "{lines} lines");
}
