//! Goal: every code of the envelope ledger has one case that produces it and one near miss that must not.
//! Method: a table over hand-made verified sets; sums and vesting are checked against FORMATS 3 and 10.

use crate::domain::{Code, CompromisedKey, SettlementKind, UnixMicros, sha256};
use crate::evidence::{ActivityAttestation, SitePays};
use crate::ledger::testkit::{
    Case, World, assert_table, class_a, digest, evidence, has, id, in_window, manifest, micros, price, sats, time,
};
use crate::verify::{HeaderTrust, Verified};

use super::roots::root_rule;
use super::{Exclusion, Standing};

fn codes(world: &World) -> Vec<Code> {
    world.ledgers().findings.iter().map(|finding| finding.code).collect()
}

fn leak(world: &mut World) {
    world.policy.compromised.push(CompromisedKey { kid: "env-1".into(), at: time("2026-05-20T00:00:00Z") });
}

/// A user's activity that agrees with one plain event.
fn activity() -> ActivityAttestation {
    ActivityAttestation {
        user: "bc1quser".into(),
        event_count: 1,
        human_event_count: 1,
        lifetime: sats(65),
        distinct_integrator_count: 1,
        oldest_event_at: Some(micros("2026-05-04T12:00:00Z")),
        active_days: 1,
        computed_at: micros("2026-05-05T00:00:00Z"),
        expires_at: micros("2026-06-05T00:00:00Z"),
    }
}

fn many_class_a(world: &mut World, count: u64, seconds_apart: i64) {
    for n in 0..count {
        world.event(&format!("a{n}"), |event| {
            class_a(event);
            let step = i64::try_from(n).unwrap() * seconds_apart * 1_000_000;
            event.occurred_at = UnixMicros(event.occurred_at.0 + step);
        });
    }
}

const STANDING: &[Case<World>] = &[
    (
        Code::EnvTime,
        |w| w.event("e", |e| e.occurred_at = micros("2026-06-30T00:00:00.000001Z")),
        |w| w.event("e", |e| e.occurred_at = micros("2026-06-30T00:00:00Z")),
    ),
    (
        Code::KeyCompromised,
        |w| {
            leak(w);
            w.event("e", |_| ());
            w.anchor(digest("e"), 900, "2026-05-20T00:00:00Z");
        },
        |w| {
            leak(w);
            w.event("e", |_| ());
            w.anchor(digest("e"), 900, "2026-05-19T23:59:59Z");
        },
    ),
    (
        // An isolated header proves nothing about time to whoever holds the key.
        Code::KeyCompromised,
        |w| {
            leak(w);
            w.event("e", |_| ());
            w.anchor(digest("e"), 900, "2026-05-19T00:00:00Z");
            w.set.anchors.get_mut(&digest("e")).unwrap().confirmed[0].trust = HeaderTrust::Isolated;
        },
        |w| w.event("e", |_| ()),
    ),
    (
        // A settlement that names a distribution speaks for it; nothing speaks for an event.
        Code::KeyCompromised,
        |w| {
            leak(w);
            w.event("batch", |_| ());
            w.payout("p", "2026-05-12T00:00:00Z", 65);
        },
        |w| {
            leak(w);
            w.distribution("batch", &[("bc1quser", 65)], None);
            w.payout("p", "2026-05-12T00:00:00Z", 65);
        },
    ),
    (
        // Of two settlements under one operation only the first is posted, and only it speaks.
        Code::KeyCompromised,
        |w| {
            leak(w);
            w.distribution("batch", &[("bc1quser", 65)], None);
            w.payout("p", "2026-05-12T00:00:00Z", 65);
            same_operation_before(w);
        },
        |w| {
            leak(w);
            w.distribution("batch", &[("bc1quser", 65)], None);
            w.payout("p", "2026-05-12T00:00:00Z", 65);
            w.payout("other operation", "2026-05-11T00:00:00Z", 65);
        },
    ),
    (
        // A settlement after the as-of says nothing yet.
        Code::KeyCompromised,
        |w| {
            leak(w);
            w.distribution("batch", &[("bc1quser", 65)], None);
            w.payout("p", "2026-06-30T00:00:01Z", 65);
        },
        |w| {
            leak(w);
            w.distribution("batch", &[("bc1quser", 65)], None);
            w.payout("p", "2026-06-30T00:00:00Z", 65);
        },
    ),
    (
        // A drop manifest is named as a distribution is; a binding is not.
        Code::KeyCompromised,
        |w| {
            leak(w);
            w.drop_manifest("binding", manifest("w", &[], 0, 0));
            named_binding(w, "binding");
        },
        |w| {
            leak(w);
            w.drop_manifest("batch", manifest("w", &[], 0, 0));
            w.payout("p", "2026-05-12T00:00:00Z", 65);
        },
    ),
    (
        // A lower block that proves nothing does not hide a higher one that does; and the higher one's time counts.
        Code::KeyCompromised,
        |w| {
            leak(w);
            isolated_below(w, "2026-05-20T00:00:00Z");
        },
        |w| {
            leak(w);
            isolated_below(w, "2026-05-19T23:59:59Z");
        },
    ),
];

