//! Goal: the walk loses no entry of any log, and the model of the gateway that says so makes other walks lose.
//! Method: the gateway's paging as published (TREASURY 0.1, 1.5), in process; seeded logs by tip and density.
//! `RELEDGER_LOG_TIPS=n` adds n tips between 0 and 50,000; from 50,001 on it takes every one.

use std::collections::BTreeSet;

use super::*;
use crate::domain::sha256;

const TIP_MAX: u64 = 50_000;
/// Pages of TREASURY 1.5.
const SIZES: [usize; 4] = [2, 25, 1_000, 20_000];
/// One id of so many is an entry; the others belong to events that the log does not serve.
const DENSITIES: [u64; 3] = [1, 13, 997];

/// A log: the ids of its entries, ascending, below its tip.
struct Log {
    ids: Vec<u64>,
    tip: u64,
}

impl Log {
    fn seeded(tip: u64, density: u64) -> Self {
        let mut state = tip.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ density;
        let mut chosen = |id: &u64| {
            state =
                state.wrapping_add(*id).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33).is_multiple_of(density)
        };
        Self { ids: (0..tip).filter(|id| chosen(id)).collect(), tip }
    }

    fn of(ids: impl IntoIterator<Item = u64>, tip: u64) -> Self {
        Self { ids: ids.into_iter().collect(), tip }
    }

    /// What the gateway answers, newest first: blocks of 10,000 ids are searched backwards until a block would begin at 0.
    fn page(&self, end: Option<u64>, size: usize) -> Vec<u64> {
        let end = end.unwrap_or(self.tip);
        let mut start = end.saturating_sub(10_000);
        let mut page = Vec::new();
        while page.len() < size {
            let from = self.ids.partition_point(|id| *id < start);
            let to = self.ids.partition_point(|id| *id < start + 10_000 && *id <= end);
            page.extend(self.ids[from..to.max(from)].iter().rev().take(size - page.len()));
            start = start.saturating_sub(10_000);
            if start == 0 {
                break;
            }
        }
        page
    }

    /// How many entries the walk misses with pages of that size; it must end by itself.
    fn lost(&self, size: usize) -> usize {
        let mut paging = LogPaging::default();
        loop {
            for id in self.page(paging.position(), size) {
                paging.admit(id, [0; 16]);
            }
            match paging.turn(sha256(b"page")) {
                Turn::Ask => {}
                Turn::Done => return self.ids.iter().filter(|id| !paging.known.contains_key(id)).count(),
                Turn::Halt(sign, reason) => panic!("tip {}, pages of {size}: {sign} {reason}", self.tip),
            }
        }
    }

    /// The entries that a walk of another kind misses: `next` says from a page and its position what to ask then.
    fn lost_by(&self, size: usize, next: impl Fn(&[u64]) -> Option<u64>) -> usize {
        let mut seen = BTreeSet::new();
        let mut position = None;
        loop {
            let page = self.page(position, size);
            seen.extend(page.iter().copied());
            match next(&page) {
                Some(lower) if position != Some(lower) => position = Some(lower),
                _ => return self.ids.len() - seen.len(),
            }
        }
    }
}

/// How many tips the campaign adds; none in a short run, which also leaves out most of the longest walks.
fn campaign() -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "the length of a test campaign")]
    let wanted = std::env::var("RELEDGER_LOG_TIPS").ok();
    wanted.and_then(|text| text.parse().ok())
}

fn tips() -> Vec<u64> {
    let mut tips: BTreeSet<u64> = [0, 1, 2, 3, 24, 25, 26, 999, 1_000, 1_001, 25_000, 49_999, TIP_MAX].into();
    for block in [10_000, 20_000, 30_000, 40_000] {
        tips.extend(block - 2..=block + 2);
    }
    let more = campaign().unwrap_or(6);
    if more > TIP_MAX {
        tips.extend(0..=TIP_MAX);
    } else {
        let draw = |nth: u64| u64::from_be_bytes(sha256(&nth.to_be_bytes()).0[..8].try_into().unwrap());
        tips.extend((0..more).map(|nth| draw(nth) % (TIP_MAX + 1)));
    }
    tips.into_iter().collect()
}

