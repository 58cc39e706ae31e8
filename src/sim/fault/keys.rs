//! Which key signed: unknown, of the wrong host, of another algorithm, leaked, rewritten.

use serde_json::{Value, json};

use super::Generator;
use super::stall::{DAY, EARLIER, about, accepted, first_free, refused, stamp_at};
use crate::domain::{Code, Subject};
use crate::sim::envelope::Artifact;
use crate::sim::scene::{AS_OF, Carrier, KID, NoRoom, Planting, Scene, digest, hashes_then_block, iso, time_of};
use crate::sim::world::{Document, Proven};

const AUTH: &str = "auth-2026-01";

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::KeyUnknown,
        name: "a-key-that-nobody-published",
        near_miss: "a key of a later set",
        fault: a_key_that_nobody_published,
        miss: a_key_of_a_later_set,
    },
    Generator {
        code: Code::KeyWrongSet,
        name: "a-key-of-the-auth-host",
        near_miss: "a key of both hosts",
        fault: a_key_of_the_auth_host,
        miss: a_key_of_both_hosts,
    },
    Generator {
        code: Code::KeyAlg,
        name: "a-carrier-that-offers-another-algorithm",
        near_miss: "a carrier that names the algorithm",
        fault: a_carrier_that_offers_another_algorithm,
        miss: a_carrier_that_names_the_algorithm,
    },
    Generator {
        code: Code::KeyAlg,
        name: "a-key-on-another-curve",
        near_miss: "a key of a later set",
        fault: a_key_on_another_curve,
        miss: a_key_of_a_later_set,
    },
    Generator {
        code: Code::KeyCompromised,
        name: "leaked-and-not-anchored",
        near_miss: "leaked, and another key signed",
        fault: leaked_and_not_anchored,
        miss: another_key_leaked,
    },
    Generator {
        code: Code::KeyCompromised,
        name: "leaked-when-the-block-came",
        near_miss: "leaked a second after the block",
        fault: leaked_when_the_block_came,
        miss: leaked_a_second_after_the_block,
    },
    Generator {
        code: Code::KeyCompromised,
        name: "a-distribution-that-no-settlement-names",
        near_miss: "a distribution that settlements name",
        fault: a_distribution_that_no_settlement_names,
        miss: a_distribution_that_settlements_name,
    },
    Generator {
        code: Code::KeyCompromised,
        name: "a-binding-that-no-settlement-names",
        near_miss: "a binding that settlements name",
        fault: a_binding_that_no_settlement_names,
        miss: a_binding_that_settlements_name,
    },
    Generator {
        code: Code::KeySetRewritten,
        name: "another-key-under-an-old-kid",
        near_miss: "the old keys and one more",
        fault: another_key_under_an_old_kid,
        miss: the_old_keys_and_one_more,
    },
];

/// A kid that no other call has given.
fn new_kid(scene: &mut Scene) -> String {
    format!("env-{:.8}", scene.unique())
}

/// Publishes the present key set with changes, as a later capture.
fn publish(scene: &mut Scene, edit: impl FnOnce(&mut Vec<Value>)) -> Result<(), NoRoom> {
    let held = scene.world.key_sets.last().ok_or(NoRoom)?;
    let mut set: Value = serde_json::from_str(&held.json).map_err(|_| NoRoom)?;
    edit(set["keys"].as_array_mut().ok_or(NoRoom)?);
    let name = format!("envelope-jwks-{:.8}.json", scene.unique());
    scene.world.key_sets.push(Document { name, json: set.to_string() });
    Ok(())
}

/// The published form of that key.
fn jwk(scene: &Scene, kid: &str) -> Result<Value, NoRoom> {
    let set: Value = serde_json::from_str(&scene.hand.key_set(&[kid])).map_err(|_| NoRoom)?;
    Ok(set["keys"][0].clone())
}

fn add_key(scene: &mut Scene, kid: &str) -> Result<(), NoRoom> {
    let key = jwk(scene, kid)?;
    publish(scene, |keys| keys.push(key))
}

fn signed_by(scene: &mut Scene, kid: &str) -> (Value, Carrier) {
    let body = stamp_at(scene, EARLIER);
    let carrier = scene.sign_bytes(body.to_string().as_bytes(), kid);
    (body, carrier)
}

fn a_key_that_nobody_published(scene: &mut Scene) -> Planting {
    let kid = new_kid(scene);
    let (_, carrier) = signed_by(scene, &kid);
    refused(scene, Code::KeyUnknown, carrier)
}

fn a_key_of_a_later_set(scene: &mut Scene) -> Planting {
    let kid = new_kid(scene);
    add_key(scene, &kid)?;
    let (body, carrier) = signed_by(scene, &kid);
    accepted(scene, &body, carrier)
}

fn a_key_of_the_auth_host(scene: &mut Scene) -> Planting {
    scene.claim("auth key")?;
    let (_, carrier) = signed_by(scene, AUTH);
    refused(scene, Code::KeyWrongSet, carrier)
}

fn a_key_of_both_hosts(scene: &mut Scene) -> Planting {
    scene.claim("auth key")?;
    add_key(scene, AUTH)?;
    let (body, carrier) = signed_by(scene, AUTH);
    accepted(scene, &body, carrier)
}

fn a_carrier_that_offers_another_algorithm(scene: &mut Scene) -> Planting {
    let (_, mut carrier) = signed_by(scene, KID);
    carrier.content.insert("alg".to_owned(), "HS256".into());
    refused(scene, Code::KeyAlg, carrier)
}

fn a_carrier_that_names_the_algorithm(scene: &mut Scene) -> Planting {
    let (body, mut carrier) = signed_by(scene, KID);
    carrier.content.insert("alg".to_owned(), "EdDSA".into());
    accepted(scene, &body, carrier)
}

