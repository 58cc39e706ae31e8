//! One kind on one relay: what was done, and on what basis the answer is believed (CAPTURE 2.5).

use std::collections::BTreeMap;

use super::super::limits::REASON_CHARS_MAX;
use super::cap::CapKnowledge;
use super::certificate;
use super::frame::Hint;
use super::question::Span;
use super::session::PageFailure;
use super::tally::Tally;
use crate::domain::{
    Backing, CompletenessBasis, Digest32, Enumeration, FetchReceipt, Sign, Slice, SliceEnd, SourceId, UnixSeconds,
    inert_limited,
};

/// One kind, fetched as far as it goes. The basis is settled only when every page of the relay is known.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) kind: u16,
    pub(super) span: Span,
    pub(super) tally: Tally,
    pub(super) retries: u32,
    /// Windows that could not be read to their end.
    pub(super) failures: u32,
    pub(super) enumeration: Enumeration,
    /// Windows with the reason why they are closed.
    pub(super) closed: Vec<Closed>,
    /// Seconds that fill a page.
    pub(super) stuck: BTreeMap<i64, Stuck>,
    /// Windows that stay open.
    pub(super) open: Vec<(Span, String)>,
    /// Ids that the relay lists and does not give.
    pub(super) unserved: Vec<[u8; 32]>,
    /// Ids that it gave and neither lists nor gives any more.
    pub(super) gone: Vec<[u8; 32]>,
    /// Its own exact count.
    pub(super) counted: Option<u64>,
    /// Two passes in a row brought the same.
    pub(super) agreed: bool,
    pub(super) ending: Ending,
}

/// A window that holds no more than was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) span: Span,
    pub(super) proof: Proof,
}

/// A second that fills a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stuck {
    /// The size of that page.
    pub(super) events: u64,
    /// It said that nothing is left.
    pub(super) finished: bool,
}

/// Why a window is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// A page of this size, asked for with that limit, stayed below the cap; whether it said that nothing is left.
    Page { events: u64, limit: u32, finished: bool },
    /// A full page said that nothing is left (NIP-67), and nothing that was asked after it brought more.
    Finished,
    /// The relay listed it, or counted as many as it gave, or gave it in parts that all stayed below the cap.
    Enumerated,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nothing more is there, on this basis.
    Bottom(CompletenessBasis),
    /// The relay answered, but never with anything that was asked for.
    Blind,
    Failed(PageFailure),
}

impl Walk {
    pub(super) fn new(kind: u16, span: Span) -> Self {
        Self {
            kind,
            span,
            tally: Tally::default(),
            retries: 0,
            failures: 0,
            enumeration: Enumeration::Bisected,
            closed: Vec::new(),
            stuck: BTreeMap::new(),
            open: Vec::new(),
            unserved: Vec::new(),
            gone: Vec::new(),
            counted: None,
            agreed: false,
            ending: Ending::Blind,
        }
    }

    pub(super) fn failure(&self) -> Option<&PageFailure> {
        match &self.ending {
            Ending::Failed(failure) => Some(failure),
            _ => None,
        }
    }

    /// True when nothing that the relay still shows of its cap can change the judgement.
    pub(super) fn is_settled(&self) -> bool {
        let enumerated = |closed: &Closed| closed.proof == Proof::Enumerated;
        self.failure().is_some() || self.stuck.is_empty() && self.closed.iter().all(enumerated)
    }

    /// What one pass found is forgotten before the next one looks again.
    pub(super) fn begin_pass(&mut self) {
        self.tally.begin_pass(self.span.until.is_none());
        self.closed.clear();
        self.stuck.clear();
        self.open.clear();
    }

    /// Events that a relay could list or count: what has an id and a time.
    pub(super) fn listable(&mut self) -> u64 {
        self.tally.count(self.span)
    }

    /// Ids that were listed and came later, by another way, are served.
    pub(super) fn forget_served(&mut self) {
        if self.unserved.is_empty() {
            return;
        }
        let mut held: Vec<[u8; 32]> = self.tally.between(self.span).iter().map(|entry| entry.place.id).collect();
        held.sort_unstable();
        self.unserved.retain(|id| held.binary_search(id).is_err());
    }

    /// What the relay claims to hold now.
    pub(super) fn claimed(&mut self) -> u64 {
        let count = |ids: &[[u8; 32]]| u64::try_from(ids.len()).unwrap_or(u64::MAX);
        let (gone, unserved) = (count(&self.gone), count(&self.unserved));
        self.listable().saturating_sub(gone).saturating_add(unserved)
    }

    /// True when the relay counts more than it lists and gives.
    pub(super) fn is_outcounted(&mut self) -> bool {
        let claimed = self.claimed();
        self.counted.is_some_and(|counted| counted > claimed)
    }

