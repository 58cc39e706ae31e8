//! The events of one relay, in the order that NIP-01 asks for, and what a question takes from them.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::rules::Holds;
use crate::domain::{NostrEventId, UnixSeconds};
use crate::sim::nostr::{Filter, SimEvent};

/// What a relay holds: places in the world's list, and behind them in that of what it was given since; newest first; at the
/// same second the lowest id first.
#[derive(Debug)]
pub(super) struct Shelf {
    order: Vec<usize>,
    given: Vec<SimEvent>,
}

/// An answer's events, and whether they are all there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// Places.
    pub(super) events: Vec<usize>,
    /// Nothing that matches is left.
    pub(super) whole: bool,
}

impl Shelf {
    pub(super) fn new(events: &[SimEvent], holds: &Holds) -> Self {
        let mut order: Vec<usize> = (0..events.len()).filter(|place| holds.has(&events[*place])).collect();
        order.sort_by_key(|place| rank(&events[*place]));
        Self { order, given: Vec::new() }
    }

    /// The event at a place; `events` is the world's list.
    pub(super) fn event<'a>(&'a self, events: &'a [SimEvent], place: usize) -> &'a SimEvent {
        events.get(place).unwrap_or_else(|| &self.given[place - events.len()])
    }

    /// Takes an event; it takes the place of an older one where NIP-01 says so. What is said to its author.
    ///
    /// # Errors
    /// The same for one that has no room.
    pub(super) fn take(&mut self, events: &[SimEvent], event: SimEvent) -> Result<&'static str, &'static str> {
        if self.order.iter().any(|place| self.event(events, *place).id == event.id) {
            return Ok("duplicate: already have this event");
        }
        if let Some(wanted) = event.place() {
            let same = |place: &usize| self.event(events, *place).place() == Some(wanted);
            let old: Vec<usize> = self.order.iter().copied().filter(same).collect();
            if old.iter().any(|place| rank(self.event(events, *place)) < rank(&event)) {
                return Err("duplicate: have a newer event");
            }
            self.order.retain(|place| !old.contains(place));
        }
        let at = self.order.partition_point(|place| rank(self.event(events, *place)) < rank(&event));
        self.order.insert(at, events.len() + self.given.len());
        self.given.push(event);
        Ok("")
    }

    /// What matches any filter and is not hidden, each filter with its own limit.
    pub(super) fn page(
        &self,
        events: &[SimEvent],
        filters: &[Filter],
        most: usize,
        hidden: impl Fn(&SimEvent) -> bool,
    ) -> Page {
        let mut chosen = BTreeSet::new();
        let mut whole = true;
        for filter in filters {
            let limit = filter.limit.unwrap_or(most).min(most);
            let matching = self.order.iter().enumerate().filter(|(_, place)| {
                let event = self.event(events, **place);
                filter.matches(event) && !hidden(event)
            });
            // One more than the limit shows whether something is left.
            let mut found: Vec<usize> = matching.map(|(rank, _)| rank).take(limit.saturating_add(1)).collect();
            whole &= found.len() <= limit;
            found.truncate(limit);
            chosen.extend(found);
        }
        Page { events: chosen.into_iter().map(|rank| self.order[rank]).collect(), whole }
    }

    /// Everything that matches any filter, without limit.
    pub(super) fn all<'a>(
        &'a self,
        events: &'a [SimEvent],
        filters: &'a [Filter],
    ) -> impl Iterator<Item = &'a SimEvent> {
        let held = self.order.iter().map(|place| self.event(events, *place));
        held.filter(|event| filters.iter().any(|filter| filter.matches(event)))
    }

    /// Up to `most` events that no filter admits.
    pub(super) fn strangers(&self, events: &[SimEvent], filters: &[Filter], most: usize) -> Vec<usize> {
        let odd = |place: &&usize| filters.iter().all(|filter| !filter.matches(self.event(events, **place)));
        self.order.iter().filter(odd).take(most).copied().collect()
    }
}

fn rank(event: &SimEvent) -> (Reverse<UnixSeconds>, NostrEventId) {
    (Reverse(event.created_at), event.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::World;

    #[test]
    fn a_page_is_the_newest_and_says_whether_that_is_all() {
        let world = World::generate(3, 10);
        let shelf = Shelf::new(&world.events, &Holds::default());
        let everything = [Filter::default()];
        let page = shelf.page(&world.events, &everything, 5, |_| false);
        let times: Vec<i64> = page.events.iter().map(|place| world.events[*place].created_at.0).collect();
        let newest = world.events.iter().map(|event| event.created_at.0).max();
        assert!(times.len() == 5 && times.is_sorted_by(|a, b| a >= b) && times.first().copied() == newest);
        assert!(!page.whole);
        let count = world.events.len();
        let exact = shelf.page(&world.events, &everything, count, |_| false);
        assert!(exact.whole && exact.events.len() == count, "exactly the limit is everything");
        assert!(!shelf.page(&world.events, &everything, count - 1, |_| false).whole);
        assert!(shelf.strangers(&world.events, &everything, 5).is_empty());
    }

    #[test]
    fn a_relay_that_pruned_holds_no_older_events() {
        let world = World::generate(3, 10);
        let mut times: Vec<UnixSeconds> = world.events.iter().map(|event| event.created_at).collect();
        times.sort_unstable();
        let middle = times[times.len() / 2];
        let holds = Holds { since: Some(middle), without: [world.events[0].id].into() };
        let shelf = Shelf::new(&world.events, &holds);
        let everything = [Filter::default()];
        let all = shelf.all(&world.events, &everything).count();
        let expected = world.events[1..].iter().filter(|event| event.created_at >= middle).count();
        assert_eq!(all, expected);
        assert!(all > 0 && all < world.events.len());
    }

    #[test]
    fn what_is_given_stands_in_its_place_and_a_newer_one_replaces_an_older() {
        let world = World::generate(3, 10);
        let mut shelf = Shelf::new(&world.events, &Holds::default());
        let count = world.events.len();
        let known = world.events.iter().find(|event| event.place().is_some()).unwrap();
        assert_eq!(shelf.take(&world.events, known.clone()), Ok("duplicate: already have this event"));
        let other = |seconds: i64, id: u8| SimEvent {
            id: NostrEventId::from_bytes([id; 32]),
            created_at: UnixSeconds(known.created_at.0 + seconds),
            ..known.clone()
        };
        assert!(shelf.take(&world.events, other(-1, 1)).is_err());
        assert_eq!(shelf.take(&world.events, other(1, 2)), Ok(""));
        let everything = [Filter::default()];
        let ids = |shelf: &Shelf| shelf.all(&world.events, &everything).map(|event| event.id).collect::<BTreeSet<_>>();
        assert!(ids(&shelf).contains(&other(1, 2).id) && !ids(&shelf).contains(&known.id));
        let stranger = SimEvent { kind: 1, ..other(100_000_000, 3) };
        assert_eq!(shelf.take(&world.events, stranger.clone()), Ok(""));
        let page = shelf.page(&world.events, &everything, count + 1, |_| false);
        assert_eq!((page.events.len(), page.whole), (count + 1, true));
        assert_eq!(shelf.event(&world.events, page.events[0]), &stranger);
    }
}
