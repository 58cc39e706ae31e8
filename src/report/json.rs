//! `report.json` (CONTRACT 5).

use std::collections::BTreeMap;
use std::io;

use serde_json::{Value, json};

use super::canonical::push_canonical;
use super::course;
use super::model::Model;
use super::pseudonym::Pseudonyms;
use crate::domain::{Counts, Coverage, Divergence, State, Statement};
use crate::ledger::LedgerView;
use crate::reconcile::{Ages, BalanceSummary, JudgedStatement, Matched, Runbook, SeedOrigin, StepVerdict};

/// The report's schema name.
pub const REPORT_SCHEMA: &str = "reledger/report/1";
/// The member that is written piece by piece.
const DIVERGENCES: &str = "divergences";

/// The report's bytes: canonical JSON with a trailing line feed.
pub fn report_json(model: &Model<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_report(model, &mut bytes).expect("a vector takes every byte");
    bytes
}

/// Writes the report, one divergence after the other: there can be a million of them.
///
/// # Errors
/// Those of the writer.
pub fn write_report(model: &Model<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let Value::Object(members) = report_head(model) else { return Ok(()) };
    let mut text = String::new();
    let sorted: BTreeMap<&String, &Value> = members.iter().collect();
    for (place, (name, value)) in sorted.into_iter().enumerate() {
        text.push(if place == 0 { '{' } else { ',' });
        push_canonical(&name.as_str().into(), &mut text);
        text.push(':');
        if name == DIVERGENCES {
            write_divergences(model, &mut text, out)?;
        } else {
            push_canonical(value, &mut text);
        }
        out.write_all(text.as_bytes())?;
        text.clear();
    }
    out.write_all(b"}\n")
}

fn write_divergences(model: &Model<'_>, text: &mut String, out: &mut dyn io::Write) -> io::Result<()> {
    let names = Pseudonyms::new(model.inputs.evidence_root, model.reveal_users);
    text.push('[');
    for (place, divergence) in model.reconciliation.divergences.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        push_canonical(&divergence_value(&names.apply(divergence)), text);
        out.write_all(text.as_bytes())?;
        text.clear();
    }
    text.push(']');
    Ok(())
}

/// The report without its divergences.
fn report_head(model: &Model<'_>) -> Value {
    let reconciliation = model.reconciliation;
    json!({
        "schema": REPORT_SCHEMA,
        "tool": {"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")},
        "as_of": {
            "time": model.as_of.time.0,
            "tip": model.as_of.tip.map(|tip| json!({"height": tip.height.0, "hash": tip.hash.to_string()})),
        },
        "inputs": {
            "evidence_root": model.inputs.evidence_root.to_hex(),
            "config_sha256": model.inputs.config_sha256.to_hex(),
            "policy_sha256": model.inputs.policy_sha256.to_hex(),
            "profile": model.inputs.profile,
            "fail_on": model.fail_on.name(),
            "users_revealed": model.reveal_users,
        },
        "verdict": {
            "outcome": model.outcome.name(),
            "exit_code": model.outcome.exit_code().0,
            "conditions": model.outcome.conditions().map(crate::domain::Condition::name).collect::<Vec<_>>(),
            "sentence": model.sentence(),
        },
        "population": model.population.0.iter().map(|(name, counts)| (name.clone(), counts_value(counts))).collect::<serde_json::Map<_, _>>(),
        "coverage": reconciliation.coverage.iter().map(coverage_row).collect::<Vec<_>>(),
        "coverage_by_month": course::by_month(&model.months.cells),
        "custody": course::custody(model),
        "gaps": course::gaps(&model.months.gaps),
        "reconstructible": reconstructible(model),
        "ledgers": ledgers(model),
        "state_root": model.seal.state_root.to_hex(),
        "matching": {
            "rail": matched(&reconciliation.matching.rail),
            "ledger": matched(&reconciliation.matching.ledger),
        },
        "balances": {
            "users": reconciliation.balances.users,
            "root": reconciliation.balances.root.map(|root| root.to_hex()),
            "sum_sats": integer(reconciliation.balances.sum_sats),
            "negative_users": reconciliation.balances.negative_users,
            "negative_sats": integer(reconciliation.balances.negative_sats),
            "excluded_sats": integer(reconciliation.balances.excluded_sats),
            "excluded_users": reconciliation.balances.excluded_users,
            "sample": sample(&reconciliation.balances),
        },
        "recovery": {
            "rpo_claimed_seconds": reconciliation.recovery.rpo_claimed_seconds,
            "rpo_provable_seconds": reconciliation.recovery.rpo_provable_seconds,
            "newest_envelope_time": reconciliation.recovery.newest_envelope.map(|at| at.0),
            "newest_anchor_time": reconciliation.recovery.newest_anchor.map(|at| at.0),
        },
        (DIVERGENCES): null,
        "acknowledgements": reconciliation.acknowledgements.iter().map(statement_value).collect::<Vec<_>>(),
        "summary": summary(model),
        "runbook": runbook(model.runbook),
        "checks": reconciliation.checks,
        "unverifiable": reconciliation.unverifiable.iter()
            .map(|check| json!({"check": check.check, "reason": check.reason, "items": check.items, "declared": check.declared}))
            .collect::<Vec<_>>(),
        "queues": {"needs_anchor": reconciliation.needs_anchor.len(), "needs_review": reconciliation.needs_review},
        "not_rebuilt": model.not_rebuilt,
        "does_not_prove": model.does_not_prove(),
    })
}

