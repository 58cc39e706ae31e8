//! Documents at fixed places: key sets, price configs, activity attestations.

use serde_json::Value;

use super::super::conduct::Seat;
use super::super::house::House;
use super::super::misbehaviour::Misbehaviour as M;
use super::answer::{Answer, JSON, JSON_LINES};
use crate::sim::write::lines;

/// What a server that is broken serves as JSON.
const UNREADABLE: &str = "{\"keys\":[{\"kid\":";

pub(super) fn answer(house: &House, seat: Seat, path: &str) -> Option<Answer> {
    let world = &house.world;
    let text = match path {
        "/.well-known/oc-envelope-jwks.json" => &world.key_sets.last()?.json,
        "/.well-known/jwks.json" => &world.auth_key_set.json,
        "/activity.jsonl" => return Some(Answer::ok(JSON_LINES, lines(world.activity.iter().cloned()))),
        other => {
            let number = other.strip_prefix("/projects/")?.strip_suffix("/.well-known/oc-config.json")?;
            &world.configs.get(number.parse::<usize>().ok()?)?.json
        }
    };
    let takes = |misbehaviour| house.conduct.takes(seat, misbehaviour);
    if takes(M::Malformed) {
        return Some(Answer::ok(JSON, UNREADABLE));
    }
    let mut text = text.clone();
    if takes(M::BadUrl) {
        text = with_addresses(house, &text);
    }
    let mut bytes = text.into_bytes();
    if takes(M::InvalidUtf8) {
        // Inside the first text, right after its quotation mark.
        let at = bytes.iter().position(|byte| *byte == b'"').map_or(0, |at| at + 1);
        bytes.insert(at, 0xff);
    }
    Some(Answer::ok(JSON, bytes))
}

/// Every key says where its certificate is said to be (RFC 7517, 4.6).
fn with_addresses(house: &House, text: &str) -> String {
    let Ok(mut document) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    let [trap, private, metadata] = house.bad_urls();
    if let Some(keys) = document.get_mut("keys").and_then(Value::as_array_mut) {
        for key in keys {
            key["x5u"] = trap.clone().into();
        }
    }
    document["jku"] = private.into();
    document["next"] = metadata.into();
    document.to_string()
}
