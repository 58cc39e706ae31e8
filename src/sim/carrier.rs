//! How envelopes and proofs travel: wrapped records in Nostr events, `ots` members, detached files.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bitcoin::key::Keypair;
use bitcoin::secp256k1::{All, Secp256k1};

use super::anchor::{Anchor, Anchored};
use super::chain::{BlockTimes, block_hash_hex};
use super::envelope::{Artifact, Envelope};
use super::expect::Expected;
use super::json::{Object, texts};
use super::nostr::{Draft, SimEvent, sign, tag};
use super::ots::{Branch, Tail, bare, detached, lowest};
use super::rng::Rng;
use super::time::{AS_OF, DAY, HOUR, iso_millis, seconds};
use crate::domain::{Code, Digest32, Subject, sha256};

/// Most detached proofs of a world: beyond that every proof travels in its member.
const PROOF_FILES_MAX: usize = 2_000;

/// Where a proof is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// Complete, in the `ots` member.
    Member,
    /// Pending in the `ots` member, the rest at the calendar.
    Calendar,
    /// In a detached file; the member is `null`.
    File,
}

/// Detached proof files by digest.
pub(super) type ProofFiles = BTreeMap<Digest32, Vec<u8>>;

/// Writes `ots` members and collects proof files.
pub(super) struct Prover<'a> {
    pub(super) anchored: &'a Anchored,
    pub(super) headers: &'a [[u8; 80]],
    pub(super) times: &'a BlockTimes,
    pub(super) rng: Rng,
    /// Files beside the carriers.
    pub(super) files: ProofFiles,
    /// What the calendar would make of the pending members: for readers that have files only.
    pub(super) upgraded: ProofFiles,
    /// Heights that the written proofs lead to, once calendars have completed them.
    pub(super) blocks: BTreeSet<usize>,
}

impl Prover<'_> {
    /// The `ots` member of that digest (FORMATS 9.2), `null` when its proof travels as a file.
    pub(super) fn member(&mut self, digest: Digest32) -> String {
        let Some(anchor) = self.anchored.anchors.get(&digest.0) else { return "null".to_owned() };
        let Some((_, confirmation)) = lowest(&anchor.branches) else { return self.pending(digest, anchor) };
        let full = bare(&anchor.head, &anchor.branches, Tail::Upgraded);
        let drawn = *self.rng.pick_weighted(&[(Place::Member, 70), (Place::Calendar, 15), (Place::File, 15)]);
        let place = if self.files.len() + self.upgraded.len() < PROOF_FILES_MAX { drawn } else { Place::Member };
        let mut pruned = false;
        let member = match place {
            Place::File => {
                self.files.insert(digest, detached(&digest.0, &full));
                "null".to_owned()
            }
            Place::Calendar => {
                self.upgraded.insert(digest, detached(&digest.0, &full));
                self.pending(digest, anchor)
            }
            Place::Member => {
                pruned = !self.rng.chance(50);
                let timestamp = if pruned { bare(&anchor.head, &anchor.branches, Tail::Pruned) } else { full };
                let header = self.headers.get(confirmation.height);
                let mined_at = self.times.at(confirmation.height).unwrap_or_default();
                Self::proof_member("confirmed", &self.proof(digest, timestamp), anchor)
                    .plain("block_height", confirmation.height)
                    .text_or_null("block_hash", header.map(block_hash_hex).as_deref())
                    .text("upgraded_at", iso_millis(mined_at + 2 * HOUR))
                    .compact()
            }
        };
        if pruned {
            self.blocks.insert(confirmation.height);
        } else {
            let heights = anchor.branches.iter().filter_map(|branch| Some(branch.confirmation.as_ref()?.height));
            self.blocks.extend(heights);
        }
        member
    }

    /// The member as it was while a block that lost still counted, and what must be told of it: the digest is anchored again.
    pub(super) fn stale_member(
        &mut self,
        digest: Digest32,
        anchor: &Anchor,
        branch: &Branch,
        hash: &str,
    ) -> (String, Expected) {
        let then = Anchor { branches: vec![branch.clone()], ..anchor.clone() };
        let timestamp = bare(&then.head, &then.branches, Tail::Upgraded);
        let height = branch.confirmation.as_ref().map_or(0, |confirmation| confirmation.height);
        let mined_at = self.times.at(height).unwrap_or_default();
        let proof = self.proof(digest, timestamp);
        let subject = Subject::new("digest", digest).and("proof", sha256(&proof)).and("height", height);
        let member = Self::proof_member("confirmed", &proof, &then)
            .plain("block_height", height)
            .text("block_hash", hash)
            .text("upgraded_at", iso_millis(mined_at + HOUR))
            .compact();
        (member, Expected::explained(Code::HdrReorg, subject))
    }

    /// The member as it was before any block.
    pub(super) fn early_member(&mut self, digest: Digest32) -> Option<String> {
        let anchor = self.anchored.anchors.get(&digest.0)?;
        Some(self.pending(digest, anchor))
    }

    fn pending(&mut self, digest: Digest32, anchor: &Anchor) -> String {
        let proof = self.proof(digest, bare(&anchor.head, &anchor.branches, Tail::Pending));
        Self::proof_member("pending", &proof, anchor)
            .raw("block_height", "null")
            .raw("block_hash", "null")
            .raw("upgraded_at", "null")
            .compact()
    }

    /// Detached or bare, as the publisher happened to keep it.
    fn proof(&mut self, digest: Digest32, timestamp: Vec<u8>) -> Vec<u8> {
        if self.rng.chance(50) { detached(&digest.0, &timestamp) } else { timestamp }
    }

    fn proof_member(status: &str, proof: &[u8], anchor: &Anchor) -> Object {
        let calendars = texts(anchor.branches.iter().map(|branch| branch.calendar));
        Object::new().text("status", status).text("proof", STANDARD.encode(proof)).raw("calendars", calendars)
    }
}

