//! `[caps]`: the published abuse limits where they differ from the profile's, and from when on.

use serde::{Deserialize, Serialize};

use super::error::AppError;
use super::plan::config_error;
use super::values::Instant;
use crate::domain::{CapLimits, CapWindow, Caps, DatedLimits};

/// `[caps]`. What is not named stays as the profile has it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CapsSection {
    /// Class A events per user and day.
    pub class_a_per_day: Option<u32>,
    /// Class A events per user and month.
    pub class_a_per_month: Option<u32>,
    /// One site's share of a user's monthly earnings, in percent.
    pub site_share_percent: Option<u32>,
    /// Class A earnings per user and month that ask for review, in satoshi.
    pub review_sats_per_month: Option<u64>,
    /// Longest drop window in days.
    pub drop_window_days: Option<u32>,
    /// `utc` or `rolling`.
    pub window: Option<CapWindow>,
    /// Later limits.
    pub limits: Vec<LimitsSection>,
}

/// `[[caps.limits]]`. What is not named stays as it was before.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsSection {
    /// In force from this instant on.
    pub from: Instant,
    /// As in `[caps]`.
    pub class_a_per_day: Option<u32>,
    /// As in `[caps]`.
    pub class_a_per_month: Option<u32>,
    /// As in `[caps]`.
    pub site_share_percent: Option<u32>,
    /// As in `[caps]`.
    pub review_sats_per_month: Option<u64>,
    /// As in `[caps]`.
    pub drop_window_days: Option<u32>,
}

/// The limits of the profile with the section's changes, in order of time.
///
/// # Errors
/// [`AppError::Config`] for a share that is no percentage, or two sets of limits for one instant.
pub(super) fn caps(section: &CapsSection, profile: &Caps) -> Result<Caps, AppError> {
    let first = CapLimits {
        class_a_per_day: section.class_a_per_day.unwrap_or(profile.first.class_a_per_day),
        class_a_per_month: section.class_a_per_month.unwrap_or(profile.first.class_a_per_month),
        site_share_percent: section.site_share_percent.unwrap_or(profile.first.site_share_percent),
        review_sats_per_month: section.review_sats_per_month.unwrap_or(profile.first.review_sats_per_month),
        drop_window_days: section.drop_window_days.unwrap_or(profile.first.drop_window_days),
    };
    let mut later: Vec<&LimitsSection> = section.limits.iter().collect();
    later.sort_by_key(|limits| limits.from.0);
    let mut changes: Vec<DatedLimits> = Vec::new();
    for change in later {
        let from = change.from.0;
        if changes.last().is_some_and(|last| last.from == from) {
            return Err(config_error(format!("`caps.limits` has two sets from {from}"), "give each its own `from`"));
        }
        let before = changes.last().map_or(first, |last| last.limits);
        let limits = CapLimits {
            class_a_per_day: change.class_a_per_day.unwrap_or(before.class_a_per_day),
            class_a_per_month: change.class_a_per_month.unwrap_or(before.class_a_per_month),
            site_share_percent: change.site_share_percent.unwrap_or(before.site_share_percent),
            review_sats_per_month: change.review_sats_per_month.unwrap_or(before.review_sats_per_month),
            drop_window_days: change.drop_window_days.unwrap_or(before.drop_window_days),
        };
        changes.push(DatedLimits { from, limits });
    }
    let caps = Caps { first, changes, window: section.window.unwrap_or(profile.window) };
    if caps.dated().any(|(_, limits)| !(1..=100).contains(&limits.site_share_percent)) {
        return Err(config_error(
            "`caps`: a `site_share_percent` is not between 1 and 100".to_owned(),
            "the published share is 60",
        ));
    }
    Ok(caps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{TrustPolicy, UnixSeconds};

    fn read(text: &str) -> Result<Caps, AppError> {
        caps(&toml::from_str(text).unwrap(), &TrustPolicy::orangecheck_2026_10().caps)
    }

    #[test]
    fn what_is_not_named_stays_as_it_was_before() {
        assert_eq!(read("").unwrap(), TrustPolicy::orangecheck_2026_10().caps);
        let dated = read(
            "class_a_per_day = 4\nwindow = \"rolling\"\n[[limits]]\nfrom = 200\nclass_a_per_month = 7\n\
             [[limits]]\nfrom = 100\nclass_a_per_day = 9\n",
        )
        .unwrap();
        let at = |at| {
            let limits = dated.at(UnixSeconds(at));
            (limits.class_a_per_day, limits.class_a_per_month, limits.site_share_percent)
        };
        assert_eq!([at(99), at(100), at(200)], [(4, 30, 60), (9, 30, 60), (9, 7, 60)]);
        assert_eq!(dated.window, CapWindow::Rolling);
    }

    #[test]
    fn limits_that_contradict_or_are_no_percentage_are_refused() {
        for text in [
            "site_share_percent = 0",
            "site_share_percent = 101",
            "[[limits]]\nfrom = 5\nsite_share_percent = 200",
            "[[limits]]\nfrom = 5\n[[limits]]\nfrom = 1970-01-01T00:00:05Z",
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.condition().exit_code().0, 2, "{text}");
            assert!(error.to_string().contains("caps"), "{error}");
        }
        assert!(read("site_share_percent = 1").is_ok() && read("site_share_percent = 100").is_ok());
    }
}
