//! Completeness without the relay's help: collect downwards, then prove window by window (CAPTURE 2.5).
//!
//! The first pass follows the pages down and is quick. What it collected cuts time into windows that should hold less
//! than a page. The second pass asks each window: only a page strictly below every cap that this relay ever showed
//! closes it, anything else halves it, and an older event that the first pass did not bring calls for one more pass.

use super::super::Stopped;
use super::super::limits::{PASSES_MAX, WINDOW_FAILURES_MAX};
use super::asking::Asker;
use super::frame::Hint;
use super::page::{Answer, Page};
use super::question::Span;
use super::session::PageFailure;
use super::walk::{Closed, Ending, Proof, Stuck, Walk};
use crate::domain::{CompletenessBasis, Enumeration};

/// What the windows of a pass are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// Each must be closed, or be open by name.
    Prove,
    /// Lists vouch for what is known; whatever pages bring beside it is asked for.
    Check,
}

/// A window to ask, with the page of the window that it is a part of.
#[derive(Debug, Clone, Copy)]
struct Part {
    span: Span,
    around: Option<Page>,
}

/// The page of a window, with how much of what is known there it lacks.
struct Shown {
    page: Page,
    lacks: u64,
}

impl Asker<'_> {
    /// Fetches a slice by windows. `kinds` are all kinds of the fetch, to measure the page cap by.
    pub(super) async fn bisect(&mut self, walk: &mut Walk, kinds: &[u16]) -> Result<Ending, Stopped> {
        walk.enumeration = Enumeration::Bisected;
        walk.gone.clear();
        if let Some(ending) = self.collect(walk, kinds).await? {
            return Ok(ending);
        }
        for _ in 0..PASSES_MAX {
            walk.begin_pass();
            for tile in self.tiles(walk) {
                if let Some(failure) = self.prove(walk, tile, Aim::Prove).await? {
                    return Ok(Ending::Failed(failure));
                }
            }
            walk.forget_served();
            walk.agreed = walk.tally.surprises == 0;
            if !walk.agreed {
                continue;
            }
            walk.counted = self.count(walk, walk.span).await?;
            if !walk.is_outcounted() {
                break;
            }
        }
        Ok(Ending::Bottom(CompletenessBasis::Exhausted))
    }

    /// Follows the pages down from the top, until nothing older comes. No end is asked for at first: events may be dated
    /// into the future.
    async fn collect(&mut self, walk: &mut Walk, kinds: &[u16]) -> Result<Option<Ending>, Stopped> {
        let mut span = walk.span;
        let mut above: Option<Page> = None;
        loop {
            let answer = self.ask(walk, &self.question(walk.kind, span)).await?;
            let page = answer.page;
            let mut is_full = true;
            if let Some(failure) = answer.failure {
                walk.failures += 1;
                if failure.ends_fetch() || page.fresh == 0 || walk.failures > WINDOW_FAILURES_MAX {
                    return Ok(Some(Ending::Failed(failure)));
                }
                // What broke off shows nothing of a cap.
                above = None;
            } else {
                if let Some(above) = above.filter(|_| page.fresh > 0) {
                    self.learn_cut(&above);
                }
                if page.frames > 0 && walk.tally.items() == 0 {
                    return Ok(Some(Ending::Blind));
                }
                // One kind alone would only give the same page again.
                if page.events > 0 && kinds.len() > 1 && !self.measured && self.cap.is_unproven() {
                    self.measured = true;
                    self.measure(walk, kinds.to_vec(), self.limit).await?;
                }
                is_full = self.cap.may_be_cut(page.size(), self.limit) || self.cap.is_more(page.hint);
                // Where pages are tiny, only an empty one below everything known ends the way down: a small cap may differ
                // from one page to the next.
                if !is_full && page.fresh == 0 && (page.events == 0 || !self.cap.is_tiny()) {
                    return Ok(None);
                }
                above = Some(page);
            }
            let Some(oldest) = page.oldest else { return Ok(None) };
            // The second at the edge of a full page may be cut: it is asked again, inclusive, and then stepped over.
            let next = if is_full && span.until != Some(oldest) { oldest } else { oldest.saturating_sub(1) };
            if span.from.is_some_and(|from| next < from) || next == i64::MIN {
                return Ok(None);
            }
            span = span.below(next);
        }
    }

    /// Learns from a page that is proven to have left something out.
    fn learn_cut(&mut self, page: &Page) {
        if page.hint == Hint::Finish {
            self.cap.refute_finish();
        }
        // Our own limit says nothing of the relay's.
        if page.events < u64::from(self.limit) {
            self.cap.saw_cut(page.events);
        }
    }

    /// Cuts the slice into windows that hold, as far as is known, comfortably less than a page; newest first.
    pub(super) fn tiles(&self, walk: &mut Walk) -> Vec<Span> {
        let most = self.cap.comfortable(self.limit);
        let span = walk.span;
        let mut tiles = Vec::new();
        let (mut from, mut count) = (span.from, 0_u64);
        let entries = walk.tally.between(span);
        let seconds = entries.chunk_by(|a, b| a.place.time == b.place.time);
        for (time, events) in seconds.map(|part| (part[0].place.time, u64::try_from(part.len()).unwrap_or(u64::MAX))) {
            if count > 0 && count.saturating_add(events) > most || events > most && from < Some(time) {
                tiles.push(Span { from, until: Some(time.saturating_sub(1)) });
                (from, count) = (Some(time), 0);
            }
            count = count.saturating_add(events);
            if events > most {
                tiles.push(Span::second(time));
                (from, count) = (Some(time.saturating_add(1)), 0);
            }
        }
        if span.until.is_none_or(|until| from.is_none_or(|from| from <= until)) {
            tiles.push(Span { from, until: span.until });
        }
        tiles.reverse();
        tiles
    }

    /// Asks a window, and its parts as long as they may hold more than they gave. A failure that ends the slice comes
    /// back.
    pub(super) async fn prove(
        &mut self,
        walk: &mut Walk,
        whole: Span,
        aim: Aim,
    ) -> Result<Option<PageFailure>, Stopped> {
        let mut parts = vec![Part { span: whole, around: None }];
        while let Some(Part { span, around }) = parts.pop() {
            let surprises = walk.tally.surprises;
            let shown = match self.show(walk, span).await? {
                Ok(shown) => shown,
                Err(failure) => {
                    walk.failures += 1;
                    let smaller = span.split(walk.tally.times(span));
                    if failure.ends_fetch() || smaller.is_empty() || walk.failures > WINDOW_FAILURES_MAX {
                        walk.open.push((span, failure.to_string()));
                        return Ok(Some(failure));
                    }
                    parts.extend(smaller.into_iter().map(|span| Part { span, around: None }));
                    continue;
                }
            };
            if let Some(around) = around.filter(|_| walk.tally.surprises > surprises) {
                self.learn_cut(&around);
            }
            if self.weigh(walk, span, &shown, aim) {
                let smaller = span.split(walk.tally.times(span));
                parts.extend(smaller.into_iter().map(|span| Part { span, around: Some(shown.page) }));
            }
        }
        Ok(None)
    }

    /// Asks a window. A page that lacks what is known there, and an empty one, are asked for again: the first may be
    /// cut, the second void.
    async fn show(&mut self, walk: &mut Walk, span: Span) -> Result<Result<Shown, PageFailure>, Stopped> {
        let question = self.question(walk.kind, span);
        let Answer { page, failure } = self.ask(walk, &question).await?;
        if let Some(failure) = failure {
            return Ok(Err(failure));
        }
        let lacks = walk.tally.lacking(span, &[]);
        if self.cap.may_be_cut(page.size(), self.limit) {
            if self.cap.may_be_cut(page.events, self.limit) {
                return Ok(Ok(Shown { page, lacks }));
            }
            // Full of what was not asked for: that may have been a whim.
            let again = self.ask(walk, &question).await?;
            let lacks_again = walk.tally.lacking(span, &[]);
            let is_better = again.failure.is_none() && again.page.size() < page.size() && lacks_again <= lacks;
            return Ok(Ok(if is_better {
                Shown { page: again.page, lacks: lacks_again }
            } else {
                Shown { page, lacks }
            }));
        }
        if self.cap.is_more(page.hint) && !self.is_more_below(walk, span, &page).await? {
            self.cap.refute_more();
        }
        if lacks == 0 && page.events > 0 {
            return Ok(Ok(Shown { page, lacks }));
        }
        let again = self.ask(walk, &question).await?;
        if let Some(failure) = again.failure {
            return Ok(Err(failure));
        }
        let lacks_again = walk.tally.lacking(span, &[]);
        if again.page.fresh > 0 || lacks_again < lacks {
            self.doubts.voids |= page.events == 0;
            self.learn_cut(&page);
        }
        if lacks_again > 0 && self.cap.is_finish(again.page.hint) && again.page.events > 0 {
            self.cap.refute_finish();
        }
        Ok(Ok(Shown { page: again.page, lacks: lacks_again }))
    }

    /// Whether a page below one that says `more`, or above it where the oldest come first, has what that one left out.
    async fn is_more_below(&mut self, walk: &mut Walk, span: Span, page: &Page) -> Result<bool, Stopped> {
        let (Some(oldest), Some(newest)) = (page.oldest, page.newest) else { return Ok(false) };
        for part in [span.below(oldest), span.above(newest)] {
            let answer = self.ask(walk, &self.question(walk.kind, part)).await?;
            if answer.failure.is_none() && answer.page.fresh > 0 {
                self.learn_cut(page);
            }
            // A second that fills a page may hold the rest.
            if answer.failure.is_some() || answer.page.fresh > 0 || answer.page.events >= page.events {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Closes a window, or names it open; true when its parts have to be asked.
    fn weigh(&mut self, walk: &mut Walk, span: Span, shown: &Shown, aim: Aim) -> bool {
        let Shown { page, lacks } = shown;
        let finished = page.hint == Hint::Finish;
        let closed = Closed { span, proof: Proof::Page { events: page.size(), limit: self.limit, finished } };
        let (cap, limit) = (self.cap, self.limit);
        let is_cut = |size| cap.may_be_cut(size, limit);
        let is_full = is_cut(page.size()) || self.cap.is_more(page.hint);
        if !is_full && (*lacks == 0 || aim == Aim::Check) {
            walk.closed.push(closed);
        } else if page.events == 0 {
            if *lacks > 0 && page.frames == 0 {
                self.cap.saw_blank();
            }
            let reason = if page.frames > 0 {
                "answered with what was not asked for"
            } else {
                "an empty answer proves nothing here"
            };
            walk.open.push((span, reason.to_owned()));
        } else if is_full && !is_cut(page.size().saturating_sub(page.timeless)) && !self.cap.is_more(page.hint) {
            // Halving would bring the same again.
            walk.open.push((span, "holds records without a readable time".to_owned()));
        } else if let Some(second) = span.from.filter(|_| span.is_second()) {
            if is_full {
                walk.stuck.insert(second, Stuck { events: page.size(), finished });
            } else {
                walk.open.push((span, format!("an answer lacks {lacks} events that were given before")));
            }
        } else {
            return true;
        }
        false
    }
}
