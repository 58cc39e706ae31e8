//! Lists of the configuration against the profile and against each other.

use super::Patient;
use super::check::Check;

/// The lists that [`crate::app::drift`] compares, each with the check's name.
const LISTS: [(&str, &str, &str); 3] = [
    ("nostr.kinds", "drift.kinds.profile", "name every kind of the profile in nostr.kinds, or leave the list out"),
    ("nostr.operator_relays", "drift.relays.operator", "add them to nostr.relays: only what is asked can be left out"),
    ("nostr.relays", "drift.relays.twice", "name each relay once"),
];

pub(super) fn checks(patient: &Patient<'_>) -> Vec<Check> {
    if patient.config.nostr.is_none() {
        return Vec::new();
    }
    let found = &patient.plan.declared.drift;
    let one = |(list, name, hint): &(&str, &'static str, &str)| match found.iter().find(|drift| drift.list == *list) {
        Some(drift) => {
            Check::failed(name, *list, format!("{}; expected {}", drift.observed, drift.expected)).with_hint(*hint)
        }
        None => Check::ok(name, *list, "agrees"),
    };
    LISTS.iter().map(one).collect()
}
