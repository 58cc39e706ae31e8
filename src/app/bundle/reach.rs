//! What of a run has to do with a divergence: everything that names what it names, in widening circles.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::explain::Class;
use crate::app::explain::edges::{Node, visit};
use crate::domain::{Digest32, Divergence, EvidenceId, Media};
use crate::verify::VerifiedSet;

/// Steps from one thing to the next in one circle.
const STEPS_MAX: usize = 8;
/// A circle with more pieces is not tried: nobody would send it.
pub(super) const PIECES_MAX: usize = 20_000;

/// How far a circle goes: names that it does not pass through, because everybody shares them.
const CIRCLES: [&[Class]; 3] = [
    &[Class::User, Class::Project, Class::Kid, Class::Window, Class::Block],
    &[Class::Project, Class::Kid, Class::Block],
    &[Class::Kid, Class::Block],
];

/// Things by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Reach {
    digests: BTreeSet<(Class, Digest32)>,
    texts: BTreeMap<Class, BTreeSet<String>>,
}

impl Reach {
    fn has(&self, node: Node<'_>) -> bool {
        match node {
            Node::Digest(class, digest) => self.digests.contains(&(class, digest)),
            Node::Text(class, text) => self.texts.get(&class).is_some_and(|held| held.contains(text)),
            Node::Block(_) => false,
        }
    }

    fn add(&mut self, node: Node<'_>) -> bool {
        match node {
            Node::Digest(class, digest) => self.digests.insert((class, digest)),
            Node::Text(class, text) => self.texts.entry(class).or_default().insert(text.to_owned()),
            Node::Block(_) => false,
        }
    }

    /// Takes what another has; false when it had all of it.
    fn join(&mut self, other: Self) -> bool {
        let before = self.len();
        self.digests.extend(other.digests);
        for (class, texts) in other.texts {
            self.texts.entry(class).or_default().extend(texts);
        }
        self.len() > before
    }

    fn len(&self) -> usize {
        self.digests.len() + self.texts.values().map(BTreeSet::len).sum::<usize>()
    }

    fn evidence(&self) -> impl Iterator<Item = EvidenceId> {
        self.digests.iter().filter(|(class, _)| *class == Class::Evidence).map(|(_, id)| EvidenceId(*id))
    }
}

fn class_of(node: Node<'_>) -> Class {
    match node {
        Node::Digest(class, _) | Node::Text(class, _) => class,
        Node::Block(_) => Class::Block,
    }
}

/// The things that a divergence names, and the evidence it cites.
fn seeds(divergence: &Divergence) -> Reach {
    let mut seeds = Reach::default();
    for (member, value) in &divergence.subject.0 {
        let digest = value.strip_prefix("fed:").unwrap_or(value).parse::<Digest32>().ok();
        let class = match member.as_str() {
            "payment_hash" => Some(Class::Payment),
            "distribution" | "payout_binding" => Some(Class::Envelope),
            name => Class::of_member(name),
        };
        match (class, digest) {
            (Some(class), Some(digest)) if class != Class::Operation => drop(seeds.digests.insert((class, digest))),
            (Some(class), _) => drop(seeds.texts.entry(class).or_default().insert(value.clone())),
            (None, _) => {}
        }
    }
    for cited in &divergence.evidence {
        seeds.digests.insert((Class::Evidence, cited.id.0));
    }
    seeds
}

/// Widening circles of evidence around a divergence, narrowest first, each with more than the one before.
pub(super) fn circles(set: &VerifiedSet, divergence: &Divergence) -> Vec<BTreeSet<EvidenceId>> {
    let seeds = seeds(divergence);
    let mut found: Vec<BTreeSet<EvidenceId>> = Vec::new();
    for hubs in CIRCLES {
        let reached = widen(set, &seeds, hubs);
        let mut pieces: BTreeSet<EvidenceId> = reached.evidence().collect();
        let priced = |project: &str| reached.texts.get(&Class::Project).is_some_and(|held| held.contains(project));
        pieces.extend(set.configs.iter().filter(|(_, config)| priced(config.project.as_str())).map(|(id, _)| *id));
        pieces.extend(set.key_sets.iter().map(|(id, _)| *id));
        if divergence.step == crate::domain::Step::Balances {
            pieces.extend(set.statements.iter().map(|(id, _)| *id));
        }
        if pieces.len() <= PIECES_MAX && found.last() != Some(&pieces) {
            found.push(pieces);
        }
    }
    found
}

fn widen(set: &VerifiedSet, seeds: &Reach, hubs: &[Class]) -> Reach {
    let mut reached = seeds.clone();
    for _ in 0..STEPS_MAX {
        let passes = |node: Node<'_>| reached.has(node) && (seeds.has(node) || !hubs.contains(&class_of(node)));
        let mut fresh = Reach::default();
        visit(set, &mut |from, _, to| {
            if passes(from) && !reached.has(to) {
                fresh.add(to);
            }
            if passes(to) && !reached.has(from) {
                fresh.add(from);
            }
        });
        if !reached.join(fresh) || reached.digests.len() > PIECES_MAX.saturating_mul(2) {
            break;
        }
    }
    reached
}

/// Entries of the gateway's log, and invoices, that have nothing to do with any settlement: other people's payments.
pub(super) fn foreign(set: &VerifiedSet) -> BTreeSet<EvidenceId> {
    let (mut operations, mut hashes) = (BTreeSet::new(), BTreeSet::new());
    for event in set.settlements.values().map(|settlement| settlement.into_fact().event) {
        operations.insert(event.operation);
        hashes.extend(event.payment_hash.as_deref().and_then(|hash| Digest32::from_hex(hash).ok()));
    }
    // One payment has several entries, each of which may know only the operation or only the hash.
    loop {
        let before = operations.len() + hashes.len();
        for entry in set.payment_log.values() {
            let (hash, operation) = (entry.payment_hash.map(|hash| hash.0), entry.operation);
            let ours = hash.is_some_and(|hash| hashes.contains(&hash))
                || operation.as_ref().is_some_and(|operation| operations.contains(operation));
            if ours {
                operations.extend(operation);
                hashes.extend(hash);
            }
        }
        if operations.len() + hashes.len() == before {
            break;
        }
    }
    let entries = set.payment_log.iter().filter(|(_, entry)| {
        let by_hash = entry.payment_hash.is_some_and(|hash| hashes.contains(&hash.0));
        !by_hash && !entry.operation.as_ref().is_some_and(|operation| operations.contains(operation))
    });
    let invoices = set.invoices.iter().filter(|(_, invoice)| !hashes.contains(&invoice.payment_hash.0));
    entries.map(|(id, _)| id).chain(invoices.map(|(id, _)| id)).collect()
}

/// Media whose records may be other people's.
pub(super) const fn may_be_foreign(media: Media) -> bool {
    matches!(media, Media::PaymentLogEntry | Media::Invoice)
}
