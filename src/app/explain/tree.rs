//! The use-case: find what a text names, and gather what is known of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::edges::{self, CARRIER, Node};
use super::find::find;
use super::known::{Held, Known};
use super::model::{Class, Direction, DivergenceTold, Name, Related, Thing};
use super::{anchors, balances, carriers, entries, people, says, standing};
use crate::app::error::AppError;
use crate::app::judged_by::JudgedBy;
use crate::app::options::RunOptions;
use crate::app::run::RunFolder;
use crate::domain::{AttestationId, BindingId, DescriptorId, Digest32, Divergence, EnvelopeId, EvidenceId, KeyId};
use crate::report::divergence_value;
use crate::verify::Verified;

/// A shorter text is not looked for in bytes: it would stand everywhere.
const MENTION_MIN: usize = 8;

/// What a text comes to.
#[derive(Debug)]
pub enum Explained {
    /// It names nothing in the run.
    Nothing,
    /// It begins several ids; all of them, sorted. Users stand by pseudonym unless they are revealed.
    Ambiguous(Vec<Name>),
    /// What has that id: mostly one thing.
    Known(Vec<Thing>),
}

/// Tells everything that a run knows of what a text names: a whole id or at least 8 digits of one, a user in clear or by
/// pseudonym, a kid, window, project or operation, a block's height. Judges the evidence once and contacts nobody; the run
/// need not have a report, or have been judged at all.
///
/// # Errors
/// [`AppError`] when the run is not there or can't be read.
pub fn explain(folder: &RunFolder, by: &JudgedBy, options: &RunOptions, what: &str) -> Result<Explained, AppError> {
    if what.trim().is_empty() {
        return Ok(Explained::Nothing);
    }
    if !folder.evidence().is_dir() {
        let missing = if folder.root().is_dir() { "holds no evidence" } else { "is no folder" };
        return Err(AppError::Config {
            what: format!("--run {} {missing}", folder.root().display()),
            hint: "give the folder of a run with --run DIR; a code like ENV_SIG_BAD needs none".to_owned(),
        });
    }
    let known = Known::of(folder, by, options)?;
    let mut names = find(&known, what)?;
    let ids: BTreeSet<&String> = names.iter().map(|name| &name.id).collect();
    if ids.len() > 1 {
        let shown = names.into_iter().map(|name| shown(&known, name));
        return Ok(Explained::Ambiguous(shown.collect::<BTreeSet<_>>().into_iter().collect()));
    }
    if names.len() > 1 {
        // A proof about a digest is told with what has that digest.
        names.retain(|name| name.class != Class::Digest);
    }
    let mut things = names.into_iter().map(|name| thing(&known, name)).collect::<Result<Vec<_>, _>>()?;
    if things.is_empty() {
        things.extend(mention(&known, what.trim())?);
    }
    Ok(if things.is_empty() { Explained::Nothing } else { Explained::Known(things) })
}

fn shown(known: &Known, name: Name) -> Name {
    match name.class {
        Class::User => Name { id: known.hidden.name(&name.id), ..name },
        _ => name,
    }
}

fn thing(known: &Known, name: Name) -> Result<Thing, AppError> {
    let people = people::of(known, &name);
    let mut brought = brought_by(known, &name);
    brought.extend(people.evidence());
    let entries = entries::told(known, &name);
    let divergences = divergences(known, &name, &brought);
    let digest = name.id.parse::<Digest32>().ok();
    let kid = match (name.class, digest) {
        (Class::Kid, _) => Some(KeyId::from(name.id.clone())),
        (Class::Envelope, Some(id)) => says::signer(known, EnvelopeId(id), &brought)?,
        _ => None,
    };
    let mut related = related(known, &name, &brought);
    related.extend(people.related());
    related.extend(entries::named(known, &name).into_iter().map(|name| Related {
        direction: Direction::Out,
        relation: "leaf",
        name: shown(known, name),
    }));
    related.sort();
    let (says, rule) = says::told(known, &name, &brought, kid.as_ref())?;
    let signatures = standing::signatures(known, &name, &divergences, kid.as_ref());
    Ok(Thing {
        says,
        standing: standing::standing(known, &name, &entries, &divergences),
        rule,
        carriers: carriers::told(known, &brought)?,
        key: kid.map(|kid| carriers::key(known, &kid)).transpose()?,
        signatures,
        anchor: digest.and_then(|digest| anchors::told(known, name.class, digest)),
        balance: balances::told(known, &name),
        related,
        entries,
        divergences,
        ..Thing::new(shown(known, name))
    })
}

/// What stands only in the bytes of evidence.
fn mention(known: &Known, what: &str) -> Result<Option<Thing>, AppError> {
    if what.len() < MENTION_MIN {
        return Ok(None);
    }
    let mut found = carriers::mentions(known, what)?;
    if found.is_empty() {
        found = carriers::mentions(known, &what.to_ascii_lowercase())?;
    }
    if found.is_empty() {
        return Ok(None);
    }
    let name = Name { class: Class::Mention, id: known.hidden.text(what) };
    let told = carriers::told(known, &found)?;
    Ok(Some(Thing { carriers: told, divergences: divergences(known, &name, &found), ..Thing::new(name) }))
}

