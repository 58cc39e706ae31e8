//! Custody: rebinds, guardian descriptors, graduations, rotations. Guardians sign with keys of P2WPKH addresses.

use reledger::domain::{EvidenceId, Media, sha256};
use serde_json::{Value, json};

use super::anchors::early_block;
use super::proof::hashes_then_block;
use super::scene::{AS_OF, Put, Scene, digest, evidence, iso};
use super::table::{Blame, Case, judge};

const USER: &str = "a user of guardians";
const OLD: [&str; 4] = ["guardian 1", "guardian 2", "guardian 3", "guardian 4"];
const NEW: [&str; 4] = ["guardian 1", "guardian 2", "guardian 3", "guardian 5"];
const NEWER: [&str; 4] = ["guardian 1", "guardian 2", "guardian 3", "guardian 6"];
const AT: &str = "2026-09-15T14:00:00Z";

/// 3-of-4 over these guardians, without an id (FORMATS 8.1), and that id.
fn descriptor(scene: &Scene, guardians: [&str; 4]) -> (Value, String) {
    let user = scene.hand.address(USER);
    let mut addresses = guardians.map(|label| scene.hand.address(label));
    addresses.sort();
    let mut lines = vec!["oc-attest:federation-custody:v1".to_owned(), format!("address: {user}")];
    lines.push("threshold: 3-of-4".to_owned());
    lines.extend(addresses.iter().map(|address| format!("guardian: {address}")));
    let listed = addresses.map(|address| json!({"address": address, "alg": "bip322"}));
    let value = json!({
        "v": 1, "kind": "attest-federation-custody", "address": user, "threshold": "3-of-4", "guardians": listed,
    });
    (value, format!("fed:{}", sha256(lines.join("\n").as_bytes())))
}

/// Adds a line to the custody file, which is declared with the first.
fn record(scene: &mut Scene, value: &Value) -> EvidenceId {
    if !scene.sections.contains("[custody]") {
        scene.sections = format!("\n[custody]\nfiles = [\"custody.jsonl\"]\n{}", scene.sections);
    }
    scene.appended.push(("custody.jsonl", format!("{value}\n").into_bytes()));
    evidence(Media::Custody, &value.to_string())
}

fn known(scene: &mut Scene, guardians: [&str; 4]) -> String {
    let (value, id) = descriptor(scene, guardians);
    record(scene, &value);
    id
}

fn signature(scene: &Scene, label: &str, message: &str) -> Value {
    json!({"address": scene.hand.address(label), "sig": scene.hand.message(label, message)})
}

/// A step that is recorded: the hash of its message, and its evidence.
struct Step {
    id: String,
    evidence: EvidenceId,
}

fn about(kind: &'static str, step: &Step) -> Blame {
    Blame::new(kind, &step.id).citing("carrier", step.evidence)
}

/// A graduation of that user to a single key (FORMATS 8.4, profile L), signed by these and, if asked, by the user.
fn graduation(scene: &mut Scene, signers: &[&str], self_key: bool) -> Step {
    let (user, from) = (scene.hand.address(USER), known(scene, OLD));
    let message = format!(
        "oc-attest:graduation:v1\naddress: {user}\nfrom_federation: {from}\nto: single-key\ngraduated_at: {AT}"
    );
    let mut proof: Vec<Value> = signers.iter().map(|label| signature(scene, label, &message)).collect();
    if self_key {
        let mut own = signature(scene, USER, &message);
        own["kind"] = "self-key".into();
        proof.push(own);
    }
    let value = json!({
        "v": 1, "kind": "orangecheck-graduation", "address": user, "from_federation": from, "to": "single-key",
        "graduated_at": AT, "proof": proof,
    });
    let evidence = record(scene, &value);
    Step { id: sha256(message.as_bytes()).to_hex(), evidence }
}

/// A rotation between descriptors (FORMATS 8.5, profile L), signed by the three guardians that all have in common.
fn rotation(scene: &mut Scene, from: &str, to: &str, at: &str) -> Step {
    let user = scene.hand.address(USER);
    let message = format!(
        "oc-attest:federation-rotation:v1\naddress: {user}\nfrom_federation: {from}\nto_federation: {to}\n\
         rotated_at: {at}"
    );
    let proof: Vec<Value> = OLD[..3].iter().map(|label| signature(scene, label, &message)).collect();
    let value = json!({
        "v": 1, "kind": "orangecheck-federation-rotation", "address": user, "from_federation": from,
        "to_federation": to, "rotated_at": at, "proof": proof,
    });
    let evidence = record(scene, &value);
    Step { id: sha256(message.as_bytes()).to_hex(), evidence }
}

