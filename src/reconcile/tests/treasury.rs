//! Goal: matching, routing fees, open claims and observed custody are found at their exact limits and not one unit before.
//! Method: log entries and records by hand around the honest payout of 39 and deposit of 100,000 satoshi.

use super::*;
use crate::domain::{Digest32, Msat, ObservedCustody, OperationId, Severity, sha256};

/// One entry; `n` tells it from others.
fn entry(scene: &mut Scene, module: &str, kind: &str, change: impl FnOnce(&mut PaymentLogEntry)) -> EvidenceId {
    scene.declared.payment_log = true;
    let (_, mut entry) = logged("nothing", kind);
    (entry.module, entry.payment_hash, entry.amount_msat) = (module.to_owned(), None, None);
    entry.id = scene.world.set.payment_log.len() as u64;
    change(&mut entry);
    let id = evidence(&format!("{module} {kind} {}", entry.id));
    scene.world.set.payment_log.push((id, entry));
    id
}

fn operation(name: &str) -> OperationId {
    digest(name).to_hex().into()
}

fn hex(name: &str) -> String {
    hash(name).to_string()
}

/// Started and succeeded as `ln` logs it: the operation stands in one entry, the hash in the other, the contract in both.
fn sent(scene: &mut Scene, of_operation: &str, of_hash: &str, amount_msat: u64, fee_msat: u64) {
    let contract = Some(digest(&format!("contract of {of_operation} and {of_hash}")));
    entry(scene, "ln", "outgoing-payment-started", |entry| {
        (entry.operation, entry.contract, entry.amount_msat) =
            (Some(operation(of_operation)), contract, Some(amount_msat));
    });
    entry(scene, "ln", "outgoing-payment-succeeded", |entry| {
        entry.payment_hash = Some(hash(of_hash));
        (entry.contract, entry.contract_msat) = (contract, Some(amount_msat + fee_msat));
    });
}

/// The claim of that operation.
fn accepted(scene: &mut Scene, of_operation: &str) {
    entry(scene, "", "tx-accepted", |entry| entry.operation = Some(operation(of_operation)));
}

fn payout_fee(scene: &mut Scene, fee: u64) {
    scene.change_settlement("payout", |x| x.event.fee = Some(sats(fee)));
}

/// The payout through `ln`, charged that much, claimed.
fn charged(scene: &mut Scene, fee_msat: u64) {
    sent(scene, "payout", "payout", 39_000, fee_msat);
    accepted(scene, "payout");
}

/// What the node says about the payout.
fn routed(scene: &mut Scene, fee_msat: Option<u64>, state: InvoiceState) {
    scene.declared.invoices = true;
    let (id, mut record) = invoice("payout", 39_000, 39_000, state);
    record.fee_msat = fee_msat;
    scene.world.set.invoices.push((id, record));
    scene.world.set.invoices.push(invoice("deposit", 100_000_000, 100_000_000, InvoiceState::Settled));
}

