//! One settlement for each operation id (TREASURY 2.6, R0): which of several is believed.

use std::collections::BTreeMap;

use crate::domain::{Digest32, UnixSeconds};
use crate::evidence::SettlementEvent;

use super::scope::Scope;

/// The first settlement of each operation by (settled_at, digest), out of those that are not after the as-of.
pub(crate) fn first_of_each(scope: Scope<'_>) -> BTreeMap<&str, (UnixSeconds, Digest32)> {
    let mut first: BTreeMap<&str, (UnixSeconds, Digest32)> = BTreeMap::new();
    for (digest, verified) in &scope.set.settlements {
        let event = &verified.fact().event;
        if event.settled_at <= scope.as_of.time {
            let one = (event.settled_at, *digest);
            let kept = first.entry(event.operation.as_str()).or_insert(one);
            *kept = one.min(*kept);
        }
    }
    first
}

/// The settlements that are posted: the first of each operation.
pub(crate) fn kept_settlements(scope: Scope<'_>) -> impl Iterator<Item = &SettlementEvent> {
    let kept = first_of_each(scope).into_values();
    kept.filter_map(move |(_, digest)| scope.set.settlements.get(&digest)).map(|verified| &verified.fact().event)
}
