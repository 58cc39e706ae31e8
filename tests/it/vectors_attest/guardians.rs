//! Descriptors, candidate messages and quorum rules (oc-agent-protocol, derived).

use reledger::domain::{DescriptorId, sha256};
use reledger::evidence::{CustodyClaim, DescriptorClaim, custody};
use reledger::verify::quorum::{self, AgentRefusal, CustodyVerdict, SelfKey, Vote};
use serde_json::Value;

use super::{fixture, text};

fn descriptor(value: &Value) -> DescriptorClaim {
    match custody::decode(&value.to_string()).unwrap() {
        CustodyClaim::Descriptor(claim) => claim,
        other => panic!("not a descriptor: {other:?}"),
    }
}

#[test]
fn the_custody_descriptor_hashes_to_its_derived_id() {
    let vector = fixture("vectors/derived/custody-descriptor.json");
    let claim = descriptor(&vector["inputs"]);
    assert_eq!(claim.canonical, text(&vector, "/expected/canonical_message"));
    assert_eq!(claim.canonical.len(), 370);
    assert_eq!(format!("fed:{}", sha256(claim.canonical.as_bytes())), text(&vector, "/expected/id"));
    assert_eq!((claim.threshold, claim.malformed.as_slice()), (3, [].as_slice()));
}

#[test]
fn the_agent_descriptor_hashes_to_its_published_id() {
    let vector = fixture("vectors/oc-agent-protocol/v18-federation-descriptor-3of5.json");
    let claim = descriptor(&vector["expected"]["descriptor"]);
    assert_eq!(claim.canonical, text(&vector, "/expected/canonical_message"));
    assert_eq!(claim.canonical.len() as u64, vector["expected"]["canonical_message_bytes_len"].as_u64().unwrap());
    assert_eq!(sha256(claim.canonical.as_bytes()).to_hex(), text(&vector, "/expected/descriptor_id"));
    assert_eq!(claim.address, None);
}

#[test]
fn graduation_and_rotation_candidates_hash_to_their_derived_ids() {
    let vector = fixture("vectors/derived/graduation-rotation-candidates.json");
    for what in ["graduation", "rotation"] {
        let mut envelope: Value =
            serde_json::from_str(text(&vector, &format!("/{what}/profile_J/canonical_message"))).unwrap();
        envelope["proof"] = serde_json::json!([]);
        envelope["ots"] = Value::Null;
        let (profiles, declared) = match custody::decode(&envelope.to_string()).unwrap() {
            CustodyClaim::Graduation(claim) => (claim.profiles, claim.declared_id),
            CustodyClaim::Rotation(claim) => (claim.profiles, claim.declared_id),
            other => panic!("{other:?}"),
        };
        assert_eq!(declared, None);
        assert_eq!(profiles.len(), 2);
        for ((profile, message), name) in profiles.into_iter().zip(["L", "J"]) {
            assert_eq!(profile, name);
            let expected = &vector[what][format!("profile_{name}")];
            assert_eq!(message, text(expected, "/canonical_message"));
            assert_eq!(message.len() as u64, expected["bytes_len"].as_u64().unwrap());
            assert_eq!(sha256(message.as_bytes()).to_hex(), text(expected, "/id"));
        }
    }
    let after = &vector["descriptor_after_rotation"];
    let id = format!("fed:{}", sha256(text(after, "/canonical_message").as_bytes()));
    assert_eq!(id, text(after, "/id"));
}

// ---------------------------------------------------------------- quorum

