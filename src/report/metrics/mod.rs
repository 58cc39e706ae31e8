//! `metrics.prom`: the report for Prometheus, by node-exporter's textfile collector. docs/renderings.md lists the metrics.
//!
//! Labels are names of sources, kinds, codes, populations and steps, never users, and of no kind are there without bound.

mod coverage;
mod page;

use std::io::{self, Write};

use super::document::{Document, Head};
use super::rendering::Measurements;
use crate::domain::{Code, Condition, Severity, State};
use coverage::coverage;
use page::{Family, Metrics};

/// Populations, ledgers, stages and reasons that get a sample of their own each.
const NAMES_MAX: usize = 100;

/// Writes the metrics. Times of the run itself come from `measured` and are left out without it.
///
/// # Errors
/// Those of the writer.
pub(super) fn write_metrics(
    document: &Document<'_>,
    measured: Option<&Measurements>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut metrics = Metrics::default();
    let head = &document.head;
    verdict(&mut metrics, head);
    if let Some(measured) = measured {
        run(&mut metrics, head, measured);
    }
    recovery(&mut metrics, document);
    populations(&mut metrics, head);
    coverage(&mut metrics, head);
    divergences(&mut metrics, document);
    out.write_all(metrics.finish().as_bytes())
}

fn verdict(metrics: &mut Metrics, head: &Head) {
    let hex = |digest: crate::domain::Digest32| digest.to_hex();
    let labels = [
        ("version", head.tool.version.as_str()),
        ("profile", head.inputs.profile.as_str()),
        ("outcome", head.verdict.outcome.as_str()),
        ("state_root", &hex(head.state_root)),
        ("evidence_root", &hex(head.inputs.evidence_root)),
        ("config_sha256", &hex(head.inputs.config_sha256)),
    ];
    metrics.family(&Family::new("info", "What was judged, and how it ended.").with(&labels, 1));
    metrics.family(&Family::new("exit_code", "Exit code of the run; 0 is clean.").with(&[], head.verdict.exit_code));
    let mut conditions = Family::new("condition", "1 for each condition that speaks against a clean result.");
    for condition in [
        Condition::Divergent,
        Condition::Incomplete,
        Condition::OverBudget,
        Condition::UntrustedInput,
        Condition::Unreachable,
        Condition::Internal,
    ] {
        let holds = head.verdict.conditions.iter().any(|name| name == condition.name());
        conditions.add(&[("condition", condition.name())], holds);
    }
    metrics.family(&conditions);
    metrics.family(
        &Family::new("as_of_timestamp_seconds", "The instant that everything is judged for.")
            .in_unit("seconds")
            .with(&[], head.as_of.time.0),
    );
    let Some(runbook) = &head.runbook else { return };
    let ready = Family::new("ready_to_unfreeze", "1 when every step of the runbook allows writes to go on.");
    metrics.family(&ready.with(&[], runbook.ready_to_unfreeze));
    let mut steps = Family::new("step_passed", "1 when the step of the runbook passed.");
    for step in runbook.steps.iter().take(NAMES_MAX) {
        steps.add(&[("step", &step.step.to_string()), ("name", &step.name)], step.verdict == "pass");
    }
    metrics.family(&steps);
}

/// What `run.json` says of the run.
fn run(metrics: &mut Metrics, head: &Head, measured: &Measurements) {
    let ended = measured.finished_at.unwrap_or(measured.started_at);
    let at = |name, help| Family::new(name, help).in_unit("seconds").with(&[], ended);
    metrics.family(&at("last_run_timestamp_seconds", "When the run ended."));
    if head.verdict.exit_code == 0 {
        metrics.family(&at("last_success_timestamp_seconds", "When the run ended; only of a run that ended with 0."));
    }
    let mut stages = Family::new("rto_seconds", "How long each stage took.").in_unit("seconds");
    for (stage, millis) in measured.stages.iter().take(NAMES_MAX) {
        stages.add(&[("stage", stage)], *millis);
    }
    metrics.scaled(&stages, 3);
    let budget = |name, help, seconds: Option<u64>| {
        let family = Family::new(name, help).in_unit("seconds");
        seconds.map(|seconds| family.with(&[], seconds))
    };
    let budgets = [
        budget("rto_budget_seconds", "The recovery time objective.", measured.rto_seconds),
        budget("rpo_budget_seconds", "The recovery point objective.", measured.rpo_seconds),
    ];
    for family in budgets.iter().flatten() {
        metrics.family(family);
    }
    if !measured.stage_seconds.is_empty() {
        let mut stages = Family::new("stage_budget_seconds", "What single stages may take.").in_unit("seconds");
        for (stage, seconds) in measured.stage_seconds.iter().take(NAMES_MAX) {
            stages.add(&[("stage", stage)], *seconds);
        }
        metrics.family(&stages);
    }
    if let Some(kib) = measured.peak_memory_kib {
        let memory = Family::new("peak_memory_bytes", "Peak resident memory of the run.").in_unit("bytes");
        metrics.family(&memory.with(&[], u128::from(kib).saturating_mul(1024).try_into().unwrap_or(i128::MAX)));
    }
}

