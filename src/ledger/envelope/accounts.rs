//! Billed events by account: all names of one person.

use std::collections::BTreeSet;

use crate::domain::{Digest32, Names, UnixMicros, UserKey, packed_struct};
use crate::evidence::{BillableEvent, EventClass};
use crate::ledger::groups::{Grouped, Groups};
use crate::ledger::people::People;
use crate::scratch::Sorter;

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
pub(super) struct Row {
    at: UnixMicros,
    sats: u64,
    site: u32,
    project: Option<u32>,
    user: u32,
    class: EventClass,
    is_agent: bool,
}

packed_struct!(Row { at, sats, site, project, user, class, is_agent });

/// What rows only have a number for, and what is summed over them.
#[derive(Default)]
struct Known {
    /// Names of users.
    users: Names,
    /// What the events of each of these earned, in satoshi.
    earned: Vec<i128>,
    /// Names of sites and projects.
    others: Names,
    /// Which of these are projects.
    projects: BTreeSet<u32>,
}

impl Known {
    fn row(&mut self, event: &BillableEvent) -> Row {
        let (user, sats) = (self.users.number(event.user.as_str()), event.user_earned.get());
        match self.earned.get_mut(user as usize) {
            Some(earned) => *earned += i128::from(sats),
            None => self.earned.push(sats.into()),
        }
        let project = event.project.as_ref().map(|project| self.others.number(project.as_str()));
        self.projects.extend(project);
        let site = self.others.number(event.site.as_str());
        Row { at: event.occurred_at, sats, site, project, user, class: event.class, is_agent: event.is_agent }
    }

    fn billing(&self, row: &Row) -> Billing<'_> {
        Billing {
            at: row.at,
            sats: row.sats,
            class: row.class,
            site: self.others.name(row.site),
            project: row.project.map(|project| self.others.name(project)),
            user: self.users.name(row.user),
            is_agent: row.is_agent,
        }
    }
}

/// Billings of each account in order of time, and of arrival where times are equal.
pub(super) struct ByAccount {
    known: Known,
    rows: Grouped<UserKey, Row>,
}

impl ByAccount {
    /// Visits every account with its billings, in the order in which the first billing of each came. None of them is kept.
    pub(super) fn each<'k>(&'k self, mut visit: impl FnMut(&'k UserKey, &mut dyn Iterator<Item = Billing<'k>>)) {
        self.rows.each(|account, rows| visit(account, &mut rows.map(|row| self.known.billing(&row))));
    }

    /// Names of users with what their events earned, in satoshi.
    pub(super) fn earned(&self) -> impl Iterator<Item = (&str, i128)> {
        let names = (0..).map(|user| self.known.users.name(user));
        names.zip(self.known.earned.iter().copied())
    }

    /// Projects that events name.
    pub(super) fn projects(&self) -> impl Iterator<Item = &str> {
        self.known.projects.iter().map(|project| self.known.others.name(*project))
    }
}

/// Sorts events into accounts.
pub(super) struct Accounts<'p> {
    people: &'p People,
    known: Known,
    groups: Groups<UserKey, Row>,
}

impl<'p> Accounts<'p> {
    /// Gathers them there.
    pub(super) fn new(people: &'p People, rows: Sorter<Digest32, Row>) -> Self {
        Self { people, known: Known::default(), groups: Groups::new(rows) }
    }

    pub(super) fn add(&mut self, event: &BillableEvent) {
        let (row, account) = (self.known.row(event), || self.people.account_of(&event.user).clone());
        self.groups.push(event.user.as_str(), account, event.occurred_at.0, &row);
    }

    /// All of them.
    pub(super) fn finish(self) -> ByAccount {
        ByAccount { known: self.known, rows: self.groups.finish() }
    }
}
