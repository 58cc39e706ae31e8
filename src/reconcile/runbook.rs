//! The operator's runbook, step by step: did it pass, is it blocked, or could it not be checked? And may writes go on?

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Code, Condition, Divergence, Outcome, State, Step};

use super::result::Reconciliation;

/// The step of every family of checks: what stands before the first dot of a check's name, or the whole name of a population.
const FAMILIES: [(&str, Step); 29] = [
    ("capture", Step::Capture),
    ("charter", Step::Capture),
    ("federation-directory", Step::Capture),
    ("activity", Step::Replay),
    ("attestations", Step::Replay),
    ("auth-jwks", Step::Replay),
    ("custody", Step::Replay),
    ("envelope", Step::Replay),
    ("jwks", Step::Replay),
    ("keys", Step::Replay),
    ("nostr-event", Step::Replay),
    ("project-config", Step::Replay),
    ("projects", Step::Replay),
    ("rebind", Step::Replay),
    ("anchoring", Step::Anchoring),
    ("bitcoin-headers", Step::Anchoring),
    ("calendar-reply", Step::Anchoring),
    ("headers", Step::Anchoring),
    ("ots-proof", Step::Anchoring),
    ("proofs", Step::Anchoring),
    ("escrow", Step::Settlement),
    ("invoice", Step::Settlement),
    ("invoices", Step::Settlement),
    ("payment-log", Step::Settlement),
    ("payment-log-entry", Step::Settlement),
    ("platform", Step::Settlement),
    ("settlement", Step::Settlement),
    ("settlements", Step::Settlement),
    ("treasury", Step::Settlement),
];
/// As [`FAMILIES`], of the last two steps.
const LATE_FAMILIES: [(&str, Step); 7] = [
    ("balance", Step::Balances),
    ("balances", Step::Balances),
    ("checkpoint", Step::Seal),
    ("checkpoints", Step::Seal),
    ("seal", Step::Seal),
    ("snapshot", Step::Seal),
    ("snapshots", Step::Seal),
];

/// The runbook step that a check belongs to, by its name; `None` for a name of no known family.
pub fn step_of(check: &str) -> Option<Step> {
    let family = check.split('.').next().unwrap_or(check);
    FAMILIES.iter().chain(&LATE_FAMILIES).find(|(name, _)| *name == family).map(|(_, step)| *step)
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Something of it was checked, nothing blocks it, and nothing declared was left out.
    Pass,
    /// An open divergence of it blocks unfreezing writes.
    Blocked,
    /// Nothing of it was checked, or not everything that was declared.
    CouldNotCheck,
}

impl Verdict {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Blocked => "blocked",
            Self::CouldNotCheck => "could_not_check",
        }
    }
}

/// One step with its counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepVerdict {
    /// Which.
    pub step: Step,
    /// How it ended.
    pub verdict: Verdict,
    /// Checks that ran.
    pub ran: u64,
    /// Items that these covered.
    pub items: u64,
    /// Items that disagreed and are not explained.
    pub disagreed: u64,
    /// Open divergences that block, by code.
    pub blocking: BTreeMap<Code, u64>,
    /// Divergences that somebody accepted.
    pub acknowledged: u64,
    /// Declared checks that did not run, declared populations that are empty, and shortfalls of the capture: by name.
    pub unverifiable: BTreeSet<String>,
    /// Items that these would have covered, where known.
    pub unverifiable_items: u64,
    /// Checks that did not run and that nothing declared asked for.
    pub undeclared: u64,
}

impl StepVerdict {
    fn new(step: Step) -> Self {
        Self {
            step,
            verdict: Verdict::CouldNotCheck,
            ran: 0,
            items: 0,
            disagreed: 0,
            blocking: BTreeMap::new(),
            acknowledged: 0,
            unverifiable: BTreeSet::new(),
            unverifiable_items: 0,
            undeclared: 0,
        }
    }

    fn judge(&mut self) {
        self.verdict = if !self.blocking.is_empty() {
            Verdict::Blocked
        } else if self.ran == 0 || !self.unverifiable.is_empty() {
            Verdict::CouldNotCheck
        } else {
            Verdict::Pass
        };
    }

    /// What the step owes: checks that ran, and what of the declared ones did not.
    pub fn owed(&self) -> u64 {
        self.ran.saturating_add(super::audit::wide(self.unverifiable.len()))
    }

    /// True when the step keeps writes frozen. Seals are for those who have some: without any there is nothing to ask.
    pub fn holds_back(&self) -> bool {
        let is_idle = self.step == Step::Seal && self.owed() == 0;
        self.verdict != Verdict::Pass && !(is_idle && self.verdict == Verdict::CouldNotCheck)
    }

