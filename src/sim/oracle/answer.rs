//! The answer: every divergence, the exit code, balances and leaves.

use std::collections::BTreeMap;

use super::super::expect::{Expectation, Expected};
use super::super::scene::Scene;
use super::custody;
use super::journal::class;
use super::read::Facts;
use crate::domain::{Code, Severity, Subject};

/// What a correct auditor must say about the scene.
pub fn expect(scene: &Scene) -> Expectation {
    let facts = Facts::of(scene);
    let of_envelopes = [Facts::fees, Facts::identities, Facts::manifests, Facts::windows, Facts::activity, Facts::caps];
    let of_money = [Facts::treasury, Facts::coverage, Facts::batches, Facts::rails, Facts::statement];
    of_envelopes.iter().chain(&[Facts::rebinds, Facts::proofs]).chain(&of_money).for_each(|check| check(&facts));
    facts.inputs();
    let mut divergences = facts.findings.take();
    divergences.extend(scene.told.iter().cloned());
    divergences.sort();
    let mut trial_balance: BTreeMap<String, i128> = BTreeMap::new();
    for (account, amount) in facts.accounts() {
        *trial_balance.entry(class(&account).to_owned()).or_default() += amount;
    }
    Expectation {
        exit_code: exit_code(&divergences),
        divergences,
        balances: facts.balances(),
        trial_balance,
        leaves: facts.leaves(),
    }
}

impl Facts<'_> {
    /// What can't be checked, or has nothing to be checked.
    fn inputs(&self) {
        for check in &self.scene.unchecked {
            self.when(true, Code::Unverifiable, Subject::new("check", check));
        }
        let scene = self.scene;
        let (guarded, stepped) = custody::read(scene);
        let is_declared = scene.sections.contains("[custody]") || !scene.world.custody.is_empty();
        let is_empty = is_declared && guarded.is_empty() && stepped.is_empty();
        let mut files = scene.appended.iter().filter(|(name, _)| name.starts_with("custody"));
        let is_blank = files.all(|(_, bytes)| bytes.trim_ascii().is_empty());
        self.when(is_empty, Code::SrcEmpty, Subject::new("population", "custody"));
        self.when(is_empty && is_blank, Code::SrcEmpty, Subject::new("source", "files:custody"));
    }
}

/// CONTRACT 2, of what a finished run can end in: 5 before 1, 8, 3, 4, 0.
fn exit_code(divergences: &[Expected]) -> u8 {
    let held = |code: Code| divergences.iter().any(|one| one.code == code && !one.explained);
    let unknown = [Code::SrcEmpty, Code::SrcIncomplete, Code::OtsHeaderMissing, Code::Unverifiable];
    let open = |one: &Expected| !one.explained && one.severity >= Severity::Error && one.code != Code::SrcEmpty;
    if held(Code::SnapSignature) || held(Code::SnapChecksum) {
        5
    } else if divergences.iter().any(open) {
        1
    } else if held(Code::SrcUnreachable) {
        8
    } else if unknown.into_iter().any(held) {
        3
    } else if held(Code::BudgetRto) || held(Code::BudgetRpo) {
        4
    } else {
        0
    }
}