/// The Nostr event that carries an envelope, in one of the shapes of FORMATS 3.1.
pub(super) fn carry(
    envelope: &Envelope,
    ots: &str,
    secp: &Secp256k1<All>,
    publisher: &Keypair,
    created_at: i64,
    rng: &mut Rng,
) -> SimEvent {
    let id = envelope.id.to_string();
    let signed = |record: Object| record.text("kid", envelope.kid.as_str()).text("sig", &envelope.signature);
    let head = Object::new().text("id", &id);
    let content = match rng.below(3) {
        0 => signed(head).text("canonical_b64", STANDARD.encode(&envelope.canonical)).raw("ots", ots),
        1 => {
            let exact = String::from_utf8_lossy(&envelope.canonical);
            signed(head).raw("envelope", exact).raw("ots", ots)
        }
        _ => signed(head.all(&envelope.members)).raw("ots", ots),
    };
    let d = format!("{}:{id}", envelope.kind.name());
    let tags = vec![tag(["d", &d])];
    sign(secp, publisher, Draft { kind: 30_087, created_at, tags, content: content.compact() })
}

/// When the carrier says it was made: seconds later as a rule, by a clock of its own at times, days later now and then.
/// `lag` is the percentage that comes up to ten days late.
pub(super) fn published_at(signed_at: i64, lag: u8, rng: &mut Rng) -> i64 {
    let delay = match rng.below(100) {
        _ if rng.chance(u64::from(lag)) => rng.range(HOUR, 10 * DAY) / 1_000,
        0..3 => rng.range(HOUR, 3 * DAY) / 1_000,
        3..11 => rng.range(-90, 240),
        _ => rng.range(1, 40),
    };
    (signed_at + delay).min(seconds(AS_OF) - 30)
}

/// An activity attestation's bundle (FORMATS 3.8).
pub(super) fn bundle(envelope: &Envelope) -> String {
    debug_assert_eq!(envelope.kind, Artifact::Activity);
    let attestation = Object::new().text("id", envelope.id.to_string()).all(&envelope.members);
    Object::new()
        .raw("attestation", attestation.compact())
        .text("sig", &envelope.signature)
        .text("kid", envelope.kid.as_str())
        .text("canonical_b64", STANDARD.encode(&envelope.canonical))
        .compact()
}
