//! Billed events by account: all names of one person.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Names, UnixMicros, UserKey};
use crate::evidence::{BillableEvent, EventClass};
use crate::ledger::groups::Groups;
use crate::ledger::people::People;

/// One event as limits and statements about activity see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Billing<'n> {
    pub(super) at: UnixMicros,
    /// What the user earned, in satoshi.
    pub(super) sats: u64,
    pub(super) class: EventClass,
    pub(super) site: &'n str,
    /// The name of the project, when the event names one.
    pub(super) project: Option<&'n str>,
    /// The name that the event has for its user.
    pub(super) user: &'n str,
    pub(super) is_agent: bool,
}

/// The same by numbers: there are millions of these.
#[derive(Debug, Clone, Copy)]
struct Row {
    at: UnixMicros,
    sats: u64,
    site: u32,
    project: Option<ProjectNumber>,
    user: u32,
    class: EventClass,
    is_agent: bool,
}

/// One more than the number of a project's name, so that having none takes no room.
type ProjectNumber = std::num::NonZeroU32;

/// Billings of each account in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct ByAccount {
    names: Names,
    rows: BTreeMap<UserKey, Vec<Row>>,
}

impl ByAccount {
    /// Accounts with their billings, ascending by account.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&UserKey, Vec<Billing<'_>>)> {
        self.rows.iter().map(|(account, rows)| (account, self.billings(rows)))
    }

    /// One account's; none when it has none.
    pub(super) fn get(&self, account: &UserKey) -> Vec<Billing<'_>> {
        self.rows.get(account).map(|rows| self.billings(rows)).unwrap_or_default()
    }

    /// Names of users with what their events earned, in satoshi.
    pub(super) fn earned(&self) -> impl Iterator<Item = (&str, i128)> {
        let mut sums: BTreeMap<u32, i128> = BTreeMap::new();
        for row in self.rows.values().flatten() {
            *sums.entry(row.user).or_default() += i128::from(row.sats);
        }
        sums.into_iter().map(|(user, sats)| (self.names.name(user), sats))
    }

    /// Projects that events name.
    pub(super) fn projects(&self) -> impl Iterator<Item = &str> {
        let numbers: BTreeSet<ProjectNumber> = self.rows.values().flatten().filter_map(|row| row.project).collect();
        numbers.into_iter().map(|project| self.names.name(project.get() - 1))
    }

    fn billings(&self, rows: &[Row]) -> Vec<Billing<'_>> {
        let names = &self.names;
        let billing = |row: &Row| Billing {
            at: row.at,
            sats: row.sats,
            class: row.class,
            site: names.name(row.site),
            project: row.project.map(|project| names.name(project.get() - 1)),
            user: names.name(row.user),
            is_agent: row.is_agent,
        };
        rows.iter().map(billing).collect()
    }
}

/// Sorts events into accounts.
pub(super) struct Accounts<'p> {
    people: &'p People,
    names: Names,
    groups: Groups<UserKey, Row>,
}

impl<'p> Accounts<'p> {
    pub(super) fn new(people: &'p People) -> Self {
        Self { people, names: Names::default(), groups: Groups::default() }
    }

    pub(super) fn add(&mut self, event: &BillableEvent) {
        let names = &mut self.names;
        let row = Row {
            at: event.occurred_at,
            sats: event.user_earned.get(),
            site: names.number(event.site.as_str()),
            project: event.project.as_ref().and_then(|it| ProjectNumber::MIN.checked_add(names.number(it.as_str()))),
            user: names.number(event.user.as_str()),
            class: event.class,
            is_agent: event.is_agent,
        };
        self.groups.push(event.user.as_str(), || self.people.account_of(&event.user).clone(), row);
    }

    pub(super) fn into_lists(self) -> ByAccount {
        ByAccount { names: self.names, rows: self.groups.into_lists() }
    }
}
