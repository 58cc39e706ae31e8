//! A report beside an expectation: every difference, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::app::error::AppError;
use crate::domain::{Code, Severity, Subject, merkle_root};
use crate::sim::{Expectation, Expected, Planted};

/// What a report says, as far as an oracle can know it.
#[derive(Debug)]
pub(super) struct Reported {
    exit_code: u64,
    pub(super) divergences: Vec<Expected>,
    document: Value,
    /// Entries that are no divergences.
    unread: usize,
}

impl Reported {
    /// Reads `report.json`, as anybody would.
    pub(super) fn read(path: &Path) -> Result<Self, AppError> {
        let failed = |source| AppError::Io { action: "read", file: path.display().to_string(), source };
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let document = text.parse::<Value>().map_err(|error| failed(std::io::Error::other(error.to_string())))?;
        let entries = document["divergences"].as_array().map_or(&[][..], Vec::as_slice);
        let mut divergences: Vec<Expected> = entries.iter().filter_map(divergence).collect();
        let unread = entries.len() - divergences.len();
        divergences.sort();
        let exit_code = document["verdict"]["exit_code"].as_u64().unwrap_or(u64::MAX);
        Ok(Self { exit_code, divergences, document, unread })
    }

    /// What is held against an honest world, whatever its oracle says: nothing may be.
    pub(super) fn blames(&self) -> impl Iterator<Item = String> {
        let open = self.divergences.iter().filter(|one| !one.explained && one.severity > Severity::Info);
        open.map(|one| format!("an honest world has {} open: {:?}", one.code, one.subject.0))
    }
}

fn divergence(value: &Value) -> Option<Expected> {
    let members = value["subject"].as_object()?;
    let subject = members.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
    let severity = [Severity::Info, Severity::Warn, Severity::Error, Severity::Critical]
        .into_iter()
        .find(|severity| value["severity"] == severity.name())?;
    Some(Expected {
        code: value["code"].as_str()?.parse::<Code>().ok()?,
        subject: Subject(subject.collect()),
        severity,
        explained: value["state"] == "explained",
    })
}

/// Everything in which the two differ.
pub(super) fn compare(expected: &Expectation, planted: &[Planted], reported: &Reported) -> Vec<String> {
    let mut differences = multiset(&expected.divergences, &reported.divergences);
    if reported.unread > 0 {
        differences.push(format!("{} entries of the report are no divergences", reported.unread));
    }
    if reported.exit_code != u64::from(expected.exit_code) {
        differences.push(format!("exit {} instead of {}", reported.exit_code, expected.exit_code));
    }
    differences.extend(planted.iter().filter_map(|planted| fired(planted, expected, reported)));
    differences.extend(money(expected, &reported.document));
    differences.extend(roots(expected, &reported.document));
    differences
}

/// Both lists are sorted.
fn multiset(expected: &[Expected], reported: &[Expected]) -> Vec<String> {
    let mut counts: BTreeMap<&Expected, (usize, usize)> = BTreeMap::new();
    for one in expected {
        counts.entry(one).or_default().0 += 1;
    }
    for one in reported {
        counts.entry(one).or_default().1 += 1;
    }
    let differing = counts.into_iter().filter(|(_, (expected, reported))| expected != reported);
    differing
        .map(|(one, (expected, reported))| {
            let state = if one.explained { "explained" } else { "open" };
            let subject = serde_json::to_string(&one.subject).unwrap_or_default();
            format!("{} {} {subject} {state}: {reported} times instead of {expected}", one.code, one.severity)
        })
        .collect()
}

/// A planted fault that shows nowhere tests nothing; a near miss must not show.
fn fired(planted: &Planted, expected: &Expectation, reported: &Reported) -> Option<String> {
    let about = |one: &&Expected| one.code == planted.selection.generator.code && one.subject == planted.subject;
    let is_expected = expected.divergences.iter().any(|one| about(&one));
    let is_reported = reported.divergences.iter().any(|one| about(&one));
    let subject = serde_json::to_string(&planted.subject).unwrap_or_default();
    match (planted.selection.near, is_expected, is_reported) {
        // Another fault of this world can make a near miss into a hit; then the oracle says so.
        (false | true, true, true) | (true, _, false) => None,
        (true, false, true) => Some(format!("near miss {} was reported about {subject}", planted.selection)),
        (false, false, _) => {
            Some(format!("{} was planted at {subject}, and the oracle does not see it", planted.selection))
        }
        (false, true, false) => Some(format!("{} was planted at {subject} and never fired", planted.selection)),
    }
}

fn money(expected: &Expectation, report: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    let users = u64::try_from(expected.balances.len()).ok();
    let sum: i128 = expected.balances.values().sum();
    if report["balances"]["users"].as_u64() != users {
        differences.push(format!("{} users instead of {users:?}", report["balances"]["users"]));
    }
    if report["balances"]["sum_sats"].as_i64().map(i128::from) != Some(sum) {
        differences.push(format!("balances sum to {} instead of {sum}", report["balances"]["sum_sats"]));
    }
    let said = report["ledgers"]["treasury"]["trial_balance"].as_object();
    let said: BTreeMap<String, i128> = said
        .into_iter()
        .flatten()
        .filter_map(|(account, amount)| Some((account.clone(), amount.as_str()?.parse().ok()?)))
        .collect();
    let accounts: BTreeSet<&String> = said.keys().chain(expected.trial_balance.keys()).collect();
    for account in accounts {
        let (left, right) = (said.get(account).unwrap_or(&0), expected.trial_balance.get(account).unwrap_or(&0));
        if left != right {
            differences.push(format!("{account} stands at {left} msat instead of {right}"));
        }
    }
    differences
}

/// The roots over the oracle's own leaves.
fn roots(expected: &Expectation, report: &Value) -> Vec<String> {
    let differs = |(name, leaves): (&&'static str, &Vec<String>)| {
        let said = &report["ledgers"][*name];
        let root = merkle_root(leaves.iter().map(String::as_bytes)).to_string();
        let count = said["entries"].as_u64();
        (said["root"] != root.as_str())
            .then(|| format!("the {name} ledger has another root: {count:?} entries instead of {}", leaves.len()))
    };
    expected.leaves.iter().filter_map(differs).collect()
}
