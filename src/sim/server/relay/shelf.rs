//! The events of one relay, in the order that NIP-01 asks for, and what a question takes from them.

use std::collections::BTreeSet;

use super::rules::Holds;
use crate::sim::nostr::{Filter, SimEvent};

/// What a relay holds: places in the world's list, newest first; at the same second the lowest id first.
#[derive(Debug)]
pub(super) struct Shelf(Vec<usize>);

/// An answer's events, and whether they are all there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// Places in the world's list.
    pub(super) events: Vec<usize>,
    /// Nothing that matches is left.
    pub(super) whole: bool,
}

impl Shelf {
    pub(super) fn new(events: &[SimEvent], holds: &Holds) -> Self {
        let mut order: Vec<usize> = (0..events.len()).filter(|place| holds.has(&events[*place])).collect();
        order.sort_by_key(|place| (std::cmp::Reverse(events[*place].created_at), events[*place].id));
        Self(order)
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
            let matching = self.0.iter().enumerate().filter(|(_, place)| {
                let event = &events[**place];
                filter.matches(event) && !hidden(event)
            });
            // One more than the limit shows whether something is left.
            let mut found: Vec<usize> = matching.map(|(rank, _)| rank).take(limit.saturating_add(1)).collect();
            whole &= found.len() <= limit;
            found.truncate(limit);
            chosen.extend(found);
        }
        Page { events: chosen.into_iter().map(|rank| self.0[rank]).collect(), whole }
    }

    /// Everything that matches any filter, without limit.
    pub(super) fn all<'a>(
        &'a self,
        events: &'a [SimEvent],
        filters: &'a [Filter],
    ) -> impl Iterator<Item = &'a SimEvent> {
        let held = self.0.iter().map(|place| &events[*place]);
        held.filter(|event| filters.iter().any(|filter| filter.matches(event)))
    }

    /// Up to `most` events that no filter admits.
    pub(super) fn strangers(&self, events: &[SimEvent], filters: &[Filter], most: usize) -> Vec<usize> {
        let odd = |place: &&usize| filters.iter().all(|filter| !filter.matches(&events[**place]));
        self.0.iter().filter(odd).take(most).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::UnixSeconds;
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
}
