//! What is remembered about one kind on one relay: ids, times and counters, never events.

use std::collections::{BTreeMap, BTreeSet};

use super::super::limits::{KNOWN_AUTHORS_MAX, POSITION_IDS_MAX};
use super::frame::Header;
use super::held::{Entry, Held, Mark, Place};
use super::question::Span;
use crate::domain::{NostrEventId, Position, Sign, UnixSeconds, sha256};

/// The memory of one kind.
#[derive(Debug, Default)]
pub(super) struct Tally {
    held: Held,
    page: u32,
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
    oldest: Option<i64>,
    newest: Option<i64>,
    /// The newest time when the current pass began.
    pivot: Option<i64>,
    /// Events that the current pass brought and an earlier one should have: nothing newer than what was known then.
    pub(super) surprises: u64,
    /// Ids asked for, and which of them came.
    pub(super) wanted: Wanted,
    /// Authors and `d` values seen, to split a crowded second by.
    pub(super) authors: BTreeSet<String>,
    pub(super) addresses: BTreeSet<String>,
}

/// Ids that a relay claims to hold, ascending, and which of them came.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    ids: Vec<[u8; 32]>,
    came: Vec<bool>,
    left: usize,
}

impl Wanted {
    pub(super) fn new(mut ids: Vec<[u8; 32]>) -> Self {
        ids.sort_unstable();
        ids.dedup();
        Self { came: vec![false; ids.len()], left: ids.len(), ids }
    }

    fn mark(&mut self, id: &[u8; 32]) {
        if let Ok(at) = self.ids.binary_search(id)
            && !self.came[at]
        {
            self.came[at] = true;
            self.left -= 1;
        }
    }

    /// How many did not come yet.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Those that did not come yet, ascending.
    pub(super) fn missing(&self) -> Vec<[u8; 32]> {
        self.ids.iter().zip(&self.came).filter(|(_, came)| !**came).map(|(id, _)| *id).collect()
    }
}

/// What an event is, compared with those seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Novelty {
    Fresh,
    /// Held by an earlier page: what lies at a page's edge is asked twice on purpose.
    Known,
    /// Other bytes under a known id.
    Variant,
    /// The same twice in one page.
    Repeat,
}

impl Tally {
    /// Distinct items so far.
    pub(super) fn items(&self) -> u64 {
        u64::try_from(self.held.len()).unwrap_or(u64::MAX)
    }

    /// The number of the current page, from 1.
    pub(super) fn page(&self) -> u32 {
        self.page
    }

    pub(super) fn begin_page(&mut self) {
        self.page = self.page.saturating_add(1);
    }

    /// Notes an event of the current page. What has no readable header is known by its bytes alone.
    pub(super) fn admit(&mut self, header: Option<&Header<'_>>, bytes: &str) -> Novelty {
        let (place, content, page) = (place(header, bytes), fingerprint(bytes), self.page);
        self.wanted.mark(&place.id);
        match self.held.get_mut(&place) {
            None => {
                self.add(place, Mark { content, page }, header);
                Novelty::Fresh
            }
            Some(seen) if seen.content != content => {
                // The newest copy is remembered, so that one which comes with every page is handed over once.
                *seen = Mark { content, page };
                Novelty::Variant
            }
            Some(seen) if seen.page == page => Novelty::Repeat,
            Some(seen) => {
                seen.page = page;
                Novelty::Known
            }
        }
    }

    /// Notes an event that belongs to no open page; true when it is new.
    pub(super) fn admit_late(&mut self, header: &Header<'_>, bytes: &str) -> bool {
        let place = place(Some(header), bytes);
        self.wanted.mark(&place.id);
        let fresh = self.held.get_mut(&place).is_none();
        if fresh {
            self.add(place, Mark { content: fingerprint(bytes), page: 0 }, Some(header));
        }
        fresh
    }

    fn add(&mut self, place: Place, mark: Mark, header: Option<&Header<'_>>) {
        self.held.insert(place, mark);
        let Some(header) = header else { return };
        let time = header.created_at;
        self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
        self.newest = Some(self.newest.map_or(time, |newest| newest.max(time)));
        if self.pivot.is_some_and(|pivot| time <= pivot) {
            self.surprises += 1;
        }
        if self.authors.len() < KNOWN_AUTHORS_MAX {
            self.authors.extend(header.author());
        }
        if self.addresses.len() < KNOWN_AUTHORS_MAX {
            self.addresses.extend(header.addresses());
        }
    }

    /// A new pass begins. What it brings and an earlier pass should have brought is counted from here: everything, but
    /// for what is newer than all that was known in a span that is open upwards and can have been published meanwhile.
    pub(super) fn begin_pass(&mut self, open_upwards: bool) {
        self.pivot = Some(self.newest.filter(|_| open_upwards).unwrap_or(i64::MAX));
        self.surprises = 0;
    }

