//! The side records of a sealed segment. They lie where its table has no evidence: a walk to them reads no evidence, which is nearly all
//! of a log.

use std::ops::ControlFlow;
use std::path::Path;

use super::footer::Trailer;
use super::log::Visited;
use super::record::{HEAD_LEN, Head, Kind, Location, Place};
use super::segment::{HEADER_LEN, Step, Walker, damaged};

/// Visits them in the order of the log, each checked, and the table that says where they lie. The visitor may stop early.
pub(super) fn walk(
    trailer: &Trailer,
    path: &Path,
    visit: &mut dyn FnMut(&Head, Location, &[u8]) -> Visited,
) -> Visited {
    let rows = trailer.read_table(path)?;
    let mut evidence: Vec<(u64, u64)> =
        rows.iter().map(|row| (row.offset, row.offset.saturating_add(HEAD_LEN as u64 + u64::from(row.len)))).collect();
    evidence.sort_unstable();
    evidence.push((trailer.body_len, trailer.body_len));
    let mut walker = Walker::open(path, Place { segment: trailer.segment, offset: HEADER_LEN }, HEADER_LEN)?;
    let (mut from, mut found) = (HEADER_LEN, 0_u64);
    for (start, end) in evidence {
        if from < start {
            walker.go(from, start)?;
        }
        loop {
            match walker.step()? {
                Step::End => break,
                Step::Bad(offset, what) => return Err(damaged(path, offset, what)),
                Step::Record(head, place) => {
                    if head.kind == Kind::Evidence {
                        return Err(damaged(path, place.offset, "the table of ids lacks a record"));
                    }
                    found += 1;
                    let payload = walker.payload().unwrap_or_default();
                    if visit(&head, Location { place, len: head.len }, payload)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
            }
        }
        from = from.max(end);
    }
    if found == trailer.side {
        return Ok(ControlFlow::Continue(()));
    }
    Err(damaged(path, trailer.body_len, "the side records are not as many as the footer says"))
}
