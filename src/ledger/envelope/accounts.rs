//! Billed events by account: all names of one person.

use std::collections::BTreeMap;

use crate::domain::{UnixMicros, UserKey};
use crate::evidence::{BillableEvent, EventClass};
use crate::ledger::groups::Groups;
use crate::ledger::people::People;

/// One event as limits see it. It stands by itself: events lie all over memory, and whoever walks the accounts follows no
/// reference but the site, of which the verified set has one copy for all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Billing<'l> {
    pub(super) at: UnixMicros,
    /// What the user earned, in satoshi.
    pub(super) sats: u64,
    pub(super) class: EventClass,
    pub(super) site: &'l str,
    pub(super) event: &'l BillableEvent,
}

/// Billings of each account in the order in which they were added.
pub(super) type ByAccount<'l> = BTreeMap<&'l UserKey, Vec<Billing<'l>>>;

/// Sorts events into accounts.
pub(super) struct Accounts<'l> {
    people: &'l People,
    groups: Groups<'l, UserKey, Billing<'l>>,
}

impl<'l> Accounts<'l> {
    pub(super) fn new(people: &'l People) -> Self {
        Self { people, groups: Groups::default() }
    }

    pub(super) fn add(&mut self, event: &'l BillableEvent) {
        let (at, sats, class) = (event.occurred_at, event.user_earned.get(), event.class);
        let billing = Billing { at, sats, class, site: event.site.as_str(), event };
        self.groups.push(event.user.as_str(), || self.people.account_of(&event.user), billing);
    }

    pub(super) fn into_lists(self) -> ByAccount<'l> {
        self.groups.into_lists()
    }
}
