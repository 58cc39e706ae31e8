//! What a text names in a run: whole ids, beginnings of ids, texts, heights, pseudonyms.

use std::collections::BTreeSet;

use super::edges::{self, Node, class_of};
use super::known::Known;
use super::model::{Class, Name};
use crate::app::error::AppError;
use crate::domain::{BlockHash, Digest32, leaf_hash};
use crate::store::EvidenceStore as _;

/// Digits of an id that name it.
pub const ID_DIGITS_MIN: usize = 8;
/// A number below this may be a height (BIP-65).
const HEIGHTS_END: u32 = 500_000_000;

/// The beginning of a digest.
struct Prefix(Vec<u8>);

impl Prefix {
    fn of(text: &str) -> Option<Self> {
        let digits = text.bytes().map(|byte| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()));
        let digits: Vec<u8> = digits.collect::<Option<_>>()?;
        (ID_DIGITS_MIN..=64).contains(&digits.len()).then_some(Self(digits))
    }

    fn begins(&self, digest: &Digest32) -> bool {
        let digit = |place: usize| {
            digest.0.get(place / 2).map(|byte| if place.is_multiple_of(2) { byte >> 4 } else { byte & 15 })
        };
        self.0.iter().enumerate().all(|(place, wanted)| digit(place) == Some(*wanted))
    }
}

/// Everything that a text names; a whole id hides ids that only begin with it.
pub(super) fn find(known: &Known, what: &str) -> Result<BTreeSet<Name>, AppError> {
    let text = what.trim();
    let lower = text.to_ascii_lowercase();
    let mut found = texts(known, text);
    if let Some(descriptor) = lower.strip_prefix("fed:") {
        if let Some(prefix) = Prefix::of(descriptor) {
            let ids = known.set.descriptors.keys().filter(|id| prefix.begins(&id.0));
            found.extend(ids.map(|id| Name { class: Class::Descriptor, id: id.to_string() }));
        }
        return Ok(whole(found, descriptor));
    }
    if let Some(user) = known.hidden.user(text) {
        found.insert(Name { class: Class::User, id: user.to_owned() });
    }
    found.extend(blocks(known, &lower));
    if let Some(prefix) = Prefix::of(&lower) {
        digests(known, &prefix, &mut found)?;
        named_by_divergences(known, &prefix, &mut found);
    }
    // An operation is a text, and most are hex.
    if text.len() >= ID_DIGITS_MIN {
        edges::visit(&known.set, &mut |_, _, to| {
            if let Node::Text(Class::Operation, operation) = to
                && operation.starts_with(text)
            {
                found.insert(to.name());
            }
        });
    }
    let exact = if found.iter().any(|name| name.id == text) { text } else { lower.as_str() };
    Ok(whole(found, exact))
}

/// Whole texts, of whatever length.
fn texts(known: &Known, text: &str) -> BTreeSet<Name> {
    let mut found = BTreeSet::new();
    edges::visit(&known.set, &mut |_, _, to| {
        if let Node::Text(_, name) = to
            && name == text
        {
            found.insert(to.name());
        }
    });
    let kids = known.set.keys.keys().chain(known.policy.compromised.iter().map(|leak| &leak.kid));
    found.extend(kids.filter(|kid| kid.as_str() == text).map(|kid| Name { class: Class::Kid, id: kid.to_string() }));
    for (held, member, class) in known.divergences.values().flat_map(|held| {
        [("kid", Class::Kid), ("operation", Class::Operation)].map(|(member, class)| (held, member, class))
    }) {
        if held.divergence.subject.get(member) == Some(text) {
            found.insert(Name { class, id: text.to_owned() });
        }
    }
    found
}

/// Blocks that anchor something, by height or by the beginning of their hash.
fn blocks(known: &Known, text: &str) -> BTreeSet<Name> {
    let height = text.parse::<u32>().ok().filter(|height| *height < HEIGHTS_END);
    let begins = |hash: BlockHash| text.len() >= ID_DIGITS_MIN && hash.to_string().starts_with(text);
    let mut found = BTreeSet::new();
    for state in known.set.anchors.values() {
        let confirmed = state.confirmed.iter().map(|anchor| (anchor.height.0, Some(anchor.hash)));
        let stale = state.stale.iter().map(|stale| (stale.height.0, Some(stale.hash)));
        let missing = state.header_missing.iter().map(|height| (height.0, None));
        for (at, hash) in confirmed.chain(stale).chain(missing) {
            if height == Some(at) || hash.is_some_and(begins) {
                found.insert(Name { class: Class::Block, id: at.to_string() });
            }
        }
    }
    found
}

fn digests(known: &Known, prefix: &Prefix, found: &mut BTreeSet<Name>) -> Result<(), AppError> {
    let set = &known.set;
    let mut add = |class: Class, digest: Digest32| {
        if prefix.begins(&digest) {
            found.insert(Name { class, id: digest.to_hex() });
        }
    };
    set.envelopes.keys().for_each(|id| add(Class::Envelope, id.0));
    set.attestations.keys().chain(set.claimed_attestations.keys()).for_each(|id| add(Class::Attestation, id.0));
    set.bindings.keys().for_each(|id| add(Class::Binding, id.0));
    set.descriptors.keys().for_each(|id| add(Class::Descriptor, id.0));
    set.graduations.keys().for_each(|id| add(Class::Graduation, *id));
    set.rotations.keys().for_each(|id| add(Class::Rotation, *id));
    set.settlements.keys().for_each(|id| add(Class::Settlement, id));
    set.events.values().for_each(|event| add(Class::Event, event.id.0));
    set.anchors.keys().filter(|id| prefix.begins(id)).for_each(|id| add(class_of(set, id), id));
    known.divergences.keys().for_each(|fingerprint| add(Class::Divergence, *fingerprint));
    let leaves = known.leaves.iter().flat_map(|ledger| &ledger.leaves);
    leaves.for_each(|leaf| add(Class::Leaf, leaf_hash(leaf)));
    known.store.ids()?.into_iter().for_each(|id| add(Class::Evidence, id.0));
    edges::visit(set, &mut |_, _, to| {
        if let Node::Digest(Class::Payment, digest) = to {
            add(Class::Payment, digest);
        }
    });
    Ok(())
}

/// Ids that only a divergence names: of what was refused, and of what is missing.
fn named_by_divergences(known: &Known, prefix: &Prefix, found: &mut BTreeSet<Name>) {
    for held in known.divergences.values() {
        for (member, value) in &held.divergence.subject.0 {
            let Ok(digest) = value.parse::<Digest32>() else { continue };
            if !prefix.begins(&digest) {
                continue;
            }
            let class = Class::of_member(member).filter(|class| *class != Class::Digest).unwrap_or(Class::Record);
            let is_known = found.iter().any(|name| name.id == *value);
            if class != Class::Record || !is_known {
                found.insert(Name { class, id: value.clone() });
            }
        }
    }
}

/// Only the things of that whole id, when there is one.
fn whole(found: BTreeSet<Name>, id: &str) -> BTreeSet<Name> {
    if !found.iter().any(|name| name.id == id) {
        return found;
    }
    found.into_iter().filter(|name| name.id == id).collect()
}
