//! From what happened to what the substrates hold: anchors, headers, carriers, logs, statements. Carriers are drawn and
//! sorted here and written anew by [`Press`] when they are asked for.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::key::Keypair;

use super::anchor::{Anchored, Subject, anchor};
use super::attest::{Attestation, attestations, bindings, devices};
use super::billing::index;
use super::carrier::{Members, ProofFiles, Prover, SHAPES, Shown, bundle, carry, published_at};
use super::cast::Project;
use super::chain::mine;
use super::expect::Expected;
use super::invoices::records;
use super::junk::junk;
use super::keys::{key_set, x_only_hex};
use super::manifest::Manifest;
use super::noise::{Noise, stale};
use super::nostr::{Draft, SimEvent, sign, tag};
use super::past::Past;
use super::press::Press;
use super::rng::Rng;
use super::statement::{activity, balances};
use super::time::seconds;
use super::watch::{Pace, Watch};
use super::world::{Document, World};
use crate::domain::{Digest32, NostrEventId};

/// A Nostr event by what it takes to sort and to rewrite it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub(super) kind: u16,
    pub(super) created_at: i64,
    pub(super) id: NostrEventId,
    pub(super) source: Source,
}

/// Where an event comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    /// It carries the envelope of that entry, in that style.
    Carrier(u32, Style),
    /// It is held as it is.
    Loose(u32),
}

/// How an envelope is carried: what was drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    shape: u8,
    is_thrown_away: bool,
    shown: Shown,
}

/// What was published.
struct Carried {
    items: Vec<Item>,
    older: Vec<Item>,
    told: Vec<Expected>,
    loose: Vec<SimEvent>,
    custody: Vec<String>,
    files: ProofFiles,
    upgraded: ProofFiles,
    blocks: BTreeSet<usize>,
}

/// The carriers of envelopes, older ones, and what must be told of those.
struct Enveloped {
    items: Vec<Item>,
    older: Vec<Item>,
    told: Vec<Expected>,
}

/// Writes carriers.
pub(super) struct Pen<'a> {
    pub(super) past: &'a Past,
    pub(super) members: Members<'a>,
    pub(super) service: &'a Keypair,
}

impl Pen<'_> {
    /// The carrier of that entry and the key that signs it.
    pub(super) fn carrier(&self, entry: u32, style: Style, created_at: i64) -> (Draft, Keypair) {
        let subject = usize::try_from(entry).unwrap_or(usize::MAX);
        let envelope = self.past.envelope(subject).expect("every carrier was drawn for an entry of what is held here");
        let ots = self.members.member(subject, Digest32(*envelope.id.as_bytes()), style.shown);
        // The service key signs nearly everything; a throw-away key proves that it does not have to.
        let pair =
            if style.is_thrown_away { self.past.keys.keypair(&format!("throw-away {entry}")) } else { *self.service };
        (carry(&envelope, &ots, created_at, style.shape), pair)
    }

    /// The item of that carrier.
    fn item(&self, entry: u32, style: Style, created_at: i64) -> Item {
        let (draft, pair) = self.carrier(entry, style, created_at);
        Item { kind: draft.kind, created_at, id: draft.id(&x_only_hex(&pair)), source: Source::Carrier(entry, style) }
    }
}