fn rebind(user: &str, from: &str, to: &str, at: i64) -> Value {
    json!({
        "v": 1, "kind": "oc-me-rebind", "user_address": user, "from": from, "to": to, "occurred_at": iso(at),
    })
}

fn put_rebind(scene: &mut Scene, body: &Value) -> Put {
    let carrier = scene.sign(body);
    scene.put(carrier)
}

fn blamed(put: &Put) -> Blame {
    Blame::new("envelope", &put.id).citing("carrier", put.evidence)
}

fn from_self_custody(scene: &Scene) -> Value {
    rebind(&scene.hand.address(USER), "bip322", "fedimint_client", AS_OF - 3_600)
}

fn a_predecessor_that_is_not_held(scene: &mut Scene) -> Blame {
    let mut body = from_self_custody(scene);
    body["prev"] = scene.unique().into();
    blamed(&put_rebind(scene, &body))
}

fn a_chain_of_two(scene: &mut Scene) {
    let first = from_self_custody(scene);
    let prev = put_rebind(scene, &first).id;
    let mut second = rebind(&scene.hand.address(USER), "fedimint_client", "fedimint_threshold", AS_OF - 1_800);
    second["prev"] = prev.into();
    put_rebind(scene, &second);
}

fn two_out_of_one_state(scene: &mut Scene) -> Blame {
    let first = from_self_custody(scene);
    let prev = put_rebind(scene, &first).id;
    let mut last = None;
    for at in [AS_OF - 1_800, AS_OF - 900] {
        let mut body = rebind(&scene.hand.address(USER), "fedimint_client", "fedimint_threshold", at);
        body["prev"] = prev.clone().into();
        last = Some(put_rebind(scene, &body));
    }
    Blame::new("prev", prev).citing("transition", last.unwrap().evidence)
}

fn a_descriptor_under_another_id(scene: &mut Scene) -> Blame {
    let (mut value, id) = descriptor(scene, OLD);
    value["id"] = descriptor(scene, NEW).1.into();
    let cited = record(scene, &value);
    Blame::new("descriptor", id).citing("carrier", cited)
}

fn a_descriptor_under_its_id(scene: &mut Scene) {
    let (mut value, id) = descriptor(scene, OLD);
    value["id"] = id.into();
    record(scene, &value);
}

fn two_of_three_guardians(scene: &mut Scene) -> Blame {
    about("graduation", &graduation(scene, &OLD[..2], true))
}

fn three_guardians_and_the_user(scene: &mut Scene) {
    graduation(scene, &OLD[..3], true);
}

fn an_outsider_beside_a_quorum(scene: &mut Scene) -> Blame {
    about("graduation", &graduation(scene, &["guardian 1", "guardian 2", "guardian 3", "guardian 5"], true))
}

fn all_four_guardians(scene: &mut Scene) {
    graduation(scene, &OLD, true);
}

fn no_signature_of_the_user(scene: &mut Scene) -> Blame {
    about("graduation", &graduation(scene, &OLD[..3], false))
}

fn two_rotations_out_of_one_descriptor(scene: &mut Scene) -> Blame {
    let (old, new, newer) = (known(scene, OLD), known(scene, NEW), known(scene, NEWER));
    rotation(scene, &old, &new, "2026-09-01T00:00:00Z");
    let second = rotation(scene, &old, &newer, "2026-09-02T00:00:00Z");
    Blame::new("descriptor", old.trim_start_matches("fed:")).citing("rotation", second.evidence)
}

fn two_rotations_in_a_row(scene: &mut Scene) {
    let (old, new, newer) = (known(scene, OLD), known(scene, NEW), known(scene, NEWER));
    rotation(scene, &old, &new, "2026-09-01T00:00:00Z");
    rotation(scene, &new, &newer, "2026-09-02T00:00:00Z");
}

/// A rebind that an early block commits to, claimed so many seconds after that block.
fn anchored_rebind(scene: &mut Scene, after: i64) -> Put {
    let (height, time) = early_block(scene);
    let body = rebind(&scene.hand.address(USER), "bip322", "fedimint_client", time + after);
    let mut carrier = scene.sign(&body);
    scene.anchor(digest(&carrier.id), height);
    let proof = scene.confirmed(&hashes_then_block(1, height), height);
    carrier.content.insert("ots".to_owned(), proof);
    scene.put(carrier)
}

fn claimed_after_its_block(scene: &mut Scene) -> Blame {
    blamed(&anchored_rebind(scene, 7_201))
}

fn claimed_inside_the_slack(scene: &mut Scene) {
    anchored_rebind(scene, 7_200);
}

