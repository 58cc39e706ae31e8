//! Goal: published BOLT-11 invoices are judged as their publishers say, in every dialect of record that shows them. Method: the
//! examples of the specification and of Core Lightning, whose records state hash, amount and preimage beside the invoice.

use std::fs;

use base64::Engine as _;
use reledger::domain::{Code, EvidenceId, Finding, sha256};
use reledger::evidence::rails::decode_invoice;
use reledger::evidence::{Claim, Decoded, InvoiceRecord};
use reledger::verify::invoice::judge;
use serde_json::{Value, json};

use crate::support::fixtures;

fn vectors(path: &str) -> Value {
    serde_json::from_slice(&fs::read(fixtures().join("vectors").join(path)).unwrap()).unwrap()
}

fn decode(record: &Value) -> InvoiceRecord {
    let Decoded::Claim(claim, findings) = decode_invoice(record.to_string().as_bytes()) else {
        panic!("it decodes: {record}")
    };
    assert_eq!(findings, [], "{record}");
    let Claim::Invoice(invoice) = *claim else { panic!("it is an invoice") };
    invoice
}

fn verdict(record: &Value) -> (Option<InvoiceRecord>, Option<Finding>) {
    judge(decode(record), EvidenceId::from_bytes([0; 32]))
}

/// INV_BAD and nothing else; true when the record itself stays.
fn is_kept_and_bad(record: &Value) -> bool {
    let (kept, found) = verdict(record);
    assert_eq!(found.map(|finding| finding.code), Some(Code::InvBad), "{record}");
    assert!(kept.as_ref().is_none_or(|kept| kept.bolt11.is_none()));
    kept.is_some()
}

/// One payment in the words of each node: Core Lightning, lncli (hex), LND over REST (base64), and the gateway.
fn dialects(hash: &str, msat: Option<u64>, bolt11: &str) -> [Value; 4] {
    let raw: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&hash[2 * at..2 * at + 2], 16).unwrap()).collect();
    let text = msat.unwrap_or(0).to_string();
    let lnd = |hash: &str| {
        json!({"memo": "", "r_preimage": "", "r_hash": hash, "value": (msat.unwrap_or(0) / 1_000).to_string(),
            "value_msat": text, "payment_request": bolt11, "state": "OPEN", "add_index": "3", "amt_paid_msat": "0"})
    };
    [
        json!({"label": "l", "payment_hash": hash, "status": "unpaid", "amount_msat": msat, "bolt11": bolt11}),
        lnd(hash),
        lnd(&base64::engine::general_purpose::STANDARD.encode(raw)),
        json!({"payment_hash": hash, "status": "open", "amount_msat": msat, "bolt11": bolt11}),
    ]
}

#[test]
fn the_valid_examples_of_the_specification_agree_with_a_record_of_each_dialect() {
    let examples = vectors("bolt11/bolt11-examples.json");
    let valid = examples["valid"].as_array().unwrap();
    assert_eq!(valid.len(), 16);
    for example in valid {
        let (hash, bolt11) = (example["payment_hash"].as_str().unwrap(), example["invoice"].as_str().unwrap());
        let msat = example["amount_msat"].as_u64();
        for record in dialects(hash, msat, bolt11) {
            let (kept, found) = verdict(&record);
            assert_eq!(found, None, "{record}");
            assert_eq!(kept.unwrap().bolt11.as_deref(), Some(bolt11));
        }
        let other = "00".repeat(32);
        assert!(dialects(&other, msat, bolt11).iter().all(|record| !is_kept_and_bad(record)), "another hash");
        if let Some(msat) = msat {
            assert!(dialects(hash, Some(msat + 1), bolt11).iter().all(is_kept_and_bad), "another amount");
        }
    }
}

/// Two examples are invalid for a payer only: an auditor reads old invoices and those with features of tomorrow.
#[test]
fn the_invalid_examples_of_the_specification_are_found_but_for_what_only_a_payer_must_refuse() {
    let examples = vectors("bolt11/bolt11-examples.json");
    let hash = examples["valid"][0]["payment_hash"].as_str().unwrap();
    let mut believed = Vec::new();
    for example in examples["invalid"].as_array().unwrap() {
        let (why, bolt11) = (example["why"].as_str().unwrap(), example["invoice"].as_str().unwrap());
        // No asked amount: what is wrong must be the invoice itself.
        let record = json!({"payment_hash": hash, "status": "open", "bolt11": bolt11});
        match verdict(&record).1 {
            None => believed.push(why),
            Some(_) => assert!(is_kept_and_bad(&record), "{why}"),
        }
    }
    assert_eq!(believed, ["Same, but adding invalid unknown feature 100", "Missing required `s` field"]);
}

#[test]
fn the_invoices_of_a_core_lightning_node_agree_with_its_records() {
    let node = vectors("core-lightning/listinvoices.json");
    let (mut bolt11, mut bolt12, mut paid) = (0, 0, 0);
    for record in node["invoices"].as_array().unwrap() {
        let (kept, found) = verdict(record);
        assert_eq!(found, None, "{record}");
        let kept = kept.unwrap();
        assert_eq!(kept.bolt11.as_deref(), record["bolt11"].as_str());
        bolt11 += usize::from(record["bolt11"].is_string());
        bolt12 += usize::from(record["bolt12"].is_string());
        if let Some(preimage) = kept.preimage {
            paid += 1;
            assert_eq!(sha256(&preimage), kept.payment_hash.0, "{record}");
        }
    }
    // TREASURY 3.1: 14 distinct invoices, the 9 paid ones with preimages that hash correctly.
    assert_eq!((bolt11, bolt12, paid), (14, 2, 9));
}

#[test]
fn the_payments_of_a_core_lightning_node_agree_with_their_invoices() {
    let node = vectors("core-lightning/listpays.json");
    let pays = node["pays"].as_array().unwrap();
    assert_eq!(pays.len(), 7);
    for record in pays {
        let (kept, found) = verdict(record);
        assert_eq!(found, None, "{record}");
        let sent = record["amount_sent_msat"].as_u64().zip(record["amount_msat"].as_u64());
        assert_eq!(kept.unwrap().fee_msat, sent.map(|(sent, arrived)| sent - arrived), "{record}");
    }
}
