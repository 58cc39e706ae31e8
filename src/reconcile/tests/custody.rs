//! Goal: custody as somebody saw it is held against the ledger's of that second, to the millisatoshi, either way.
//! Method: observations and audits by hand; 100,000 satoshi came in on 2026-05-01 and 39 went out on 2026-05-12T00:00:00Z.

use super::legs::{accepted, sent};
use super::*;
use crate::domain::{Msat, ObservedCustody};

pub(super) fn observe(scene: &mut Scene, at: &str, msat: u64) {
    let seen = ObservedCustody { at: time(at), msat: Msat::new(msat).unwrap() };
    scene.world.policy.observed.entry("oc-me-v1".into()).or_default().push(seen);
}

/// The payout is done, and its claim is accepted a day later.
fn in_flight(scene: &mut Scene) {
    sent(scene, "payout", "payout", 39_000, 0);
    let claim = accepted(scene, "payout");
    scene.world.set.payment_log.get_mut(&claim).unwrap().at = crate::ledger::testkit::micros("2026-05-13T00:00:00Z");
}

pub(super) fn audited(scene: &mut Scene, net_assets: i64, modules: &[(&str, i64)]) {
    let modules = modules.iter().map(|(kind, net)| ((*kind).to_owned(), *net)).collect();
    let said = crate::domain::FederationAudit { at: time("2026-06-30T00:00:00Z"), net_assets, modules };
    scene.world.policy.audits.entry("oc-me-v1".into()).or_default().push(said);
}

const CUSTODY: &[Case<Scene>] = &[
    (
        Code::CustodyDrift,
        |s| observe(s, "2026-06-30T00:00:00Z", 99_960_999),
        |s| observe(s, "2026-06-30T00:00:00Z", 99_961_000),
    ),
    (
        Code::CustodyDrift,
        |s| observe(s, "2026-06-30T00:00:00Z", 99_961_001),
        |s| observe(s, "2026-06-30T00:00:00Z", 99_961_000),
    ),
    (
        // The second of the payout counts, the one before does not.
        Code::CustodyDrift,
        |s| observe(s, "2026-05-11T23:59:59Z", 99_961_000),
        |s| observe(s, "2026-05-12T00:00:00Z", 99_961_000),
    ),
    (
        Code::CustodyDrift,
        |s| observe(s, "2026-05-12T00:00:00Z", 100_000_000),
        |s| observe(s, "2026-05-11T23:59:59Z", 100_000_000),
    ),
    (
        // Not judged before its time has come.
        Code::CustodyDrift,
        |s| observe(s, "2026-06-30T00:00:00Z", 1),
        |s| observe(s, "2026-06-30T00:00:01Z", 1),
    ),
    (
        // A federation without a settlement holds nothing.
        Code::CustodyDrift,
        |s| {
            observe(s, "2026-06-30T00:00:00Z", 1);
            let seen = s.world.policy.observed.remove(&"oc-me-v1".into()).unwrap();
            s.world.policy.observed.insert("empty".into(), seen);
        },
        |s| {
            observe(s, "2026-06-30T00:00:00Z", 0);
            let seen = s.world.policy.observed.remove(&"oc-me-v1".into()).unwrap();
            s.world.policy.observed.insert("empty".into(), seen);
        },
    ),
    (
        // Money in flight is still there: the whole payout, until its claim is accepted.
        Code::CustodyDrift,
        |s| {
            in_flight(s);
            observe(s, "2026-05-12T00:00:00Z", 99_961_000);
        },
        |s| {
            in_flight(s);
            observe(s, "2026-05-12T00:00:00Z", 100_000_000);
        },
    ),
    // What guardians say.
    (Code::CustodyDrift, |s| audited(s, -1, &[]), |s| audited(s, 0, &[])),
    (
        Code::CustodyDrift,
        |s| audited(s, 0, &[("mint", -99_960_999), ("wallet", 99_960_999)]),
        |s| audited(s, 0, &[("mint", -99_960_999), ("ln", -1), ("wallet", 99_961_000)]),
    ),
    (
        Code::CustodyDrift,
        |s| {
            audited(s, 0, &[]);
            audited(s, 1, &[]);
        },
        |s| {
            audited(s, 0, &[]);
            audited(s, 0, &[]);
        },
    ),
    (Code::Unverifiable, |s| observe(s, "2026-06-30T00:00:01Z", 1), |s| observe(s, "2026-06-30T00:00:00Z", 99_961_000)),
];

#[test]
fn every_drift_of_custody_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), CUSTODY, open);
}
