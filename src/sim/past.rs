//! What happened, before anybody published it.

use std::borrow::Cow;

use super::billing::{Billed, Entry, Origin, bill, envelope, index};
use super::cast::{Project, User, projects, users};
use super::chain::BlockTimes;
use super::custody::{Custody, custody};
use super::drops::{Window, manifests, windows};
use super::envelope::{Envelope, Mint};
use super::history::{Destination, Stage, bind_payouts, rebind, trust};
use super::keys::{KeyMaker, compressed_hex};
use super::noise::Noise;
use super::postings::Payees;
use super::treasury::{Books, Treasury, settle};
use super::watch::Watch;

/// What happened. Envelopes that go with billed events are known by their ids only and written anew when they are asked
/// for.
pub(super) struct Past {
    pub(super) seed: u64,
    pub(super) keys: KeyMaker,
    pub(super) mint: Mint,
    pub(super) projects: Vec<Project>,
    pub(super) users: Vec<User>,
    pub(super) times: BlockTimes,
    windows: Vec<Window>,
    pub(super) billed: Vec<Billed>,
    /// The other envelopes.
    held: Vec<Envelope>,
    /// Every envelope but activity attestations, in order of claimed time and id.
    pub(super) entries: Vec<Entry>,
    /// All of them in full, for a world that is held whole; else empty.
    pub(super) written: Vec<Envelope>,
    pub(super) treasury: Treasury,
    destinations: Vec<Vec<Destination>>,
    gateway_pubkey: String,
    pub(super) custody: Custody,
    pub(super) noise: Noise,
}

impl Past {
    /// The history of that seed with so many billable events.
    ///
    /// # Errors
    /// When the watch says stop.
    pub(super) fn play<W: Watch>(seed: u64, events: u32, noise: Noise, watch: &W) -> Result<Self, W::Stop> {
        let keys = KeyMaker::new(seed);
        let mint = Mint { keys: Mint::LABELS.map(|label| keys.ed25519(label)) };
        let (projects, users) = (projects(seed, events), users(seed, events, &keys));
        let times = BlockTimes::plan(seed);
        let windows = windows(seed, &times);
        let stage = Stage { seed, users: &users, projects: &projects, windows: &windows, mint: &mint };
        let mut billing = bill(&stage, events, watch)?;
        let (destinations, mut held) = bind_payouts(&stage, &billing.billed);
        let gateway_pubkey = compressed_hex(&keys.keypair("gateway"));
        let mut treasury = settle(&Books {
            seed,
            users: &users,
            projects: &projects,
            windows: &windows,
            billed: &billing.billed,
            destinations: &destinations,
            mint: &mint,
            keys: &keys,
            gateway_pubkey: gateway_pubkey.clone(),
        });
        let custody = custody(seed, &users, &keys);
        held.extend(rebind(&stage, &billing.billed, &custody));
        held.extend(trust(&stage, &billing.billed));
        held.extend(manifests(&windows, &billing, &mint, seed));
        held.append(&mut treasury.distributions);
        let entry = |(at, envelope): (usize, &Envelope)| Entry {
            at: envelope.at.0,
            id: envelope.id,
            origin: Origin::Held(index(at)),
        };
        billing.entries.extend(held.iter().enumerate().map(entry));
        let (billed, mut entries) = (billing.billed, billing.entries);
        entries.sort_unstable_by_key(|entry| (entry.at, entry.id));
        Ok(Self {
            seed,
            keys,
            mint,
            projects,
            users,
            times,
            windows,
            billed,
            held,
            entries,
            written: Vec::new(),
            treasury,
            destinations,
            gateway_pubkey,
            custody,
            noise,
        })
    }

    /// Writes every envelope, once for all.
    pub(super) fn write(&mut self) {
        self.written = self.entries.iter().filter_map(|entry| self.rewrite(entry)).collect();
    }

    /// The envelope of the entry at that place.
    pub(super) fn envelope(&self, at: usize) -> Option<Cow<'_, Envelope>> {
        let written = self.written.get(at).map(Cow::Borrowed);
        written.or_else(|| self.rewrite(self.entries.get(at)?).map(Cow::Owned))
    }

    fn rewrite(&self, entry: &Entry) -> Option<Envelope> {
        let stage = Stage {
            seed: self.seed,
            users: &self.users,
            projects: &self.projects,
            windows: &self.windows,
            mint: &self.mint,
        };
        envelope(&stage, &self.billed, &self.held, entry.origin)
    }

    /// What payouts refer to.
    pub(super) fn payees(&self) -> Payees<'_> {
        Payees {
            users: &self.users,
            destinations: &self.destinations,
            batches: &self.treasury.batches,
            gateway_pubkey: &self.gateway_pubkey,
        }
    }
}
