//! Entries of the envelope ledger: what was billed, and what of it vests (TREASURY 5.2).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::domain::{AmountError, MsatDelta, ProjectKey, UnixMicros, UserKey, WindowId};
use crate::evidence::BillableEvent;
use crate::ledger::envelope::{CountedEvent, EnvelopeLedger};
use crate::ledger::groups::Names;
use crate::ledger::people::People;
use crate::ledger::scope::Scope;

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

/// A member of a window while it is gathered: the event's number, and the user's part.
type Part = (UserKey, u32, MsatDelta);

/// Every counted billable event, and what vests of it.
#[derive(Debug)]
pub(super) struct Billed<'a> {
    people: &'a People,
    envelopes: &'a EnvelopeLedger,
    by_domain: BTreeMap<String, BTreeSet<&'a ProjectKey>>,
    /// In order of window and user.
    vestings: Vec<Vesting>,
    /// Numbers of events, vesting by vesting.
    members: Vec<u32>,
}

impl<'a> Billed<'a> {
    /// Ranks on ties of time: billing after what comes in, vesting after billing.
    pub(super) const EVENT: u8 = 1;
    pub(super) const VESTING: u8 = 2;

    pub(super) fn gather(scope: Scope<'a>, envelopes: &'a EnvelopeLedger, places: &mut Vec<Place>) -> Self {
        let mut billed = Self {
            people: scope.people,
            envelopes,
            by_domain: projects_by_domain(scope),
            vestings: Vec::new(),
            members: Vec::new(),
        };
        let mut names = Names::default();
        let mut shares: BTreeMap<WindowId, Vec<Part>> = BTreeMap::new();
        places.reserve(envelopes.len());
        for counted in envelopes.events() {
            let event = &counted.event;
            let place = Place::new(event.occurred_at, Self::EVENT, counted.number);
            places.push(place);
            if let Some((window, Some(_))) = billed.maturing(event) {
                let account = names.shared(billed.people.account_of(&event.user).as_str());
                let part = (account, place.number, event.user_earned.msat().delta());
                match shares.get_mut(window) {
                    Some(parts) => parts.push(part),
                    None => drop(shares.insert(window.clone(), vec![part])),
                }
            }
        }
        for (window, mut shares) in shares {
            let Some(at) = envelopes.windows.get(&window).and_then(|window| window.vested_at) else { continue };
            shares.sort_unstable();
            for own in shares.chunk_by(|(one, ..), (other, ..)| one == other) {
                let Some((user, ..)) = own.first() else { continue };
                let begin = billed.members.len();
                billed.members.extend(own.iter().map(|(_, number, _)| *number));
                places.push(Place::new(UnixMicros::from(at), Self::VESTING, billed.vestings.len()));
                let share = own.iter().try_fold(MsatDelta::ZERO, |share, (.., part)| share.checked_add(*part));
                let (window, members) = (window.clone(), begin..billed.members.len());
                billed.vestings.push(Vesting { window, user: user.clone(), share, members });
            }
        }
        billed
    }

    /// The window in which an event's share matures, and when that closes. A member that comes after its window has vested is
    /// payable at once.
    fn maturing<'e>(&self, event: &'e BillableEvent) -> Option<(&'e WindowId, Option<UnixMicros>)> {
        let window = &event.drop.as_ref()?.window;
        let closed = self.envelopes.windows.get(window).and_then(|window| window.vested_at).map(UnixMicros::from);
        closed.is_none_or(|at| event.occurred_at < at).then_some((window, closed))
    }

    pub(super) fn event(&self, place: Place) -> Option<Step<'a>> {
        let CountedEvent { id, carrier, event, .. } = self.envelopes.counted(place.number())?;
        let (project, user) = (payer(&event, &self.by_domain), self.people.account_of(&event.user));
        let key = EntryKey { at: place.at, rank: place.rank, fact: Fact::Envelope(id) };
        let made = postings::of_event(&event, user, &project, self.maturing(&event).map(|(window, _)| window));
        Some(Step::new(key, "envelope", made, (vec![carrier], Tier::T1), Cause::Event(Parts::of(&event))))
    }

    pub(super) fn vesting(&self, place: Place) -> Option<Step<'a>> {
        let Vesting { window, user, share, members } = self.vestings.get(place.number())?;
        let numbers = self.members.get(members.clone())?.iter().filter_map(|number| usize::try_from(*number).ok());
        let key = EntryKey { at: place.at, rank: place.rank, fact: Fact::Vesting(window.clone(), user.clone()) };
        let made = share.and_then(|share| postings::of_vesting(user, window, share));
        let evidence = numbers.filter_map(|number| Some(self.envelopes.counted(number)?.carrier)).collect();
        Some(Step::new(key, "vesting", made, (evidence, Tier::T1), Cause::Vesting))
    }
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
