//! Entries of the envelope ledger: what was billed, and what of it vests (TREASURY 5.2).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::domain::{
    AmountError, Digest32, EnvelopeId, EvidenceId, MsatDelta, Names, ProjectKey, UnixMicros, UserKey, WindowId,
    packed_struct,
};
use crate::evidence::BillableEvent;
use crate::ledger::envelope::{CountedEvent, EnvelopeLedger};
use crate::ledger::parts::in_parts;
use crate::ledger::scope::Scope;
use crate::scratch::{Sorter, Table, by_number, by_time};

use super::entry::{EntryKey, Fact, Tier};
use super::journal::{Cause, Parts, Step};
use super::postings;

/// What one user vests in one window.
#[derive(Debug)]
pub(super) struct Vesting {
    at: UnixMicros,
    window: WindowId,
    user: UserKey,
    share: Result<MsatDelta, AmountError>,
    /// Rows of [`Billed::members`].
    members: Range<usize>,
}

impl Vesting {
    pub(super) fn at(&self) -> UnixMicros {
        self.at
    }

    fn order(&self) -> (UnixMicros, &WindowId, &UserKey) {
        (self.at, &self.window, &self.user)
    }
}

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
    /// In order of time, window and user.
    vestings: Vec<Vesting>,
    /// What carries the members, those of one vesting after the other's.
    members: Table<Digest32, EvidenceId>,
}

/// Vestings while their members are met: there is one for each user in each window.
struct Vested {
    names: Names,
    /// When windows vest, by number of the name.
    windows: BTreeMap<u32, UnixMicros>,
    /// By numbers of the window and the account: what vests, and of how many members.
    shares: BTreeMap<(u32, u32), (Result<MsatDelta, AmountError>, usize)>,
    members: Sorter<Digest32, EvidenceId>,
    met: u64,
}

impl Vested {
    fn new(members: Sorter<Digest32, EvidenceId>) -> Self {
        Self { names: Names::default(), windows: BTreeMap::new(), shares: BTreeMap::new(), members, met: 0 }
    }

    fn add(
        &mut self,
        (window, at): (&WindowId, UnixMicros),
        account: &UserKey,
        (carrier, part): (EvidenceId, MsatDelta),
    ) {
        let of = (self.names.number(window.as_str()), self.names.number(account.as_str()));
        self.windows.insert(of.0, at);
        let (share, members) = self.shares.entry(of).or_insert((Ok(MsatDelta::ZERO), 0));
        *share = share.and_then(|share| share.checked_add(part));
        *members += 1;
        let mut then = [0; 12];
        then[..4].copy_from_slice(&of.1.to_be_bytes());
        then[4..].copy_from_slice(&self.met.to_be_bytes());
        self.members.push(&by_number(of.0, &then), &carrier);
        self.met += 1;
    }

    /// Vestings in order of time, window and user, and what carries their members.
    fn finish(self) -> (Vec<Vesting>, Table<Digest32, EvidenceId>) {
        // The rows are in the order of the numbers.
        let mut end = 0;
        let mut vestings: Vec<Vesting> = Vec::with_capacity(self.shares.len());
        for ((window, user), (share, members)) in self.shares {
            let at = self.windows.get(&window).copied().unwrap_or_default();
            let (window, user) = (self.names.copy(window), self.names.copy(user));
            vestings.push(Vesting { at, window, user, share, members: end..end + members });
            end += members;
        }
        vestings.sort_unstable_by(|one, other| one.order().cmp(&other.order()));
        (vestings, self.members.finish(|_, _| ()))
    }
}

impl Billed {
    /// Ranks on ties of time: billing after what comes in, vesting after billing.
    pub(super) const EVENT: u8 = 1;
    pub(super) const VESTING: u8 = 2;

    pub(super) fn gather(scope: Scope<'_>, envelopes: &EnvelopeLedger) -> Self {
        let by_domain = projects_by_domain(scope);
        let mut events: Sorter<Digest32, BilledEvent> = scope.set.envelopes.sorter();
        let mut vested = Vested::new(scope.set.envelopes.sorter());
        let mut bill = |CountedEvent { id, carrier, number, event }| {
            let account = scope.people.account_of(&event.user);
            let maturing = maturing(envelopes, &event);
            if let Some((window, Some(at))) = maturing {
                vested.add((window, at), account, (carrier, event.user_earned.msat().delta()));
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
        };
        in_parts(envelopes.events(), |part| part, |part| part.into_iter().for_each(&mut bill));
        let (vestings, members) = vested.finish();
        Self { events: events.finish(|_, _| ()), vestings, members }
    }

    /// In order of time, and of id where times are equal.
    pub(super) fn events(&self) -> impl Iterator<Item = BilledEvent> + use<> {
        self.events.values()
    }

    /// In order of time, and of window and user where times are equal.
    pub(super) fn vestings(&self) -> &[Vesting] {
        &self.vestings
    }

    pub(super) fn event(billed: &BilledEvent) -> Step {
        let BilledEvent { at, id, carrier, project, user, window, parts } = billed;
        let key = EntryKey { at: *at, rank: Self::EVENT, fact: Fact::Envelope(*id) };
        let made = postings::of_event(*parts, user, project, window.as_ref());
        Step::new(key, "envelope", made, (vec![*carrier], Tier::T1), Cause::Event(*parts))
    }

    pub(super) fn vesting(&self, vesting: &Vesting) -> Step {
        let Vesting { at, window, user, share, members } = vesting;
        let key = EntryKey { at: *at, rank: Self::VESTING, fact: Fact::Vesting(window.clone(), user.clone()) };
        let made = share.and_then(|share| postings::of_vesting(user, window, share));
        let evidence = self.members.part(members.clone()).map(|(_, carrier)| carrier).collect();
        Step::new(key, "vesting", made, (evidence, Tier::T1), Cause::Vesting)
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
