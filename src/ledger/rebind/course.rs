//! The course of custody as a whole: how many changes in which month, the last of them, and where everybody stands now.

use std::collections::BTreeMap;

use crate::domain::{BlockHeight, Digest32, Month, UnixSeconds};
use crate::ledger::envelope::Standing;

use super::roll::{RebindEntry, RebindLedger};
use super::steps::Step;

/// Most changes that are told one by one.
const LATEST_MAX: usize = 50;

/// Custody over time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CustodyCourse {
    /// By month of the effective time and by name of the change (`rebind`, `graduation`, `rotation`): those that count.
    pub months: BTreeMap<Month, BTreeMap<&'static str, u64>>,
    /// Principals by the state that the replay leaves them in.
    pub states: BTreeMap<&'static str, u64>,
    /// The latest changes, newest first, also those that do not count.
    pub latest: Vec<CustodyChange>,
    /// Changes in all.
    pub changes: u64,
}

/// One change of custody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CustodyChange {
    /// From when on it counts.
    pub at: UnixSeconds,
    /// Envelope id; of a graduation or rotation the hash of the message that was signed.
    pub id: Digest32,
    /// The user or address that it names. Foreign text.
    pub who: String,
    /// `rebind`, `graduation` or `rotation`.
    pub change: &'static str,
    /// State or descriptor left. Foreign text.
    pub from: String,
    /// State or descriptor entered. Foreign text.
    pub to: String,
    /// It is neither excluded nor in dispute.
    pub counts: bool,
    /// Height of the lowest verified anchor.
    pub anchor: Option<BlockHeight>,
}

impl RebindLedger {
    /// Tells the course of custody in one walk.
    pub fn course(&self) -> CustodyCourse {
        let mut course = CustodyCourse::default();
        for state in self.states.values() {
            *course.states.entry(state.name()).or_default() += 1;
        }
        let rebinds = self.entries.values().map(|entry| self.rebind(entry));
        for change in rebinds.chain(self.steps.values().flatten().map(|step| self.step(step))) {
            course.changes += 1;
            if change.counts {
                *course.months.entry(Month::of(change.at)).or_default().entry(change.change).or_default() += 1;
            }
            course.latest.push(change);
            if course.latest.len() >= 2 * LATEST_MAX {
                course.cut();
            }
        }
        course.cut();
        course
    }

    fn rebind(&self, entry: &RebindEntry) -> CustodyChange {
        CustodyChange {
            at: entry.dated.effective.seconds(),
            id: entry.id.0,
            who: entry.rebind.user.to_string(),
            change: "rebind",
            from: entry.rebind.from.name().to_owned(),
            to: entry.rebind.to.name().to_owned(),
            counts: entry.standing == Standing::Counted
                && !self.gaps.contains(&entry.id)
                && !self.equivocal.contains(&entry.id),
            anchor: entry.anchor,
        }
    }

    fn step(&self, step: &Step) -> CustodyChange {
        let to = step.to.map(|to| to.to_string());
        CustodyChange {
            at: step.dated.effective.seconds(),
            id: step.id,
            who: step.address.clone(),
            change: step.kind(),
            from: step.from.to_string(),
            to: to.or_else(|| step.graduates_to.clone()).unwrap_or_default(),
            counts: !self.forked.contains(&step.id),
            anchor: step.anchor,
        }
    }
}

impl CustodyCourse {
    /// Keeps the latest.
    fn cut(&mut self) {
        self.latest.sort_unstable_by(|one, other| other.cmp(one));
        self.latest.truncate(LATEST_MAX);
    }
}