#[test]
fn no_log_of_any_tip_density_or_page_size_loses_an_entry() {
    let mut walks = 0_u64;
    for tip in tips() {
        for density in DENSITIES {
            let log = Log::seeded(tip, density);
            // A page of two for each two of all ids takes long: a few of those are enough in a short run.
            let is_long = density == 1 && tip > 10_002 && ![20_001, TIP_MAX].contains(&tip);
            for size in SIZES.into_iter().filter(|size| campaign().is_some() || !is_long || *size > 2) {
                assert_eq!(log.lost(size), 0, "tip {tip}, one id of {density}, pages of {size}");
                walks += 1;
            }
        }
    }
    println!("walks without a loss: {walks}");
}

#[test]
fn entries_that_lie_wholly_in_one_block_are_found_under_every_tip() {
    for tip in [10_000, 10_001, 14_999, 20_000, 20_001, 29_999, 30_000, TIP_MAX] {
        for ids in [0..10_000, 0..1, 9_999..10_000, 4_999..5_001] {
            let log = Log::of(ids.clone(), tip);
            for size in SIZES {
                assert_eq!(log.lost(size), 0, "tip {tip}, entries {ids:?}, pages of {size}");
            }
        }
    }
}

#[test]
fn a_gateway_that_gives_one_entry_a_page_loses_none() {
    for tip in [1, 2, 9_999, 10_001, 20_000] {
        assert_eq!(Log::seeded(tip, 13).lost(1), 0, "tip {tip}");
    }
}

/// The near miss: were the model kinder than a gateway, these would lose nothing either.
#[test]
fn the_model_makes_every_simpler_walk_lose() {
    // TREASURY 0.1: one unlimited request, all entries in the oldest block.
    assert_eq!(Log::of(0..10_000, 20_000).lost_by(usize::MAX, |_| None), 10_000);
    assert_eq!(Log::of(0..25_000, 25_000).lost_by(usize::MAX, |_| None), 5_000);
    // TREASURY 1.5: "oldest minus one until a short page" skips what the exclusive position leaves out.
    let minus_one = |size: usize| {
        move |page: &[u64]| page.last().filter(|_| page.len() == size).and_then(|oldest| oldest.checked_sub(1))
    };
    for (size, lost) in [(1_000, 1..=65), (25, 1..=2_000)] {
        assert!(lost.contains(&Log::of(0..25_000, 25_000).lost_by(size, minus_one(size))), "pages of {size}");
    }
    // A short page taken for the last one, and an empty page taken for the end.
    let until_short = |page: &[u64]| page.last().copied().filter(|_| page.len() == 1_000);
    let sparse = Log::of((0..30_000).step_by(11), 30_000);
    assert!(sparse.lost_by(1_000, until_short) > 0);
    let until_empty = |page: &[u64]| page.last().copied();
    assert_eq!(Log::of(0..10_000, 20_000).lost_by(1_000, until_empty), 10_000);
}

#[test]
fn the_manifest_shows_both_walks_and_their_end() {
    let log = Log::of([12_000, 11_000, 3].into_iter().rev(), 12_001);
    let mut paging = LogPaging::default();
    loop {
        for id in log.page(paging.position(), 2) {
            paging.admit(id, [0; 16]);
        }
        if paging.turn(sha256(b"page")) == Turn::Done {
            break;
        }
    }
    let pages = paging.into_notes().into_backing().pages;
    let shown: Vec<(&str, u64, Option<u64>, Option<u64>)> =
        pages.iter().map(|page| (page.asked.as_str(), page.items, page.lowest, page.highest)).collect();
    assert_eq!(
        shown,
        [
            ("", 2, Some(11_000), Some(12_000)),
            ("11000", 0, None, None),
            ("9999", 1, Some(3), Some(3)),
            ("3", 1, Some(3), Some(3)),
            ("2", 0, None, None),
        ]
    );
}

#[test]
fn a_page_of_entries_without_ids_halts_the_walk() {
    let mut paging = LogPaging::default();
    paging.admit_unnamed();
    assert!(matches!(paging.turn(sha256(b"page")), Turn::Halt(Sign::PageUnreadable, _)));
}