/// An event on an isolated header, and on a block of the chain above it at that time.
fn isolated_below(world: &mut World, at: &str) {
    world.event("e", |_| ());
    world.anchor(digest("e"), 900, "2026-05-18T00:00:00Z");
    world.set.anchors.get_mut(&digest("e")).unwrap().confirmed[0].trust = HeaderTrust::Isolated;
    world.anchor(digest("e"), 901, at);
}

/// A payout under the operation of `p` that came first and names another batch.
fn same_operation_before(world: &mut World) {
    world.payout("first", "2026-05-11T00:00:00Z", 65);
    let mut first = world.set.settlements.get(&digest("first")).unwrap().into_fact();
    first.event.operation = digest("p").to_hex().into();
    first.event.distribution = Some(id("another batch").to_string());
    world.set.settlements.insert(digest("first"), Verified::assumed(first, evidence("first")));
}

/// A payout that names the envelope as its payout binding.
fn named_binding(world: &mut World, name: &str) {
    world.settlement("payout", SettlementKind::DistributionSettled, |event| {
        event.payout_binding = Some(id(name).to_string());
        event.user = Some("bc1quser".into());
    });
}

const FEES: &[Case<World>] = &[
    (
        // event-verify.json, "every diverging field".
        Code::FeeSplit,
        |w| {
            w.event("e", |e| {
                (e.gross, e.platform, e.user_earned, e.rebate) = (sats(99), sats(19), sats(64), sats(16));
            });
        },
        |w| w.event("e", |_| ()),
    ),
    (
        // The rule of the /how page, (gross - platform) x share: 60 x 0.65 is 39 of gross, 31 of the remainder.
        Code::FeeSplit,
        |w| w.event("e", |e| (e.user_earned, e.rebate) = (sats(52), sats(28))),
        |w| w.event("e", |_| ()),
    ),
    (
        // The parts hold under the invariants alone, and the config of that time disagrees.
        Code::FeeSplit,
        |w| w.event("e", |e| (e.user_earned, e.rebate) = (sats(60), sats(20))),
        |w| {
            w.event("e", |e| {
                (e.user_earned, e.rebate) = (sats(60), sats(20));
                e.project = Some("pk_other".into());
            });
        },
    ),
    (Code::FeeSplit, |w| w.event("e", |e| e.class = crate::evidence::EventClass::A), |w| w.event("e", |_| ())),
    (
        // A price change does not make history look divergent.
        Code::FeeSplit,
        |w| {
            w.event("e", |e| e.occurred_at = micros("2026-05-06T00:00:00Z"));
            newer_price(w);
        },
        |w| {
            w.event("e", |_| ());
            newer_price(w);
        },
    ),
    (
        Code::FeeUnreplayable,
        |w| w.event("e", |e| e.occurred_at = micros("2026-05-03T23:59:59.999999Z")),
        |w| w.event("e", |e| e.occurred_at = micros("2026-05-04T00:00:00Z")),
    ),
    (
        Code::FeeUnreplayable,
        |w| w.event("e", |e| (e.project, e.site) = (None, "elsewhere.example".into())),
        |w| w.event("e", |e| (e.project, e.site) = (None, "TEST.co.".into())),
    ),
    (
        Code::FeeUnreplayable,
        |w| {
            w.set.configs[0]
                .1
                .events
                .insert("session_creation".to_owned(), price(SitePays::PercentOfAmount(0.01), 0.65));
            w.event("e", |_| ());
        },
        |w| {
            w.set.configs[0]
                .1
                .events
                .insert("session_creation".to_owned(), price(SitePays::PercentOfAmount(0.01), 0.65));
            w.event("e", |e| e.payment_amount = Some(sats(10_000)));
        },
    ),
];

fn newer_price(world: &mut World) {
    let mut config = crate::ledger::testkit::plain_config();
    config.updated_at = Some(micros("2026-05-05T00:00:00Z"));
    config.events.insert("session_creation".to_owned(), price(SitePays::FixedSats(200.0), 0.65));
    world.set.configs.push((evidence("newer config"), config));
}

