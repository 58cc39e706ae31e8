//! The world as a whole: generated once from a seed, then written or served.

use std::collections::{BTreeMap, BTreeSet};

use super::carrier::ProofFiles;
use super::chain::block_hash_hex;
use super::envelope::Envelope;
use super::expect::Expected;
use super::gateway_log::LogEntry;
use super::manifest::Manifest;
use super::noise::Noise;
use super::nostr::SimEvent;
use super::press::Press;
use super::time::{AS_OF, seconds};
use super::watch::Unwatched;
use crate::domain::UnixSeconds;

/// What the calendar says about a commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CalendarReply {
    /// 200: a bare timestamp that starts at the commitment.
    Confirmed(Vec<u8>),
    /// 404 `Pending confirmation in Bitcoin blockchain`.
    Pending,
}

/// What the world knows about the proofs of a digest, whatever they look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proven {
    /// A calendar took it at this time (Unix seconds) and has no block for it yet.
    Waits(i64),
    /// The block at this height of the final chain commits to it.
    Block(usize),
    /// There is no proof.
    Never,
    /// There is one, and it proves nothing: broken, or about something else.
    Refused,
    /// It names a block that no header is known for.
    Beyond,
}

/// A document with the file name it is published under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// File name without folder.
    pub name: String,
    /// JSON text.
    pub json: String,
}

/// An honest world: everything that its substrates hold. Changing any part of it makes it dishonest.
#[derive(Debug, Clone)]
pub struct World {
    /// The seed it came from.
    pub seed: u64,
    /// The number of billable events that was asked for.
    pub size: u32,
    /// What networks did to its records.
    pub noise: Noise,
    /// Every OC Me envelope but activity attestations, in order of claimed time and id.
    pub envelopes: Vec<Envelope>,
    /// Every Nostr event, sorted by kind, time and id (FORMATS 2.2). Relays hold all of them, but for what a scene leaves out.
    pub events: Vec<SimEvent>,
    /// Events that archives hold once more, and older carriers that only archives still hold; every second of them stands
    /// in an archive file of its own.
    pub archived: Vec<SimEvent>,
    /// What must be told of records that are honest and nevertheless remarkable, as whoever made them knows.
    pub told: Vec<Expected>,
    /// Headers of a branch that lost, without its fork's parent; empty in most worlds.
    pub stale: Vec<[u8; 80]>,
    /// Guardian descriptors, and the rotations and graduations that no event carries, one a line.
    pub custody: Vec<String>,
    /// Detached proofs that travel beside the carriers, by digest.
    pub proofs: ProofFiles,
    /// Detached proofs of what the calendar can complete: for readers without a calendar.
    pub upgraded: ProofFiles,
    /// The calendar's replies by commitment in hex.
    pub calendar: BTreeMap<String, CalendarReply>,
    /// The truth about the proofs of every digest (64 hex digits) that was submitted.
    pub proven: BTreeMap<String, Proven>,
    /// Heights of the blocks that proofs lead to; a digest may have several where [`proven`](Self::proven) names the lowest.
    pub blocks: BTreeSet<usize>,
    /// The header chain from height 0.
    pub headers: Vec<[u8; 80]>,
    /// Settlement log, one signed settlement a line.
    pub settlements: Vec<String>,
    /// Gateway payment log, oldest first.
    pub payment_log: Vec<LogEntry>,
    /// Lightning invoice records.
    pub invoices: Vec<String>,
    /// Envelope key sets as published before, between and after the two rotations; the present one comes last.
    pub key_sets: Vec<Document>,
    /// The auth host's key set.
    pub auth_key_set: Document,
    /// Price configs: the present one of every project, then those that it replaced.
    pub configs: Vec<Document>,
    /// Activity attestation bundles, one a line.
    pub activity: Vec<String>,
    /// Reported balances, one user a line.
    pub balances: Vec<String>,
    /// The pinned settlement key, 64 hex digits.
    pub settlement_key: String,
    /// The federation id that the gateway knows, 64 hex digits.
    pub federation_id: String,
    pub(super) manifest: Manifest,
}

impl World {
    /// The world of that seed with `events` billable events, at least ten.
    pub fn generate(seed: u64, events: u32) -> Self {
        Self::generate_with(seed, events, &Noise::default())
    }

    /// The same history under honest noise: nothing in it is a fault.
    pub fn generate_with(seed: u64, events: u32, noise: &Noise) -> Self {
        let Ok(press) = Press::set((seed, events), *noise, true, &Unwatched);
        press.into_world()
    }

    /// The world as it was made.
    #[must_use]
    pub fn untouched(&self) -> Self {
        Self::generate_with(self.seed, self.size, &self.noise)
    }

    /// The instant at which this world adds up.
    pub fn as_of(&self) -> UnixSeconds {
        UnixSeconds(seconds(AS_OF))
    }

    /// The hash of the header at height 0, as explorers print it.
    pub fn genesis_hash(&self) -> String {
        self.headers.first().map(block_hash_hex).unwrap_or_default()
    }

    /// The truth about this world, in counts.
    pub fn manifest(&self) -> Manifest {
        self.manifest.clone()
    }
}
