//! Goal: the published and derived settlement and config vectors decode and verify as they say. Method: the vectors'
//! own bytes, through decoding and judging; nothing expected here was computed by this program.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::fs;
use std::path::Path;

use reledger::domain::{Code, EvidenceId, FederationSlug, Finding, PinnedKey, PublicKey32, TrustPolicy, sha256};
use reledger::evidence::{Claim, Decoded, ProjectConfig, SettlementClaim, project, settlement};
use reledger::verify::{SignedSettlement, settlement::judge};
use serde_json::{Value, json};

fn vectors(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors").join(path);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap()
}

fn wire(event: &str, pubkey: &str, sig: &str) -> String {
    format!("{{\"event\":{event},\"pubkey_hex\":\"{pubkey}\",\"sig_hex\":\"{sig}\"}}")
}

fn decode(text: &str) -> SettlementClaim {
    let Decoded::Claim(claim, findings) = settlement::decode(text.as_bytes()) else { panic!("it decodes: {text}") };
    assert_eq!(findings, []);
    let Claim::Settlement(claim) = *claim else { panic!("it is a settlement") };
    *claim
}

fn verdict(claim: &SettlementClaim, pinned: &str) -> (Option<SignedSettlement>, Vec<Finding>) {
    let mut policy = TrustPolicy::orangecheck_2026_10();
    let pin = PinnedKey { key: pinned.parse::<PublicKey32>().unwrap(), from: None, until: None };
    policy.settlement_keys.insert(FederationSlug::from("oc-me-v1"), vec![pin]);
    judge(claim, EvidenceId::from_bytes([0; 32]), &policy)
}

fn codes(findings: &[Finding]) -> Vec<Code> {
    findings.iter().map(|finding| finding.code).collect()
}

/// The event of the case; the derived negative cases give only bytes, whose members they name.
fn assert_accepted(case: &Value, event: &str, pubkey: &str) {
    let claim = decode(&wire(event, pubkey, text(case, "sig_hex")));
    assert_eq!(String::from_utf8(claim.canonical.clone()).unwrap(), text(case, "canonical"));
    assert_eq!(claim.canonical.len() as u64, case["canonical_len"].as_u64().unwrap());
    assert_eq!(sha256(&claim.canonical).to_string(), text(case, "canonical_sha256"));
    let (settlement, findings) = verdict(&claim, pubkey);
    assert_eq!(findings, []);
    assert_eq!(settlement.unwrap().digest.to_string(), text(case, "canonical_sha256"));
}

#[test]
fn the_guardian_kit_parity_vector_verifies() {
    let vector = vectors("oc-guardian-kit/settlement-parity.json");
    let pubkey = text(&vector, "pubkey_hex");
    assert_accepted(&vector, &vector["event"].to_string(), pubkey);
    // Members may come in any order: this is not the signing order.
    let members: Vec<String> =
        vector["event"].as_object().unwrap().iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
    let reversed: Vec<String> = members.into_iter().rev().collect();
    assert_accepted(&vector, &format!("{{{}}}", reversed.join(",")), pubkey);
    // An absent option is the same as null.
    assert_accepted(
        &vector,
        r#"{"kind":"escrow.deposit","federation_slug":"oc-me-v1","operation_id":"op-fixture-1","amount_sats":100000,
            "direction":"in","settled_at":1779408000,"project_key":"pk-fixture","fee_sats":null}"#,
        pubkey,
    );
}

#[test]
fn every_derived_variant_gives_its_expected_verdict() {
    let vector = vectors("derived/settlement-variants.json");
    let pubkey = text(&vector, "pubkey_hex");
    let parity = vectors("oc-guardian-kit/settlement-parity.json");
    let mut refused = 0;
    for case in vector["cases"].as_array().unwrap() {
        let name = text(case, "name");
        if case["expected"]["valid"] == json!(true) {
            assert_accepted(case, &case["event"].to_string(), pubkey);
            continue;
        }
        // The case is about signed bytes: a case without an event signs other bytes for the parity event.
        let event = case.get("event").unwrap_or(&parity["event"]);
        let mut claim = decode(&wire(&event.to_string(), pubkey, text(case, "sig_hex")));
        if case.get("event").is_some() {
            assert_eq!(String::from_utf8(claim.canonical.clone()).unwrap(), text(case, "canonical"), "{name}");
        }
        claim.canonical = text(case, "canonical").as_bytes().to_vec();
        let (settlement, findings) = verdict(&claim, pubkey);
        assert_eq!((settlement, codes(&findings)), (None, vec![Code::SigBad]), "{name}");
        refused += 1;
    }
    assert_eq!(refused, 3, "every negative case was judged");
}

#[test]
fn the_vectors_key_counts_only_when_it_is_pinned() {
    let vector = vectors("oc-guardian-kit/settlement-parity.json");
    let claim = decode(&wire(&vector["event"].to_string(), text(&vector, "pubkey_hex"), text(&vector, "sig_hex")));
    let (settlement, findings) = verdict(&claim, &"11".repeat(32));
    assert_eq!((settlement, codes(&findings)), (None, vec![Code::SigKeyUnknown]));
}

fn config(value: &Value) -> ProjectConfig {
    let Decoded::Claim(claim, findings) = project::decode("", value.to_string().as_bytes()) else {
        panic!("it decodes: {value}")
    };
    assert_eq!(findings, []);
    let Claim::ProjectConfig(config) = *claim else { panic!("it is a config") };
    config
}

#[test]
fn the_reference_validation_of_configs_is_reproduced() {
    let vector = vectors("oc-me-client/validate-config.json");
    let cases = vector["cases"].as_array().unwrap();
    for case in cases {
        let config = config(&case["config"]);
        let mentioned: Vec<&str> = config.problems.iter().map(|(key, _)| key.as_str()).collect();
        let expected: Vec<&str> =
            case["expected"]["error_mentions"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
        assert_eq!(mentioned, expected, "{}", text(case, "name"));
        assert_eq!(json!(config.problems.is_empty()), case["expected"]["ok"], "{}", text(case, "name"));
    }
    assert_eq!(cases.len(), 4);
}
