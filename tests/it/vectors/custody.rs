//! Guardian descriptors, candidate messages, quorum rules (FORMATS 8).

use reledger::domain::{DescriptorId, sha256};
use reledger::evidence::{CustodyClaim, DescriptorClaim, custody};
use reledger::verify::quorum::{self, AgentRefusal, CustodyVerdict, SelfKey, Vote};
use serde_json::{Value, json};

use super::case::{Case, Input, list, text, vector};

fn descriptor(value: &Value) -> DescriptorClaim {
    match custody::decode(&value.to_string()).unwrap() {
        CustodyClaim::Descriptor(claim) => claim,
        other => panic!("not a descriptor: {other:?}"),
    }
}

/// The id as the protocol of its form writes it.
pub(super) fn descriptor_id(value: &Value) -> String {
    let claim = descriptor(value);
    let prefix = if claim.address.is_some() { "fed:" } else { "" };
    format!("{prefix}{}", sha256(claim.canonical.as_bytes()))
}

/// Id, length, M and N; refused with everything that is malformed.
pub(super) fn identified(value: &Value) -> Result<String, String> {
    let claim = descriptor(value);
    if !claim.malformed.is_empty() {
        return Err(claim.malformed.join("; "));
    }
    let (bytes, n) = (claim.canonical.len(), claim.guardians.len());
    Ok(format!("{} {bytes} bytes {} of {n}", descriptor_id(value), claim.threshold))
}

/// The candidate message of that profile, its length and its hash.
pub(super) fn candidate(envelope: &Value, profile: &str) -> String {
    let (profiles, declared) = match custody::decode(&envelope.to_string()).unwrap() {
        CustodyClaim::Graduation(claim) => (claim.profiles, claim.declared_id),
        CustodyClaim::Rotation(claim) => (claim.profiles, claim.declared_id),
        other => panic!("{other:?}"),
    };
    assert_eq!((declared, profiles.len()), (None, 2));
    let (_, message) = profiles.into_iter().find(|(name, _)| *name == profile).unwrap();
    format!("{} bytes {}\n{message}", message.len(), sha256(message.as_bytes()))
}

/// Abstract votes of `quorum-semantics.json` under the rule `custody` or `agent`.
pub(super) fn voted(input: &Value, rule: &str) -> String {
    let (descriptor, case) = (&input["descriptor"], &input["case"]);
    let guardians: Vec<String> =
        list(descriptor, "guardians").iter().map(|one| one.as_str().unwrap().to_owned()).collect();
    let user = text(descriptor, "/self");
    let graduation = case["envelope"] == "graduation";
    let vote =
        |listed: &'_ Value| -> (String, bool) { (text(listed, "/signer").to_owned(), listed["sig_valid"] == true) };
    let listed: Vec<(String, bool)> = list(case, "proof").iter().map(vote).collect();
    let all: Vec<Vote<'_>> = listed.iter().map(|(signer, valid)| Vote { signer, valid: *valid }).collect();
    if rule == "agent" {
        return quorum::judge_agent(&guardians, 3, &all).map_or_else(refusal, |()| "valid".to_owned());
    }
    let (own, votes): (Vec<_>, Vec<_>) = all.iter().copied().partition(|vote| graduation && vote.signer == user);
    let self_key = match (graduation, own.first()) {
        (false, _) => SelfKey::NotNeeded,
        (true, None) => SelfKey::Absent,
        (true, Some(vote)) if vote.valid => SelfKey::Good,
        (true, Some(_)) => SelfKey::Bad,
    };
    match quorum::judge_custody(&quorum::count_custody(&guardians, &votes), 3, self_key) {
        CustodyVerdict::Valid => "valid",
        CustodyVerdict::ValidWithNote => "valid_with_note",
        CustodyVerdict::BelowThreshold => "below_threshold",
        CustodyVerdict::SelfKeyMissing => "self_key_missing",
        CustodyVerdict::SelfKeyBad => "self_key_bad",
    }
    .to_owned()
}

/// The name in the reference code, and the one in the vectors where there is one.
fn refusal(refusal: AgentRefusal) -> String {
    let more = refusal.vector_code().map(|code| format!(" {code}"));
    refusal.code().to_owned() + &more.unwrap_or_default()
}

