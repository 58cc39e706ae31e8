//! What a reader wants to know before any single divergence: the verdict, of how many, and what it does not say.

use super::Page;
use super::escape::{code, text};
use crate::domain::{Counts, UnixSeconds};
use crate::report::document::{CoverageRow, Document, Head, StepMember};
use crate::report::text::outcome_words;

/// Rows of a table; the report has the rest.
pub(super) const ROWS_MAX: usize = 50;

pub(super) fn verdict(page: &mut Page, document: &Document<'_>) {
    let head = &document.head;
    let (name, words) = match outcome_words(&head.verdict.outcome) {
        Some((name, words)) => (name.to_owned(), words.to_owned()),
        None => (text(&head.verdict.outcome), String::new()),
    };
    page.heading(1, &format!("reledger: {name}"));
    page.block(&format!(
        "{}**{}**",
        if words.is_empty() { words } else { format!("{words}. ") },
        text(&head.verdict.sentence)
    ));
    let conditions: Vec<String> = head.verdict.conditions.iter().map(|one| code(one)).collect();
    let tip = head.as_of.tip.as_ref().map(|tip| format!("block {}, {}", tip.height, code(&tip.hash)));
    let users = if head.inputs.users_revealed { "in clear" } else { "by pseudonym" };
    let rows = [
        ("as of", time(Some(head.as_of.time))),
        ("tip of the header chain", tip.unwrap_or_else(|| "none".to_owned())),
        ("exit code", head.verdict.exit_code.to_string()),
        ("conditions", if conditions.is_empty() { "none".to_owned() } else { conditions.join(", ") }),
        ("fails on", code(&head.inputs.fail_on)),
        ("profile", text(&head.inputs.profile)),
        ("users", users.to_owned()),
    ];
    page.table(&["verdict", ""], rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]));
}

pub(super) fn denominators(page: &mut Page, head: &Head) {
    page.heading(2, "Denominators");
    let shown = head.population.iter().filter(|(_, counts)| **counts != Counts::default());
    let row = |(name, c): (&String, &Counts)| {
        let counts = [c.received, c.unique, c.accepted, c.pending, c.rejected, c.quarantined];
        [code(name)].into_iter().chain(counts.map(|count| count.to_string())).collect()
    };
    let columns = ["population", ":received", ":unique", ":accepted", ":pending", ":rejected", ":quarantined"];
    page.table(&columns, shown.map(row));
    let items: u128 = head.checks.iter().map(|check| u128::from(check.items)).sum();
    let disagreed: u128 = head.checks.iter().map(|check| u128::from(check.disagreed)).sum();
    let owed = head.unverifiable.iter().filter(|check| check.declared).count();
    page.block(&format!(
        "{} checks ran over {items} items, of which {disagreed} disagreed; {owed} declared checks could not be made, {} were not \
         declared.",
        head.checks.len(),
        head.unverifiable.len().saturating_sub(owed)
    ));
}

pub(super) fn does_not_prove(page: &mut Page, head: &Head) {
    page.heading(2, "What this does not prove");
    page.list(head.does_not_prove.iter().map(|sentence| text(sentence)));
    if !head.not_rebuilt.is_empty() {
        page.heading(2, "What no rebuild brings back");
        page.list(
            head.not_rebuilt.iter().map(|lost| format!("**{}**: {}", text(&lost.store), text(&lost.consequence))),
        );
    }
}

pub(super) fn runbook(page: &mut Page, head: &Head) {
    let Some(runbook) = &head.runbook else { return };
    page.heading(2, "Runbook");
    if runbook.ready_to_unfreeze {
        page.block("Ready to unfreeze: **yes**.");
    } else {
        page.block("Ready to unfreeze: **no**.");
        page.list(runbook.reasons.iter().map(|reason| text(reason)));
    }
    let row = |step: &StepMember| {
        let blocking: Vec<String> =
            step.blocking.iter().map(|(name, count)| format!("{} {count}", code(name))).collect();
        vec![
            step.step.to_string(),
            text(&step.name),
            code(&step.verdict),
            format!("{} of {}", step.checks.ran, step.checks.owed),
            step.items.to_string(),
            step.disagreed.to_string(),
            blocking.join(", "),
            text(&step.reason),
        ]
    };
    let columns = [":step", "name", "verdict", ":checks", ":items", ":disagreed", "blocking", "reason"];
    page.table(&columns, runbook.steps.iter().map(row));
}

pub(super) fn coverage(page: &mut Page, head: &Head) {
    page.heading(2, "Coverage");
    let open: Vec<&CoverageRow> = head.coverage.iter().filter(|row| !row.complete).collect();
    let counts = &head.reconstructible;
    page.block(&format!(
        "{} of {} slices complete. {} envelopes can be rebuilt; without the operator's relay {} of {}.",
        head.coverage.len().saturating_sub(open.len()),
        head.coverage.len(),
        counts.with_operator,
        counts.without_operator,
        counts.with_operator
    ));
    if open.is_empty() {
        return;
    }
    let row = |row: &&CoverageRow| {
        vec![
            text(&row.source),
            text(&row.kind),
            time(row.from),
            time(row.until),
            code(&row.basis),
            row.events.to_string(),
            row.missing_here.to_string(),
            text(&row.reason),
        ]
    };
    let columns = ["open slice", "kind", "from", "until", "basis", ":events", ":missing here", "reason"];
    page.table(&columns, open.iter().take(ROWS_MAX).map(row));
    more(page, open.len(), "open slices", "reledger coverage");
}

pub(super) fn roots(page: &mut Page, document: &Document<'_>) {
    let head = &document.head;
    page.heading(2, "Roots");
    let row = |(name, ledger): (&String, &crate::report::document::Ledger)| {
        vec![code(name), ledger.entries.to_string(), code(&ledger.root.to_hex())]
    };
    page.table(&["ledger", ":entries", "root"], head.ledgers.iter().map(row));
    let balances = head.balances.root.map(|root| code(&root.to_hex()));
    let rows = [
        ("state root", code(&head.state_root.to_hex())),
        ("balance tree", balances.unwrap_or_else(|| "none".to_owned())),
        ("evidence root", code(&head.inputs.evidence_root.to_hex())),
        ("configuration, sha256", code(&head.inputs.config_sha256.to_hex())),
        ("policy, sha256", code(&head.inputs.policy_sha256.to_hex())),
        ("written by", format!("{} {}", text(&head.tool.name), text(&head.tool.version))),
        ("`report.json`, sha256", code(&document.sha256.to_hex())),
    ];
    page.table(&["input or result", ""], rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]));
}

/// What a table left out, and who tells it.
pub(super) fn more(page: &mut Page, all: usize, what: &str, command: &str) {
    if all > ROWS_MAX {
        page.block(&format!("and {} more {what}: `{command}`", all.saturating_sub(ROWS_MAX)));
    }
}

pub(super) fn time(at: Option<UnixSeconds>) -> String {
    at.map_or_else(|| "\u{2013}".to_owned(), |at| text(&at.to_string()))
}
