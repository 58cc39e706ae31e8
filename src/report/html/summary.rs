//! What comes first: the verdict, the denominators, what is not proven, the runbook, the checks.

use super::words::{self, badge, code, grouped, table, text};
use crate::domain::Counts;
use crate::report::document::{Document, Head, RunbookMember};
use crate::report::text::outcome_words;

pub(super) fn tone(outcome: &str) -> &'static str {
    match outcome {
        "clean" => "good",
        "divergent" | "internal" | "untrusted_input" => "bad",
        _ => "warning",
    }
}

/// The page's head: verdict, sentence, what identifies the state.
pub(super) fn header(document: &Document<'_>) -> String {
    let head = &document.head;
    let outcome = &head.verdict.outcome;
    let verdict = outcome_words(outcome).map_or_else(
        || badge(outcome, tone(outcome)),
        |(name, words)| format!("{} {words}", badge(name, tone(outcome))),
    );
    let ready = match &head.runbook {
        Some(RunbookMember { ready_to_unfreeze: true, .. }) => badge("yes", "good"),
        Some(runbook) => format!("{} {}", badge("no", "bad"), text(&runbook.reasons.join("; "))),
        None => "not told by this report".to_owned(),
    };
    let tip = head.as_of.tip.as_ref().map_or_else(
        || "no header chain".to_owned(),
        |tip| format!("block {} {}", grouped(tip.height), code(&tip.hash)),
    );
    let conditions =
        if head.verdict.conditions.is_empty() { "none".to_owned() } else { text(&head.verdict.conditions.join(", ")) };
    let facts = [
        ("exit code", head.verdict.exit_code.to_string()),
        ("conditions", conditions),
        ("ready to unfreeze", ready),
        ("state root", code(head.state_root)),
        ("tip", tip),
    ];
    format!(
        "<header>\n<p class=\"eyebrow\">reledger divergence report, as of {}</p>\n<h1>{verdict}</h1>\n\
        <p class=\"sentence\">{}</p>\n{}</header>\n",
        head.as_of.time,
        text(&head.verdict.sentence),
        words::facts(&facts)
    )
}

pub(super) fn population(head: &Head) -> String {
    let rows = head.population.iter().map(|(name, counts)| {
        let Counts { received, unique, accepted, pending, rejected, quarantined } = counts;
        let bad = |count: u64| if count > 0 { badge(&grouped(count), "warning") } else { grouped(count) };
        vec![
            text(name),
            grouped(received),
            grouped(unique),
            grouped(accepted),
            grouped(pending),
            bad(*rejected),
            bad(*quarantined),
        ]
    });
    let columns = ["population", "#received", "#unique", "#accepted", "#pending", "#rejected", "#quarantined"];
    let caption = "How many there were, and what became of each. A population of zero was not checked.";
    table(caption, &columns, rows)
}

pub(super) fn not_proven(head: &Head) -> String {
    let items: Vec<String> = head.does_not_prove.iter().map(|line| format!("<li>{}</li>", text(line))).collect();
    format!("<ul>{}</ul>\n{}", items.concat(), not_rebuilt(head))
}

fn not_rebuilt(head: &Head) -> String {
    if head.not_rebuilt.is_empty() {
        return String::new();
    }
    let rows = head.not_rebuilt.iter().map(|lost| vec![text(&lost.store), text(&lost.consequence)]);
    table("Stores that no substrate holds: a rebuild does not bring them back.", &["store", "consequence"], rows)
}

pub(super) fn runbook(runbook: &RunbookMember) -> String {
    let rows = runbook.steps.iter().map(|step| {
        let tone = match step.verdict.as_str() {
            "pass" => "good",
            "blocked" => "bad",
            _ => "warning",
        };
        let blocking: Vec<String> =
            step.blocking.iter().map(|(code, count)| format!("{} {}", text(code), grouped(count))).collect();
        vec![
            format!("{} {}", step.step, text(&step.name)),
            badge(&step.verdict.replace('_', "\u{a0}"), tone),
            format!("{} of {}", grouped(step.checks.ran), grouped(step.checks.owed)),
            grouped(step.items),
            grouped(step.disagreed),
            blocking.join(", "),
            text(&step.reason),
        ]
    });
    let columns = ["step", "verdict", "#checks", "#items", "#disagreed", "blocked by", "reason"];
    table("The recovery runbook, step by step", &columns, rows)
}

pub(super) fn checks(head: &Head) -> String {
    let ran = head.checks.iter().map(|check| {
        let disagreed = grouped(check.disagreed);
        let disagreed = if check.disagreed > 0 { badge(&disagreed, "bad") } else { disagreed };
        vec![text(&check.check), grouped(check.items), disagreed]
    });
    let mut out = table(&format!("{} checks ran", head.checks.len()), &["check", "#items", "#disagreed"], ran);
    if !head.unverifiable.is_empty() {
        let missed = head.unverifiable.iter().map(|check| {
            let declared = if check.declared { badge("yes", "warning") } else { "no".to_owned() };
            vec![text(&check.check), declared, grouped(check.items), text(&check.reason)]
        });
        let caption = format!("{} checks did not run. None of them counts as passed.", head.unverifiable.len());
        out.push_str(&table(&caption, &["check", "declared", "#items", "reason"], missed));
    }
    out
}
