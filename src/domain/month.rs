//! Months of the UTC calendar.

use std::fmt;

use super::time::UnixSeconds;

/// A month of the UTC calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(i64, u8);

impl Month {
    /// The month of that instant.
    pub fn of(at: UnixSeconds) -> Self {
        let (year, month, _) = at.civil_date();
        Self(year, month)
    }

    /// The month after it.
    #[must_use]
    pub fn next(self) -> Self {
        if self.1 < 12 { Self(self.0, self.1 + 1) } else { Self(self.0.saturating_add(1), 1) }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixSeconds {
        text.parse().unwrap()
    }

    #[test]
    fn months_follow_each_other_over_the_year() {
        assert_eq!(Month::of(at("2026-12-31T23:59:59Z")).next(), Month::of(at("2027-01-01T00:00:00Z")));
        assert_eq!(Month::of(at("2026-01-31T00:00:00Z")).next().to_string(), "2026-02");
    }
}
