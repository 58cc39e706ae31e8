//! What a relay holds, and which of it a client could get by some question of NIP-01 or NIP-77.

use std::collections::{BTreeMap, BTreeSet};

use super::dice::mix;
use super::world::{Cap, Choice, Fault, Neg, Prefixes, Stored, World};

impl World {
    /// The events of a kind inside the asked window.
    pub(super) fn held(&self, kind: u16) -> Vec<&Stored> {
        let (since, until) = self.window;
        self.events
            .iter()
            .filter(|event| event.kind == kind)
            .filter(|event| since.is_none_or(|since| event.at >= i128::from(since)))
            .filter(|event| until.is_none_or(|until| event.at <= i128::from(until)))
            .collect()
    }

    /// True for an event that is in no answer whatsoever, so that nobody can know of it.
    pub(super) fn hides(&self, event: &Stored) -> bool {
        self.has(Fault::Hides) && lot(event, 1).is_multiple_of(5)
    }

    /// True for an event that only listing, counting or naming its id brings to light.
    pub(super) fn hides_from_pages(&self, event: &Stored) -> bool {
        self.has(Fault::HidesFromPages) && lot(event, 2).is_multiple_of(5)
    }

    /// True for an event that is listed and no longer served.
    pub(super) fn is_phantom(&self, event: &Stored) -> bool {
        self.neg == Neg::Phantoms && lot(event, 3).is_multiple_of(6)
    }

    /// True for an event that is served and not listed.
    pub(super) fn is_unlisted(&self, event: &Stored) -> bool {
        match self.neg {
            Neg::Partial => lot(event, 4).is_multiple_of(6),
            Neg::Newer => event.at < self.middle(),
            _ => false,
        }
    }

    fn middle(&self) -> i128 {
        let mut times: Vec<i128> = self.events.iter().map(|event| event.at).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or(0)
    }

    /// The most that a page may hold.
    pub(super) fn page_max(&self) -> usize {
        let (Cap::Fixed(cap) | Cap::Varies(_, cap)) = self.cap;
        cap.min(usize::try_from(self.page_limit).unwrap())
    }

    /// Ids that some question could bring, whatever the relay's moods: by time, by prefix, by list.
    ///
    /// A relay that prefers newer events, or lower ids, gives the most of a second when that second is asked alone:
    /// a wider window only adds rivals. So an event is out of reach of time when as many of its own second go before it
    /// as a page holds.
    pub(super) fn within_reach(&self, kind: u16) -> BTreeSet<&str> {
        let mut reach: BTreeSet<&str> = BTreeSet::new();
        let given: Vec<&Stored> =
            self.held(kind).into_iter().filter(|event| !self.hides(event) && !self.is_phantom(event)).collect();
        let paged: Vec<&Stored> = given.iter().copied().filter(|event| !self.hides_from_pages(event)).collect();
        for second in groups(&paged, |event| (second(event), String::new())).into_values() {
            if self.choice == Choice::Random {
                reach.extend(second.iter().map(|event| event.id.as_str()));
            } else {
                reach.extend(second.iter().take(self.page_max()).map(|event| event.id.as_str()));
            }
            if self.prefixes == Prefixes::Served {
                for narrow in groups(&second, |event| (0, event.id[..4].to_owned())).into_values() {
                    reach.extend(narrow.iter().take(self.page_max()).map(|event| event.id.as_str()));
                }
            }
        }
        reach.extend(given.iter().filter(|event| self.lists(event)).map(|event| event.id.as_str()));
        reach
    }

    /// True when the relay lists the event to whoever asks for its kind, window by window.
    pub(super) fn lists(&self, event: &Stored) -> bool {
        if stamp(event).is_none() {
            return false;
        }
        let Neg::Honest { max, .. } = self.neg else {
            let lists = matches!(self.neg, Neg::Phantoms | Neg::Partial | Neg::Newer);
            return lists && !self.is_unlisted(event);
        };
        let together = self.held(event.kind).iter().filter(|other| second(other) == second(event)).count();
        together <= max
    }

    /// Events of one second by one author, which are within reach once that author is known.
    pub(super) fn within_reach_of_authors(&self, kind: u16, authors: &BTreeSet<&str>) -> BTreeSet<&str> {
        let held = self.held(kind);
        let by_author = groups(&held, |event| (second(event), event.author.clone()));
        let known = by_author.into_iter().filter(|((_, author), _)| authors.contains(author.as_str()));
        known.flat_map(|(_, events)| events.into_iter().take(self.page_max())).map(|event| event.id.as_str()).collect()
    }

    /// True when the pages alone tell the relay's cap from a full second: a page was larger than any second is.
    pub(super) fn shows_its_cap(&self) -> bool {
        let most = self.kinds.iter().map(|kind| self.held(*kind).len()).max().unwrap_or(0);
        let fullest = self.kinds.iter().map(|kind| self.fullest_second(*kind)).max().unwrap_or(0);
        fullest < self.page_max().min(most)
    }

    pub(super) fn fullest_second(&self, kind: u16) -> usize {
        groups(&self.held(kind), |event| (second(event), String::new())).values().map(Vec::len).max().unwrap_or(0)
    }
}

/// The time of an event as NIP-77 can name it.
pub(super) fn stamp(event: &Stored) -> Option<u64> {
    u64::try_from(event.at).ok().filter(|at| *at < u64::MAX)
}

/// Seconds beyond what a question can name fall together.
fn second(event: &Stored) -> i128 {
    event.at.min(i128::from(i64::MAX))
}

/// Groups in the relay's order of preference inside one second.
fn groups<'a, K: Ord>(events: &[&'a Stored], key: impl Fn(&Stored) -> K) -> BTreeMap<K, Vec<&'a Stored>> {
    let mut sorted = events.to_vec();
    sorted.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.id.cmp(&b.id)));
    let mut groups: BTreeMap<K, Vec<&'a Stored>> = BTreeMap::new();
    for event in sorted {
        groups.entry(key(event)).or_default().push(event);
    }
    groups
}

/// A number that belongs to an event, one for each purpose.
pub(super) fn lot(event: &Stored, purpose: u64) -> u64 {
    mix(u64::from_str_radix(&event.id[..15], 16).unwrap().wrapping_add(purpose << 61 | purpose))
}
