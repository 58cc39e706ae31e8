//! The world's calendar: fixed, in milliseconds, without a clock.

use crate::domain::UnixSeconds;

/// Milliseconds since 1970-01-01T00:00:00Z.
pub(super) type Millis = i64;

/// Milliseconds of one minute.
pub(super) const MINUTE: Millis = 60_000;
/// Milliseconds of one hour.
pub(super) const HOUR: Millis = 60 * MINUTE;
/// Milliseconds of one day.
pub(super) const DAY: Millis = 24 * HOUR;
/// Milliseconds of one week.
pub(super) const WEEK: Millis = 7 * DAY;

/// 2026-06-01T00:00:00Z, a Monday: history begins.
pub(super) const START: Millis = 1_780_272_000_000;
/// 2026-10-01T00:00:00Z: the instant the world is looked at.
pub(super) const AS_OF: Millis = 1_790_812_800_000;
/// Days of history.
pub(super) const DAYS: i64 = (AS_OF - START) / DAY;
/// First instants of the months of history, and of the one after it.
pub(super) const MONTHS: [Millis; 5] = [
    START,
    START + 30 * DAY,  // 2026-07-01
    START + 61 * DAY,  // 2026-08-01
    START + 92 * DAY,  // 2026-09-01
    START + 122 * DAY, // 2026-10-01
];

/// Whole seconds, rounded towards the past.
pub(super) fn seconds(at: Millis) -> i64 {
    at.div_euclid(1000)
}

/// `YYYY-MM-DDThh:mm:ss.mmmZ`.
pub(super) fn iso_millis(at: Millis) -> String {
    let whole = UnixSeconds(seconds(at)).to_string();
    format!("{}.{:03}Z", whole.trim_end_matches('Z'), at.rem_euclid(1000))
}

/// `YYYY-MM-DDThh:mm:ssZ`.
pub(super) fn iso_seconds(at: Millis) -> String {
    UnixSeconds(seconds(at)).to_string()
}

/// The index of the month of history that holds this instant.
pub(super) fn month_of(at: Millis) -> usize {
    MONTHS.iter().skip(1).take_while(|start| at >= **start).count().min(MONTHS.len() - 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_is_the_civil_one() {
        assert_eq!(iso_millis(START), "2026-06-01T00:00:00.000Z");
        assert_eq!(iso_seconds(AS_OF), "2026-10-01T00:00:00Z");
        let months: Vec<String> = MONTHS.iter().map(|at| iso_seconds(*at).chars().take(10).collect()).collect();
        assert_eq!(months, ["2026-06-01", "2026-07-01", "2026-08-01", "2026-09-01", "2026-10-01"]);
        assert_eq!((month_of(START), month_of(AS_OF - 1), month_of(MONTHS[1])), (0, 3, 1));
    }
}
