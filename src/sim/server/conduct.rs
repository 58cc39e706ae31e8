//! Decides at each occasion whether a server misbehaves, and counts what reached the wire.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::behaviour::{Behaviour, BehaviourError, Schedule};
use super::misbehaviour::Misbehaviour;
use super::role::Role;
use crate::sim::rng::Rng;

/// One server: its role and its number within the role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seat {
    pub(super) role: Role,
    pub(super) index: usize,
}

/// The behaviours of all servers of a world.
#[derive(Debug)]
pub(super) struct Conduct {
    seed: u64,
    behaviours: Vec<Behaviour>,
    /// The length of one pause.
    pub(super) pace: Duration,
    counters: Mutex<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    /// Occasions so far, by behaviour and server: two relays count apart.
    occasions: BTreeMap<(usize, Seat), u64>,
    exercised: BTreeMap<(Seat, Misbehaviour), u64>,
    /// Clients of a server so far.
    clients: BTreeMap<Seat, u64>,
}

impl Conduct {
    pub(super) fn new(seed: u64, behaviours: Vec<Behaviour>, pace: Duration) -> Self {
        Self { seed, behaviours, pace, counters: Mutex::default() }
    }

    /// True when this server misbehaves like this now; it is then counted. To be asked only where the misbehaviour would
    /// change what goes over the wire, and when true it must.
    pub(super) fn takes(&self, seat: Seat, misbehaviour: Misbehaviour) -> bool {
        let asked = |one: &Behaviour| one.misbehaviour() == misbehaviour && one.is_about(seat.role, seat.index);
        if !self.behaviours.iter().any(asked) {
            return false;
        }
        let mut counters = self.lock();
        let mut due = false;
        for (at, behaviour) in self.behaviours.iter().enumerate().filter(|(_, one)| asked(one)) {
            let occasion = counters.occasions.entry((at, seat)).or_default();
            *occasion += 1;
            due |= match behaviour.schedule() {
                Schedule::Every => true,
                Schedule::Nth(n) => *occasion == n,
                Schedule::Share(percent) => {
                    self.draw(seat, &format!("{misbehaviour} {occasion}")).chance(u64::from(percent))
                }
            };
        }
        if due {
            *counters.exercised.entry((seat, misbehaviour)).or_default() += 1;
        }
        due
    }

    /// True when any behaviour is like this, whether due or not.
    pub(super) fn knows(&self, misbehaviour: Misbehaviour) -> bool {
        self.behaviours.iter().any(|one| one.misbehaviour() == misbehaviour)
    }

    /// Randomness that is the same at every run of the same world: what a server leaves out, how it shuffles.
    pub(super) fn draw(&self, seat: Seat, label: &str) -> Rng {
        Rng::new(self.seed, &format!("server {}:{} {label}", seat.role, seat.index))
    }

    /// The number of a new client of this server, from 1.
    pub(super) fn new_client(&self, seat: Seat) -> u64 {
        let mut counters = self.lock();
        let clients = counters.clients.entry(seat).or_default();
        *clients += 1;
        *clients
    }

    /// How often each misbehaviour of each server reached the wire.
    pub(super) fn exercised(&self) -> BTreeMap<(String, Misbehaviour), u64> {
        let counters = self.lock();
        let named = |seat: &Seat| format!("{}:{}", seat.role, seat.index);
        counters.exercised.iter().map(|((seat, one), count)| ((named(seat), *one), *count)).collect()
    }

    /// The behaviours that never reached the wire: of one that all servers in a role have, all have to be missing.
    pub(super) fn idle(&self) -> Vec<Behaviour> {
        let counters = self.lock();
        let ran = |one: &&Behaviour| {
            let mut own = counters.exercised.keys().filter(|(_, done)| *done == one.misbehaviour());
            own.any(|(seat, _)| one.is_about(seat.role, seat.index))
        };
        self.behaviours.iter().filter(|one| !ran(one)).copied().collect()
    }

    /// Fails for a behaviour of a server that is not there.
    pub(super) fn check(&self, seats: &[Seat]) -> Result<(), BehaviourError> {
        let somebody = |one: &&Behaviour| seats.iter().any(|seat| one.is_about(seat.role, seat.index));
        match self.behaviours.iter().find(|one| !somebody(one)) {
            Some(one) => Err(BehaviourError::Nobody(one.role(), one.index().unwrap_or_default())),
            None => Ok(()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counters> {
        // Counters are whole after every statement.
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEAT: Seat = Seat { role: Role::Relay, index: 1 };

    fn conduct(behaviours: &[&str]) -> Conduct {
        Conduct::new(7, behaviours.iter().map(|text| text.parse().unwrap()).collect(), Duration::ZERO)
    }

    #[test]
    fn a_schedule_is_kept_and_only_what_is_due_is_counted() {
        let conduct = conduct(&["relay=omit@2", "relay:0=delay", "relay=drip@50%"]);
        let taken: Vec<bool> = (0..4).map(|_| conduct.takes(SEAT, Misbehaviour::Omit)).collect();
        assert_eq!(taken, [false, true, false, false]);
        assert!(!conduct.takes(SEAT, Misbehaviour::Delay), "that is for the other relay");
        let dripped = (0..200).filter(|_| conduct.takes(SEAT, Misbehaviour::Drip)).count();
        assert!((60..140).contains(&dripped), "{dripped}");
        let expected = BTreeMap::from([
            (("relay:1".to_owned(), Misbehaviour::Drip), dripped as u64),
            (("relay:1".to_owned(), Misbehaviour::Omit), 1),
        ]);
        assert_eq!(conduct.exercised(), expected);
        assert_eq!(conduct.idle(), ["relay:0=delay".parse().unwrap()]);
    }

    #[test]
    fn a_behaviour_needs_its_server() {
        assert_eq!(conduct(&["relay:1=omit", "relay=omit"]).check(&[SEAT]), Ok(()));
        assert_eq!(conduct(&["relay:0=omit"]).check(&[SEAT]), Err(BehaviourError::Nobody(Role::Relay, 0)));
    }
}
