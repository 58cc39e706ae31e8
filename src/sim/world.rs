//! The world as a whole: generated once from a seed, then written or served.

use std::collections::BTreeMap;

use super::anchor::{Anchored, Subject, anchor};
use super::attest::{Attestation, attestations, bindings, devices};
use super::carrier::{ProofFiles, Prover, bundle, carry};
use super::cast::{Project, User, projects, users};
use super::chain::{BlockTimes, block_hash_hex, mine};
use super::custody::{Custody, custody};
use super::drops::{manifests, windows};
use super::envelope::{Artifact, Envelope, Mint};
use super::gateway_log::{LogEntry, payment_log};
use super::history::{Billed, Stage, bill, bind_payouts, rebind, trust};
use super::invoices::records;
use super::junk::junk;
use super::keys::{KeyMaker, compressed_hex, key_set};
use super::manifest::Manifest;
use super::nostr::{Draft, SimEvent, sign, tag};
use super::ots::{calendar_reply, lowest};
use super::rng::Rng;
use super::statement::{activity, balances};
use super::time::{AS_OF, seconds};
use super::treasury::{Books, Treasury, settle};
use crate::domain::{Digest32, UnixSeconds};

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
    /// Every OC Me envelope but activity attestations, in order of claimed time and id.
    pub envelopes: Vec<Envelope>,
    /// Every Nostr event, sorted by kind, time and id (FORMATS 2.2). Both relays hold all of them.
    pub events: Vec<SimEvent>,
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
        let keys = KeyMaker::new(seed);
        let mint = Mint { keys: Mint::LABELS.map(|label| keys.ed25519(label)) };
        let (projects, users) = (projects(seed, events), users(seed, events, &keys));
        let times = BlockTimes::plan(seed);
        let windows = windows(seed, &times);
        let stage = Stage { seed, users: &users, projects: &projects, windows: &windows, mint: &mint };
        let (billed, mut envelopes) = bill(&stage, events);
        let (destinations, bound) = bind_payouts(&stage, &billed);
        let treasury = settle(&Books {
            seed,
            users: &users,
            projects: &projects,
            windows: &windows,
            billed: &billed,
            destinations: &destinations,
            mint: &mint,
            keys: &keys,
            gateway_pubkey: compressed_hex(&keys.keypair("gateway")),
        });
        envelopes.extend(bound);
        let custody = custody(seed, &users, &keys);
        envelopes.extend(rebind(&stage, &billed, &custody));
        envelopes.extend(trust(&stage, &billed));
        envelopes.extend(manifests(&windows, &billed, &mint, seed));
        envelopes.extend(treasury.distributions.iter().cloned());
        envelopes.sort_by_key(|envelope| (envelope.at, envelope.id));
        let past = Past { keys, mint, projects, users, times, billed, envelopes, treasury, custody };
        past.publish(seed, events)
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

/// What was published.
struct Carried {
    events: Vec<SimEvent>,
    custody: Vec<String>,
    files: ProofFiles,
    upgraded: ProofFiles,
}

/// What happened, before anybody published it.
struct Past {
    keys: KeyMaker,
    mint: Mint,
    projects: Vec<Project>,
    users: Vec<User>,
    times: BlockTimes,
    billed: Vec<Billed>,
    envelopes: Vec<Envelope>,
    treasury: Treasury,
    custody: Custody,
}

impl Past {
    fn publish(mut self, seed: u64, size: u32) -> World {
        let attested = attestations(seed, &self.users, &self.keys.secp);
        let anchored = self.anchor(seed, &attested);
        let headers = mine(seed, &self.times, &anchored.roots);
        let Carried { mut events, custody, files, upgraded } = self.carry(seed, &attested, &anchored, &headers);
        events.extend(bindings(seed, &self.users, &self.keys.secp));
        events.extend(junk(seed, &self.keys));
        events.extend(devices(seed, &self.users, &self.keys.secp));
        events.sort_by_key(|event| (event.kind, event.created_at, event.id));
        let settler = self.keys.ed25519("settlement");
        let settlements = &self.treasury.settlements;
        let activity = activity(&self.users, &self.billed, &self.mint);
        let [first, second, third] = &self.mint.keys;
        let invoices = records(seed, std::mem::take(&mut self.treasury.invoices), &self.keys);
        let payment_log = payment_log(seed, &self.treasury.legs);
        let manifest = Manifest::count(&self.tallies(
            &anchored,
            &events,
            &activity,
            headers.len(),
            [payment_log.len(), invoices.len()],
        ));
        World {
            seed,
            size,
            events,
            custody,
            proofs: files,
            upgraded,
            calendar: calendar(&anchored),
            proven: proven(&anchored),
            headers,
            settlements: settlements.iter().enumerate().map(|(index, one)| one.line(&settler, index)).collect(),
            payment_log,
            invoices,
            key_sets: vec![
                document("envelope-jwks-2026-05", key_set(&[first])),
                document("envelope-jwks-2026-07", key_set(&[first, second])),
                document("envelope-jwks", key_set(&[first, second, third])),
            ],
            auth_key_set: document("auth-jwks", key_set(&[&self.keys.ed25519("auth-2026-01")])),
            configs: configs(&self.projects),
            activity: activity.iter().map(bundle).collect(),
            balances: balances(&self.users, &self.billed, &self.treasury),
            settlement_key: settler.public_hex(),
            federation_id: Rng::new(seed, "federation").hex::<32>(),
            manifest,
            envelopes: self.envelopes,
        }
    }

