//! Settlements: signature, identity, direction, what a kind requires, preimages, and money that nothing explains.

use reledger::domain::{EvidenceId, Media, sha256};
use reledger::sim::Artifact;
use serde_json::{Value, json};

use super::scene::{AS_OF, Scene, evidence};
use super::table::{Blame, Case, judge};

const SIGNED: [&str; 17] = [
    "kind",
    "federation_slug",
    "operation_id",
    "amount_sats",
    "direction",
    "settled_at",
    "payment_hash",
    "preimage",
    "txid",
    "gateway_pubkey",
    "project_key",
    "user_address",
    "payout_binding_id",
    "distribution_id",
    "operator_id",
    "destination",
    "note",
];

/// A settlement in the log, as findings name it.
pub(crate) struct Settled {
    pub(crate) digest: String,
    pub(crate) operation: String,
    pub(crate) evidence: EvidenceId,
}

/// The signed bytes: members in signing order, `null` for absent ones, the fee only when it is known.
pub(crate) fn canonical(event: &Value) -> String {
    let mut members: Vec<String> = SIGNED.iter().map(|name| format!("\"{name}\":{}", event[*name])).collect();
    members.extend(event.get("fee_sats").map(|fee| format!("\"fee_sats\":{fee}")));
    format!("{{{}}}", members.join(","))
}

pub(crate) fn line_by(scene: &Scene, event: &Value, key: &str) -> String {
    let bytes = canonical(event);
    let (public, signature) = (scene.hand.ed25519_public(key), scene.hand.ed25519(key, bytes.as_bytes()));
    format!("{{\"event\":{bytes},\"pubkey_hex\":\"{public}\",\"sig_hex\":\"{signature}\"}}")
}

fn named(event: &Value, line: &str) -> Settled {
    Settled {
        digest: sha256(canonical(event).as_bytes()).to_hex(),
        operation: event["operation_id"].as_str().unwrap().to_owned(),
        evidence: evidence(Media::Settlement, line),
    }
}

fn settle_by(scene: &mut Scene, event: &Value, key: &str) -> Settled {
    let line = line_by(scene, event, key);
    let settled = named(event, &line);
    scene.world.settlements.push(line);
    settled
}

pub(crate) fn settle(scene: &mut Scene, event: &Value) -> Settled {
    settle_by(scene, event, "settlement")
}

pub(crate) fn about(settled: &Settled, role: &'static str) -> Blame {
    Blame::new("settlement", &settled.digest).citing(role, settled.evidence)
}

pub(crate) fn event(scene: &mut Scene, kind: &str, direction: &str, sats: u64) -> Value {
    json!({
        "kind": kind, "federation_slug": "oc-me-v1", "operation_id": scene.unique(), "amount_sats": sats,
        "direction": direction, "settled_at": AS_OF - 40 * 86_400,
    })
}

/// A correction that explains itself.
fn adjustment(scene: &mut Scene) -> Value {
    let mut adjustment = event(scene, "adjustment", "in", 100);
    adjustment["note"] = "a rounding of June".into();
    adjustment
}

/// Edits the newest settlement of that kind and signs it again.
pub(crate) fn resettle(scene: &mut Scene, kind: &str, edit: impl FnOnce(&mut Value)) -> Settled {
    let at = scene.world.settlements.iter().rposition(|line| line.contains(&format!("\"kind\":\"{kind}\""))).unwrap();
    let line: Value = serde_json::from_str(&scene.world.settlements[at]).unwrap();
    let mut event = line["event"].clone();
    edit(&mut event);
    let line = line_by(scene, &event, "settlement");
    let settled = named(&event, &line);
    scene.world.settlements[at] = line;
    settled
}

fn a_changed_amount_under_the_old_signature(scene: &mut Scene) -> Blame {
    let mut event = adjustment(scene);
    let line = line_by(scene, &event, "settlement").replace("\"amount_sats\":100,", "\"amount_sats\":101,");
    event["amount_sats"] = 101.into();
    let settled = named(&event, &line);
    scene.world.settlements.push(line);
    about(&settled, "carrier")
}

