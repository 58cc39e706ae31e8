//! One run after the other: since when something has been open, and what changed in how runs are made.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::More;
use crate::domain::{Code, Digest32, Severity, State, UnixSeconds};
use crate::report::divergence_of;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Open divergences of one code and severity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCode {
    /// Which.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// How many.
    pub count: u64,
    /// The first of the runs that were given, in an unbroken row up to this one, in which one of them was open.
    pub since: UnixSeconds,
    /// Whole days from then to the run.
    pub age_days: i64,
}

/// Accepted divergences of one code under one name until one day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Accepted {
    /// Which.
    pub code: Code,
    /// Who signed, as they call themselves.
    pub by: String,
    /// When it ends.
    pub until: Option<UnixSeconds>,
    /// How many.
    pub count: u64,
}

/// One thing that is not as it was in the run before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What: `policy_sha256`, `sources`, `checks` and so on.
    pub what: &'static str,
    /// As it was; of a list what is gone.
    pub before: Vec<String>,
    /// As it is; of a list what is new.
    pub after: Vec<String>,
}

/// What a report says that a page is made from.
pub(super) struct Details {
    open: Vec<(Code, Severity, Digest32)>,
    accepted: Vec<Accepted>,
    sources: BTreeSet<String>,
    checks: BTreeSet<String>,
    not_run: Vec<String>,
}

impl Details {
    pub(super) fn of(report: &Value) -> Self {
        let (mut open, mut accepted) = (Vec::new(), BTreeMap::new());
        for one in list(&report["divergences"]).filter_map(divergence_of) {
            match one.state {
                State::Open => open.push((one.code, one.severity, one.fingerprint)),
                State::Acknowledged => {
                    let (by, until) = word(report, &one.fingerprint);
                    *accepted.entry((one.code, by, until)).or_default() += 1;
                }
                State::Explained => {}
            }
        }
        let names = |list_name: &str, name: &str| -> BTreeSet<String> {
            list(&report[list_name]).filter_map(|row| row[name].as_str().map(str::to_owned)).collect()
        };
        let declared = |check: &&Value| check["declared"] == true;
        let not_run: Vec<String> = (list(&report["unverifiable"]).filter(declared))
            .filter_map(|check| check["check"].as_str().map(str::to_owned))
            .collect();
        let mut checks = names("checks", "check");
        checks.extend(not_run.iter().cloned());
        let accepted = accepted.into_iter().map(|((code, by, until), count)| Accepted { code, by, until, count });
        Self { open, accepted: accepted.collect(), sources: names("coverage", "source"), checks, not_run }
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Who accepted a divergence, and until when: of several words that count the last to end.
fn word(report: &Value, fingerprint: &Digest32) -> (String, Option<UnixSeconds>) {
    let fingerprint = fingerprint.to_hex();
    let own = |line: &&Value| line["fingerprint"] == fingerprint.as_str() && line["state"] == "holds";
    let words = list(&report["acknowledgements"]).filter(own);
    let last = words.max_by_key(|line| line["expires_at"].as_i64());
    last.map_or((String::new(), None), |line| {
        (line["by"].as_str().unwrap_or_default().to_owned(), line["expires_at"].as_i64().map(UnixSeconds))
    })
}

/// What came before.
#[derive(Default)]
pub(super) struct History {
    since: BTreeMap<Digest32, UnixSeconds>,
    settings: Option<BTreeMap<&'static str, String>>,
    lists: Option<BTreeMap<&'static str, BTreeSet<String>>>,
}

impl History {
    /// What of a report is told, aged by the runs before.
    pub(super) fn more(&mut self, as_of: UnixSeconds, details: Details) -> More {
        let since: BTreeMap<Digest32, UnixSeconds> = (details.open.iter())
            .map(|(_, _, fingerprint)| (*fingerprint, self.since.get(fingerprint).copied().unwrap_or(as_of)))
            .collect();
        let mut open: BTreeMap<(Severity, Code), (u64, UnixSeconds)> = BTreeMap::new();
        for (code, severity, fingerprint) in &details.open {
            let first = since.get(fingerprint).copied().unwrap_or(as_of);
            let (count, oldest) = open.entry((*severity, *code)).or_insert((0, first));
            *count += 1;
            *oldest = first.min(*oldest);
        }
        self.since = since;
        let open = open.into_iter().rev().map(|((severity, code), (count, since))| {
            let age_days = as_of.0.saturating_sub(since.0) / DAY;
            OpenCode { code, severity, count, since, age_days }
        });
        More { open: open.collect(), accepted: details.accepted, not_run: details.not_run }
    }

    /// What changed since the run before, and this one for the next.
    pub(super) fn changes(&mut self, entry: &Value, details: Option<&Details>) -> Option<Vec<Change>> {
        let settings = settings(entry);
        let mut changes: Option<Vec<Change>> = self.settings.as_ref().map(|before| {
            let one = |(what, after): (&&'static str, &String)| {
                let before = before.get(what).cloned().unwrap_or_default();
                (before != *after).then(|| Change { what, before: vec![before], after: vec![after.clone()] })
            };
            settings.iter().filter_map(one).collect()
        });
        if let Some(details) = details {
            let lists = BTreeMap::from([("sources", details.sources.clone()), ("checks", details.checks.clone())]);
            if let (Some(before), Some(changes)) = (&self.lists, &mut changes) {
                for (what, after) in &lists {
                    let Some(before) = before.get(what) else { continue };
                    let (gone, new): (Vec<String>, Vec<String>) =
                        (before.difference(after).cloned().collect(), after.difference(before).cloned().collect());
                    if !(gone.is_empty() && new.is_empty()) {
                        changes.push(Change { what, before: gone, after: new });
                    }
                }
            }
            self.lists = Some(lists);
        }
        self.settings = Some(settings);
        changes
    }
}

/// What decides how a run is made and judged.
fn settings(entry: &Value) -> BTreeMap<&'static str, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (inputs, objectives) = (&entry["inputs"], &entry["objectives"]);
    BTreeMap::from([
        ("config_sha256", text(&inputs["config_sha256"])),
        ("policy_sha256", text(&inputs["policy_sha256"])),
        ("profile", text(&inputs["profile"])),
        ("fail_on", text(&inputs["fail_on"])),
        ("users_revealed", text(&inputs["users_revealed"])),
        ("tool_version", text(&entry["tool"]["version"])),
        ("rto_budget_seconds", text(&objectives["rto"]["budget_seconds"])),
        ("rpo_budget_seconds", text(&objectives["rpo"]["budget_seconds"])),
    ])
}
