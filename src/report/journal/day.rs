//! Days as the dialects can write them.

use std::fmt;

use crate::domain::{UnixMicros, UnixSeconds};

const DAY_SECONDS: i64 = 86_400;
/// 0001-01-01: neither program has a year before it, beancount not even the year 0.
const FIRST: i64 = -719_162;
/// 9999-12-30: assertions of beancount stand on the day after, and no year has five digits there.
const LAST: i64 = 2_932_895;

/// A day in UTC between 0001-01-01 and 9999-12-31, as days since 1970-01-01. What lies outside is written as the nearest
/// day that can be: the order of entries stays, and each says its exact time beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(i64);

impl Day {
    /// The day of an instant, 9999-12-30 at the latest.
    pub(super) fn of(at: UnixMicros) -> Self {
        Self(at.seconds().0.div_euclid(DAY_SECONDS).clamp(FIRST, LAST))
    }

    /// The day after.
    pub(super) fn next(self) -> Self {
        Self(self.0.saturating_add(1).min(LAST + 1))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = UnixSeconds(self.0.saturating_mul(DAY_SECONDS)).civil_date();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// An instant to the microsecond, for example `2026-05-01T00:00:00.250000Z`. Years outside four digits are written as they are.
pub(super) fn exact(at: UnixMicros) -> String {
    let seconds = at.seconds().to_string();
    format!("{}.{:06}Z", seconds.trim_end_matches('Z'), at.0.rem_euclid(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_outside_the_dialects_is_the_nearest_inside_and_keeps_its_order() {
        let day = |micros| Day::of(UnixMicros(micros)).to_string();
        assert_eq!(day(i64::MIN), "0001-01-01");
        assert_eq!(day(i64::MAX), "9999-12-30");
        assert_eq!(day(-1), "1969-12-31");
        assert_eq!(day(0), "1970-01-01");
        assert_eq!(day(-62_135_596_800_000_000), "0001-01-01");
        assert_eq!(day(-62_135_596_800_000_000 + 86_400_000_000), "0001-01-02");
        assert_eq!(Day::of(UnixMicros(i64::MAX)).next().to_string(), "9999-12-31");
        assert_eq!(exact(UnixMicros(1_250_000)), "1970-01-01T00:00:01.250000Z");
        assert_eq!(exact(UnixMicros(-1)), "1969-12-31T23:59:59.999999Z");
    }
}
