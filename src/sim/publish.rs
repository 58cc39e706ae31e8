//! From what happened to what the substrates hold: anchors, headers, carriers, logs, statements.

use std::collections::{BTreeMap, BTreeSet};

use super::anchor::{Anchor, Anchored, Subject, anchor};
use super::attest::{Attestation, attestations, bindings, devices};
use super::carrier::{ProofFiles, Prover, bundle, carry, published_at};
use super::cast::{Project, User};
use super::chain::{BlockTimes, mine};
use super::custody::Custody;
use super::envelope::{Artifact, Envelope, Mint};
use super::expect::Expected;
use super::gateway_log::payment_log;
use super::history::Billed;
use super::invoices::records;
use super::junk::junk;
use super::keys::{KeyMaker, key_set};
use super::manifest::Manifest;
use super::noise::{Noise, Stale, stale};
use super::nostr::{Draft, SimEvent, sign, tag};
use super::ots::{calendar_reply, lowest};
use super::rng::Rng;
use super::statement::{activity, balances};
use super::time::seconds;
use super::treasury::Treasury;
use super::world::{CalendarReply, Document, Proven, World};
use crate::domain::Digest32;

/// What was published.
struct Carried {
    events: Vec<SimEvent>,
    archived: Vec<SimEvent>,
    told: Vec<Expected>,
    custody: Vec<String>,
    files: ProofFiles,
    upgraded: ProofFiles,
    blocks: BTreeSet<usize>,
}

/// What happened, before anybody published it.
pub(super) struct Past {
    pub(super) keys: KeyMaker,
    pub(super) mint: Mint,
    pub(super) projects: Vec<Project>,
    pub(super) users: Vec<User>,
    pub(super) times: BlockTimes,
    pub(super) billed: Vec<Billed>,
    pub(super) envelopes: Vec<Envelope>,
    pub(super) treasury: Treasury,
    pub(super) custody: Custody,
    pub(super) noise: Noise,
}

impl Past {
    pub(super) fn publish(mut self, seed: u64, size: u32) -> World {
        let attested = attestations(seed, &self.users, &self.keys.secp);
        let anchored = self.anchor(seed, &attested);
        let headers = mine(seed, &self.times, &anchored.roots);
        let stale = self.stale(seed, &anchored, &headers);
        let carried = self.carry(seed, &attested, &anchored, &headers, stale.as_ref());
        let Carried { mut events, mut archived, told, custody, files, upgraded, blocks } = carried;
        events.extend(bindings(seed, &self.users, &self.keys.secp));
        events.extend(junk(seed, &self.keys));
        events.extend(devices(seed, &self.users, &self.keys.secp));
        events.sort_by_key(|event| (event.kind, event.created_at, event.id));
        let mut rng = Rng::new(seed, "noise of archives");
        archived.extend(events.iter().filter(|_| rng.chance(u64::from(self.noise.duplicates))).cloned());
        let settler = self.keys.ed25519("settlement");
        let settlements = &self.treasury.settlements;
        let activity = activity(&self.users, &self.billed, &self.mint);
        let [first, second, third] = &self.mint.keys;
        let invoices = records(seed, std::mem::take(&mut self.treasury.invoices), &self.keys);
        let payment_log = payment_log(seed, &self.treasury.legs);
        let ids: BTreeSet<_> = events.iter().map(|event| event.id).collect();
        let manifest = Manifest::count(&self.tallies(
            &anchored,
            events.iter().chain(archived.iter().filter(|older| !ids.contains(&older.id))).collect(),
            &activity,
            headers.len(),
            [payment_log.len(), invoices.len()],
        ));
        let mut world = World {
            seed,
            size,
            noise: self.noise,
            events,
            archived,
            told,
            stale: stale.map(|stale| stale.headers).unwrap_or_default(),
            custody,
            proofs: files,
            upgraded,
            blocks,
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
        };
        if self.noise.reorder {
            world.shuffle(&mut rng);
        }
        world
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
        anchor(seed, &subjects, &self.times, self.noise.slow_calendars)
    }

    fn carry(
        &self,
        seed: u64,
        attested: &[Attestation],
        anchored: &Anchored,
        headers: &[[u8; 80]],
        stale: Option<&Stale>,
    ) -> Carried {
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
            blocks: BTreeSet::new(),
        };
        let mut events = Vec::with_capacity(self.envelopes.len() + attested.len());
        let (mut archived, mut told) = (Vec::new(), Vec::new());
        let mut twice = Rng::new(seed, "older carriers");
        for (index, envelope) in self.envelopes.iter().enumerate() {
            let digest = Digest32(*envelope.id.as_bytes());
            let ots = prover.member(digest);
            // The service key signs nearly everything; a throw-away key proves that it does not have to.
            let thrown_away = rng.chance(8).then(|| self.keys.keypair(&format!("throw-away {index}")));
            let publisher = thrown_away.as_ref().unwrap_or(&service);
            let created_at = published_at(envelope.at.0, self.noise.lag, &mut rng);
            events.push(carry(envelope, &ots, secp, publisher, created_at, &mut rng));
            let lost =
                stale.and_then(|stale| stale.proof.as_ref().filter(|(lost, _)| *lost == digest.0).zip(Some(stale)));
            let older = match (lost, anchored.anchors.get(&digest.0)) {
                (Some(((_, branch), stale)), Some(anchor)) => {
                    let (member, reorganised) = prover.stale_member(digest, anchor, branch, &stale.hash);
                    told.push(reorganised);
                    Some(member)
                }
                _ => twice.chance(u64::from(self.noise.duplicates / 2)).then(|| prover.early_member(digest)).flatten(),
            };
            if let Some(ots) = older {
                archived.push(carry(envelope, &ots, secp, publisher, created_at - 1, &mut twice));
            }
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
        Carried {
            events,
            archived,
            told,
            custody,
            files: prover.files,
            upgraded: prover.upgraded,
            blocks: prover.blocks,
        }
    }

    fn stale(&self, seed: u64, anchored: &Anchored, headers: &[[u8; 80]]) -> Option<Stale> {
        let digests: Vec<[u8; 32]> = self.envelopes.iter().map(|envelope| *envelope.id.as_bytes()).collect();
        stale(seed, self.noise.reorg_depth, &digests, anchored, headers, &self.times)
    }

    fn tallies<'a>(
        &'a self,
        anchored: &'a Anchored,
        events: Vec<&'a SimEvent>,
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
            adjusted_sats: self.treasury.adjusted.values().sum(),
        }
    }
}

/// What the manifest counts.
pub(super) struct Tallies<'a> {
    pub(super) envelopes: Vec<Artifact>,
    pub(super) events: Vec<&'a SimEvent>,
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
    pub(super) adjusted_sats: u64,
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
    let state = |anchor: &Anchor| {
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
