//! Seconds that fill a page: split by everything that a filter knows, or left open by name (CAPTURE 2.5).

use std::collections::BTreeSet;

use super::super::Stopped;
use super::super::limits::{
    AUTHORS_PER_QUESTION, LIMIT_RAISE, PREFIX_QUESTIONS_MAX, SETTLE_ROUNDS_MAX, SPLIT_SECONDS_MAX,
};
use super::asking::{Asker, Skill};
use super::bisect::Aim;
use super::frame::Hint;
use super::page::Page;
use super::question::{Narrow, Question, Span};
use super::walk::{Closed, Proof, Stuck, Walk};

impl Asker<'_> {
    /// Looks again at what was learned later: windows as large as a page that was cut elsewhere, and crowded seconds.
    /// Only now, because a cap that shows itself on the last kind also judges the first, and an author who is known only
    /// now may have written in the first second.
    pub(super) async fn settle(&mut self, walk: &mut Walk) -> Result<(), Stopped> {
        if walk.failure().is_some() || self.gave_up.is_some() {
            return Ok(());
        }
        self.talk.begin_kind();
        let mut parts = PREFIX_QUESTIONS_MAX;
        for round in 0..SETTLE_ROUNDS_MAX {
            let (cap, names, held) = (self.cap, walk.tally.names(), walk.tally.items());
            let (doubtful, closed): (Vec<_>, Vec<_>) =
                walk.closed.drain(..).partition(|closed| Walk::is_doubtful(closed, &cap));
            walk.closed = closed;
            for window in doubtful {
                if let Some(failure) = self.prove(walk, window.span, Aim::Prove).await? {
                    self.note_end(Some(&failure));
                    return Ok(());
                }
            }
            if round == 0
                && self.cap.is_unproven()
                && let Some((_, events)) = walk.saturated(&self.cap)
            {
                // One more than that of anything at all would show that the page was not full.
                let limit = u32::try_from(events.saturating_add(1)).unwrap_or(u32::MAX);
                self.measure(walk, Vec::new(), limit).await?;
            }
            self.split_seconds(walk, round == 0, &mut parts).await?;
            let is_calm = walk.tally.names() == names && walk.tally.items() == held;
            if is_calm && !walk.closed.iter().any(|closed| Walk::is_doubtful(closed, &self.cap)) {
                break;
            }
        }
        walk.forget_served();
        Ok(())
    }

    async fn split_seconds(&mut self, walk: &mut Walk, is_first: bool, parts: &mut u32) -> Result<(), Stopped> {
        let crowded = std::mem::take(&mut walk.stuck);
        for (at, (second, stuck)) in crowded.into_iter().enumerate() {
            let span = Span::second(second);
            let before = walk.tally.count(span);
            let proof = if !self.cap.may_be_cut(stuck.events, self.limit) {
                Some(Proof::Page { events: stuck.events, limit: self.limit, finished: stuck.finished })
            } else if at < SPLIT_SECONDS_MAX && self.split_second(walk, second, stuck.events, is_first, parts).await? {
                Some(Proof::Enumerated)
            } else {
                None
            };
            let held = walk.tally.count(span);
            if stuck.finished && held > before {
                self.cap.refute_finish();
            }
            let is_believed = stuck.finished && self.cap.is_finish(Hint::Finish) && !self.cap.varies();
            match if is_believed { Some(Proof::Finished) } else { proof } {
                Some(proof) => walk.closed.push(Closed { span, proof }),
                None => {
                    walk.stuck.insert(second, Stuck { events: held.max(stuck.events), ..stuck });
                }
            }
        }
        Ok(())
    }

    /// Tries everything that may bring the rest of a second; true when nothing of it is left.
    async fn split_second(
        &mut self,
        walk: &mut Walk,
        second: i64,
        events: u64,
        is_first: bool,
        parts: &mut u32,
    ) -> Result<bool, Stopped> {
        let span = Span::second(second);
        if is_first && (self.by_larger_limit(walk, span, events).await? || self.by_list(walk, span).await?) {
            return Ok(true);
        }
        // These split what is known: only a count can say that nobody else wrote in that second.
        self.by_authors(walk, span).await?;
        if self.by_count(walk, span).await? {
            return Ok(true);
        }
        if !is_first {
            return Ok(false);
        }
        let names = walk.tally.names();
        if self.by_prefix(walk, span, parts).await? {
            return Ok(true);
        }
        if walk.tally.names() > names {
            self.by_authors(walk, span).await?;
        }
        self.by_count(walk, span).await
    }

    async fn by_larger_limit(&mut self, walk: &mut Walk, span: Span, events: u64) -> Result<bool, Stopped> {
        if events < u64::from(self.limit) {
            return Ok(false);
        }
        let limit = self.limit.saturating_mul(LIMIT_RAISE);
        let question = Question { limit, ..self.question(walk.kind, span) };
        let answer = self.ask(walk, &question).await?;
        Ok(answer.failure.is_none() && !self.cap.may_be_cut(answer.page.size(), limit))
    }

    /// A relay that can't list the whole slice may list one second.
    async fn by_list(&mut self, walk: &mut Walk, span: Span) -> Result<bool, Stopped> {
        if self.reconciles != Skill::Has || self.doubts.lists_lack {
            return Ok(false);
        }
        for _ in 0..2 {
            let Ok(found) = self.reconcile(walk, span).await? else { return Ok(false) };
            if found.need.is_empty() {
                return Ok(true);
            }
            let before = walk.unserved.len();
            let fetched = self.fetch_listed(walk, span, found.need, false).await?;
            if fetched != Ok(true) || walk.unserved.len() > before {
                return Ok(false);
            }
        }
        Ok(false)
    }

    async fn by_count(&mut self, walk: &mut Walk, span: Span) -> Result<bool, Stopped> {
        let counted = self.count(walk, span).await?;
        let held = walk.tally.count(span);
        Ok(!self.doubts.counts_low && counted.is_some_and(|counted| counted <= held))
    }

    /// Splits by the first byte of ids, then by the second. Relays older than the rule against it answer.
    async fn by_prefix(&mut self, walk: &mut Walk, span: Span, left: &mut u32) -> Result<bool, Stopped> {
        if self.cap.is_blank() || !self.takes_prefixes(walk, span).await? {
            return Ok(false);
        }
        let mut whole = true;
        // Where a single event fills a page, no smaller part proves anything.
        let deeper = !self.cap.may_be_cut(1, self.limit);
        for first in 0..=u8::MAX {
            match self.by_digits(walk, span, &[first], left).await? {
                None => return Ok(false),
                Some(true) => {}
                Some(false) if !deeper => whole = false,
                Some(false) => {
                    for next in 0..=u8::MAX {
                        whole &= self.by_digits(walk, span, &[first, next], left).await? == Some(true);
                    }
                }
            }
        }
        // An answer that was void once may have been so before anything was known that it lacked.
        Ok(whole && !self.doubts.voids)
    }

    /// Asks for the ids that begin with these bytes; one that lacks what is known is asked for again.
    async fn by_digits(
        &mut self,
        walk: &mut Walk,
        span: Span,
        bytes: &[u8],
        left: &mut u32,
    ) -> Result<Option<bool>, Stopped> {
        for _ in 0..2 {
            if *left == 0 {
                return Ok(None);
            }
            *left -= 1;
            let (given, page) = self.part(walk, span, Narrow::Prefix(faster_hex::hex_string(bytes))).await?;
            if page.frames.saturating_sub(page.events) > page.events.max(1) {
                // It gives what was not asked for: short ids are nothing to it after all.
                self.prefixes = Skill::Lacks;
                return Ok(None);
            }
            let lacks = given == Some(true) && walk.tally.lacking(span, bytes) > 0;
            self.doubts.voids |= lacks;
            if !(lacks || self.doubts.voids && page.events == 0) {
                return Ok(given);
            }
        }
        Ok(Some(walk.tally.lacking(span, bytes) == 0))
    }

    /// Asked with the first digits of an id that it gave, a relay that takes prefixes gives it again; one that does not
    /// refuses, or gives nothing.
    async fn takes_prefixes(&mut self, walk: &mut Walk, span: Span) -> Result<bool, Stopped> {
        if self.prefixes == Skill::Unknown {
            let Some(first) = walk.tally.between(span).first().map(|entry| entry.place.id[0]) else {
                return Ok(false);
            };
            let question =
                Question { narrow: Narrow::Prefix(format!("{first:02x}")), ..self.question(walk.kind, span) };
            let answer = self.ask(walk, &question).await?;
            // What takes them for nothing gives events that they do not begin.
            let takes =
                answer.failure.is_none() && answer.page.events > 0 && answer.page.frames <= 2 * answer.page.events;
            self.prefixes = if takes { Skill::Has } else { Skill::Lacks };
        }
        Ok(self.prefixes == Skill::Has)
    }

    /// Splits by the authors and `d` values seen in this slice, and by those that this brings to light.
    async fn by_authors(&mut self, walk: &mut Walk, span: Span) -> Result<(), Stopped> {
        let (mut authors, mut addresses) = (BTreeSet::new(), BTreeSet::new());
        loop {
            let new: Vec<String> = walk.tally.authors.difference(&authors).cloned().collect();
            let values: Vec<String> = walk.tally.addresses.difference(&addresses).cloned().collect();
            if new.is_empty() && values.is_empty() {
                return Ok(());
            }
            let mut parts: Vec<Narrow> =
                values.chunks(AUTHORS_PER_QUESTION).map(|part| Narrow::Addresses(part.to_vec())).collect();
            parts.extend(new.chunks(AUTHORS_PER_QUESTION).map(|part| Narrow::Authors(part.to_vec())));
            authors.extend(new);
            addresses.extend(values);
            while let Some(part) = parts.pop() {
                match self.part(walk, span, part.clone()).await?.0 {
                    None => return Ok(()),
                    Some(true) => {}
                    Some(false) => parts.extend(halves(part)),
                }
            }
        }
    }

    /// Asks for a part of a second: whether it was given whole, or `None` when it was not given at all; and its
    /// page.
    async fn part(&mut self, walk: &mut Walk, span: Span, narrow: Narrow) -> Result<(Option<bool>, Page), Stopped> {
        let question = Question { narrow, ..self.question(walk.kind, span) };
        let answer = self.ask(walk, &question).await?;
        let whole = answer.failure.is_none().then(|| !self.cap.may_be_cut(answer.page.size(), self.limit));
        Ok((whole, answer.page))
    }
}

/// The halves of a list that was too much; nothing of a single name.
fn halves(part: Narrow) -> Vec<Narrow> {
    let cut = |list: Vec<String>, narrow: fn(Vec<String>) -> Narrow| {
        if list.len() < 2 {
            return Vec::new();
        }
        let (first, second) = list.split_at(list.len() / 2);
        vec![narrow(first.to_vec()), narrow(second.to_vec())]
    };
    match part {
        Narrow::Authors(list) => cut(list, Narrow::Authors),
        Narrow::Addresses(list) => cut(list, Narrow::Addresses),
        _ => Vec::new(),
    }
}
