//! Attestations: id, members against the message, signature, script.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reledger::domain::sha256;
use serde_json::{Value, json};

use super::scene::{AS_OF, Scene};
use super::table::{Blame, Case, judge};

/// The content of an honest attestation by a P2WPKH address, and the label of its key.
fn attestation(scene: &Scene) -> (Value, String) {
    let contents = scene.world.events.iter().filter(|event| event.kind == 30_078);
    let contents = contents.filter_map(|event| serde_json::from_str::<Value>(&event.content).ok());
    let labels: Vec<String> = (0..40).map(|index| format!("wallet {index}")).collect();
    let owned = contents.filter(|content| content["attestation_id"].is_string()).find_map(|content| {
        let label = labels.iter().find(|label| content["address"] == scene.hand.address(label).as_str())?;
        Some((content, label.clone()))
    });
    owned.expect("the world has an attestation by a P2WPKH address")
}

fn put(scene: &mut Scene, d: &str, content: &Value) -> Blame {
    let tags = vec![vec!["d".to_owned(), d.to_owned()]];
    let event = scene.hand.event("a stranger", 30_078, AS_OF - 60, tags, content.to_string());
    let (_, cited) = scene.put_event(event);
    Blame::new("attestation", d).citing("carrier", cited)
}

fn with(scene: &mut Scene, edit: impl FnOnce(&mut Value)) -> Blame {
    let (mut content, _) = attestation(scene);
    edit(&mut content);
    let d = content["attestation_id"].as_str().unwrap().to_owned();
    put(scene, &d, &content)
}

/// A message of one's own by that address, not signed yet.
fn message(scene: &mut Scene, address: &str) -> String {
    let nonce: String = scene.unique().chars().take(32).collect();
    format!(
        "orangecheck\nidentities: github:somebody\naddress: {address}\n\
         purpose: portable reputation attestation (non-custodial)\nnonce: {nonce}\nissued_at: 2026-09-30T00:00:00Z\n\
         ack: I attest control of this address and bind it to my identities.\n"
    )
}

fn put_message(scene: &mut Scene, message: &str, address: &str, signature: &str) -> Blame {
    let id = sha256(message.as_bytes()).to_hex();
    let content = json!({
        "attestation_id": id, "scheme": "bip322", "address": address, "message": message,
        "message_b64url": URL_SAFE_NO_PAD.encode(message), "signature": signature,
    });
    put(scene, &id, &content)
}

fn under_another_id(scene: &mut Scene) -> Blame {
    let (content, _) = attestation(scene);
    let d = scene.unique();
    put(scene, &d, &content)
}

fn in_another_carrier(scene: &mut Scene) {
    with(scene, |_| ());
}

fn a_member_with_another_address(scene: &mut Scene) -> Blame {
    let other = scene.hand.address("somebody else");
    with(scene, |content| content["address"] = other.into())
}

fn a_member_that_the_message_has_not(scene: &mut Scene) {
    with(scene, |content| content["verification_url"] = "https://mirror.example/".into());
}

fn the_signature_of_another_message(scene: &mut Scene) -> Blame {
    let (_, label) = attestation(scene);
    let signature = scene.hand.message(&label, "another message");
    with(scene, |content| content["signature"] = signature.into())
}

fn the_same_message_signed_again(scene: &mut Scene) {
    let (content, label) = attestation(scene);
    let signature = scene.hand.message(&label, content["message"].as_str().unwrap());
    with(scene, |content| content["signature"] = signature.into());
}

fn by_a_shared_address(scene: &mut Scene) -> Blame {
    let address = "bc1qp0ahvfh83088w49k405szqgg4f3pptr7p2g06tdxfjcd40z4lh4q95lsz9";
    let message = message(scene, address);
    let signature = scene.hand.message("somebody", &message);
    put_message(scene, &message, address, &signature)
}

fn by_a_single_key(scene: &mut Scene) {
    let address = scene.hand.address("somebody");
    let message = message(scene, &address);
    let signature = scene.hand.message("somebody", &message);
    put_message(scene, &message, &address, &signature);
}

#[test]
fn every_fault_of_an_attestation_has_its_code() {
    judge(&[
        Case {
            code: "ATT_ID",
            severity: "error",
            exit: 1,
            fault: under_another_id,
            beside: &[],
            near_miss: in_another_carrier,
            near_miss_beside: &[],
        },
        Case {
            code: "ATT_FIELDS",
            severity: "error",
            exit: 1,
            fault: a_member_with_another_address,
            beside: &[],
            near_miss: a_member_that_the_message_has_not,
            near_miss_beside: &[],
        },
        Case {
            code: "ATT_SIG",
            severity: "error",
            exit: 1,
            fault: the_signature_of_another_message,
            beside: &[],
            near_miss: the_same_message_signed_again,
            near_miss_beside: &[],
        },
        Case {
            code: "ATT_SCRIPT",
            severity: "info",
            exit: 0,
            fault: by_a_shared_address,
            beside: &[],
            near_miss: by_a_single_key,
            near_miss_beside: &[],
        },
    ]);
}
