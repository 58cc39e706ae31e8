//! Carriers: Nostr events that are no events, no envelopes, or not what their address says.

use reledger::domain::{Media, sha256};
use reledger::sim::{Artifact, Envelope};
use serde_json::{Value, json};

use super::scene::{AS_OF, Scene, evidence};
use super::table::{Blame, Case, judge};

fn held(scene: &Scene) -> Envelope {
    scene.world.envelopes.iter().find(|envelope| envelope.kind == Artifact::Event).unwrap().clone()
}

/// The archive line of the event that carries it, with another member order for free edits.
fn held_line(scene: &Scene) -> Value {
    let id = held(scene).id.to_string();
    let event = scene.world.events.iter().find(|event| event.tag_values("d").any(|d| d.ends_with(&id))).unwrap();
    serde_json::from_str(&event.line()).unwrap()
}

fn append(scene: &mut Scene, line: &str) -> reledger::domain::EvidenceId {
    scene.appended.push(("nostr/events.jsonl", format!("{line}\n").into_bytes()));
    evidence(Media::NostrEvent, line)
}

fn twice_the_kind(scene: &mut Scene) -> Blame {
    let line = held_line(scene).to_string().replacen('{', "{\"kind\":1,", 1);
    let cited = append(scene, &line);
    Blame::new("sha256", sha256(line.as_bytes())).citing("carrier", cited)
}

fn a_member_more(scene: &mut Scene) {
    let mut line = held_line(scene);
    line["seen_on"] = "relay".into();
    append(scene, &line.to_string());
}

fn another_time_under_the_old_id(scene: &mut Scene) -> Blame {
    let mut line = held_line(scene);
    line["created_at"] = (AS_OF - 5).into();
    let cited = append(scene, &line.to_string());
    Blame::new("event", line["id"].as_str().unwrap()).citing("carrier", cited)
}

fn another_time_signed_anew(scene: &mut Scene) {
    let line = held_line(scene);
    let tags = serde_json::from_value(line["tags"].clone()).unwrap();
    let event = scene.hand.event("a stranger", 30_087, AS_OF - 5, tags, line["content"].as_str().unwrap().to_owned());
    scene.put_event(event);
}

fn a_signature_of_another_event(scene: &mut Scene) -> Blame {
    let mut line = held_line(scene);
    line["sig"] =
        scene.world.events.iter().find(|event| line["id"] != event.id.to_string().as_str()).unwrap().sig.clone().into();
    let cited = append(scene, &line.to_string());
    Blame::new("event", line["id"].as_str().unwrap()).citing("carrier", cited)
}

fn with_d(scene: &mut Scene, d: String, content: String) -> (String, reledger::domain::EvidenceId) {
    let event = scene.hand.event("service", 30_087, AS_OF - 60, vec![vec!["d".to_owned(), d]], content);
    scene.put_event(event)
}

fn a_probe(scene: &mut Scene) -> Blame {
    let d = format!("oc-me-event:{}", scene.unique());
    let (event, cited) = with_d(scene, d, json!({"probe": true}).to_string());
    Blame::new("event", event).citing("carrier", cited)
}

fn an_envelope_by_a_stranger(scene: &mut Scene) {
    let body = scene.event_at(AS_OF - 600);
    let mut carrier = scene.sign(&body);
    carrier.publisher = "a stranger";
    scene.bill_as(&body, carrier);
}

fn an_event_under_the_payment_prefix(scene: &mut Scene) -> Blame {
    let body = scene.event_at(AS_OF - 600);
    let mut carrier = scene.sign(&body);
    carrier.content.insert("envelope".to_owned(), body);
    "oc-me-payment".clone_into(&mut carrier.prefix);
    let put = scene.put(carrier);
    Blame::new("event", put.event).citing("carrier", put.evidence)
}

fn the_webhooks_spelling_of_an_event(scene: &mut Scene) {
    let mut body = scene.event_at(AS_OF - 600);
    body["kind"] = "oc-billable-event".into();
    scene.bill(&body);
}

fn a_blank_for_a_held_id(scene: &mut Scene) -> Blame {
    let d = format!("oc-me-event:{}", held(scene).id);
    let (event, cited) = with_d(scene, d, String::new());
    Blame::new("event", event).citing("carrier", cited)
}

fn a_blank_for_an_id_never_held(scene: &mut Scene) {
    let d = format!("oc-me-event:{}", scene.unique());
    with_d(scene, d, String::new());
}

#[test]
fn every_fault_of_a_carrier_has_its_code() {
    judge(&[
        Case {
            code: "EVT_MALFORMED",
            severity: "warn",
            exit: 0,
            fault: twice_the_kind,
            beside: &[],
            near_miss: a_member_more,
            near_miss_beside: &[],
        },
        Case {
            code: "EVT_BAD_ID",
            severity: "error",
            exit: 1,
            fault: another_time_under_the_old_id,
            beside: &[],
            near_miss: another_time_signed_anew,
            near_miss_beside: &[],
        },
        Case {
            code: "EVT_BAD_SIG",
            severity: "error",
            exit: 1,
            fault: a_signature_of_another_event,
            beside: &[],
            near_miss: another_time_signed_anew,
            near_miss_beside: &[],
        },
        Case {
            code: "EVT_NOT_ENVELOPE",
            severity: "info",
            exit: 0,
            fault: a_probe,
            beside: &[],
            near_miss: an_envelope_by_a_stranger,
            near_miss_beside: &[],
        },
        Case {
            code: "EVT_KIND_MISMATCH",
            severity: "warn",
            exit: 0,
            fault: an_event_under_the_payment_prefix,
            beside: &[],
            near_miss: the_webhooks_spelling_of_an_event,
            near_miss_beside: &[],
        },
        Case {
            code: "EVT_BLANKED",
            severity: "warn",
            exit: 0,
            fault: a_blank_for_a_held_id,
            beside: &[],
            near_miss: a_blank_for_an_id_never_held,
            near_miss_beside: &["EVT_NOT_ENVELOPE"],
        },
    ]);
}
