//! What the operator says about users: activity attestations (FORMATS 3.8) and reported balances (FORMATS 10).

use std::collections::{BTreeMap, BTreeSet};

use super::billing::Billed;
use super::cast::User;
use super::envelope::{Artifact, Envelope, Mint};
use super::json::Object;
use super::time::{DAY, MONTHS, Millis, iso_millis};
use super::treasury::Treasury;

/// What a user did until the statement.
#[derive(Default)]
struct Deeds {
    events: usize,
    by_humans: usize,
    sats: u64,
    projects: BTreeSet<usize>,
    days: BTreeSet<i64>,
    oldest: Option<Millis>,
}

/// Activity attestations of every second `did:oc:` user, as of the middle of September, valid until October.
pub(super) fn activity(users: &[User], billed: &[Billed], mint: &Mint) -> Vec<Envelope> {
    let [.., september, _] = MONTHS;
    let at = september + 14 * DAY;
    // A person under two names has no statement: which of the events it counts is not published.
    let subjects = users.iter().enumerate().filter(|(_, user)| user.is_did && user.other.is_none()).step_by(2);
    let mut deeds: BTreeMap<usize, Deeds> = subjects.map(|(index, _)| (index, Deeds::default())).collect();
    for event in billed.iter().filter(|event| event.at() <= at) {
        let Some(deeds) = deeds.get_mut(&event.user()) else { continue };
        deeds.events += 1;
        deeds.by_humans += usize::from(!event.is_agent());
        deeds.sats += event.split().user;
        deeds.projects.insert(event.project());
        deeds.days.insert(event.at().div_euclid(DAY));
        deeds.oldest = Some(deeds.oldest.map_or(event.at(), |oldest| oldest.min(event.at())));
    }
    deeds.into_iter().filter_map(|(index, deeds)| Some(attest(users.get(index)?, &deeds, at, mint))).collect()
}

fn attest(user: &User, deeds: &Deeds, at: Millis, mint: &Mint) -> Envelope {
    let oldest = deeds.oldest.map(iso_millis);
    let members = Object::new()
        .text("did_oc", &user.key)
        .plain("event_count", deeds.events)
        .plain("human_event_count", deeds.by_humans)
        .plain("lifetime_sats", deeds.sats)
        .plain("distinct_integrator_count", deeds.projects.len())
        .text_or_null("oldest_event_at", oldest.as_deref())
        .plain("active_days", deeds.days.len())
        .text("computed_at", iso_millis(at))
        .text("expires_at", iso_millis(at + 30 * DAY));
    mint.sign(Artifact::Activity, 1, at, &members)
}

/// One line per user with events: everything earned, maturing shares included, less what was paid, and corrections.
pub(super) fn balances(users: &[User], billed: &[Billed], treasury: &Treasury) -> Vec<String> {
    let mut earned: BTreeMap<usize, u64> = BTreeMap::new();
    for event in billed {
        *earned.entry(event.user()).or_default() += event.split().user;
    }
    earned
        .into_iter()
        .filter_map(|(user, earned)| {
            let of = |amounts: &BTreeMap<usize, u64>| amounts.get(&user).copied().unwrap_or(0);
            let balance = earned + of(&treasury.adjusted) - of(&treasury.paid);
            Some(Object::new().text("user", &users.get(user)?.key).plain("balance_sats", balance).compact())
        })
        .collect()
}
