//! Carriers: Nostr events that are no events, no envelopes, or not what their address says; kinds that nobody assigned.

use serde_json::json;

use super::Generator;
use super::stall::{EARLIER, accepted, first_free, refused, stamp_at};
use crate::domain::{Code, Media, RawEvidence, Subject, sha256};
use crate::sim::nostr::SimEvent;
use crate::sim::scene::{AS_OF, NoRoom, Planting, Scene};

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::EvtMalformed,
        name: "a-member-twice",
        near_miss: "a member more",
        fault: a_member_twice,
        miss: a_member_more,
    },
    Generator {
        code: Code::EvtMalformed,
        name: "a-tag-above-the-limit",
        near_miss: "a tag of as many bytes as allowed",
        fault: a_tag_above_the_limit,
        miss: a_tag_at_the_limit,
    },
    Generator {
        code: Code::EvtBadId,
        name: "another-time-under-the-old-id",
        near_miss: "another time signed anew",
        fault: another_time_under_the_old_id,
        miss: an_event_as_signed,
    },
    Generator {
        code: Code::EvtBadSig,
        name: "the-signature-of-another-event",
        near_miss: "its own signature",
        fault: the_signature_of_another_event,
        miss: an_event_as_signed,
    },
    Generator {
        code: Code::EvtNotEnvelope,
        name: "a-probe",
        near_miss: "an envelope by a stranger",
        fault: a_probe,
        miss: an_envelope_by_a_stranger,
    },
    Generator {
        code: Code::EvtNotEnvelope,
        name: "an-address-in-capitals",
        near_miss: "an envelope by a stranger",
        fault: an_address_in_capitals,
        miss: an_envelope_by_a_stranger,
    },
    Generator {
        code: Code::EvtKindMismatch,
        name: "an-event-under-the-payment-prefix",
        near_miss: "the webhook's spelling of an event",
        fault: an_event_under_the_payment_prefix,
        miss: the_webhooks_spelling_of_an_event,
    },
    Generator {
        code: Code::EvtKindMismatch,
        name: "another-kind-in-the-signed-bytes",
        near_miss: "the webhook's spelling of an event",
        fault: another_kind_in_the_signed_bytes,
        miss: the_webhooks_spelling_of_an_event,
    },
    Generator {
        code: Code::EvtBlanked,
        name: "a-blank-for-a-held-id",
        near_miss: "a blank for an id that nobody holds",
        fault: a_blank_for_a_held_id,
        miss: a_blank_for_an_id_never_held,
    },
    Generator {
        code: Code::SrcUnknownKind,
        name: "an-unassigned-event-kind",
        near_miss: "the last assigned one",
        fault: an_unassigned_event_kind,
        miss: an_assigned_event_kind,
    },
    Generator {
        code: Code::SrcUnknownKind,
        name: "a-gateway-event-of-tomorrow",
        near_miss: "a known gateway event that matters to nobody",
        fault: a_gateway_event_of_tomorrow,
        miss: a_gateway_event_of_today,
    },
];

/// Limit of one tag value in bytes (THREATS 5.3).
const TAG_BYTES_MAX: usize = 4 * 1024;

/// An event that carries an honest envelope of its own, signed by a key that nobody knows, not published yet.
fn fresh(scene: &mut Scene, more: &[Vec<String>]) -> (SimEvent, String) {
    let body = stamp_at(scene, EARLIER);
    let carrier = scene.sign(&body);
    let d = vec!["d".to_owned(), format!("{}:{}", carrier.prefix, carrier.id)];
    let tags = [vec![d], more.to_vec()].concat();
    let content = serde_json::Value::Object(carrier.content).to_string();
    (scene.hand.event("a stranger", 30_087, AS_OF - 60, tags, content), carrier.id)
}

/// A line of the archive that is no event of the world.
fn append(scene: &mut Scene, line: &str) -> Subject {
    scene.appended.push(("nostr/events.jsonl", format!("{line}\n").into_bytes()));
    Subject::new("media", Media::NostrEvent).and("sha256", sha256(line.as_bytes()))
}

