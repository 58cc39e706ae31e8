//! What each check of the ledger has to look at, noted while the envelopes are walked once.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{EnvelopeId, EvidenceId, Finding, Names, WindowId, packed_struct};
use crate::evidence::{ActivityAttestation, BillableEvent, DropManifest, OcMeBody};
use crate::ledger::groups::{Grouped, Groups};
use crate::ledger::scope::Scope;
use crate::verify::{SignedEnvelope, Verified};

use super::accounts::{Accounts, ByAccount};
use super::drops::Window;
use super::fee_check::Prices;
use super::identity::{self, Claims};
use super::members::Member;

/// An envelope that counts: what findings say of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Signed {
    pub(super) id: EnvelopeId,
    pub(super) carrier: EvidenceId,
}

packed_struct!(Signed { id, carrier });

impl Signed {
    pub(super) fn of(verified: &Verified<SignedEnvelope>) -> Self {
        Self { id: verified.fact().id, carrier: verified.first_carrier() }
    }
}

/// What counts, sorted by who asks for it.
pub(super) struct Survey {
    /// Events by account.
    pub(super) by_account: ByAccount,
    /// Events by drop window, in order of time, and of id where times are equal.
    pub(super) members: Grouped<WindowId, Member>,
    /// What their members say of windows.
    pub(super) windows: BTreeMap<WindowId, Window>,
    /// What members have numbers for.
    pub(super) names: Names,
    /// Drop manifests in order of id. They may list their members, and are shared with the ledger.
    manifests: Vec<(Signed, Arc<OcMeBody>)>,
    /// Activity attestations in order of id.
    pub(super) activities: Vec<(Signed, ActivityAttestation)>,
    /// Events with a custom key whose class no config valid at their time states.
    pub(super) unclassed: usize,
    /// Events with an idempotency key.
    pub(super) keyed: usize,
    /// The platform's parts, in satoshi.
    pub(super) platform: u128,
}

impl Survey {
    /// Drop manifests in order of id.
    pub(super) fn manifests(&self) -> impl Iterator<Item = (Signed, &DropManifest)> {
        self.manifests.iter().filter_map(|(signed, body)| match &**body {
            OcMeBody::Drop(manifest) => Some((*signed, manifest)),
            _ => None,
        })
    }
}

/// A survey under way.
pub(super) struct Surveyor<'l> {
    prices: Prices<'l>,
    accounts: Accounts<'l>,
    names: Names,
    members: Groups<WindowId, Member>,
    windows: BTreeMap<WindowId, Window>,
    claims: Claims,
    manifests: Vec<(Signed, Arc<OcMeBody>)>,
    activities: Vec<(Signed, ActivityAttestation)>,
    unclassed: usize,
    keyed: usize,
    platform: u128,
}

impl<'l> Surveyor<'l> {
    pub(super) fn new(scope: Scope<'l>) -> Self {
        Self {
            prices: Prices::of(scope),
            accounts: Accounts::new(scope.people, scope.set.envelopes.sorter()),
            names: Names::default(),
            members: Groups::new(scope.set.envelopes.sorter()),
            windows: BTreeMap::new(),
            claims: scope.set.envelopes.sorter(),
            manifests: Vec::new(),
            activities: Vec::new(),
            unclassed: 0,
            keyed: 0,
            platform: 0,
        }
    }

    /// Notes an envelope that counts; an event's fees are checked on the way. To be called in order of id.
    pub(super) fn note(&mut self, verified: &Verified<SignedEnvelope>, findings: &mut Vec<Finding>) {
        let signed = Signed::of(verified);
        let body = &verified.fact().body;
        match &**body {
            OcMeBody::Event(event) => {
                self.unclassed += usize::from(self.prices.check(signed, event, findings));
                self.note_event(signed, event);
            }
            OcMeBody::Drop(_) => self.manifests.push((signed, Arc::clone(body))),
            OcMeBody::Activity(activity) => self.activities.push((signed, activity.clone())),
            OcMeBody::Payment(_)
            | OcMeBody::Rebind(_)
            | OcMeBody::Trust
            | OcMeBody::PayoutBinding(_)
            | OcMeBody::Distribution(_) => {}
        }
    }

    fn note_event(&mut self, signed: Signed, event: &BillableEvent) {
        self.accounts.add(event);
        if let Some(drop) = &event.drop {
            let (at, target) = (event.occurred_at, drop.close_height_target);
            let owner = event.project.as_ref().map_or(event.site.as_str(), |project| project.as_str());
            let member = Member {
                signed,
                at,
                user: self.names.number(event.user.as_str()),
                owner: self.names.number(owner),
                subtype: self.names.number(event.subtype.as_str()),
                gross: event.gross.get(),
                earned: event.user_earned.get(),
                target,
            };
            self.members.push(drop.window.as_str(), || drop.window.clone(), at.0, &member);
            match self.windows.get_mut(&drop.window) {
                Some(window) => window.note(at, target),
                None => self.windows.entry(drop.window.clone()).or_default().note(at, target),
            }
        }
        self.platform += u128::from(event.platform.get());
        self.keyed += usize::from(event.idempotency_key.is_some());
        identity::note(signed, event, &mut self.claims);
    }

    /// What was noted, and who claims which idempotency key.
    pub(super) fn finish(self) -> (Survey, Claims) {
        let survey = Survey {
            by_account: self.accounts.finish(),
            members: self.members.finish(),
            windows: self.windows,
            names: self.names,
            manifests: self.manifests,
            activities: self.activities,
            unclassed: self.unclassed,
            keyed: self.keyed,
            platform: self.platform,
        };
        (survey, self.claims)
    }
}
