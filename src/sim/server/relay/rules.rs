//! What a relay stores, allows and says of itself (NIP-11).

use std::collections::BTreeSet;

use crate::domain::{NostrEventId, UnixSeconds};
use crate::sim::json::{Object, array, quoted};
use crate::sim::nostr::SimEvent;

/// Most events in one page. Low, so that clients must page.
const PAGE_EVENTS: usize = 100;
/// As relays of the family are set up (FORMATS 2.3).
const FILTERS: usize = 8;
const SUBSCRIPTIONS: usize = 64;
/// The largest client message, as strfry takes it.
const MESSAGE_BYTES: usize = 131_072;
/// Longest subscription id (NIP-01).
pub(super) const NAME_BYTES_MAX: usize = 64;

/// A relay's limits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent abilities, as relays list them")]
pub struct RelayRules {
    /// Most events in one page, whatever limit was asked for.
    pub max_limit: usize,
    /// Most filters in one question.
    pub max_filters: usize,
    /// Most open subscriptions and reconciliations of one connection.
    pub max_subscriptions: usize,
    /// Largest message of a client, in bytes.
    pub max_message_bytes: usize,
    /// How many questions one connection may ask.
    pub rate: Option<RateLimit>,
    /// Counts (NIP-45).
    pub counts: bool,
    /// Says whether an answer is complete (NIP-67).
    pub hints: bool,
    /// Reconciles sets (NIP-77).
    pub reconciles: bool,
    /// Takes events.
    pub takes_events: bool,
    /// What it stores.
    pub holds: Holds,
}

/// So many questions at once, and one more after every pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Questions that may be asked at once.
    pub burst: u32,
    /// Milliseconds until one more may be asked.
    pub refill_ms: u64,
}

/// Which events a relay holds. The default is all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holds {
    /// What is dated before was pruned.
    pub since: Option<UnixSeconds>,
    /// What never came.
    pub without: BTreeSet<NostrEventId>,
}

impl Default for RelayRules {
    fn default() -> Self {
        Self {
            max_limit: PAGE_EVENTS,
            max_filters: FILTERS,
            max_subscriptions: SUBSCRIPTIONS,
            max_message_bytes: MESSAGE_BYTES,
            rate: None,
            counts: true,
            // Few relays of the field know it (CAPTURE 2.4).
            hints: false,
            reconciles: true,
            takes_events: true,
            holds: Holds::default(),
        }
    }
}

impl Holds {
    /// True for an event that the relay has.
    pub fn has(&self, event: &SimEvent) -> bool {
        self.since.is_none_or(|since| event.created_at >= since) && !self.without.contains(&event.id)
    }
}

impl RelayRules {
    /// The information document, with the limits that are in force and whatever else stands in `addresses`.
    pub(super) fn document(&self, addresses: &[String]) -> String {
        let optional = [(self.counts, 45), (self.hints, 67), (self.reconciles, 77)];
        let nips = [1, 11].into_iter().chain(optional.into_iter().filter(|(knows, _)| *knows).map(|(_, nip)| nip));
        let limits = Object::new()
            .plain("max_limit", self.max_limit)
            .plain("default_limit", self.max_limit)
            .plain("max_filters", self.max_filters)
            .plain("max_subscriptions", self.max_subscriptions)
            .plain("max_subid_length", NAME_BYTES_MAX)
            .plain("max_message_length", self.max_message_bytes)
            .plain("auth_required", false)
            .plain("restricted_writes", !self.takes_events);
        let document = Object::new()
            .text("name", "reledger sim")
            .text("software", "reledger")
            .raw("supported_nips", array(nips.map(|nip: u16| nip.to_string())))
            .raw("limitation", limits.compact());
        let named = ["icon", "payments_url", "posting_policy"].into_iter().zip(addresses);
        named.fold(document, |document, (name, address)| document.raw(name, quoted(address))).compact()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn the_document_states_what_is_in_force() {
        let rules = RelayRules { max_limit: 7, hints: true, counts: false, ..RelayRules::default() };
        let document: Value = serde_json::from_str(&rules.document(&["http://10.0.0.1/".to_owned()])).unwrap();
        assert_eq!(document["limitation"]["max_limit"], 7);
        assert_eq!(document["supported_nips"], serde_json::json!([1, 11, 67, 77]));
        assert_eq!(document["icon"], "http://10.0.0.1/");
        assert!(document.get("payments_url").is_none());
    }
}
