//! One settlement for each operation id (TREASURY 2.6, R0): which of several is believed.

use std::collections::BTreeMap;

use crate::domain::{Digest32, UnixSeconds, sha256};
use crate::evidence::SettlementEvent;
use crate::scratch::Sorter;

use super::scope::Scope;

/// Settlements that come second under their operation, with the one that is believed: the first by (settled_at, digest), out
/// of those that are not after the as-of.
pub(crate) fn conflicts(scope: Scope<'_>) -> BTreeMap<Digest32, Digest32> {
    let mut by_operation: Sorter<Digest32, Vec<(UnixSeconds, Digest32)>> = scope.set.settlements.sorter();
    for (digest, verified) in &scope.set.settlements {
        let event = &verified.fact().event;
        if event.settled_at <= scope.as_of.time {
            by_operation.push(&sha256(event.operation.as_str().as_bytes()), &vec![(event.settled_at, digest)]);
        }
    }
    let mut conflicts = BTreeMap::new();
    by_operation.each_list(|_, mut own| {
        own.sort_unstable();
        if let [(_, first), others @ ..] = own.as_slice() {
            conflicts.extend(others.iter().map(|(_, other)| (*other, *first)));
        }
    });
    conflicts
}

/// The settlements that are posted: the first of each operation.
pub(crate) fn kept_settlements(scope: Scope<'_>) -> impl Iterator<Item = SettlementEvent> {
    let conflicts = conflicts(scope);
    let kept = scope.set.settlements.iter().filter(move |(digest, _)| !conflicts.contains_key(digest));
    let events = kept.map(|(_, verified)| verified.into_fact().event);
    events.filter(move |event| event.settled_at <= scope.as_of.time)
}
