//! Anchoring: what is proven of each digest, against what its owner claims (FORMATS 9.5). Attestations, of which those with
//! a bond must be anchored.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::world::Proven;
use super::read::{Facts, SECOND, parsed, text};
use crate::domain::{Code, Subject, UnixMicros};

const HOUR: i64 = 3_600 * SECOND;

/// An accepted attestation, as its message has it (FORMATS 7.1).
pub(super) struct Attested {
    pub(super) id: String,
    pub(super) address: String,
    pub(super) identities: Vec<String>,
    pub(super) at: i64,
    pub(super) bond: Option<u64>,
}

/// Something that ought to be anchored.
struct Anchorable {
    subject: Subject,
    id: String,
    at: Option<i64>,
    /// The user, when it is a custody transition: its time has a code of its own.
    rebinds: Option<String>,
}

impl Facts<'_> {
    pub(super) fn proofs(&mut self) {
        let judged = self.envelopes.iter().filter(|held| held.standing != "excluded:after-as-of");
        let envelopes = judged.map(|held| Anchorable {
            subject: held.subject(),
            id: held.id.clone(),
            at: held.at,
            rebinds: (held.kind == "oc-me-rebind").then(|| super::read::user(&held.body).to_owned()),
        });
        let attested = self.attestations().into_iter().filter(|one| one.bond.is_some()).map(|one| Anchorable {
            subject: Subject::new("attestation", &one.id),
            id: one.id,
            at: Some(one.at),
            rebinds: None,
        });
        let anchorable: Vec<Anchorable> = envelopes.chain(attested).collect();
        for one in anchorable {
            self.proof(one);
        }
    }

    fn proof(&mut self, one: Anchorable) {
        match self.proven(&one.id) {
            Proven::Never => self.open(Code::OtsAbsent, one.subject),
            Proven::Waits(since) if self.as_of - since * SECOND > 48 * HOUR => self.open(Code::OtsOverdue, one.subject),
            Proven::Waits(_) => self.explained(Code::OtsPending, one.subject),
            Proven::Block(height) => {
                let (Some(at), Some(block)) = (one.at, self.block_time(height)) else { return };
                if block - at > 48 * HOUR {
                    self.open(Code::OtsLate, one.subject);
                } else if block + 2 * HOUR < at {
                    match one.rebinds {
                        Some(user) => self.open(Code::RebAnchorTime, one.subject.and("user", user)),
                        None => self.open(Code::OtsBeforeClaim, one.subject),
                    }
                }
            }
            // Whoever broke the proof has said so.
            Proven::Refused | Proven::Beyond => {}
        }
    }

    /// Attestations of the time up to the as-of, by id.
    pub(super) fn attestations(&self) -> Vec<Attested> {
        let scene = self.scene;
        let mut found = BTreeMap::new();
        for event in scene.world.events.iter().filter(|event| event.kind == 30_078) {
            let content = parsed(&event.content);
            if scene.discounted.contains(&event.id.to_string()) || text(&content, &["message"]).is_none() {
                continue;
            }
            if let Some(one) = attested(&content).filter(|one| one.at <= self.as_of) {
                found.insert(one.id.clone(), one);
            }
        }
        found.into_values().collect()
    }
}

fn attested(content: &Value) -> Option<Attested> {
    let message = content["message"].as_str()?;
    let line = |name: &str| message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let identities = line("identities")?.split(',').filter(|one| !one.is_empty()).map(str::to_owned);
    Some(Attested {
        id: crate::domain::sha256(message.as_bytes()).to_hex(),
        address: line("address")?.to_owned(),
        identities: identities.collect(),
        at: line("issued_at")?.parse::<UnixMicros>().ok()?.0,
        bond: line("bond").and_then(|sats| sats.parse().ok()),
    })
}
