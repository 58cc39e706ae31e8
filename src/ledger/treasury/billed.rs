//! Entries of the envelope ledger: what was billed, and what of it vests (TREASURY 5.2).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::domain::{
    AmountError, Digest32, EnvelopeId, EvidenceId, MsatDelta, Names, ProjectKey, UnixMicros, UnixSeconds, UserKey,
    WindowId, packed_struct,
};
use crate::evidence::BillableEvent;
use crate::ledger::envelope::{CountedEvent, EnvelopeLedger};
use crate::ledger::scope::Scope;
use crate::scratch::{Sorter, Table, by_time};

use super::entry::{EntryKey, Fact, Tier};
use super::journal::{Cause, Parts, Place, Step};
use super::postings;

/// What one user vests in one window.
#[derive(Debug)]
struct Vesting {
    window: WindowId,
    user: UserKey,
    share: Result<MsatDelta, AmountError>,
    /// Places in [`Billed::members`].
    members: Range<usize>,
}

/// A member of a window while it is gathered: the account, what carries the event, and the user's part.
type Part = (UserKey, EvidenceId, MsatDelta);

/// What the journal has to know of a billed event.
#[derive(Debug)]
pub(super) struct BilledEvent {
    at: UnixMicros,
    id: EnvelopeId,
    carrier: EvidenceId,
    project: ProjectKey,
    /// The account.
    user: UserKey,
    /// The window in which the user's part matures.
    window: Option<WindowId>,
    parts: Parts,
}

packed_struct!(BilledEvent { at, id, carrier, project, user, window, parts });

impl BilledEvent {
    pub(super) fn at(&self) -> UnixMicros {
        self.at
    }
}

/// Every counted billable event, and what vests of it.
#[derive(Debug)]
pub(super) struct Billed {
    /// In order of time, and of id where times are equal.
    events: Table<Digest32, BilledEvent>,
    /// In order of window and user.
    vestings: Vec<Vesting>,
    /// What carries the members, vesting by vesting.
    members: Vec<EvidenceId>,
}

impl Billed {
    /// Ranks on ties of time: billing after what comes in, vesting after billing.
    pub(super) const EVENT: u8 = 1;
    pub(super) const VESTING: u8 = 2;

    pub(super) fn gather(scope: Scope<'_>, envelopes: &EnvelopeLedger, places: &mut Vec<Place>) -> Self {
        let by_domain = projects_by_domain(scope);
        let mut events: Sorter<Digest32, BilledEvent> = scope.set.envelopes.sorter();
        let mut shares: BTreeMap<WindowId, Vec<Part>> = BTreeMap::new();
        let mut names = Names::default();
        for CountedEvent { id, carrier, number, event } in envelopes.events() {
            let account = scope.people.account_of(&event.user);
            let maturing = maturing(envelopes, &event);
            if let Some((window, Some(_))) = maturing {
                let part = (names.shared(account.as_str()), carrier, event.user_earned.msat().delta());
                match shares.get_mut(window) {
                    Some(parts) => parts.push(part),
                    None => drop(shares.insert(window.clone(), vec![part])),
                }
            }
            let billed = BilledEvent {
                at: event.occurred_at,
                id,
                carrier,
                project: payer(&event, &by_domain),
                user: account.clone(),
                window: maturing.map(|(window, _)| window.clone()),
                parts: Parts::of(&event),
            };
            events.push(&by_time(event.occurred_at, &(number as u64).to_be_bytes()), &billed);
        }
        let mut billed = Self { events: events.finish(|_, _| ()), vestings: Vec::new(), members: Vec::new() };
        for (window, shares) in shares {
            if let Some(at) = envelopes.windows.get(&window).and_then(|window| window.vested_at) {
                billed.vest(&window, at, shares, places);
            }
        }
        billed
    }

    /// What vests with a window, user by user.
    fn vest(&mut self, window: &WindowId, at: UnixSeconds, mut shares: Vec<Part>, places: &mut Vec<Place>) {
        shares.sort_unstable();
        for own in shares.chunk_by(|(one, ..), (other, ..)| one == other) {
            let Some((user, ..)) = own.first() else { continue };
            let begin = self.members.len();
            self.members.extend(own.iter().map(|(_, carrier, _)| *carrier));
            places.push(Place::new(UnixMicros::from(at), Self::VESTING, self.vestings.len()));
            let share = own.iter().try_fold(MsatDelta::ZERO, |share, (.., part)| share.checked_add(*part));
            let (window, members) = (window.clone(), begin..self.members.len());
            self.vestings.push(Vesting { window, user: user.clone(), share, members });
        }
    }

    /// In order of time, and of id where times are equal.
    pub(super) fn events(&self) -> impl Iterator<Item = BilledEvent> + use<> {
        self.events.values()
    }

    pub(super) fn event(billed: &BilledEvent) -> Step {
        let BilledEvent { at, id, carrier, project, user, window, parts } = billed;
        let key = EntryKey { at: *at, rank: Self::EVENT, fact: Fact::Envelope(*id) };
        let made = postings::of_event(*parts, user, project, window.as_ref());
        Step::new(key, "envelope", made, (vec![*carrier], Tier::T1), Cause::Event(*parts))
    }

    pub(super) fn vesting(&self, place: Place) -> Option<Step> {
        let Vesting { window, user, share, members } = self.vestings.get(place.number())?;
        let key = EntryKey { at: place.at, rank: place.rank, fact: Fact::Vesting(window.clone(), user.clone()) };
        let made = share.and_then(|share| postings::of_vesting(user, window, share));
        let evidence = self.members.get(members.clone())?.to_vec();
        Some(Step::new(key, "vesting", made, (evidence, Tier::T1), Cause::Vesting))
    }
}

/// The window in which an event's share matures, and when that closes. A member that comes after its window has vested is
/// payable at once.
fn maturing<'e>(envelopes: &EnvelopeLedger, event: &'e BillableEvent) -> Option<(&'e WindowId, Option<UnixMicros>)> {
    let window = &event.drop.as_ref()?.window;
    let closed = envelopes.windows.get(window).and_then(|window| window.vested_at).map(UnixMicros::from);
    closed.is_none_or(|at| event.occurred_at < at).then_some((window, closed))
}

/// The project that pays for an event: the one it names, else the only one with its site's domain, else the site itself.
fn payer(event: &BillableEvent, by_domain: &BTreeMap<String, BTreeSet<&ProjectKey>>) -> ProjectKey {
    if let Some(project) = &event.project {
        return project.clone();
    }
    let site = event.site.as_str().trim_end_matches('.').to_ascii_lowercase();
    match by_domain.get(&site) {
        Some(projects) if projects.len() == 1 => projects.first().map_or_else(|| site_account(&site), |p| (*p).clone()),
        _ => site_account(&site),
    }
}

fn site_account(site: &str) -> ProjectKey {
    ProjectKey::from(format!("site:{site}"))
}

fn projects_by_domain(scope: Scope<'_>) -> BTreeMap<String, BTreeSet<&ProjectKey>> {
    let mut by_domain: BTreeMap<String, BTreeSet<&ProjectKey>> = BTreeMap::new();
    for (_, config) in &scope.set.configs {
        let domain = config.domain.trim_end_matches('.').to_ascii_lowercase();
        by_domain.entry(domain).or_default().insert(&config.project);
    }
    by_domain
}
