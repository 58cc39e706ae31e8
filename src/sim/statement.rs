//! What the operator says about users: activity attestations (FORMATS 3.8) and reported balances (FORMATS 10).

use std::collections::{BTreeMap, BTreeSet};

use super::cast::User;
use super::envelope::{Artifact, Envelope, Mint};
use super::history::Billed;
use super::json::Object;
use super::time::{DAY, MONTHS, Millis, iso_millis};
use super::treasury::Treasury;

/// Activity attestations of every second `did:oc:` user, as of the middle of September, valid until October.
pub(super) fn activity(users: &[User], billed: &[Billed], mint: &Mint) -> Vec<Envelope> {
    let [.., september, _] = MONTHS;
    let at = september + 14 * DAY;
    // A person under two names has no statement: which of the events it counts is not published.
    let subjects = users.iter().enumerate().filter(|(_, user)| user.is_did && user.other.is_none()).step_by(2);
    subjects.map(|(index, user)| attest(index, user, billed, at, mint)).collect()
}

fn attest(index: usize, user: &User, billed: &[Billed], at: Millis, mint: &Mint) -> Envelope {
    let mine: Vec<&Billed> = billed.iter().filter(|event| event.user == index && event.at <= at).collect();
    let projects: BTreeSet<usize> = mine.iter().map(|event| event.project).collect();
    let days: BTreeSet<i64> = mine.iter().map(|event| event.at.div_euclid(DAY)).collect();
    let oldest = mine.iter().map(|event| event.at).min().map(iso_millis);
    let members = Object::new()
        .text("did_oc", &user.key)
        .plain("event_count", mine.len())
        .plain("human_event_count", mine.iter().filter(|event| !event.is_agent).count())
        .plain("lifetime_sats", mine.iter().map(|event| event.split.user).sum::<u64>())
        .plain("distinct_integrator_count", projects.len())
        .text_or_null("oldest_event_at", oldest.as_deref())
        .plain("active_days", days.len())
        .text("computed_at", iso_millis(at))
        .text("expires_at", iso_millis(at + 30 * DAY));
    mint.sign(Artifact::Activity, 1, at, &members)
}

/// One line per user with events: everything earned, maturing shares included, less what was paid, and corrections.
pub(super) fn balances(users: &[User], billed: &[Billed], treasury: &Treasury) -> Vec<String> {
    let mut earned: BTreeMap<usize, u64> = BTreeMap::new();
    for event in billed {
        *earned.entry(event.user).or_default() += event.split.user;
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
