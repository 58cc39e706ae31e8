//! Who earned by which events, account by account: what payouts, reasons and projects are looked up in.

use std::collections::BTreeSet;

use crate::domain::{EvidenceId, ProjectKey, UnixSeconds, UserKey, packed_struct};
use crate::ledger::{CountedEvent, Grouped, Groups};

use super::reconciler::Input;

/// One counted event's share. There are millions of these.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub(super) earned_at: UnixSeconds,
    /// `None` while it matures.
    pub(super) vested_at: Option<UnixSeconds>,
    pub(super) sats: u64,
    /// [`CountedEvent::number`]: in order of id.
    number: u64,
}

packed_struct!(Share { earned_at, vested_at, sats, number });

impl Share {
    /// What carries the event.
    pub(super) fn carrier(&self, input: &Input<'_>) -> Option<EvidenceId> {
        Some(input.ledgers.envelope.counted(usize::try_from(self.number).ok()?)?.carrier)
    }
}

/// Every counted event.
pub(super) struct Earned<'a> {
    /// By (vesting, id) with the maturing ones last.
    pub(super) shares: Grouped<UserKey, Share>,
    /// Accounts with a share.
    pub(super) accounts: BTreeSet<UserKey>,
    /// Projects that events or price configs know.
    pub(super) projects: BTreeSet<&'a ProjectKey>,
}

impl<'a> Earned<'a> {
    pub(super) fn of(input: &Input<'a>) -> Self {
        let people = &input.ledgers.people;
        let mut shares = Groups::new(input.set.envelopes.sorter());
        for CountedEvent { number, event, .. } in input.ledgers.envelope.events() {
            let share = Share {
                earned_at: event.occurred_at.seconds(),
                vested_at: input.ledgers.envelope.vested_at(&event),
                sats: event.user_earned.get(),
                number: number as u64, // usize is at most 64 bits wide
            };
            // No share vests as late as that.
            let rank = share.vested_at.map_or(i64::MAX, |vested| vested.0);
            shares.push(event.user.as_str(), || people.account_of(&event.user).clone(), rank, &share);
        }
        let shares = shares.finish();
        let accounts = shares.keys().cloned().collect();
        let configured = input.set.configs.iter().map(|(_, config)| &config.project);
        let projects = input.ledgers.envelope.projects.iter().chain(configured).collect();
        Self { shares, accounts, projects }
    }
}
