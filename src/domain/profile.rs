//! Built-in, dated sets of kinds, limits and trust defaults. Configuration overrides them.

use std::collections::{BTreeMap, BTreeSet};

use super::caps::{CapLimits, Caps};
use super::chain::{BlockHash, BlockHeight};
use super::coverage::CompletenessBasis;
use super::policy::{Checkpoint, HeaderPolicy, Requirement, TrustPolicy};

/// Internal-order hash of the Bitcoin genesis block.
const GENESIS: [u8; 32] = [
    0x6f, 0xe2, 0x8c, 0x0a, 0xb6, 0xf1, 0xb3, 0x72, 0xc1, 0xa6, 0xa2, 0x46, 0xae, 0x63, 0xf7, 0x4f, 0x93, 0x1e, 0x83,
    0x65, 0xe1, 0x5a, 0x08, 0x9c, 0x68, 0xd6, 0x19, 0x00, 0x00, 0x00, 0x00, 0x00,
];

impl TrustPolicy {
    /// The profile `orangecheck-2026-10`: what FORMATS 1, 9 and 11 publish, with nothing pinned yet.
    pub fn orangecheck_2026_10() -> Self {
        Self {
            profile: "orangecheck-2026-10".to_owned(),
            // FORMATS 1; CAPTURE 0.7: the family is wider than 30078..30099.
            kinds: (30_078..=30_087).chain([30_110, 30_111, 30_112, 30_114]).collect(),
            calendars: BTreeSet::from([
                "alice.btc.calendar.opentimestamps.org".to_owned(),
                "bob.btc.calendar.opentimestamps.org".to_owned(),
                "finney.calendar.eternitywall.com".to_owned(),
            ]),
            ots_overdue_seconds: 48 * 3600,
            // FORMATS 9.5: 15 minutes plus about three hours of calendar latency; calendars may wait days (OTS 2.3).
            ots_late_seconds: 48 * 3600,
            headers: HeaderPolicy {
                checkpoint: Checkpoint { height: BlockHeight(0), hash: BlockHash(GENESIS) },
                min_depth: 6,
                pow_limit: 0x1d00_ffff,
            },
            settlement_keys: BTreeMap::new(),
            directions: BTreeMap::new(),
            fee_bearers: BTreeMap::new(),
            observed: BTreeMap::new(),
            audits: BTreeMap::new(),
            compromised: Vec::new(),
            gaps: Vec::new(),
            operator_relays: BTreeSet::new(),
            require: Requirement { min_relays: 1, basis: CompletenessBasis::Exhausted },
            // FORMATS 11: published with no date, so in force from the beginning.
            caps: Caps::always(CapLimits {
                class_a_per_day: 5,
                class_a_per_month: 30,
                site_share_percent: 60,
                review_sats_per_month: 52_600,
                drop_window_days: 92,
            }),
            seal_keys: BTreeSet::new(),
            acknowledgement_keys: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_checkpoint_is_the_genesis_block() {
        assert_eq!(
            TrustPolicy::orangecheck_2026_10().headers.checkpoint.hash.to_string(),
            "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
        );
    }
}