fn leaving(scene: &Scene) -> Value {
    rebind(&scene.hand.address(USER), "fedimint_threshold", "bip322", AS_OF - 3_600)
}

fn self_custody_without_a_graduation(scene: &mut Scene) -> Blame {
    let body = leaving(scene);
    blamed(&put_rebind(scene, &body))
}

fn self_custody_after_a_graduation(scene: &mut Scene) {
    graduation(scene, &OLD[..3], true);
    let body = leaving(scene);
    put_rebind(scene, &body);
}

fn a_graduation_of_somebody_else(scene: &mut Scene) -> Blame {
    let step = graduation(scene, &OLD[..3], true);
    let mut body = leaving(scene);
    body["user_address"] = scene.hand.address("somebody else").into();
    body["graduation_id"] = step.id.into();
    blamed(&put_rebind(scene, &body))
}

fn ones_own_graduation(scene: &mut Scene) {
    let step = graduation(scene, &OLD[..3], true);
    let mut body = leaving(scene);
    body["graduation_id"] = step.id.into();
    put_rebind(scene, &body);
}

fn a_form_that_nobody_published(scene: &mut Scene) -> Blame {
    about("graduation", &graduation(scene, &OLD[..3], true))
}

fn descriptors_alone(scene: &mut Scene) {
    known(scene, OLD);
    known(scene, NEW);
}

#[test]
fn every_fault_of_a_rebind_has_its_code() {
    judge(&[
        Case {
            code: "REB_GAP",
            severity: "error",
            exit: 1,
            fault: a_predecessor_that_is_not_held,
            beside: &[],
            near_miss: a_chain_of_two,
            near_miss_beside: &[],
        },
        Case {
            code: "ENV_EQUIVOCATION",
            severity: "critical",
            exit: 1,
            fault: two_out_of_one_state,
            // Whichever is followed, the other starts where the user no longer is.
            beside: &["REB_GAP"],
            near_miss: a_chain_of_two,
            near_miss_beside: &[],
        },
        Case {
            code: "REB_ANCHOR_TIME",
            severity: "error",
            exit: 1,
            fault: claimed_after_its_block,
            beside: &[],
            near_miss: claimed_inside_the_slack,
            near_miss_beside: &[],
        },
        Case {
            code: "REB_GRADUATION_MISSING",
            severity: "info",
            exit: 0,
            fault: self_custody_without_a_graduation,
            beside: &[],
            near_miss: self_custody_after_a_graduation,
            near_miss_beside: &["REB_PROFILE"],
        },
        Case {
            code: "REB_INVARIANT",
            severity: "error",
            exit: 1,
            fault: a_graduation_of_somebody_else,
            beside: &["REB_PROFILE"],
            near_miss: ones_own_graduation,
            near_miss_beside: &["REB_PROFILE"],
        },
    ]);
}

#[test]
fn every_fault_of_guardians_has_its_code() {
    judge(&[
        Case {
            code: "REB_DESCRIPTOR",
            severity: "critical",
            exit: 1,
            fault: a_descriptor_under_another_id,
            // It is the only custody record, and it is refused.
            beside: &["SRC_EMPTY"],
            near_miss: a_descriptor_under_its_id,
            near_miss_beside: &[],
        },
        Case {
            code: "REB_QUORUM",
            severity: "critical",
            exit: 1,
            fault: two_of_three_guardians,
            beside: &[],
            near_miss: three_guardians_and_the_user,
            near_miss_beside: &["REB_PROFILE"],
        },
        Case {
            code: "REB_SIGNER",
            severity: "error",
            exit: 1,
            fault: an_outsider_beside_a_quorum,
            beside: &["REB_PROFILE"],
            near_miss: all_four_guardians,
            near_miss_beside: &["REB_PROFILE"],
        },
        Case {
            code: "REB_SELF_KEY",
            severity: "critical",
            exit: 1,
            fault: no_signature_of_the_user,
            beside: &[],
            near_miss: three_guardians_and_the_user,
            near_miss_beside: &["REB_PROFILE"],
        },
        Case {
            code: "REB_FORK",
            severity: "critical",
            exit: 1,
            fault: two_rotations_out_of_one_descriptor,
            beside: &["REB_PROFILE"],
            near_miss: two_rotations_in_a_row,
            near_miss_beside: &["REB_PROFILE"],
        },
        Case {
            code: "REB_PROFILE",
            severity: "info",
            exit: 0,
            fault: a_form_that_nobody_published,
            beside: &[],
            near_miss: descriptors_alone,
            near_miss_beside: &[],
        },
    ]);
}
