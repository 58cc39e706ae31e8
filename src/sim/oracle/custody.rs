//! Anchors against claims (FORMATS 9.5), attestations (FORMATS 7.1), chains of custody (FORMATS 3.4, 8).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::expect::Expected;
use super::super::world::Proven;
use super::read::{Facts, HOUR, Held, SECOND, parsed, repeated, text};
use crate::domain::{Code, Subject, UnixMicros, sha256};

/// A state at either end of a transition, in its one spelling.
pub(super) fn state<'h>(held: &'h Held, end: &str) -> &'h str {
    let found = text(&held.body, &[end, &format!("{end}_state"), &format!("{end}_signing_method")]);
    if found == "bip-322" { "bip322" } else { found }
}

impl Facts<'_> {
    pub(super) fn proofs(&self) {
        for held in self.envelopes.iter().filter(|held| held.standing != "excluded:after-as-of") {
            let later = match held.kind.as_str() {
                "oc-me-rebind" => Expected::open(Code::RebAnchorTime, held.subject().and("user", held.user())),
                _ => Expected::open(Code::OtsBeforeClaim, held.subject()),
            };
            let is_dated = held.kind != "oc-me-trust";
            self.proof(held.subject(), &held.id, is_dated.then_some(held.at), later);
        }
        for (id, leaf) in self.attestations().iter().filter(|(_, leaf)| !leaf["bond_sats"].is_null()) {
            let subject = Subject::new("attestation", id);
            let later = Expected::open(Code::OtsBeforeClaim, subject.clone());
            self.proof(subject, id, leaf["issued_at_micros"].as_i64(), later);
        }
    }

    /// What is wrong about one proof; `later` when its block is older than the claim. Who broke a proof has said so.
    fn proof(&self, subject: Subject, id: &str, at: Option<i64>, later: Expected) {
        match self.scene.world.proven.get(id) {
            None | Some(Proven::Never) => self.when(true, Code::OtsAbsent, subject),
            Some(Proven::Waits(since)) if self.as_of - since * SECOND > 48 * HOUR => {
                self.when(true, Code::OtsOverdue, subject);
            }
            Some(Proven::Waits(_)) => self.say(Expected::explained(Code::OtsPending, subject)),
            _ => {
                let Some((at, (_, block))) = at.zip(self.block(id)) else { return };
                self.when(block - at > 48 * HOUR, Code::OtsLate, subject);
                (block + 2 * HOUR < at).then(|| self.say(later));
            }
        }
    }

    /// The leaves of attestations of the time up to the as-of, by id.
    pub(super) fn attestations(&self) -> BTreeMap<String, Value> {
        let mut leaves = BTreeMap::new();
        for event in self.scene.world.events.iter().filter(|event| event.kind == 30_078) {
            let content = parsed(&event.content);
            let message = text(&content, &["message"]);
            let line = |name: &str| message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            let issued = line("issued_at").and_then(|at| at.parse::<UnixMicros>().ok()).map(|at| at.0);
            let Some(at) = issued.filter(|at| *at <= self.as_of) else { continue };
            if self.scene.discounted.contains(&event.id.to_string()) {
                continue;
            }
            let identities: Vec<&str> = line("identities").unwrap_or_default().split_terminator(',').collect();
            let (id, bond) =
                (sha256(message.as_bytes()).to_hex(), line("bond").and_then(|sats| sats.parse::<u64>().ok()));
            let leaf = json!({
                "type": "attestation", "id": id, "address": line("address"), "identities": identities,
                "issued_at_micros": at, "bond_sats": bond, "anchor_height": self.block(&id).map(|(height, _)| height),
            });
            leaves.insert(id, leaf);
        }
        leaves
    }

    /// Rebinds that do not start from the replayed state.
    pub(super) fn gaps(&self) -> BTreeSet<&str> {
        let (mut gaps, mut last): (BTreeSet<&str>, BTreeMap<&str, &Held>) = Default::default();
        let mut chain = self.counted("oc-me-rebind");
        // Equal times: the earlier block first, then the lower id (FORMATS 3.4).
        chain.sort_by_key(|held| (held.at, self.block(&held.id).is_none(), self.block(&held.id), &held.id));
        for held in chain {
            let before = last.insert(held.user(), held);
            let follows = held.text("prev").is_none_or(|prev| before.is_some_and(|last| last.id == prev));
            let is_gap = !follows || before.is_some_and(|last| state(last, "to") != state(held, "from"));
            gaps.extend(is_gap.then_some(held.id.as_str()));
        }
        gaps
    }

    pub(super) fn rebinds(&self) {
        let (gaps, steps, rebinds) = (self.gaps(), &self.scene.stepped, self.counted("oc-me-rebind"));
        for held in &rebinds {
            let subject = held.subject().and("user", held.user());
            let graduations = steps.iter().filter(|step| step.graduates_to.is_some());
            let mut own = graduations.filter(|step| step.address == held.user() && step.at * SECOND <= held.at);
            let named = held.text("graduation_id").and_then(|id| steps.iter().find(|step| step.id == id));
            let leaves = state(held, "from") != "bip322" && state(held, "to") == "bip322";
            let is_missing = leaves && named.is_none() && own.next().is_none();
            self.when(gaps.contains(held.id.as_str()), Code::RebGap, subject.clone());
            self.when(named.is_some_and(|step| step.address != held.user()), Code::RebInvariant, subject.clone());
            self.when(is_missing, Code::RebGraduationMissing, subject);
        }
        let claimed = rebinds.iter().flat_map(|held| {
            let subject = Subject::new("user", held.user());
            let prev = held.text("prev").map(|prev| subject.clone().and("prev", prev));
            prev.into_iter().chain([subject.and("at_micros", held.at)])
        });
        self.each(Code::EnvEquivocation, repeated(claimed));
        let rotations = steps.iter().filter(|step| step.to.is_some() && step.at * SECOND <= self.as_of);
        let left = rotations.map(|step| Subject::new("descriptor", &step.from).and("user", &step.address));
        self.each(Code::RebFork, repeated(left));
    }
}