fn a_member_twice(scene: &mut Scene) -> Planting {
    let (event, _) = fresh(scene, &[]);
    let subject = append(scene, &event.line().replacen('{', "{\"kind\":1,", 1));
    Ok(scene.tell(Code::EvtMalformed, subject))
}

fn a_member_more(scene: &mut Scene) -> Planting {
    // One that counts, not what another fault forged.
    let is_good = |event: &&SimEvent| !scene.discounted.contains(&event.id.to_string());
    let held = scene.world.events.iter().rev().find(is_good).ok_or(NoRoom)?.line();
    Ok(append(scene, &held.replacen('{', "{\"seen_on\":[\"relay\"],", 1)))
}

fn with_a_tag(scene: &mut Scene, bytes: usize) -> (SimEvent, Subject) {
    let (event, _) = fresh(scene, &[vec!["note".to_owned(), "n".repeat(bytes)]]);
    let subject = Subject::new("media", Media::NostrEvent).and("sha256", sha256(event.line().as_bytes()));
    (event, subject)
}

fn a_tag_above_the_limit(scene: &mut Scene) -> Planting {
    let (event, subject) = with_a_tag(scene, TAG_BYTES_MAX + 1);
    let event = scene.put_event(event);
    scene.discounted.insert(event);
    Ok(scene.tell(Code::EvtMalformed, subject))
}

fn a_tag_at_the_limit(scene: &mut Scene) -> Planting {
    let body = stamp_at(scene, EARLIER);
    let mut carrier = scene.sign(&body);
    carrier.tags.push(vec!["note".to_owned(), "n".repeat(TAG_BYTES_MAX)]);
    let put = scene.bill_as(&body, carrier)?;
    let line = scene.world.events.last().map(SimEvent::line).filter(|line| line.contains(&put.event));
    Ok(Subject::new("media", Media::NostrEvent).and("sha256", sha256(line.ok_or(NoRoom)?.as_bytes())))
}

/// Publishes an event that is not what was signed: what it carries counts nowhere.
fn forged(scene: &mut Scene, code: Code, edit: impl FnOnce(&mut SimEvent, &Scene)) -> Planting {
    let (mut event, _) = fresh(scene, &[]);
    edit(&mut event, scene);
    let subject = of_event(&event);
    let event = scene.put_event(event);
    scene.discounted.insert(event);
    Ok(scene.tell(code, subject))
}

fn of_event(event: &SimEvent) -> Subject {
    let evidence = RawEvidence::id_of(Media::NostrEvent, "", event.line().as_bytes());
    Subject::new("event", event.id).and("evidence", evidence)
}

fn another_time_under_the_old_id(scene: &mut Scene) -> Planting {
    forged(scene, Code::EvtBadId, |event, _| event.created_at.0 += 1)
}

fn the_signature_of_another_event(scene: &mut Scene) -> Planting {
    forged(scene, Code::EvtBadSig, |event, scene| {
        let other = scene.hand.event("a stranger", event.kind, event.created_at.0 + 1, Vec::new(), String::new());
        event.sig = other.sig;
    })
}

fn an_event_as_signed(scene: &mut Scene) -> Planting {
    let body = stamp_at(scene, EARLIER);
    let carrier = scene.sign(&body);
    let put = scene.bill_as(&body, carrier)?;
    let event = scene.world.events.last().filter(|event| event.id.to_string() == put.event).ok_or(NoRoom)?;
    Ok(of_event(event))
}

/// An event of the service that carries nothing to count.
fn with_d(scene: &mut Scene, code: Code, d: String, content: &str) -> Subject {
    let event = scene.hand.event("service", 30_087, AS_OF - 60, vec![vec!["d".to_owned(), d]], content.to_owned());
    let event = scene.put_event(event);
    scene.discounted.insert(event.clone());
    scene.tell(code, Subject::new("event", event))
}

