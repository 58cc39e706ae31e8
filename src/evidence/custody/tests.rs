//! What decoding refuses or reports about descriptors, graduations and rotations.

use serde_json::{Value, json};

use super::*;

const FEDERATION: &str = "fed:6e780b09783fc211f3199060245e70d3731e814660858c6dec4e99e7989fe9c2";
const OTHER: &str = "fed:f3e21179d41c67865977ff6bc0b68e9ecca1d7d51e8828030f267316583a3183";

fn descriptor_json() -> Value {
    json!({
        "v": 1, "kind": "attest-federation-custody", "address": "bc1quser", "threshold": "2-of-3",
        "guardians": [
            {"address": "bc1qc", "alg": "bip322"}, {"address": "bc1qa", "alg": "bip322"},
            {"address": "bc1qb", "alg": "bip322", "name": "bob"},
        ],
    })
}

fn malformed(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut value = descriptor_json();
    change(&mut value);
    match decode(&value.to_string()).unwrap() {
        CustodyClaim::Descriptor(claim) => claim.malformed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_descriptor_within_the_rules_has_no_violation() {
    assert_eq!(malformed(|_| {}), Vec::<String>::new());
    assert_eq!(malformed(|value| value["implementation"] = json!({"kind": "fedimint"})), Vec::<String>::new());
    assert_eq!(malformed(|value| value["threshold"] = "3-of-3".into()), Vec::<String>::new());
    assert_eq!(malformed(|value| value["id"] = FEDERATION.into()), Vec::<String>::new());
}

#[test]
fn each_violation_of_a_descriptor_is_named() {
    let only = |change: &dyn Fn(&mut Value), expected: &str| {
        let found = malformed(|value| change(value));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(expected), "{found:?}");
    };
    only(&|value| value["v"] = 2.into(), "v 2: expected 1");
    only(&|value| value["v"] = "1".into(), "v 1: expected 1");
    only(&|value| value["address"] = "bc1q user".into(), "address bc1q user: expected letters and digits");
    only(&|value| value["address"] = Value::Null, "address null: expected letters and digits");
    only(&|value| value["threshold"] = "02-of-3".into(), "threshold 02-of-3: expected 2-of-3");
    only(&|value| value["threshold"] = "2-of-03".into(), "threshold 2-of-03: expected 2-of-3");
    only(&|value| value["threshold"] = "02-of-03".into(), "threshold 02-of-03: expected 2-of-3");
    only(&|value| value["threshold"] = "2-of-4".into(), "guardians has 3: expected 4");
    only(&|value| value["threshold"] = "0-of-3".into(), "threshold 0-of-3: expected M from 1 to 3");
    only(&|value| value["threshold"] = "4-of-3".into(), "threshold 4-of-3: expected M from 1 to 3");
    only(&|value| value["threshold"] = "2-of-3\nguardian: bc1qd".into(), ": expected M-of-N");
    only(&|value| value["threshold"] = "+2-of-3".into(), "threshold +2-of-3: expected M-of-N");
    only(&|value| value["threshold"] = "99999999999-of-3".into(), "threshold 99999999999-of-3: expected M-of-N");
    only(&|value| value["threshold"] = Value::Null, "threshold null: expected M-of-N");
    only(&|value| value["threshold"] = 2.into(), "threshold 2: expected M-of-N");
    only(&|value| value["guardians"][0]["alg"] = "ed25519".into(), "guardians[0].alg ed25519: expected bip322");
    only(&|value| value["guardians"][1]["alg"] = Value::Null, "guardians[1].alg null: expected bip322");
    only(&|value| value["guardians"][0]["address"] = "bc1qa".into(), "guardians has bc1qa twice: expected each once");
    only(&|value| value["guardians"][0]["address"] = "bc1qc\nguardian: x".into(), "guardians[0].address bc1qc");
    only(&|value| value["id"] = "6e780b".into(), "declared id 6e780b: expected fed: and 64");
    only(&|value| value["id"] = FEDERATION.to_uppercase().into(), "declared id FED:");
    let gone = malformed(|value| value["guardians"] = Value::Null);
    assert_eq!(gone, ["guardians null: expected a list", "guardians has 0: expected 3 by the threshold"]);
}

#[test]
fn a_long_member_is_shown_cut() {
    let found = malformed(|value| value["threshold"] = "\u{e9}".repeat(5_000).into());
    assert_eq!(found.len(), 1);
    assert!(found[0].chars().count() < 200 && found[0].contains("...: expected"), "{}", found[0]);
}

#[test]
fn guardians_above_the_limit_are_a_violation_and_not_work() {
    let listed = |count: usize| -> Value {
        (0..count).map(|at| json!({"address": format!("bc1q{at}"), "alg": "bip322"})).collect::<Vec<_>>().into()
    };
    let check = |count: usize| {
        malformed(|value| {
            value["guardians"] = listed(count);
            value["threshold"] = format!("2-of-{count}").into();
        })
    };
    assert_eq!(check(GUARDIANS_MAX), Vec::<String>::new());
    assert!(check(GUARDIANS_MAX + 1)[0].contains("expected at most"));
}

fn graduation_json() -> Value {
    json!({
        "v": 1, "kind": "orangecheck-graduation", "address": "bc1quser", "from_federation": FEDERATION,
        "to": "single-key", "graduated_at": "2026-06-15T14:00:00Z",
        "proof": [{"address": "bc1qa", "sig": "AA=="}, {"address": "bc1quser", "sig": "AA==", "kind": "self-key"}],
    })
}

fn graduation_of(value: &Value) -> GraduationClaim {
    match decode(&value.to_string()).unwrap() {
        CustodyClaim::Graduation(claim) => claim,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_target_federation_stands_in_both_profiles() {
    let mut value = graduation_json();
    value["to"] = "federation".into();
    value["to_federation"] = OTHER.into();
    let claim = graduation_of(&value);
    assert_eq!(format!("fed:{}", claim.to_federation.unwrap()), OTHER);
    assert!(claim.profiles[0].1.contains(&format!("to: federation\nto_federation: {OTHER}\ngraduated_at: ")));
    assert!(claim.profiles[1].1.contains(&format!(r#""to_federation":"{OTHER}","v":1"#)));
    assert_eq!(claim.proof.iter().map(|listed| listed.self_key).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn what_cannot_be_inside_its_own_signature_is_left_out_of_profile_j() {
    let plain = graduation_of(&graduation_json());
    let mut value = graduation_json();
    value["id"] = "14449c3661679eb5cfb860d1d32a8ad4fe05c54f5c8730a09c8be10040c3d8ff".into();
    value["ots"] = json!({"status": "pending", "proof": "AAEC", "calendars": []});
    let carried = graduation_of(&value);
    assert_eq!(carried.profiles, plain.profiles);
    assert_eq!(carried.declared_id.unwrap().to_string(), value["id"]);
    assert_eq!(carried.ots.unwrap().proof, [0, 1, 2]);
    // Any other member is signed under J.
    value["note"] = "x".into();
    assert_ne!(graduation_of(&value).profiles[1], plain.profiles[1]);
}

#[test]
fn profile_j_is_offered_only_where_its_numbers_are_certain() {
    for (number, profiles) in [("7", 2), ("-7", 2), ("7.0", 1), ("7e0", 1), ("-0", 1), ("9007199254740992", 1)] {
        let text = graduation_json().to_string().replacen('{', &format!("{{\"extra\":[{number}],"), 1);
        let CustodyClaim::Graduation(claim) = decode(&text).unwrap() else { panic!("{text}") };
        assert_eq!(claim.profiles.len(), profiles, "{number}");
    }
}

#[test]
fn a_graduation_without_what_its_message_needs_is_refused() {
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut value = graduation_json();
        change(&mut value);
        assert!(decode(&value.to_string()).is_err(), "{value}");
    };
    refused(&|value| value["v"] = 2.into());
    refused(&|value| value["to"] = "elsewhere".into());
    refused(&|value| value["address"] = "bc1quser\nto: x".into());
    refused(&|value| value["from_federation"] = FEDERATION[4..].into());
    refused(&|value| value["graduated_at"] = "yesterday".into());
    refused(&|value| value["proof"] = Value::Null);
    refused(&|value| value["proof"][0]["sig"] = Value::Null);
    refused(&|value| value["proof"] = vec![json!({"address": "a", "sig": "b"}); SIGNATURES_MAX + 1].into());
    refused(&|value| value["id"] = "00".into());
    refused(&|value| value["kind"] = "orangecheck".into());
}

#[test]
fn a_rotation_leads_to_another_descriptor() {
    let rotation = |to: &str| {
        json!({
            "v": 1, "kind": "orangecheck-federation-rotation", "address": "bc1quser", "from_federation": FEDERATION,
            "to_federation": to, "rotated_at": "2026-05-01T00:00:00Z", "proof": [],
        })
    };
    assert!(matches!(decode(&rotation(OTHER).to_string()), Ok(CustodyClaim::Rotation(_))));
    assert!(decode(&rotation(FEDERATION).to_string()).is_err());
}

#[test]
fn an_undecodable_record_is_src_parse_with_its_hash_and_offset() {
    let twice = br#"{"kind":"agent-federation","kind":"agent-federation"}"#;
    let records: [(&[u8], &str); 4] =
        [(twice, "at byte 27"), (b"{\"kind\":\xff", "at byte 8"), (b"{", "at byte"), (b"{}", "no kind")];
    for (bytes, reason) in records {
        let Decoded::Undecodable(findings) = decode_record(bytes) else { panic!("decoded {bytes:?}") };
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].code, Code::SrcParse);
        assert_eq!(findings[0].subject.get("media"), Some("custody"));
        assert_eq!(findings[0].subject.get("sha256"), Some(sha256(bytes).to_hex().as_str()));
        assert!(findings[0].observed.contains(reason), "{}", findings[0].observed);
    }
    let near = decode_record(descriptor_json().to_string().as_bytes());
    assert!(matches!(near, Decoded::Claim(claim, findings)
        if findings.is_empty() && matches!(*claim, Claim::Custody(CustodyClaim::Descriptor(_)))));
}
