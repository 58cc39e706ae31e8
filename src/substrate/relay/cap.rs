//! What is known about a relay's page cap: learned from its pages, never believed from what it says or we ask.

/// Judges whether a page may have been cut at the relay's cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CapKnowledge {
    asked: u64,
    hinted: Option<u64>,
    largest: u64,
    smallest_cut: Option<u64>,
}

impl CapKnowledge {
    /// Starts with the limit we ask for and the relay's own word (NIP-11 `max_limit`), which only adds suspicion.
    pub(super) fn new(asked: u64, hinted: Option<u64>) -> Self {
        Self { asked, hinted, largest: 0, smallest_cut: None }
    }

    /// A page with this many distinct events ended properly.
    pub(super) fn saw_page(&mut self, events: u64) {
        self.largest = self.largest.max(events);
    }

    /// A page with this many distinct events is proven to have left some out.
    pub(super) fn saw_cut(&mut self, events: u64) {
        // The smallest, because a relay may cap differently per question.
        self.smallest_cut = Some(self.smallest_cut.map_or(events, |least| least.min(events)));
    }

    /// True when a page of this size may have been cut.
    pub(super) fn may_be_cut(&self, events: u64) -> bool {
        events >= self.asked
            || self.hinted.is_some_and(|hint| events >= hint)
            || match self.smallest_cut {
                Some(cut) => events >= cut,
                // No page was ever seen to be cut: only a page that nothing on this relay has surpassed is suspicious.
                None => events >= super::super::limits::PAGE_SUSPICIOUS_MIN && events >= self.largest,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_is_what_pages_show() {
        let mut cap = CapKnowledge::new(5_000, None);
        cap.saw_page(500);
        cap.saw_cut(500);
        assert!(cap.may_be_cut(500));
        assert!(!cap.may_be_cut(499));
    }

    #[test]
    fn without_a_proof_only_the_largest_page_is_suspicious() {
        let mut cap = CapKnowledge::new(5_000, None);
        cap.saw_page(40);
        assert!(cap.may_be_cut(40));
        assert!(!cap.may_be_cut(39));
        let mut tiny = CapKnowledge::new(5_000, None);
        tiny.saw_page(1);
        assert!(!tiny.may_be_cut(1), "one event alone is no full page");
    }

    #[test]
    fn our_own_limit_and_the_relays_word_add_suspicion_only() {
        let mut cap = CapKnowledge::new(100, Some(10));
        cap.saw_page(1_000);
        cap.saw_cut(1_000);
        assert!(cap.may_be_cut(10));
        assert!(cap.may_be_cut(100));
        assert!(!cap.may_be_cut(9));
    }
}
