//! Federated custody of some users: descriptors with guardians, rotations, graduations (FORMATS 8), each canonical message in
//! one of its two candidate forms.

use super::cast::User;
use super::json::{Object, array};
use super::keys::{KeyMaker, Wallet};
use super::rng::Rng;
use super::time::{DAY, HOUR, Millis, START, iso_seconds};
use crate::domain::sha256;

/// A rotation or graduation before it is published: its anchor may come later.
pub(super) struct Step {
    pub(super) id: [u8; 32],
    pub(super) at: Millis,
    /// The user whose federation is left for a single key.
    pub(super) graduate: Option<usize>,
    object: Object,
    proof: String,
    declares_id: bool,
}

/// What there is to know about custody.
pub(super) struct Custody {
    /// Finished lines.
    pub(super) descriptors: Vec<String>,
    pub(super) steps: Vec<Step>,
}

impl Step {
    /// The step as JSON; `ots` is the finished member.
    pub(super) fn line(&self, ots: &str) -> String {
        let mut object = self.object.clone().raw("proof", &self.proof).raw("ots", ots);
        if self.declares_id {
            object = object.text("id", faster_hex::hex_string(&self.id));
        }
        object.compact()
    }

    /// The id in hex.
    pub(super) fn id_hex(&self) -> String {
        faster_hex::hex_string(&self.id)
    }
}

/// A user's guardians under one descriptor.
struct Federation {
    id: String,
    threshold: usize,
    guardians: Vec<Wallet>,
    json: String,
}

/// Whether some users of that world have guardians: such artifacts are rare (FORMATS 8).
const fn has_guardians(seed: u64) -> bool {
    seed.is_multiple_of(2)
}

/// The custody of every sixth user, from the fourth on, in every second world. In turn they rotate and graduate to a single key, only rotate, or
/// graduate to another federation.
pub(super) fn custody(seed: u64, users: &[User], keys: &KeyMaker) -> Custody {
    let mut rng = Rng::new(seed, "custody");
    let mut custody = Custody { descriptors: Vec::new(), steps: Vec::new() };
    let guarded = if has_guardians(seed) { 40 } else { 0 };
    for (turn, (index, user)) in users.iter().enumerate().skip(3).step_by(6).take(guarded).enumerate() {
        let address = &user.wallet.address;
        let made =
            |generation: usize, threshold, count| federation(keys, address, (index, generation), threshold, count);
        let (first, second) = (made(0, 3, 5), made(1, 2, 3));
        custody.descriptors.extend([first.json.clone(), second.json.clone()]);
        let at = START + rng.range(10, 40) * DAY + rng.range(7, 21) * HOUR;
        let later = at + rng.range(20, 40) * DAY;
        if turn % 3 == 2 {
            let object = graduation(address, &first, "federation", at).text("to_federation", &second.id);
            let order = ["address", "from_federation", "to", "to_federation", "graduated_at"];
            let form = Form { head: "graduation", order: &order, from: &first, user: Some(user) };
            custody.steps.push(form.sign(object, at, keys, &mut rng));
            continue;
        }
        let object = Object::new()
            .plain("v", 1)
            .text("kind", "orangecheck-federation-rotation")
            .text("address", address)
            .text("from_federation", &first.id)
            .text("to_federation", &second.id)
            .text("rotated_at", iso_seconds(at));
        let order = ["address", "from_federation", "to_federation", "rotated_at"];
        let form = Form { head: "federation-rotation", order: &order, from: &first, user: None };
        custody.steps.push(form.sign(object, at, keys, &mut rng));
        if turn % 3 == 0 {
            let object = graduation(address, &second, "single-key", later);
            let order = ["address", "from_federation", "to", "graduated_at"];
            let form = Form { head: "graduation", order: &order, from: &second, user: Some(user) };
            let step = form.sign(object, later, keys, &mut rng);
            custody.steps.push(Step { graduate: Some(index), ..step });
        }
    }
    custody
}

fn graduation(address: &str, from: &Federation, to: &str, at: Millis) -> Object {
    Object::new()
        .plain("v", 1)
        .text("kind", "orangecheck-graduation")
        .text("address", address)
        .text("from_federation", &from.id)
        .text("to", to)
        .text("graduated_at", iso_seconds(at))
}