#[test]
fn abstract_quorum_cases_hold_under_both_rules() {
    let vector = fixture("vectors/derived/quorum-semantics.json");
    let guardians: Vec<String> =
        vector["descriptor"]["guardians"].as_array().unwrap().iter().map(|g| g.as_str().unwrap().to_owned()).collect();
    let user = text(&vector, "/descriptor/self");
    let cases = vector["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 14);
    for case in cases {
        let name = text(case, "/name");
        let graduation = case["envelope"] == "graduation";
        let all: Vec<Vote<'_>> = case["proof"]
            .as_array()
            .unwrap()
            .iter()
            .map(|listed| Vote { signer: text(listed, "/signer"), valid: listed["sig_valid"] == true })
            .collect();
        let (own, votes): (Vec<_>, Vec<_>) = all.iter().copied().partition(|vote| graduation && vote.signer == user);
        let self_key = match (graduation, own.first()) {
            (false, _) => SelfKey::NotNeeded,
            (true, None) => SelfKey::Absent,
            (true, Some(vote)) if vote.valid => SelfKey::Good,
            (true, Some(_)) => SelfKey::Bad,
        };
        let verdict = quorum::judge_custody(&quorum::count_custody(&guardians, &votes), 3, self_key);
        let expected = match text(case, "/custody") {
            "valid" => CustodyVerdict::Valid,
            "valid_with_note" => CustodyVerdict::ValidWithNote,
            "below_threshold" => CustodyVerdict::BelowThreshold,
            "self_key_missing" => CustodyVerdict::SelfKeyMissing,
            "self_key_bad" => CustodyVerdict::SelfKeyBad,
            other => panic!("{other}"),
        };
        assert_eq!(verdict, expected, "{name}");
        if let Some(agent) = case["agent"].as_str() {
            let answer = quorum::judge_agent(&guardians, 3, &all);
            assert_eq!(answer.map_or_else(AgentRefusal::code, |()| "valid"), agent, "{name}");
            if let Some(code) = case["vector_code"].as_str() {
                assert_eq!(answer.unwrap_err().vector_code(), Some(code), "{name}");
            }
        }
    }
}

#[test]
fn agent_envelopes_get_their_published_verdicts() {
    for (file, principal) in [
        ("v19-federation-delegation-3of5-valid", "principal"),
        ("v20-federation-delegation-2of5-below-threshold", "principal"),
        ("v22-federation-delegation-unknown-guardian", "principal"),
        ("v23-federation-delegation-descriptor-id-mismatch", "principal"),
        ("v25-federation-revocation-3of5-valid", "signer"),
    ] {
        let vector = fixture(&format!("vectors/oc-agent-protocol/{file}.json"));
        let envelope = &vector["expected"]["envelope"];
        assert_eq!(judge_agent_envelope(envelope, principal), vector["expected"]["error_code"].as_str(), "{file}");
    }
    // v21 and v24 were not copied; FORMATS 8.3 says what they hold.
    let vector = fixture("vectors/oc-agent-protocol/v19-federation-delegation-3of5-valid.json");
    let mut twice = vector["expected"]["envelope"].clone();
    twice["sig"]["signatures"][2] = twice["sig"]["signatures"][1].clone();
    assert_eq!(judge_agent_envelope(&twice, "principal"), Some("E_FEDERATION_DUPLICATE_GUARDIAN"));
    let mut relaxed = vector["expected"]["envelope"].clone();
    relaxed["sig"]["threshold"] = "2-of-5".into();
    assert_eq!(judge_agent_envelope(&relaxed, "principal"), Some("E_FEDERATION_THRESHOLD_MISMATCH"));
}

fn judge_agent_envelope(envelope: &Value, principal: &str) -> Option<&'static str> {
    let claim = descriptor(&envelope[principal]["descriptor"]);
    let declared: DescriptorId = text(&envelope[principal], "/descriptor_id").parse().unwrap();
    let votes: Vec<Vote<'_>> = envelope["sig"]["signatures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|listed| Vote { signer: text(listed, "/guardian_address"), valid: true })
        .collect();
    let answer = quorum::judge_agent_principal(&claim, declared, text(envelope, "/sig/threshold"), &votes);
    answer.err().map(|refusal| refusal.vector_code().unwrap())
}

#[test]
fn agent_messages_hash_to_their_published_ids() {
    for file in [
        "v19-federation-delegation-3of5-valid",
        "v25-federation-revocation-3of5-valid",
        "v26-federation-singleaddress-baseline-unchanged",
    ] {
        let vector = fixture(&format!("vectors/oc-agent-protocol/{file}.json"));
        let message = text(&vector, "/expected/canonical_message");
        assert_eq!(message.len() as u64, vector["expected"]["canonical_message_bytes_len"].as_u64().unwrap());
        assert_eq!(sha256(message.as_bytes()).to_hex(), text(&vector, "/expected/id"), "{file}");
    }
}