    /// The oldest and newest time held in a span.
    pub(super) fn times(&mut self, span: Span) -> Option<(i64, i64)> {
        let inside = self.between(span);
        Some((inside.first()?.place.time, inside.last()?.place.time))
    }

    /// What is held in a span, by time, then id.
    pub(super) fn between(&mut self, span: Span) -> &[Entry] {
        self.held.between(span.from, span.until)
    }

    /// How many of the events held in a span, with ids that begin with these bytes, the current page did not bring.
    pub(super) fn lacking(&mut self, span: Span, begin: &[u8]) -> u64 {
        let page = self.page;
        let lacks = |entry: &&Entry| entry.mark.page != page && entry.place.id.starts_with(begin);
        u64::try_from(self.between(span).iter().filter(lacks).count()).unwrap_or(u64::MAX)
    }

    /// How many names there are to split a crowded second by.
    pub(super) fn names(&self) -> usize {
        self.authors.len() + self.addresses.len()
    }

    pub(super) fn count(&mut self, span: Span) -> u64 {
        self.held.count(span.from, span.until)
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

    /// Where a later capture may go on.
    pub(super) fn position(&mut self) -> Option<Position> {
        let newest = self.newest?;
        let inside = self.between(Span::second(newest)).iter();
        let ids = inside.map(|entry| NostrEventId::from_bytes(entry.place.id)).take(POSITION_IDS_MAX).collect();
        Some(Position { time: UnixSeconds(newest), ids })
    }
}

fn place(header: Option<&Header<'_>>, bytes: &str) -> Place {
    let Some(header) = header else { return Place::timeless(*sha256(bytes.as_bytes()).as_bytes()) };
    match header.id.parse::<NostrEventId>() {
        Ok(id) => Place { time: header.created_at, id: *id.as_bytes() },
        // Ids are not judged here, so any text will do, but no reconciliation can list it.
        Err(_) => Place::timeless(*sha256(header.id.as_bytes()).as_bytes()),
    }
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

    fn text(id: &str, time: i64, content: &str) -> String {
        format!(r#"{{"id":"{}","kind":1,"created_at":{time},"content":"{content}"}}"#, id.repeat(32))
    }

    fn admit(tally: &mut Tally, text: &str) -> Novelty {
        tally.admit(Header::read(text).as_ref(), text)
    }

    #[test]
    fn a_page_holds_an_event_once_and_two_pages_may_share_it() {
        let mut tally = Tally::default();
        let (a, b) = (text("aa", 5, "1"), text("bb", 7, "3"));
        tally.begin_page();
        assert_eq!(admit(&mut tally, &a), Novelty::Fresh);
        assert_eq!(admit(&mut tally, &a), Novelty::Repeat);
        assert_eq!(admit(&mut tally, &text("aa", 5, "2")), Novelty::Variant);
        assert!(tally.admit_late(&Header::read(&b).unwrap(), &b));
        assert!(!tally.admit_late(&Header::read(&a).unwrap(), &a));
        tally.begin_page();
        assert_eq!(admit(&mut tally, &a), Novelty::Variant, "the copy seen last is the known one");
        assert_eq!(admit(&mut tally, &b), Novelty::Known);
        tally.begin_page();
        assert_eq!(admit(&mut tally, &a), Novelty::Known);
        assert_eq!(tally.items(), 2);
        assert_eq!(admit(&mut tally, "[]"), Novelty::Fresh);
        assert_eq!((tally.items(), tally.count(Span { from: None, until: None })), (3, 2));
    }

    #[test]
    fn what_is_newer_than_everything_known_surprises_nobody() {
        let mut tally = Tally::default();
        admit(&mut tally, &text("aa", 5, ""));
        tally.begin_pass(true);
        admit(&mut tally, &text("ab", 6, ""));
        assert_eq!(tally.surprises, 0);
        admit(&mut tally, &text("ac", 5, ""));
        assert_eq!(tally.surprises, 1);
        let mut empty = Tally::default();
        empty.begin_pass(true);
        admit(&mut empty, &text("aa", 5, ""));
        assert_eq!(empty.surprises, 1, "an empty answer was no answer");
    }

    #[test]
    fn wanted_ids_are_marked_once() {
        let mut tally = Tally { wanted: Wanted::new(vec![[0xaa; 32], [0xbb; 32], [0xaa; 32]]), ..Tally::default() };
        assert_eq!(tally.wanted.left(), 2);
        for content in ["1", "2"] {
            admit(&mut tally, &text("aa", 5, content));
        }
        assert_eq!((tally.wanted.left(), tally.wanted.missing()), (1, vec![[0xbb; 32]]));
    }
}