    fn anchor(&self, seed: u64, attested: &[Attestation]) -> Anchored {
        let mut subjects: Vec<Subject> = self
            .envelopes
            .iter()
            .map(|envelope| Subject { digest: *envelope.id.as_bytes(), at: envelope.at.0 * 1_000 })
            .collect();
        let bonds = attested.iter().filter(|attestation| attestation.has_bond);
        subjects.extend(bonds.map(|bond| Subject { digest: *bond.id.as_bytes(), at: bond.at }));
        subjects.extend(self.custody.steps.iter().map(|step| Subject { digest: step.id, at: step.at }));
        anchor(seed, &subjects, &self.times)
    }

    fn carry(&self, seed: u64, attested: &[Attestation], anchored: &Anchored, headers: &[[u8; 80]]) -> Carried {
        let secp = &self.keys.secp;
        let service = self.keys.keypair("service");
        let mut rng = Rng::new(seed, "carriers");
        let mut prover = Prover {
            anchored,
            headers,
            times: &self.times,
            rng: Rng::new(seed, "proofs"),
            files: ProofFiles::new(),
            upgraded: ProofFiles::new(),
        };
        let mut events = Vec::with_capacity(self.envelopes.len() + attested.len());
        for (index, envelope) in self.envelopes.iter().enumerate() {
            let ots = prover.member(Digest32(*envelope.id.as_bytes()));
            // The service key signs nearly everything; a throw-away key proves that it does not have to.
            let thrown_away = rng.chance(8).then(|| self.keys.keypair(&format!("throw-away {index}")));
            events.push(carry(envelope, &ots, secp, thrown_away.as_ref().unwrap_or(&service), &mut rng));
        }
        for attestation in attested {
            let ots = attestation.has_bond.then(|| prover.member(Digest32(*attestation.id.as_bytes())));
            events.push(attestation.carry(&self.users, secp, ots.as_deref()));
        }
        let mut custody = self.custody.descriptors.clone();
        for step in &self.custody.steps {
            let line = step.line(&prover.member(Digest32(step.id)));
            // No place is published for them (FORMATS 1): a file, or an event of either kind.
            match rng.pick(&[None, Some(30_078), Some(30_087)]) {
                Some(kind) => {
                    let tags = vec![tag(["d", &step.id_hex()])];
                    let created_at = seconds(step.at) + rng.range(1, 900);
                    events.push(sign(secp, &service, Draft { kind, created_at, tags, content: line }));
                }
                None => custody.push(line),
            }
        }
        Carried { events, custody, files: prover.files, upgraded: prover.upgraded }
    }

    fn tallies<'a>(
        &'a self,
        anchored: &'a Anchored,
        events: &'a [SimEvent],
        activity: &'a [Envelope],
        headers: usize,
        [payment_log, invoices]: [usize; 2],
    ) -> Tallies<'a> {
        Tallies {
            envelopes: self.envelopes.iter().chain(activity).map(|envelope| envelope.kind).collect(),
            events,
            anchored: anchored.anchors.values().filter(|anchor| lowest(&anchor.branches).is_some()).count(),
            pending: anchored.anchors.values().filter(|anchor| lowest(&anchor.branches).is_none()).count(),
            headers,
            settlements: self.treasury.settlements.iter().map(|settlement| settlement.kind).collect(),
            invoices,
            payment_log,
            projects: self.projects.len(),
            users: self.users.len(),
            gross_sats: self.billed.iter().map(|event| event.split.gross).sum(),
            earned_sats: self.billed.iter().map(|event| event.split.user).sum(),
            paid_sats: self.treasury.paid.values().sum(),
        }
    }
}

/// What the manifest counts.
pub(super) struct Tallies<'a> {
    pub(super) envelopes: Vec<Artifact>,
    pub(super) events: &'a [SimEvent],
    pub(super) anchored: usize,
    pub(super) pending: usize,
    pub(super) headers: usize,
    pub(super) settlements: Vec<&'static str>,
    pub(super) invoices: usize,
    pub(super) payment_log: usize,
    pub(super) projects: usize,
    pub(super) users: usize,
    pub(super) gross_sats: u64,
    pub(super) earned_sats: u64,
    pub(super) paid_sats: u64,
}

/// The present document of every project in their order, then the older ones.
fn configs(projects: &[Project]) -> Vec<Document> {
    let mut present = Vec::new();
    let mut older = Vec::new();
    for project in projects {
        for (index, (name, json)) in project.documents().enumerate() {
            let list = if index == 0 { &mut present } else { &mut older };
            list.push(document(&name, json));
        }
    }
    present.append(&mut older);
    present
}

fn document(name: &str, json: String) -> Document {
    Document { name: format!("{name}.json"), json }
}

fn proven(anchored: &Anchored) -> BTreeMap<String, Proven> {
    let state = |anchor: &super::anchor::Anchor| {
        lowest(&anchor.branches).map_or(Proven::Waits(anchor.submitted_at), |(_, block)| Proven::Block(block.height))
    };
    anchored.anchors.iter().map(|(digest, anchor)| (faster_hex::hex_string(digest), state(anchor))).collect()
}

fn calendar(anchored: &Anchored) -> BTreeMap<String, CalendarReply> {
    anchored
        .anchors
        .values()
        .flat_map(|anchor| &anchor.branches)
        .map(|branch| {
            let reply = branch
                .confirmation
                .as_ref()
                .map_or(CalendarReply::Pending, |confirmation| CalendarReply::Confirmed(calendar_reply(confirmation)));
            (faster_hex::hex_string(&branch.commitment), reply)
        })
        .collect()
}
