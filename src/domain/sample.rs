//! A sample that anyone can draw again from its seed. Specified in `docs/state-root.md`, section 7.

use std::collections::BTreeSet;

use super::digest::TaggedHasher;

/// Draws that many different positions below `population`, in the order of drawing; every position when the sample is as
/// large as the population, and none more.
///
/// Draw k is the first eight bytes, big-endian, of `TaggedHasher("reledger/sample/1")` over the seed's text and u64(k). A
/// draw at or above the largest multiple of the population below 2^64 is rejected, so that no position is favoured.
pub fn draw_sample(seed: &str, population: u64, size: u64) -> Vec<u64> {
    let wanted = usize::try_from(size.min(population)).unwrap_or(usize::MAX);
    let mut drawn = Vec::new();
    let mut seen = BTreeSet::new();
    let mut counter = 0_u64;
    while drawn.len() < wanted {
        let number = draw(seed, counter);
        counter = counter.wrapping_add(1);
        let Some(position) = place(number, population) else { continue };
        if seen.insert(position) {
            drawn.push(position);
        }
    }
    drawn
}

fn draw(seed: &str, counter: u64) -> u64 {
    let mut hasher = TaggedHasher::new("reledger/sample/1");
    hasher.field(seed.as_bytes()).field(&counter.to_be_bytes());
    let digest = hasher.finish();
    let mut first = [0; 8];
    first.copy_from_slice(&digest.as_bytes()[..8]);
    u64::from_be_bytes(first)
}

/// The position that a number stands for; `None` for one of the incomplete last round.
fn place(number: u64, population: u64) -> Option<u64> {
    // 2^64 mod n without 128 bits: (2^64 - n) mod n.
    let surplus = population.wrapping_neg().checked_rem(population)?;
    let limit = u64::MAX - surplus;
    (number <= limit).then(|| number % population)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_holds_different_positions_of_the_population() {
        let drawn = draw_sample("s", 100, 50);
        let distinct: BTreeSet<u64> = drawn.iter().copied().collect();
        assert_eq!((drawn.len(), distinct.len()), (50, 50));
        assert!(drawn.iter().all(|position| *position < 100));
        assert_eq!(draw_sample("s", 100, 20), drawn[..20], "a larger sample goes on where the smaller ends");
        assert_ne!(draw_sample("t", 100, 50), drawn);
    }

    #[test]
    fn no_more_is_drawn_than_there_is() {
        assert_eq!(draw_sample("s", 0, 5), Vec::<u64>::new());
        assert_eq!(draw_sample("s", 1, 5), [0]);
        let mut all = draw_sample("s", 7, 9);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn numbers_of_the_incomplete_last_round_are_rejected() {
        // 2^64 = 3 * 6148914691236517205 + 1: only the largest number is left over.
        assert_eq!(place(u64::MAX, 3), None);
        assert_eq!(place(u64::MAX - 1, 3), Some(2));
        assert_eq!(place(u64::MAX, 2), Some(1), "a power of two leaves nothing over");
        assert_eq!(place(5, 0), None);
    }

    /// Computed apart from this code, with sha256 over the bytes that the specification names.
    #[test]
    fn the_draw_is_the_one_that_the_specification_gives() {
        assert_eq!(draw_sample("beacon", 10, 4), [7, 2, 8, 1]);
    }
}
