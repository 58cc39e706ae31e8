//! Graduations and rotations with real BIP-322 signatures by keys made of one repeated byte.

use std::str::FromStr as _;

use bitcoin::secp256k1::{Secp256k1, SecretKey};
use bitcoin::{Address, CompressedPublicKey, Network, PrivateKey};
use serde_json::{Value, json};

use super::*;
use crate::evidence::{CustodyClaim, custody as decode};

const CARRIER: EvidenceId = EvidenceId::from_bytes([9; 32]);
const USER: u8 = 0x70;

fn key(byte: u8) -> PrivateKey {
    PrivateKey::new(SecretKey::from_slice(&[byte; 32]).unwrap(), Network::Bitcoin)
}

/// Even bytes own a P2WPKH address, odd ones a P2TR address.
fn address(byte: u8) -> String {
    let secp = Secp256k1::new();
    let public = key(byte).public_key(&secp);
    if byte.is_multiple_of(2) {
        Address::p2wpkh(&CompressedPublicKey::try_from(public).unwrap(), Network::Bitcoin).to_string()
    } else {
        Address::p2tr(&secp, public.inner.into(), None, Network::Bitcoin).to_string()
    }
}

fn sign(byte: u8, message: &str) -> Value {
    let address = address(byte);
    let signature = ::bip322::sign_simple_encoded(&address, message, &[key(byte).to_wif()], None).unwrap();
    json!({"address": address, "sig": signature.strip_prefix("smp").unwrap()})
}

fn sign_self(byte: u8, message: &str) -> Value {
    let mut signature = sign(byte, message);
    signature["kind"] = "self-key".into();
    signature
}

fn descriptor_json(user: &str, threshold: &str, guardians: &[u8]) -> Value {
    let guardians: Vec<Value> =
        guardians.iter().map(|byte| json!({"address": address(*byte), "alg": "bip322"})).collect();
    json!({
        "v": 1, "kind": "attest-federation-custody", "address": user, "threshold": threshold, "guardians": guardians,
    })
}

fn judge_descriptor(value: &Value) -> Result<KnownDescriptor, Vec<Finding>> {
    match decode::decode(&value.to_string()).unwrap() {
        CustodyClaim::Descriptor(claim) => descriptor(&claim, CARRIER),
        other => panic!("{other:?}"),
    }
}

fn known(values: &[Value]) -> Descriptors {
    let judged = values.iter().map(|value| judge_descriptor(value).unwrap());
    judged.map(|known| (known.id, Verified::new(known, CARRIER))).collect()
}

/// 3-of-5 over guardians 1 to 5.
fn old() -> Value {
    descriptor_json(&address(USER), "3-of-5", &[1, 2, 3, 4, 5])
}

/// 3-of-5 over guardians 1 to 4 and 6.
fn new() -> Value {
    descriptor_json(&address(USER), "3-of-5", &[1, 2, 3, 4, 6])
}

fn fed(value: &Value) -> String {
    format!("fed:{}", judge_descriptor(value).unwrap().id)
}

fn graduation_json() -> Value {
    json!({
        "v": 1, "kind": "orangecheck-graduation", "address": address(USER), "from_federation": fed(&old()),
        "to": "single-key", "graduated_at": "2026-06-15T14:00:00Z", "proof": [],
    })
}

fn graduation_claim(value: &Value) -> GraduationClaim {
    match decode::decode(&value.to_string()).unwrap() {
        CustodyClaim::Graduation(claim) => claim,
        other => panic!("{other:?}"),
    }
}

/// Which candidate text the signers of a test sign.
#[derive(Clone, Copy)]
enum Signed {
    Text(usize),
    Id(usize),
}

