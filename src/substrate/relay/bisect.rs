//! Completeness without the relay's help: collect downwards, then prove window by window (CAPTURE 2.5).
//!
//! The first pass follows the pages down and is quick. What it collected cuts time into windows that should hold less
//! than a page. The second pass asks each window: only a page strictly below every cap that this relay ever showed
//! closes it, anything else halves it, and an older event that the first pass did not bring calls for one more pass.

use super::super::Stopped;
use super::super::limits::{PASSES_MAX, WINDOW_FAILURES_MAX};
use super::asking::Asker;
use super::frame::Hint;
use super::page::Page;
use super::question::Span;
use super::session::PageFailure;
use super::walk::{Closed, Ending, Proof, Walk};
use crate::domain::{CompletenessBasis, Enumeration};

/// How the first pass ended.
enum Collected {
    Bottom,
    Finished,
}

impl Asker<'_> {
    /// Fetches a slice by windows. `kinds` are all kinds of the fetch, to measure the page cap by.
    pub(super) async fn bisect(&mut self, walk: &mut Walk, kinds: &[u16]) -> Result<Ending, Stopped> {
        walk.enumeration = Enumeration::Bisected;
        walk.gone.clear();
        match self.collect(walk, kinds).await? {
            Err(ending) => return Ok(ending),
            Ok(Collected::Finished) => {
                walk.closed = vec![Closed { span: walk.span, proof: Proof::Finished }];
                return Ok(Ending::Bottom(CompletenessBasis::FinishHint));
            }
            Ok(Collected::Bottom) => {}
        }
        for _ in 0..PASSES_MAX {
            walk.begin_pass();
            for tile in self.tiles(walk) {
                if let Some(failure) = self.prove(walk, tile).await? {
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
        let finished = walk.closed.iter().all(|closed| closed.proof == Proof::Finished);
        Ok(Ending::Bottom(if finished { CompletenessBasis::FinishHint } else { CompletenessBasis::Exhausted }))
    }

    /// Follows the pages down from the top. No end is asked for at first: events may be dated into the future.
    async fn collect(&mut self, walk: &mut Walk, kinds: &[u16]) -> Result<Result<Collected, Ending>, Stopped> {
        let mut span = walk.span;
        let mut above: Option<Page> = None;
        loop {
            let answer = self.ask(walk, &self.question(walk.kind, span)).await?;
            let page = answer.page;
            if let Some(failure) = answer.failure {
                walk.failures += 1;
                if failure.ends_fetch() || page.fresh == 0 || walk.failures > WINDOW_FAILURES_MAX {
                    return Ok(Err(Ending::Failed(failure)));
                }
            } else {
                self.learn(above.map(|above| above.events).filter(|_| page.fresh > 0), &page);
                if page.hint == Hint::Finish {
                    // Nothing is left below; what the pages above left out is another matter.
                    return Ok(Ok(if above.is_none() { Collected::Finished } else { Collected::Bottom }));
                }
                if page.frames > 0 && page.events == 0 {
                    return Ok(Err(Ending::Blind));
                }
                // One kind alone would only give the same page again.
                if page.events > 0 && kinds.len() > 1 && !self.measured && self.cap.is_unproven() {
                    self.measured = true;
                    self.measure(walk, kinds.to_vec(), self.limit).await?;
                }
                if !self.cap.may_be_cut(page.events, self.limit) {
                    return Ok(Ok(Collected::Bottom));
                }
            }
            let Some(oldest) = page.oldest else { return Ok(Ok(Collected::Bottom)) };
            // The second at the edge may be cut: it is asked again, inclusive, and then stepped over.
            let next = if span.until == Some(oldest) { oldest.saturating_sub(1) } else { oldest };
            if next < span.from.unwrap_or(0) {
                return Ok(Ok(Collected::Bottom));
            }
            span = span.below(next);
            above = Some(page);
        }
    }

    /// Learns from a page, and from the one above it or around it when this one has what that one should have had.
    fn learn(&mut self, proven_cut: Option<u64>, page: &Page) {
        if let Some(events) = proven_cut {
            self.cap.saw_cut(events);
        }
        if page.hint == Hint::More {
            self.cap.saw_cut(page.events);
        }
    }

    /// Cuts the slice into windows that hold, as far as is known, comfortably less than a page; newest first.
    fn tiles(&self, walk: &mut Walk) -> Vec<Span> {
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
    pub(super) async fn prove(&mut self, walk: &mut Walk, whole: Span) -> Result<Option<PageFailure>, Stopped> {
        let mut parts: Vec<(Span, Option<u64>)> = vec![(whole, None)];
        while let Some((span, around)) = parts.pop() {
            let (known, surprises) = (walk.tally.count(span), walk.tally.surprises);
            let answer = self.ask(walk, &self.question(walk.kind, span)).await?;
            let page = answer.page;
            let times = walk.tally.times(span);
            if let Some(failure) = answer.failure {
                walk.failures += 1;
                let smaller = span.split(times);
                if failure.ends_fetch() || smaller.is_empty() || walk.failures > WINDOW_FAILURES_MAX {
                    walk.open.push((span, failure.to_string()));
                    return Ok(Some(failure));
                }
                parts.extend(smaller.into_iter().map(|part| (part, None)));
                continue;
            }
            self.learn(around.filter(|_| walk.tally.surprises > surprises), &page);
            let proof = Proof::Page { events: page.events, limit: self.limit };
            let is_full = self.cap.may_be_cut(page.events, self.limit);
            if page.hint == Hint::Finish {
                walk.closed.push(Closed { span, proof: Proof::Finished });
            } else if !is_full && page.events >= known {
                walk.closed.push(Closed { span, proof });
            } else if is_full && !self.cap.may_be_cut(page.events.saturating_sub(page.timeless), self.limit) {
                // Halving would bring the same again.
                walk.open.push((span, "holds records without a readable time".to_owned()));
            } else {
                let smaller = span.split(times);
                match span.from.filter(|_| smaller.is_empty()) {
                    Some(second) if is_full => {
                        walk.stuck.insert(second, page.events);
                    }
                    Some(_) => walk.closed.push(Closed { span, proof }),
                    None => parts.extend(smaller.into_iter().map(|part| (part, Some(page.events)))),
                }
            }
        }
        Ok(None)
    }
}
