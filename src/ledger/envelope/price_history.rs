//! The price configs of one project or domain, and which of them were in force when (FORMATS 5).

use crate::domain::UnixMicros;
use crate::evidence::ProjectConfig;

/// Configs in order of `updated_at`; equal ones in the order in which they were added.
pub(super) struct PriceHistory<'a> {
    times: Vec<UnixMicros>,
    configs: Vec<&'a ProjectConfig>,
    /// Why none is in force before the first.
    before: &'static str,
}

impl Default for PriceHistory<'_> {
    fn default() -> Self {
        Self { times: Vec::new(), configs: Vec::new(), before: "config_unknown" }
    }
}

impl<'a> PriceHistory<'a> {
    pub(super) fn add(&mut self, config: &'a ProjectConfig) {
        let Some(updated_at) = config.updated_at else {
            self.before = "config_undated";
            return;
        };
        self.before = "config_newer";
        let place = self.times.partition_point(|held| *held <= updated_at);
        self.times.insert(place, updated_at);
        self.configs.insert(place, config);
    }

    /// The configs that were valid then: the newest `updated_at` not after it. Several when two documents carry one
    /// `updated_at`. `Err` says why there is none.
    pub(super) fn at(&self, occurred_at: UnixMicros) -> Result<&[&'a ProjectConfig], &'static str> {
        let end = self.times.partition_point(|held| *held <= occurred_at);
        let Some(newest) = end.checked_sub(1).and_then(|last| self.times.get(last)) else { return Err(self.before) };
        let begin = self.times.partition_point(|held| held < newest);
        Ok(self.configs.get(begin..end).unwrap_or_default())
    }
}
