//! Settlements (FORMATS 6): parity, variants, one operation twice.

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::{Signer as _, SigningKey};
use reledger::domain::{
    AsOf, EvidenceId, FederationSlug, Media, PinnedKey, PublicKey32, RawEvidence, TrustPolicy, sha256,
};
use reledger::evidence::{Claim, Decoded, settlement};
use reledger::ledger::rebuild;
use reledger::reconcile::{Declared, Input, Objectives, Sightings, reconcile};
use reledger::verify::{Verifier, settlement::judge};
use serde_json::Value;

use super::case::{Case, Input as CaseInput, list, text, vector};
use crate::vectors_events::raw;

/// A policy that pins the vectors' key.
fn policy() -> TrustPolicy {
    let key = text(&vector("oc-guardian-kit/settlement-parity.json"), "/pubkey_hex").parse::<PublicKey32>().unwrap();
    let mut policy = TrustPolicy::orangecheck_2026_10();
    policy.settlement_keys.insert(FederationSlug::from("oc-me-v1"), vec![PinnedKey { key, from: None, until: None }]);
    policy
}

/// Length and hash of the bytes that were accepted, else every code. `signed` stands in for the canonical bytes.
pub(super) fn judged(wire: &str, signed: Option<&str>) -> String {
    let Decoded::Claim(claim, findings) = settlement::decode(wire.as_bytes()) else { panic!("it decodes: {wire}") };
    assert_eq!(findings, []);
    let Claim::Settlement(mut claim) = *claim else { panic!("it is a settlement") };
    if let Some(signed) = signed {
        claim.canonical = signed.as_bytes().to_vec();
    }
    let (settlement, findings) = judge(&claim, EvidenceId::from_bytes([0; 32]), &policy(), false);
    match settlement {
        Some(settlement) => {
            assert_eq!(findings, []);
            assert_eq!(settlement.digest, sha256(&claim.canonical));
            format!("{} bytes {}", claim.canonical.len(), settlement.digest)
        }
        None => findings.iter().map(|one| one.code.name()).collect::<Vec<_>>().join("; "),
    }
}

/// How many settlements hold, and what is said of their operations.
pub(super) fn rebuilt(evidence: &[RawEvidence]) -> String {
    let policy = policy();
    let identified: Vec<(EvidenceId, RawEvidence)> = evidence.iter().map(|raw| (raw.id(), raw.clone())).collect();
    let mut verifier = Verifier::new(&policy);
    verifier.first_pass(&identified);
    verifier.begin_second_pass();
    verifier.second_pass(&identified);
    let set = verifier.finish();
    let as_of = AsOf { time: "2026-10-01T00:00:00Z".parse().unwrap(), tip: None };
    let ledgers = rebuild(&set, &policy, as_of);
    let reconciled = reconcile(&Input {
        set: &set,
        ledgers: &ledgers,
        policy: &policy,
        as_of,
        receipts: &[],
        sightings: &Sightings::default(),
        declared: &Declared::default(),
        d_tags: &BTreeMap::new(),
        time_boxed: false,
        objectives: Objectives::default(),
    });
    let codes: BTreeSet<&str> = reconciled.divergences.iter().map(|one| one.code.name()).collect();
    let codes: Vec<&str> = codes.into_iter().filter(|code| code.starts_with("OP_")).collect();
    format!("{} settlements; {}", set.settlements.len(), codes.join("; "))
}

fn wire(event: &Value, pubkey: &str, sig: &str) -> String {
    format!("{{\"event\":{event},\"pubkey_hex\":\"{pubkey}\",\"sig_hex\":\"{sig}\"}}")
}

pub(super) fn cases() -> Vec<Case> {
    [parity(), variants(), duplicates()].concat()
}

