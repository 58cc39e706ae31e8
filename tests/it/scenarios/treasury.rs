//! The rails: invoices against their records, fees against their bases, which payment a settlement is, claims that stay open,
//! and custody as somebody saw it.

use bitcoin::hashes::{Hash, sha256 as invoice_hash};
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use lightning_invoice::{Currency, InvoiceBuilder, PaymentSecret};
use reledger::domain::{Media, sha256};
use serde_json::{Value, json};

use super::scene::{AS_OF, Scene, digest, evidence};
use super::settlements::{Settled, about, event, resettle, settle};
use super::table::{Blame, Case, judge};

/// A signed invoice about that payment.
fn bolt11(hash: &str, msat: u64) -> String {
    let key = SecretKey::from_slice(&[41; 32]).unwrap();
    let builder = InvoiceBuilder::new(Currency::Bitcoin)
        .description("escrow".to_owned())
        .payment_hash(invoice_hash::Hash::from_byte_array(digest(hash)))
        .payment_secret(PaymentSecret([42; 32]))
        .duration_since_epoch(std::time::Duration::from_secs(1_779_408_000))
        .min_final_cltv_expiry_delta(144)
        .amount_milli_satoshis(msat);
    builder.build_signed(|message| Secp256k1::new().sign_ecdsa_recoverable(message, &key)).unwrap().to_string()
}

/// Shows an invoice in a deposit's record, asking so much more than the record.
fn show_invoice(scene: &mut Scene, more_msat: u64) -> Blame {
    let at = scene.world.invoices.iter().position(|line| line.contains("\"status\":\"settled\"")).unwrap();
    let mut record: Value = serde_json::from_str(&scene.world.invoices[at]).unwrap();
    let hash = record["payment_hash"].as_str().unwrap().to_owned();
    record["bolt11"] = bolt11(&hash, record["amount_msat"].as_u64().unwrap() + more_msat).into();
    let line = record.to_string();
    let cited = evidence(Media::Invoice, &line);
    scene.world.invoices[at] = line;
    Blame::new("payment_hash", hash).citing("carrier", cited)
}

fn an_invoice_of_a_millisatoshi_more(scene: &mut Scene) -> Blame {
    show_invoice(scene, 1)
}

fn an_invoice_that_agrees(scene: &mut Scene) {
    show_invoice(scene, 0);
}

/// The newest payout with that much more of a fee.
fn pay_more_fee(scene: &mut Scene, fee: impl Fn(u64, u64) -> u64) -> (Settled, Value) {
    let mut paid = Value::Null;
    let settled = resettle(scene, "distribution.settled", |event| {
        event["fee_sats"] = fee(event["amount_sats"].as_u64().unwrap(), event["fee_sats"].as_u64().unwrap()).into();
        paid = event.clone();
    });
    (settled, paid)
}

/// 100 satoshi and 1.5 %, in whole satoshi.
fn limit(sats: u64) -> u64 {
    100 + sats * 15 / 1_000
}

fn a_fee_above_the_limit(scene: &mut Scene) -> Blame {
    about(&pay_more_fee(scene, |sats, _| limit(sats) + 1).0, "settlement")
}

fn a_fee_at_the_limit(scene: &mut Scene) {
    pay_more_fee(scene, |sats, _| limit(sats));
}

fn a_fee_of_a_satoshi_more(scene: &mut Scene) -> Blame {
    about(&pay_more_fee(scene, |_, fee| fee + 1).0, "settlement")
}

/// The node's own record shows that the route cost it.
fn a_fee_that_the_route_cost(scene: &mut Scene) {
    let (_, paid) = pay_more_fee(scene, |_, fee| fee + 1);
    let record = json!({
        "payment_hash": paid["payment_hash"], "value_msat": (paid["amount_sats"].as_u64().unwrap() * 1_000).to_string(),
        "fee_msat": (paid["fee_sats"].as_u64().unwrap() * 1_000 + 999).to_string(), "status": "SUCCEEDED",
    });
    scene.world.invoices.push(record.to_string());
}

