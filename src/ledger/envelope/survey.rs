//! One walk over all envelopes, and what each check has to look at. A ledger of millions is larger than any cache: walking it
//! for every check would cost more than the checks.

use std::collections::BTreeMap;

use crate::domain::{EnvelopeId, Finding, UserKey, WindowId};
use crate::evidence::{ActivityAttestation, BillableEvent, DropManifest, OcMeBody};
use crate::ledger::scope::Scope;

use super::fee_check::Prices;
use super::identity;
use super::roll::EnvelopeEntry;

/// A counted billable event and its entry.
pub(super) type Billed<'l> = (&'l EnvelopeEntry, &'l BillableEvent);
/// Events of one account, in order of id.
pub(super) type ByAccount<'l> = BTreeMap<&'l UserKey, Vec<&'l BillableEvent>>;

/// What counts, sorted by who asks for it; each list in order of id.
#[derive(Default)]
pub(super) struct Survey<'l> {
    /// Events by account: all names of one person.
    pub(super) by_account: ByAccount<'l>,
    /// Events by drop window.
    pub(super) members: BTreeMap<&'l WindowId, Vec<Billed<'l>>>,
    /// Events with an idempotency key, by a hash of who claims it.
    pub(super) claims: Vec<(u64, Billed<'l>)>,
    /// Drop manifests.
    pub(super) manifests: Vec<(&'l EnvelopeEntry, &'l DropManifest)>,
    /// Activity attestations.
    pub(super) activities: Vec<(&'l EnvelopeEntry, &'l ActivityAttestation)>,
    /// Events with a custom key whose class no config valid at their time states.
    pub(super) unclassed: usize,
}

impl<'l> Survey<'l> {
    /// Walks the counted entries; each event's fees are checked on the way.
    pub(super) fn of(
        scope: Scope<'l>,
        entries: &'l BTreeMap<EnvelopeId, EnvelopeEntry>,
        findings: &mut Vec<Finding>,
    ) -> Self {
        let prices = Prices::of(scope);
        let mut survey = Self::default();
        for entry in entries.values().filter(|entry| entry.counts()) {
            match &*entry.body {
                OcMeBody::Event(event) => {
                    survey.unclassed += usize::from(prices.check(entry, event, findings));
                    survey.add((entry, event), scope);
                }
                OcMeBody::Drop(manifest) => survey.manifests.push((entry, manifest)),
                OcMeBody::Activity(activity) => survey.activities.push((entry, activity)),
                OcMeBody::Payment(_)
                | OcMeBody::Rebind(_)
                | OcMeBody::Trust
                | OcMeBody::PayoutBinding(_)
                | OcMeBody::Distribution(_) => {}
            }
        }
        survey
    }

    fn add(&mut self, billed: Billed<'l>, scope: Scope<'l>) {
        let (_, event) = billed;
        self.by_account.entry(scope.people.account_of(&event.user)).or_default().push(event);
        if let Some(drop) = &event.drop {
            self.members.entry(&drop.window).or_default().push(billed);
        }
        if let Some(hash) = identity::hash_of_claim(event) {
            self.claims.push((hash, billed));
        }
    }

    /// Members of a window; none when only its manifest is held.
    pub(super) fn members_of(&self, window: &WindowId) -> &[Billed<'l>] {
        self.members.get(window).map(Vec::as_slice).unwrap_or_default()
    }
}