fn keyed(world: &mut World, name: &str, key: &str, at: &str) {
    world.event(name, |event| {
        event.idempotency_key = Some(key.to_owned());
        event.occurred_at = micros(at);
    });
}

const IDENTITY: &[Case<World>] = &[
    (
        Code::EnvDoubleBilling,
        |w| {
            keyed(w, "e1", "k", "2026-05-05T00:00:00Z");
            keyed(w, "e2", "k", "2026-05-05T00:00:01Z");
        },
        |w| {
            keyed(w, "e1", "k", "2026-05-05T00:00:00Z");
            keyed(w, "e2", "k2", "2026-05-05T00:00:01Z");
        },
    ),
    (
        Code::EnvEquivocation,
        |w| {
            keyed(w, "e1", "k", "2026-05-05T00:00:00Z");
            w.event("e2", |e| (e.idempotency_key, e.user) = (Some("k".to_owned()), "bc1qother".into()));
        },
        |w| {
            keyed(w, "e1", "k", "2026-05-05T00:00:00Z");
            keyed(w, "e2", "k", "2026-05-05T00:00:01Z");
        },
    ),
    (
        Code::EnvEquivocation,
        |w| {
            w.drop_manifest("m1", manifest("w_1", &[], 0, 0));
            w.drop_manifest("m2", manifest("w_1", &[], 0, 0));
        },
        |w| {
            w.drop_manifest("m1", manifest("w_1", &[], 0, 0));
            w.drop_manifest("m2", manifest("w_2", &[], 0, 0));
        },
    ),
];

const DROPS: &[Case<World>] = &[
    (
        Code::DropTotals,
        |w| {
            w.event("e", |e| in_window(e, "w_1", None));
            w.drop_manifest("m", manifest("w_1", &["e", "lost"], 200, 130));
        },
        |w| {
            w.event("e", |e| in_window(e, "w_1", None));
            w.drop_manifest("m", manifest("w_1", &["e"], 100, 65));
        },
    ),
    (
        // Counts agree and one member is another one.
        Code::DropTotals,
        |w| {
            w.event("e", |e| in_window(e, "w_1", None));
            w.drop_manifest("m", manifest("w_1", &["lost"], 100, 65));
        },
        |w| {
            w.event("e", |e| in_window(e, "w_1", None));
            w.drop_manifest("m", manifest("w_1", &["e"], 100, 65));
        },
    ),
    (
        Code::DropRoot,
        |w| {
            w.event("e", |e| in_window(e, "w_1", None));
            let mut sealed = manifest("w_1", &["e"], 100, 65);
            sealed.events_root = Some(digest("some other rule"));
            w.drop_manifest("m", sealed);
        },
        |w| {
            w.event("e", |e| in_window(e, "w_1", None));
            let mut sealed = manifest("w_1", &["e"], 100, 65);
            sealed.events_root = Some(id("e").0);
            w.drop_manifest("m", sealed);
        },
    ),
    (
        // 92 days and the 24 h valve after 2026-01-01 end on 2026-04-04.
        Code::DropWindow,
        |w| sealed_window(w, "2026-01-01T00:00:00Z", "2026-04-04T00:00:01Z"),
        |w| sealed_window(w, "2026-01-01T00:00:00Z", "2026-04-04T00:00:00Z"),
    ),
    (
        Code::DropWindow,
        |w| {
            w.event("e1", |e| in_window(e, "w_1", Some(100)));
            w.event("e2", |e| {
                in_window(e, "w_1", Some(101));
                e.occurred_at = micros("2026-05-05T00:00:00Z");
            });
        },
        |w| {
            w.event("e1", |e| in_window(e, "w_1", Some(101)));
            w.event("e2", |e| {
                in_window(e, "w_1", Some(100));
                e.occurred_at = micros("2026-05-05T00:00:00Z");
            });
        },
    ),
    (
        // A block at the target is known for 2026-05-08; valve and block-time slack end 26 h later.
        Code::DropWindow,
        |w| sealed_after_block(w, "2026-05-09T02:00:01Z", None),
        |w| sealed_after_block(w, "2026-05-09T02:00:00Z", None),
    ),
    (
        Code::DropWindow,
        |w| sealed_after_block(w, "2026-05-08T00:00:00Z", Some(100 + 217)),
        |w| sealed_after_block(w, "2026-05-08T00:00:00Z", Some(100 + 216)),
    ),
];

