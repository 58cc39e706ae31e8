//! Attestations (FORMATS 7): id, members against the message, signature, script, guardians who sign.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Generator;
use crate::domain::{Code, Subject, sha256};
use crate::sim::scene::{AS_OF, NoRoom, Planting, Scene, iso};

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::AttId,
        name: "under-another-id",
        near_miss: "in another carrier",
        fault: under_another_id,
        miss: in_another_carrier,
    },
    Generator {
        code: Code::AttId,
        name: "a-member-with-another-id",
        near_miss: "no member with the id",
        fault: a_member_with_another_id,
        miss: no_member_with_the_id,
    },
    Generator {
        code: Code::AttFields,
        name: "a-member-with-another-address",
        near_miss: "a member that the message has not",
        fault: a_member_with_another_address,
        miss: a_member_that_the_message_has_not,
    },
    Generator {
        code: Code::AttFields,
        name: "a-nonce-of-another-length",
        near_miss: "an extension that nobody registered",
        fault: a_nonce_of_another_length,
        miss: an_extension_that_nobody_registered,
    },
    Generator {
        code: Code::AttSig,
        name: "the-signature-of-another-message",
        near_miss: "three of one address, of which one stands",
        fault: the_signature_of_another_message,
        miss: three_of_one_address,
    },
    Generator {
        code: Code::AttSig,
        name: "two-guardians-of-three",
        near_miss: "three guardians",
        fault: two_guardians_of_three,
        miss: three_guardians,
    },
    Generator {
        code: Code::AttScript,
        name: "by-a-shared-address",
        near_miss: "by a single key",
        fault: by_a_shared_address,
        miss: an_honest_attestation,
    },
];

/// A P2WSH address: no single key signs for it.
const SHARED: &str = "bc1qp0ahvfh83088w49k405szqgg4f3pptr7p2g06tdxfjcd40z4lh4q95lsz9";

/// An attestation on its way into an event.
struct Draft {
    /// The key of its address.
    label: String,
    /// Where it is published: its id, when that is honest.
    d: String,
    content: Value,
}

fn message(scene: &mut Scene, address: &str, nonce: usize) -> String {
    let nonce: String = scene.unique().chars().take(nonce).collect();
    format!(
        "orangecheck\nidentities: github:somebody\naddress: {address}\n\
         purpose: portable reputation attestation (non-custodial)\nnonce: {nonce}\nissued_at: 2026-09-30T00:00:00Z\n\
         ack: I attest control of this address and bind it to my identities.\n"
    )
}

/// Signed by the key of that label for that address.
fn signed(scene: &mut Scene, label: String, address: &str, message: &str) -> Draft {
    let d = sha256(message.as_bytes()).to_hex();
    let content = json!({
        "attestation_id": d, "scheme": "bip322", "address": address, "message": message,
        "message_b64url": URL_SAFE_NO_PAD.encode(message), "signature": scene.hand.message(&label, message),
    });
    Draft { label, d, content }
}

/// An honest one by a new user.
fn draft(scene: &mut Scene) -> Draft {
    let label = scene.unique();
    let address = scene.hand.address(&label);
    let message = message(scene, &address, 32);
    signed(scene, label, &address, &message)
}

/// Publishes it; gives the event's id.
fn publish(scene: &mut Scene, draft: &Draft) -> String {
    let tags = vec![vec!["d".to_owned(), draft.d.clone()]];
    let event = scene.hand.event("a stranger", 30_078, AS_OF - 60, tags, draft.content.to_string());
    scene.put_event(event)
}

fn about(draft: &Draft) -> Subject {
    Subject::new("attestation", &draft.d)
}

fn honest(scene: &mut Scene, draft: &Draft) -> Planting {
    publish(scene, draft);
    Ok(about(draft))
}

fn refused(scene: &mut Scene, code: Code, draft: &Draft, subject: Subject) -> Planting {
    let event = publish(scene, draft);
    scene.discounted.insert(event);
    Ok(scene.tell(code, subject))
}

fn an_honest_attestation(scene: &mut Scene) -> Planting {
    let draft = draft(scene);
    honest(scene, &draft)
}

/// One that expired at the as-of, the one before it that expires a second later, and one that is older and has a bond.
fn three_of_one_address(scene: &mut Scene) -> Planting {
    let label = scene.unique();
    let address = scene.hand.address(&label);
    let mut subject = Err(NoRoom);
    for (day, extensions) in [
        ("30", format!("expires: {}\n", iso(AS_OF))),
        ("29", format!("expires: {}\n", iso(AS_OF + 1))),
        ("28", "bond: 20000\n".to_owned()),
    ] {
        let message = message(scene, &address, 32).replace("2026-09-30", &format!("2026-09-{day}")) + &extensions;
        let draft = signed(scene, label.clone(), &address, &message);
        subject = honest(scene, &draft);
    }
    subject
}

