//! What ground the receipts of a run cover: where a lost cursor may safely stand, which holes a replay would leave, which
//! receipts no longer count.

use std::collections::{BTreeMap, BTreeSet};

use super::coverage::required;
use super::cursors::bounded;
use super::plan::Plan;
use crate::domain::{Backing, CompletenessBasis, FetchReceipt, Position, Slice, SliceEnd, SourceId, UnixSeconds};

/// True for a slice that ended properly on a basis that the policy accepts.
pub(super) fn suffices(plan: &Plan, receipt: &FetchReceipt) -> bool {
    receipt.end == SliceEnd::Ended && receipt.basis >= required(plan, &receipt.source)
}

/// The receipts of a run, to be asked about one source and kind at a time.
pub(super) struct Ground<'a> {
    pub(super) plan: &'a Plan,
    pub(super) receipts: &'a [FetchReceipt],
    /// By source, the clock when the last capture began that it answered completely.
    pub(super) captured: &'a BTreeMap<String, i64>,
    pub(super) clock: UnixSeconds,
}

impl<'a> Ground<'a> {
    fn of<'k>(&self, source: &'k SourceId, kind: &'k str) -> impl Iterator<Item = &'a FetchReceipt> + use<'a, 'k> {
        let receipts: &'a [FetchReceipt] = self.receipts;
        receipts.iter().filter(move |receipt| receipt.source == *source && receipt.slice.kind == kind)
    }

    /// True when a slice was not covered.
    pub(super) fn is_open(&self, source: &SourceId, kind: &str) -> bool {
        self.of(source, kind).any(|receipt| !suffices(self.plan, receipt))
    }

    /// True for a kind that was covered and held nothing.
    pub(super) fn is_empty(&self, source: &SourceId, kind: &str) -> bool {
        let mut own = self.of(source, kind).peekable();
        own.peek().is_some() && own.all(|receipt| suffices(self.plan, receipt) && receipt.items == 0)
    }

    /// The furthest position before which everything was asked and answered: along covered windows that reach each other,
    /// from the beginning, and never past the beginning of an open one.
    pub(super) fn safe_position(&self, source: &SourceId, kind: &str) -> Option<Position> {
        let begins = |receipt: &FetchReceipt| {
            receipt.slice.from.is_none_or(|from| self.plan.window.0.is_some_and(|since| from <= since))
        };
        let mut covered: Vec<&FetchReceipt> =
            self.of(source, kind).filter(|receipt| suffices(self.plan, receipt)).collect();
        covered.sort_by_key(|receipt| receipt.slice.from);
        let mut reached: Option<Position> = None;
        for receipt in covered {
            let Some(position) = receipt.backing.position.clone() else { continue };
            let position = self.present(position);
            let joins = reached.as_ref().is_some_and(|reached| receipt.slice.from <= Some(reached.time));
            if begins(receipt) || joins {
                reached = reached.max(Some(position));
            }
        }
        let mut reached = reached?;
        for receipt in self.of(source, kind).filter(|receipt| !suffices(self.plan, receipt)) {
            match receipt.slice.from {
                Some(from) if !begins(receipt) && from > reached.time => {}
                Some(from) if !begins(receipt) => reached = Position { time: from, ids: Vec::new() },
                _ => return None,
            }
        }
        Some(bounded(reached))
    }

    /// What is dated into the future says nothing about the present.
    fn present(&self, position: Position) -> Position {
        if position.time > self.clock { Position { time: self.clock, ids: Vec::new() } } else { position }
    }

    /// The ground before `from` that nobody asked this source for, when there is any and no open slice tells of it.
    pub(super) fn hole(&self, source: &SourceId, kind: &str, from: UnixSeconds) -> Option<FetchReceipt> {
        let (covered, open): (Vec<_>, Vec<_>) = self.of(source, kind).partition(|receipt| suffices(self.plan, receipt));
        let end = covered.into_iter().filter_map(|receipt| self.end(receipt)).max();
        let begin = end.map_or(self.plan.window.0, |end| Some(end.plus(1)));
        let ground = Slice { kind: kind.to_owned(), from: begin, until: Some(from.plus(-1)) };
        let is_empty = ground.from > ground.until;
        let told = open.into_iter().any(|receipt| holds(&receipt.slice, &ground));
        (!is_empty && !told).then(|| not_asked(source, ground))
    }

    /// Up to when a covered slice speaks: an open end reaches to when it was asked, not to the newest event that came.
    fn end(&self, receipt: &FetchReceipt) -> Option<UnixSeconds> {
        let asked = self.captured.get(&receipt.source.0).map(|at| UnixSeconds(*at));
        let position = receipt.backing.position.clone().map(|position| self.present(position).time);
        let end = asked.or(position)?;
        Some(receipt.slice.until.map_or(end, |until| until.min(end)))
    }
}

fn not_asked(source: &SourceId, slice: Slice) -> FetchReceipt {
    FetchReceipt {
        source: source.clone(),
        slice,
        end: SliceEnd::Cancelled,
        basis: CompletenessBasis::None,
        items: 0,
        retries: 0,
        misbehaved: 0,
        reason: "never asked: a replay began later than what was covered".to_owned(),
        signs: BTreeMap::new(),
        backing: Backing::default(),
    }
}

/// The receipts whose windows lie inside one that this session asked: the later answer speaks for them.
pub(super) fn superseded(receipts: &[FetchReceipt], session: &[FetchReceipt]) -> Vec<FetchReceipt> {
    let mut asked: BTreeMap<(&SourceId, &str), BTreeSet<&Slice>> = BTreeMap::new();
    for receipt in session {
        asked.entry((&receipt.source, &receipt.slice.kind)).or_default().insert(&receipt.slice);
    }
    let is_inside = |receipt: &&FetchReceipt| {
        let slices = asked.get(&(&receipt.source, receipt.slice.kind.as_str()));
        let own = slices.is_some_and(|slices| slices.contains(&receipt.slice));
        !own && slices.into_iter().flatten().any(|slice| holds(slice, &receipt.slice))
    };
    let mark = |receipt: &FetchReceipt| {
        let mut receipt = receipt.clone();
        receipt.backing.superseded = true;
        receipt
    };
    receipts.iter().filter(is_inside).map(mark).collect()
}

/// True when everything of `inner` lies in `outer`.
fn holds(outer: &Slice, inner: &Slice) -> bool {
    let begins = outer.from.is_none_or(|from| inner.from.is_some_and(|other| from <= other));
    let ends = outer.until.is_none_or(|until| inner.until.is_some_and(|other| until >= other));
    begins && ends
}