    /// The record of this slice, judged with all that was learned about the relay's cap.
    pub(super) fn receipt(
        &mut self,
        source: &SourceId,
        cap: &CapKnowledge,
        information: Option<Digest32>,
    ) -> FetchReceipt {
        let (end, basis, reason) = self.judge(cap);
        let reason = inert_limited(&reason, REASON_CHARS_MAX);
        // A later capture may go on only where everything before is accounted for.
        let whole = end == SliceEnd::Ended && basis >= CompletenessBasis::Exhausted;
        let position = if whole { self.tally.position() } else { None };
        let certificate = certificate::write(self, cap, information, &reason);
        let slice = Slice {
            kind: self.kind.to_string(),
            from: self.span.from.map(UnixSeconds),
            until: self.span.until.map(UnixSeconds),
        };
        FetchReceipt {
            end,
            basis,
            items: self.tally.items(),
            retries: self.retries,
            misbehaved: self.tally.misbehaved,
            reason,
            signs: self.signs(),
            backing: Backing { certificate: Some(certificate), position, ..Backing::default() },
            ..FetchReceipt::whole(source.clone(), slice)
        }
    }

    fn signs(&self) -> BTreeMap<Sign, u64> {
        let mut signs = self.tally.signs();
        if self.is_blind() {
            signs.insert(Sign::Blind, 1);
        }
        signs
    }

    /// It answered, and nothing of it was asked for.
    fn is_blind(&self) -> bool {
        match self.ending {
            Ending::Bottom(_) => self.tally.items() == 0 && self.tally.strays > 0,
            Ending::Blind => true,
            Ending::Failed(_) => false,
        }
    }

    /// The first second that holds as much as the relay gives.
    pub(super) fn saturated(&self, cap: &CapKnowledge) -> Option<(i64, u64)> {
        let crowded = self.stuck.iter().map(|(second, stuck)| (second, &stuck.events));
        let crowded = crowded.filter(|(_, events)| cap.may_be_cut(**events, u32::MAX));
        // The most crowded, the earliest of equals.
        crowded.map(|(second, events)| (*second, *events)).max_by_key(|(second, events)| (*events, -*second))
    }

    /// A window whose page turned out to be as large as the relay gives.
    pub(super) fn is_doubtful(closed: &Closed, cap: &CapKnowledge) -> bool {
        match closed.proof {
            Proof::Page { events, limit, .. } => cap.may_be_cut(events, limit),
            Proof::Finished => !cap.is_finish(Hint::Finish),
            Proof::Enumerated => false,
        }
    }

    /// True when every window was ended with a word that nothing is left, and nothing that came later refutes it.
    fn is_finished(&self, cap: &CapKnowledge) -> bool {
        let says = |closed: &Closed| matches!(closed.proof, Proof::Page { finished: true, .. } | Proof::Finished);
        cap.is_finish(Hint::Finish) && self.stuck.is_empty() && self.closed.iter().all(says)
    }

    fn judge(&mut self, cap: &CapKnowledge) -> (SliceEnd, CompletenessBasis, String) {
        use CompletenessBasis::{Heuristic, None, Saturated};
        let ended = |basis, reason: String| (SliceEnd::Ended, basis, reason);
        if let Ending::Failed(failure) = &self.ending {
            return (failure.slice_end(), None, failure.to_string());
        }
        // INV-8: a contradicted claim is withdrawn.
        if self.tally.contradicted {
            return ended(None, "stored events came after the end-of-stored-events".to_owned());
        }
        let claimed = match self.ending {
            Ending::Bottom(basis) if !self.is_blind() => basis,
            _ => return ended(None, "answered only with events that were not asked for".to_owned()),
        };
        if !self.unserved.is_empty() {
            let (lists, lacks) = (self.claimed(), self.unserved.len());
            return ended(None, format!("lists {lists} events and does not give {lacks} of them"));
        }
        if self.is_outcounted() {
            let (counted, gave) = (self.counted.unwrap_or_default(), self.listable());
            return ended(None, format!("counts {counted} events and gives {gave}"));
        }
        if let Some((second, events)) = self.saturated(cap) {
            let reason = format!("the second {second} holds at least {events} events, as many as the relay gives");
            return ended(Saturated, reason);
        }
        if let Some((_, reason)) = self.open.first() {
            return ended(Heuristic, reason.clone());
        }
        if self.closed.iter().any(|closed| Self::is_doubtful(closed, cap)) {
            return ended(Heuristic, "a window fills a page of the relay".to_owned());
        }
        // What was listed and came makes up for messages that could not be read.
        if self.tally.unread > 0 && claimed != CompletenessBasis::SetEqual {
            return ended(Heuristic, format!("{} messages could not be read", self.tally.unread));
        }
        if !self.agreed {
            return ended(Heuristic, "older events appeared in every pass".to_owned());
        }
        let finished = claimed == CompletenessBasis::Exhausted && self.is_finished(cap);
        ended(if finished { CompletenessBasis::FinishHint } else { claimed }, String::new())
    }
}