fn under_another_id(scene: &mut Scene) -> Planting {
    let mut draft = draft(scene);
    draft.d = scene.unique();
    let subject = about(&draft);
    refused(scene, Code::AttId, &draft, subject)
}

/// An attestation of the world once more, by another publisher.
fn in_another_carrier(scene: &mut Scene) -> Planting {
    let mut contents = scene.world.events.iter().filter(|event| event.kind == 30_078).filter_map(|event| {
        let content: Value = serde_json::from_str(&event.content).ok()?;
        Some((content["attestation_id"].as_str()?.to_owned(), event.content.clone()))
    });
    let (d, content) = contents.next().ok_or(NoRoom)?;
    let tags = vec![vec!["d".to_owned(), d.clone()]];
    let event = scene.hand.event("a stranger", 30_078, AS_OF - 60, tags, content);
    scene.put_event(event);
    Ok(Subject::new("attestation", d))
}

fn a_member_with_another_id(scene: &mut Scene) -> Planting {
    let mut draft = draft(scene);
    draft.content["attestation_id"] = scene.unique().into();
    let subject = about(&draft).and("member", "attestation_id");
    refused(scene, Code::AttId, &draft, subject)
}

fn no_member_with_the_id(scene: &mut Scene) -> Planting {
    let mut draft = draft(scene);
    draft.content.as_object_mut().ok_or(NoRoom)?.remove("attestation_id");
    honest(scene, &draft)
}

fn a_member_with_another_address(scene: &mut Scene) -> Planting {
    let mut draft = draft(scene);
    draft.content["address"] = scene.hand.address(&format!("not {}", draft.label)).into();
    let subject = about(&draft).and("member", "address");
    refused(scene, Code::AttFields, &draft, subject)
}

fn a_member_that_the_message_has_not(scene: &mut Scene) -> Planting {
    let mut draft = draft(scene);
    draft.content["verification_url"] = "https://mirror.example/".into();
    honest(scene, &draft)
}

fn a_nonce_of_another_length(scene: &mut Scene) -> Planting {
    let label = scene.unique();
    let address = scene.hand.address(&label);
    let message = message(scene, &address, 31);
    let draft = signed(scene, label, &address, &message);
    let subject = about(&draft);
    refused(scene, Code::AttFields, &draft, subject)
}

fn an_extension_that_nobody_registered(scene: &mut Scene) -> Planting {
    let label = scene.unique();
    let address = scene.hand.address(&label);
    let message = message(scene, &address, 32) + "x-mood: calm\n";
    let draft = signed(scene, label, &address, &message);
    honest(scene, &draft)
}

fn the_signature_of_another_message(scene: &mut Scene) -> Planting {
    let mut draft = draft(scene);
    draft.content["signature"] = scene.hand.message(&draft.label, "another message").into();
    let subject = about(&draft);
    refused(scene, Code::AttSig, &draft, subject)
}

/// An attestation that so many guardians of its address sign (FORMATS 8.3).
fn guarded(scene: &mut Scene, guardians: &[&str]) -> Draft {
    let user = scene.unique();
    let descriptor = scene.descriptor(&user, &["1", "2", "3", "4"]);
    scene.record(&descriptor.value);
    let address = descriptor.address.clone();
    let message = message(scene, &address, 32);
    let proof: Vec<Value> = guardians
        .iter()
        .map(|guardian| {
            let label = format!("{user} {guardian}");
            json!({"address": scene.hand.address(&label), "sig": scene.hand.message(&label, &message)})
        })
        .collect();
    let d = sha256(message.as_bytes()).to_hex();
    let content = json!({
        "attestation_id": d, "custody": "federation", "federation": descriptor.fed(), "address": address,
        "message": message, "proof": proof,
    });
    Draft { label: user, d, content }
}

fn two_guardians_of_three(scene: &mut Scene) -> Planting {
    let draft = guarded(scene, &["1", "2"]);
    let subject = about(&draft);
    refused(scene, Code::AttSig, &draft, subject)
}

fn three_guardians(scene: &mut Scene) -> Planting {
    let draft = guarded(scene, &["1", "2", "4"]);
    honest(scene, &draft)
}

fn by_a_shared_address(scene: &mut Scene) -> Planting {
    let message = message(scene, SHARED, 32);
    let draft = signed(scene, "somebody".to_owned(), SHARED, &message);
    let subject = about(&draft);
    refused(scene, Code::AttScript, &draft, subject)
}
