//! What each check of the ledger has to look at, noted while the envelopes are walked once. A ledger of millions is larger than
//! any cache: walking it for every check would cost more than the checks.

use std::collections::BTreeMap;

use crate::domain::{Finding, WindowId};
use crate::evidence::{ActivityAttestation, BillableEvent, DropManifest, OcMeBody};
use crate::ledger::groups::Groups;
use crate::ledger::scope::Scope;
use crate::verify::{SignedEnvelope, Verified};

use super::accounts::{Accounts, ByAccount};
use super::fee_check::Prices;
use super::identity;

/// An envelope that counts.
pub(super) type Signed<'l> = &'l Verified<SignedEnvelope>;
/// A counted billable event and its envelope.
pub(super) type Billed<'l> = (Signed<'l>, &'l BillableEvent);

/// What counts, sorted by who asks for it; each list in order of id.
#[derive(Default)]
pub(super) struct Survey<'l> {
    /// Events by account.
    pub(super) by_account: ByAccount<'l>,
    /// Events by drop window.
    pub(super) members: BTreeMap<&'l WindowId, Vec<Billed<'l>>>,
    /// Events with an idempotency key, by a hash of who claims it.
    pub(super) claims: Vec<(u64, Billed<'l>)>,
    /// Drop manifests.
    pub(super) manifests: Vec<(Signed<'l>, &'l DropManifest)>,
    /// Activity attestations.
    pub(super) activities: Vec<(Signed<'l>, &'l ActivityAttestation)>,
    /// Events with a custom key whose class no config valid at their time states.
    pub(super) unclassed: usize,
}

impl<'l> Survey<'l> {
    /// Members of a window; none when only its manifest is held.
    pub(super) fn members_of(&self, window: &WindowId) -> &[Billed<'l>] {
        self.members.get(window).map(Vec::as_slice).unwrap_or_default()
    }
}

/// A survey under way.
pub(super) struct Surveyor<'l> {
    prices: Prices<'l>,
    accounts: Accounts<'l>,
    members: Groups<'l, WindowId, Billed<'l>>,
    survey: Survey<'l>,
}

impl<'l> Surveyor<'l> {
    pub(super) fn new(scope: Scope<'l>) -> Self {
        Self {
            prices: Prices::of(scope),
            accounts: Accounts::new(scope.people),
            members: Groups::default(),
            survey: Survey::default(),
        }
    }

    /// Notes an envelope that counts; an event's fees are checked on the way. To be called in order of id.
    pub(super) fn note(&mut self, signed: Signed<'l>, findings: &mut Vec<Finding>) {
        match &*signed.fact().body {
            OcMeBody::Event(event) => {
                self.survey.unclassed += usize::from(self.prices.check(signed, event, findings));
                self.note_event(signed, event);
            }
            OcMeBody::Drop(manifest) => self.survey.manifests.push((signed, manifest)),
            OcMeBody::Activity(activity) => self.survey.activities.push((signed, activity)),
            OcMeBody::Payment(_)
            | OcMeBody::Rebind(_)
            | OcMeBody::Trust
            | OcMeBody::PayoutBinding(_)
            | OcMeBody::Distribution(_) => {}
        }
    }

    fn note_event(&mut self, signed: Signed<'l>, event: &'l BillableEvent) {
        self.accounts.add(event);
        if let Some(drop) = &event.drop {
            self.members.push(drop.window.as_str(), || &drop.window, (signed, event));
        }
        if let Some(hash) = identity::hash_of_claim(event) {
            self.survey.claims.push((hash, (signed, event)));
        }
    }

    pub(super) fn finish(self) -> Survey<'l> {
        Survey { by_account: self.accounts.into_lists(), members: self.members.into_lists(), ..self.survey }
    }
}
