//! Which testcases a report makes, and how each ends.

use std::collections::{BTreeMap, BTreeSet};

use super::named::{NAMED_MAX, Named, OfCode};
use crate::domain::{Code, Condition, State, Step};
use crate::reconcile::step_of;
use crate::report::document::{CheckMember, Document, Head};

/// One testcase.
pub(super) struct Case {
    /// `reledger` and the runbook's step.
    pub(super) class: String,
    /// Its name, once in the suite.
    pub(super) name: String,
    /// How it ended.
    pub(super) result: Result,
    /// What stands in `system-out`.
    pub(super) said: Vec<String>,
}

/// How a testcase ended.
pub(super) enum Result {
    /// It agreed.
    Passed,
    /// It disagreed.
    Failed { message: String, lines: Vec<String> },
    /// It is owed and could not be checked.
    Error { message: String, lines: Vec<String> },
    /// Nobody asked for it.
    Skipped { message: String },
}

pub(super) fn of(document: &Document<'_>, named: &Named) -> Vec<Case> {
    let head = &document.head;
    let mut cases = vec![verdict(head)];
    let mut spoken: BTreeSet<Code> = BTreeSet::new();
    for check in &head.checks {
        let codes = codes_of(check, named);
        cases.push(ran(check, &codes));
        // What a check of an earlier version may have said, it is not known to have said.
        spoken.extend(
            codes.iter().filter(|_| check.codes.as_ref().is_some_and(|codes| !codes.is_empty())).map(|(code, _)| *code),
        );
    }
    let unspoken = named.0.iter().filter(|(code, _)| !spoken.contains(*code));
    cases.extend(unspoken.map(|(code, own)| of_code(*code, own)));
    cases.extend(not_made(head));
    let mut names: BTreeMap<String, u64> = BTreeMap::new();
    for case in &mut cases {
        let times = names.entry(case.name.clone()).or_default();
        *times += 1;
        if *times > 1 {
            case.name = format!("{} ({times})", case.name);
        }
    }
    cases
}

fn class(step: Option<Step>) -> String {
    step.map_or_else(|| "reledger.no-step".to_owned(), |step| format!("reledger.{}-{}", step.number(), step.name()))
}

/// Fails with the run, whatever the other testcases say; and a run without checks is no success, whatever its exit code says.
fn verdict(head: &Head) -> Case {
    let verdict = &head.verdict;
    let conditions = verdict.conditions.join(", ");
    let message = format!("{}, exit {}: {}", verdict.outcome, verdict.exit_code, verdict.sentence);
    let lines = vec![format!("conditions: {conditions}")];
    let is_judged = [Condition::Divergent, Condition::UntrustedInput, Condition::OverBudget]
        .into_iter()
        .any(|condition| condition.exit_code().0 == verdict.exit_code);
    let result = if head.checks.is_empty() {
        Result::Error { message: format!("no check ran. {message}"), lines }
    } else if is_judged {
        Result::Failed { message: message.clone(), lines }
    } else if verdict.exit_code != 0 || verdict.outcome != "clean" || !verdict.conditions.is_empty() {
        Result::Error { message: message.clone(), lines }
    } else {
        Result::Passed
    };
    let mut said = vec![verdict.sentence.clone(), format!("state root {}", head.state_root)];
    said.extend(head.runbook.iter().map(|runbook| {
        let (word, reasons) = (if runbook.ready_to_unfreeze { "yes" } else { "no" }, runbook.reasons.join("; "));
        format!("ready to unfreeze: {word}{}{reasons}", if reasons.is_empty() { "" } else { ": " })
    }));
    Case { class: "reledger".to_owned(), name: "verdict".to_owned(), result, said }
}

/// The codes that answer for what a check found: those that it names. Where it disagreed and names none (its findings were
/// made elsewhere, or the report is of an earlier version), every code of its step.
fn codes_of<'n>(check: &CheckMember, named: &'n Named) -> Vec<(Code, &'n OfCode)> {
    let codes = check.codes.as_deref().unwrap_or_default();
    let is_own = |code: Code| {
        let of_its_step = || check.disagreed > 0 && codes.is_empty() && step_of(&check.check) == Some(code.step());
        codes.iter().any(|name| name == code.name()) || of_its_step()
    };
    named.0.iter().filter(|(code, _)| is_own(**code)).map(|(code, own)| (*code, own)).collect()
}