const FEES: &[Case<Scene>] = &[
    // 100 sat and 1.5 % of 39 sat are 100,585 msat.
    (Code::FeeLimit, |s| payout_fee(s, 101), |s| payout_fee(s, 100)),
    // 1.5 % of 200 sat are 3 sat: equal to the limit is inside, one satoshi more is not.
    (
        Code::FeeLimit,
        |s| s.change_settlement("payout", |x| (x.event.amount, x.event.fee) = (sats(200), Some(sats(104)))),
        |s| s.change_settlement("payout", |x| (x.event.amount, x.event.fee) = (sats(200), Some(sats(103)))),
    ),
    (
        // 103 sat of 199 sat are 15 msat above.
        Code::FeeLimit,
        |s| s.change_settlement("payout", |x| (x.event.amount, x.event.fee) = (sats(199), Some(sats(103)))),
        |s| s.change_settlement("payout", |x| (x.event.amount, x.event.fee) = (sats(199), Some(sats(102)))),
    ),
    (
        // Miners are not bound by a Lightning client.
        Code::FeeLimit,
        |s| s.change_settlement("payout", |x| (x.event.fee, x.event.txid) = (Some(sats(500)), Some(hex("tx")))),
        |s| {
            s.change_settlement("payout", |x| {
                (x.event.fee, x.event.txid, x.event.payment_hash) = (Some(sats(500)), Some(hex("tx")), None);
            });
        },
    ),
    (
        // What came in has no fee of ours.
        Code::FeeLimit,
        |s| payout_fee(s, 1_601),
        |s| s.change_settlement("deposit", |x| x.event.fee = Some(sats(1_601))),
    ),
    (
        Code::FeeSettlement,
        |s| {
            payout_fee(s, 3);
            charged(s, 2_999);
        },
        |s| {
            payout_fee(s, 3);
            charged(s, 3_000);
        },
    ),
    (
        // Flooring: 3,999 millisatoshi are 3 satoshi, 4,000 are 4.
        Code::FeeSettlement,
        |s| {
            payout_fee(s, 3);
            charged(s, 4_000);
        },
        |s| {
            payout_fee(s, 3);
            charged(s, 3_999);
        },
    ),
    (
        // The route's cost is a basis as good as the gateway's charge.
        Code::FeeSettlement,
        |s| {
            payout_fee(s, 3);
            charged(s, 10_150);
            routed(s, Some(4_000), InvoiceState::Settled);
        },
        |s| {
            payout_fee(s, 3);
            charged(s, 10_150);
            routed(s, Some(3_100), InvoiceState::Settled);
        },
    ),
    (
        // A failed attempt cost nothing: its fee is no basis, so none is known.
        Code::FeeSettlement,
        |s| {
            payout_fee(s, 3);
            routed(s, Some(9_000), InvoiceState::Settled);
        },
        |s| {
            payout_fee(s, 3);
            routed(s, Some(9_000), InvoiceState::Cancelled);
        },
    ),
    (
        // A client's own log states the fee.
        Code::FeeSettlement,
        |s| {
            payout_fee(s, 3);
            entry(s, "lnv2", "payment-send", |e| (e.operation, e.fee_msat) = (Some(operation("payout")), Some(5_000)));
        },
        |s| {
            payout_fee(s, 3);
            entry(s, "lnv2", "payment-send", |e| e.operation = Some(operation("payout")));
        },
    ),
    (
        // A settlement that states no fee claims none.
        Code::FeeSettlement,
        |s| {
            payout_fee(s, 0);
            charged(s, 5_000);
        },
        |s| charged(s, 5_000),
    ),
    (
        // Another payment's fee is no basis.
        Code::FeeSettlement,
        |s| {
            payout_fee(s, 3);
            sent(s, "payout", "payout", 39_000, 5_000);
            sent(s, "a stranger", "a stranger", 39_000, 3_000);
        },
        |s| {
            payout_fee(s, 3);
            sent(s, "a stranger", "a stranger", 39_000, 5_000);
        },
    ),
];

