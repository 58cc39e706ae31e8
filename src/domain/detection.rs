//! How likely a sample finds something wrong, in integers.

/// A share, kept as two integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Ratio {
    /// Of so many
    pub num: u64,
    /// so many.
    pub den: u64,
}

/// Parts that a probability is told in.
const PARTS: u64 = 1_000_000_000;
/// One, as probabilities are multiplied.
const ONE: u128 = 1 << 64;

/// The probability that `size` of `population` users, drawn without replacement, hold at least one of `wrong`: the
/// hypergeometric one, in parts of 10^9, rounded down. Of one wrong user it is exactly `size` of `population`.
///
/// The product is kept in 64 binary places and rounded against the sample, which costs less than `size` / 2^64.
pub fn detection_by_users(population: u64, size: u64, wrong: u64) -> Ratio {
    let (size, wrong) = (size.min(population), wrong.min(population));
    if population == 0 || size == 0 || wrong == 0 {
        return Ratio { num: 0, den: 1 };
    }
    if wrong == 1 {
        return Ratio { num: size, den: population };
    }
    let right = population - wrong;
    if size > right {
        return Ratio { num: 1, den: 1 };
    }
    // Misses are the same when the wrong users are drawn and the sample is what they must not meet: the shorter way.
    let (steps, others) = if size <= wrong { (size, right) } else { (wrong, population - size) };
    let mut missed = ONE;
    for step in 0..steps {
        // At most 2^64 times 2^64 less one: 128 bits hold it. What is drawn from never runs out before `steps`.
        let product = missed * u128::from(others - step);
        missed = product.div_ceil(u128::from(population - step));
    }
    let found = ONE.saturating_sub(missed) * u128::from(PARTS) / ONE;
    // Not above PARTS.
    Ratio { num: u64::try_from(found).unwrap_or(PARTS), den: PARTS }
}

/// The probability that `size` evenly spaced satoshi of `total`, from a random start, hit one of `wrong` satoshi that stand
/// side by side, as those of one user do: exact.
pub fn detection_by_money(total: u64, size: u64, wrong: u64) -> Ratio {
    if total == 0 {
        return Ratio { num: 0, den: 1 };
    }
    let hit = u128::from(size) * u128::from(wrong);
    Ratio { num: u64::try_from(hit).map_or(total, |hit| hit.min(total)), den: total }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C(n, k) for small numbers.
    fn choose(n: u64, k: u64) -> u128 {
        (0..k).fold(1_u128, |product, at| product * u128::from(n - at) / u128::from(at + 1))
    }

    #[test]
    fn it_is_the_hypergeometric_probability_rounded_down() {
        for population in 1..=24_u64 {
            for size in 1..=population {
                for wrong in 1..=population {
                    let missed = if wrong + size > population { 0 } else { choose(population - wrong, size) };
                    let all = choose(population, size);
                    let found = detection_by_users(population, size, wrong);
                    let exact = (all - missed) * u128::from(found.den);
                    // At most one part of 10^9 too low, never too high.
                    let (low, high) = (u128::from(found.num) * all, (u128::from(found.num) + 1) * all);
                    let slack = if found.den == PARTS { all } else { 0 };
                    assert!(low <= exact && exact <= high + slack, "{size} of {population}, {wrong} wrong: {found:?}");
                }
            }
        }
    }

    /// By hand: 1 - C(8,3) / C(10,3) = 1 - 56 / 120; and the table of TREASURY 8, whose last place is rounded.
    #[test]
    fn it_agrees_with_what_is_known() {
        assert_eq!(detection_by_users(10, 3, 2), Ratio { num: 533_333_333, den: PARTS });
        assert_eq!(detection_by_users(10_000, 50, 1), Ratio { num: 50, den: 10_000 });
        assert_eq!(detection_by_users(1_000_000, 50, 1), Ratio { num: 50, den: 1_000_000 });
        for (wrong, missed) in [(10_000, 6_050), (50_000, 769), (1_000, 9_512), (100_000, 52), (20_000, 3_642)] {
            let found = detection_by_users(1_000_000, 50, wrong);
            let told = (PARTS - found.num + 50_000) / 100_000;
            assert_eq!(told, missed, "{wrong} wrong");
        }
        assert_eq!(detection_by_users(100, 96, 5), Ratio { num: 1, den: 1 });
        assert_eq!(detection_by_users(5, 9, 5), Ratio { num: 1, den: 1 });
        assert_eq!(detection_by_users(0, 5, 5), Ratio { num: 0, den: 1 });
        assert_eq!(detection_by_users(5, 0, 5), Ratio { num: 0, den: 1 });
        assert!(detection_by_users(u64::MAX, 50, u64::MAX / 2).num > 999_999_990);
    }

    #[test]
    fn satoshi_side_by_side_are_hit_by_as_many_starts_as_they_are_draws_wide() {
        assert_eq!(detection_by_money(1_000, 50, 1), Ratio { num: 50, den: 1_000 });
        assert_eq!(detection_by_money(1_000, 50, 19), Ratio { num: 950, den: 1_000 });
        assert_eq!(detection_by_money(1_000, 50, 20), Ratio { num: 1_000, den: 1_000 });
        assert_eq!(detection_by_money(u64::MAX, u64::MAX, 3), Ratio { num: u64::MAX, den: u64::MAX });
        assert_eq!(detection_by_money(0, 1, 1), Ratio { num: 0, den: 1 });
    }
}