fn an_honest_adjustment(scene: &mut Scene) {
    let event = adjustment(scene);
    settle(scene, &event);
}

fn a_key_that_is_not_pinned(scene: &mut Scene) -> Blame {
    let event = adjustment(scene);
    about(&settle_by(scene, &event, "another settler"), "carrier")
}

fn a_second_pinned_key(scene: &mut Scene) {
    let event = adjustment(scene);
    settle_by(scene, &event, "another settler");
    let (first, second) = (scene.hand.ed25519_public("settlement"), scene.hand.ed25519_public("another settler"));
    scene.replaced.push((format!("[\"{first}\"]"), format!("[\"{first}\", \"{second}\"]")));
}

fn a_member_that_nobody_signed(scene: &mut Scene) -> Blame {
    let event = adjustment(scene);
    let line = line_by(scene, &event, "settlement").replacen('{', "{\"verified\":true,", 1);
    let settled = named(&event, &line);
    scene.world.settlements.push(line);
    about(&settled, "carrier")
}

fn other_white_space(scene: &mut Scene) {
    let event = adjustment(scene);
    let line = line_by(scene, &event, "settlement").replacen('{', "{ ", 1);
    scene.world.settlements.push(line);
}

fn delivered_twice(scene: &mut Scene) -> Blame {
    let event = adjustment(scene);
    let settled = settle(scene, &event);
    let again = line_by(scene, &event, "settlement").replacen('{', "{ ", 1);
    scene.world.settlements.push(again);
    Blame::new("operation", &settled.operation).citing("delivery", settled.evidence)
}

fn the_same_line_twice(scene: &mut Scene) {
    let event = adjustment(scene);
    settle(scene, &event);
    settle(scene, &event);
}

fn one_operation_with_two_notes(scene: &mut Scene) -> Blame {
    let mut event = adjustment(scene);
    settle(scene, &event);
    event["settled_at"] = (event["settled_at"].as_i64().unwrap() + 1).into();
    event["note"] = "a rounding of July".into();
    let second = settle(scene, &event);
    Blame::new("operation", &second.operation).citing("other", second.evidence)
}

fn two_operations_with_one_note(scene: &mut Scene) {
    for _ in 0..2 {
        an_honest_adjustment(scene);
    }
}

fn an_operation_of_another_form(scene: &mut Scene) -> Blame {
    let mut event = adjustment(scene);
    event["operation_id"] = "op-2026-1".into();
    about(&settle(scene, &event), "settlement")
}

fn a_payout_without_its_binding(scene: &mut Scene) -> Blame {
    about(&resettle(scene, "distribution.settled", |event| event["payout_binding_id"] = Value::Null), "settlement")
}

fn a_payout_without_a_gateway(scene: &mut Scene) {
    resettle(scene, "distribution.settled", |event| event["gateway_pubkey"] = Value::Null);
}

fn operator_payout(scene: &mut Scene, direction: &str) -> Settled {
    let mut event = event(scene, "operator.payout", direction, 10);
    event["operator_id"] = "guardian-1".into();
    event["destination"] = "guardian@federation.example".into();
    event["txid"] = scene.unique().into();
    settle(scene, &event)
}

fn an_operator_pays_in(scene: &mut Scene) -> Blame {
    about(&operator_payout(scene, "in"), "settlement")
}

fn an_operator_is_paid(scene: &mut Scene) {
    operator_payout(scene, "out");
}

fn another_preimage(scene: &mut Scene) -> Blame {
    let other = sha256(b"another preimage").to_hex();
    about(&resettle(scene, "distribution.settled", |event| event["preimage"] = other.into()), "carrier")
}

fn the_preimage_in_capitals(scene: &mut Scene) {
    resettle(scene, "distribution.settled", |event| {
        event["preimage"] = event["preimage"].as_str().unwrap().to_uppercase().into();
    });
}

