//! Goal: a payment that is done is open until its claim is accepted, and nobody else's is.
//! Method: log entries by hand around the honest payout of 39 satoshi.

use super::legs::{accepted, charged, entry, operation, sent};
use super::*;
use crate::domain::Severity;

const CLAIMS: &[Case<Scene>] = &[
    (
        Code::GwOpen,
        |s| {
            sent(s, "payout", "payout", 39_000, 0);
            accepted(s, "another");
        },
        |s| charged(s, 0),
    ),
    (
        // Rejected or only created is not accepted.
        Code::GwOpen,
        |s| {
            sent(s, "payout", "payout", 39_000, 0);
            for kind in ["tx-created", "tx-rejected"] {
                entry(s, "", kind, |entry| entry.operation = Some(operation("payout")));
            }
        },
        |s| {
            charged(s, 0);
            entry(s, "", "tx-rejected", |entry| entry.operation = Some(operation("payout")));
        },
    ),
    (
        // A stranger's open claim is none of ours.
        Code::GwOpen,
        |s| {
            charged(s, 0);
            sent(s, "deposit", "another", 39_000, 0);
        },
        |s| {
            charged(s, 0);
            sent(s, "a stranger", "another", 39_000, 0);
        },
    ),
    (
        // What has not ended or has failed is not done.
        Code::GwOpen,
        |s| {
            sent(s, "payout", "payout", 39_000, 0);
            accepted(s, "another");
        },
        |s| {
            sent(s, "payout", "payout", 39_000, 0);
            accepted(s, "another");
            s.world.set.payment_log.each_mut(|entry| {
                if &*entry.kind == "outgoing-payment-succeeded" {
                    entry.kind = "outgoing-payment-failed".into();
                }
            });
        },
    ),
    (
        // A preimage in the client's own log: done too.
        Code::GwOpen,
        |s| client_sent(s, Some([0x42; 32])),
        |s| client_sent(s, None),
    ),
];

pub(super) fn client_sent(scene: &mut Scene, preimage: Option<[u8; 32]>) {
    entry(scene, "lnv2", "payment-send-update", |entry| {
        (entry.operation, entry.preimage) = (Some(operation("payout")), preimage);
    });
    accepted(scene, "another");
}

#[test]
fn every_open_claim_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), CLAIMS, open);
}

#[test]
fn an_open_claim_is_a_warning_for_a_day_and_then_an_error() {
    let severity = |as_of: &str| {
        let mut scene = Scene::honest();
        sent(&mut scene, "payout", "payout", 39_000, 0);
        accepted(&mut scene, "another");
        scene.world.set.payment_log.each_mut(|entry| entry.at = micros("2026-05-12T00:00:00Z"));
        scene.world.as_of.time = time(as_of);
        one(&scene.run(), Code::GwOpen).severity
    };
    assert_eq!(severity("2026-05-13T00:00:00Z"), Severity::Warn);
    assert_eq!(severity("2026-05-13T00:00:01Z"), Severity::Error);
}

#[test]
fn a_log_without_federation_transactions_leaves_the_claims_open_to_nobody() {
    let mut scene = Scene::honest();
    sent(&mut scene, "payout", "payout", 39_000, 0);
    let result = scene.run();
    assert!(!result.divergences.iter().any(|divergence| divergence.code == Code::GwOpen));
    let owed = result.unverifiable.iter().find(|item| item.check == "settlement.claim" && item.declared).unwrap();
    assert_eq!(owed.items, 1);
    // Another federation's log tells nothing about this one's.
    entry(&mut scene, "", "tx-accepted", |entry| entry.federation_id = "another".into());
    assert!(!open(&scene).contains(&Code::GwOpen));
    accepted(&mut scene, "another");
    assert!(open(&scene).contains(&Code::GwOpen));
}
