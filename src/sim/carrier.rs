//! How envelopes and proofs travel: wrapped records in Nostr events, `ots` members, detached files.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::anchor::{Anchor, Anchored};
use super::chain::{BlockTimes, block_hash_hex};
use super::envelope::{Artifact, Envelope};
use super::expect::Expected;
use super::json::{Object, texts};
use super::noise::Stale;
use super::nostr::{Draft, tag};
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
    /// Pending in the `ots` member, the rest at the calendar if there is more.
    Calendar,
    /// In a detached file; the member is `null`.
    File,
}

/// How a proof is shown in an `ots` member: what was drawn, from which the member follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    place: Place,
    is_pruned: bool,
    is_detached: bool,
    /// It leads to a block that lost.
    is_stale: bool,
}

/// Detached proof files by digest.
pub(super) type ProofFiles = BTreeMap<Digest32, Vec<u8>>;

/// Draws how proofs are shown, and collects proof files.
pub(super) struct Prover<'a> {
    pub(super) anchored: &'a Anchored,
    pub(super) rng: Rng,
    /// Files beside the carriers.
    pub(super) files: ProofFiles,
    /// What the calendar would make of the pending members: for readers that have files only.
    pub(super) upgraded: ProofFiles,
    /// Heights that the written proofs lead to, once calendars have completed them.
    pub(super) blocks: BTreeSet<usize>,
}

impl Prover<'_> {
    /// How the proof of that subject is shown.
    pub(super) fn show(&mut self, subject: usize, digest: Digest32) -> Shown {
        let branches = self.anchored.branches(subject);
        let Some((_, confirmation)) = lowest(branches) else { return self.early() };
        let drawn = *self.rng.pick_weighted(&[(Place::Member, 70), (Place::Calendar, 15), (Place::File, 15)]);
        let place = if self.files.len() + self.upgraded.len() < PROOF_FILES_MAX { drawn } else { Place::Member };
        let full = || {
            let anchor = self.anchored.anchor(subject);
            detached(&digest.0, &bare(&anchor.head, anchor.branches, Tail::Upgraded))
        };
        match place {
            Place::File => _ = self.files.insert(digest, full()),
            Place::Calendar => _ = self.upgraded.insert(digest, full()),
            Place::Member => {}
        }
        let is_pruned = place == Place::Member && !self.rng.chance(50);
        let is_detached = place != Place::File && self.rng.chance(50);
        if is_pruned {
            self.blocks.insert(confirmation.height);
        } else {
            let heights = branches.iter().filter_map(|branch| Some(branch.confirmation.as_ref()?.height));
            self.blocks.extend(heights);
        }
        Shown { place, is_pruned, is_detached, is_stale: false }
    }

    /// As it was while a block that lost still counted.
    pub(super) fn stale(&mut self) -> Shown {
        Shown { is_stale: true, place: Place::Member, ..self.early() }
    }

    /// As it was before any block.
    pub(super) fn early(&mut self) -> Shown {
        Shown { place: Place::Calendar, is_pruned: false, is_detached: self.rng.chance(50), is_stale: false }
    }
}

/// Writes `ots` members (FORMATS 9.2).
pub(super) struct Members<'a> {
    pub(super) anchored: &'a Anchored,
    pub(super) headers: &'a [[u8; 80]],
    pub(super) times: &'a BlockTimes,
    pub(super) stale: Option<&'a Stale>,
}

impl Members<'_> {
    /// The member of that digest, `null` when its proof travels as a file.
    pub(super) fn member(&self, subject: usize, digest: Digest32, shown: Shown) -> String {
        if shown.place == Place::File {
            return "null".to_owned();
        }
        let lost = self.lost(shown);
        let (proof, branches) = self.proof(subject, digest, shown);
        let confirmed = lowest(branches).filter(|_| shown.place == Place::Member);
        let member = Object::new()
            .text("status", if confirmed.is_some() { "confirmed" } else { "pending" })
            .text("proof", STANDARD.encode(proof))
            .raw("calendars", texts(branches.iter().map(|branch| branch.calendar)));
        let Some((_, confirmation)) = confirmed else {
            let member = member.raw("block_height", "null").raw("block_hash", "null");
            return member.raw("upgraded_at", "null").compact();
        };
        let winner = self.headers.get(confirmation.height).map(block_hash_hex);
        let hash = lost.map(|(_, hash)| hash.to_owned()).or(winner);
        let mined_at = self.times.at(confirmation.height).unwrap_or_default();
        let delay = if lost.is_some() { HOUR } else { 2 * HOUR };
        member
            .plain("block_height", confirmation.height)
            .text_or_null("block_hash", hash.as_deref())
            .text("upgraded_at", iso_millis(mined_at + delay))
            .compact()
    }
}

impl<'a> Members<'a> {
    /// The way that lost, if that is what is shown, and the hash of its block.
    fn lost(&self, shown: Shown) -> Option<(&'a Branch, &'a str)> {
        let stale = self.stale.filter(|_| shown.is_stale)?;
        let (_, branch) = stale.proof.as_ref()?;
        Some((branch, &stale.hash))
    }

    /// The proof, detached or bare as the publisher happened to keep it, and the branches that it is about.
    fn proof(&self, subject: usize, digest: Digest32, shown: Shown) -> (Vec<u8>, &'a [Branch]) {
        let Anchor { head, mut branches } = self.anchored.anchor(subject);
        if let Some((branch, _)) = self.lost(shown) {
            branches = std::slice::from_ref(branch);
        }
        let tail = match (shown.place, shown.is_pruned) {
            (Place::Member, true) => Tail::Pruned,
            (Place::Member, false) => Tail::Upgraded,
            _ => Tail::Pending,
        };
        let timestamp = bare(&head, branches, tail);
        (if shown.is_detached { detached(&digest.0, &timestamp) } else { timestamp }, branches)
    }

    /// What must be told of a proof that leads to a block that lost: the digest is anchored again.
    pub(super) fn reorganised(&self, subject: usize, digest: Digest32, shown: Shown) -> Option<Expected> {
        let (branch, _) = self.lost(shown)?;
        let (proof, _) = self.proof(subject, digest, shown);
        let height = branch.confirmation.as_ref()?.height;
        let subject = Subject::new("digest", digest).and("proof", sha256(&proof)).and("height", height);
        Some(Expected::explained(Code::HdrReorg, subject))
    }
}

/// The shapes of FORMATS 3.1 by number.
pub(super) const SHAPES: u64 = 3;

/// The content and tags of the Nostr event that carries an envelope, in one of the shapes of FORMATS 3.1.
pub(super) fn carry(envelope: &Envelope, ots: &str, created_at: i64, shape: u8) -> Draft {
    let id = envelope.id.to_string();
    let signed = |record: Object| record.text("kid", envelope.kid.as_str()).text("sig", &envelope.signature);
    let head = Object::new().text("id", &id);
    let content = match shape {
        0 => signed(head).text("canonical_b64", STANDARD.encode(&envelope.canonical)).raw("ots", ots),
        1 => {
            let exact = String::from_utf8_lossy(&envelope.canonical);
            signed(head).raw("envelope", exact).raw("ots", ots)
        }
        _ => signed(head.all(&envelope.members)).raw("ots", ots),
    };
    let d = format!("{}:{id}", envelope.kind.name());
    Draft { kind: 30_087, created_at, tags: vec![tag(["d", &d])], content: content.compact() }
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