fn a_probe(scene: &mut Scene) -> Planting {
    let d = format!("oc-me-event:{}", scene.unique());
    Ok(with_d(scene, Code::EvtNotEnvelope, d, r#"{"probe":true}"#))
}

fn an_address_in_capitals(scene: &mut Scene) -> Planting {
    let (event, id) = fresh(scene, &[]);
    let d = format!("oc-me-event:{}", id.to_uppercase());
    Ok(with_d(scene, Code::EvtNotEnvelope, d, &event.content))
}

fn an_envelope_by_a_stranger(scene: &mut Scene) -> Planting {
    let body = stamp_at(scene, EARLIER);
    let mut carrier = scene.sign(&body);
    carrier.publisher = "a stranger";
    Ok(Subject::new("event", scene.bill_as(&body, carrier)?.event))
}

fn an_event_under_the_payment_prefix(scene: &mut Scene) -> Planting {
    let body = stamp_at(scene, EARLIER);
    let mut carrier = scene.sign(&body);
    carrier.content.insert("envelope".to_owned(), body);
    "oc-me-payment".clone_into(&mut carrier.prefix);
    let put = scene.put(carrier);
    scene.discounted.insert(put.event.clone());
    Ok(scene.tell(Code::EvtKindMismatch, Subject::new("event", put.event)))
}

fn another_kind_in_the_signed_bytes(scene: &mut Scene) -> Planting {
    let mut body = stamp_at(scene, EARLIER);
    body["kind"] = "oc-me-payment".into();
    let mut carrier = scene.sign(&body);
    "oc-me-event".clone_into(&mut carrier.prefix);
    refused(scene, Code::EvtKindMismatch, carrier)
}

fn the_webhooks_spelling_of_an_event(scene: &mut Scene) -> Planting {
    let mut body = stamp_at(scene, EARLIER);
    body["kind"] = "oc-billable-event".into();
    let carrier = scene.sign(&body);
    accepted(scene, &body, carrier)
}

fn a_blank_for_a_held_id(scene: &mut Scene) -> Planting {
    let held: Vec<String> =
        scene.world.envelopes.iter().map(|envelope| format!("{}:{}", envelope.kind.name(), envelope.id)).collect();
    let id_of = |d: &str| format!("envelope {}", d.rsplit(':').next().unwrap_or_default());
    let d = first_free(scene, held.into_iter(), id_of)?;
    Ok(with_d(scene, Code::EvtBlanked, d, ""))
}

fn a_blank_for_an_id_never_held(scene: &mut Scene) -> Planting {
    let d = format!("oc-me-event:{}", scene.unique());
    Ok(with_d(scene, Code::EvtNotEnvelope, d, ""))
}

fn of_kind(scene: &mut Scene, kind: u16, d: &str) -> Subject {
    let tags = vec![vec!["d".to_owned(), format!("{d}{}", scene.unique())]];
    let event = scene.hand.event("a stranger", kind, AS_OF - 60, tags, json!({"v": 1}).to_string());
    let event = scene.put_event(event);
    scene.discounted.insert(event.clone());
    Subject::new("event", event).and("kind", kind)
}

fn an_unassigned_event_kind(scene: &mut Scene) -> Planting {
    let subject = of_kind(scene, 30_088, "oc-next:");
    Ok(scene.tell(Code::SrcUnknownKind, subject))
}

fn an_assigned_event_kind(scene: &mut Scene) -> Planting {
    Ok(of_kind(scene, 30_086, "oc-agent-sub:"))
}

fn logged(scene: &mut Scene, kind: &'static str) -> Planting {
    scene.claim(format!("gateway kind {kind}"))?;
    let note = scene.unique();
    scene.log(kind, "mint", &json!({"note": note}));
    Ok(Subject::new("module", "mint").and("kind", kind).and("federation", ""))
}

fn a_gateway_event_of_tomorrow(scene: &mut Scene) -> Planting {
    let subject = logged(scene, "of-tomorrow")?;
    Ok(scene.tell(Code::SrcUnknownKind, subject))
}

fn a_gateway_event_of_today(scene: &mut Scene) -> Planting {
    logged(scene, "note-created")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::World;

    #[test]
    fn a_fresh_event_is_one_that_nobody_has_seen() {
        let mut scene = Scene::of(World::generate(1, 40));
        let (first, _) = fresh(&mut scene, &[]);
        let (second, _) = fresh(&mut scene, &[]);
        assert_ne!(first.id, second.id);
        assert!(scene.world.events.iter().all(|event| event.id != first.id));
    }
}