/// FORMATS 8.1: the id hashes lines, not the JSON.
fn federation(
    keys: &KeyMaker,
    address: &str,
    (user, generation): (usize, usize),
    threshold: usize,
    count: usize,
) -> Federation {
    let mut guardians: Vec<Wallet> = (0..count)
        .map(|number| {
            let pair = keys.keypair(&format!("guardian {user} {generation} {number}"));
            if number % 2 == 0 { Wallet::segwit(pair) } else { Wallet::taproot(&keys.secp, pair) }
        })
        .collect();
    guardians.sort_by(|a, b| a.address.cmp(&b.address));
    let mut lines = format!("oc-attest:federation-custody:v1\naddress: {address}\nthreshold: {threshold}-of-{count}");
    for guardian in &guardians {
        lines = format!("{lines}\nguardian: {}", guardian.address);
    }
    let id = format!("fed:{}", sha256(lines.as_bytes()));
    let listed = guardians.iter().enumerate().map(|(number, guardian)| {
        let entry = Object::new().text("address", &guardian.address).text("alg", "bip322");
        if number == 0 { entry.text("name", "first guardian") } else { entry }.compact()
    });
    let mut descriptor = Object::new()
        .plain("v", 1)
        .text("kind", "attest-federation-custody")
        .text("address", address)
        .text("threshold", format!("{threshold}-of-{count}"))
        .raw("guardians", array(listed));
    if generation == 0 {
        let fedimint = Object::new().text("kind", "fedimint").text("federation_id", "f1").text("version", "0.4");
        descriptor = descriptor.raw("implementation", fedimint.compact()).text("id", &id);
    }
    Federation { id, threshold, guardians, json: descriptor.compact() }
}

/// What is signed, and by whom.
struct Form<'a> {
    head: &'static str,
    /// The members that the line form has, in its order.
    order: &'a [&'static str],
    from: &'a Federation,
    /// Signs too when a federation is left for good.
    user: Option<&'a User>,
}

impl Form<'_> {
    /// FORMATS 8.4: form L is lines, form J is the RFC 8785 text of the object; the text itself is signed, or its hash.
    fn sign(&self, object: Object, at: Millis, keys: &KeyMaker, rng: &mut Rng) -> Step {
        let text = if rng.chance(50) { self.lines(&object) } else { object.clone().sorted().compact() };
        let id = sha256(text.as_bytes());
        let message = if rng.chance(70) { text } else { id.to_hex() };
        let signature = |wallet: &Wallet| {
            Object::new().text("address", &wallet.address).text("sig", wallet.sign_message(&keys.secp, &message))
        };
        // Sometimes more guardians than needed.
        let signers = (self.from.threshold + rng.index(2)).min(self.from.guardians.len());
        let mut proof: Vec<String> =
            self.from.guardians.iter().rev().take(signers).map(|guardian| signature(guardian).compact()).collect();
        proof.extend(self.user.map(|user| signature(&user.wallet).text("kind", "self-key").compact()));
        Step { id: id.0, at, graduate: None, object, proof: array(proof), declares_id: rng.chance(50) }
    }

    fn lines(&self, object: &Object) -> String {
        self.order.iter().fold(format!("oc-attest:{}:v1", self.head), |text, name| {
            let value = object.get(name).unwrap_or_default();
            format!("{text}\n{name}: {}", value.trim_matches('"'))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::cast::users;

    #[test]
    fn a_descriptor_has_the_derived_id_of_its_lines() {
        // FORMATS 8.1 gives the lines; the guardians here are other ones, so the hash is made anew from the JSON.
        let keys = KeyMaker::new(2);
        let users = users(2, 60, &keys);
        let custody = custody(2, &users, &keys);
        assert!(custody.steps.len() > 3);
        for line in &custody.descriptors {
            let read: serde_json::Value = serde_json::from_str(line).unwrap();
            let mut lines = vec![
                "oc-attest:federation-custody:v1".to_owned(),
                format!("address: {}", read["address"].as_str().unwrap()),
                format!("threshold: {}", read["threshold"].as_str().unwrap()),
            ];
            for guardian in read["guardians"].as_array().unwrap() {
                lines.push(format!("guardian: {}", guardian["address"].as_str().unwrap()));
            }
            assert!(lines[3..].is_sorted());
            let id = format!("fed:{}", sha256(lines.join("\n").as_bytes()));
            assert!(read.get("id").is_none_or(|declared| *declared == *id));
            let is_left = |step: &&Step| step.object.get("from_federation") == Some(&format!("\"{id}\""));
            let is_entered = |step: &Step| step.object.get("to_federation") == Some(&format!("\"{id}\""));
            assert!(custody.steps.iter().find(is_left).is_some() || custody.steps.iter().any(is_entered), "{id}");
        }
    }

    #[test]
    fn every_second_world_has_no_guardians() {
        let keys = KeyMaker::new(3);
        let custody = custody(3, &users(3, 60, &keys), &keys);
        assert!(custody.descriptors.is_empty() && custody.steps.is_empty());
    }
}
