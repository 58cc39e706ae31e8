//! The human summary: at most 40 lines, verdict and denominators first. Plain text; colour is the door's business.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::model::Model;
use super::pseudonym::Pseudonyms;
use crate::domain::{Code, Counts, Divergence, Severity, State, inert_limited};
use crate::reconcile::StatementState;

/// Most lines of a summary.
pub const SUMMARY_LINES_MAX: usize = 40;
const CODES_MAX: usize = 12;
const EXAMPLES_MAX: usize = 4;
const WIDTH: usize = 150;

/// Renders the summary. Ends with a line feed; the last line is the sentence.
pub fn summary_text(model: &Model<'_>) -> String {
    let mut lines = vec![headline(model)];
    lines.push(String::new());
    lines.extend(populations(model));
    lines.extend(coverage(model));
    lines.extend(earned(model));
    lines.push(state_line(model));
    lines.extend(runbook(model));
    lines.extend(acknowledgements(model));
    lines.extend(divergences(model));
    lines.extend(unverifiable(model));
    lines.truncate(SUMMARY_LINES_MAX - 2);
    lines.push(String::new());
    lines.push(model.sentence());
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

fn headline(model: &Model<'_>) -> String {
    let words = match model.outcome.name() {
        "clean" => "CLEAN: every declared check ran on a non-empty, covered population and agreed",
        "divergent" => "DIVERGENT: the substrates disagree",
        "incomplete" => "INCOMPLETE: not everything that was declared could be established",
        "unreachable" => "UNREACHABLE: a required source gave nothing at all",
        "over_budget" => "OVER BUDGET: the data is clean, a recovery objective was missed",
        other => other,
    };
    format!("{words} (as of {})", model.as_of.time)
}

fn populations(model: &Model<'_>) -> Vec<String> {
    let mut lines = vec![format!(
        "{:<16}{:>9}{:>9}{:>9}{:>9}{:>9}{:>12}",
        "", "received", "unique", "accepted", "pending", "rejected", "quarantined"
    )];
    let shown = model.population.0.iter().filter(|(_, counts)| **counts != Counts::default());
    for (name, c) in shown.take(14) {
        lines.push(format!(
            "{name:<16}{:>9}{:>9}{:>9}{:>9}{:>9}{:>12}",
            c.received, c.unique, c.accepted, c.pending, c.rejected, c.quarantined
        ));
    }
    lines
}

fn coverage(model: &Model<'_>) -> Vec<String> {
    let all = &model.reconciliation.coverage;
    let complete = all.iter().filter(|row| row.complete).count();
    let mut lines = vec![format!("coverage: {complete} of {} slices complete", all.len())];
    if let Some(worst) = all.iter().find(|row| !row.complete) {
        let reason = inert_limited(&worst.reason, 60);
        lines.push(format!(
            "  first open slice: {} kind {} basis {} {reason}",
            inert_limited(&worst.source.0, 60),
            worst.slice.kind,
            worst.basis
        ));
    }
    let counts = model.reconciliation.reconstructible;
    lines.push(format!(
        "reconstructible: {} envelopes; without the operator's relay: {} of {}",
        counts.with_operator, counts.without_operator, counts.with_operator
    ));
    lines
}

/// Both totals: what counts, and what leaked keys exclude from every balance.
fn earned(model: &Model<'_>) -> Option<String> {
    let totals = &model.views.iter().find(|view| view.name == "envelope")?.totals;
    let of = |name: &str| totals.get(name).copied().unwrap_or_default();
    Some(format!(
        "users' shares: counted {} sats of {} events; excluded under leaked keys {} sats of {} events",
        of("user_sats"),
        of("events"),
        of("key_compromised_user_sats"),
        of("key_compromised_events")
    ))
}

fn state_line(model: &Model<'_>) -> String {
    format!("state root {}", model.seal.state_root)
}

/// Every step in a word, and what keeps writes frozen.
fn runbook(model: &Model<'_>) -> Vec<String> {
    let runbook = model.runbook;
    let steps = runbook.steps.iter().map(|step| format!("{} {}", step.step.number(), step.verdict.name()));
    let ready = if runbook.ready_to_unfreeze {
        "ready to unfreeze: yes".to_owned()
    } else {
        format!("ready to unfreeze: no: {}", runbook.reasons.join("; "))
    };
    let lines = [format!("runbook: {}", steps.collect::<Vec<_>>().join(", ")), ready];
    lines.iter().map(|line| inert_limited(line, WIDTH)).collect()
}

/// How many signed statements count, and why others do not.
fn acknowledgements(model: &Model<'_>) -> Option<String> {
    let all = &model.reconciliation.acknowledgements;
    let mut states: BTreeMap<StatementState, u64> = BTreeMap::new();
    for judged in all {
        *states.entry(judged.state).or_default() += 1;
    }
    let holding = states.remove(&StatementState::Holds).unwrap_or_default();
    let others: Vec<String> = states.iter().map(|(state, count)| format!("{} {count}", state.name())).collect();
    let others = if others.is_empty() { String::new() } else { format!("; {}", others.join(", ")) };
    (!all.is_empty()).then(|| format!("acknowledgements: {holding} of {} signed statements hold{others}", all.len()))
}

/// How many of one code, and in which states.
type Counted = (u64, BTreeMap<State, u64>);

fn divergences(model: &Model<'_>) -> Vec<String> {
    let all = &model.reconciliation.divergences;
    if all.is_empty() {
        return vec!["divergences: none".to_owned()];
    }
    let mut by_code: BTreeMap<(std::cmp::Reverse<Severity>, Code), Counted> = BTreeMap::new();
    for divergence in all {
        let (count, states) = by_code.entry((std::cmp::Reverse(divergence.severity), divergence.code)).or_default();
        *count += 1;
        *states.entry(divergence.state).or_default() += 1;
    }
    let acknowledged = match model.in_state(State::Acknowledged) {
        0 => String::new(),
        count => format!(", {count} acknowledged"),
    };
    let explained = model.in_state(State::Explained);
    let mut lines = vec![format!("divergences: {} ({explained} explained{acknowledged})", all.len())];
    for ((severity, code), (count, states)) in by_code.iter().take(CODES_MAX) {
        let closed = states.iter().filter(|(state, _)| **state != State::Open);
        let note: Vec<String> = closed.map(|(state, count)| format!(", {count} {}", state.name())).collect();
        let note = note.concat();
        lines.push(format!("  {:<9}{:<24}{count:>6}{note}  {}", severity.0.name(), code.name(), code.meaning()));
    }
    if by_code.len() > CODES_MAX {
        lines.push(format!("  and {} more codes", by_code.len() - CODES_MAX));
    }
    let names = Pseudonyms::new(model.inputs.evidence_root, model.reveal_users);
    lines.extend(model.failing().take(EXAMPLES_MAX).map(|divergence| example(&names.apply(divergence))));
    lines.iter().map(|line| inert_limited(line, WIDTH)).collect()
}

fn example(divergence: &Divergence) -> String {
    let mut line = String::from("  e.g.");
    let fingerprint = divergence.fingerprint.to_hex();
    // Writing to a String cannot fail.
    let _ = write!(line, " {} {}", divergence.code, fingerprint.get(..12).unwrap_or_default());
    for (name, value) in &divergence.subject.0 {
        let _ = write!(line, " {name}={}", inert_limited(value, 24));
    }
    if !divergence.explanation.is_empty() {
        let _ = write!(line, ": {}", divergence.explanation);
    }
    line
}

fn unverifiable(model: &Model<'_>) -> Vec<String> {
    let all = &model.reconciliation.unverifiable;
    if all.is_empty() {
        return Vec::new();
    }
    let declared = all.iter().filter(|check| check.declared).count();
    let names: Vec<_> = all.iter().map(|check| check.check.as_str()).collect();
    vec![inert_limited(
        &format!("not checked: {} ({declared} of them declared): {}", all.len(), names.join(", ")),
        WIDTH,
    )]
}
