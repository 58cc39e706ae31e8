//! What ground the receipts of a run cover: where a lost cursor may safely stand, which holes a replay would leave, which
//! receipts no longer count.

use std::collections::{BTreeMap, BTreeSet};

use super::coverage::required;
use super::cursors::bounded;
use super::plan::Plan;
use crate::domain::{CompletenessBasis, FetchReceipt, Position, Slice, SliceEnd, SourceId, UnixSeconds};

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
        end: SliceEnd::Cancelled,
        basis: CompletenessBasis::None,
        reason: "never asked: a replay began later than what was covered".to_owned(),
        ..FetchReceipt::whole(source.clone(), slice)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Config;
    use crate::domain::NostrEventId;
    use std::path::Path;

    const RELAY: &str = "wss://relay.example";

    fn plan() -> Plan {
        let config = Config::from_toml("[nostr]\nrelays = [\"wss://relay.example\"]\n").unwrap();
        Plan::resolve(&config, Path::new("")).unwrap()
    }

    /// A window and the newest second that came of it; `None` is an answer that does not suffice.
    fn asked(from: Option<i64>, until: Option<i64>, newest: Option<i64>) -> FetchReceipt {
        let slice = Slice { kind: "30087".to_owned(), from: from.map(UnixSeconds), until: until.map(UnixSeconds) };
        let mut receipt = not_asked(&SourceId(RELAY.to_owned()), slice);
        if let Some(newest) = newest {
            (receipt.end, receipt.basis) = (SliceEnd::Ended, CompletenessBasis::Exhausted);
            let ids = vec![NostrEventId::from_bytes([7; 32])];
            receipt.backing.position = Some(Position { time: UnixSeconds(newest), ids });
        }
        receipt
    }

    fn with<T>(receipts: &[FetchReceipt], captured: Option<i64>, look: impl FnOnce(&Ground<'_>) -> T) -> T {
        let plan = plan();
        let captured = captured.map(|at| (RELAY.to_owned(), at)).into_iter().collect();
        look(&Ground { plan: &plan, receipts, captured: &captured, clock: UnixSeconds(10_000) })
    }

    fn safe(receipts: &[FetchReceipt]) -> Option<(i64, usize)> {
        let source = SourceId(RELAY.to_owned());
        let position = with(receipts, None, |ground| ground.safe_position(&source, "30087"));
        position.map(|position| (position.time.0, position.ids.len()))
    }

    fn hole(receipts: &[FetchReceipt], captured: Option<i64>, from: i64) -> Option<(Option<i64>, Option<i64>)> {
        let source = SourceId(RELAY.to_owned());
        let hole = with(receipts, captured, |ground| ground.hole(&source, "30087", UnixSeconds(from)));
        hole.map(|hole| (hole.slice.from.map(|at| at.0), hole.slice.until.map(|at| at.0)))
    }

    #[test]
    fn a_safe_position_follows_windows_that_reach_each_other_from_the_beginning() {
        assert_eq!(safe(&[]), None);
        assert_eq!(safe(&[asked(None, None, Some(100))]), Some((100, 1)));
        assert_eq!(safe(&[asked(None, None, Some(100)), asked(Some(90), None, Some(200))]), Some((200, 1)));
        // A window that begins beyond what was reached adds nothing; one that begins nowhere near the beginning neither.
        assert_eq!(safe(&[asked(None, None, Some(100)), asked(Some(150), None, Some(200))]), Some((100, 1)));
        assert_eq!(safe(&[asked(Some(90), None, Some(200))]), None);
    }

    #[test]
    fn a_safe_position_never_passes_the_beginning_of_an_open_window() {
        let whole = asked(None, None, Some(100));
        assert_eq!(safe(&[whole.clone(), asked(Some(60), Some(70), None)]), Some((60, 0)));
        assert_eq!(safe(&[whole.clone(), asked(Some(101), None, None)]), Some((100, 1)));
        assert_eq!(safe(&[whole, asked(None, Some(70), None)]), None);
    }

    #[test]
    fn a_position_in_the_future_is_cut_at_the_clock() {
        assert_eq!(safe(&[asked(None, None, Some(99_999))]), Some((10_000, 0)));
    }

    #[test]
    fn a_hole_reaches_from_what_was_covered_to_where_a_replay_begins() {
        let whole = asked(None, None, Some(100));
        // When the capture is known, its end is when it was made; else the newest event that it brought.
        assert_eq!(hole(std::slice::from_ref(&whole), Some(500), 501), None);
        assert_eq!(hole(std::slice::from_ref(&whole), Some(500), 600), Some((Some(501), Some(599))));
        assert_eq!(hole(std::slice::from_ref(&whole), None, 600), Some((Some(101), Some(599))));
        assert_eq!(hole(&[], None, 600), Some((None, Some(599))));
        assert_eq!(hole(&[asked(None, Some(300), Some(100))], Some(500), 600), Some((Some(301), Some(599))));
    }

    #[test]
    fn a_hole_that_an_open_window_tells_of_is_told_once() {
        let whole = asked(None, None, Some(100));
        assert_eq!(hole(&[whole.clone(), asked(Some(501), Some(599), None)], Some(500), 600), None);
        assert_eq!(hole(&[asked(None, None, None)], None, 600), None);
        assert_eq!(hole(&[whole, asked(Some(501), Some(550), None)], Some(500), 600), Some((Some(501), Some(599))));
    }

    #[test]
    fn an_answer_speaks_for_the_windows_inside_its_own_and_for_no_other() {
        let earlier = [asked(None, None, Some(100)), asked(Some(50), Some(70), None), asked(Some(60), None, Some(90))];
        let windows = |session: &[FetchReceipt]| -> Vec<Option<i64>> {
            let marked = superseded(&earlier, session);
            assert!(marked.iter().all(|receipt| receipt.backing.superseded));
            marked.iter().map(|receipt| receipt.slice.from.map(|at| at.0)).collect()
        };
        assert_eq!(windows(&[asked(Some(50), None, Some(200))]), [Some(50), Some(60)]);
        assert_eq!(windows(&[asked(Some(55), None, None)]), [Some(60)]);
        assert_eq!(windows(&[asked(None, None, Some(200))]), [Some(50), Some(60)]);
        assert_eq!(windows(&[asked(Some(60), None, Some(90))]), []);
        let mut other = asked(None, None, Some(200));
        other.slice.kind = "30078".to_owned();
        assert_eq!(windows(&[other]), []);
    }
}
