//! What else is on a relay: probes, foreign applications, kinds that nobody assigned (FORMATS 1, 2.2). Only in some worlds.

use super::json::Object;
use super::keys::KeyMaker;
use super::nostr::{Draft, SimEvent, sign, tag};
use super::rng::Rng;
use super::time::{DAY, HOUR, START, seconds};

/// Whether the relays of that world hold what is no record.
pub(super) const fn has_junk(seed: u64) -> bool {
    seed % 4 == 2
}

/// Events that are stored or set aside and never counted, each under a throw-away key.
pub(super) fn junk(seed: u64, keys: &KeyMaker) -> Vec<SimEvent> {
    if !has_junk(seed) {
        return Vec::new();
    }
    let mut rng = Rng::new(seed, "junk");
    let mut events = Vec::new();
    let probe = || Object::new().plain("probe", true).compact();
    let stamp = Object::new().text("kind", "oc-stamp").text("hash", rng.hex::<32>()).compact();
    let texts = [
        (30_087, format!("oc-me-event:deploy-probe-{}", START + 5 * DAY), probe()),
        (30_087, "oc-me-distribution:deploy-probe".to_owned(), probe()),
        (30_087, format!("oc-me-drop:{}", rng.hex::<8>()), "not even JSON".to_owned()),
        (30_112, "oc-lock-chat-seal:final".to_owned(), "final".to_owned()),
        (30_111, format!("oc-lock-chat-msg:{}", rng.hex::<8>()), "{\"text\":\"gm\"}".to_owned()),
        (30_083, format!("oc-stamp:{}", rng.hex::<32>()), stamp),
        (30_078, "some-app:settings".to_owned(), "{\"theme\":\"dark\"}".to_owned()),
        (30_090, "unassigned".to_owned(), "{}".to_owned()),
        (30_095, "unassigned".to_owned(), String::new()),
    ];
    for (index, (kind, d, content)) in texts.into_iter().enumerate() {
        if rng.chance(25) {
            continue;
        }
        let created_at = seconds(START + rng.range(1, 110) * DAY + rng.range(0, 23) * HOUR);
        let pair = keys.keypair(&format!("junk {index}"));
        events.push(sign(&keys.secp, &pair, Draft { kind, created_at, tags: vec![tag(["d", &d])], content }));
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_some_worlds_have_junk() {
        let of = |seed| junk(seed, &KeyMaker::new(seed)).len();
        assert_eq!([of(0), of(1), of(3), of(7)], [0; 4]);
        assert!([2, 6, 10].into_iter().all(|seed| of(seed) > 3));
    }
}
