//! Entries of the envelope ledger: what was billed, and what of it vests (TREASURY 5.2).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{AmountError, EvidenceId, MsatDelta, ProjectKey, UnixMicros, UserKey, WindowId};
use crate::evidence::BillableEvent;
use crate::ledger::envelope::EnvelopeLedger;
use crate::ledger::scope::Scope;

use super::book::{EntryKey, Fact, Tier};
use super::journal::Journal;
use super::postings;

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

/// What one user vests in one window, and the carriers it rests on.
type Share = (Result<MsatDelta, AmountError>, Vec<EvidenceId>);

/// Every counted billable event, and what vests of it.
pub(super) fn gather(scope: Scope<'_>, envelopes: &EnvelopeLedger, journal: &mut Journal) {
    let by_domain = projects_by_domain(scope);
    let mut vesting: BTreeMap<(&WindowId, &UserKey), Share> = BTreeMap::new();
    for (entry, event) in envelopes.events() {
        let project = payer(event, &by_domain);
        let user = scope.people.account_of(&event.user);
        let window = event.drop.as_ref().map(|drop| &drop.window);
        let closed = window.and_then(|window| envelopes.windows.get(window)?.vested_at);
        // A member that comes after its window has vested is payable at once.
        let maturing = window.filter(|_| closed.is_none_or(|at| event.occurred_at < UnixMicros::from(at)));
        if let (Some(window), Some(_)) = (maturing, closed) {
            let (share, evidence) = vesting.entry((window, user)).or_insert_with(|| (Ok(MsatDelta::ZERO), Vec::new()));
            *share = share.and_then(|share| share.checked_add(event.user_earned.msat().delta()));
            evidence.push(entry.carrier);
        }
        let key = EntryKey { at: event.occurred_at, rank: 1, fact: Fact::Envelope(entry.id) };
        let made = postings::of_event(event, user, &project, maturing);
        journal.watch.split(event, &key);
        journal.flows.event(event);
        journal.add(key, "envelope", made, (vec![entry.carrier], Tier::T1));
    }
    for ((window, user), (share, evidence)) in vesting {
        let Some(at) = envelopes.windows.get(window).and_then(|window| window.vested_at) else { continue };
        let fact = Fact::Vesting(window.clone(), user.clone());
        let key = EntryKey { at: UnixMicros::from(at), rank: 2, fact };
        let made = share.and_then(|share| postings::of_vesting(user, window, share));
        journal.add(key, "vesting", made, (evidence, Tier::T1));
    }
}

fn projects_by_domain(scope: Scope<'_>) -> BTreeMap<String, BTreeSet<&ProjectKey>> {
    let mut by_domain: BTreeMap<String, BTreeSet<&ProjectKey>> = BTreeMap::new();
    for (_, config) in &scope.set.configs {
        let domain = config.domain.trim_end_matches('.').to_ascii_lowercase();
        by_domain.entry(domain).or_default().insert(&config.project);
    }
    by_domain
}
