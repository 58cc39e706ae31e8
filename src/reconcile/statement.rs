//! BALANCE_ROOT and SAMPLE_INVALID: what a balance statement says of itself as a whole (TREASURY 8).
//!
//! A stated count, total or root has to be given twice: by the statement's own lines, so that it speaks of what it lists,
//! and by the recomputed balances, so that it is true. Users who are owed nothing may be left out.

use std::collections::BTreeSet;

use crate::domain::{Code, Digest32, EvidenceId, Finding, Subject, UnixSeconds, UserKey, sum_root};
use crate::evidence::{BalanceLine, StatementSample, StatementTotals};

use super::audit::{Audit, wide};
use super::book::Balances;
use super::listed::Lines;
use super::reconciler::Input;
use super::sampling::{Agreed, drawn, population};

/// One set of users with their balances, ascending.
type Tally<'a> = [(&'a str, i128)];

fn total(tally: &Tally<'_>) -> Option<i128> {
    tally.iter().try_fold(0_i128, |sum, (_, sats)| sum.checked_add(*sats))
}

fn root(tally: &Tally<'_>) -> Option<Digest32> {
    sum_root(tally.iter().copied()).map(|root| root.hash)
}

/// Judges every line about the statement. `balances` are the recomputed ones of all users.
pub(super) fn check(input: &Input<'_>, balances: &Balances<'_>, lines: &Lines<'_>, audit: &mut Audit) {
    let statements = &input.set.statements;
    if statements.is_empty() {
        return;
    }
    let own = own(lines);
    let rebuilt = population(balances, lines);
    let mut found = Vec::new();
    for (id, statement) in statements {
        if let Some(totals) = &statement.totals {
            found.extend(judge_totals(*id, totals, own.as_deref(), &rebuilt));
            if let Some(reason) = totals.as_of.and_then(|at| other_instant(at, input.as_of.time)) {
                audit.not_possible("balances.as_of", &reason, rebuilt.len(), true);
            }
        }
        if let Some(sample) = &statement.sample {
            found.extend(judge_sample(input, *id, sample, &rebuilt));
        }
    }
    audit.check("balances.statement", statements.len(), found);
}

/// Balances of one instant say nothing of another: what agrees may do so by chance, and what differs for a reason.
fn other_instant(stated: UnixSeconds, judged: UnixSeconds) -> Option<String> {
    (stated != judged).then(|| {
        format!("the statement speaks of {stated}, and the balances it is compared with of {judged}: judge with that --as-of")
    })
}

/// The statement's own lines; `None` when it has none, or one whose balance can't be told.
fn own<'a>(lines: &Lines<'a>) -> Option<Vec<(&'a str, i128)>> {
    let stated: Option<Vec<_>> = lines
        .by_user()
        .map(|own| {
            let sats: Option<Vec<i128>> = own.iter().map(|(_, line)| stated(line)).collect();
            Some((own.first()?.1.user.as_str(), *sats?.first()?))
        })
        .collect();
    stated.filter(|tally| !tally.is_empty())
}

fn stated(line: &BalanceLine) -> Option<i128> {
    let parts = || Some(i128::from(line.available_sats?) + i128::from(line.maturing_sats?));
    line.balance_sats.map(i128::from).or_else(parts)
}

fn judge_totals(
    id: EvidenceId,
    stated: &StatementTotals,
    own: Option<&Tally<'_>>,
    rebuilt: &Tally<'_>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut compare = |member: &str, stated: Option<String>, give: &dyn Fn(&Tally<'_>) -> Option<String>| {
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
    compare("count", stated.count.map(|count| count.to_string()), &|tally| Some(tally.len().to_string()));
    compare("total", stated.sum_sats.map(|sum| sum.to_string()), &|tally| Some(total(tally)?.to_string()));
    compare("root", stated.root.map(|root| root.to_hex()), &|tally| Some(root(tally)?.to_hex()));
    found
}

fn judge_sample(input: &Input<'_>, id: EvidenceId, sample: &StatementSample, rebuilt: &Tally<'_>) -> Option<Finding> {
    let population = wide(rebuilt.len());
    let mut faults = Vec::new();
    if let Agreed::Seed { text, .. } = Agreed::of(input.declared)
        && text != sample.seed
    {
        faults.push(format!("its seed is not the one that was agreed, {text}"));
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
    if listed.len() != sample.users.len() {
        faults.push(format!("{} different users listed in {} places", listed.len(), sample.users.len()));
    } else if sample.size <= population {
        let drawn = drawn(&sample.seed, input.declared.sampling, rebuilt, sample.size);
        let drawn: BTreeSet<&str> = drawn.into_iter().map(|(user, _)| user).collect();
        let strange = listed.difference(&drawn).count();
        if strange > 0 {
            faults.push(format!("{strange} of {} users are not the ones that the seed draws", listed.len()));
        }
        if listed.len() != drawn.len() {
            faults.push(format!("{} users listed, and {} drawn", listed.len(), drawn.len()));
        }
    }
    (!faults.is_empty()).then(|| {
        Finding::new(Code::SampleInvalid, Subject::new("statement", "sample"))
            .with_values(format!("the draw of {} out of {population} by its seed", sample.size), faults.join("; "))
            .with_evidence(id, "statement")
            .with_explanation("The sample can't be drawn again, so somebody may have chosen it.")
    })
}