/// The evidence of a fact; of what was refused, what the findings call its carrier.
fn brought_by(known: &Known, name: &Name) -> BTreeSet<EvidenceId> {
    fn of<T>(fact: Option<&Verified<T>>) -> BTreeSet<EvidenceId> {
        fact.into_iter().flat_map(|fact| fact.carriers().iter()).collect()
    }
    let Ok(digest) = name.id.parse::<Digest32>() else { return BTreeSet::new() };
    let set = &known.set;
    let brought = match name.class {
        Class::Envelope => of(set.envelopes.get(&EnvelopeId(digest)).as_ref()),
        Class::Attestation => {
            let mut both = of(set.attestations.get(&AttestationId(digest)));
            both.extend(of(set.claimed_attestations.get(&AttestationId(digest))));
            both
        }
        Class::Binding => of(set.bindings.get(&BindingId(digest))),
        Class::Descriptor => of(set.descriptors.get(&DescriptorId(digest))),
        Class::Graduation => of(set.graduations.get(&digest)),
        Class::Rotation => of(set.rotations.get(&digest)),
        Class::Settlement => of(set.settlements.get(&digest).as_ref()),
        Class::Event => {
            let events = set.events.iter().filter(|(_, event)| event.id.0 == digest);
            events.map(|(id, _)| id).collect()
        }
        Class::Evidence => BTreeSet::from([EvidenceId(digest)]),
        Class::Digest => set.anchors.get(&digest).map(|state| state.proofs.iter().collect()).unwrap_or_default(),
        Class::Divergence => {
            let held = known.divergences.get(&digest);
            held.into_iter().flat_map(|held| &held.divergence.evidence).map(|evidence| evidence.id).collect()
        }
        _ => BTreeSet::new(),
    };
    if !brought.is_empty() || name.class == Class::Divergence {
        return brought;
    }
    let about = known.divergences.values().map(|held| &held.divergence).filter(|found| names(found, &name.id));
    let evidence = about.flat_map(|found| &found.evidence);
    let is_carrier = |role: &str| name.class == Class::Record || role == "carrier";
    evidence.filter(|evidence| is_carrier(&evidence.role)).map(|evidence| evidence.id).collect()
}

fn names(divergence: &Divergence, id: &str) -> bool {
    divergence.subject.0.values().any(|value| value == id || value.strip_prefix("fed:") == Some(id))
}

/// Divergences whose subject names the thing, and those that rest on what brought it.
fn divergences(known: &Known, name: &Name, brought: &BTreeSet<EvidenceId>) -> Vec<DivergenceTold> {
    let pseudonym = known.hidden.pseudonym(&name.id);
    let is_about = |fingerprint: &Digest32, divergence: &Divergence| match name.class {
        Class::Divergence => fingerprint.to_hex() == name.id,
        Class::User => {
            let rests = || divergence.evidence.iter().any(|evidence| brought.contains(&evidence.id));
            let is_identity = divergence.subject.get("check") == Some("identity");
            names(divergence, &name.id) || names(divergence, &pseudonym) || (is_identity && rests())
        }
        _ => names(divergence, &name.id) || divergence.evidence.iter().any(|evidence| brought.contains(&evidence.id)),
    };
    let about = known.divergences.iter().filter(|(fingerprint, held)| is_about(fingerprint, &held.divergence));
    let told = about.map(|(_, held)| {
        let Held { divergence, in_report, is_hidden } = held;
        let shown = if *is_hidden { divergence.clone() } else { known.hidden.divergence(divergence) };
        let members = match divergence_value(&shown) {
            Value::Object(members) => members.into_iter().collect(),
            _ => BTreeMap::new(),
        };
        DivergenceTold { divergence: members, in_report: *in_report }
    });
    told.collect()
}

/// What the thing names, and what names it.
fn related(known: &Known, name: &Name, brought: &BTreeSet<EvidenceId>) -> Vec<Related> {
    let mut found = BTreeSet::new();
    let digest = name.id.parse::<Digest32>().ok();
    let height = name.id.parse::<u32>().ok().filter(|_| name.class == Class::Block);
    let own = |node: Node<'_>| match node {
        Node::Digest(Class::Evidence, id) if name.class == Class::Event => brought.contains(&EvidenceId(id)),
        Node::Digest(class, id) => class == name.class && Some(id) == digest,
        Node::Text(class, text) => class == name.class && text == name.id,
        Node::Block(at) => Some(at) == height,
    };
    edges::visit(&known.set, &mut |from, relation, to| {
        let (outward, inward) = (own(from), own(to));
        // A thing's carriers are told by themselves, and an event is what its evidence says.
        let is_told = (outward && relation == CARRIER) || (name.class == Class::Event && relation == "event");
        if outward && !inward && !is_told {
            found.insert(Related { direction: Direction::Out, relation, name: shown(known, to.name()) });
        }
        if inward && !outward && !is_told {
            found.insert(Related { direction: Direction::In, relation, name: shown(known, from.name()) });
        }
    });
    if name.class == Class::Divergence {
        let held = name.id.parse::<Digest32>().ok().and_then(|id| known.divergences.get(&id));
        for (member, value) in held.iter().flat_map(|held| &held.divergence.subject.0) {
            if let Some(class) = Class::of_member(member) {
                let name = shown(known, Name { class, id: value.clone() });
                found.insert(Related { direction: Direction::Out, relation: "subject", name });
            }
        }
    }
    found.into_iter().collect()
}
