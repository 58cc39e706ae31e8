//! The price configs of one project or domain, and which of them were in force when (FORMATS 5).

use crate::domain::UnixMicros;
use crate::evidence::ProjectConfig;

/// Dated configs in order of `updated_at`; equal ones in the order in which they were added.
pub(super) struct PriceHistory<'a> {
    dated: Vec<&'a ProjectConfig>,
    /// Why none is in force before the first.
    before: &'static str,
}

impl Default for PriceHistory<'_> {
    fn default() -> Self {
        Self { dated: Vec::new(), before: "config_unknown" }
    }
}

impl<'a> PriceHistory<'a> {
    pub(super) fn add(&mut self, config: &'a ProjectConfig) {
        if config.updated_at.is_none() {
            self.before = "config_undated";
            return;
        }
        self.before = "config_newer";
        let place = self.dated.partition_point(|held| held.updated_at <= config.updated_at);
        self.dated.insert(place, config);
    }

    /// The configs that were valid then: the newest `updated_at` not after it. Several when two documents carry one
    /// `updated_at`. `Err` says why there is none.
    pub(super) fn at(&self, occurred_at: UnixMicros) -> Result<&[&'a ProjectConfig], &'static str> {
        let end = self.dated.partition_point(|held| held.updated_at <= Some(occurred_at));
        let known = self.dated.get(..end).unwrap_or_default();
        let Some(newest) = known.last() else { return Err(self.before) };
        let begin = known.partition_point(|held| held.updated_at < newest.updated_at);
        Ok(known.get(begin..).unwrap_or_default())
    }
}