    /// One clause: why it did not pass; empty when it did.
    pub fn reason(&self) -> String {
        let blocking: Vec<String> = self.blocking.iter().map(|(code, count)| format!("{code} {count}")).collect();
        let unverifiable: Vec<&str> = self.unverifiable.iter().map(String::as_str).collect();
        match self.verdict {
            Verdict::Pass => String::new(),
            Verdict::Blocked => format!("blocked by {}", blocking.join(", ")),
            Verdict::CouldNotCheck if self.unverifiable.is_empty() => "nothing of it was checked".to_owned(),
            Verdict::CouldNotCheck => format!("not established: {}", unverifiable.join(", ")),
        }
    }
}

/// Every step, and whether writes may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runbook {
    /// Steps 0, 2, 3, 4, 5 and 6.
    pub steps: Vec<StepVerdict>,
    /// Writes may be unfrozen: every step passed (step 6 where it has anything to check), and the run has no condition but a
    /// missed objective.
    pub ready_to_unfreeze: bool,
    /// Why not, in words; empty when it is.
    pub reasons: Vec<String>,
}

impl Runbook {
    /// The runbook of a run that ended like this.
    pub fn of(reconciliation: &Reconciliation, outcome: &Outcome) -> Self {
        let mut steps: BTreeMap<Step, StepVerdict> =
            Step::ALL.into_iter().map(|step| (step, StepVerdict::new(step))).collect();
        let mut homeless: BTreeSet<&str> = BTreeSet::new();
        for check in &reconciliation.checks {
            match step_of(&check.check).and_then(|step| steps.get_mut(&step)) {
                Some(own) => {
                    own.ran = own.ran.saturating_add(1);
                    own.items = own.items.saturating_add(check.items);
                    own.disagreed = own.disagreed.saturating_add(check.disagreed);
                }
                None => drop(homeless.insert(&check.check)),
            }
        }
        for check in &reconciliation.unverifiable {
            match step_of(&check.check).and_then(|step| steps.get_mut(&step)) {
                Some(own) if check.declared => {
                    own.unverifiable.insert(check.check.clone());
                    own.unverifiable_items = own.unverifiable_items.saturating_add(check.items);
                }
                Some(own) => own.undeclared = own.undeclared.saturating_add(1),
                None => drop(homeless.insert(&check.check)),
            }
        }
        for divergence in &reconciliation.divergences {
            if let Some(own) = steps.get_mut(&divergence.step) {
                count(own, divergence);
            }
            if let Some((step, name)) = shortfall(divergence)
                && let Some(own) = steps.get_mut(&step)
            {
                own.unverifiable.insert(name);
            }
        }
        let mut steps: Vec<StepVerdict> = steps.into_values().collect();
        steps.iter_mut().for_each(StepVerdict::judge);
        let reasons = reasons(&steps, &homeless, outcome);
        Self { steps, ready_to_unfreeze: reasons.is_empty(), reasons }
    }
}

fn count(own: &mut StepVerdict, divergence: &Divergence) {
    if divergence.blocks() {
        let count = own.blocking.entry(divergence.code).or_default();
        *count = count.saturating_add(1);
    }
    if divergence.state == State::Acknowledged {
        own.acknowledged = own.acknowledged.saturating_add(1);
    }
}

/// What a shortfall leaves unchecked, and in which step: accepting that nothing came does not make it come.
fn shortfall(divergence: &Divergence) -> Option<(Step, String)> {
    if divergence.state == State::Explained || !divergence.code.is_shortfall() {
        return None;
    }
    let population = divergence.subject.get("population").filter(|_| divergence.code == Code::SrcEmpty);
    match population.and_then(|name| Some((step_of(name)?, name))) {
        Some((step, name)) => Some((step, format!("{name} (empty)"))),
        None => Some((divergence.step, divergence.code.name().to_owned())),
    }
}