/// How the balances were compared, and the sample that the configuration asks for.
fn sample(balances: &BalanceSummary) -> Value {
    let mut value = json!({
        "size": balances.sample.as_ref().map_or(balances.compared, |sample| sample.size),
        "seed": balances.seed,
        "compared": balances.compared,
        "equal": balances.equal,
        "different": balances.different,
    });
    if let Some(sample) = &balances.sample {
        value["population"] = sample.population.into();
        value["users"] = sample.users.len().into();
        value["sampling"] = sample.sampling.name().into();
        value["seed_from"] = match sample.origin {
            SeedOrigin::Beacon(beacon) => json!({"block": beacon.height.0, "after": beacon.after.0}),
            SeedOrigin::Chosen => "chosen by the operator".into(),
        };
        value["detection"] =
            sample.detection.iter().map(|one| json!({"wrong": one.wrong, "found": one.found})).collect();
    }
    value
}

fn counts_value(counts: &Counts) -> Value {
    json!({
        "received": counts.received, "unique": counts.unique, "accepted": counts.accepted,
        "pending": counts.pending, "rejected": counts.rejected, "quarantined": counts.quarantined,
    })
}

/// One line of `coverage`.
pub fn coverage_row(coverage: &Coverage) -> Value {
    json!({
        "source": coverage.source, "kind": coverage.slice.kind,
        "from": coverage.slice.from.map(|at| at.0), "until": coverage.slice.until.map(|at| at.0),
        "basis": coverage.basis.name(), "complete": coverage.complete, "events": coverage.items,
        "missing_here": coverage.missing_here, "retries": coverage.retries, "reason": coverage.reason,
    })
}

fn reconstructible(model: &Model<'_>) -> Value {
    let counts = model.reconciliation.reconstructible;
    json!({
        "with_operator": counts.with_operator,
        "without_operator": counts.without_operator,
        "share_without_operator": {"num": counts.without_operator, "den": counts.with_operator},
    })
}

fn ledgers(model: &Model<'_>) -> Value {
    let mut members = serde_json::Map::new();
    for (view, root) in model.views.iter().zip(&model.seal.ledgers) {
        let mut ledger = json!({"root": root.root.to_hex(), "entries": root.entries, "totals": totals(&view.totals)});
        if view.name == "treasury" {
            ledger["trial_balance"] = trial_balance(view);
        }
        members.insert(view.name.to_owned(), ledger);
    }
    Value::Object(members)
}

fn matched(by_rule: &BTreeMap<&'static str, Matched>) -> Value {
    let sats = |matched: &Matched| integer(i128::try_from(matched.sats).unwrap_or(i128::MAX));
    let shown = by_rule.iter().map(|(rule, matched)| {
        ((*rule).to_owned(), json!({"settlements": matched.settlements, "sats": sats(matched)}))
    });
    Value::Object(shown.collect())
}

/// Totals in satoshi or counts are integers; those whose name ends in `_msat` are decimal strings.
fn totals(totals: &BTreeMap<String, i128>) -> Value {
    let shown = totals.iter().map(|(name, total)| {
        let value = if name.ends_with("_msat") { Value::String(total.to_string()) } else { integer(*total) };
        (name.clone(), value)
    });
    Value::Object(shown.collect())
}