fn a_key_on_another_curve(scene: &mut Scene) -> Planting {
    let kid = new_kid(scene);
    let mut key = jwk(scene, &kid)?;
    key["crv"] = "Ed448".into();
    publish(scene, |keys| keys.push(key))?;
    let (_, carrier) = signed_by(scene, &kid);
    refused(scene, Code::KeyAlg, carrier)
}

/// A published key that leaked at that time.
fn leaked_key(scene: &mut Scene, at: i64) -> Result<String, NoRoom> {
    let kid = new_kid(scene);
    add_key(scene, &kid)?;
    let leak = format!("[[keys.compromised]]\nkid = \"{kid}\"\nat = {}\n", iso(at));
    scene.sections = format!("\n{leak}{}", scene.sections);
    Ok(kid)
}

fn leaked_and_not_anchored(scene: &mut Scene) -> Planting {
    let kid = leaked_key(scene, AS_OF)?;
    let (_, carrier) = signed_by(scene, &kid);
    Ok(about(&scene.put(carrier)))
}

fn another_key_leaked(scene: &mut Scene) -> Planting {
    leaked_key(scene, AS_OF)?;
    let (body, carrier) = signed_by(scene, KID);
    Ok(about(&scene.bill_as(&body, carrier)?))
}

/// An event under a key that leaked so long after the block that anchors it.
fn anchored_before_the_leak(scene: &mut Scene, seconds: i64) -> Planting {
    let tip = scene.tip();
    let kid = leaked_key(scene, time_of(&scene.world.headers[tip]) + seconds)?;
    let (body, mut carrier) = signed_by(scene, &kid);
    scene.anchor(digest(&carrier.id)?, tip)?;
    carrier.content.insert("ots".to_owned(), scene.confirmed(&hashes_then_block(1, tip), tip));
    let put = if seconds > 0 { scene.bill_as(&body, carrier)? } else { scene.put(carrier) };
    scene.world.proven.insert(put.id.clone(), Proven::Block(tip));
    Ok(about(&put))
}

fn leaked_when_the_block_came(scene: &mut Scene) -> Planting {
    anchored_before_the_leak(scene, 0)
}

fn leaked_a_second_after_the_block(scene: &mut Scene) -> Planting {
    anchored_before_the_leak(scene, 1)
}

fn a_distribution_that_no_settlement_names(scene: &mut Scene) -> Planting {
    let kid = leaked_key(scene, AS_OF)?;
    let name = scene.unique();
    let body = json!({
        "v": 1, "kind": Artifact::Distribution.name(), "created_at": iso(AS_OF - DAY), "total_sats": 1_000,
        "recipients": [{"user_address": scene.hand.address(&name), "amount_sats": 1_000}],
    });
    let carrier = scene.sign_bytes(body.to_string().as_bytes(), &kid);
    Ok(about(&scene.put(carrier)))
}

fn a_distribution_that_settlements_name(scene: &mut Scene) -> Planting {
    settled_under_a_leaked_key(scene, Artifact::Distribution, "distribution_id")
}

fn a_binding_that_no_settlement_names(scene: &mut Scene) -> Planting {
    let kid = leaked_key(scene, AS_OF)?;
    let name = scene.unique();
    let body = json!({
        "v": 1, "kind": Artifact::PayoutBinding.name(), "created_at": iso(AS_OF - DAY),
        "user_address": scene.hand.address(&name), "destination": "someone@wallet.example",
    });
    let carrier = scene.sign_bytes(body.to_string().as_bytes(), &kid);
    Ok(about(&scene.put(carrier)))
}

fn a_binding_that_settlements_name(scene: &mut Scene) -> Planting {
    settled_under_a_leaked_key(scene, Artifact::PayoutBinding, "payout_binding_id")
}

/// An artifact of the world that settlements name, now in a carrier under a leaked key: the id stays, since it hashes the
/// bytes alone.
fn settled_under_a_leaked_key(scene: &mut Scene, kind: Artifact, member: &str) -> Planting {
    let is_named = |id: &str| {
        let name = format!("\"{member}\":\"{id}\"");
        scene.world.settlements.iter().any(|line| line.contains(&name))
    };
    let held: Vec<(String, Vec<u8>)> = (scene.world.envelopes.iter())
        .filter(|envelope| envelope.kind == kind && is_named(&envelope.id.to_string()))
        .map(|envelope| (envelope.id.to_string(), envelope.canonical.clone()))
        .collect();
    let ids = held.iter().map(|(id, _)| id.clone());
    let id = first_free(scene, ids, |id| format!("envelope {id}"))?;
    let (_, bytes) = held.into_iter().find(|(one, _)| *one == id).ok_or(NoRoom)?;
    let kid = leaked_key(scene, AS_OF)?;
    scene.retract(&id)?;
    let carrier = scene.sign_bytes(&bytes, &kid);
    Ok(about(&scene.put(carrier)))
}

fn another_key_under_an_old_kid(scene: &mut Scene) -> Planting {
    scene.claim(format!("kid {KID}"))?;
    let other = new_kid(scene);
    let mut key = jwk(scene, &other)?;
    key["kid"] = KID.into();
    publish(scene, |keys| {
        keys.retain(|key| key["kid"] != KID);
        keys.push(key);
    })?;
    Ok(scene.tell(Code::KeySetRewritten, Subject::new("kid", KID).and("set", "envelope")))
}

fn the_old_keys_and_one_more(scene: &mut Scene) -> Planting {
    scene.claim(format!("kid {KID}"))?;
    let kid = new_kid(scene);
    add_key(scene, &kid)?;
    Ok(Subject::new("kid", KID).and("set", "envelope"))
}
