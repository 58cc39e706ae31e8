//! The ledgers' and registers' leaves that name a thing (docs/state-root.md 4).

use std::collections::BTreeSet;

use serde_json::Value;

use super::edges::class_of;
use super::known::Known;
use super::model::{Class, EntryTold, Name};
use crate::domain::{Digest32, sha256};
use crate::report::canonical_json;

/// The leaf's hash in its ledger's Merkle tree (docs/state-root.md 4).
pub(in crate::app) fn leaf_hash(leaf: &[u8]) -> Digest32 {
    sha256(&[&[0], leaf].concat())
}

/// Every leaf that names it, in the order of the ledgers and of their leaves; of a leaf, itself.
pub(super) fn told(known: &Known, name: &Name) -> Vec<EntryTold> {
    let leaves = known.leaves.iter().flat_map(|ledger| ledger.leaves.iter().map(|leaf| (ledger.name, leaf)));
    if name.class == Class::Leaf {
        let own = leaves.filter(|(_, leaf)| leaf_hash(leaf).to_hex() == name.id);
        return own.filter_map(|(ledger, leaf)| Some(entry(known, ledger, std::str::from_utf8(leaf).ok()?))).collect();
    }
    let needles = needles(name);
    if needles.is_empty() {
        return Vec::new();
    }
    let naming = leaves.filter_map(|(ledger, leaf)| {
        let text = std::str::from_utf8(leaf).ok()?;
        needles.iter().any(|needle| text.contains(needle.as_str())).then(|| entry(known, ledger, text))
    });
    naming.collect()
}

/// How a leaf writes the name: 64 digits stand alone or behind `fed:`, a text stands in quotes, a user in accounts too.
fn needles(name: &Name) -> Vec<String> {
    let quoted = serde_json::to_string(&name.id).unwrap_or_default();
    match name.class {
        Class::Block | Class::Divergence | Class::Leaf | Class::Record | Class::Mention => Vec::new(),
        Class::User => {
            let inner = quoted.trim_matches('"');
            vec![format!("\"L:User:{inner}:"), quoted.clone()]
        }
        Class::Operation | Class::Kid | Class::Window | Class::Project => vec![quoted],
        _ => vec![name.id.clone()],
    }
}

/// What a leaf names by a member of its own.
pub(super) fn named(known: &Known, name: &Name) -> BTreeSet<Name> {
    if name.class != Class::Leaf {
        return BTreeSet::new();
    }
    let leaves = known.leaves.iter().flat_map(|ledger| &ledger.leaves);
    let own = leaves.filter(|leaf| leaf_hash(leaf).to_hex() == name.id);
    let mut named = BTreeSet::new();
    for value in own.filter_map(|leaf| serde_json::from_slice::<Value>(leaf).ok()) {
        for (member, value) in value.as_object().into_iter().flatten() {
            let Some(text) = value.as_str() else { continue };
            let digest = text.parse::<Digest32>().ok().filter(|_| member == "id");
            let class = digest.map(|id| class_of(&known.set, id)).or_else(|| Class::of_member(member));
            named.extend(class.map(|class| Name { class, id: text.to_owned() }));
        }
    }
    named
}

fn entry(known: &Known, ledger: &'static str, text: &str) -> EntryTold {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let shown = known.hidden.value("", value.clone());
    let exact = shown == value;
    let hidden = || String::from_utf8_lossy(&canonical_json(&shown)).trim_end().to_owned();
    EntryTold {
        ledger,
        tier: value["tier"].as_str().map(str::to_owned),
        leaf_hash: leaf_hash(text.as_bytes()).to_hex(),
        leaf: if exact { text.to_owned() } else { hidden() },
        exact,
    }
}
