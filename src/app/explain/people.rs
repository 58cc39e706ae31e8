//! Whose names are whose: the bindings and merge records that join a user's names, or contest them.

use std::collections::{BTreeMap, BTreeSet};

use super::edges::Node;
use super::known::Known;
use super::model::{Class, Direction, Name, Related};
use crate::domain::{Digest32, EvidenceId, UserKey};
use crate::verify::VerifiedSet;

/// The records about one user's names.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// By what they are, with the evidence that brings them.
    found: BTreeMap<(Class, Digest32), BTreeSet<EvidenceId>>,
}

/// One record, and the names in it.
type Record<'a> = ((Class, Digest32), BTreeSet<EvidenceId>, Vec<&'a str>);

/// Everything that leads from a user's name to another name, step by step; nothing for what is no user.
pub(super) fn of(known: &Known, name: &Name) -> Records {
    if name.class == Class::User { records(&known.set, &name.id) } else { Records::default() }
}

fn records(set: &VerifiedSet, name: &str) -> Records {
    let bindings = set.bindings.iter().map(|(id, signed)| -> Record<'_> {
        let said = &signed.fact().message;
        ((Class::Binding, id.0), signed.carriers().iter().collect(), vec![&said.principal, &said.btc, &said.npub])
    });
    let merges = set.merges.iter().map(|(id, record)| -> Record<'_> {
        let names = record.merged_from.iter().chain([&record.user]).map(UserKey::as_str);
        ((Class::Evidence, id.0), BTreeSet::from([*id]), names.collect())
    });
    let records: Vec<Record<'_>> = bindings.chain(merges).collect();
    let mut by_name: BTreeMap<&str, Vec<&Record<'_>>> = BTreeMap::new();
    for record in &records {
        record.2.iter().for_each(|name| by_name.entry(name).or_default().push(record));
    }
    // Each name is gone through once: taking it out of the index is what marks it.
    let (mut found, mut wanted) = (BTreeMap::new(), vec![name]);
    while let Some(name) = wanted.pop() {
        for (what, carriers, names) in by_name.remove(name).into_iter().flatten() {
            if found.insert(*what, carriers.clone()).is_none() {
                wanted.extend(names);
            }
        }
    }
    Records { found }
}

impl Records {
    /// What brings them.
    pub(super) fn evidence(&self) -> BTreeSet<EvidenceId> {
        self.found.values().flatten().copied().collect()
    }

    /// They themselves.
    pub(super) fn related(&self) -> impl Iterator<Item = Related> {
        self.found.keys().map(|(class, id)| Related {
            direction: Direction::In,
            relation: "joins",
            name: Node::Digest(*class, *id).name(),
        })
    }
}
