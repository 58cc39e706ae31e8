//! Signed envelopes: address, signature, wrapper, fields, and one identity claimed twice.

use reledger::sim::Artifact;
use serde_json::{Value, json};

use super::scene::{AS_OF, KID, Put, Scene, iso};
use super::table::{Blame, Case, judge};

const EARLIER: i64 = AS_OF - 600;

fn about(put: &Put) -> Blame {
    Blame::new("envelope", &put.id).citing("carrier", put.evidence)
}

fn another_address(scene: &mut Scene) -> Blame {
    let body = scene.event_at(EARLIER);
    let mut carrier = scene.sign(&body);
    carrier.id = scene.unique();
    carrier.content.insert("id".to_owned(), carrier.id.clone().into());
    about(&scene.put(carrier))
}

fn an_honest_event(scene: &mut Scene) {
    let body = scene.event_at(EARLIER);
    scene.bill(&body);
}

fn no_signature(scene: &mut Scene) -> Blame {
    let body = scene.event_at(EARLIER);
    let mut carrier = scene.sign(&body);
    carrier.content.remove("sig");
    about(&scene.put(carrier))
}

fn the_signature_in_a_tag(scene: &mut Scene) {
    let body = scene.event_at(EARLIER);
    let mut carrier = scene.sign(&body);
    for name in ["sig", "kid"] {
        let value = carrier.content.remove(name).unwrap();
        carrier.tags.push(vec![name.to_owned(), value.as_str().unwrap().to_owned()]);
    }
    scene.bill_as(&body, carrier);
}

fn signed_by_the_key_before(scene: &mut Scene) -> Blame {
    let body = scene.event_at(EARLIER);
    let mut carrier = scene.sign(&body);
    carrier.content["sig"] = scene.hand.ed25519("env-2026-05", body.to_string().as_bytes()).into();
    about(&scene.put(carrier))
}

fn signed_and_named_by_the_key_before(scene: &mut Scene) {
    let body = scene.event_at(EARLIER);
    let carrier = scene.sign_bytes(body.to_string().as_bytes(), "env-2026-05");
    scene.bill_as(&body, carrier);
}

fn a_wrapper_with_another_amount(scene: &mut Scene) -> Blame {
    let body = scene.event_at(EARLIER);
    let mut carrier = scene.sign(&body);
    carrier.content.insert("gross_fee_sats".to_owned(), 1.into());
    about(&scene.put(carrier))
}

fn a_wrapper_with_the_same_amount(scene: &mut Scene) {
    let body = scene.event_at(EARLIER);
    let mut carrier = scene.sign(&body);
    carrier.content.insert("gross_fee_sats".to_owned(), body["gross_fee_sats"].clone());
    scene.bill_as(&body, carrier);
}

fn one_key_twice(scene: &mut Scene) -> Blame {
    let body = scene.event_at(EARLIER);
    let bytes = body.to_string().replacen('{', "{\"v\":2,", 1);
    let carrier = scene.sign_bytes(bytes.as_bytes(), KID);
    about(&scene.put(carrier))
}

fn one_key_in_two_objects(scene: &mut Scene) {
    let mut body = scene.event_at(EARLIER);
    body["site"]["v"] = 2.into();
    scene.bill(&body);
}

fn no_class(scene: &mut Scene) -> Blame {
    let mut body = scene.event_at(EARLIER);
    body.as_object_mut().unwrap().remove("class");
    let carrier = scene.sign(&body);
    about(&scene.put(carrier))
}

fn a_member_of_the_future(scene: &mut Scene) {
    let mut body = scene.event_at(EARLIER);
    body["settlement_hint"] = json!({"v": 9});
    scene.bill(&body);
}

fn is_closed(body: &Value) -> bool {
    body["sealed_at"].is_string()
}

fn a_second_manifest(scene: &mut Scene) -> Blame {
    let mut body = scene.body(Artifact::Drop, is_closed);
    body["label"] = "another label".into();
    let carrier = scene.sign(&body);
    let put = scene.put(carrier);
    Blame::new("window", body["window_id"].as_str().unwrap()).citing("manifest", put.evidence)
}

fn one_manifest_twice(scene: &mut Scene) {
    let body = scene.body(Artifact::Drop, is_closed);
    let exact = scene.world.envelopes.iter().rfind(|envelope| envelope.kind == Artifact::Drop).unwrap().clone();
    assert_eq!(serde_json::from_slice::<Value>(&exact.canonical).unwrap(), body);
    let mut carrier = scene.sign_bytes(&exact.canonical, KID);
    carrier.publisher = "a stranger";
    scene.put(carrier);
}

