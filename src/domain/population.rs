//! How many items there were, and what became of each.

use std::collections::BTreeMap;

/// The fate of one population. `unique = accepted + pending + rejected + quarantined`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// Distinct items per source, summed over sources.
    pub received: u64,
    /// Distinct items over all sources.
    pub unique: u64,
    /// Verified and counted or kept.
    pub accepted: u64,
    /// Not judged yet: something named is missing.
    pub pending: u64,
    /// Judged bad.
    pub rejected: u64,
    /// Could not be decoded, or not what the substrate is for; bytes kept.
    pub quarantined: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.unique += other.unique;
        self.accepted += other.accepted;
        self.pending += other.pending;
        self.rejected += other.rejected;
        self.quarantined += other.quarantined;
    }
}

/// Counts by population name (`events`, `envelopes`, `proofs`, `settlements`, `headers`, ...).
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
#[serde(transparent)]
pub struct Population(pub BTreeMap<String, Counts>);

impl Population {
    /// The counts of that name, made on first use.
    pub fn of(&mut self, name: &str) -> &mut Counts {
        self.0.entry(name.to_owned()).or_default()
    }

    /// The counts of that name; zero when there are none.
    pub fn get(&self, name: &str) -> Counts {
        self.0.get(name).copied().unwrap_or_default()
    }
}
