//! The oracle: a second, slow, naive reading of a world. It shares no code with verify, ledger or reconcile, and knows of no
//! report; at most 1,200 lines.

use std::collections::BTreeMap;

use super::expect::{Expectation, Expected};
use super::scene::Scene;

/// What a correct auditor must say about the scene.
pub fn expect(scene: &Scene) -> Expectation {
    let mut divergences: Vec<Expected> = scene.told.clone();
    divergences.sort();
    Expectation {
        exit_code: 0,
        divergences,
        balances: BTreeMap::new(),
        trial_balance: BTreeMap::new(),
        leaves: BTreeMap::new(),
    }
}