/// The signatures in these vectors are placeholders, so all of them are believed.
pub(super) fn agent_verdict(envelope: &Value, principal: &str) -> Result<String, String> {
    let claim = descriptor(&envelope[principal]["descriptor"]);
    let declared: DescriptorId = text(&envelope[principal], "/descriptor_id").parse().unwrap();
    let signers = list(&envelope["sig"], "signatures").iter().map(|listed| text(listed, "/guardian_address"));
    let votes: Vec<Vote<'_>> = signers.map(|signer| Vote { signer, valid: true }).collect();
    let answer = quorum::judge_agent_principal(&claim, declared, text(envelope, "/sig/threshold"), &votes);
    answer.map(|()| "valid".to_owned()).map_err(|refusal| refusal.vector_code().unwrap().to_owned())
}

pub(super) fn cases() -> Vec<Case> {
    [descriptors(), candidates(), semantics(), agents(), malformed()].concat()
}

fn descriptors() -> Vec<Case> {
    let from = "derived/custody-descriptor.json";
    let derived = vector(from);
    let id = format!("{} 370 bytes 3 of 5", text(&derived, "/expected/id"));
    let custody = Case::new("8.1 custody descriptor", "3 of 5", from, Input::Descriptor(derived["inputs"].clone()), id);
    let from = "oc-agent-protocol/v18-federation-descriptor-3of5.json";
    let published = vector(from);
    let expected = &published["expected"];
    let id = format!("{} {} bytes 3 of 5", text(expected, "/descriptor_id"), expected["canonical_message_bytes_len"]);
    let input = Input::Descriptor(expected["descriptor"].clone());
    vec![custody, Case::new("8.2 agent descriptor and messages", "v18", from, input, id)]
}

fn candidates() -> Vec<Case> {
    let from = "derived/graduation-rotation-candidates.json";
    let vector = vector(from);
    let mut cases = Vec::new();
    for (what, row) in [("graduation", "8.4 graduation candidates"), ("rotation", "8.5 rotation candidates")] {
        let mut envelope: Value =
            serde_json::from_str(text(&vector, &format!("/{what}/profile_J/canonical_message"))).unwrap();
        envelope["proof"] = json!([]);
        envelope["ots"] = Value::Null;
        for profile in ["L", "J"] {
            let expected = &vector[what][format!("profile_{profile}")];
            let message = text(expected, "/canonical_message");
            let wanted = format!("{} bytes {}\n{message}", expected["bytes_len"], text(expected, "/id"));
            let name = format!("profile {profile}");
            cases.push(Case::new(row, name, from, Input::Candidate(envelope.clone(), profile), wanted));
        }
    }
    let after = &vector["descriptor_after_rotation"];
    let hashed = Input::Hashed(text(after, "/canonical_message").to_owned());
    let id = text(after, "/id").trim_start_matches("fed:");
    cases.push(Case::new("8.5 rotation candidates", "the descriptor it leads to", from, hashed, id));
    cases
}

fn semantics() -> Vec<Case> {
    const ROW: &str = "12 quorum: abstract custody, graduation and rotation cases";
    let from = "derived/quorum-semantics.json";
    let vector = vector(from);
    let cases = list(&vector, "cases");
    assert_eq!(cases.len(), 14);
    let mut table = Vec::new();
    for case in cases {
        let input = json!({"descriptor": vector["descriptor"], "case": case});
        let name = |rule: &str| format!("{}, {rule} rule", text(case, "/name"));
        let custody = Input::Votes(input.clone(), "custody");
        table.push(Case::new(ROW, name("custody"), from, custody, text(case, "/custody")));
        if let Some(agent) = case["agent"].as_str() {
            let known = ["E_THRESHOLD_NOT_MET", "E_DUPLICATE_GUARDIAN", "E_UNKNOWN_GUARDIAN"];
            let vectors =
                ["E_FEDERATION_BELOW_THRESHOLD", "E_FEDERATION_DUPLICATE_GUARDIAN", "E_FEDERATION_UNKNOWN_GUARDIAN"];
            // FORMATS 8.3, the table: both names of each refusal.
            let twin = known.iter().zip(vectors).find(|(code, _)| *code == &agent).map(|(_, twin)| twin);
            assert!(case["vector_code"].as_str().is_none_or(|code| Some(code) == twin));
            let wanted = twin.map_or_else(|| agent.to_owned(), |twin| format!("{agent} {twin}"));
            table.push(Case::new(ROW, name("agent"), from, Input::Votes(input, "agent"), wanted));
        }
    }
    table
}

