//! BALANCE_ROOT and SAMPLE_INVALID: what a balance statement says of itself as a whole (TREASURY 8).
//!
//! A stated count, total or root has to be given twice: by the statement's own lines, so that it speaks of what it lists,
//! and by the recomputed balances, so that it is true. Users who are owed nothing may be left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Code, Digest32, EvidenceId, Finding, Subject, SumLeaf, UserKey, draw_sample, sum_root};
use crate::evidence::{BalanceLine, StatementSample, StatementTotals};

use super::audit::{Audit, wide};
use super::reconciler::Input;

/// `balances.seed` of a run whose seed is a block that was not mined when it began.
const BEACON: &str = "beacon";

/// One set of users with their balances.
#[derive(Debug, Default)]
struct Tally {
    users: BTreeMap<String, i128>,
}

impl Tally {
    fn total(&self) -> Option<i128> {
        self.users.values().try_fold(0_i128, |sum, sats| sum.checked_add(*sats))
    }

    fn root(&self) -> Option<Digest32> {
        let leaves: Vec<SumLeaf> =
            self.users.iter().map(|(user, sats)| SumLeaf { user: user.clone(), sats: *sats }).collect();
        sum_root(&leaves).map(|root| root.hash)
    }
}

/// Judges every line about the statement. `balances` are the recomputed ones of all users.
pub(super) fn check(input: &Input<'_>, balances: &BTreeMap<&UserKey, i128>, audit: &mut Audit) {
    let statements = &input.set.statements;
    if statements.is_empty() {
        return;
    }
    let own = own(input);
    let listed: BTreeSet<&UserKey> = input.set.balances.iter().map(|(_, line)| &line.user).collect();
    let rebuilt = rebuilt(balances, &listed);
    let mut found = Vec::new();
    for (id, statement) in statements {
        if let Some(totals) = &statement.totals {
            found.extend(judge_totals(*id, totals, own.as_ref(), &rebuilt));
        }
        if let Some(sample) = &statement.sample {
            found.extend(judge_sample(input, *id, sample, &rebuilt));
            if input.declared.sample_seed.as_deref() == Some(BEACON) {
                let reason = "which block the seed had to be of is not recorded in the evidence";
                audit.not_possible("balances.seed", reason, 1, false);
            }
        }
    }
    audit.check("balances.statement", statements.len(), found);
}

/// The statement's own lines; `None` when it has none, or one whose balance can't be told.
fn own(input: &Input<'_>) -> Option<Tally> {
    let mut tally = Tally::default();
    for (_, line) in &input.set.balances {
        tally.users.entry(line.user.as_str().to_owned()).or_insert(stated(line)?);
    }
    (!tally.users.is_empty()).then_some(tally)
}

fn stated(line: &BalanceLine) -> Option<i128> {
    let parts = || Some(i128::from(line.available_sats?) + i128::from(line.maturing_sats?));
    line.balance_sats.map(i128::from).or_else(parts)
}

/// Everyone who is owed something, and everyone whom the statement lists.
fn rebuilt(balances: &BTreeMap<&UserKey, i128>, listed: &BTreeSet<&UserKey>) -> Tally {
    let mut users: BTreeMap<String, i128> = listed.iter().map(|user| (user.as_str().to_owned(), 0)).collect();
    let counted = balances.iter().filter(|(user, sats)| **sats != 0 || listed.contains(**user));
    users.extend(counted.map(|(user, sats)| (user.as_str().to_owned(), *sats)));
    Tally { users }
}

fn judge_totals(id: EvidenceId, stated: &StatementTotals, own: Option<&Tally>, rebuilt: &Tally) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut compare = |member: &str, stated: Option<String>, give: &dyn Fn(&Tally) -> Option<String>| {
        let Some(stated) = stated else { return };
        let expected = give(rebuilt);
        let lines = own.map(give);
        if expected.as_ref() == Some(&stated) && lines.as_ref().is_none_or(|lines| lines.as_ref() == Some(&stated)) {
            return;
        }
        let none = || "none: it overflows".to_owned();
        let amounts = expected.as_ref().and_then(|text| text.parse::<i128>().ok()).zip(stated.parse::<i128>().ok());
        let stake = amounts.filter(|_| member == "total").map(|(ours, theirs)| ours.saturating_sub(theirs));
        let lines =
            lines.map_or_else(String::new, |lines| format!(", its own lines give {}", lines.unwrap_or_else(none)));
        let finding = Finding::new(Code::BalanceRoot, Subject::new("statement", member))
            .with_values(expected.unwrap_or_else(none), format!("{stated}{lines}"))
            .with_evidence(id, "statement")
            .with_explanation("What the statement says of itself is not what its lines and the rebuilt ledger give.");
        found.push(stake.into_iter().fold(finding, Finding::with_stake_sats));
    };
    compare("count", stated.count.map(|count| count.to_string()), &|tally| Some(tally.users.len().to_string()));
    compare("total", stated.sum_sats.map(|sum| sum.to_string()), &|tally| tally.total().map(|sum| sum.to_string()));
    compare("root", stated.root.map(|root| root.to_hex()), &|tally| tally.root().map(|root| root.to_hex()));
    found
}

fn judge_sample(input: &Input<'_>, id: EvidenceId, sample: &StatementSample, rebuilt: &Tally) -> Option<Finding> {
    let population = wide(rebuilt.users.len());
    let mut faults = Vec::new();
    if let Some(seed) = input.declared.sample_seed.as_ref().filter(|seed| *seed != BEACON && **seed != sample.seed) {
        faults.push(format!("its seed is not the one that was agreed, {seed}"));
    }
    if sample.size > population {
        faults.push(format!("{} users drawn out of {population}", sample.size));
    }
    let wanted = input.declared.sample_size.map(|size| u64::from(size).min(population));
    if let Some(wanted) = wanted.filter(|wanted| *wanted != sample.size) {
        faults.push(format!("{} users drawn instead of {wanted}", sample.size));
    }
    let listed: BTreeSet<&str> = sample.users.iter().map(UserKey::as_str).collect();
    // Users are named nowhere: a report may go to people who must not know them.
    if wide(listed.len()) != sample.size || listed.len() != sample.users.len() {
        faults.push(format!("{} different users listed for a size of {}", listed.len(), sample.size));
    } else if sample.size <= population {
        let users: Vec<&str> = rebuilt.users.keys().map(String::as_str).collect();
        let drawn = draw_sample(&sample.seed, population, sample.size);
        let drawn = drawn.iter().filter_map(|at| users.get(usize::try_from(*at).ok()?).copied());
        let strange = listed.len() - drawn.filter(|user| listed.contains(user)).count();
        if strange > 0 {
            faults.push(format!("{strange} of {} users are not the ones that the seed draws", sample.size));
        }
    }
    (!faults.is_empty()).then(|| {
        Finding::new(Code::SampleInvalid, Subject::new("statement", "sample"))
            .with_values(format!("the draw of {} out of {population} by its seed", sample.size), faults.join("; "))
            .with_evidence(id, "statement")
            .with_explanation("The sample can't be drawn again, so somebody may have chosen it.")
    })
}
