//! What is remembered about one kind on one relay: ids and counters, never events.

use std::collections::{BTreeMap, BTreeSet};

use super::super::limits::POSITION_IDS_MAX;
use crate::domain::{NostrEventId, Position, Sign, UnixSeconds, sha256};

/// The memory of one kind. 56 bytes an event, plus the tree's own.
#[derive(Debug, Default)]
pub(super) struct Tally {
    seen: BTreeMap<[u8; 32], Seen>,
    page: u64,
    pub(super) misbehaved: u64,
    /// Events thrown away because nobody asked for them.
    pub(super) strays: u64,
    /// Distinct events of each page, summed over pages.
    pub(super) shown: u64,
    /// Events that their own page held already.
    repeats: u64,
    signs: BTreeMap<Sign, u64>,
    /// Messages that could not be read: an event may have been in them.
    pub(super) unread: u64,
    /// Stored events came after the relay had said that all were sent.
    pub(super) contradicted: bool,
    pub(super) newest: Option<i64>,
    /// The events of the newest second.
    newest_ids: BTreeSet<NostrEventId>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    content: [u8; 16],
    /// The last page that held it; 0 for an event of no page.
    page: u64,
}

/// What an event is, compared with those seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Novelty {
    Fresh,
    /// Held by an earlier page: the second at a page's edge is asked twice on purpose.
    Known,
    /// Other bytes under a known id.
    Variant,
    /// The same twice in one page.
    Repeat,
}

impl Tally {
    /// Distinct items so far.
    pub(super) fn items(&self) -> u64 {
        u64::try_from(self.seen.len()).unwrap_or(u64::MAX)
    }

    /// The number of the current page, from 1.
    pub(super) fn page(&self) -> u64 {
        self.page
    }

    pub(super) fn begin_page(&mut self) {
        self.page += 1;
    }

    /// Notes an event of the current page by its id's text: ids are not judged here, so any text will do.
    pub(super) fn admit(&mut self, id: &str, bytes: &str) -> Novelty {
        let (page, content) = (self.page, fingerprint(bytes));
        match self.seen.get_mut(&key(id)) {
            None => {
                self.seen.insert(key(id), Seen { content, page });
                Novelty::Fresh
            }
            Some(seen) if seen.content != content => Novelty::Variant,
            Some(seen) if seen.page == page => Novelty::Repeat,
            Some(seen) => {
                seen.page = page;
                Novelty::Known
            }
        }
    }

    /// Counts one offence.
    pub(super) fn note(&mut self, sign: Sign) {
        self.misbehaved += 1;
        *self.signs.entry(sign).or_default() += 1;
    }

    /// Counts an event that nobody asked for.
    pub(super) fn stray(&mut self, sign: Sign) {
        self.strays += 1;
        self.note(sign);
    }

    /// Counts an event that its own page held already.
    pub(super) fn repeat(&mut self) {
        self.misbehaved += 1;
        self.repeats += 1;
    }

    /// The offences. NIP-01 forbids no repetition: that every event comes twice passes without comment, more does not.
    pub(super) fn signs(&self) -> BTreeMap<Sign, u64> {
        let mut signs = self.signs.clone();
        if self.repeats > self.shown {
            signs.insert(Sign::Repeats, self.repeats);
        }
        signs
    }

    /// Notes an event that belongs to no open page; true when it is new.
    pub(super) fn admit_late(&mut self, id: &str, bytes: &str) -> bool {
        let late = Seen { content: fingerprint(bytes), page: 0 };
        let mut fresh = false;
        self.seen.entry(key(id)).or_insert_with(|| {
            fresh = true;
            late
        });
        fresh
    }

    /// Notes when an event is dated.
    pub(super) fn saw(&mut self, id: &str, time: i64) {
        if self.newest.is_none_or(|newest| time > newest) {
            self.newest = Some(time);
            self.newest_ids.clear();
        }
        if self.newest == Some(time)
            && self.newest_ids.len() < POSITION_IDS_MAX
            && let Ok(id) = id.parse()
        {
            self.newest_ids.insert(id);
        }
    }

    /// Where a later capture may go on.
    pub(super) fn position(&self) -> Option<Position> {
        let ids = self.newest_ids.iter().copied().collect();
        self.newest.map(|time| Position { time: UnixSeconds(time), ids })
    }
}

fn key(id: &str) -> [u8; 32] {
    *sha256(id.as_bytes()).as_bytes()
}

/// Half a hash: a collision with an event already held would hide only a copy that the relay itself forged.
fn fingerprint(bytes: &str) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&sha256(bytes.as_bytes()).as_bytes()[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_an_event_once_and_two_pages_may_share_it() {
        let mut tally = Tally::default();
        tally.begin_page();
        assert_eq!(tally.admit("a", "1"), Novelty::Fresh);
        assert_eq!(tally.admit("a", "1"), Novelty::Repeat);
        assert_eq!(tally.admit("a", "2"), Novelty::Variant);
        assert!(tally.admit_late("b", "3"));
        assert!(!tally.admit_late("a", "1"));
        tally.begin_page();
        assert_eq!(tally.admit("a", "1"), Novelty::Known);
        assert_eq!(tally.admit("b", "3"), Novelty::Known);
        assert_eq!(tally.items(), 2);
    }
}