fn recovery(metrics: &mut Metrics, document: &Document<'_>) {
    let (recovery, as_of) = (&document.head.recovery, document.head.as_of.time);
    let help = "Age of the newest envelope by its own claim, and by the block that proves it, at the as-of.";
    let mut points = Family::new("rpo_seconds", help).in_unit("seconds");
    for (kind, seconds) in [("claimed", recovery.rpo_claimed_seconds), ("provable", recovery.rpo_provable_seconds)] {
        if let Some(seconds) = seconds {
            points.add(&[("kind", kind)], seconds);
        }
    }
    metrics.family(&points);
    let pending = document.head.population.get("proofs").map_or(0, |proofs| proofs.pending);
    metrics.family(&Family::new("pending_proofs", "Proofs that no block completes yet.").with(&[], pending));
    let oldest = |is_own: fn(Code, State) -> bool| {
        let times = document.tally.oldest.iter().filter(|((code, state), _)| is_own(*code, *state)).map(|(_, at)| at.0);
        times.min().map(|at| i128::from(as_of.0).saturating_sub(i128::from(at)).max(0))
    };
    let of_proofs = oldest(|code, _| matches!(code, Code::OtsPending | Code::OtsOverdue));
    let of_open = oldest(|_, state| state == State::Open);
    for (name, help, seconds) in [
        ("oldest_pending_seconds", "Age of the oldest pending proof at the as-of.", of_proofs),
        ("oldest_open_seconds", "Age of the oldest open divergence at the as-of.", of_open),
    ] {
        if let Some(seconds) = seconds {
            metrics.family(&Family::new(name, help).in_unit("seconds").with(&[], seconds));
        }
    }
}

fn populations(metrics: &mut Metrics, head: &Head) {
    let mut populations = Family::new("population", "What came, by name and fate.");
    for (name, c) in head.population.iter().take(NAMES_MAX) {
        for (fate, count) in [
            ("received", c.received),
            ("unique", c.unique),
            ("accepted", c.accepted),
            ("pending", c.pending),
            ("rejected", c.rejected),
            ("quarantined", c.quarantined),
        ] {
            populations.add(&[("name", name), ("fate", fate)], count);
        }
    }
    metrics.family(&populations);
    let mut entries = Family::new("ledger_entries", "Entries by ledger.");
    for (name, ledger) in head.ledgers.iter().take(NAMES_MAX) {
        entries.add(&[("ledger", name)], ledger.entries);
    }
    metrics.family(&entries);
    metrics.family(&Family::new("users", "Users with a balance.").with(&[], head.balances.users));
    let agreed = head.checks.iter().filter(|check| check.disagreed == 0).count();
    let owed = head.unverifiable.iter().filter(|check| check.declared).count();
    let mut checks = Family::new("checks", "Checks by what became of them.");
    for (result, count) in [
        ("agreed", agreed),
        ("disagreed", head.checks.len().saturating_sub(agreed)),
        ("could_not_check", owed),
        ("not_declared", head.unverifiable.len().saturating_sub(owed)),
    ] {
        checks.add(&[("result", result)], i128::try_from(count).unwrap_or(i128::MAX));
    }
    metrics.family(&checks);
    let queues = Family::new("queue", "What waits: envelopes for an anchor, divergences for a person.");
    let queues = queues.with(&[("queue", "needs_anchor")], head.queues.needs_anchor);
    metrics.family(&queues.with(&[("queue", "needs_review")], head.queues.needs_review));
}

fn divergences(metrics: &mut Metrics, document: &Document<'_>) {
    let mut by_code = Family::new("divergences", "Divergences by code, severity and state.");
    let mut by_severity =
        Family::new("divergences_by_severity", "Divergences by severity and state, also those of which there is none.");
    for severity in Severity::ALL {
        for state in State::ALL {
            by_severity.add(&[("severity", severity.name()), ("state", state.name())], 0);
        }
    }
    for ((code, severity, state), count) in &document.tally.by {
        let (severity, state) = (("severity", severity.name()), ("state", state.name()));
        by_code.add(&[("code", code.name()), severity, state], *count);
        by_severity.add(&[severity, state], *count);
    }
    metrics.family(&by_code);
    metrics.family(&by_severity);
    let blocking = Family::new("divergences_blocking", "Open divergences that keep writes frozen.");
    metrics.family(&blocking.with(&[], document.tally.blocking));
}
