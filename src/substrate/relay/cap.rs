//! What is known about a relay's page cap: learned from its pages, never believed from what it says or we ask.

use super::frame::Hint;

/// Judges whether a page may have been cut at the relay's cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CapKnowledge {
    hinted: Option<u64>,
    largest: u64,
    smallest_cut: Option<u64>,
    /// It said `finish`, and there was more.
    finish_refuted: bool,
    /// It said `more`, and there was nothing.
    more_refuted: bool,
    /// It answered with nothing, twice, where it had given events.
    blank: bool,
}

/// No relay of the field caps its pages below 300 (CAPTURE 2.1).
const TINY_PAGE: u64 = 20;

impl CapKnowledge {
    /// Starts with the relay's own word (NIP-11 `max_limit`), which only adds suspicion.
    pub(super) fn new(hinted: Option<u64>) -> Self {
        Self { hinted, largest: 0, smallest_cut: None, finish_refuted: false, more_refuted: false, blank: false }
    }

    /// A page with this many distinct events ended properly.
    pub(super) fn saw_page(&mut self, events: u64) {
        self.largest = self.largest.max(events);
    }

    /// A page with this many distinct events is proven to have left some out.
    pub(super) fn saw_cut(&mut self, events: u64) {
        if events == 0 {
            // An empty page is void: it has no size to learn from.
            return;
        }
        // The smallest, because a relay may cap differently per question.
        self.smallest_cut = Some(self.smallest_cut.map_or(events, |least| least.min(events)));
    }

    /// The size from which on a page may have been cut. Only a page strictly below one that the relay gave is whole for
    /// certain; a word of the relay that its own pages surpass is none.
    fn threshold(&self, asked: u32) -> u64 {
        let hinted = self.hinted.filter(|hint| *hint >= self.largest);
        let known = [Some(u64::from(asked)), hinted, self.smallest_cut, Some(self.largest)];
        let least = known.into_iter().flatten().min().unwrap_or(0);
        // A cap that varies may have been smaller than it ever showed itself.
        if self.varies() { least.div_ceil(2).max(1) } else { least.max(1) }
    }

    /// True when a page was larger than one that left something out.
    pub(super) fn varies(&self) -> bool {
        self.smallest_cut.is_some_and(|cut| cut < self.largest)
    }

    pub(super) fn refute_finish(&mut self) {
        self.finish_refuted = true;
    }

    pub(super) fn refute_more(&mut self) {
        self.more_refuted = true;
    }

    /// True when this end is said to be the end of all, by a relay that was not found to say so wrongly.
    pub(super) fn is_finish(&self, hint: Hint) -> bool {
        hint == Hint::Finish && !self.finish_refuted
    }

    /// True when more is said to be left, by a relay that was not found to say so wrongly.
    pub(super) fn is_more(&self, hint: Hint) -> bool {
        hint == Hint::More && !self.more_refuted
    }

    /// True when a page of this size may have been cut, asked for with that limit.
    pub(super) fn may_be_cut(&self, events: u64, asked: u32) -> bool {
        events >= self.threshold(asked) || events == 0 && self.blank
    }

    /// Learns that an empty page of this relay proves nothing.
    pub(super) fn saw_blank(&mut self) {
        self.blank = true;
    }

    pub(super) fn is_blank(&self) -> bool {
        self.blank
    }

    /// True when no page ever held more than a handful.
    pub(super) fn is_tiny(&self) -> bool {
        self.largest < TINY_PAGE
    }

    /// True when no page was ever large enough to learn from.
    pub(super) fn is_unproven(&self) -> bool {
        self.smallest_cut.is_none()
    }

    /// How many events a window should hold so that its page proves itself and has room for some more.
    pub(super) fn comfortable(&self, asked: u32) -> u64 {
        let threshold = self.threshold(asked);
        // Three quarters: few pages, and few windows that have to be cut again.
        (threshold / 4).saturating_mul(3).max(threshold.saturating_sub(1).min(3)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_is_what_pages_show() {
        let mut cap = CapKnowledge::new(None);
        cap.saw_page(500);
        cap.saw_cut(500);
        assert!(cap.may_be_cut(500, 5_000));
        assert!(!cap.may_be_cut(499, 5_000));
    }

    #[test]
    fn without_a_proof_the_largest_page_is_suspicious_however_small() {
        let mut cap = CapKnowledge::new(None);
        cap.saw_page(1);
        assert!(cap.may_be_cut(1, 5_000) && !cap.may_be_cut(0, 5_000), "nothing can't be cut");
        cap.saw_page(40);
        assert!(cap.may_be_cut(40, 5_000) && !cap.may_be_cut(39, 5_000));
        cap.saw_blank();
        assert!(cap.may_be_cut(0, 5_000) && !cap.may_be_cut(39, 5_000), "but where it was void");
    }

    #[test]
    fn a_cap_that_differs_per_question_is_half_of_its_smallest() {
        let mut cap = CapKnowledge::new(None);
        cap.saw_page(500);
        cap.saw_cut(500);
        assert!(!cap.varies() && !cap.may_be_cut(499, 5_000));
        cap.saw_cut(0);
        assert!(!cap.varies(), "an empty page is void");
        cap.saw_cut(120);
        assert!(cap.varies() && cap.may_be_cut(60, 5_000), "it may be smaller than it showed itself");
        assert!(!cap.may_be_cut(59, 5_000));
    }

    #[test]
    fn our_own_limit_and_the_relays_word_add_suspicion_only() {
        let mut cap = CapKnowledge::new(Some(10));
        cap.saw_page(9);
        cap.saw_cut(9);
        assert!(cap.may_be_cut(9, 5_000));
        cap = CapKnowledge::new(Some(10));
        cap.saw_page(10);
        assert!(cap.may_be_cut(10, 5_000) && !cap.may_be_cut(9, 5_000));
        cap.saw_page(1_000);
        assert!(!cap.may_be_cut(99, 100), "its own pages disprove the word");
        assert!(cap.may_be_cut(100, 100), "our limit is binding whatever the relay could give");
    }

    #[test]
    fn a_comfortable_window_is_below_the_cap() {
        for page in [2, 3, 4, 5, 7, 10, 500, 5_000] {
            let mut cap = CapKnowledge::new(None);
            cap.saw_page(page);
            assert!(!cap.may_be_cut(cap.comfortable(5_000), 5_000), "{page} {}", cap.comfortable(5_000));
        }
    }
}
