//! How the servers of one world behave: what is due at a request, and what of it reached the wire.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::misbehave::{Behaviour, Misbehaviour, Role, Schedule};

/// The path under which redirected requests arrive.
pub(super) const REDIRECTED: &str = "/redirected";

/// What was misbehaved how often, by role and misbehaviour.
pub type Exercised = BTreeMap<(String, Misbehaviour), u64>;

/// The behaviours of all servers and the counts that schedules go by.
#[derive(Debug, Default)]
pub(super) struct Conduct {
    behaviours: Vec<Behaviour>,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Requests so far; those that open a relay's connection apart from questions.
    requests: BTreeMap<(Role, bool), u64>,
    connections: BTreeMap<Role, u64>,
    exercised: Exercised,
    followed: u64,
}

/// What a server is to do wrong in one answer, in the order in which it was declared.
#[derive(Debug, Clone)]
pub(super) struct Due(pub(super) Vec<Behaviour>);

impl Due {
    pub(super) fn has(&self, misbehaviour: Misbehaviour) -> bool {
        self.0.iter().any(|behaviour| behaviour.misbehaviour == misbehaviour)
    }
}

impl Conduct {
    pub(super) fn new(behaviours: Vec<Behaviour>) -> Self {
        Self { behaviours, counts: Mutex::default() }
    }

    /// Counts a request and says what to do wrong in its answer.
    pub(super) fn due(&self, role: Role, opening: bool) -> Due {
        let number = {
            let mut counts = self.counts();
            let number = counts.requests.entry((role, opening)).or_default();
            *number = number.saturating_add(1);
            *number
        };
        let is_relay = matches!(role, Role::Relay(_));
        let now = |behaviour: &&Behaviour| {
            behaviour.role == role
                && behaviour.misbehaviour.applies_to(role)
                && (!is_relay || behaviour.misbehaviour.is_of_opening() == opening)
                && [Schedule::Every, Schedule::Nth(number)].contains(&behaviour.schedule)
        };
        Due(self.behaviours.iter().filter(now).cloned().collect())
    }

    /// The number of a new connection to that role, from 1.
    pub(super) fn connect(&self, role: Role) -> u64 {
        let mut counts = self.counts();
        let number = counts.connections.entry(role).or_default();
        *number = number.saturating_add(1);
        *number
    }

    /// Notes that an answer with these misbehaviours reached the wire.
    pub(super) fn reached(&self, due: &Due) {
        let mut counts = self.counts();
        for behaviour in &due.0 {
            let count = counts.exercised.entry((behaviour.role.to_string(), behaviour.misbehaviour)).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Notes a client that went where it was sent.
    pub(super) fn follow(&self) {
        let mut counts = self.counts();
        counts.followed = counts.followed.saturating_add(1);
    }

    pub(super) fn exercised(&self) -> Exercised {
        self.counts().exercised.clone()
    }

    pub(super) fn followed(&self) -> u64 {
        self.counts().followed
    }

    /// Counting never stops half-way: what a panicking thread left is whole.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_goes_by_the_requests_of_its_own_role() {
        let nth = Behaviour::new(Role::Relay(1), Misbehaviour::Delay, Schedule::Nth(2));
        let opening = Behaviour::new(Role::Relay(1), Misbehaviour::Redirect, Schedule::Every);
        let conduct = Conduct::new(vec![nth.clone(), opening.clone()]);
        assert!(conduct.due(Role::Relay(0), false).0.is_empty());
        assert!(conduct.due(Role::Relay(1), false).0.is_empty(), "its first question");
        assert_eq!(conduct.due(Role::Relay(1), true).0, [opening], "opening a connection is no question");
        assert_eq!(conduct.due(Role::Relay(1), false).0, [nth]);
        assert!(conduct.due(Role::Relay(1), false).0.is_empty());
    }

    #[test]
    fn what_reached_the_wire_is_counted_by_role_and_name() {
        let conduct = Conduct::new(vec![Behaviour::new(Role::Calendar, Misbehaviour::Auth, Schedule::Every)]);
        let due = conduct.due(Role::Calendar, false);
        assert!(conduct.exercised().is_empty());
        conduct.reached(&due);
        conduct.reached(&due);
        assert_eq!(conduct.exercised(), BTreeMap::from([(("calendar".to_owned(), Misbehaviour::Auth), 2)]));
    }
}