fn sealed_window(world: &mut World, first: &str, sealed: &str) {
    world.event("e", |event| {
        in_window(event, "w_1", None);
        event.occurred_at = micros(first);
    });
    let mut manifest = manifest("w_1", &["e"], 100, 65);
    manifest.sealed_at = micros(sealed);
    world.drop_manifest("m", manifest);
}

fn sealed_after_block(world: &mut World, sealed: &str, height: Option<u32>) {
    world.event("e", |event| in_window(event, "w_1", Some(100)));
    world.anchor(digest("another envelope"), 100, "2026-05-08T00:00:00Z");
    let mut manifest = manifest("w_1", &["e"], 100, 65);
    manifest.sealed_at = micros(sealed);
    manifest.sealed_height = height.map(crate::domain::BlockHeight);
    world.drop_manifest("m", manifest);
}

const ACTIVITY_AND_CAPS: &[Case<World>] = &[
    (
        Code::ActivityMismatch,
        |w| {
            w.event("e", |_| ());
            w.activity("act", ActivityAttestation { lifetime: sats(66), ..activity() });
        },
        |w| {
            w.event("e", |_| ());
            // Later than the attestation's time: not its subject.
            w.event("e2", |e| e.occurred_at = micros("2026-05-05T00:00:00.000001Z"));
            w.activity("act", activity());
        },
    ),
    (
        // An event of the very instant belongs to the statement.
        Code::ActivityMismatch,
        |w| {
            w.event("e", |_| ());
            w.event("e2", |e| e.occurred_at = micros("2026-05-05T00:00:00Z"));
            w.activity("act", activity());
        },
        |w| {
            w.event("e", |_| ());
            w.activity("act", activity());
        },
    ),
    (Code::CapClassADay, |w| many_class_a(w, 6, 60), |w| many_class_a(w, 5, 60)),
    (
        // The sixth falls on the next UTC day.
        Code::CapClassADay,
        |w| many_class_a(w, 6, 8639),
        |w| many_class_a(w, 6, 8640),
    ),
    (Code::CapClassAMonth, |w| many_class_a(w, 31, 20 * 3600), |w| many_class_a(w, 30, 20 * 3600)),
    (Code::CapSiteShare, |w| two_sites(w, 61, 39), |w| two_sites(w, 60, 40)),
    (
        // With one site only there is no share to speak of.
        Code::CapSiteShare,
        |w| two_sites(w, 61, 39),
        |w| w.event("e", |_| ()),
    ),
    (
        Code::CapReview,
        |w| {
            w.event("e", |e| {
                class_a(e);
                e.user_earned = sats(52_600);
            });
        },
        |w| {
            w.event("e", |e| {
                class_a(e);
                e.user_earned = sats(52_599);
            });
        },
    ),
];

fn two_sites(world: &mut World, first: u64, second: u64) {
    for (name, earned) in [("one.example", first), ("two.example", second)] {
        world.event(name, |event| {
            event.site = name.into();
            event.user_earned = sats(earned);
        });
    }
}

#[test]
fn every_standing_code_has_a_case_and_a_near_miss() {
    assert_table(&World::new(), STANDING, codes);
}

#[test]
fn every_fee_code_has_a_case_and_a_near_miss() {
    assert_table(&World::new(), FEES, codes);
}

#[test]
fn every_identity_code_has_a_case_and_a_near_miss() {
    assert_table(&World::new(), IDENTITY, codes);
}

#[test]
fn every_drop_code_has_a_case_and_a_near_miss() {
    assert_table(&World::new(), DROPS, codes);
}

#[test]
fn every_activity_and_cap_code_has_a_case_and_a_near_miss() {
    assert_table(&World::new(), ACTIVITY_AND_CAPS, codes);
}

#[test]
fn both_totals_are_shown_when_a_key_leaked() {
    let mut world = World::new();
    leak(&mut world);
    world.event("old", |_| ());
    world.anchor(digest("old"), 900, "2026-05-05T00:00:00Z");
    world.event("new", |event| event.occurred_at = micros("2026-05-06T00:00:00Z"));
    let ledgers = world.ledgers();
    assert_eq!(ledgers.envelope.entry(&id("new")).unwrap().standing, Standing::Excluded(Exclusion::KeyCompromised));
    let totals = &ledgers.views()[0].totals;
    assert_eq!((totals["gross_sats"], totals["key_compromised_gross_sats"]), (100, 100));
}

#[test]
fn double_billing_nets_nothing() {
    let mut world = World::new();
    keyed(&mut world, "e1", "k", "2026-05-05T00:00:00Z");
    keyed(&mut world, "e2", "k", "2026-05-05T00:00:01Z");
    assert_eq!(world.ledgers().views()[0].totals["gross_sats"], 200);
}

