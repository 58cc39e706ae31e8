//! Guardians: descriptors and the steps between them, as the custody records of a world say them (FORMATS 8).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::scene::Scene;
use super::read::json;
use crate::domain::{UnixSeconds, sha256};

/// A descriptor under the hash of its lines.
pub(super) struct Guarded {
    pub(super) id: String,
    pub(super) address: String,
    pub(super) threshold: u64,
    pub(super) guardians: BTreeSet<String>,
}

/// A graduation or rotation under the hash of the form that was signed.
pub(super) struct Stepped {
    pub(super) id: String,
    /// The hash of its lines, by which findings name it whichever form was signed.
    pub(super) name: String,
    pub(super) address: String,
    pub(super) from: String,
    pub(super) graduates_to: Option<String>,
    pub(super) to: Option<String>,
    pub(super) at: i64,
    pub(super) profile: &'static str,
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// The hash in hex of a headline and these members, one a line.
fn lines(head: &str, value: &Value, names: &[&str], more: &[String]) -> String {
    let members =
        names.iter().filter(|name| value[**name].is_string()).map(|name| format!("{name}: {}", text(value, name)));
    let lines: Vec<String> =
        [format!("oc-attest:{head}:v1")].into_iter().chain(members).chain(more.iter().cloned()).collect();
    sha256(lines.join("\n").as_bytes()).to_hex()
}

fn bare(federation: &str) -> String {
    federation.trim_start_matches("fed:").to_owned()
}

/// Everything in the custody records that nobody has called broken.
pub(super) fn read(scene: &Scene) -> (BTreeMap<String, Guarded>, BTreeMap<String, Stepped>) {
    let appended = scene.appended.iter().filter(|(name, _)| name.starts_with("custody"));
    let appended =
        appended.flat_map(|(_, bytes)| String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect::<Vec<_>>());
    let (mut guarded, mut stepped) = (BTreeMap::new(), BTreeMap::new());
    for value in scene.world.custody.iter().cloned().chain(appended).map(|line| json(line.as_bytes())) {
        match value["kind"].as_str().unwrap_or_default() {
            "attest-federation-custody" => {
                let one = descriptor(&value);
                guarded.insert(one.id.clone(), one);
            }
            kind @ ("orangecheck-graduation" | "orangecheck-federation-rotation") => {
                let one = step(scene, &value, kind.ends_with("graduation"));
                stepped.insert(one.id.clone(), one);
            }
            _ => {}
        }
    }
    guarded.retain(|id, _| !scene.discounted.contains(id));
    stepped.retain(|id, _| !scene.discounted.contains(id));
    (guarded, stepped)
}

fn descriptor(value: &Value) -> Guarded {
    let guardians = value["guardians"].as_array().into_iter().flatten().map(|one| text(one, "address"));
    let guardians: BTreeSet<String> = guardians.collect();
    let listed: Vec<String> = guardians.iter().map(|one| format!("guardian: {one}")).collect();
    let (needed, _) = value["threshold"].as_str().and_then(|text| text.split_once("-of-")).unwrap_or_default();
    Guarded {
        id: lines("federation-custody", value, &["address", "threshold"], &listed),
        address: text(value, "address"),
        threshold: needed.parse().unwrap_or(0),
        guardians,
    }
}

/// A world's own steps are in one of two forms: it knows the proof of the one that was signed. Faults sign lines.
fn step(scene: &Scene, value: &Value, graduates: bool) -> Stepped {
    let (head, at) = if graduates { ("graduation", "graduated_at") } else { ("federation-rotation", "rotated_at") };
    let order = ["address", "from_federation", "to", "to_federation", at];
    let as_lines = lines(head, value, &order, &[]);
    let mut object = value.clone();
    for name in ["proof", "ots", "id"] {
        object.as_object_mut().map(|members| members.remove(name));
    }
    let as_json = sha256(object.to_string().as_bytes()).to_hex();
    let name = as_lines.clone();
    let (id, profile) = if scene.world.proven.contains_key(&as_json) { (as_json, "J") } else { (as_lines, "L") };
    Stepped {
        id,
        name,
        address: text(value, "address"),
        from: bare(&text(value, "from_federation")),
        graduates_to: graduates.then(|| text(value, "to")),
        to: value["to_federation"].as_str().map(bare),
        at: text(value, at).parse::<UnixSeconds>().map_or(0, |at| at.0),
        profile,
    }
}

/// When the configuration says that this key leaked, in Unix seconds.
pub(super) fn leaked(scene: &Scene, kid: &str) -> Option<i64> {
    let (_, after) = scene.sections.split_once(&format!("[[keys.compromised]]\nkid = \"{kid}\"\nat = "))?;
    after.lines().next()?.parse::<UnixSeconds>().ok().map(|at| at.0)
}
