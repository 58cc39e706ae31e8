//! Attestation envelopes: archived events, tampered members, refused scripts (FORMATS 7.2, 12).

use std::path::PathBuf;

use reledger::domain::{AttestationId, Code, Finding, sha256};
use reledger::evidence::attest::{self, AttestationDraft};
use reledger::verify::attest::judge;
use serde_json::Value;

use super::{CARRIER, codes, valid_draft};

/// Contents of the five archived attestation events, with the id that their `d` tag declares.
fn archived() -> Vec<(AttestationId, String)> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors/oc-relay-infra/events-25-of-52.jsonl");
    let lines = std::fs::read_to_string(path).unwrap();
    let found: Vec<_> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|event| event["kind"] == 30078)
        .filter_map(|event| {
            let d = event["tags"].as_array()?.iter().find(|tag| tag[0] == "d")?[1].as_str()?.parse().ok()?;
            Some((d, event["content"].as_str()?.to_owned()))
        })
        .collect();
    assert_eq!(found.len(), 5);
    found
}

fn judged(content: &str, declared: AttestationId) -> Result<(), Vec<Finding>> {
    let claim = attest::decode(content, declared).unwrap();
    judge(&claim, CARRIER).map(|signed| assert_eq!(signed.id, declared))
}

#[test]
fn members_that_contradict_the_message_are_att_fields() {
    let (declared, content) = archived().remove(2);
    let envelope: Value = serde_json::from_str(&content).unwrap();
    let with = |name: &str, value: Value| {
        let mut changed = envelope.clone();
        changed[name] = value;
        judged(&changed.to_string(), declared)
    };
    for (name, value) in [
        ("address", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq".into()),
        ("identities", serde_json::json!([])),
        ("identities", serde_json::json!([{"protocol": "github", "identifier": "mallory"}])),
        ("issued_at", "2026-04-27T17:10:34.188Z".into()),
        ("expires_at", "2030-01-01T00:00:00Z".into()),
        ("message_b64url", "b3JhbmdlY2hlY2sK".into()),
        ("scheme", "bip340".into()),
    ] {
        let findings = with(name, value).unwrap_err();
        assert_eq!(codes(&findings), [Code::AttFields], "{name}");
        assert_eq!(findings[0].subject.get("member"), Some(name));
        assert_eq!(name == "scheme", findings[0].observed.starts_with("invalid_scheme"));
    }
    assert_eq!(codes(&with("attestation_id", "00".into()).unwrap_err()), [Code::AttId]);
    // Near misses: a member that nothing signed repeats, and an expiry that is null.
    assert_eq!(with("verification_url", "https://elsewhere.example".into()), Ok(()));
    assert_eq!(with("expires_at", Value::Null), Ok(()));
    assert_eq!(with("relay_hints", serde_json::json!(["wss://a.example"])), Ok(()));
}

#[test]
fn an_expiry_member_must_repeat_the_signed_one() {
    let mut draft = valid_draft();
    draft.extensions.insert("expires".to_owned(), "2030-01-01T00:00:00Z".to_owned());
    let message = attest::canonical_message(&draft).unwrap();
    let mismatches = |expires: &str| {
        let content = serde_json::json!({
            "message": message, "signature": "", "scheme": "bip322", "expires_at": expires,
        });
        attest::decode(&content.to_string(), AttestationId(sha256(message.as_bytes()))).unwrap().mismatches
    };
    assert_eq!(mismatches("2030-01-01T00:00:00Z"), []);
    assert_eq!(mismatches("2030-01-02T00:00:00Z")[0].0, "expires_at");
}

#[test]
fn a_script_that_bip_322_covers_and_the_format_does_not_is_att_script() {
    // P2WSH.
    let draft = AttestationDraft {
        address: "bc1qp0ahvfh83088w49k405szqgg4f3pptr7p2g06tdxfjcd40z4lh4q95lsz9".to_owned(),
        ..valid_draft()
    };
    let message = attest::canonical_message(&draft).unwrap();
    let content = serde_json::json!({"message": message, "signature": "AA==", "scheme": "bip322"}).to_string();
    let findings = judged(&content, AttestationId(sha256(message.as_bytes()))).unwrap_err();
    assert_eq!(codes(&findings), [Code::AttScript]);
}

#[test]
fn an_address_of_another_network_than_the_signed_one_is_att_sig() {
    let findings = |network: &str| {
        let mut draft = valid_draft();
        draft.extensions.insert("network".to_owned(), network.to_owned());
        let message = attest::canonical_message(&draft).unwrap();
        let content = serde_json::json!({"message": message, "signature": "AA==", "scheme": "bip322"}).to_string();
        let findings = judged(&content, AttestationId(sha256(message.as_bytes()))).unwrap_err();
        assert_eq!(codes(&findings), [Code::AttSig]);
        findings[0].observed.clone()
    };
    assert_eq!(findings("testnet"), "network_mismatch");
    assert_eq!(findings("mainnet"), "sig_invalid");
}

#[test]
fn a_proof_of_funds_is_listed_and_not_counted() {
    let draft = AttestationDraft { address: "13vU5PUSuArDXJdCWZvUFEbgJ2wcmtSJWn".to_owned(), ..valid_draft() };
    let message = attest::canonical_message(&draft).unwrap();
    let content = serde_json::json!({"message": message, "signature": "pofcHNidP8=", "scheme": "bip322"}).to_string();
    let findings = judged(&content, AttestationId(sha256(message.as_bytes()))).unwrap_err();
    assert_eq!((codes(&findings), findings[0].observed.as_str()), (vec![Code::AttScript], "sig_inconclusive"));
}

#[test]
fn what_is_no_attestation_envelope_is_refused_with_a_reason() {
    let declared = archived().remove(0).0;
    for content in
        ["", "{}", "null", "[]", "sweep", r#"{"probe":true}"#, r#"{"message":"x"}"#, r#"{"message":1,"signature":"x"}"#]
    {
        assert!(attest::decode(content, declared).is_err(), "{content}");
    }
    let twice = r#"{"message":"a","signature":"x","message":"b"}"#;
    assert!(attest::decode(twice, declared).unwrap_err().contains("duplicate"));
}

#[test]
fn no_flipped_bit_changes_what_an_accepted_attestation_says() {
    let (declared, content) = archived().remove(3);
    let original = attest::decode(&content, declared).unwrap();
    let mut accepted = 0;
    for bit in 0..content.len() * 8 {
        let mut flipped = content.clone().into_bytes();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let Ok(flipped) = String::from_utf8(flipped) else { continue };
        let Ok(claim) = attest::decode(&flipped, declared) else { continue };
        if let Ok(signed) = judge(&claim, CARRIER) {
            assert_eq!((&claim.message, &Ok(signed.message)), (&original.message, &original.parsed), "bit {bit}");
            accepted += 1;
        }
    }
    // What may change is white space, names of unread members, and the address of a page about it.
    assert!(accepted > 0);
}