impl Press {
    /// Publishes what happened: for a world that will be held whole, or to be written line by line.
    ///
    /// # Errors
    /// When the watch says stop.
    pub(super) fn set<W: Watch>(
        (seed, size): (u64, u32),
        noise: Noise,
        is_whole: bool,
        watch: &W,
    ) -> Result<Self, W::Stop> {
        let mut past = Past::play(seed, size, noise, watch)?;
        if is_whole {
            past.write();
        }
        let attested = attestations(seed, &past.users, &past.keys.secp);
        let anchored = past.anchor(&attested);
        let headers = mine(seed, &past.times, &anchored.roots);
        let lost = stale(seed, noise.reorg_depth, past.entries.len(), &anchored, &headers, &past.times);
        let service = past.keys.keypair("service");
        let members = Members { anchored: &anchored, headers: &headers, times: &past.times, stale: lost.as_ref() };
        let pen = Pen { past: &past, members, service: &service };
        let carried = pen.publish(&attested, watch)?;
        let Carried { mut items, older, told, mut loose, custody, files, upgraded, blocks } = carried;
        loose.extend(bindings(seed, &past.users, &past.keys.secp));
        loose.extend(junk(seed, &past.keys));
        loose.extend(devices(seed, &past.users, &past.keys.secp));
        items.extend((0..).zip(&loose).map(|(at, event)| Item {
            kind: event.kind,
            created_at: event.created_at.0,
            id: event.id,
            source: Source::Loose(at),
        }));
        items.sort_unstable_by_key(|item| (item.kind, item.created_at, item.id));
        let mut rng = Rng::new(seed, "noise of archives");
        let mut archived = older;
        archived.extend(items.iter().filter(|_| rng.chance(u64::from(noise.duplicates))));
        let mut settlements: Vec<u32> = (0..index(past.treasury.settlements.len())).collect();
        let mut shell = World {
            size,
            told,
            stale: lost.as_ref().map(|stale| stale.headers.clone()).unwrap_or_default(),
            custody,
            proofs: files,
            upgraded,
            blocks,
            headers,
            invoices: records(seed, std::mem::take(&mut past.treasury.invoices), &past.keys),
            ..past.documents()
        };
        if noise.reorder {
            rng.shuffle(&mut items);
            rng.shuffle(&mut archived);
            rng.shuffle(&mut shell.custody);
            rng.shuffle(&mut settlements);
            for lines in [&mut shell.invoices, &mut shell.activity, &mut shell.balances] {
                rng.shuffle(lines);
            }
        }
        Ok(Self { past, anchored, lost, attested, service, items, archived, loose, settlements, shell })
    }
}

impl Pen<'_> {
    /// Draws how everything is carried; archives may hold older carriers.
    fn publish<W: Watch>(&self, attested: &[Attestation], watch: &W) -> Result<Carried, W::Stop> {
        let Self { past, members, service } = self;
        let secp = &past.keys.secp;
        let mut rng = Rng::new(past.seed, "carriers");
        let mut prover = Prover {
            anchored: members.anchored,
            rng: Rng::new(past.seed, "proofs"),
            files: ProofFiles::new(),
            upgraded: ProofFiles::new(),
            blocks: BTreeSet::new(),
        };
        let Enveloped { items, older, told } = self.envelopes(&mut rng, &mut prover, watch)?;
        let mut loose = Vec::new();
        let mut subject = past.entries.len();
        let mut prove = |prover: &mut Prover<'_>, digest: Digest32| {
            let shown = prover.show(subject, digest);
            subject += 1;
            members.member(subject - 1, digest, shown)
        };
        for attestation in attested {
            let ots = attestation.has_bond.then(|| prove(&mut prover, Digest32(*attestation.id.as_bytes())));
            loose.push(attestation.carry(&past.users, secp, ots.as_deref()));
        }
        let mut custody = past.custody.descriptors.clone();
        for step in &past.custody.steps {
            let line = step.line(&prove(&mut prover, Digest32(step.id)));
            // No place is published for them (FORMATS 1): a file, or an event of either kind.
            match rng.pick(&[None, Some(30_078), Some(30_087)]) {
                Some(kind) => {
                    let tags = vec![tag(["d", &step.id_hex()])];
                    let created_at = seconds(step.at) + rng.range(1, 900);
                    loose.push(sign(secp, service, Draft { kind, created_at, tags, content: line }));
                }
                None => custody.push(line),
            }
        }
        let Prover { files, upgraded, blocks, .. } = prover;
        Ok(Carried { items, older, told, loose, custody, files, upgraded, blocks })
    }

    fn envelopes<W: Watch>(&self, rng: &mut Rng, prover: &mut Prover<'_>, watch: &W) -> Result<Enveloped, W::Stop> {
        let Noise { lag, duplicates, .. } = self.past.noise;
        let lost = self.members.stale.and_then(|stale| stale.proof.as_ref()).map(|(subject, _)| *subject);
        let mut twice = Rng::new(self.past.seed, "older carriers");
        let mut items = Vec::with_capacity(self.past.entries.len());
        let (mut older, mut told) = (Vec::new(), Vec::new());
        let mut pace = Pace::new(watch, "carry", self.past.entries.len());
        let shape = |rng: &mut Rng| u8::try_from(rng.below(SHAPES)).unwrap_or(0);
        for (subject, held) in self.past.entries.iter().enumerate() {
            pace.step()?;
            let shown = prover.show(subject, Digest32(*held.id.as_bytes()));
            let is_thrown_away = rng.chance(8);
            let created_at = published_at(held.at, lag, rng);
            let style = Style { shape: shape(rng), is_thrown_away, shown };
            items.push(self.item(index(subject), style, created_at));
            let before = if lost == Some(subject) {
                let shown = prover.stale();
                told.extend(self.members.reorganised(subject, Digest32(*held.id.as_bytes()), shown));
                Some(shown)
            } else {
                twice.chance(u64::from(duplicates / 2)).then(|| prover.early())
            };
            if let Some(shown) = before {
                let style = Style { shape: shape(&mut twice), is_thrown_away, shown };
                older.push(self.item(index(subject), style, created_at - 1));
            }
        }
        Ok(Enveloped { items, older, told })
    }
}

