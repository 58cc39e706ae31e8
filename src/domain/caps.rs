//! Published abuse limits (FORMATS 11): profile data with dates, because "limits evolve".

use super::time::UnixSeconds;

/// The limits in force at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CapLimits {
    /// Class A events per user and day.
    pub class_a_per_day: u32,
    /// Class A events per user and month.
    pub class_a_per_month: u32,
    /// One site's share of a user's monthly earnings, in percent.
    pub site_share_percent: u32,
    /// Class A earnings per user and month that ask for review, in satoshi.
    pub review_sats_per_month: u64,
    /// Longest drop window in days.
    pub drop_window_days: u32,
}

/// Limits from an instant on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DatedLimits {
    /// In force from this instant on, itself included.
    pub from: UnixSeconds,
    /// The limits.
    #[serde(flatten)]
    pub limits: CapLimits,
}

/// How a day and a month are counted. No source says which, so that the reading is a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CapWindow {
    /// Calendar days and months in UTC.
    #[default]
    Utc,
    /// The 24 hours and the 30 days that end at an event; what is exactly that old is outside.
    Rolling,
}

impl CapWindow {
    /// The name in configurations and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Utc => "utc",
            Self::Rolling => "rolling",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
    const fn is_utc(&self) -> bool {
        matches!(self, Self::Utc)
    }
}

/// All limits that ever were in force. What has no date changes no digest of a policy that had none.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Caps {
    /// In force from the beginning.
    #[serde(flatten)]
    pub first: CapLimits,
    /// Later ones, by date, each date once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<DatedLimits>,
    /// How a day and a month are counted.
    #[serde(default, skip_serializing_if = "CapWindow::is_utc")]
    pub window: CapWindow,
}

impl Caps {
    /// The same limits at all times, over UTC days and months.
    pub const fn always(limits: CapLimits) -> Self {
        Self { first: limits, changes: Vec::new(), window: CapWindow::Utc }
    }

    /// The limits in force at an instant.
    pub fn at(&self, at: UnixSeconds) -> &CapLimits {
        let known = self.changes.partition_point(|change| change.from <= at);
        known.checked_sub(1).and_then(|last| self.changes.get(last)).map_or(&self.first, |change| &change.limits)
    }

    /// All limits with the instant from which they are in force; `None` is the beginning.
    pub fn dated(&self) -> impl Iterator<Item = (Option<UnixSeconds>, &CapLimits)> {
        std::iter::once((None, &self.first))
            .chain(self.changes.iter().map(|change| (Some(change.from), &change.limits)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: CapLimits = CapLimits {
        class_a_per_day: 5,
        class_a_per_month: 30,
        site_share_percent: 60,
        review_sats_per_month: 52_600,
        drop_window_days: 92,
    };

    #[test]
    fn a_limit_is_in_force_from_its_very_second() {
        let change = |from, class_a_per_day| DatedLimits {
            from: UnixSeconds(from),
            limits: CapLimits { class_a_per_day, ..LIMITS },
        };
        let caps = Caps { changes: vec![change(100, 3), change(200, 9)], ..Caps::always(LIMITS) };
        let per_day = |at| caps.at(UnixSeconds(at)).class_a_per_day;
        assert_eq!([i64::MIN, 99, 100, 199, 200, i64::MAX].map(per_day), [5, 5, 3, 3, 9, 9]);
    }

    #[test]
    fn limits_without_dates_read_and_write_as_they_did_before_there_were_any() {
        let text = r#"{"class_a_per_day":5,"class_a_per_month":30,"site_share_percent":60,"review_sats_per_month":52600,"drop_window_days":92}"#;
        let caps: Caps = serde_json::from_str(text).unwrap();
        assert_eq!(caps, Caps::always(LIMITS));
        assert_eq!(serde_json::to_string(&caps).unwrap(), text);
        let dated = Caps {
            changes: vec![DatedLimits { from: UnixSeconds(7), limits: LIMITS }],
            window: CapWindow::Rolling,
            ..caps
        };
        assert_eq!(serde_json::from_str::<Caps>(&serde_json::to_string(&dated).unwrap()).unwrap(), dated);
    }
}