fn parity() -> Vec<Case> {
    const ROW: &str = "12 settlement: parity signature holds";
    let from = "oc-guardian-kit/settlement-parity.json";
    let vector = vector(from);
    let (event, pubkey, sig) = (&vector["event"], text(&vector, "/pubkey_hex"), text(&vector, "/sig_hex"));
    let wanted = format!("{} bytes {}", vector["canonical_len"], text(&vector, "/canonical_sha256"));
    let members: Vec<String> = event.as_object().unwrap().iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
    let reversed: Vec<String> = members.into_iter().rev().collect();
    let reversed =
        format!("{{\"event\":{{{}}},\"pubkey_hex\":\"{pubkey}\",\"sig_hex\":\"{sig}\"}}", reversed.join(","));
    let mut sparse = event.clone();
    sparse.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    sparse["fee_sats"] = Value::Null;
    let mut other = vector.clone();
    other["pubkey_hex"] = "11".repeat(32).into();
    let stranger = wire(event, text(&other, "/pubkey_hex"), sig);
    [
        (ROW, "as published", wire(event, pubkey, sig), wanted.as_str()),
        ("6.1 settlement wire forms", "members in another order", reversed, &wanted),
        ("6.1 settlement wire forms", "options left out, fee_sats null", wire(&sparse, pubkey, sig), &wanted),
        ("6.1 settlement wire forms", "under another key", stranger, "SIG_BAD"),
    ]
    .into_iter()
    .map(|(row, name, wire, wanted)| Case::new(row, name, from, CaseInput::Settlement(wire, None), wanted))
    .collect()
}

/// The negative cases are about signed bytes: a case without an event signs other bytes for the parity event.
fn variants() -> Vec<Case> {
    let from = "derived/settlement-variants.json";
    let vector = vector(from);
    let pubkey = text(&vector, "/pubkey_hex");
    let parity = super::case::vector("oc-guardian-kit/settlement-parity.json");
    let case = |case: &Value| {
        let event = case.get("event").unwrap_or(&parity["event"]);
        let wire = wire(event, pubkey, text(case, "/sig_hex"));
        let name = text(case, "/name");
        if case["expected"]["valid"] == true {
            let wanted = format!("{} bytes {}", case["canonical_len"], text(case, "/canonical_sha256"));
            return Case::new("6.1 settlement wire forms", name, from, CaseInput::Settlement(wire, None), wanted);
        }
        let row = "12 settlement: tampered amount, omitted nulls, sorted keys";
        let input = CaseInput::Settlement(wire, Some(text(case, "/canonical").to_owned()));
        Case::new(row, name, from, input, "SIG_BAD")
    };
    list(&vector, "cases").iter().map(case).collect()
}

/// FORMATS 6.4: identical bytes are a replay, different bytes a conflict.
fn duplicates() -> Vec<Case> {
    const ROW: &str = "12 settlement: duplicate operation_id, same or different bytes";
    let parity = vector("oc-guardian-kit/settlement-parity.json");
    let key = SigningKey::from_bytes(&[1; 32]);
    let (pubkey, canonical) = (text(&parity, "/pubkey_hex"), text(&parity, "/canonical"));
    assert_eq!(faster_hex::hex_string(key.verifying_key().as_bytes()), pubkey);
    let line = |canonical: &str| {
        let sig = faster_hex::hex_string(&key.sign(canonical.as_bytes()).to_bytes());
        format!("{{\"event\":{canonical},\"pubkey_hex\":\"{pubkey}\",\"sig_hex\":\"{sig}\"}}")
    };
    let first = line(canonical);
    assert!(first.contains(text(&parity, "/sig_hex")));
    let evidence =
        |lines: &[&str]| CaseInput::Ledgers(lines.iter().map(|line| raw(Media::Settlement, *line)).collect());
    let respaced = first.replacen('{', "{ ", 1);
    let amount = line(&canonical.replace("100000", "100001"));
    let operation = line(&canonical.replace("op-fixture-1", "op-fixture-2"));
    // The fixture's operation id is no Fedimint operation id.
    let from = "derived: settlement-parity.json, its key";
    let of = |name: &str, lines: &[&str], wanted: &str| Case::new(ROW, name, from, evidence(lines), wanted);
    vec![
        of("once", &[&first], "1 settlements; OP_MALFORMED"),
        of("the same bytes twice", &[&first, &respaced], "1 settlements; OP_MALFORMED; OP_REPLAY"),
        of("two amounts", &[&first, &amount], "2 settlements; OP_CONFLICT; OP_MALFORMED"),
        of("two operations", &[&first, &operation], "2 settlements; OP_MALFORMED"),
    ]
}
