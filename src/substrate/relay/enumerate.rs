//! Completeness with the relay's help (NIP-77): it lists its ids from nothing, gives the events, and lists no more than
//! we then hold.

use super::super::Stopped;
use super::super::limits::{
    CHECKED_EVENTS_MAX, CHECKED_WINDOWS, NEG_SPLITS_MAX, PASSES_MAX, UNSERVED_BATCHES_MAX, UNSERVED_SINGLES_MAX,
};
use super::asking::{Asker, Skill};
use super::bisect::Aim;
use super::question::{Narrow, Question, Span};
use super::reconcile::{Difference, Refusal};
use super::session::PageFailure;
use super::tally::Wanted;
use super::walk::{Closed, Ending, Proof, Walk};
use crate::domain::{CompletenessBasis, Enumeration, NostrEventId};

/// What one pass over all windows came to.
enum Pass {
    Done {
        /// Ids that the relay gave and does not list, though it still gives them.
        hidden: usize,
    },
    Ends(Ending),
    /// The relay can't be enumerated.
    Useless,
}

impl Asker<'_> {
    /// Fetches a slice by what the relay lists; `None` when it has to be fetched by windows.
    pub(super) async fn enumerate(&mut self, walk: &mut Walk) -> Result<Option<Ending>, Stopped> {
        if self.reconciles == Skill::Lacks {
            return Ok(None);
        }
        walk.enumeration = Enumeration::Reconciled;
        let mut windows = vec![walk.span];
        let mut contradicted = false;
        for pass in 0..=PASSES_MAX {
            let is_first = pass == 0;
            walk.begin_pass();
            let unserved = walk.unserved.clone();
            match self.pass(walk, &mut windows, is_first).await? {
                Pass::Ends(ending) => return Ok(Some(ending)),
                Pass::Useless => {
                    // What it once listed it still owes.
                    walk.unserved.extend(unserved);
                    walk.unserved.sort_unstable();
                    walk.unserved.dedup();
                    return Ok(None);
                }
                // Its lists hide what it gives: asked once more, then believed no longer.
                Pass::Done { hidden } if hidden > 0 && contradicted => {
                    self.doubts.lists_lack = true;
                    return Ok(None);
                }
                Pass::Done { hidden } => contradicted = hidden > 0,
            }
            if is_first && let Some(failure) = self.check_lists(walk).await? {
                return Ok(Some(Ending::Failed(failure)));
            }
            walk.agreed = !is_first && walk.tally.surprises == 0 && !contradicted;
            if !walk.agreed {
                continue;
            }
            walk.counted = self.count(walk, walk.span).await?;
            if !walk.is_outcounted() {
                break;
            }
        }
        self.ask_unlistable(walk).await?;
        Ok(Some(Ending::Bottom(CompletenessBasis::SetEqual)))
    }

    /// Asks for the windows of plain pages what the lists may hide: all of them in a small slice, else those at both
    /// edges and some between.
    async fn check_lists(&mut self, walk: &mut Walk) -> Result<Option<PageFailure>, Stopped> {
        let is_small = walk.listable() <= CHECKED_EVENTS_MAX;
        let tiles = self.tiles(walk);
        let (last, step) = (tiles.len().saturating_sub(1), (tiles.len() / CHECKED_WINDOWS).max(1));
        let listed = std::mem::take(&mut walk.closed);
        for (at, tile) in tiles.into_iter().enumerate() {
            if (is_small || at % step == 0 || at == last)
                && let Some(failure) = self.prove(walk, tile, Aim::Check).await?
            {
                return Ok(Some(failure));
            }
        }
        for edge in Self::edges(walk) {
            if let Some(failure) = self.prove(walk, edge, Aim::Check).await? {
                return Ok(Some(failure));
            }
        }
        walk.closed = listed;
        walk.stuck.clear();
        walk.open.clear();
        Ok(None)
    }

    /// What lies below and above everything known, where a list that begins late or ends early hides all at once: a page
    /// of known events there would show nothing, an empty one does.
    fn edges(walk: &mut Walk) -> Vec<Span> {
        let span = walk.span;
        let known = walk.tally.between(span);
        let (Some(oldest), Some(newest)) =
            (known.first().map(|it| it.place.time), known.last().map(|it| it.place.time))
        else {
            return Vec::new();
        };
        let below = span.below(oldest.saturating_sub(1));
        let above = span.above(newest.saturating_add(1));
        let holds = |edge: &Span| edge.until.is_none_or(|until| edge.from.is_none_or(|from| from <= until));
        [below, above].into_iter().filter(holds).collect()
    }

    /// Asks for what no list can hold, what is dated before 1970, by windows. Relays that know no negative numbers
    /// understand zero.
    async fn ask_unlistable(&mut self, walk: &mut Walk) -> Result<(), Stopped> {
        let until = walk.span.until.unwrap_or(0).min(0);
        if walk.span.from.is_some_and(|from| from >= 0) || walk.tally.count(walk.span.below(-1)) == 0 {
            return Ok(());
        }
        let failure = self.prove(walk, walk.span.below(until), Aim::Prove).await?;
        tracing::debug!(kind = walk.kind, ?failure, "asked for what is dated before 1970");
        Ok(())
    }

    /// Compares every window, fetches what is listed and not held. Windows that are too large are cut for good.
    async fn pass(&mut self, walk: &mut Walk, windows: &mut Vec<Span>, is_first: bool) -> Result<Pass, Stopped> {
        let mut todo = std::mem::take(windows);
        let given_up = std::mem::take(&mut walk.unserved);
        walk.gone.clear();
        let (mut hidden, mut splits) = (0_usize, 0_u32);
        while let Some(span) = todo.pop() {
            let found = match self.reconcile(walk, span).await? {
                Ok(found) => found,
                Err(Refusal::TooMany) => {
                    splits += 1;
                    let parts = span.split(walk.tally.times(span));
                    let is_refusal = self.reconciles == Skill::Unknown && !self.lists_anything(walk).await?;
                    if is_refusal || parts.is_empty() || splits > NEG_SPLITS_MAX {
                        return Ok(Pass::Useless);
                    }
                    todo.extend(parts);
                    continue;
                }
                Err(Refusal::Unsupported) => {
                    self.reconciles = Skill::Lacks;
                    return Ok(Pass::Useless);
                }
                Err(Refusal::Failed(failure)) if failure.ends_fetch() => {
                    return Ok(Pass::Ends(Ending::Failed(failure)));
                }
                Err(Refusal::Failed(_)) => return Ok(Pass::Useless),
            };
            self.reconciles = Skill::Has;
            splits = 0;
            let Difference { need, have } = found;
            let (old, new): (Vec<_>, Vec<_>) = need.into_iter().partition(|id| given_up.binary_search(id).is_ok());
            match self.fetch_listed(walk, span, new, is_first).await? {
                Ok(true) => {}
                Ok(false) => return Ok(Pass::Useless),
                Err(failure) => return Ok(Pass::Ends(Ending::Failed(failure))),
            }
            walk.unserved.extend(old);
            hidden = hidden.saturating_add(self.still_given(walk, have).await?);
            walk.closed.push(Closed { span, proof: Proof::Enumerated });
            windows.push(span);
        }
        walk.unserved.sort_unstable();
        Ok(Pass::Done { hidden })
    }

    /// Whether a relay to which a slice is too much lists one second in which nothing can have happened. One that
    /// does not is not asked again.
    async fn lists_anything(&mut self, walk: &mut Walk) -> Result<bool, Stopped> {
        let lists = self.reconcile(walk, Span::second(1)).await?.is_ok();
        self.reconciles = if lists { Skill::Has } else { Skill::Lacks };
        Ok(lists)
    }

    /// Fetches what is listed in a window: by pages while they bring more than asking by id would, then by id. With
    /// `cross_check` at least one page is read, which shows whether the relay gives what it does not list. False when
    /// it does not answer questions for ids.
    pub(super) async fn fetch_listed(
        &mut self,
        walk: &mut Walk,
        whole: Span,
        need: Vec<[u8; 32]>,
        cross_check: bool,
    ) -> Result<Result<bool, PageFailure>, Stopped> {
        let batch = self.information.ids_per_question();
        walk.tally.wanted = Wanted::new(need);
        let mut span = whole;
        let mut must = cross_check;
        while must || walk.tally.wanted.left() > batch {
            let before = walk.tally.wanted.left();
            let answer = self.ask(walk, &self.question(walk.kind, span)).await?;
            match answer.failure {
                None => {}
                // Too much for it at once, perhaps; it may still give single events.
                Some(failure) if failure.may_be_of_size() => break,
                Some(failure) => return Ok(Err(failure)),
            }
            must = false;
            let Some(oldest) = answer.page.oldest else { break };
            if before - walk.tally.wanted.left() < batch {
                break;
            }
            let next = if span.until == Some(oldest) { oldest.saturating_sub(1) } else { oldest };
            if next < span.from.unwrap_or(0) {
                break;
            }
            span = span.below(next);
        }
        let mut failure = None;
        for size in [batch, 1] {
            failure = failure.or(self.fetch_ids(walk, size).await?);
        }
        walk.unserved.extend(walk.tally.wanted.missing());
        walk.tally.wanted = Wanted::default();
        Ok(match failure {
            Some(failure) if failure.ends_fetch() || walk.tally.items() == 0 => Err(failure),
            failure => Ok(failure.is_none()),
        })
    }

    /// Asks for what is wanted and did not come, so many ids at a time, until too many answers in a row lack some.
    async fn fetch_ids(&mut self, walk: &mut Walk, size: usize) -> Result<Option<PageFailure>, Stopped> {
        let most = if size == 1 { UNSERVED_SINGLES_MAX } else { UNSERVED_BATCHES_MAX };
        let mut fruitless = 0_u32;
        for batch in walk.tally.wanted.missing().chunks(size) {
            let before = walk.tally.wanted.left();
            let answer = self.ask(walk, &self.by_ids(walk.kind, batch)).await?;
            if answer.failure.is_some() {
                return Ok(answer.failure);
            }
            fruitless = if walk.tally.wanted.left() == before { fruitless + 1 } else { 0 };
            if fruitless >= most {
                break;
            }
        }
        Ok(None)
    }

    fn by_ids(&self, kind: u16, ids: &[[u8; 32]]) -> Question {
        let mut asked: Vec<NostrEventId> = ids.iter().map(|id| NostrEventId::from_bytes(*id)).collect();
        asked.sort_unstable();
        let limit = u32::try_from(asked.len()).unwrap_or(u32::MAX);
        let span = Span { from: None, until: None };
        Question { narrow: Narrow::Ids(asked), limit, ..self.question(kind, span) }
    }

    /// How many of the events that a relay gave and does not list it still gives. The others were deleted or replaced
    /// meanwhile, which relays may do.
    async fn still_given(&mut self, walk: &mut Walk, have: Vec<[u8; 32]>) -> Result<usize, Stopped> {
        if have.is_empty() {
            return Ok(0);
        }
        let count = have.len();
        walk.tally.wanted = Wanted::new(have);
        // What can't be asked counts as gone: nothing is claimed on it.
        self.fetch_ids(walk, self.information.ids_per_question()).await?;
        let gone = walk.tally.wanted.missing();
        walk.tally.wanted = Wanted::default();
        let still = count.saturating_sub(gone.len());
        walk.gone.extend(gone);
        Ok(still)
    }
}
