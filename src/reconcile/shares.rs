//! Parts of what users earned that only some statements state: by class, and in the last seven days (FORMATS 10).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{UnixMicros, UserKey};
use crate::evidence::EventClass;
use crate::ledger::CountedEvent;

use super::listed::Lines;
use super::reconciler::Input;

/// Seconds of seven days.
const WEEK: i64 = 7 * 86_400;

/// What one user earned, in satoshi.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Share {
    /// By class A, B, C.
    pub(super) by_class: [i128; 3],
    /// After seven days before the as-of.
    pub(super) last_7d: i128,
}

/// The shares of users for whom a statement states any; nothing is gathered for others.
#[derive(Debug, Default)]
pub(super) struct Shares(BTreeMap<UserKey, Share>);

impl Shares {
    pub(super) fn of(input: &Input<'_>, lines: &Lines<'_>) -> Self {
        let people = &input.ledgers.people;
        let states = lines.iter().filter(|line| line.last_7d.or(line.by_class.into_iter().flatten().next()).is_some());
        let wanted: BTreeSet<&UserKey> = states.map(|line| people.account_of(&line.user)).collect();
        let mut shares: BTreeMap<UserKey, Share> = BTreeMap::new();
        if wanted.is_empty() {
            return Self(shares);
        }
        let begin = UnixMicros::from(input.as_of.time.plus(-WEEK));
        for CountedEvent { event, .. } in input.ledgers.envelope.events() {
            if !wanted.contains(people.account_of(&event.user)) {
                continue;
            }
            let share = shares.entry(event.user).or_default();
            let sats = i128::from(event.user_earned.get());
            let [a, b, c] = &mut share.by_class;
            *match event.class {
                EventClass::A => a,
                EventClass::B => b,
                EventClass::C => c,
            } += sats;
            if event.occurred_at > begin {
                share.last_7d += sats;
            }
        }
        Self(shares)
    }

    /// What that user earned.
    pub(super) fn get(&self, user: &UserKey) -> Share {
        self.0.get(user).copied().unwrap_or_default()
    }

    /// The same under the names that answer for others.
    pub(super) fn under(&self, answers: impl Fn(&UserKey) -> UserKey) -> Self {
        let mut joined: BTreeMap<UserKey, Share> = BTreeMap::new();
        for (user, share) in &self.0 {
            let sum = joined.entry(answers(user)).or_default();
            sum.by_class.iter_mut().zip(share.by_class).for_each(|(sum, sats)| *sum += sats);
            sum.last_7d += share.last_7d;
        }
        Self(joined)
    }
}
