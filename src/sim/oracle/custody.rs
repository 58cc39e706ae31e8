//! Anchors against claims (FORMATS 9.5), attestations (FORMATS 7.1), guardians and chains of custody (FORMATS 3.4, 8).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::super::expect::Expected;
use super::super::nostr::SimEvent;
use super::super::world::Proven;
use super::read::{Facts, HOUR, Held, SECOND, micros, parsed, text};
use crate::domain::{Code, Subject, UnixMicros, sha256};

/// A state at either end of a transition, in its one spelling.
pub(super) fn state<'h>(held: &'h Held, end: &str) -> &'h str {
    let found = text(&held.body, &[end, &format!("{end}_state"), &format!("{end}_signing_method")]);
    if found == "bip-322" { "bip322" } else { found }
}

/// A headline and those of these members that are there, one a line.
fn lines(head: &str, body: &Value, names: &[&str]) -> String {
    let there = names.iter().filter_map(|name| Some((name, body[*name].as_str()?)));
    there.fold(format!("oc-attest:{head}:v1"), |lines, (name, value)| format!("{lines}\n{name}: {value}"))
}

/// Only what is an attestation can be owed an anchor.
fn is_bonded(leaf: &Value) -> bool {
    leaf["level"] != "signed-event" && !leaf["bond_sats"].is_null()
}

fn hash(text: &str) -> String {
    sha256(text.as_bytes()).to_hex()
}

