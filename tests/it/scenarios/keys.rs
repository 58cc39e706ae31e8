//! Which key signed: unknown, of the wrong host, of another algorithm, leaked, rewritten.

use reledger::domain::Media;
use reledger::sim::Document;

use super::proof::hashes_then_block;
use super::scene::{AS_OF, KID, Put, Scene, digest, evidence, iso};
use super::table::{Blame, Case, judge};

const EARLIER: i64 = AS_OF - 600;
const NEW: &str = "env-2026-10";
const AUTH: &str = "auth-2026-01";

fn about(put: &Put) -> Blame {
    Blame::new("envelope", &put.id).citing("carrier", put.evidence)
}

fn publish(scene: &mut Scene, json: String) {
    scene.world.key_sets.push(Document { name: "envelope-jwks-2026-10.json".to_owned(), json });
}

fn refused(scene: &mut Scene, kid: &str) -> Blame {
    let body = scene.event_at(EARLIER);
    let carrier = scene.sign_bytes(body.to_string().as_bytes(), kid);
    about(&scene.put(carrier))
}

fn counted(scene: &mut Scene, kid: &str) -> Put {
    let body = scene.event_at(EARLIER);
    let carrier = scene.sign_bytes(body.to_string().as_bytes(), kid);
    scene.bill_as(&body, carrier)
}

fn a_key_that_nobody_published(scene: &mut Scene) -> Blame {
    refused(scene, NEW)
}

fn a_key_of_a_later_set(scene: &mut Scene) {
    publish(scene, scene.hand.key_set(&["env-2026-05", KID, NEW]));
    counted(scene, NEW);
}

fn a_key_of_the_auth_host(scene: &mut Scene) -> Blame {
    refused(scene, AUTH)
}

fn a_key_of_both_hosts(scene: &mut Scene) {
    publish(scene, scene.hand.key_set(&[KID, AUTH]));
    counted(scene, AUTH);
}

fn a_carrier_that_offers_another_algorithm(scene: &mut Scene) -> Blame {
    let body = scene.event_at(EARLIER);
    let mut carrier = scene.sign(&body);
    carrier.content.insert("alg".to_owned(), "HS256".into());
    about(&scene.put(carrier))
}

fn a_carrier_that_names_the_algorithm(scene: &mut Scene) {
    let body = scene.event_at(EARLIER);
    let mut carrier = scene.sign(&body);
    carrier.content.insert("alg".to_owned(), "EdDSA".into());
    scene.bill_as(&body, carrier);
}

fn a_key_on_another_curve(scene: &mut Scene) -> Blame {
    publish(scene, scene.hand.key_set(&[NEW]).replace("\"crv\":\"Ed25519\"", "\"crv\":\"Ed448\""));
    refused(scene, NEW)
}

fn leak(scene: &mut Scene, at: i64) {
    publish(scene, scene.hand.key_set(&[NEW]));
    let leak = format!("[[keys.compromised]]\nkid = \"{NEW}\"\nat = {}\n", iso(at));
    scene.sections = format!("\n{leak}{}", scene.sections);
}

fn a_leaked_key_and_no_anchor(scene: &mut Scene) -> Blame {
    leak(scene, AS_OF);
    refused(scene, NEW)
}

fn a_leaked_key_and_an_anchor_before_the_leak(scene: &mut Scene) {
    leak(scene, AS_OF);
    let body = scene.event_at(EARLIER);
    let mut carrier = scene.sign_bytes(body.to_string().as_bytes(), NEW);
    let tip = scene.tip();
    scene.anchor(digest(&carrier.id), tip);
    let proof = scene.confirmed(&hashes_then_block(1, tip), tip);
    carrier.content.insert("ots".to_owned(), proof);
    scene.bill_as(&body, carrier);
}

fn another_key_under_an_old_kid(scene: &mut Scene) -> Blame {
    let json = scene.hand.key_set(&[NEW]).replace(NEW, KID);
    let cited = evidence(Media::Jwks, &json);
    publish(scene, json);
    Blame::new("kid", KID).citing("key-set", cited)
}

fn the_old_keys_and_one_more(scene: &mut Scene) {
    publish(scene, scene.hand.key_set(&["env-2026-05", KID, NEW]));
}

#[test]
fn every_fault_of_a_key_has_its_code() {
    judge(&[
        Case {
            code: "KEY_UNKNOWN",
            severity: "error",
            exit: 1,
            fault: a_key_that_nobody_published,
            beside: &[],
            near_miss: a_key_of_a_later_set,
            near_miss_beside: &[],
        },
        Case {
            code: "KEY_WRONG_SET",
            severity: "error",
            exit: 1,
            fault: a_key_of_the_auth_host,
            beside: &[],
            near_miss: a_key_of_both_hosts,
            near_miss_beside: &[],
        },
        Case {
            code: "KEY_ALG",
            severity: "critical",
            exit: 1,
            fault: a_carrier_that_offers_another_algorithm,
            beside: &[],
            near_miss: a_carrier_that_names_the_algorithm,
            near_miss_beside: &[],
        },
        Case {
            code: "KEY_ALG",
            severity: "critical",
            exit: 1,
            fault: a_key_on_another_curve,
            beside: &[],
            near_miss: a_key_of_a_later_set,
            near_miss_beside: &[],
        },
        Case {
            code: "KEY_COMPROMISED",
            severity: "error",
            exit: 1,
            fault: a_leaked_key_and_no_anchor,
            beside: &[],
            near_miss: a_leaked_key_and_an_anchor_before_the_leak,
            near_miss_beside: &[],
        },
        Case {
            code: "KEY_SET_REWRITTEN",
            severity: "critical",
            exit: 1,
            fault: another_key_under_an_old_kid,
            beside: &[],
            near_miss: the_old_keys_and_one_more,
            near_miss_beside: &[],
        },
    ]);
}
