//! Headers cut to what a proof needs: captures cut them differently, and a bundle should not depend on that.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use crate::app::error::AppError;
use crate::domain::{EvidenceId, Media, RawEvidence};
use crate::evidence::limits::HEADERS_PER_RUN_MAX;
use crate::store::EvidenceStore;
use crate::verify::VerifiedSet;

const HEADER_BYTES: usize = 80;
/// Headers of one difficulty epoch, at most what one piece of evidence holds.
const EPOCH: u32 = 2_016;
const _: () = assert!(EPOCH as usize == HEADERS_PER_RUN_MAX);
/// More headers than these are not put into a bundle: 16 MiB.
const HEADERS_MAX: u64 = 200_000;

/// How many headers go with the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// The header of each block that a proof leads to, by itself.
    Isolated,
    /// The difficulty epochs of those blocks: a pinned hash may end them.
    Epochs,
    /// All headers, cut anew.
    Whole,
    /// All headers as they were captured.
    Raw,
}

impl Extent {
    pub(super) const ALL: [Self; 4] = [Self::Isolated, Self::Epochs, Self::Whole, Self::Raw];
}

/// Where the headers of a run are.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// By start height: which piece, and how many.
    runs: BTreeMap<u32, (EvidenceId, u32)>,
    /// Every piece.
    pieces: BTreeSet<EvidenceId>,
    headers: u64,
}

impl Shelf {
    /// Looks at all header evidence of a store.
    ///
    /// # Errors
    /// [`AppError::Store`].
    pub(super) fn of(store: &dyn EvidenceStore) -> Result<Self, AppError> {
        let mut shelf = Self::default();
        store.scan(&[Media::Headers], &mut |id, raw| {
            let count = u32::try_from(raw.bytes.len() / HEADER_BYTES).unwrap_or(u32::MAX);
            shelf.pieces.insert(id);
            shelf.headers = shelf.headers.saturating_add(u64::from(count));
            if let Ok(start) = raw.about.parse() {
                let held = shelf.runs.entry(start).or_insert((id, count));
                // Of several runs from one height the longest tells most; of equals the lowest id.
                *held = (*held).max_by_length((id, count));
            }
            ControlFlow::Continue(())
        })?;
        Ok(shelf)
    }

    /// The headers that go with these pieces; `None` when they are too many.
    ///
    /// # Errors
    /// [`AppError::Store`].
    pub(super) fn cut(
        &self,
        store: &dyn EvidenceStore,
        extent: Extent,
        heights: &BTreeSet<u32>,
    ) -> Result<Option<Vec<RawEvidence>>, AppError> {
        match extent {
            Extent::Isolated => {
                let ranges = heights.iter().map(|height| (*height, *height));
                self.ranges(store, ranges).map(Some)
            }
            Extent::Epochs => {
                let epochs: BTreeSet<u32> = heights.iter().map(|height| height / EPOCH).collect();
                self.ranges(store, epochs.into_iter().map(epoch)).map(Some)
            }
            Extent::Whole | Extent::Raw if self.headers > HEADERS_MAX => Ok(None),
            Extent::Whole => {
                let first = self.runs.keys().next().copied().unwrap_or_default() / EPOCH;
                let last = self.runs.iter().map(|(start, (_, count))| start.saturating_add(*count)).max();
                let epochs = first..=last.unwrap_or_default() / EPOCH;
                self.ranges(store, epochs.map(epoch)).map(Some)
            }
            Extent::Raw => {
                let mut raw = Vec::new();
                for id in &self.pieces {
                    raw.extend(store.get(id)?);
                }
                Ok(Some(raw))
            }
        }
    }

    /// The held headers of each range of heights, both ends included; a hole ends one piece and begins another.
    fn ranges(
        &self,
        store: &dyn EvidenceStore,
        ranges: impl Iterator<Item = (u32, u32)>,
    ) -> Result<Vec<RawEvidence>, AppError> {
        let mut found: Vec<RawEvidence> = Vec::new();
        let mut open: Option<(EvidenceId, RawEvidence)> = None;
        for (from, until) in ranges {
            let mut piece: Option<RawEvidence> = None;
            for height in from..=until {
                let header = self.header(store, &mut open, height)?;
                match (header, &mut piece) {
                    (Some(header), Some(piece)) => piece.bytes.extend_from_slice(&header),
                    (Some(header), None) => {
                        let about = height.to_string();
                        piece = Some(RawEvidence { media: Media::Headers, about, bytes: header });
                    }
                    (None, _) => found.extend(piece.take()),
                }
            }
            found.extend(piece);
        }
        Ok(found)
    }

    /// One header by height. `open` is the piece that was read last: neighbours stand together.
    fn header(
        &self,
        store: &dyn EvidenceStore,
        open: &mut Option<(EvidenceId, RawEvidence)>,
        height: u32,
    ) -> Result<Option<Vec<u8>>, AppError> {
        let Some((start, (id, _))) = self.runs.range(..=height).next_back() else { return Ok(None) };
        if open.as_ref().is_none_or(|(held, _)| held != id) {
            *open = store.get(id)?.map(|raw| (*id, raw));
        }
        let Some((_, raw)) = open else { return Ok(None) };
        let place = usize::try_from(height - start).ok().and_then(|at| at.checked_mul(HEADER_BYTES));
        let bytes = place.and_then(|at| raw.bytes.get(at..at.checked_add(HEADER_BYTES)?));
        Ok(bytes.map(<[u8]>::to_vec))
    }
}

trait Longer {
    fn max_by_length(self, other: Self) -> Self;
}

impl Longer for (EvidenceId, u32) {
    fn max_by_length(self, other: Self) -> Self {
        if (other.1, std::cmp::Reverse(other.0)) > (self.1, std::cmp::Reverse(self.0)) { other } else { self }
    }
}

fn epoch(number: u32) -> (u32, u32) {
    let first = number.saturating_mul(EPOCH);
    (first, first.saturating_add(EPOCH - 1))
}

/// The blocks that proofs among these pieces lead to.
pub(super) fn heights(set: &VerifiedSet, pieces: &BTreeSet<EvidenceId>) -> BTreeSet<u32> {
    let concerned = set.anchors.values().filter(|state| state.proofs.iter().any(|proof| pieces.contains(&proof)));
    concerned
        .flat_map(|state| {
            let confirmed = state.confirmed.iter().map(|anchor| anchor.height.0);
            confirmed.chain(state.stale.iter().map(|stale| stale.height.0)).collect::<Vec<_>>()
        })
        .collect()
}