impl Facts<'_> {
    pub(super) fn proofs(&self) {
        for held in self.envelopes.iter().filter(|held| held.standing != "excluded:after-as-of") {
            let later = match held.kind.as_str() {
                "oc-me-rebind" => Expected::open(Code::RebAnchorTime, held.subject().and("user", held.user())),
                _ => Expected::open(Code::OtsBeforeClaim, held.subject()),
            };
            let at = (held.kind != "oc-me-trust").then_some(held.at);
            self.proof(held.subject(), &held.id, at, later, true);
        }
        for (id, leaf) in self.attestations().iter().filter(|(_, leaf)| is_bonded(leaf)) {
            let subject = Subject::new("attestation", id);
            let later = Expected::open(Code::OtsBeforeClaim, subject.clone());
            // It is anchored when it upgrades a tier (FORMATS 7.5), which is no promise of a time.
            self.proof(subject, id, leaf["issued_at_micros"].as_i64(), later, false);
        }
    }

    /// What is wrong about one proof; `later` when its block is older than the claim. Who broke a proof has said so.
    fn proof(&self, subject: Subject, id: &str, at: Option<i64>, later: Expected, is_prompt: bool) {
        match self.scene.world.proven.get(id) {
            None | Some(Proven::Never) => self.when(true, Code::OtsAbsent, subject),
            Some(Proven::Waits(since)) => {
                let is_over = self.as_of - since * SECOND > 48 * HOUR;
                self.when(is_over, Code::OtsOverdue, subject.clone());
                (!is_over).then(|| self.say(Expected::explained(Code::OtsPending, subject)));
            }
            _ => {
                let Some((at, (_, block))) = at.zip(self.block(id)) else { return };
                self.when(is_prompt && block - at > 48 * HOUR, Code::OtsLate, subject);
                (block + 2 * HOUR < at).then(|| self.say(later));
            }
        }
    }

    /// Why an attestation of that id does not hold, as whoever broke it has said: the names of codes, and whether the message
    /// itself can't be read, which names no member.
    fn refusals(&self, id: &str) -> (BTreeSet<&'static str>, bool) {
        let (scene, codes) = (self.scene, [Code::AttId, Code::AttFields, Code::AttSig, Code::AttScript]);
        let told = scene.told.iter().filter(|one| one.subject.get("attestation") == Some(id));
        let told: Vec<&Expected> = told.filter(|one| codes.contains(&one.code)).collect();
        let is_whole = |one: &&Expected| one.code != Code::AttFields || one.subject.get("member").is_some();
        (told.iter().map(|one| one.code.name()).collect(), !told.iter().all(is_whole))
    }

    /// Leaves by id (FORMATS 7.5): signed events and well-formed ones.
    pub(super) fn attestations(&self) -> BTreeMap<String, Value> {
        let (mut leaves, mut standing): (BTreeMap<String, Value>, BTreeMap<String, (i64, String)>) = Default::default();
        for event in self.scene.world.events.iter().filter(|event| event.kind == 30_078) {
            let content = parsed(&event.content);
            let message = text(&content, &["message"]);
            let is_counted = !self.scene.discounted.contains(&event.id.to_string());
            let declared = event.tag_values("d").next().unwrap_or_default().to_owned();
            let (reasons, is_unreadable) = if is_counted { Default::default() } else { self.refusals(&declared) };
            let line = |name: &str| {
                let mut lines = message.lines().filter(|_| !is_unreadable);
                lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            };
            let instant = |name: &str| line(name).and_then(|at| at.parse::<UnixMicros>().ok()).map(|at| at.0);
            let (at, expires) = (instant("issued_at"), instant("expires"));
            let is_one = if is_counted { at.is_some() } else { !reasons.is_empty() };
            if !is_one || at.is_some_and(|at| at > self.as_of) || !is_counted && leaves.contains_key(&declared) {
                continue;
            }
            let id = if is_counted { hash(message) } else { declared };
            let level = if is_counted { "well-formed" } else { "signed-event" };
            let expired = expires.is_some_and(|expires| expires <= self.as_of);
            if let (true, false, Some(at), Some(address)) = (is_counted, expired, at, line("address")) {
                let held = standing.entry(address.to_owned()).or_insert((at, id.clone()));
                if (at, std::cmp::Reverse(&id)) > (held.0, std::cmp::Reverse(&held.1)) {
                    *held = (at, id.clone());
                }
            }
            let identities: Vec<&str> = line("identities").unwrap_or_default().split_terminator(',').collect();
            let leaf = json!({
                "type": "attestation", "id": id, "level": level, "reasons": reasons, "address": line("address"),
                "identities": identities, "issued_at_micros": at, "expires_at_micros": expires, "expired": expired,
                "bond_sats": line("bond").and_then(|sats| sats.parse::<u64>().ok()), "current": false,
                "network": line("network").unwrap_or("mainnet"),
                "anchor_height": is_counted.then(|| self.height(&id)).flatten(),
            });
            leaves.insert(id, leaf);
        }
        for (_, id) in standing.into_values() {
            leaves.entry(id).and_modify(|leaf| leaf["current"] = true.into());
        }
        leaves
    }

    fn guarded(&self, kind: &str) -> Vec<Value> {
        let (world, files) = (&self.scene.world, self.scene.appended.iter());
        let files =
            files.filter(|(name, _)| name.starts_with("custody")).flat_map(|(_, bytes)| bytes.split(|b| *b == b'\n'));
        // A document that does not hold the name of its kind anywhere is of another one.
        let is_named = |event: &&SimEvent| matches!(event.kind, 30_078 | 30_087) && event.content.contains(kind);
        let events = world.events.iter().filter(is_named);
        let records = world.custody.iter().map(parsed).chain(events.map(|event| parsed(&event.content)));
        records.chain(files.map(parsed)).filter(|record| text(record, &["kind"]).ends_with(kind)).collect()
    }

    pub(super) fn descriptors(&self) -> BTreeMap<String, Value> {
        let mut leaves = BTreeMap::new();
        for body in self.guarded("attest-federation-custody") {
            let listed = body["guardians"].as_array().into_iter().flatten().map(|one| text(one, &["address"]));
            let guardians: BTreeSet<&str> = listed.collect();
            let head = lines("federation-custody", &body, &["address", "threshold"]);
            let id = hash(&guardians.iter().fold(head, |lines, one| format!("{lines}\nguardian: {one}")));
            let threshold = text(&body, &["threshold"]).split('-').next().and_then(|needed| needed.parse::<u64>().ok());
            let leaf = json!({
                "type": "descriptor", "id": id, "address": body["address"], "threshold": threshold, "guardians": guardians,
            });
            leaves.insert(id, leaf);
        }
        leaves.retain(|id, _| !self.scene.discounted.contains(id));
        leaves
    }

    /// Leaves of graduations, then of rotations, by id; with the hash of the lines, by which findings name a step. What was
    /// signed is the lines, or the JSON if that is what was anchored.
    pub(super) fn steps(&self) -> BTreeMap<(&'static str, String), (String, Value)> {
        let mut steps = BTreeMap::new();
        let kinds = [("graduation", "graduation", "graduated_at"), ("rotation", "federation-rotation", "rotated_at")];
        for (what, head, at) in kinds {
            for body in self.guarded(&format!("orangecheck-{head}")) {
                let name = hash(&lines(head, &body, &["address", "from_federation", "to", "to_federation", at]));
                let Some(claimed) = micros(&body, &[at]).filter(|at| *at <= self.as_of) else { continue };
                let is_signed = |name: &&String| !["proof", "ots", "id"].contains(&name.as_str());
                let members = body.as_object().into_iter().flatten().filter(|(name, _)| is_signed(name));
                let signed: Map<String, Value> = members.map(|(name, value)| (name.clone(), value.clone())).collect();
                let as_json = hash(&Value::Object(signed).to_string());
                let is_json = self.scene.world.proven.contains_key(&as_json);
                let (id, profile) = if is_json { (as_json, "J") } else { (name.clone(), "L") };
                let bare = |name: &str| body[name].as_str().map(|id| id.trim_start_matches("fed:"));
                let leaf = json!({
                    "type": what, "id": id, "address": body["address"], "from": bare("from_federation"),
                    "graduates_to": body["to"], "to": bare("to_federation"), "at": claimed.div_euclid(SECOND),
                    "anchor_height": self.height(&id), "profile": profile,
                });
                steps.insert((what, id), (name, leaf));
            }
        }
        steps.retain(|(_, id), _| !self.scene.discounted.contains(id));
        steps
    }

    /// From when on a rebind counts: its claim, or the time of a block that is over two hours older.
    fn effective(&self, held: &Held) -> i64 {
        self.bounded(&held.id, held.at)
    }

    fn bounded(&self, id: &str, at: i64) -> i64 {
        self.block(id).map_or(at, |(_, block)| if block + 2 * HOUR < at { block } else { at })
    }

    fn place(&self, id: &str, at: i64) -> (i64, usize, String) {
        (self.bounded(id, at), self.height(id).unwrap_or(usize::MAX), id.to_owned())
    }

    fn place_of(&self, leaf: &Value) -> (i64, usize, String) {
        self.place(text(leaf, &["id"]), leaf["at"].as_i64().unwrap_or_default() * SECOND)
    }

    /// The last graduation of that principal between two rebinds leaves the state that the second starts from.
    fn starts_from_graduation(
        &self,
        graduations: &[(String, Value)],
        whose: &str,
        since: Option<&Held>,
        held: &Held,
    ) -> bool {
        let until = self.place(&held.id, held.at);
        let after = since.map(|since| self.place(&since.id, since.at));
        let own = graduations.iter().filter(|(principal, _)| principal == whose).map(|(_, leaf)| leaf);
        let between = own.filter(|leaf| {
            let place = self.place_of(leaf);
            place < until && after.as_ref().is_none_or(|after| place > *after)
        });
        between.max_by_key(|leaf| self.place_of(leaf)).is_some_and(|leaf| {
            let left = if leaf["graduates_to"] == "single-key" { "bip322" } else { "fedimint_client" };
            let named = held.text("from_federation").and_then(|name| name.strip_prefix("fed:"));
            let entered = leaf["to"].as_str();
            left == state(held, "from") && (named.is_none() || entered.is_none() || named == entered)
        })
    }

    /// Descriptors that two rotations leave while custody was there once.
    fn forks(&self, steps: &BTreeMap<(&'static str, String), (String, Value)>) -> BTreeSet<Subject> {
        let mut ordered: Vec<&Value> = steps.values().map(|(_, leaf)| leaf).collect();
        ordered.sort_by_key(|leaf| self.place_of(leaf));
        let rotations = ordered.iter().filter(|leaf| leaf["type"] == "rotation");
        let left: BTreeSet<(&str, &str)> =
            rotations.map(|leaf| (text(leaf, &["from"]), text(leaf, &["address"]))).collect();
        let is_fork = |(descriptor, address): &(&str, &str)| {
            let (mut custody, mut exits) = (Some(*descriptor), 0);
            ordered.iter().filter(|leaf| leaf["address"] == *address).any(|leaf| {
                let (is_rotation, is_active) = (leaf["type"] == "rotation", leaf["from"].as_str() == custody);
                exits += u32::from(is_rotation && leaf["from"] == *descriptor);
                let forks = exits > 1;
                if !is_rotation || is_active {
                    custody = leaf["to"].as_str();
                    exits = if custody == Some(*descriptor) { 0 } else { exits };
                }
                forks
            })
        };
        let forks = left.into_iter().filter(is_fork);
        forks.map(|(descriptor, address)| Subject::new("descriptor", descriptor).and("user", address)).collect()
    }

    /// Counted rebinds in their order, each with whose chain it belongs to.
    fn chain(&self) -> Vec<(String, &Held)> {
        let principals = self.principals();
        let whose = |held: &Held| principals.get(held.user()).cloned().unwrap_or_else(|| held.user().to_owned());
        let mut chain: Vec<_> = self.counted("oc-me-rebind").into_iter().map(|held| (whose(held), held)).collect();
        // Equal times: the earlier block first, then the lower id (FORMATS 3.4).
        chain.sort_by_key(|(_, held)| (self.effective(held), self.height(&held.id).unwrap_or(usize::MAX), &held.id));
        chain
    }

    /// Rebinds that do not start from the replayed state.
    pub(super) fn gaps(&self) -> BTreeSet<&str> {
        let (mut gaps, mut last): (BTreeSet<&str>, BTreeMap<String, &Held>) = Default::default();
        let principals = self.principals();
        let steps = self.steps().into_iter().filter(|((what, _), _)| *what == "graduation");
        let graduations: Vec<(String, Value)> = steps
            .map(|(_, (_, leaf))| {
                let address = text(&leaf, &["address"]);
                (principals.get(address).cloned().unwrap_or_else(|| address.to_owned()), leaf)
            })
            .collect();
        for (principal, held) in self.chain() {
            let before = last.insert(principal.clone(), held);
            let has_graduated = self.starts_from_graduation(&graduations, &principal, before, held);
            let follows = held.text("prev").is_none_or(|prev| before.is_some_and(|last| last.id == prev));
            let is_gap =
                !follows || !has_graduated && before.is_some_and(|last| state(last, "to") != state(held, "from"));
            gaps.extend(is_gap.then_some(held.id.as_str()));
        }
        gaps
    }

    /// Two that claim one predecessor or one instant; named by the user of the first.
    fn equivocations(&self) -> BTreeSet<Subject> {
        let mut places: BTreeMap<(String, &str, String), Vec<&str>> = BTreeMap::new();
        for (principal, held) in self.chain() {
            let prev = held.text("prev").map(|prev| ("prev", prev.to_owned()));
            for (place, value) in prev.into_iter().chain([("at_micros", held.at.to_string())]) {
                places.entry((principal.clone(), place, value)).or_default().push(held.user());
            }
        }
        let several = places.into_iter().filter(|(_, users)| users.len() > 1);
        several.map(|((_, place, value), users)| Subject::new("user", users[0]).and(place, value)).collect()
    }

    pub(super) fn rebinds(&self) {
        let (gaps, steps, chain, principals) = (self.gaps(), self.steps(), self.chain(), self.principals());
        let descriptors = self.descriptors();
        for (principal, held) in &chain {
            let subject = held.subject().and("user", held.user());
            let is_own = |leaf: &Value| {
                let address = text(leaf, &["address"]);
                principals.get(address).map_or(address, String::as_str) == principal
            };
            let older =
                steps.iter().filter(|(_, (_, leaf))| leaf["at"].as_i64().is_some_and(|at| at * SECOND <= held.at));
            let has_graduated = older.into_iter().any(|((what, _), (_, leaf))| *what == "graduation" && is_own(leaf));
            let named = held.text("graduation_id").and_then(|id| steps.get(&("graduation", id.to_owned())));
            let leaves = state(held, "from") != "bip322" && state(held, "to") == "bip322";
            let entered = held.text("to_federation").and_then(|name| name.strip_prefix("fed:"));
            let governed = entered.and_then(|id| Some(text(descriptors.get(id)?, &["address"]).to_owned()));
            let names = principals.iter().filter(|(_, own)| *own == principal).map(|(name, _)| name.as_str());
            let addresses: BTreeSet<&str> = names.chain([held.user()]).filter(|name| name.starts_with("bc1")).collect();
            let is_foreign =
                governed.is_some_and(|address| !addresses.is_empty() && !addresses.contains(address.as_str()));
            self.when(is_foreign, Code::RebInvariant, subject.clone().and("member", "to_federation"));
            let is_missing = leaves && named.is_none() && !has_graduated;
            self.when(gaps.contains(held.id.as_str()), Code::RebGap, subject.clone());
            // A `did:oc` has an address too, which no rebind says.
            let is_other = named.is_some_and(|(_, leaf)| !held.user().starts_with("did:") && !is_own(leaf));
            self.when(is_other, Code::RebInvariant, subject.clone());
            self.when(is_missing, Code::RebGraduationMissing, subject);
        }
        self.each(Code::EnvEquivocation, self.equivocations());
        let about = |((what, _), (name, leaf)): (&(&'static str, _), &(String, Value))| {
            Subject::new(what, name).and("address", text(leaf, &["address"]))
        };
        self.each(Code::RebProfile, steps.iter().map(about));
        self.each(Code::RebFork, self.forks(&steps));
    }
}