/// A payment that the gateway made, with its preimage; the hash is the answer's second.
fn gateway_paid(scene: &mut Scene) -> (String, String) {
    let preimage = sha256(scene.unique().as_bytes());
    let hash = sha256(preimage.as_bytes()).to_hex();
    let contract = json!({"amount": 5_000, "contract": {"hash": hash}});
    let payload = json!({"outgoing_contract": contract, "contract_id": sha256(hash.as_bytes()).to_hex(),
        "preimage": preimage.to_hex()});
    scene.log("outgoing-payment-succeeded", "ln", &payload);
    (preimage.to_hex(), hash)
}

fn a_payout_with_the_hash_of_another_payment(scene: &mut Scene) -> Blame {
    let (preimage, hash) = gateway_paid(scene);
    let settled = resettle(scene, "distribution.settled", |event| {
        (event["preimage"], event["payment_hash"]) = (preimage.into(), hash.into());
    });
    about(&settled, "settlement")
}

fn a_payment_of_a_stranger(scene: &mut Scene) {
    gateway_paid(scene);
}

/// A correction that came in without any key, and so many payments that would fit it.
fn correction(scene: &mut Scene, payments: usize) -> Settled {
    for _ in 0..payments {
        let hash = scene.unique();
        scene.log("incoming-payment-started", "ln", &json!({"payment_hash": hash, "invoice_amount": 12_345_000}));
    }
    let mut correction = event(scene, "adjustment", "in", 12_345);
    (correction["note"], correction["settled_at"]) = ("found in the account".into(), (AS_OF - 4_000).into());
    settle(scene, &correction)
}

fn a_correction_that_two_payments_fit(scene: &mut Scene) -> Blame {
    about(&correction(scene, 2), "settlement")
}

fn a_correction_that_one_payment_fits(scene: &mut Scene) {
    correction(scene, 1);
}

/// A correction that went out ten minutes ago.
fn young_payment(scene: &mut Scene) -> Settled {
    let (preimage, hash) = gateway_paid(scene);
    let mut correction = event(scene, "adjustment", "out", 5);
    (correction["preimage"], correction["payment_hash"]) = (preimage.into(), hash.into());
    correction["settled_at"] = (AS_OF - 600).into();
    settle(scene, &correction)
}

fn a_young_payment_without_its_claim(scene: &mut Scene) -> Blame {
    let settled = young_payment(scene);
    Blame::new("payment_hash", last_hash(scene)).citing("settlement", settled.evidence)
}

/// The hash of the newest settlement.
fn last_hash(scene: &Scene) -> String {
    let line: Value = serde_json::from_str(scene.world.settlements.last().unwrap()).unwrap();
    line["event"]["payment_hash"].as_str().unwrap().to_owned()
}

fn a_young_payment_with_its_claim(scene: &mut Scene) {
    let settled = young_payment(scene);
    let payload = json!({"txid": scene.unique(), "operation_id": settled.operation});
    scene.log("tx-accepted", "", &payload);
}

