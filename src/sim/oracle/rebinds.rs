//! Custody: chains of rebinds (FORMATS 3.4), and the graduations and rotations beside them (FORMATS 8).

use std::collections::{BTreeMap, BTreeSet};

use super::super::world::Proven;
use super::custody;
use super::read::{Facts, Held, SECOND, text};
use crate::domain::{Code, Subject};

/// A state at either end of a transition, in its one spelling.
pub(super) fn state<'h>(held: &'h Held, end: &str) -> &'h str {
    let names = [end.to_owned(), format!("{end}_state"), format!("{end}_signing_method")];
    let found = text(&held.body, &[&names[0], &names[1], &names[2]]).unwrap_or_default();
    if found == "bip-322" { "bip322" } else { found }
}

impl Facts<'_> {
    /// Rebinds that do not start from the replayed state.
    pub(super) fn gaps(&self) -> BTreeSet<&str> {
        let mut gaps = BTreeSet::new();
        let mut last: BTreeMap<&str, &Held> = BTreeMap::new();
        let mut chain = self.counted("oc-me-rebind");
        // Equal times: the earlier block first, then the lower id (FORMATS 3.4).
        let height = |held: &Held| if let Proven::Block(height) = self.proven(&held.id) { height } else { usize::MAX };
        chain.sort_by_key(|held| (held.at, height(held), &held.id));
        for held in chain {
            let before = last.insert(held.user(), held);
            let follows = held.text("prev").is_none_or(|prev| before.is_some_and(|last| last.id == prev));
            if !follows || before.is_some_and(|last| state(last, "to") != state(held, "from")) {
                gaps.insert(held.id.as_str());
            }
        }
        gaps
    }

    pub(super) fn rebinds(&self) {
        let (gaps, (_, steps)) = (self.gaps(), custody::read(self.scene));
        let (mut out_of, mut at_once): (BTreeMap<_, usize>, BTreeMap<_, usize>) = Default::default();
        for held in self.counted("oc-me-rebind") {
            let subject = held.subject().and("user", held.user());
            if gaps.contains(held.id.as_str()) {
                self.open(Code::RebGap, subject.clone());
            }
            if let Some(prev) = held.text("prev") {
                *out_of.entry((held.user(), prev)).or_default() += 1;
            }
            *at_once.entry((held.user(), held.time())).or_default() += 1;
            let graduations = steps.values().filter(|step| step.graduates_to.is_some());
            let mut own = graduations.filter(|step| step.address == held.user() && step.at * SECOND <= held.time());
            let named = held.text("graduation_id").and_then(|id| steps.values().find(|step| step.id == id));
            if named.is_some_and(|step| step.address != held.user()) {
                self.open(Code::RebInvariant, subject.clone());
            }
            if state(held, "from") != "bip322"
                && state(held, "to") == "bip322"
                && named.is_none()
                && own.next().is_none()
            {
                self.open(Code::RebGraduationMissing, subject);
            }
        }
        for ((user, prev), _) in out_of.into_iter().filter(|(_, count)| *count > 1) {
            self.open(Code::EnvEquivocation, Subject::new("user", user).and("prev", prev));
        }
        for ((user, at), _) in at_once.into_iter().filter(|(_, count)| *count > 1) {
            self.open(Code::EnvEquivocation, Subject::new("user", user).and("at_micros", at));
        }
        for step in steps.values() {
            // Nobody has published the message of either.
            let what = if step.graduates_to.is_some() { "graduation" } else { "rotation" };
            self.open(Code::RebProfile, Subject::new(what, &step.name).and("address", &step.address));
        }
        let mut left: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for step in steps.values().filter(|step| step.to.is_some() && step.at * SECOND <= self.as_of) {
            *left.entry((&step.from, &step.address)).or_default() += 1;
        }
        for ((descriptor, user), _) in left.into_iter().filter(|(_, count)| *count > 1) {
            self.open(Code::RebFork, Subject::new("descriptor", descriptor).and("user", user));
        }
    }
}
