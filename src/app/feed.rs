//! A feed of runs for a public page: one line a run, each holding on to the one before (docs/chain-of-custody.md). A run that
//! ended red is published like any other. No line names a user, a source or a path.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::audit::recorded_inputs;
use super::custody_log::CustodyLog;
use super::error::AppError;
use super::finished::FinishedRun;
use super::links::{Appended, Form, Links, member};
use super::plan::config_error;
use crate::domain::{Code, Digest32, State};
use crate::report::divergence_of;

/// The schema name of a line.
const SCHEMA: &str = "reledger/feed/1";

/// What a feed is found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedHead {
    /// Lines.
    pub entries: usize,
    /// The digest of the last; `None` for an empty feed.
    pub head: Option<Digest32>,
}

/// Adds the finished run in `root` to the feed, which is made when it is not there. Only one process at a time adds: others
/// wait. The same report is added once.
///
/// # Errors
/// As [`FinishedRun::verified`]; [`AppError::Untrusted`] for a feed that was altered, naming the line; [`AppError::Io`].
pub fn feed_run(root: &Path, feed: &Path) -> Result<Appended, AppError> {
    let entry = entry(&FinishedRun::verified(root)?)?;
    let report = entry["report_sha256"].clone();
    let own = Map::from_iter([("entry".to_owned(), entry)]);
    Links::append_once(feed, &form(feed), own, |line| line["entry"]["report_sha256"] == report)
}

/// Verifies a feed, and that it ends with the line of a remembered digest.
///
/// # Errors
/// [`AppError::Untrusted`] naming the line that was altered, is missing, torn, or stands elsewhere; [`AppError::Config`] when
/// there is no feed.
pub fn verify_feed(feed: &Path, head: Option<&Digest32>) -> Result<FeedHead, AppError> {
    let links = whole_links(feed)?;
    head.map_or(Ok(()), |head| links.ends_with(head))?;
    Ok(FeedHead { entries: links.lines().len(), head: links.head() })
}

/// The entries of a feed, oldest first, after it was verified.
///
/// # Errors
/// As [`verify_feed`].
pub(super) fn entries(feed: &Path) -> Result<Vec<Value>, AppError> {
    Ok(whole_links(feed)?.lines().iter().map(|line| line["entry"].clone()).collect())
}

fn whole_links(feed: &Path) -> Result<Links, AppError> {
    if !feed.exists() {
        return Err(config_error(
            format!("{} is not there", feed.display()),
            "name a feed that `report feed --to` made",
        ));
    }
    let links = links(feed)?;
    links.unbroken()?;
    Ok(links)
}

fn links(feed: &Path) -> Result<Links, AppError> {
    Links::read(feed, form(feed))
}

fn form(feed: &Path) -> Form {
    Form { schema: SCHEMA, name: feed.display().to_string() }
}

/// What a feed tells of a run.
///
/// # Errors
/// [`AppError::Untrusted`] when the report or the inputs can't be read; [`AppError::Config`] without the run's record.
pub(super) fn entry(run: &FinishedRun) -> Result<Value, AppError> {
    let (report, record) = (run.report(), run.record()?);
    let untrusted = |what: &str| AppError::Untrusted {
        what: format!("checksum_error: report.json has a {what} that can't be read"),
    };
    let mut counts: BTreeMap<(&str, &str, &str), u64> = BTreeMap::new();
    let mut missed = (false, false);
    for line in report["divergences"].as_array().ok_or_else(|| untrusted("list of divergences"))? {
        let one = divergence_of(line).ok_or_else(|| untrusted("divergence"))?;
        *counts.entry((one.code.name(), one.severity.name(), one.state.name())).or_default() += 1;
        let is_whole = line["subject"]["stage"].is_null();
        missed.0 |= one.code == Code::BudgetRto && one.state == State::Open && is_whole;
        missed.1 |= one.code == Code::BudgetRpo && one.state == State::Open;
    }
    let counts: Vec<Value> = (counts.into_iter())
        .map(|((code, severity, state), count)| json!({"code": code, "severity": severity, "state": state, "count": count}))
        .collect();
    let steps = report["runbook"]["steps"].as_array().ok_or_else(|| untrusted("runbook"))?;
    let steps: Vec<Value> = (steps.iter())
        .map(|step| json!({"step": step["step"], "name": step["name"], "verdict": step["verdict"]}))
        .collect();
    // The session began when the snapshot had been restored.
    let restored: u64 =
        record.stages.iter().filter(|(stage, _)| stage == "restore").map(|(_, millis)| millis / 1_000).sum();
    let restored = i64::try_from(restored).unwrap_or(i64::MAX);
    let seconds = record.finished_at.map(|end| end.saturating_sub(record.started_at).saturating_add(restored));
    let (inputs, verdict, recovery) = (&report["inputs"], &report["verdict"], &report["recovery"]);
    Ok(json!({
        "as_of": report["as_of"],
        "tool": report["tool"],
        "inputs": {
            "evidence_root": inputs["evidence_root"], "config_sha256": inputs["config_sha256"],
            "policy_sha256": inputs["policy_sha256"], "profile": inputs["profile"], "fail_on": inputs["fail_on"],
            "users_revealed": inputs["users_revealed"],
        },
        "verdict": {
            "outcome": verdict["outcome"], "exit_code": verdict["exit_code"], "conditions": verdict["conditions"],
            "sentence": verdict["sentence"],
        },
        "state_root": member::<Digest32>(report, "state_root").ok_or_else(|| untrusted("state root"))?.to_hex(),
        "report_sha256": run.report_sha256.to_hex(),
        "manifest_sha256": run.manifest_sha256.to_hex(),
        "custody_head": run.custody.as_ref().and_then(CustodyLog::head).map(|head| head.to_hex()),
        "divergences": counts,
        "runbook": steps,
        "ready_to_unfreeze": report["runbook"]["ready_to_unfreeze"],
        "objectives": {
            "rto": {"seconds": seconds, "budget_seconds": record.rto_budget_seconds, "missed": missed.0},
            "rpo": {
                "claimed_seconds": recovery["rpo_claimed_seconds"], "provable_seconds": recovery["rpo_provable_seconds"],
                "budget_seconds": recorded_inputs(run.root())?.rpo_seconds, "missed": missed.1,
            },
        },
    }))
}