/// Takes an entry of that kind about the newest payout out of the log.
fn forget(scene: &mut Scene, kind: &str) -> Blame {
    let line = scene.world.settlements.iter().rfind(|line| line.contains("\"kind\":\"distribution.settled\"")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let operation = line["event"]["operation_id"].as_str().unwrap();
    let before = scene.world.payment_log.len();
    scene.world.payment_log.retain(|entry| entry.kind != kind || !entry.json.contains(operation));
    assert_eq!(scene.world.payment_log.len(), before - 1);
    Blame::new("payment_hash", line["event"]["payment_hash"].as_str().unwrap())
}

fn an_old_payment_without_its_claim(scene: &mut Scene) -> Blame {
    forget(scene, "tx-accepted")
}

fn an_old_payment_without_its_transaction(scene: &mut Scene) {
    forget(scene, "tx-created");
}

/// Everything that came in, less everything that went out and its fees (TREASURY 5.4, I8).
fn custody_msat(scene: &Scene) -> i64 {
    let flow = |line: &String| {
        let line: Value = serde_json::from_str(line).unwrap();
        let event = &line["event"];
        let sats = event["amount_sats"].as_i64().unwrap() * 1_000;
        match event["kind"].as_str().unwrap() {
            "escrow.deposit" => sats,
            "adjustment" if event["direction"] == "in" => sats,
            // Taken inside custody.
            "platform.accrual" => 0,
            _ => -sats - event["fee_sats"].as_i64().unwrap_or(0) * 1_000,
        }
    };
    scene.world.settlements.iter().map(flow).sum()
}

fn observe(scene: &mut Scene, more_msat: i64) -> Blame {
    let msat = custody_msat(scene) + more_msat;
    let keys = "settlement_keys = [";
    let observed = format!("observed = [{{ at = 2026-10-01T00:00:00Z, msat = {msat} }}]\n{keys}");
    scene.replaced.push((keys.to_owned(), observed));
    Blame::new("at", AS_OF)
}

fn a_millisatoshi_too_few(scene: &mut Scene) -> Blame {
    observe(scene, -1)
}

fn a_millisatoshi_too_many(scene: &mut Scene) -> Blame {
    observe(scene, 1)
}

fn what_the_ledger_says(scene: &mut Scene) {
    observe(scene, 0);
}

#[test]
fn every_fault_of_an_invoice_or_a_fee_has_its_code() {
    judge(&[
        Case {
            code: "INV_BAD",
            severity: "error",
            exit: 1,
            fault: an_invoice_of_a_millisatoshi_more,
            beside: &[],
            near_miss: an_invoice_that_agrees,
            near_miss_beside: &[],
        },
        Case {
            code: "FEE_LIMIT",
            severity: "warn",
            exit: 0,
            fault: a_fee_above_the_limit,
            beside: &["FEE_SETTLEMENT"],
            near_miss: a_fee_at_the_limit,
            near_miss_beside: &["FEE_SETTLEMENT"],
        },
        Case {
            code: "FEE_SETTLEMENT",
            severity: "warn",
            exit: 0,
            fault: a_fee_of_a_satoshi_more,
            beside: &[],
            near_miss: a_fee_that_the_route_cost,
            near_miss_beside: &[],
        },
    ]);
}

#[test]
fn every_fault_of_a_match_has_its_code() {
    judge(&[
        Case {
            code: "MATCH_CONTRADICTION",
            severity: "error",
            exit: 1,
            fault: a_payout_with_the_hash_of_another_payment,
            beside: &[],
            near_miss: a_payment_of_a_stranger,
            near_miss_beside: &[],
        },
        Case {
            code: "MATCH_AMBIGUOUS",
            severity: "warn",
            exit: 0,
            fault: a_correction_that_two_payments_fit,
            beside: &[],
            near_miss: a_correction_that_one_payment_fits,
            near_miss_beside: &[],
        },
    ]);
}

#[test]
fn every_open_claim_and_every_drift_of_custody_has_its_code() {
    judge(&[
        Case {
            code: "GW_OPEN",
            severity: "warn",
            exit: 0,
            fault: a_young_payment_without_its_claim,
            beside: &[],
            near_miss: a_young_payment_with_its_claim,
            near_miss_beside: &[],
        },
        Case {
            code: "GW_OPEN",
            severity: "error",
            exit: 1,
            fault: an_old_payment_without_its_claim,
            beside: &[],
            near_miss: an_old_payment_without_its_transaction,
            near_miss_beside: &[],
        },
        Case {
            code: "CUSTODY_DRIFT",
            severity: "error",
            exit: 1,
            fault: a_millisatoshi_too_few,
            beside: &[],
            near_miss: what_the_ledger_says,
            near_miss_beside: &[],
        },
        Case {
            code: "CUSTODY_DRIFT",
            severity: "error",
            exit: 1,
            fault: a_millisatoshi_too_many,
            beside: &[],
            near_miss: what_the_ledger_says,
            near_miss_beside: &[],
        },
    ]);
}
