//! Seconds that fill a page: split by everything that a filter knows, or left open by name (CAPTURE 2.5).

use super::super::Stopped;
use super::super::limits::{AUTHORS_PER_QUESTION, LIMIT_RAISE, SPLIT_SECONDS_MAX};
use super::asking::{Asker, Skill};
use super::question::{Narrow, Question, Span};
use super::walk::{Closed, Proof, Walk};

impl Asker<'_> {
    /// Looks again at what later kinds cast doubt on: windows as large as a page that was cut elsewhere, and crowded
    /// seconds. Only now, because a cap that shows itself on the last kind also judges the first.
    pub(super) async fn settle(&mut self, walk: &mut Walk) -> Result<(), Stopped> {
        if walk.failure().is_some() || self.gave_up.is_some() {
            return Ok(());
        }
        self.talk.begin_kind();
        let cap = self.cap;
        let (doubtful, closed): (Vec<_>, Vec<_>) =
            walk.closed.drain(..).partition(|closed| Walk::is_doubtful(closed, &cap));
        walk.closed = closed;
        for window in doubtful {
            if let Some(failure) = self.prove(walk, window.span).await? {
                self.note_end(Some(&failure));
                return Ok(());
            }
        }
        if self.cap.is_unproven()
            && let Some((_, events)) = walk.saturated(&self.cap)
        {
            // One more than that of anything at all would show that the page was not full.
            let limit = u32::try_from(events.saturating_add(1)).unwrap_or(u32::MAX);
            self.measure(walk, Vec::new(), limit).await?;
        }
        let crowded = std::mem::take(&mut walk.stuck);
        for (at, (second, events)) in crowded.into_iter().enumerate() {
            let span = Span::second(second);
            let is_full = self.cap.may_be_cut(events, self.limit);
            if !is_full || at < SPLIT_SECONDS_MAX && self.split_second(walk, second, events).await? {
                walk.closed.push(Closed { span, proof: Proof::Enumerated });
            } else {
                let held = walk.tally.count(span);
                walk.stuck.insert(second, held.max(events));
            }
        }
        Ok(())
    }

    /// Tries everything that may bring the rest of a second; true when nothing of it is left.
    async fn split_second(&mut self, walk: &mut Walk, second: i64, events: u64) -> Result<bool, Stopped> {
        let span = Span::second(second);
        Ok(self.by_larger_limit(walk, span, events).await?
            || self.by_list(walk, span).await?
            || self.by_count(walk, span).await?
            || self.by_prefix(walk, span).await?
            // These split what is known: only a count can say that nobody else wrote in that second.
            || self.by_authors(walk, span).await? && self.by_count(walk, span).await?)
    }

    async fn by_larger_limit(&mut self, walk: &mut Walk, span: Span, events: u64) -> Result<bool, Stopped> {
        if events < u64::from(self.limit) {
            return Ok(false);
        }
        let limit = self.limit.saturating_mul(LIMIT_RAISE);
        let question = Question { limit, ..self.question(walk.kind, span) };
        let answer = self.ask(walk, &question).await?;
        Ok(answer.failure.is_none() && !self.cap.may_be_cut(answer.page.events, limit))
    }

    /// A relay that can't list the whole slice may list one second.
    async fn by_list(&mut self, walk: &mut Walk, span: Span) -> Result<bool, Stopped> {
        if self.reconciles != Skill::Has {
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
        Ok(counted.is_some_and(|counted| counted <= held))
    }

    /// Splits by the first byte of ids, then by the second. Relays older than the rule against it answer.
    async fn by_prefix(&mut self, walk: &mut Walk, span: Span) -> Result<bool, Stopped> {
        if !self.takes_prefixes(walk, span).await? {
            return Ok(false);
        }
        let mut whole = true;
        for first in 0..=u8::MAX {
            let prefix = format!("{first:02x}");
            match self.part(walk, span, Narrow::Prefix(prefix.clone())).await? {
                None => return Ok(false),
                Some(true) => {}
                Some(false) => {
                    for next in 0..=u8::MAX {
                        let longer = Narrow::Prefix(format!("{prefix}{next:02x}"));
                        whole &= self.part(walk, span, longer).await? == Some(true);
                    }
                }
            }
        }
        Ok(whole)
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
            let takes = answer.failure.is_none() && answer.page.events > 0;
            self.prefixes = if takes { Skill::Has } else { Skill::Lacks };
        }
        Ok(self.prefixes == Skill::Has)
    }

    /// Splits by the authors and `d` values seen in this slice; false when a part could not be read whole.
    async fn by_authors(&mut self, walk: &mut Walk, span: Span) -> Result<bool, Stopped> {
        let authors: Vec<String> = walk.tally.authors.iter().cloned().collect();
        let addresses: Vec<String> = walk.tally.addresses.iter().cloned().collect();
        let mut parts: Vec<Narrow> =
            addresses.chunks(AUTHORS_PER_QUESTION).map(|part| Narrow::Addresses(part.to_vec())).collect();
        parts.extend(authors.chunks(AUTHORS_PER_QUESTION).map(|part| Narrow::Authors(part.to_vec())));
        while let Some(part) = parts.pop() {
            match self.part(walk, span, part.clone()).await? {
                None => return Ok(false),
                Some(true) => {}
                Some(false) => parts.extend(halves(part)),
            }
        }
        Ok(true)
    }

    /// Asks for a part of a second: whether it was given whole, or `None` when it was not given at all.
    async fn part(&mut self, walk: &mut Walk, span: Span, narrow: Narrow) -> Result<Option<bool>, Stopped> {
        let question = Question { narrow, ..self.question(walk.kind, span) };
        let answer = self.ask(walk, &question).await?;
        Ok(answer.failure.is_none().then(|| !self.cap.may_be_cut(answer.page.events, self.limit)))
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
