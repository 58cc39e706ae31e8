//! Anchoring: what is proven of each digest, against what its owner claims (FORMATS 9.5). Attestations, of which those with
//! a bond must be anchored.

use std::collections::BTreeMap;

use serde_json::Value;

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
            let is_rebind = held.kind == "oc-me-rebind";
            let contradicted = if is_rebind { Code::RebAnchorTime } else { Code::OtsBeforeClaim };
            let more = is_rebind.then(|| held.user());
            self.proof(held.subject(), &held.id, held.at, (contradicted, more));
        }
        for one in self.attestations().into_iter().filter(|one| one.bond.is_some()) {
            let subject = Subject::new("attestation", &one.id);
            self.proof(subject, &one.id, Some(one.at), (Code::OtsBeforeClaim, None));
        }
    }

    /// What is wrong about one proof; the code for a claim after its block, and the user that it names beside.
    fn proof(&self, subject: Subject, id: &str, at: Option<i64>, contradicted: (Code, Option<&str>)) {
        match self.proven(id) {
            Proven::Never => self.open(Code::OtsAbsent, subject),
            Proven::Waits(since) if self.as_of - since * SECOND > 48 * HOUR => self.open(Code::OtsOverdue, subject),
            Proven::Waits(_) => self.explained(Code::OtsPending, subject),
            Proven::Block(height) => {
                let (Some(at), Some(block)) = (at, self.block_time(height)) else { return };
                if block - at > 48 * HOUR {
                    self.open(Code::OtsLate, subject);
                } else if block + 2 * HOUR < at {
                    let (code, user) = contradicted;
                    self.open(code, user.map_or(subject.clone(), |user| subject.and("user", user)));
                }
            }
            // Whoever broke the proof has said so.
            Proven::Refused | Proven::Beyond => {}
        }
    }

    /// Attestations of the time up to the as-of, by id.
    pub(super) fn attestations(&self) -> Vec<Attested> {
        let mut found = BTreeMap::new();
        for event in self.scene.world.events.iter().filter(|event| event.kind == 30_078) {
            let one = attested(&parsed(&event.content)).filter(|one| one.at <= self.as_of);
            if let Some(one) = one.filter(|_| !self.scene.discounted.contains(&event.id.to_string())) {
                found.insert(one.id.clone(), one);
            }
        }
        found.into_values().collect()
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
