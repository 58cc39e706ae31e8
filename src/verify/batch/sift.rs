//! How items become batches, and what becomes of a batch that does not hold: it is cut into parts, and what is left is judged one by
//! one.

use rayon::prelude::*;

/// Into how many parts a batch is cut that does not hold. More than two, because looking at all halves of halves costs as much
/// as looking at all eighths three times.
const PARTS: usize = 8;

/// Gives each item an answer: `judge` has some of them at a time, on all cores, those with equal keys side by side and at most
/// `most` at once.
pub(super) fn answers<C: Sync>(
    items: &[C],
    most: usize,
    key: impl Fn(&C) -> &[u8; 32] + Sync,
    judge: impl Fn(&[&C]) -> Vec<bool> + Sync,
) -> Vec<bool> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.par_sort_unstable_by_key(|at| (key(&items[*at]), *at));
    let judge = |places: &[usize]| {
        let batch: Vec<&C> = places.iter().map(|at| &items[*at]).collect();
        places.iter().copied().zip(judge(&batch)).collect::<Vec<_>>()
    };
    let judged: Vec<(usize, bool)> = order.par_chunks(shared_out(items.len(), most)).flat_map_iter(judge).collect();
    in_order(items.len(), judged)
}

/// How many of so many make a batch: as many batches for each core, and none that is a small rest.
pub(in crate::verify) fn shared_out(count: usize, most: usize) -> usize {
    let batches = count.div_ceil(most).next_multiple_of(rayon::current_num_threads()).max(1);
    count.div_ceil(batches).max(1)
}

/// Answers by their places.
pub(in crate::verify) fn in_order(count: usize, judged: Vec<(usize, bool)>) -> Vec<bool> {
    let mut answers = vec![false; count];
    for (at, holds) in judged {
        answers[at] = holds;
    }
    answers
}

/// Says of each item whether it is good: `holds` speaks for all of a batch at once and is believed when it says yes, `single`
/// speaks for one. Fewer than `least` are never asked of `holds`.
///
/// Work is bounded whoever makes the items: where more than half of the parts fail, nothing is cut any further.
pub(super) fn sift<T>(
    items: &[T],
    least: usize,
    holds: &impl Fn(&[T]) -> bool,
    single: &impl Fn(&T) -> bool,
    verdict: &mut impl FnMut(&T, bool),
) {
    if items.len() >= least && holds(items) {
        each(items, &|_| true, verdict);
    } else if items.len() <= 2 * least {
        each(items, single, verdict);
    } else {
        cut(items, least, holds, single, verdict);
    }
}

fn each<T>(items: &[T], good: &impl Fn(&T) -> bool, verdict: &mut impl FnMut(&T, bool)) {
    for item in items {
        verdict(item, good(item));
    }
}

fn cut<T>(
    items: &[T],
    least: usize,
    holds: &impl Fn(&[T]) -> bool,
    single: &impl Fn(&T) -> bool,
    verdict: &mut impl FnMut(&T, bool),
) {
    let parts = items.chunks(items.len().div_ceil(PARTS).max(least));
    let all = parts.len();
    let mut bad = Vec::new();
    for part in parts {
        if part.len() >= least && holds(part) {
            each(part, &|_| true, verdict);
        } else {
            bad.push(part);
        }
    }
    let hopeless = bad.len() * 2 > all;
    for part in bad {
        if hopeless || part.len() <= 2 * least {
            each(part, single, verdict);
        } else {
            cut(part, least, holds, single, verdict);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// The items that were called good, how many times each was looked at in a batch on average, and how many singly.
    fn sifted(count: usize, bad: impl Fn(usize) -> bool) -> (Vec<usize>, usize, usize) {
        let (looks, singles) = (Cell::new(0), Cell::new(0));
        let items: Vec<usize> = (0..count).collect();
        let mut good = Vec::new();
        let mut seen = vec![0; count];
        let holds = |part: &[usize]| {
            looks.set(looks.get() + part.len());
            !part.iter().any(|item| bad(*item))
        };
        let single = |item: &usize| {
            singles.set(singles.get() + 1);
            !bad(*item)
        };
        sift(&items, 32, &holds, &single, &mut |item, is_good| {
            seen[*item] += 1;
            if is_good {
                good.push(*item);
            }
        });
        assert!(seen.iter().all(|times| *times == 1), "each item has one answer");
        good.sort_unstable();
        (good, looks.get(), singles.get())
    }

    #[test]
    fn whoever_is_bad_is_found_and_nobody_else() {
        for count in [0, 1, 31, 32, 33, 64, 65, 100, 257, 5_000] {
            for step in [1, 2, 3, 17, 100, 999, 10_000] {
                let bad = |item: usize| item % step == step - 1;
                let (good, _, _) = sifted(count, bad);
                let expected: Vec<usize> = (0..count).filter(|item| !bad(*item)).collect();
                assert_eq!(good, expected, "{count} items, every {step}th bad");
            }
        }
    }

    #[test]
    fn one_bad_item_among_many_costs_few_looks_and_many_cost_no_more_than_four() {
        let (_, looks, singles) = sifted(16_384, |item| item == 5_000);
        assert!(looks < 3 * 16_384 && singles <= 64, "{looks} {singles}");
        // Wherever they lie: nobody is looked at in more than four batches and alone.
        for step in [1, 2, 40, 300, 700, 2_100, 4_000] {
            let (_, looks, singles) = sifted(16_384, |item| item % step == 0);
            assert!(looks <= 4 * 16_384 && singles <= 16_384, "{step}: {looks} {singles}");
        }
    }
}
