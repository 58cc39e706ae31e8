//! The paging of a gateway's payment log without its sockets: which position to ask next, and when nothing is left.
//!
//! A gateway reads its log backwards in blocks of 10,000 ids and never reads the oldest, partial block; a position is
//! exclusive from 10,000 on and inclusive below (TREASURY 0.1). So the walk goes down by the lowest id seen, never by a
//! page's size, and then once more from the last position of the oldest block. It ends only where nothing can be left: at
//! an empty page, or below id 0.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::notes::PageNotes;
use crate::domain::{Digest32, LOG_CLOSING_POSITION, PageNote, Sign};

/// What follows from a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Ask for the page at [`LogPaging::position`].
    Ask,
    /// Nothing is left.
    Done,
    /// Paging can't go on: what was wrong, and a reason.
    Halt(Sign, &'static str),
}

/// The state of one walk.
#[derive(Debug, Default)]
pub(super) struct LogPaging {
    /// Log ids with the beginning of their content's hash.
    known: BTreeMap<u64, [u8; 16]>,
    position: Option<u64>,
    /// The walk through the oldest block has begun.
    closing: bool,
    notes: PageNotes,
    page: Page,
}

/// What the page being taken held so far.
#[derive(Debug, Default)]
struct Page {
    items: u64,
    lowest: Option<u64>,
    highest: Option<u64>,
}

/// What becomes of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// An id not seen before.
    New,
    /// A known id with another content: both are kept.
    Changed,
    /// Seen already.
    Known,
}

impl LogPaging {
    /// The position to ask for; `None` is the tip.
    pub(super) fn position(&self) -> Option<u64> {
        self.position
    }

    /// Distinct ids seen.
    pub(super) fn known(&self) -> usize {
        self.known.len()
    }

    /// Takes one entry of the page; `content` is the beginning of its hash.
    pub(super) fn admit(&mut self, id: u64, content: [u8; 16]) -> Admission {
        self.page.items += 1;
        self.page.lowest = Some(self.page.lowest.map_or(id, |lowest| lowest.min(id)));
        self.page.highest = self.page.highest.max(Some(id));
        match self.known.entry(id) {
            Entry::Vacant(vacant) => {
                vacant.insert(content);
                Admission::New
            }
            Entry::Occupied(occupied) if *occupied.get() == content => Admission::Known,
            Entry::Occupied(mut occupied) => {
                occupied.insert(content);
                Admission::Changed
            }
        }
    }

    /// Counts an entry whose id can't be read.
    pub(super) fn admit_unnamed(&mut self) {
        self.page.items += 1;
    }

    /// Ends the page and decides what follows.
    pub(super) fn turn(&mut self, sha256: Digest32) -> Turn {
        let Page { items, lowest, highest } = std::mem::take(&mut self.page);
        let asked = self.position;
        let note =
            PageNote { asked: asked.map_or_else(String::new, |at| at.to_string()), items, lowest, highest, sha256 };
        if asked == Some(LOG_CLOSING_POSITION) {
            self.notes.push_apart(note);
        } else {
            self.notes.push(note);
        }
        // A gateway that does not go by the position sends one page for ever: what lies below is never seen.
        if asked.zip(highest).is_some_and(|(asked, highest)| highest > asked) {
            return Turn::Halt(Sign::PageRegress, "a page held entries above its position");
        }
        let Some(lowest) = lowest else {
            if items > 0 {
                return Turn::Halt(Sign::PageUnreadable, "no entry of a page tells its id");
            }
            return self.end_of_walk();
        };
        match asked {
            // Only the page's own position came back. It is exclusive above the oldest block (TREASURY 0.1) ...
            Some(asked) if lowest >= asked && asked > LOG_CLOSING_POSITION => {
                Turn::Halt(Sign::PageLoop, "a page brought back its own position")
            }
            // ... and inclusive here, which the page has just shown: one less leaves nothing out.
            Some(asked) if lowest >= asked => match asked.checked_sub(1) {
                Some(below) => self.ask(below),
                None => self.end_of_walk(),
            },
            // The lowest id seen, not one less.
            _ => self.ask(lowest),
        }
    }

    pub(super) fn into_notes(self) -> PageNotes {
        self.notes
    }

    fn ask(&mut self, position: u64) -> Turn {
        self.position = Some(position);
        Turn::Ask
    }

    fn end_of_walk(&mut self) -> Turn {
        if self.closing {
            return Turn::Done;
        }
        self.closing = true;
        self.ask(LOG_CLOSING_POSITION)
    }
}

#[cfg(test)]
mod tests;