/// Balances by class of account, in millisatoshi as text: single accounts would name users and grow without bound.
fn trial_balance(view: &LedgerView) -> Value {
    let shown = view.trial_balance.iter().map(|(class, balance)| (class.clone(), Value::String(balance.to_string())));
    Value::Object(shown.collect())
}

/// An integer where it fits JSON's 64 bits, else text.
fn integer(value: i128) -> Value {
    i64::try_from(value).map_or_else(|_| Value::String(value.to_string()), Value::from)
}

/// One line of `divergences`.
pub fn divergence_value(divergence: &Divergence) -> Value {
    json!({
        "at": divergence.at.map(|at| at.0),
        "code": divergence.code.name(),
        "severity": divergence.severity.name(),
        "state": divergence.state.name(),
        "step": divergence.step.number(),
        "blocks": divergence.blocks(),
        "subject": divergence.subject.0,
        "expected": divergence.expected,
        "observed": divergence.observed,
        "evidence": divergence.evidence.iter()
            .map(|evidence| json!({"id": evidence.id.to_string(), "role": evidence.role})).collect::<Vec<_>>(),
        "explanation": divergence.explanation,
        "fingerprint": divergence.fingerprint.to_hex(),
        "values_sha256": divergence.values_sha256.to_hex(),
        "at_stake_msat": divergence.at_stake.map(|stake| stake.0.to_string()),
    })
}

/// One line of `acknowledgements`.
fn statement_value(judged: &JudgedStatement) -> Value {
    let body = &judged.signed.body;
    let mut line = json!({
        "id": body.id().to_hex(), "key_id": judged.signed.key_id.to_string(), "state": judged.state.name(),
        "reason": body.reason(), "by": body.by(), "issued_at": body.issued_at().0,
    });
    match body {
        Statement::Acknowledgement(word) => {
            line["kind"] = "acknowledgement".into();
            line["fingerprint"] = word.fingerprint.to_hex().into();
            line["code"] = word.code.name().into();
            line["expires_at"] = word.expires_at.0.into();
        }
        Statement::Withdrawal(word) => {
            line["kind"] = "withdrawal".into();
            line["acknowledgement"] = word.acknowledgement.to_hex().into();
        }
    }
    line
}

fn runbook(runbook: &Runbook) -> Value {
    let step = |step: &StepVerdict| {
        let blocking: BTreeMap<&str, u64> = step.blocking.iter().map(|(code, count)| (code.name(), *count)).collect();
        json!({
            "step": step.step.number(), "name": step.step.name(), "verdict": step.verdict.name(),
            "reason": step.reason(), "checks": {"ran": step.ran, "owed": step.owed()}, "items": step.items,
            "disagreed": step.disagreed, "blocking": blocking, "acknowledged": step.acknowledged,
            "unverifiable": {"checks": step.unverifiable, "items": step.unverifiable_items},
            "undeclared": step.undeclared,
        })
    };
    json!({
        "ready_to_unfreeze": runbook.ready_to_unfreeze, "reasons": runbook.reasons,
        "steps": runbook.steps.iter().map(step).collect::<Vec<_>>(),
    })
}

fn summary(model: &Model<'_>) -> Value {
    let reconciliation = model.reconciliation;
    let mut by_code: BTreeMap<&str, u64> = BTreeMap::new();
    for divergence in &reconciliation.divergences {
        *by_code.entry(divergence.code.name()).or_default() += 1;
    }
    let sats = |sats: &i128| integer(*sats);
    let aged = |ages: &BTreeMap<String, i128>| -> BTreeMap<String, Value> {
        ages.iter().map(|(name, amount)| (name.clone(), sats(amount))).collect()
    };
    let of_project = |ages: &Ages| json!({ "by_age": ages.counts, "by_age_sats": aged(&ages.sats) });
    let by_project: BTreeMap<&str, Value> =
        reconciliation.by_project.iter().map(|(project, ages)| (project.as_str(), of_project(ages))).collect();
    let by_code_sats: BTreeMap<&str, Value> =
        reconciliation.by_code_sats.iter().map(|(code, amount)| (code.name(), sats(amount))).collect();
    json!({
        "by_code": by_code, "by_code_sats": by_code_sats, "explained": model.in_state(State::Explained),
        "acknowledged": model.in_state(State::Acknowledged), "unexplained": model.unexplained(),
        "by_age": reconciliation.ages.counts, "by_age_sats": aged(&reconciliation.ages.sats), "by_project": by_project,
    })
}