fn one_idempotency_key_for_two_contents(scene: &mut Scene) -> Blame {
    let first = scene.event_at(EARLIER);
    scene.bill(&first);
    let mut second = first.clone();
    second["site"]["domain"] = "www.elsewhere.example".into();
    scene.bill(&second);
    Blame::new("idempotency_key", first["idempotency_key"].as_str().unwrap())
}

fn one_idempotency_key_at_two_times(scene: &mut Scene) -> Blame {
    let first = scene.event_at(EARLIER);
    let put = scene.bill(&first);
    let mut second = first.clone();
    second["occurred_at"] = iso(EARLIER + 1).into();
    scene.bill(&second);
    Blame::new("idempotency_key", first["idempotency_key"].as_str().unwrap()).citing("first", put.evidence)
}

fn one_idempotency_key_in_two_projects(scene: &mut Scene) {
    let first = scene.event_at(EARLIER);
    let other = scene.body(Artifact::Event, |body| {
        body["project_key"] != first["project_key"] && body.get("drop").is_none() && body.get("context").is_none()
    });
    let mut second = scene.again(other, EARLIER);
    second["idempotency_key"] = first["idempotency_key"].clone();
    // Earnings of one user at two sites could exceed a share cap; of two users they can't.
    assert_ne!(super::scene::user_of(&first), super::scene::user_of(&second));
    scene.bill(&first);
    scene.bill(&second);
}

fn a_second_after_the_as_of(scene: &mut Scene) -> Blame {
    let body = scene.event_at(AS_OF + 1);
    let carrier = scene.sign(&body);
    about(&scene.put(carrier))
}

fn at_the_as_of(scene: &mut Scene) {
    let body = scene.event_at(AS_OF);
    scene.bill(&body);
}

#[test]
fn every_fault_of_a_signed_envelope_has_its_code() {
    judge(&[
        Case {
            code: "ENV_ADDRESS_MISMATCH",
            severity: "critical",
            exit: 1,
            fault: another_address,
            beside: &[],
            near_miss: an_honest_event,
            near_miss_beside: &[],
        },
        Case {
            code: "ENV_UNSIGNED",
            severity: "error",
            exit: 1,
            fault: no_signature,
            beside: &[],
            near_miss: the_signature_in_a_tag,
            near_miss_beside: &[],
        },
        Case {
            code: "ENV_SIG_BAD",
            severity: "critical",
            exit: 1,
            fault: signed_by_the_key_before,
            beside: &[],
            near_miss: signed_and_named_by_the_key_before,
            near_miss_beside: &[],
        },
        Case {
            code: "ENV_WRAPPER_DISAGREES",
            severity: "critical",
            exit: 1,
            fault: a_wrapper_with_another_amount,
            beside: &[],
            near_miss: a_wrapper_with_the_same_amount,
            near_miss_beside: &[],
        },
        Case {
            code: "ENV_DUPLICATE_KEY",
            severity: "error",
            exit: 1,
            fault: one_key_twice,
            beside: &[],
            near_miss: one_key_in_two_objects,
            near_miss_beside: &[],
        },
        Case {
            code: "ENV_SCHEMA",
            severity: "warn",
            exit: 0,
            fault: no_class,
            beside: &[],
            near_miss: a_member_of_the_future,
            near_miss_beside: &[],
        },
    ]);
}

#[test]
fn every_fault_of_an_envelopes_identity_and_time_has_its_code() {
    judge(&[
        Case {
            code: "ENV_EQUIVOCATION",
            severity: "critical",
            exit: 1,
            fault: a_second_manifest,
            beside: &[],
            near_miss: one_manifest_twice,
            near_miss_beside: &[],
        },
        Case {
            code: "ENV_EQUIVOCATION",
            severity: "critical",
            exit: 1,
            fault: one_idempotency_key_for_two_contents,
            // Two contents are two billings as well.
            beside: &["ENV_DOUBLE_BILLING", "CAP_SITE_SHARE"],
            near_miss: one_idempotency_key_in_two_projects,
            near_miss_beside: &[],
        },
        Case {
            code: "ENV_DOUBLE_BILLING",
            severity: "error",
            exit: 1,
            fault: one_idempotency_key_at_two_times,
            beside: &[],
            near_miss: one_idempotency_key_in_two_projects,
            near_miss_beside: &[],
        },
        Case {
            code: "ENV_TIME",
            severity: "warn",
            exit: 0,
            fault: a_second_after_the_as_of,
            beside: &[],
            near_miss: at_the_as_of,
            near_miss_beside: &[],
        },
    ]);
}
