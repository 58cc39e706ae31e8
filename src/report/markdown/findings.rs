//! What disagrees, what could not be checked, and what somebody answers for.

use super::Page;
use super::escape::{code, text};
use super::sections::{ROWS_MAX, more, time};
use crate::domain::{Divergence, State};
use crate::report::document::{Acknowledged, CodeRow, Document, GapRow, Head, Integer, UnverifiableMember};

pub(super) fn divergences(page: &mut Page, document: &Document<'_>) {
    let (tally, summary) = (&document.tally, &document.head.summary);
    page.heading(2, "Divergences");
    if tally.all == 0 {
        page.block("None.");
        return;
    }
    page.block(&format!(
        "{} in all: {} open, {} explained, {} acknowledged; {} keep writes frozen. Severity says how bad one is, not whether it \
         stands: an explained or acknowledged one is listed and counted.",
        tally.all,
        tally.in_state(State::Open),
        tally.in_state(State::Explained),
        tally.in_state(State::Acknowledged),
        tally.blocking
    ));
    let row = |row: CodeRow| {
        let of = |state: State| row.states.get(&state).copied().unwrap_or_default().to_string();
        let sats = summary.by_code_sats.get(row.code.name()).map_or_else(String::new, Integer::to_string);
        vec![
            row.severity.name().to_owned(),
            code(row.code.name()),
            row.count.to_string(),
            of(State::Open),
            of(State::Explained),
            of(State::Acknowledged),
            sats,
            text(row.code.meaning()),
        ]
    };
    let columns =
        ["severity", "code", ":count", ":open", ":explained", ":acknowledged", ":sats at stake, by code", "meaning"];
    page.table(&columns, tally.rows().into_iter().map(row));
    ages(page, &document.head);
    worst(page, document);
}

fn ages(page: &mut Page, head: &Head) {
    if head.summary.by_age.is_empty() {
        return;
    }
    let row = |(age, count): (&String, &u64)| {
        let sats = head.summary.by_age_sats.get(age).map_or_else(String::new, Integer::to_string);
        vec![text(age), count.to_string(), sats]
    };
    page.table(&["age of open ones", ":count", ":sats at stake"], head.summary.by_age.iter().map(row));
}

fn worst(page: &mut Page, document: &Document<'_>) {
    let shown: Vec<&Divergence> = document.tally.worst.iter().take(ROWS_MAX).collect();
    if shown.is_empty() {
        return;
    }
    page.heading(3, "The worst of those that are open");
    let row = |one: &&Divergence| {
        let subject: Vec<String> = one.subject.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let fingerprint = one.fingerprint.to_hex();
        vec![
            one.severity.name().to_owned(),
            code(one.code.name()),
            code(fingerprint.get(..12).unwrap_or(&fingerprint)),
            text(&subject.join(", ")),
            text(&one.expected),
            text(&one.observed),
            text(&one.explanation),
        ]
    };
    let columns = ["severity", "code", "fingerprint", "subject", "expected", "observed", "explanation"];
    page.table(&columns, shown.iter().map(row));
    let open = usize::try_from(document.tally.in_state(State::Open)).unwrap_or(usize::MAX);
    more(page, open, "open divergences", "reledger divergences list");
}

pub(super) fn unverifiable(page: &mut Page, head: &Head) {
    let all = &head.unverifiable;
    if all.is_empty() {
        return;
    }
    page.heading(2, "Not checked");
    let mut sorted: Vec<&UnverifiableMember> = all.iter().collect();
    sorted.sort_by_key(|check| !check.declared);
    let row = |check: &&UnverifiableMember| {
        let declared = if check.declared { "**yes**" } else { "no" };
        vec![code(&check.check), declared.to_owned(), check.items.to_string(), text(&check.reason)]
    };
    page.table(&["check", "declared", ":items", "reason"], sorted.iter().take(ROWS_MAX).map(row));
    more(page, all.len(), "checks", "reledger report render --to csv --table checks");
}

pub(super) fn acknowledgements(page: &mut Page, head: &Head) {
    let all = &head.acknowledgements;
    if all.is_empty() {
        return;
    }
    page.heading(2, "Acknowledgements");
    let row = |one: &Acknowledged| {
        let about = one.fingerprint.or(one.acknowledgement).map(|digest| digest.to_hex());
        vec![
            code(&one.state),
            text(&one.kind),
            one.code.as_deref().map_or_else(|| "\u{2013}".to_owned(), code),
            about.map_or_else(|| "\u{2013}".to_owned(), |hex| code(hex.get(..12).unwrap_or(&hex))),
            text(&one.by),
            time(Some(one.issued_at)),
            time(one.expires_at),
            text(&one.reason),
        ]
    };
    let columns = ["state", "kind", "code", "about", "by", "signed", "expires", "reason"];
    page.table(&columns, all.iter().take(ROWS_MAX).map(row));
    more(page, all.len(), "signed statements", "reledger divergences list");
}

pub(super) fn gaps(page: &mut Page, head: &Head) {
    if head.gaps.is_empty() {
        return;
    }
    page.heading(2, "Registered gaps");
    let row = |gap: &GapRow| {
        vec![
            text(&gap.source),
            time(Some(gap.from)),
            time(Some(gap.until)),
            code(&gap.state),
            gap.missing.to_string(),
            time(Some(gap.expires)),
            text(&gap.reason),
            text(&gap.cite),
        ]
    };
    let columns = ["source", "from", "until", "state", ":missing", "expires", "reason", "cited"];
    page.table(&columns, head.gaps.iter().take(ROWS_MAX).map(row));
    more(page, head.gaps.len(), "gaps", "reledger gaps list");
}