const MATCHES: &[Case<Scene>] = &[
    (
        // The operation's own payment has another hash, and the settlement's hash is another payment.
        Code::MatchContradiction,
        |s| {
            sent(s, "payout", "another", 39_000, 0);
            sent(s, "a stranger", "payout", 39_000, 0);
        },
        |s| {
            sent(s, "payout", "payout", 39_000, 0);
            sent(s, "a stranger", "another", 39_000, 0);
        },
    ),
    (
        // One rule alone contradicts nothing.
        Code::MatchContradiction,
        |s| {
            sent(s, "payout", "another", 39_000, 0);
            entry(s, "ln", "outgoing-payment-succeeded", |e| e.payment_hash = Some(hash("payout")));
        },
        |s| sent(s, "payout", "another", 39_000, 0),
    ),
    (
        // The gateway numbers both; a client's own number is the other side of the same payment.
        Code::MatchContradiction,
        |s| {
            entry(s, "ln", "outgoing-payment-started", |e| e.operation = Some(operation("payout")));
            sent(s, "a stranger", "payout", 39_000, 0);
        },
        |s| {
            entry(s, "ln", "payment-send", |e| e.operation = Some(operation("payout")));
            sent(s, "the gateway's number", "payout", 39_000, 0);
        },
    ),
    (
        // A claim under the operation is no payment of its own.
        Code::MatchContradiction,
        |s| {
            sent(s, "deposit", "another", 39_000, 0);
            routed(s, None, InvoiceState::Settled);
        },
        |s| {
            accepted(s, "deposit");
            routed(s, None, InvoiceState::Settled);
        },
    ),
    (Code::MatchContradiction, |s| by_chain(s, "another tx"), |s| by_chain(s, "tx")),
    (Code::MatchAmbiguous, |s| twins(s, 2, |_, _| ()), |s| twins(s, 1, |_, _| ())),
    (
        // The window is an hour either way, to the microsecond.
        Code::MatchAmbiguous,
        |s| twins(s, 2, |at, e| e.at.0 += [3_600_000_000, -3_600_000_000][at]),
        |s| twins(s, 2, |at, e| e.at.0 += [3_600_000_001, -3_600_000_000][at]),
    ),
    (
        Code::MatchAmbiguous,
        |s| twins(s, 2, |_, _| ()),
        |s| twins(s, 2, |at, e| e.amount_msat = Some(7_000 + at as u64)),
    ),
    (
        // What went out is no candidate of what came in.
        Code::MatchAmbiguous,
        |s| twins(s, 2, |_, _| ()),
        |s| twins(s, 2, |at, e| e.kind = ["incoming-payment-succeeded", "outgoing-payment-succeeded"][at].to_owned()),
    ),
    (
        Code::MatchAmbiguous,
        |s| twins(s, 2, |_, _| ()),
        |s| twins(s, 2, |at, e| e.kind = ["incoming-payment-succeeded", "incoming-payment-failed"][at].to_owned()),
    ),
    (
        // A key of its own, and what no settlement needs.
        Code::MatchAmbiguous,
        |s| twins(s, 2, |_, _| ()),
        |s| {
            twins(s, 2, |_, _| ());
            s.change_settlement("keyless", |x| x.event.payment_hash = Some(hex("nothing that is logged")));
        },
    ),
    (
        Code::MatchAmbiguous,
        |s| twins(s, 2, |_, _| ()),
        |s| {
            twins(s, 2, |_, _| ());
            s.change_settlement("keyless", |x| x.event.txid = Some(hex("a transaction")));
        },
    ),
    (
        // A leg that another settlement joins by key is free no more.
        Code::MatchAmbiguous,
        |s| twins(s, 2, |_, _| ()),
        |s| {
            twins(s, 2, |_, _| ());
            s.change_settlement("deposit", |x| x.event.payment_hash = Some(hex("twin 1")));
        },
    ),
    (
        // One leg for two settlements is unique on one side only.
        Code::MatchAmbiguous,
        |s| {
            twins(s, 1, |_, _| ());
            keyless(s, "keyless too");
        },
        |s| {
            twins(s, 1, |_, _| ());
            keyless(s, "keyless too");
            s.change_settlement("keyless too", |x| x.event.amount = sats(8));
        },
    ),
    (
        // Paid records are legs too; one of another project is none of ours, an expired one no payment.
        Code::MatchAmbiguous,
        |s| recorded_twins(s, |_| ()),
        |s| recorded_twins(s, |record| record.project = Some("pk_other".into())),
    ),
    (
        Code::MatchAmbiguous,
        |s| recorded_twins(s, |record| record.project = Some("pk_test_co".into())),
        |s| recorded_twins(s, |record| (record.state, record.received_msat) = (InvoiceState::Expired, None)),
    ),
    (
        // What stays inside custody has no leg.
        Code::MatchAmbiguous,
        |s| rebated(s, Some("out")),
        |s| rebated(s, None),
    ),
];

/// A rebate without a key, and two payments that went out; without a destination it stays inside custody.
fn rebated(scene: &mut Scene, destination: Option<&str>) {
    twins(scene, 2, |_, entry| entry.kind = "outgoing-payment-succeeded".to_owned());
    scene.change_settlement("keyless", |x| {
        (x.event.kind, x.event.direction) = (SettlementKind::EscrowRebate, Direction::Out);
        x.event.destination = destination.map(str::to_owned);
    });
}

/// A payout by operation and by transaction; the wallet's own entry names that transaction.
fn by_chain(scene: &mut Scene, logged: &str) {
    scene.change_settlement("payout", |x| (x.event.txid, x.event.payment_hash) = (Some(hex("tx")), None));
    let txid = |name: &str| Some(hash(name).0);
    entry(scene, "wallet", "payment-send-status", |e| {
        (e.operation, e.txid) = (Some(operation("payout")), txid(logged));
    });
    entry(scene, "wallet", "withdraw-request", |e| e.txid = txid("tx"));
}

