//! Seeded randomness: xoshiro256** started from a domain-separated digest, one stream per label.

use crate::domain::TaggedHasher;

/// A stream of pseudo-random numbers. Streams with other labels are independent, so a draw added in one part of the world
/// does not move the others.
pub(super) struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// The stream of that label in the world of that seed.
    pub(super) fn new(seed: u64, label: &str) -> Self {
        let mut hasher = TaggedHasher::new("reledger.sim.stream");
        hasher.field(&seed.to_be_bytes()).field(label.as_bytes());
        let digest = hasher.finish();
        let mut state = [0_u64; 4];
        for (word, chunk) in state.iter_mut().zip(digest.as_bytes().chunks_exact(8)) {
            *word = chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
        Self { state }
    }

    /// xoshiro256** 1.0 of Blackman and Vigna (public domain).
    pub(super) fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// A number below `bound`; 0 when the bound is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.next()) * u128::from(bound);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// An index below `len`; 0 when `len` is 0.
    pub(super) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(u64::try_from(len).unwrap_or(u64::MAX))).unwrap_or(0)
    }

    /// A number in `low..=high`; `low` when the range is empty.
    pub(super) fn range(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high.saturating_sub(low).saturating_add(1)).unwrap_or(0);
        low.saturating_add(i64::try_from(self.below(width)).unwrap_or(0))
    }

    /// True in `percent` of 100 draws.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of the choices, all equally often. The list must not be empty.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    /// One of the choices, each as often as its weight says. The list must not be empty.
    pub(super) fn pick_weighted<'a, T>(&mut self, choices: &'a [(T, u64)]) -> &'a T {
        let mut left = self.below(choices.iter().map(|(_, weight)| weight).sum());
        for (choice, weight) in choices {
            if left < *weight {
                return choice;
            }
            left -= weight;
        }
        &choices[choices.len() - 1].0
    }

    /// Shuffles in place (Fisher and Yates).
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }

    /// Random bytes.
    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0_u8; N];
        for chunk in out.chunks_mut(8) {
            let word = self.next().to_be_bytes();
            for (to, from) in chunk.iter_mut().zip(word) {
                *to = from;
            }
        }
        out
    }

    /// `N` random bytes as lower-case hex.
    pub(super) fn hex<const N: usize>(&mut self) -> String {
        faster_hex::hex_string(&self.bytes::<N>())
    }
}

/// Ranks after Zipf: the first is drawn twice as often as the second, three times as often as the third.
pub(super) struct Zipf {
    /// Sums of the weights up to each rank.
    sums: Vec<u64>,
}

impl Zipf {
    /// Weight of the first rank: large enough for a million ranks to have one.
    const FIRST: u64 = 1 << 32;

    pub(super) fn new(ranks: usize) -> Self {
        let weights = (1_u64..).take(ranks).map(|rank| Self::FIRST / rank);
        let sums = weights.scan(0_u64, |sum, weight| {
            *sum = sum.saturating_add(weight);
            Some(*sum)
        });
        Self { sums: sums.collect() }
    }

    /// A rank from 0 on; 0 when there is none.
    pub(super) fn draw(&self, rng: &mut Rng) -> usize {
        let at = rng.below(self.sums.last().copied().unwrap_or(0));
        self.sums.partition_point(|sum| *sum <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_label_repeats_and_two_labels_differ() {
        let draw = |seed, label| Rng::new(seed, label).bytes::<32>();
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
    }

    #[test]
    fn the_generator_is_the_published_one() {
        // First outputs of xoshiro256** for the state 1, 2, 3, 4, as in the reference code.
        let mut rng = Rng { state: [1, 2, 3, 4] };
        let drawn: Vec<u64> = (0..4).map(|_| rng.next()).collect();
        assert_eq!(drawn, [11520, 0, 1_509_978_240, 1_215_971_899_390_074_240]);
    }

    #[test]
    fn ranks_are_drawn_by_the_inverse_of_their_place() {
        let zipf = Zipf::new(10);
        let mut rng = Rng::new(3, "zipf");
        let mut drawn = [0_u64; 10];
        for _ in 0..60_000 {
            drawn[zipf.draw(&mut rng)] += 1;
        }
        // Harmonic number of ten: 2.929; so 20,485 of 60,000 for the first, a tenth of that for the last.
        assert!((20_000..21_000).contains(&drawn[0]), "{drawn:?}");
        assert!((1_850..2_250).contains(&drawn[9]), "{drawn:?}");
        assert_eq!(Zipf::new(0).draw(&mut rng), 0);
    }

    #[test]
    fn ranges_keep_their_ends() {
        let mut rng = Rng::new(7, "range");
        let drawn: std::collections::BTreeSet<i64> = (0..200).map(|_| rng.range(-2, 2)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [-2, -1, 0, 1, 2]);
        assert_eq!(rng.below(0), 0);
    }
}