#[test]
fn a_share_vests_at_its_height_by_its_seal_or_by_the_valve() {
    let vested = |change: fn(&mut World)| {
        let mut world = World::new();
        world.event("e", |event| in_window(event, "w_1", Some(100)));
        change(&mut world);
        world.ledgers().envelope.windows[&"w_1".into()].vested_at
    };
    assert_eq!(vested(|_| ()), None);
    assert_eq!(vested(|world| world.tip(99, "2026-06-01T00:00:00Z")), None);
    assert_eq!(vested(|world| world.tip(100, "2026-06-01T00:00:00Z")), Some(time("2026-06-01T00:00:00Z")));
    assert_eq!(
        vested(|world| world.drop_manifest("m", manifest("w_1", &["e"], 100, 65))),
        Some(time("2026-05-10T00:00:00Z"))
    );
    // 93 days after 2026-05-04T12:00:00Z.
    assert_eq!(vested(|world| world.as_of.time = time("2026-08-05T12:00:00Z")), Some(time("2026-08-05T12:00:00Z")));
}

#[test]
fn each_candidate_root_rule_is_named() {
    let ids = [id("a"), id("b"), id("c")];
    let node =
        |a: crate::domain::Digest32, b: crate::domain::Digest32| sha256(&[*a.as_bytes(), *b.as_bytes()].concat());
    let left = node(ids[0].0, ids[1].0);
    let doubled = node(left, node(ids[2].0, ids[2].0));
    assert_eq!(root_rule(doubled, &ids, &[]), Some("listed/duplicate-odd"));
    assert_eq!(root_rule(node(left, ids[2].0), &ids, &[]), Some("listed/promote-odd"));
    // RFC 6962, 2.1 by hand: leaves are marked 00, nodes 01, the odd one goes up.
    let leaf = |id: crate::domain::EnvelopeId| sha256(&[&[0], id.as_bytes().as_slice()].concat());
    let marked = |a: crate::domain::Digest32, b: crate::domain::Digest32| {
        sha256(&[&[1], a.as_bytes().as_slice(), b.as_bytes()].concat())
    };
    let by_rfc = marked(marked(leaf(ids[0]), leaf(ids[1])), leaf(ids[2]));
    assert_eq!(root_rule(by_rfc, &ids, &[]), Some("listed/rfc6962"));
    let mut sorted = ids;
    sorted.sort();
    let by_id = node(node(sorted[0].0, sorted[1].0), sorted[2].0);
    assert_eq!(root_rule(by_id, &[], &ids), Some("sorted/promote-odd"));
    assert_ne!(sorted, ids, "the two orders are two");
    let doubled_by_id = node(node(sorted[0].0, sorted[1].0), node(sorted[2].0, sorted[2].0));
    assert_eq!(root_rule(doubled_by_id, &[], &ids), Some("sorted/duplicate-odd"));
    assert_eq!(root_rule(doubled_by_id, &ids, &[]), Some("sorted/duplicate-odd"), "a list may be in another order");
    let rfc = crate::domain::merkle_root(sorted.iter().map(crate::domain::EnvelopeId::as_bytes));
    assert_eq!(root_rule(rfc, &[], &ids), Some("sorted/rfc6962"));
    assert_eq!(root_rule(digest("none of them"), &ids, &ids), None);
    assert_eq!(root_rule(digest("none of them"), &[], &[]), None);
}

#[test]
fn an_excluded_envelope_bills_nobody_twice() {
    let mut world = World::new();
    keyed(&mut world, "e1", "k", "2026-05-05T00:00:00Z");
    keyed(&mut world, "e2", "k", "2026-07-05T00:00:00Z");
    world.settlement("d", SettlementKind::EscrowDeposit, |_| ());
    assert!(!has(&world.ledgers().findings, Code::EnvDoubleBilling));
}

#[test]
fn a_user_share_above_four_fifths_is_named_and_four_fifths_are_not() {
    let broken = |platform: u64, user: u64| {
        let mut event = crate::ledger::testkit::plain_event();
        event.gross = sats(100);
        (event.platform, event.user_earned, event.rebate) = (sats(platform), sats(user), sats(0));
        crate::ledger::fees::broken_invariants(&event)
    };
    assert_eq!(broken(20, 80), Vec::<&str>::new());
    assert_eq!(broken(19, 81), ["platform_fee_sats", "user_above_80_percent"]);
}