impl Past {
    /// What calendars are asked to prove: envelopes, then bonds, then steps of custody.
    pub(super) fn subjects(&self, attested: &[Attestation]) -> Vec<Subject> {
        let envelopes = self.entries.iter().map(|entry| Subject { digest: *entry.id.as_bytes(), at: entry.at * 1_000 });
        let bonds = attested.iter().filter(|attestation| attestation.has_bond);
        let bonds = bonds.map(|bond| Subject { digest: *bond.id.as_bytes(), at: bond.at });
        let steps = self.custody.steps.iter().map(|step| Subject { digest: step.id, at: step.at });
        envelopes.chain(bonds).chain(steps).collect()
    }

    fn anchor(&self, attested: &[Attestation]) -> Anchored {
        anchor(self.seed, &self.subjects(attested), &self.times, self.noise.slow_calendars)
    }

    /// A world that holds nothing but the documents of its operator and what they say about users.
    fn documents(&self) -> World {
        let [first, second, third] = &self.mint.keys;
        let activity = activity(&self.users, &self.billed, &self.mint);
        World {
            seed: self.seed,
            size: 0,
            noise: self.noise,
            told: Vec::new(),
            envelopes: Vec::new(),
            events: Vec::new(),
            archived: Vec::new(),
            stale: Vec::new(),
            custody: Vec::new(),
            proofs: ProofFiles::new(),
            upgraded: ProofFiles::new(),
            calendar: BTreeMap::new(),
            proven: BTreeMap::new(),
            blocks: BTreeSet::new(),
            headers: Vec::new(),
            settlements: Vec::new(),
            payment_log: Vec::new(),
            invoices: Vec::new(),
            key_sets: vec![
                document("envelope-jwks-2026-05", key_set(&[first])),
                document("envelope-jwks-2026-07", key_set(&[first, second])),
                document("envelope-jwks", key_set(&[first, second, third])),
            ],
            auth_key_set: document("auth-jwks", key_set(&[&self.keys.ed25519("auth-2026-01")])),
            configs: configs(&self.projects),
            activity: activity.iter().map(bundle).collect(),
            balances: balances(&self.users, &self.billed, &self.treasury),
            settlement_key: self.keys.ed25519("settlement").public_hex(),
            federation_id: Rng::new(self.seed, "federation").hex::<32>(),
            manifest: Manifest::default(),
        }
    }
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
