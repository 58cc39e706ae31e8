//! The human summary: at most 40 lines, verdict and denominators first. Plain text; colour is the door's business.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::document::{Document, Head, RunbookMember};
use crate::domain::{Counts, Divergence, Severity, SourceId, State, inert, inert_limited};
use crate::reconcile::StatementState;

/// Most lines of a summary.
pub const SUMMARY_LINES_MAX: usize = 40;
const CODES_MAX: usize = 12;
const EXAMPLES_MAX: usize = 4;
const WIDTH: usize = 150;

/// Renders the summary. Ends with a line feed; the last line is the sentence.
pub fn summary_text(document: &Document<'_>) -> String {
    let head = &document.head;
    let mut lines = vec![headline(head)];
    lines.push(String::new());
    lines.extend(populations(head));
    lines.extend(coverage(head));
    lines.extend(earned(head));
    lines.push(format!("state root {}", head.state_root));
    lines.extend(head.runbook.iter().flat_map(runbook));
    lines.extend(acknowledgements(head));
    lines.extend(divergences(document));
    lines.extend(unverifiable(head));
    lines.extend(not_rebuilt(head));
    lines.truncate(SUMMARY_LINES_MAX - 2);
    lines.push(String::new());
    lines.push(inert(&head.verdict.sentence));
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

/// What the outcome means, in capitals and a clause.
pub(super) fn outcome_words(outcome: &str) -> Option<(&'static str, &'static str)> {
    Some(match outcome {
        "clean" => ("CLEAN", "every declared check ran on a non-empty, covered population and agreed"),
        "divergent" => ("DIVERGENT", "the substrates disagree"),
        "incomplete" => ("INCOMPLETE", "not everything that was declared could be established"),
        "unreachable" => ("UNREACHABLE", "a required source gave nothing at all"),
        "over_budget" => ("OVER BUDGET", "the data is clean, a recovery objective was missed"),
        "untrusted_input" => ("UNTRUSTED INPUT", "a snapshot, bundle or checkpoint does not hold"),
        _ => return None,
    })
}

fn headline(head: &Head) -> String {
    let outcome = &head.verdict.outcome;
    let words = outcome_words(outcome).map_or_else(|| inert(outcome), |(name, words)| format!("{name}: {words}"));
    format!("{words} (as of {})", head.as_of.time)
}

fn populations(head: &Head) -> Vec<String> {
    let mut lines = vec![format!(
        "{:<16}{:>9}{:>9}{:>9}{:>9}{:>9}{:>12}",
        "", "received", "unique", "accepted", "pending", "rejected", "quarantined"
    )];
    let shown = head.population.iter().filter(|(_, counts)| **counts != Counts::default());
    for (name, c) in shown.take(14) {
        lines.push(format!(
            "{:<16}{:>9}{:>9}{:>9}{:>9}{:>9}{:>12}",
            inert(name),
            c.received,
            c.unique,
            c.accepted,
            c.pending,
            c.rejected,
            c.quarantined
        ));
    }
    lines
}

fn coverage(head: &Head) -> Vec<String> {
    let all = &head.coverage;
    let complete = all.iter().filter(|row| row.complete).count();
    let mut lines = vec![format!("coverage: {complete} of {} slices complete", all.len())];
    // What was restored by force comes before everything else that is open.
    let forced = SourceId::unverified_restore();
    if let Some(worst) = all.iter().filter(|row| !row.complete).min_by_key(|row| *row.source != *forced.0) {
        lines.push(format!(
            "  first open slice: {} kind {} basis {} {}",
            inert_limited(&worst.source, 60),
            inert(&worst.kind),
            inert(&worst.basis),
            inert_limited(&worst.reason, 60)
        ));
    }
    let counts = &head.reconstructible;
    lines.push(format!(
        "reconstructible: {} envelopes; without the operator's relay: {} of {}",
        counts.with_operator, counts.without_operator, counts.with_operator
    ));
    lines
}

/// Both totals: what counts, and what leaked keys exclude from every balance.
fn earned(head: &Head) -> Option<String> {
    let totals = &head.ledgers.get("envelope")?.totals;
    let of = |name: &str| totals.get(name).copied().unwrap_or_default();
    Some(format!(
        "users' shares: counted {} sats of {} events; excluded under leaked keys {} sats of {} events",
        of("user_sats"),
        of("events"),
        of("key_compromised_user_sats"),
        of("key_compromised_events")
    ))
}

/// Every step in a word, and what keeps writes frozen.
fn runbook(runbook: &RunbookMember) -> Vec<String> {
    let steps = runbook.steps.iter().map(|step| format!("{} {}", step.step, step.verdict));
    let ready = if runbook.ready_to_unfreeze {
        "ready to unfreeze: yes".to_owned()
    } else {
        format!("ready to unfreeze: no: {}", runbook.reasons.join("; "))
    };
    let lines = [format!("runbook: {}", steps.collect::<Vec<_>>().join(", ")), ready];
    lines.iter().map(|line| inert_limited(line, WIDTH)).collect()
}

/// How many signed statements count, and why others do not.
fn acknowledgements(head: &Head) -> Option<String> {
    let all = &head.acknowledgements;
    let mut states: BTreeMap<&str, u64> = BTreeMap::new();
    for judged in all {
        *states.entry(&judged.state).or_default() += 1;
    }
    let holding = states.remove(StatementState::Holds.name()).unwrap_or_default();
    let others: Vec<String> = states.iter().map(|(state, count)| format!("{} {count}", inert(state))).collect();
    let others = if others.is_empty() { String::new() } else { format!("; {}", others.join(", ")) };
    (!all.is_empty()).then(|| format!("acknowledgements: {holding} of {} signed statements hold{others}", all.len()))
}

fn divergences(document: &Document<'_>) -> Vec<String> {
    let tally = &document.tally;
    if tally.all == 0 {
        return vec!["divergences: none".to_owned()];
    }
    let acknowledged = match tally.in_state(State::Acknowledged) {
        0 => String::new(),
        count => format!(", {count} acknowledged"),
    };
    let explained = tally.in_state(State::Explained);
    let mut lines = vec![format!("divergences: {} ({explained} explained{acknowledged})", tally.all)];
    let rows = tally.rows();
    for row in rows.iter().take(CODES_MAX) {
        let closed = row.states.iter().filter(|(state, _)| **state != State::Open);
        let note: Vec<String> = closed.map(|(state, count)| format!(", {count} {}", state.name())).collect();
        let (severity, code, note) = (row.severity.name(), row.code, note.concat());
        lines.push(format!("  {severity:<9}{:<24}{:>6}{note}  {}", code.name(), row.count, code.meaning()));
    }
    if rows.len() > CODES_MAX {
        lines.push(format!("  and {} more codes", rows.len() - CODES_MAX));
    }
    let threshold = &document.head.inputs.fail_on;
    let fails =
        |one: &&Divergence| Severity::ALL.iter().find(|s| s.name() == *threshold).is_some_and(|s| one.fails(*s));
    lines.extend(tally.worst.iter().filter(fails).take(EXAMPLES_MAX).map(example));
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

fn unverifiable(head: &Head) -> Vec<String> {
    let all = &head.unverifiable;
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

/// What a rebuild leaves behind, by name; the consequences take more room than a summary has.
fn not_rebuilt(head: &Head) -> Option<String> {
    let names: Vec<&str> = head.not_rebuilt.iter().map(|lost| lost.store.as_str()).collect();
    let line = format!("no rebuild brings back: {} (consequences: `not_rebuilt` in report.json)", names.join(", "));
    (!names.is_empty()).then(|| inert_limited(&line, WIDTH))
}