fn a_payout_without_a_preimage(scene: &mut Scene) -> Blame {
    about(&resettle(scene, "distribution.settled", |event| event["preimage"] = Value::Null), "settlement")
}

fn a_deposit_without_a_preimage(scene: &mut Scene) {
    resettle(scene, "escrow.deposit", |event| event["preimage"] = Value::Null);
}

fn onchain_deposit(scene: &mut Scene, project: &str) -> Settled {
    let mut event = event(scene, "escrow.deposit", "in", 1_000);
    event["txid"] = scene.unique().into();
    event["project_key"] = project.into();
    settle(scene, &event)
}

fn a_deposit_of_an_unknown_project(scene: &mut Scene) -> Blame {
    about(&onchain_deposit(scene, "pk_live_nobody"), "settlement")
}

fn a_deposit_of_a_known_project(scene: &mut Scene) {
    let body = scene.body(Artifact::Event, |_| true);
    onchain_deposit(scene, body["project_key"].as_str().unwrap());
}

#[test]
fn every_fault_of_a_settlements_signature_and_identity_has_its_code() {
    judge(&[
        Case {
            code: "SIG_BAD",
            severity: "critical",
            exit: 1,
            fault: a_changed_amount_under_the_old_signature,
            beside: &[],
            near_miss: an_honest_adjustment,
            near_miss_beside: &[],
        },
        Case {
            code: "SIG_KEY_UNKNOWN",
            severity: "error",
            exit: 1,
            fault: a_key_that_is_not_pinned,
            beside: &[],
            near_miss: a_second_pinned_key,
            near_miss_beside: &[],
        },
        Case {
            code: "SIG_UNSIGNED_FIELDS",
            severity: "warn",
            exit: 0,
            fault: a_member_that_nobody_signed,
            beside: &[],
            near_miss: other_white_space,
            near_miss_beside: &[],
        },
        Case {
            code: "OP_REPLAY",
            severity: "info",
            exit: 0,
            fault: delivered_twice,
            beside: &[],
            near_miss: the_same_line_twice,
            near_miss_beside: &[],
        },
        Case {
            code: "OP_CONFLICT",
            severity: "critical",
            exit: 1,
            fault: one_operation_with_two_notes,
            beside: &[],
            near_miss: two_operations_with_one_note,
            near_miss_beside: &[],
        },
        Case {
            code: "OP_MALFORMED",
            severity: "warn",
            exit: 0,
            fault: an_operation_of_another_form,
            beside: &[],
            near_miss: an_honest_adjustment,
            near_miss_beside: &[],
        },
    ]);
}

#[test]
fn every_fault_of_a_settlements_content_has_its_code() {
    judge(&[
        Case {
            code: "FIELD_MISSING",
            severity: "error",
            exit: 1,
            fault: a_payout_without_its_binding,
            beside: &[],
            near_miss: a_payout_without_a_gateway,
            near_miss_beside: &[],
        },
        Case {
            code: "DIR_WRONG",
            severity: "error",
            exit: 1,
            fault: an_operator_pays_in,
            beside: &[],
            near_miss: an_operator_is_paid,
            near_miss_beside: &[],
        },
        Case {
            code: "PRE_INVALID",
            severity: "critical",
            exit: 1,
            fault: another_preimage,
            beside: &[],
            near_miss: the_preimage_in_capitals,
            near_miss_beside: &[],
        },
        Case {
            code: "PRE_MISSING",
            severity: "warn",
            exit: 0,
            fault: a_payout_without_a_preimage,
            beside: &[],
            near_miss: a_deposit_without_a_preimage,
            near_miss_beside: &[],
        },
        Case {
            code: "SET_ORPHAN",
            severity: "error",
            exit: 1,
            fault: a_deposit_of_an_unknown_project,
            beside: &[],
            near_miss: a_deposit_of_a_known_project,
            near_miss_beside: &[],
        },
    ]);
}