fn message(profiles: &[(&'static str, String)], signed: Signed) -> String {
    match signed {
        Signed::Text(at) => profiles[at].1.clone(),
        Signed::Id(at) => sha256(profiles[at].1.as_bytes()).to_hex(),
    }
}

type Judged = (Option<AcceptedGraduation>, Vec<Finding>);

fn judge_graduation(signed: Signed, proof: impl FnOnce(&str) -> Vec<Value>) -> Judged {
    let mut value = graduation_json();
    let text = message(&graduation_claim(&value).profiles, signed);
    value["proof"] = proof(&text).into();
    graduation(&graduation_claim(&value), &known(&[old(), new()]), CARRIER)
}

fn codes(findings: &[Finding]) -> Vec<Code> {
    findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn three_guardians_and_the_user_graduate_under_each_candidate_form() {
    for (signed, profile, over) in [
        (Signed::Text(0), "L", "profile L signed over the text"),
        (Signed::Id(0), "L", "profile L signed over the id"),
        (Signed::Text(1), "J", "profile J signed over the text"),
        (Signed::Id(1), "J", "profile J signed over the id"),
    ] {
        let (accepted, findings) =
            judge_graduation(signed, |text| vec![sign(1, text), sign(4, text), sign(5, text), sign_self(USER, text)]);
        let accepted = accepted.unwrap();
        let at = usize::from(profile == "J");
        assert_eq!(accepted.profile, profile);
        assert_eq!(accepted.id, sha256(graduation_claim(&graduation_json()).profiles[at].1.as_bytes()));
        assert_eq!((accepted.address, accepted.to.as_str()), (address(USER), "single-key"));
        assert_eq!(codes(&findings), [Code::RebProfile]);
        assert!(findings[0].observed.starts_with(over), "{}", findings[0].observed);
        // Both candidates are named, each with the id that it gives.
        let [l, j] = [0, 1].map(|at| sha256(graduation_claim(&graduation_json()).profiles[at].1.as_bytes()));
        assert!(findings[0].expected.ends_with(&format!("candidates: L {l}, J {j}")), "{}", findings[0].expected);
    }
}

#[test]
fn signatures_over_two_readings_are_never_added_up() {
    let (accepted, findings) = judge_graduation(Signed::Text(0), |text| {
        let id = sha256(text.as_bytes()).to_hex();
        vec![sign(1, text), sign(2, text), sign(3, &id), sign_self(USER, text)]
    });
    assert_eq!((accepted, codes(&findings)), (None, vec![Code::RebQuorum]));
}

#[test]
fn two_guardians_are_reb_quorum() {
    let (accepted, findings) =
        judge_graduation(Signed::Text(0), |text| vec![sign(1, text), sign(2, text), sign_self(USER, text)]);
    assert_eq!((accepted, codes(&findings)), (None, vec![Code::RebQuorum]));
    assert_eq!(findings[0].expected, "3 distinct valid guardian signatures");
    assert_eq!(findings[0].observed, "2");
}

#[test]
fn a_refusal_speaks_of_the_reading_that_most_guardians_signed() {
    for signed in [Signed::Text(0), Signed::Id(0), Signed::Text(1), Signed::Id(1)] {
        let (_, findings) = judge_graduation(signed, |text| vec![sign(1, text), sign(2, text), sign_self(USER, text)]);
        assert_eq!((codes(&findings), findings[0].observed.as_str()), (vec![Code::RebQuorum], "2"));
    }
}

#[test]
fn the_users_own_signature_never_counts_as_a_guardians() {
    // The user is a guardian of this descriptor, and signs once as self-key.
    let own = descriptor_json(&address(USER), "2-of-2", &[1, USER]);
    let mut value = graduation_json();
    value["from_federation"] = fed(&own).into();
    let text = graduation_claim(&value).profiles[0].1.clone();
    let judge = |proof: Vec<Value>| {
        let mut value = value.clone();
        value["proof"] = proof.into();
        graduation(&graduation_claim(&value), &known(std::slice::from_ref(&own)), CARRIER)
    };
    let (accepted, findings) = judge(vec![sign(1, &text), sign_self(USER, &text)]);
    assert_eq!((accepted, codes(&findings)), (None, vec![Code::RebQuorum]));
    let (accepted, findings) = judge(vec![sign(1, &text), sign(USER, &text), sign_self(USER, &text)]);
    assert!(accepted.is_some());
    assert_eq!(codes(&findings), [Code::RebProfile]);
}

#[test]
fn a_graduation_without_a_valid_self_key_is_reb_self_key() {
    let guardians = |text: &str| vec![sign(1, text), sign(2, text), sign(3, text)];
    let (accepted, findings) = judge_graduation(Signed::Text(0), guardians);
    assert_eq!((accepted, codes(&findings)), (None, vec![Code::RebSelfKey]));
    assert_eq!(findings[0].observed, "absent");
    let (accepted, findings) =
        judge_graduation(Signed::Text(0), |text| [guardians(text), vec![sign_self(USER, "another text")]].concat());
    assert_eq!((accepted, codes(&findings)), (None, vec![Code::RebSelfKey]));
    assert_eq!(findings[0].observed, "sig_invalid");
    // A guardian's signature under the name of the self-key is a stranger's.
    let (accepted, findings) =
        judge_graduation(Signed::Text(0), |text| [guardians(text), vec![sign_self(4, text)]].concat());
    assert_eq!((accepted, codes(&findings)), (None, vec![Code::RebSigner, Code::RebSelfKey]));
}

#[test]
fn a_self_key_of_a_script_that_one_key_cannot_sign_for_says_so() {
    let shared = "bc1qp0ahvfh83088w49k405szqgg4f3pptr7p2g06tdxfjcd40z4lh4q95lsz9";
    let own = descriptor_json(shared, "1-of-1", &[1]);
    let mut value = graduation_json();
    value["address"] = shared.into();
    value["from_federation"] = fed(&own).into();
    let text = graduation_claim(&value).profiles[0].1.clone();
    let stranger = json!({"address": shared, "sig": "AA==", "kind": "self-key"});
    value["proof"] = vec![sign(1, &text), stranger].into();
    let (accepted, findings) = graduation(&graduation_claim(&value), &known(&[own]), CARRIER);
    assert_eq!((accepted, codes(&findings)), (None, vec![Code::RebSelfKey]));
    assert_eq!(findings[0].observed, "self_key_unverifiable_script");
}

#[test]
fn outsiders_and_repeated_guardians_are_reb_signer_beside_a_quorum() {
    let (accepted, findings) = judge_graduation(Signed::Text(0), |text| {
        vec![sign(1, text), sign(2, text), sign(3, text), sign(3, text), sign(6, text), sign_self(USER, text)]
    });
    assert!(accepted.is_some());
    assert_eq!(codes(&findings), [Code::RebSigner, Code::RebSigner, Code::RebProfile]);
    assert_eq!(findings[0].subject.get("signer"), Some(address(6).as_str()));
    assert_eq!(findings[1].subject.get("signer"), Some(address(3).as_str()));
    // Neither makes up for a missing guardian.
    let (accepted, findings) = judge_graduation(Signed::Text(0), |text| {
        vec![sign(1, text), sign(2, text), sign(2, text), sign(6, text), sign_self(USER, text)]
    });
    assert_eq!((accepted, codes(&findings)), (None, vec![Code::RebSigner, Code::RebSigner, Code::RebQuorum]));
}

#[test]
fn a_failing_signature_among_enough_good_ones_is_noted_and_accepted() {
    let (accepted, findings) = judge_graduation(Signed::Text(0), |text| {
        vec![sign(1, text), sign(2, text), sign(3, text), sign(4, "another text"), sign_self(USER, text)]
    });
    assert!(accepted.is_some());
    assert_eq!(codes(&findings), [Code::RebProfile]);
    assert!(findings[0].observed.ends_with("; 1 signatures fail"), "{}", findings[0].observed);
}

#[test]
fn an_unknown_descriptor_is_unverifiable_and_not_a_refusal() {
    let (accepted, findings) = graduation(&graduation_claim(&graduation_json()), &known(&[new()]), CARRIER);
    assert_eq!((accepted, codes(&findings)), (None, vec![Code::Unverifiable]));
    assert_eq!(findings[0].expected, format!("descriptor {}", fed(&old())));
}

#[test]
fn a_descriptor_of_another_address_or_form_does_not_govern() {
    let mut value = graduation_json();
    value["address"] = address(0x71).into();
    let (accepted, findings) = graduation(&graduation_claim(&value), &known(&[old()]), CARRIER);
    assert_eq!((accepted, codes(&findings)), (None, vec![Code::RebDescriptor]));

    let mut agent = old();
    agent["kind"] = "agent-federation".into();
    let mut value = graduation_json();
    value["from_federation"] = fed(&agent).into();
    let (accepted, findings) = graduation(&graduation_claim(&value), &known(&[agent]), CARRIER);
    assert_eq!((accepted, codes(&findings)), (None, vec![Code::RebDescriptor]));
}

fn judge_rotation(entered: &Value, proof: impl FnOnce(&str) -> Vec<Value>) -> (Option<AcceptedRotation>, Vec<Finding>) {
    let mut value = json!({
        "v": 1, "kind": "orangecheck-federation-rotation", "address": address(USER), "from_federation": fed(&old()),
        "to_federation": fed(entered), "rotated_at": "2026-05-01T00:00:00Z", "proof": [],
    });
    let claim = |value: &Value| match decode::decode(&value.to_string()).unwrap() {
        CustodyClaim::Rotation(claim) => claim,
        other => panic!("{other:?}"),
    };
    let text = claim(&value).profiles[0].1.clone();
    value["proof"] = proof(&text).into();
    rotation(&claim(&value), &known(&[old(), entered.clone()]), CARRIER)
}

#[test]
fn the_old_guardians_rotate_and_the_new_ones_cannot() {
    let (accepted, findings) = judge_rotation(&new(), |text| vec![sign(2, text), sign(3, text), sign(5, text)]);
    let accepted = accepted.unwrap();
    assert_eq!((format!("fed:{}", accepted.from), format!("fed:{}", accepted.to)), (fed(&old()), fed(&new())));
    assert_eq!(codes(&findings), [Code::RebProfile]);

    let strangers = descriptor_json(&address(USER), "3-of-3", &[6, 7, 8]);
    let (accepted, findings) = judge_rotation(&strangers, |text| vec![sign(6, text), sign(7, text), sign(8, text)]);
    assert_eq!(accepted, None);
    assert_eq!(codes(&findings), [Code::RebSigner, Code::RebSigner, Code::RebSigner, Code::RebQuorum]);
    assert_eq!(findings[3].observed, "0 (unverified_profile)");
}

#[test]
fn a_rotation_into_another_addresss_descriptor_is_refused() {
    let foreign = descriptor_json(&address(0x71), "3-of-5", &[1, 2, 3, 4, 6]);
    let (accepted, findings) = judge_rotation(&foreign, |text| vec![sign(2, text), sign(3, text), sign(5, text)]);
    assert_eq!((accepted, codes(&findings)), (None, vec![Code::RebDescriptor]));
}

#[test]
fn a_malformed_or_misdeclared_descriptor_is_reb_descriptor() {
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut value = old();
        change(&mut value);
        judge_descriptor(&value).unwrap_err()
    };
    let zeros = refused(&|value| value["threshold"] = "03-of-05".into());
    assert_eq!((codes(&zeros), zeros[0].subject.get("problem")), (vec![Code::RebDescriptor], Some("form")));
    assert_eq!(zeros[0].observed, "threshold 03-of-05: expected 3-of-5, without leading zeros");
    let six = refused(&|value| value["threshold"] = "6-of-5".into());
    assert_eq!(six[0].observed, "threshold 6-of-5: expected M from 1 to 5");
    assert_eq!(codes(&refused(&|value| value["guardians"][0] = value["guardians"][1].clone())), [Code::RebDescriptor]);
    let other = refused(&|value| value["id"] = fed(&new()).into());
    assert_eq!(codes(&other), [Code::RebDescriptor]);
    assert_eq!((&other[0].expected, &other[0].observed), (&fed(&old()), &fed(&new())));
    let script = refused(&|value| {
        value["guardians"][0]["address"] = "bc1qp0ahvfh83088w49k405szqgg4f3pptr7p2g06tdxfjcd40z4lh4q95lsz9".into();
    });
    assert!(script[0].observed.contains(": expected a mainnet P2WPKH"), "{}", script[0].observed);
    let testnet = Address::from_str(&address(2)).unwrap().assume_checked().script_pubkey();
    let testnet = Address::from_script(&testnet, Network::Testnet).unwrap().to_string();
    refused(&|value| value["address"] = testnet.clone().into());
    // One guardian under two spellings of one address.
    let capitals = refused(&|value| value["guardians"][0]["address"] = address(2).to_uppercase().into());
    assert!(capitals[0].observed.contains(": expected a mainnet"), "{}", capitals[0].observed);
    // Near misses: the right id, and a user address that many keys share.
    let mut declared = old();
    declared["id"] = fed(&old()).into();
    assert!(judge_descriptor(&declared).is_ok());
    let mut shared = old();
    shared["address"] = "bc1qp0ahvfh83088w49k405szqgg4f3pptr7p2g06tdxfjcd40z4lh4q95lsz9".into();
    assert!(judge_descriptor(&shared).is_ok());
}

#[test]
fn an_id_declared_by_an_unknown_rule_is_named_and_not_refused() {
    let mut value = graduation_json();
    let text = graduation_claim(&value).profiles[0].1.clone();
    value["proof"] = vec![sign(1, &text), sign(2, &text), sign(3, &text), sign_self(USER, &text)].into();
    value["id"] = "00".repeat(32).into();
    let (accepted, findings) = graduation(&graduation_claim(&value), &known(&[old()]), CARRIER);
    assert!(accepted.is_some());
    assert!(findings[0].observed.contains("; declared id 000000"), "{}", findings[0].observed);
}

mod federated_attestations {
    use super::*;
    use crate::domain::AttestationId;
    use crate::evidence::attest::{self, AttestationDraft};
    use crate::verify::attest::{judge, judge_federated};

    fn content(federation: &str, signers: &[u8]) -> (String, AttestationId) {
        let draft = AttestationDraft {
            address: address(USER),
            nonce: "0".repeat(32),
            issued_at: "2026-05-01T00:00:00Z".to_owned(),
            ..AttestationDraft::default()
        };
        let message = attest::canonical_message(&draft).unwrap();
        let proof: Vec<Value> = signers.iter().map(|byte| sign(*byte, &message)).collect();
        let content = json!({
            "custody": "federation", "federation": federation, "message": message, "proof": proof,
        });
        (content.to_string(), AttestationId(sha256(message.as_bytes())))
    }

    fn judged(federation: &str, signers: &[u8]) -> Result<String, Vec<Code>> {
        let (content, id) = content(federation, signers);
        let claim = attest::decode(&content, id).unwrap();
        judge_federated(&claim, &known(&[old()]), CARRIER)
            .map(|signed| signed.scheme)
            .map_err(|findings| codes(&findings))
    }

    #[test]
    fn a_quorum_of_guardians_attests_and_less_does_not() {
        assert_eq!(judged(&fed(&old()), &[1, 2, 3]), Ok("federation".to_owned()));
        assert_eq!(judged(&fed(&old()), &[5, 6, 2, 3]), Ok("federation".to_owned()));
        assert_eq!(judged(&fed(&old()), &[1, 2, 2]), Err(vec![Code::AttSig]));
        assert_eq!(judged(&fed(&new()), &[1, 2, 3]), Err(vec![Code::Unverifiable]));
        assert_eq!(judged("fed:00", &[1, 2, 3]), Err(vec![Code::AttFields]));
    }

    #[test]
    fn without_descriptors_a_federated_attestation_is_listed_and_not_counted() {
        let (content, id) = content(&fed(&old()), &[1, 2, 3]);
        let claim = attest::decode(&content, id).unwrap();
        assert_eq!(codes(&judge(&claim, CARRIER).unwrap_err()), [Code::AttScript]);
    }

    #[test]
    fn the_descriptor_must_be_that_of_the_attested_address() {
        let foreign = descriptor_json(&address(0x71), "3-of-5", &[1, 2, 3, 4, 5]);
        let (content, id) = content(&fed(&foreign), &[1, 2, 3]);
        let claim = attest::decode(&content, id).unwrap();
        let findings = judge_federated(&claim, &known(&[foreign]), CARRIER).unwrap_err();
        assert_eq!(codes(&findings), [Code::AttFields]);
    }

    #[test]
    fn a_scheme_member_cannot_name_the_guardians_scheme() {
        let (content, id) = content(&fed(&old()), &[1, 2, 3]);
        let mut value: Value = serde_json::from_str(&content).unwrap();
        value["custody"] = Value::Null;
        value["scheme"] = "federation".into();
        value["signature"] = json!({"federation": fed(&old()), "proof": value["proof"]}).to_string().into();
        let claim = attest::decode(&value.to_string(), id).unwrap();
        let findings = judge_federated(&claim, &known(&[old()]), CARRIER).unwrap_err();
        assert_eq!(codes(&findings), [Code::AttFields]);
    }
}
