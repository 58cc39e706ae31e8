//! A sample that anyone can draw again from its seed. Specified in `docs/state-root.md`, section 7.

use std::collections::BTreeSet;

use super::chain::{BlockHash, BlockHeight};
use super::digest::TaggedHasher;

/// What one draw of a sample takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// A user, each as likely as any other.
    #[default]
    Users,
    /// A satoshi, and with it the user to whom it is owed.
    MoneyUnit,
}

impl Sampling {
    /// The kebab-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::MoneyUnit => "money-unit",
        }
    }

    /// True for the default.
    pub const fn is_users(&self) -> bool {
        matches!(self, Self::Users)
    }
}

/// A block whose hash nobody knew when the height before it was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beacon {
    /// The height that was named.
    pub after: BlockHeight,
    /// The block's own height.
    pub height: BlockHeight,
    /// The block's hash.
    pub hash: BlockHash,
}

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
        let number = draw("reledger/sample/1", seed, counter);
        counter = counter.wrapping_add(1);
        let Some(position) = place(number, population) else { continue };
        if seen.insert(position) {
            drawn.push(position);
        }
    }
    drawn
}

/// The places of the users to whom evenly spaced satoshi are owed, one for each draw, ascending; a user who is owed more
/// than the space between them stands there more than once. Nothing when nobody is owed anything, or more than 64 bits hold.
///
/// Satoshi are numbered through the users in order; a balance below zero has none. Of S satoshi, draw j of n takes number
/// `floor((R + j * S) / n)`. R, the random start, is the first draw below S as in [`draw_sample`], under the tag
/// `reledger/sample-start/1`. So each satoshi is drawn n times of S starts, and each user in proportion to its balance.
pub fn draw_money_units(seed: &str, balances: impl Iterator<Item = i128> + Clone, size: u64) -> Vec<u64> {
    let owed = |sats: i128| u128::try_from(sats).unwrap_or(0);
    let total = balances.clone().try_fold(0_u64, |sum, sats| sum.checked_add(u64::try_from(owed(sats)).ok()?));
    let Some(total) = total.filter(|total| *total > 0 && size > 0) else { return Vec::new() };
    let mut numbers = (0_u64..).map(|counter| draw("reledger/sample-start/1", seed, counter));
    let Some(start) = numbers.find_map(|number| place(number, total)) else { return Vec::new() };
    let (total, size) = (u128::from(total), u128::from(size));
    let mut drawn = Vec::new();
    let (mut next, mut before) = (0_u128, 0_u128);
    for (at, sats) in (0_u64..).zip(balances) {
        let end = before + owed(sats);
        // Below 2^64 + 2^64 * 2^64, which 128 bits hold.
        while next < size && (u128::from(start) + next * total) / size < end {
            drawn.push(at);
            next += 1;
        }
        before = end;
    }
    drawn
}

fn draw(tag: &str, seed: &str, counter: u64) -> u64 {
    let mut hasher = TaggedHasher::new(tag);
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
        assert_eq!(draw_money_units("beacon", [3, 0, -4, 2, 5].into_iter(), 2), [0, 4]);
    }

    #[test]
    fn each_user_is_drawn_in_proportion_to_what_is_owed() {
        // Ten satoshi, two draws: numbers s and s + 5 for the starts 2s and 2s + 1.
        let balances = [3, 0, -4, 2, 5];
        let mut starts = BTreeSet::new();
        for seed in 0..200 {
            let seed = format!("seed {seed}");
            let start = (0..).find_map(|at| place(draw("reledger/sample-start/1", &seed, at), 10)).unwrap();
            let owner = |number: u64| [0, 0, 0, 3, 3, 4, 4, 4, 4, 4][usize::try_from(number).unwrap()];
            let expected = [owner(start / 2), owner(start / 2 + 5)];
            assert_eq!(draw_money_units(&seed, balances.into_iter(), 2), expected, "{seed}");
            starts.insert(start);
        }
        assert_eq!(starts.len(), 10, "every start comes up");
        // As many draws as satoshi: each is drawn once.
        assert_eq!(draw_money_units("s", balances.into_iter(), 10), [0, 0, 0, 3, 3, 4, 4, 4, 4, 4]);
        assert_eq!(draw_money_units("s", [0, -1].into_iter(), 3), Vec::<u64>::new());
        assert_eq!(draw_money_units("s", [i128::MAX].into_iter(), 3), Vec::<u64>::new());
        assert_eq!(draw_money_units("s", [7].into_iter(), 0), Vec::<u64>::new());
    }

    #[test]
    fn a_user_who_is_owed_a_whole_interval_is_always_drawn() {
        for seed in 0..100 {
            let drawn = draw_money_units(&format!("{seed}"), [40, 25, 35].into_iter(), 4);
            assert_eq!(drawn.len(), 4);
            assert_eq!(BTreeSet::from_iter(drawn), BTreeSet::from([0, 1, 2]), "25 of 100 by 4 draws");
        }
    }
}
