//! Who earned by which events, account by account: what payouts, reasons and projects are looked up in.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{EvidenceId, ProjectKey, UnixSeconds, UserKey};
use crate::ledger::{CountedEvent, Groups};

use super::reconciler::Input;

/// One counted event's share. There are millions of these.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub(super) earned_at: UnixSeconds,
    /// `None` while it matures.
    pub(super) vested_at: Option<UnixSeconds>,
    pub(super) sats: u64,
    /// [`CountedEvent::number`]: in order of id.
    number: u32,
}

impl Share {
    /// What carries the event.
    pub(super) fn carrier(&self, input: &Input<'_>) -> Option<EvidenceId> {
        Some(input.ledgers.envelope.counted(usize::try_from(self.number).ok()?)?.carrier)
    }
}

/// Every counted event.
pub(super) struct Earned<'a> {
    /// By (vesting, id) with the maturing ones last.
    pub(super) by_account: BTreeMap<UserKey, Vec<Share>>,
    /// Projects that events or price configs know.
    pub(super) projects: BTreeSet<&'a ProjectKey>,
}

impl<'a> Earned<'a> {
    pub(super) fn of(input: &Input<'a>) -> Self {
        let people = &input.ledgers.people;
        let mut shares = Groups::default();
        for CountedEvent { number, event, .. } in input.ledgers.envelope.events() {
            let share = Share {
                earned_at: event.occurred_at.seconds(),
                vested_at: input.ledgers.envelope.vested_at(&event),
                sats: event.user_earned.get(),
                // More events than 32 bits count don't fit into memory.
                number: u32::try_from(number).unwrap_or(u32::MAX),
            };
            shares.push(event.user.as_str(), || people.account_of(&event.user).clone(), share);
        }
        let mut by_account = shares.into_lists();
        for shares in by_account.values_mut() {
            shares.sort_unstable_by_key(|share| (share.vested_at.is_none(), share.vested_at, share.number));
        }
        let configured = input.set.configs.iter().map(|(_, config)| &config.project);
        let projects = input.ledgers.envelope.projects.iter().chain(configured).collect();
        Self { by_account, projects }
    }
}
