//! Instants. UTC only, no leap seconds (POSIX time), no local clock.

use std::fmt;
use std::str::FromStr;

/// A text that is not an ISO-8601 UTC instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an ISO-8601 UTC time like 2026-05-01T00:00:00Z")]
pub struct TimeError;

/// Whole seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct UnixSeconds(pub i64);

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct UnixMicros(pub i64);

const DAY: i64 = 86_400;

impl UnixSeconds {
    /// The instant this many seconds later (or earlier), saturating at the type's ends.
    #[must_use]
    pub const fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Year, month (1..=12) and day (1..=31) in UTC.
    pub const fn civil_date(self) -> (i64, u8, u8) {
        civil_from_days(self.0.div_euclid(DAY))
    }

    /// Midnight UTC that begins this calendar date; `None` for a date that does not exist.
    pub fn from_civil(year: i64, month: u8, day: u8) -> Option<Self> {
        if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
            return None;
        }
        days_from_civil(year, month, day).checked_mul(DAY).map(Self)
    }
}

impl UnixMicros {
    /// The whole seconds, rounded towards the past.
    pub const fn seconds(self) -> UnixSeconds {
        UnixSeconds(self.0.div_euclid(1_000_000))
    }
}

impl From<UnixSeconds> for UnixMicros {
    fn from(seconds: UnixSeconds) -> Self {
        Self(seconds.0.saturating_mul(1_000_000))
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil_date();
        let second = self.0.rem_euclid(DAY);
        write!(f, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
    }
}

impl FromStr for UnixMicros {
    type Err = TimeError;

    /// Reads `YYYY-MM-DDThh:mm:ss[.f{1,9}]Z`; digits beyond the microsecond are dropped.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        parse_instant(text).ok_or(TimeError)
    }
}

impl FromStr for UnixSeconds {
    type Err = TimeError;

    /// Reads the form of [`UnixMicros`] and drops the fraction.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        UnixMicros::from_str(text).map(UnixMicros::seconds)
    }
}

fn parse_instant(text: &str) -> Option<UnixMicros> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let slice = bytes.get(from..to)?;
        slice.iter().all(u8::is_ascii_digit).then_some(())?;
        std::str::from_utf8(slice).ok()?.parse().ok()
    };
    let mark = |at: usize, byte: u8| (bytes.get(at) == Some(&byte)).then_some(());
    mark(4, b'-')?;
    mark(7, b'-')?;
    mark(10, b'T')?;
    mark(13, b':')?;
    mark(16, b':')?;
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let month = u8::try_from(number(5, 7)?).ok()?;
    let day = u8::try_from(number(8, 10)?).ok()?;
    let midnight = UnixSeconds::from_civil(number(0, 4)?, month, day)?;
    let seconds = midnight.0.checked_add(hour * 3600 + minute * 60 + second)?;
    let micros = match bytes.get(19)? {
        b'Z' if bytes.len() == 20 => 0,
        b'.' => {
            let fraction = bytes.get(20..bytes.len().checked_sub(1)?)?;
            mark(bytes.len() - 1, b'Z')?;
            fraction_micros(fraction)?
        }
        _ => return None,
    };
    seconds.checked_mul(1_000_000)?.checked_add(micros).map(UnixMicros)
}

fn fraction_micros(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 9 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some((0..6).fold(0, |micros, at| micros * 10 + i64::from(digits.get(at).map_or(0, |d| d - b'0'))))
}

// Calendar arithmetic on the proleptic Gregorian calendar, after Howard Hinnant's public algorithms.
const fn days_from_civil(year: i64, month: u8, day: u8) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = (month as i64 + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + day as i64 - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "month and day are below 32")]
const fn civil_from_days(days: i64) -> (i64, u8, u8) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_index + 2) / 5 + 1) as u8;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 } as u8;
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants_round_trip() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2018-03-26T19:00:10Z", 0x5ab9_433a),
            ("2026-05-22T00:00:00Z", 1_779_408_000),
            ("2000-02-29T23:59:59Z", 951_868_799),
        ] {
            assert_eq!(text.parse::<UnixSeconds>().unwrap().0, seconds);
            assert_eq!(UnixSeconds(seconds).to_string(), text);
        }
        assert_eq!("1970-01-01T00:00:01.25Z".parse::<UnixMicros>().unwrap().0, 1_250_000);
    }

    #[test]
    fn what_is_not_an_instant_is_refused() {
        for text in [
            "",
            "2026-02-29T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T00:00:00+00:00",
            "2026-01-01 00:00:00Z",
            "+026-01-01T00:00:00Z",
        ] {
            assert!(text.parse::<UnixMicros>().is_err(), "{text}");
        }
    }
}
