//! The manifest of a paged answer: what was asked, what came, and its digest, in bounded memory.

use crate::domain::{Backing, PageNote, sha256};

/// Notes of one receipt; more are joined in pairs.
const NOTES_MAX: usize = 10_000;

/// The pages of one answer, in the order they were asked.
#[derive(Debug, Default)]
pub(super) struct PageNotes {
    notes: Vec<PageNote>,
    /// Where a new walk begins: that page is never joined to the one before it.
    apart: Option<usize>,
}

impl PageNotes {
    /// Notes a page that goes on where the one before it ended.
    pub(super) fn push(&mut self, note: PageNote) {
        if self.notes.len() >= NOTES_MAX {
            self.join();
        }
        self.notes.push(note);
    }

    /// Notes a page that begins a walk of its own.
    pub(super) fn push_apart(&mut self, note: PageNote) {
        self.push(note);
        self.apart = Some(self.notes.len().saturating_sub(1));
    }

    pub(super) fn len(&self) -> usize {
        self.notes.len()
    }

    pub(super) fn into_backing(self) -> Backing {
        Backing { pages: self.notes, ..Backing::default() }
    }

    /// Joins neighbours in pairs. The last page stays as it is: it shows that the answer came to its end.
    fn join(&mut self) {
        let apart = self.apart.take();
        let last = self.notes.len().saturating_sub(1);
        let mut joined: Vec<PageNote> = Vec::with_capacity(self.notes.len() / 2 + 2);
        let mut open = false;
        for (at, note) in std::mem::take(&mut self.notes).into_iter().enumerate() {
            let begins = apart == Some(at);
            if let Some(before) = joined.last_mut().filter(|_| open && !begins && at != last) {
                *before = pair(before, &note);
                open = false;
            } else {
                joined.push(note);
                open = true;
            }
            if begins {
                self.apart = Some(joined.len().saturating_sub(1));
            }
        }
        self.notes = joined;
    }
}

/// Two pages as one: it was asked as the first, and its digest is that of both digests.
fn pair(first: &PageNote, second: &PageNote) -> PageNote {
    let digests = [first.sha256.0, second.sha256.0].concat();
    PageNote {
        asked: first.asked.clone(),
        items: first.items.saturating_add(second.items),
        lowest: first.lowest.into_iter().chain(second.lowest).min(),
        highest: first.highest.into_iter().chain(second.highest).max(),
        sha256: sha256(&digests),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(asked: u64) -> PageNote {
        let lowest = asked.checked_sub(2);
        PageNote { asked: asked.to_string(), items: 2, lowest, highest: asked.checked_sub(1), sha256: sha256(b"p") }
    }

    #[test]
    fn notes_beyond_the_limit_are_joined_and_the_chain_still_holds() {
        let mut notes = PageNotes::default();
        let top = 60_000;
        for at in 0..25_000_u64 {
            let next = note(top - 2 * at);
            if at == 9_000 { notes.push_apart(next) } else { notes.push(next) }
        }
        assert!(notes.len() <= NOTES_MAX);
        let pages = notes.into_backing().pages;
        assert_eq!(pages.iter().map(|page| page.items).sum::<u64>(), 50_000, "no record is lost from the count");
        assert!(
            pages.windows(2).all(|two| two[0].lowest.map(|lowest| lowest.to_string()) == Some(two[1].asked.clone()))
        );
        assert_eq!(pages[0].asked, top.to_string());
        assert!(
            pages.iter().any(|page| page.asked == (top - 18_000).to_string()),
            "a walk's beginning is never joined"
        );
        assert_eq!(pages.last().map(|page| page.items), Some(2), "the last page is itself");
    }

    #[test]
    fn up_to_the_limit_every_page_stands_for_itself() {
        let mut notes = PageNotes::default();
        (0..10_000).for_each(|_| notes.push(note(7)));
        assert_eq!((notes.len(), notes.into_backing().pages[5_000].clone()), (10_000, note(7)));
    }
}
