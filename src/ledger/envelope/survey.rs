//! What each check of the ledger has to look at, noted while the envelopes are walked once.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{BlockHeight, EnvelopeId, EvidenceId, Finding, Names, Subtype, UnixMicros, UserKey, WindowId};
use crate::evidence::{ActivityAttestation, BillableEvent, DropManifest, OcMeBody};
use crate::ledger::groups::Groups;
use crate::ledger::scope::Scope;
use crate::verify::{SignedEnvelope, Verified};

use super::accounts::{Accounts, ByAccount};
use super::fee_check::Prices;
use super::identity::{self, Claims};

/// An envelope that counts: what findings say of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Signed {
    pub(super) id: EnvelopeId,
    pub(super) carrier: EvidenceId,
}

impl Signed {
    pub(super) fn of(verified: &Verified<SignedEnvelope>) -> Self {
        Self { id: verified.fact().id, carrier: verified.first_carrier() }
    }
}

/// A counted event of a drop window.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) signed: Signed,
    pub(super) at: UnixMicros,
    pub(super) user: UserKey,
    /// The project, or the site of an event without one.
    pub(super) owner: Arc<str>,
    pub(super) subtype: Subtype,
    /// In satoshi.
    pub(super) gross: u64,
    /// The user's part, in satoshi.
    pub(super) earned: u64,
    /// The height at which it says that the window vests.
    pub(super) target: Option<BlockHeight>,
}

/// What counts, sorted by who asks for it; each list in order of id.
pub(super) struct Survey {
    /// Events by account.
    pub(super) by_account: ByAccount,
    /// Events by drop window.
    pub(super) members: BTreeMap<WindowId, Vec<Member>>,
    /// Drop manifests.
    pub(super) manifests: Vec<(Signed, DropManifest)>,
    /// Activity attestations.
    pub(super) activities: Vec<(Signed, ActivityAttestation)>,
    /// Events with a custom key whose class no config valid at their time states.
    pub(super) unclassed: usize,
    /// Events with an idempotency key.
    pub(super) keyed: usize,
    /// The platform's parts, in satoshi.
    pub(super) platform: u128,
}

impl Survey {
    /// Members of a window; none when only its manifest is held.
    pub(super) fn members_of(&self, window: &WindowId) -> &[Member] {
        self.members.get(window).map(Vec::as_slice).unwrap_or_default()
    }
}

/// A survey under way.
pub(super) struct Surveyor<'l> {
    prices: Prices<'l>,
    accounts: Accounts<'l>,
    names: Names,
    members: Groups<WindowId, Member>,
    claims: Claims,
    manifests: Vec<(Signed, DropManifest)>,
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
            members: Groups::default(),
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
        match &*verified.fact().body {
            OcMeBody::Event(event) => {
                self.unclassed += usize::from(self.prices.check(signed, event, findings));
                self.note_event(signed, event);
            }
            OcMeBody::Drop(manifest) => self.manifests.push((signed, manifest.clone())),
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
            let names = &mut self.names;
            let member = Member {
                signed,
                at: event.occurred_at,
                user: names.shared(event.user.as_str()),
                owner: names.shared(event.project.as_ref().map_or(event.site.as_str(), |project| project.as_str())),
                subtype: names.shared(event.subtype.as_str()),
                gross: event.gross.get(),
                earned: event.user_earned.get(),
                target: drop.close_height_target,
            };
            self.members.push(drop.window.as_str(), || drop.window.clone(), member);
        }
        self.platform += u128::from(event.platform.get());
        self.keyed += usize::from(event.idempotency_key.is_some());
        identity::note(signed, event, &mut self.claims);
    }

    /// What was noted, and who claims which idempotency key.
    pub(super) fn finish(self) -> (Survey, Claims) {
        let survey = Survey {
            by_account: self.accounts.finish(),
            members: self.members.into_lists(),
            manifests: self.manifests,
            activities: self.activities,
            unclassed: self.unclassed,
            keyed: self.keyed,
            platform: self.platform,
        };
        (survey, self.claims)
    }
}
