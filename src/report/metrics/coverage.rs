//! How much of each source is complete, bounded: sources can be many, and series cost memory wherever they are scraped.

use std::collections::{BTreeMap, BTreeSet};

use super::page::{Family, Metrics, as_label};
use crate::report::document::{CoverageRow, Head};

/// Sources with series of their own; the others are summed as [`OTHERS`].
const SOURCES_MAX: usize = 200;
/// Kinds with series of their own, of all sources.
const KINDS_MAX: usize = 30;
/// Bases with series of their own; there are six.
const BASES_MAX: usize = 10;
/// What is beyond these.
const OTHERS: &str = "(others)";
/// Millionths, rounded down: what is not complete never reads 1.
const SCALE: u128 = 1_000_000;

#[derive(Default)]
struct Cell {
    slices: u64,
    complete: u64,
    missing: u64,
}

pub(super) fn coverage(metrics: &mut Metrics, head: &Head) {
    let sources = Names::of(head, SOURCES_MAX, |row| &row.source);
    let kinds = Names::of(head, KINDS_MAX, |row| &row.kind);
    let bases = Names::of(head, BASES_MAX, |row| &row.basis);
    let mut cells: BTreeMap<[String; 3], Cell> = BTreeMap::new();
    for row in &head.coverage {
        let labels = [sources.label(&row.source), kinds.label(&row.kind), bases.label(&row.basis)];
        let cell = cells.entry(labels).or_default();
        cell.slices = cell.slices.saturating_add(1);
        cell.complete = cell.complete.saturating_add(u64::from(row.complete));
        cell.missing = cell.missing.saturating_add(row.missing_here);
    }
    let mut ratio =
        Family::new("coverage_ratio", "Complete slices of all, by source, kind and basis.").in_unit("ratio");
    let mut slices = Family::new("coverage_slices", "Slices, by source, kind and basis.");
    let mut missing = Family::new("coverage_missing", "Items that the source lacks and another has.");
    for ([source, kind, basis], cell) in &cells {
        let labels = [("source", source.as_str()), ("kind", kind.as_str()), ("basis", basis.as_str())];
        ratio.add(&labels, millionths(cell.complete, cell.slices));
        slices.add(&labels, cell.slices);
        missing.add(&labels, cell.missing);
    }
    metrics.scaled(&ratio, 6);
    metrics.family(&slices);
    metrics.family(&missing);
    let help = "Sources that have no series of their own and are summed as (others).";
    metrics.family(&Family::new("coverage_sources_left_out", help).with(&[], sources.left_out));
    let share = &head.reconstructible.share_without_operator;
    if share.den > 0 {
        let help = "Envelopes that can be rebuilt without the operator's relay.";
        let family = Family::new("reconstructible_ratio", help).in_unit("ratio");
        metrics.scaled(&family.with(&[("operator", "without")], millionths(share.num, share.den)), 6);
    }
}

/// Names that are shown, and how many others there are.
struct Names {
    shown: BTreeSet<String>,
    left_out: u64,
}

impl Names {
    /// So many of them, those with an incomplete slice first.
    fn of(head: &Head, most: usize, name: impl Fn(&CoverageRow) -> &str) -> Self {
        let mut complete: BTreeMap<String, bool> = BTreeMap::new();
        for row in &head.coverage {
            *complete.entry(as_label(name(row))).or_insert(true) &= row.complete;
        }
        let mut ranked: Vec<(bool, String)> = complete.into_iter().map(|(name, complete)| (complete, name)).collect();
        ranked.sort();
        let left_out = u64::try_from(ranked.len().saturating_sub(most)).unwrap_or(u64::MAX);
        Self { shown: ranked.into_iter().take(most).map(|(_, name)| name).collect(), left_out }
    }

    fn label(&self, name: &str) -> String {
        let label = as_label(name);
        if self.shown.contains(&label) { label } else { OTHERS.to_owned() }
    }
}

fn millionths(part: u64, whole: u64) -> i128 {
    let ratio = u128::from(part).saturating_mul(SCALE).checked_div(u128::from(whole)).unwrap_or_default();
    i128::try_from(ratio).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_rounded_down_and_one_only_of_what_is_complete() {
        assert_eq!(
            (millionths(u64::MAX - 1, u64::MAX), millionths(3, 3), millionths(1, 3)),
            (999_999, 1_000_000, 333_333)
        );
        assert_eq!(millionths(0, 0), 0);
    }
}