fn agents() -> Vec<Case> {
    let mut cases = Vec::new();
    for (file, principal, row) in [
        ("v19-federation-delegation-3of5-valid", "principal", "8.3 quorum"),
        ("v20-federation-delegation-2of5-below-threshold", "principal", "12 quorum: v20 E_FEDERATION_BELOW_THRESHOLD"),
        ("v21-federation-delegation-duplicate-guardian", "principal", "12 quorum: v21 E_FEDERATION_DUPLICATE_GUARDIAN"),
        ("v22-federation-delegation-unknown-guardian", "principal", "12 quorum: v22 E_FEDERATION_UNKNOWN_GUARDIAN"),
        (
            "v23-federation-delegation-descriptor-id-mismatch",
            "principal",
            "12 quorum: v23 E_FEDERATION_DESCRIPTOR_MISMATCH",
        ),
        ("v24-federation-delegation-threshold-mismatch", "principal", "12 quorum: v24 E_FEDERATION_THRESHOLD_MISMATCH"),
        ("v25-federation-revocation-3of5-valid", "signer", "8.3 quorum"),
    ] {
        let from = format!("oc-agent-protocol/{file}.json");
        let vector = vector(&from);
        let input = Input::AgentEnvelope(vector["expected"]["envelope"].clone(), principal);
        cases.push(match vector["expected"]["error_code"].as_str() {
            Some(code) => Case::refused(row, file, from, input, code),
            None => Case::new(row, file, from, input, "valid"),
        });
    }
    for file in [
        "v19-federation-delegation-3of5-valid",
        "v25-federation-revocation-3of5-valid",
        "v26-federation-singleaddress-baseline-unchanged",
    ] {
        let from = format!("oc-agent-protocol/{file}.json");
        let vector = vector(&from);
        let message = text(&vector, "/expected/canonical_message");
        assert_eq!(message.len() as u64, vector["expected"]["canonical_message_bytes_len"].as_u64().unwrap());
        let (row, name) = ("8.2 agent descriptor and messages", format!("{file}, its message"));
        cases.push(Case::new(row, name, from, Input::Hashed(message.to_owned()), text(&vector, "/expected/id")));
    }
    cases
}

/// FORMATS 8.3 and issue "malformed descriptors": the member and both values.
fn malformed() -> Vec<Case> {
    const ROW: &str = "8.3 malformed descriptors";
    let valid = vector("derived/custody-descriptor.json")["inputs"].clone();
    let with = |pointer: &str, value: Value| {
        let mut changed = valid.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        Input::Descriptor(changed)
    };
    let from = "derived: custody-descriptor.json";
    let mut twice = valid.clone();
    twice["guardians"][1] = twice["guardians"][0].clone();
    [
        ("03-of-05", with("/threshold", "03-of-05".into()), "leading zeros"),
        ("6-of-5", with("/threshold", "6-of-5".into()), "threshold 6-of-5: expected M from 1 to 5"),
        ("0-of-5", with("/threshold", "0-of-5".into()), "threshold 0-of-5: expected M from 1 to 5"),
        ("3-of-4 of five", with("/threshold", "3-of-4".into()), "guardians has 5: expected 4 by the threshold"),
        ("three of five", with("/threshold", "three of five".into()), "threshold three of five: expected M-of-N"),
        ("version 2", with("/v", 2.into()), "v 2: expected 1"),
        ("another algorithm", with("/guardians/2/alg", "schnorr".into()), "alg"),
        ("one guardian twice", Input::Descriptor(twice), "twice"),
    ]
    .into_iter()
    .map(|(name, input, reason)| Case::refused(ROW, name, from, input, reason))
    .collect()
}