/// An adjustment of 7 satoshi that came in, without any key.
fn keyless(scene: &mut Scene, name: &str) {
    scene.world.settlement(name, SettlementKind::Adjustment, |event| {
        (event.direction, event.amount, event.payment_hash) = (Direction::In, sats(7), None);
        (event.settled_at, event.note) = (time("2026-05-12T00:00:00Z"), Some("ticket 12".to_owned()));
    });
}

/// A settlement without a key, and so many payments of its amount in its second.
fn twins(scene: &mut Scene, count: usize, change: fn(usize, &mut PaymentLogEntry)) {
    keyless(scene, "keyless");
    for at in 0..count {
        entry(scene, "ln", "incoming-payment-succeeded", |entry| {
            (entry.payment_hash, entry.amount_msat) = (Some(hash(&format!("twin {at}"))), Some(7_000));
            change(at, entry);
        });
    }
}

/// As [`twins`], one of them an invoice record.
fn recorded_twins(scene: &mut Scene, change: impl FnOnce(&mut InvoiceRecord)) {
    twins(scene, 1, |_, _| ());
    scene.declared.invoices = true;
    let (id, mut record) = invoice("recorded twin", 7_000, 7_000, InvoiceState::Settled);
    record.settled_at = Some(time("2026-05-12T00:59:59Z"));
    change(&mut record);
    scene.world.set.invoices.push((id, record));
}

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
            s.world.set.payment_log[1].1.kind = "outgoing-payment-failed".to_owned();
        },
    ),
    (
        // A preimage in the client's own log: done too.
        Code::GwOpen,
        |s| client_sent(s, Some([0x42; 32])),
        |s| client_sent(s, None),
    ),
];

fn client_sent(scene: &mut Scene, preimage: Option<[u8; 32]>) {
    entry(scene, "lnv2", "payment-send-update", |entry| {
        (entry.operation, entry.preimage) = (Some(operation("payout")), preimage);
    });
    accepted(scene, "another");
}

fn observe(scene: &mut Scene, at: &str, msat: u64) {
    let seen = ObservedCustody { at: time(at), msat: Msat::new(msat).unwrap() };
    scene.world.policy.observed.entry("oc-me-v1".into()).or_default().push(seen);
}

// Deposited 100,000 sat on 2026-05-01; 39 sat paid on 2026-05-12T00:00:00Z.
/// The payout is done, and its claim is accepted a day later.
fn in_flight(scene: &mut Scene) {
    sent(scene, "payout", "payout", 39_000, 0);
    accepted(scene, "payout");
    let claim = scene.world.set.payment_log.last_mut().unwrap();
    claim.1.at = crate::ledger::testkit::micros("2026-05-13T00:00:00Z");
}

fn audited(scene: &mut Scene, net_assets: i64, modules: &[(&str, i64)]) {
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
fn every_fee_code_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), FEES, open);
}

#[test]
fn every_match_code_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), MATCHES, open);
}

#[test]
fn every_open_claim_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), CLAIMS, open);
}

#[test]
fn every_drift_of_custody_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), CUSTODY, open);
}

fn about(scene: &Scene, code: Code) -> Subject {
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
fn an_open_claim_is_a_warning_for_a_day_and_then_an_error() {
    let severity = |as_of: &str| {
        let mut scene = Scene::honest();
        sent(&mut scene, "payout", "payout", 39_000, 0);
        accepted(&mut scene, "another");
        for (_, entry) in &mut scene.world.set.payment_log {
            entry.at = micros("2026-05-12T00:00:00Z");
        }
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
    entry(&mut scene, "", "tx-accepted", |entry| entry.federation_id = "another".to_owned());
    assert!(!open(&scene).contains(&Code::GwOpen));
    accepted(&mut scene, "another");
    assert!(open(&scene).contains(&Code::GwOpen));
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
    turned.world.set.payment_log.reverse();
    turned.world.set.invoices.reverse();
    let told = |scene: &Scene| format!("{:?}", scene.run().divergences);
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
fn rebate_of(scene: &mut Scene, amount: u64, at: &str) {
    scene.world.settlement("rebate", crate::domain::SettlementKind::EscrowRebate, |event| {
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
    let deposit = honest.world.set.settlements[&digest("deposit")].fact().event.amount.get();
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