fn ran(check: &CheckMember, codes: &[(Code, &OfCode)]) -> Case {
    let counts = format!("{} disagreements over {} items", check.disagreed, check.items);
    Case {
        class: class(step_of(&check.check)),
        name: check.check.clone(),
        result: judged(&counts, codes),
        said: said(&counts, codes),
    }
}

fn of_code(code: Code, own: &OfCode) -> Case {
    let codes = [(code, own)];
    let result = match judged(code.meaning(), &codes) {
        // What could not be checked is never counted as passed.
        Result::Passed if code == Code::Unverifiable => {
            Result::Skipped { message: "checks that could not be made stand by their names".to_owned() }
        }
        result => result,
    };
    Case { class: class(Some(code.step())), name: code.name().to_owned(), result, said: said(code.meaning(), &codes) }
}

/// What could not be established is an error, what contradicts a failure.
fn judged(about: &str, codes: &[(Code, &OfCode)]) -> Result {
    let failing: Vec<&(Code, &OfCode)> = codes.iter().filter(|(_, own)| own.failing > 0).collect();
    if failing.is_empty() {
        return Result::Passed;
    }
    let count: u64 = failing.iter().map(|(_, own)| own.failing).sum();
    let by_code: Vec<String> = failing.iter().map(|(code, own)| format!("{code} {}", own.failing)).collect();
    let message = format!("{about}: {}", by_code.join(", "));
    let lines = first(failing.iter().flat_map(|(_, own)| &own.named), count);
    if failing.iter().all(|(code, _)| code.is_shortfall() || code.is_incompleteness()) {
        Result::Error { message, lines }
    } else {
        Result::Failed { message, lines }
    }
}

/// What stands beside the result: what does not fail, by state, and by whom it is explained.
fn said(about: &str, codes: &[(Code, &OfCode)]) -> Vec<String> {
    let mut lines = vec![about.to_owned()];
    for (code, own) in codes {
        let passing = own.passing.iter().map(|((state, severity), count)| match state {
            State::Open => format!("{code}: {count} open of severity {severity}, below the threshold"),
            State::Explained | State::Acknowledged => {
                format!("{code}: {count} {} of severity {severity}", state.name())
            }
        });
        lines.extend(passing);
    }
    let closed: u64 = codes.iter().map(|(_, own)| own.closed_count).sum();
    lines.extend(first(codes.iter().flat_map(|(_, own)| &own.closed), closed));
    lines
}

/// The first lines, and how many there are beyond them.
fn first<'l>(lines: impl Iterator<Item = &'l String>, all: u64) -> Vec<String> {
    let mut shown: Vec<String> = lines.take(NAMED_MAX).cloned().collect();
    let beyond = all.saturating_sub(u64::try_from(shown.len()).unwrap_or(u64::MAX));
    if beyond > 0 {
        shown.push(format!("and {beyond} more: reledger divergences list"));
    }
    shown
}

/// Checks that did not run, each once with its reasons: owed when any of them was declared.
fn not_made(head: &Head) -> Vec<Case> {
    let mut by_name: BTreeMap<&str, (bool, BTreeSet<String>)> = BTreeMap::new();
    for check in &head.unverifiable {
        let (declared, reasons) = by_name.entry(&check.check).or_default();
        *declared |= check.declared;
        reasons.insert(if check.items > 0 {
            format!("{} ({} items)", check.reason, check.items)
        } else {
            check.reason.clone()
        });
    }
    let case = |(name, (declared, reasons)): (&str, (bool, BTreeSet<String>))| {
        let reasons: Vec<String> = reasons.into_iter().collect();
        let message = reasons.join("; ");
        let result = if declared { Result::Error { message, lines: reasons } } else { Result::Skipped { message } };
        let has_run = head.checks.iter().any(|check| check.check == name);
        let name = if has_run { format!("{name} (the rest)") } else { name.to_owned() };
        Case { class: class(step_of(name.split(' ').next().unwrap_or_default())), name, result, said: Vec::new() }
    };
    by_name.into_iter().map(case).collect()
}
