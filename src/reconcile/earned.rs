//! Who earned by which events, account by account: what payouts, reasons and projects are looked up in.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{ProjectKey, UnixSeconds, UserKey};
use crate::ledger::{EnvelopeEntry, Groups};

use super::reconciler::Input;

/// One counted event's share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share<'a> {
    pub(super) earned_at: UnixSeconds,
    /// `None` while it matures.
    pub(super) vested_at: Option<UnixSeconds>,
    pub(super) sats: u64,
    pub(super) entry: &'a EnvelopeEntry,
}

/// Every counted event.
pub(super) struct Earned<'a> {
    /// By (vesting, id) with the maturing ones last.
    pub(super) by_account: BTreeMap<&'a UserKey, Vec<Share<'a>>>,
    /// Projects that events or price configs know.
    pub(super) projects: BTreeSet<&'a ProjectKey>,
}

impl<'a> Earned<'a> {
    pub(super) fn of(input: &Input<'a>) -> Self {
        let people = &input.ledgers.people;
        let (mut shares, mut projects) = (Groups::default(), Groups::default());
        for (entry, event) in input.ledgers.envelope.events() {
            let share = Share {
                earned_at: event.occurred_at.seconds(),
                vested_at: input.ledgers.envelope.vested_at(event),
                sats: event.user_earned.get(),
                entry,
            };
            shares.push(event.user.as_str(), || people.account_of(&event.user), share);
            if let Some(project) = &event.project {
                projects.push(project.as_str(), || project, ());
            }
        }
        let mut by_account = shares.into_lists();
        for shares in by_account.values_mut() {
            shares.sort_unstable_by_key(|share| (share.vested_at.is_none(), share.vested_at, share.entry.id));
        }
        let billed = projects.into_lists().into_keys();
        let projects = billed.chain(input.set.configs.iter().map(|(_, config)| &config.project)).collect();
        Self { by_account, projects }
    }
}