fn reasons(steps: &[StepVerdict], homeless: &BTreeSet<&str>, outcome: &Outcome) -> Vec<String> {
    let held = steps.iter().filter(|step| step.holds_back());
    let mut reasons: Vec<String> =
        held.map(|step| format!("step {} ({}) {}", step.step.number(), step.step.name(), step.reason())).collect();
    reasons.extend(homeless.iter().map(|check| format!("the check {check} belongs to no step")));
    // A missed objective is no reason to keep writes frozen: the data is clean.
    let against = outcome.conditions().filter(|condition| *condition != Condition::OverBudget);
    let against: Vec<&str> = against.map(Condition::name).collect();
    if !against.is_empty() {
        reasons.push(format!("the run is {}", against.join(" and ")));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Finding, Media, Subject};
    use crate::reconcile::{CheckRun, Unverifiable};

    /// A run in which every step has one check that ran and agreed.
    fn whole() -> Reconciliation {
        let names = [
            "capture.coverage",
            "envelope.fees",
            "anchoring.proof",
            "settlement.form",
            "balances.compare",
            "seal.chain",
        ];
        let checks =
            names.map(|check| CheckRun { check: check.to_owned(), items: 3, disagreed: 0, codes: BTreeSet::new() });
        Reconciliation { checks: checks.into(), ..Reconciliation::default() }
    }

    fn judged(reconciliation: &Reconciliation) -> (Vec<Verdict>, bool) {
        let runbook = Runbook::of(reconciliation, &Outcome::default());
        assert_eq!(runbook.ready_to_unfreeze, runbook.reasons.is_empty());
        (runbook.steps.iter().map(|step| step.verdict).collect(), runbook.ready_to_unfreeze)
    }

    fn unverifiable(check: &str, declared: bool) -> Unverifiable {
        Unverifiable { check: check.to_owned(), reason: "r".to_owned(), items: 2, declared }
    }

    use Verdict::{Blocked, CouldNotCheck, Pass};

    #[test]
    fn every_step_passes_when_each_has_a_check_that_ran() {
        assert_eq!(judged(&whole()), (vec![Pass; 6], true));
        let step = &Runbook::of(&whole(), &Outcome::default()).steps[3];
        assert_eq!((step.ran, step.owed(), step.items, step.disagreed), (1, 1, 3, 0));
    }

    #[test]
    fn a_step_of_which_nothing_ran_never_passes_and_only_seals_may_be_idle() {
        for place in 0..6 {
            let mut run = whole();
            run.checks.remove(place);
            let mut expected = vec![Pass; 6];
            expected[place] = CouldNotCheck;
            assert_eq!(judged(&run), (expected, place == 5), "{place}");
        }
        let mut run = whole();
        run.checks.pop();
        run.unverifiable.push(unverifiable("checkpoints.unread", true));
        assert!(!judged(&run).1, "declared seals are owed");
    }

    #[test]
    fn what_was_declared_and_did_not_run_is_no_pass_and_what_was_not_declared_is_none_of_ours() {
        let mut run = whole();
        run.unverifiable.push(unverifiable("settlement.invoice", true));
        assert_eq!(judged(&run), (vec![Pass, Pass, Pass, CouldNotCheck, Pass, Pass], false));
        let step = &Runbook::of(&run, &Outcome::default()).steps[3];
        assert_eq!((step.ran, step.owed(), step.unverifiable_items), (1, 2, 2));
        run.unverifiable = vec![unverifiable("invoices", false)];
        assert_eq!(judged(&run), (vec![Pass; 6], true));
    }

    #[test]
    fn an_open_error_blocks_its_step_and_nothing_else_does() {
        let with = |finding: Finding, state: State| {
            let mut divergence = finding.into_divergence();
            divergence.state = state;
            judged(&Reconciliation { divergences: vec![divergence], ..whole() })
        };
        let missing = || Finding::new(Code::SetMissing, Subject::new("user", "u"));
        assert_eq!(with(missing(), State::Open), (vec![Pass, Pass, Pass, Blocked, Pass, Pass], false));
        for state in [State::Explained, State::Acknowledged] {
            assert_eq!(with(missing(), state), (vec![Pass; 6], true));
        }
        let late = Finding::new(Code::SetLate, Subject::new("user", "u"));
        assert_eq!(with(late, State::Open), (vec![Pass; 6], true), "a warning");
    }

    #[test]
    fn an_accepted_shortfall_is_still_not_checked() {
        let with = |subject: Subject, state: State| {
            let mut divergence = Finding::new(Code::SrcEmpty, subject).into_divergence();
            divergence.state = state;
            judged(&Reconciliation { divergences: vec![divergence], ..whole() }).0
        };
        let of_a_substrate = || Subject::new("population", "payment-log");
        assert_eq!(with(of_a_substrate(), State::Acknowledged), [Pass, Pass, Pass, CouldNotCheck, Pass, Pass]);
        assert_eq!(with(of_a_substrate(), State::Open), [Blocked, Pass, Pass, CouldNotCheck, Pass, Pass]);
        assert_eq!(with(of_a_substrate(), State::Explained), [Pass; 6]);
        assert_eq!(with(Subject::new("source", "x"), State::Acknowledged)[0], CouldNotCheck);
    }

    #[test]
    fn conditions_keep_writes_frozen_but_a_missed_objective_does_not() {
        let with = |condition: Condition| {
            let mut outcome = Outcome::default();
            outcome.add(condition);
            Runbook::of(&whole(), &outcome).ready_to_unfreeze
        };
        assert!(with(Condition::OverBudget));
        for condition in
            [Condition::Divergent, Condition::Incomplete, Condition::Unreachable, Condition::UntrustedInput]
        {
            assert!(!with(condition), "{condition:?}");
        }
    }

    #[test]
    fn a_check_of_no_step_keeps_writes_frozen() {
        let mut run = whole();
        run.checks.push(CheckRun {
            check: "astrology.signs".to_owned(),
            items: 1,
            disagreed: 0,
            codes: BTreeSet::new(),
        });
        assert!(!judged(&run).1);
        assert!(Runbook::of(&run, &Outcome::default()).reasons[0].contains("astrology.signs"));
    }

    #[test]
    fn every_media_that_can_be_unreadable_has_a_step() {
        for media in Media::ALL {
            assert!(step_of(&format!("{}.unread", media.name())).is_some(), "{media}");
        }
    }
}
