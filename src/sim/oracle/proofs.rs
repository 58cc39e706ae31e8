//! Anchoring: what is proven of each digest, against what its owner claims (FORMATS 9.5). Attestations, of which those with
//! a bond must be anchored.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::expect::Expected;
use super::super::world::Proven;
use super::read::{Facts, HOUR, SECOND, parsed};
use crate::domain::{Code, Subject, UnixMicros, sha256};

/// An accepted attestation, as its message has it (FORMATS 7.1).
pub(super) struct Attested {
    pub(super) id: String,
    pub(super) address: String,
    pub(super) identities: Vec<String>,
    pub(super) at: i64,
    pub(super) bond: Option<u64>,
}

impl Facts<'_> {
    pub(super) fn proofs(&self) {
        for held in self.envelopes.iter().filter(|held| held.standing != "excluded:after-as-of") {
            let subject = held.subject();
            let contradicted = match held.kind.as_str() {
                "oc-me-rebind" => Expected::open(Code::RebAnchorTime, subject.clone().and("user", held.user())),
                _ => Expected::open(Code::OtsBeforeClaim, subject.clone()),
            };
            self.proof(subject, &held.id, held.at, contradicted);
        }
        for one in self.attestations().into_values().filter(|one| one.bond.is_some()) {
            let subject = Subject::new("attestation", &one.id);
            self.proof(subject.clone(), &one.id, Some(one.at), Expected::open(Code::OtsBeforeClaim, subject));
        }
    }

    /// What is wrong about one proof; what is to be said when its block is older than the claim.
    fn proof(&self, subject: Subject, id: &str, at: Option<i64>, contradicted: Expected) {
        let late = |code: Code| Expected::open(code, subject.clone());
        match self.proven(id) {
            Proven::Never => self.say(late(Code::OtsAbsent)),
            Proven::Waits(since) if self.as_of - since * SECOND > 48 * HOUR => self.say(late(Code::OtsOverdue)),
            Proven::Waits(_) => self.say(Expected::explained(Code::OtsPending, subject)),
            Proven::Block(height) => match at.zip(self.block_time(height)) {
                Some((at, block)) if block - at > 48 * HOUR => self.say(late(Code::OtsLate)),
                Some((at, block)) if block + 2 * HOUR < at => self.say(contradicted),
                _ => {}
            },
            // Whoever broke the proof has said so.
            Proven::Refused | Proven::Beyond => {}
        }
    }

    /// Attestations of the time up to the as-of, by id.
    pub(super) fn attestations(&self) -> BTreeMap<String, Attested> {
        let events = self.scene.world.events.iter().filter(|event| event.kind == 30_078);
        let counted = events.filter(|event| !self.scene.discounted.contains(&event.id.to_string()));
        let read = counted.filter_map(|event| attested(&parsed(&event.content)));
        read.filter(|one| one.at <= self.as_of).map(|one| (one.id.clone(), one)).collect()
    }
}

fn attested(content: &Value) -> Option<Attested> {
    let message = content["message"].as_str()?;
    let line = |name: &str| message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let identities = line("identities")?.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect();
    let (id, address) = (sha256(message.as_bytes()).to_hex(), line("address")?.to_owned());
    let bond = line("bond").and_then(|sats| sats.parse().ok());
    Some(Attested { id, address, identities, at: line("issued_at")?.parse::<UnixMicros>().ok()?.0, bond })
}
