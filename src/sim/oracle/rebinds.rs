//! Custody: chains of rebinds (FORMATS 3.4), descriptors, graduations and rotations (FORMATS 8).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::world::Proven;
use super::read::{Facts, Held, micros, parsed, text, user};
use crate::domain::{Code, Subject, sha256};

/// A graduation or rotation that is not known to be refused.
pub(super) struct Step {
    /// `graduation` or `rotation`.
    pub(super) kind: &'static str,
    pub(super) id: String,
    pub(super) at: i64,
    pub(super) body: Value,
}

/// A spelling of a custody state (FORMATS 3.4).
pub(super) fn state<'b>(body: &'b Value, names: &[&str]) -> &'b str {
    match text(body, names) {
        Some("bip-322") => "bip322",
        other => other.unwrap_or_default(),
    }
}

pub(super) const FROM: [&str; 3] = ["from", "from_state", "from_signing_method"];
pub(super) const TO: [&str; 3] = ["to", "to_state", "to_signing_method"];

impl Facts<'_> {
    /// The records of the custody files.
    fn custody(&self) -> Vec<Value> {
        let files = self.scene.appended.iter().filter(|(name, _)| *name == "custody.jsonl");
        let lines: BTreeSet<String> = files
            .flat_map(|(_, bytes)| String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        lines.iter().map(|line| parsed(line)).collect()
    }

    /// Steps up to the as-of, graduations first, by id.
    pub(super) fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = self.custody().iter().filter_map(step).collect();
        steps.retain(|step| step.at <= self.as_of && !self.scene.discounted.contains(&step.id));
        steps.sort_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
        steps.dedup_by(|a, b| a.id == b.id);
        steps
    }

    /// Descriptors by id: address, threshold, guardians in order.
    pub(super) fn descriptors(&self) -> BTreeMap<String, (Option<String>, String, Vec<String>)> {
        let found = self.custody().into_iter().filter_map(|body| descriptor(&body));
        found.filter(|(id, _)| !self.scene.discounted.contains(id)).collect()
    }

    /// Rebinds that do not start from the replayed state.
    pub(super) fn gaps(&self) -> BTreeSet<String> {
        let mut gaps = BTreeSet::new();
        let mut state_of: BTreeMap<&str, (&Held, &str)> = BTreeMap::new();
        let mut chain = self.counted("oc-me-rebind");
        // Equal times: the earlier block first, then the lower id (FORMATS 3.4).
        let height = |held: &Held| if let Proven::Block(height) = held.proven { height } else { usize::MAX };
        chain.sort_by_key(|held| (held.at, height(held), &held.id));
        for held in chain {
            let before = state_of.insert(user(&held.body), (held, state(&held.body, &TO)));
            let follows = held.text("prev").is_none_or(|prev| before.is_some_and(|(last, _)| last.id == prev));
            if !follows || before.is_some_and(|(_, state_before)| state_before != state(&held.body, &FROM)) {
                gaps.insert(held.id.clone());
            }
        }
        gaps
    }

    pub(super) fn rebinds(&mut self) {
        let mut findings = Vec::new();
        let (gaps, steps) = (self.gaps(), self.steps());
        let mut out_of: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for held in self.counted("oc-me-rebind") {
            let subject = held.subject().and("user", user(&held.body));
            if gaps.contains(&held.id) {
                findings.push((Code::RebGap, subject.clone()));
            }
            if let Some(prev) = held.text("prev") {
                *out_of.entry((prev, user(&held.body))).or_default() += 1;
            }
            let leaves = state(&held.body, &FROM) != "bip322" && state(&held.body, &TO) == "bip322";
            let of = |step: &&Step| step.kind == "graduation" && step.at <= held.time();
            let own = |step: &&Step| of(step) && step.body["address"] == user(&held.body);
            let named = held.text("graduation_id").and_then(|id| steps.iter().find(|step| step.id == id));
            if named.is_some_and(|step| step.body["address"] != user(&held.body)) {
                findings.push((Code::RebInvariant, subject));
            } else if leaves && named.is_none() && !steps.iter().any(|step| own(&step)) {
                findings.push((Code::RebGraduationMissing, subject));
            }
        }
        for ((prev, user), _) in out_of.into_iter().filter(|(_, count)| *count > 1) {
            findings.push((Code::EnvEquivocation, Subject::new("prev", prev).and("user", user)));
        }
        let mut forks: BTreeMap<(String, String), usize> = BTreeMap::new();
        for step in &steps {
            let address = step.body["address"].as_str().unwrap_or_default();
            findings.push((Code::RebProfile, Subject::new(step.kind, &step.id).and("address", address)));
            if step.kind == "rotation" {
                *forks.entry((bare(&step.body["from_federation"]), address.to_owned())).or_default() += 1;
            }
        }
        for ((descriptor, user), _) in forks.into_iter().filter(|(_, count)| *count > 1) {
            findings.push((Code::RebFork, Subject::new("descriptor", descriptor).and("user", user)));
        }
        findings.into_iter().for_each(|(code, subject)| self.open(code, subject));
    }
}

/// A descriptor id without its prefix.
pub(super) fn bare(id: &Value) -> String {
    id.as_str().unwrap_or_default().trim_start_matches("fed:").to_owned()
}

/// The id of a step is the hash of its lines (FORMATS 8.4, 8.5).
fn step(body: &Value) -> Option<Step> {
    let (kind, mark, names, time): (_, _, &[&str], _) = match body["kind"].as_str()? {
        "orangecheck-graduation" => ("graduation", "graduation", &["to", "to_federation"], "graduated_at"),
        "orangecheck-federation-rotation" => ("rotation", "federation-rotation", &["to_federation"], "rotated_at"),
        _ => return None,
    };
    let mut lines = vec![format!("oc-attest:{mark}:v1")];
    for name in [&["address", "from_federation"], names, &[time]].concat() {
        lines.extend(body[name].as_str().map(|value| format!("{name}: {value}")));
    }
    let id = sha256(lines.join("\n").as_bytes()).to_hex();
    Some(Step { kind, id, at: micros(body, &[time])?, body: body.clone() })
}

type Descriptor = (String, (Option<String>, String, Vec<String>));

fn descriptor(body: &Value) -> Option<Descriptor> {
    let first = match body["kind"].as_str()? {
        "attest-federation-custody" => "oc-attest:federation-custody:v1",
        "agent-federation" => "oc-agent:federation:v1",
        _ => return None,
    };
    let threshold = body["threshold"].as_str()?.to_owned();
    let address = body["address"].as_str().map(str::to_owned);
    let listed = body["guardians"].as_array()?.iter();
    let mut guardians: Vec<String> =
        listed.filter_map(|one| one["address"].as_str().or(one.as_str())).map(str::to_owned).collect();
    guardians.sort();
    let mut lines = vec![first.to_owned()];
    lines.extend(address.iter().map(|address| format!("address: {address}")));
    lines.push(format!("threshold: {threshold}"));
    lines.extend(guardians.iter().map(|guardian| format!("guardian: {guardian}")));
    Some((sha256(lines.join("\n").as_bytes()).to_hex(), (address, threshold, guardians)))
}
