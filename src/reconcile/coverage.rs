//! Step 0: what was asked of whom, on what basis the answers are complete, and which requirement is not met.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Code, CompletenessBasis, Coverage, FetchReceipt, Finding, Media, Slice, SliceEnd, SourceId, Subject,
};

use super::audit::Audit;
use super::reconciler::Input;
use super::{conduct, drift, earlier, equivocation, manifest, omissions, pages, takedowns};

/// Coverage by source and slice.
pub(super) type Rows = BTreeMap<(SourceId, Slice), Row>;

/// One row under judgement.
pub(super) struct Row {
    pub(super) coverage: Coverage,
    /// The source claimed the slice complete and was contradicted.
    pub(super) withdrawn: bool,
}

pub(super) fn check(input: &Input<'_>, audit: &mut Audit) -> Vec<Coverage> {
    let mut rows = join(input);
    let mut found = omissions::check(input, &mut rows);
    let unmet = unmet_kinds(input, &rows);
    for kind in &unmet {
        found.push(
            Finding::new(Code::SrcIncomplete, Subject::new("requirement", "min_relays").and("kind", kind))
                .with_values(format!("{} covered relays", input.policy.require.min_relays), "fewer")
                .with_explanation("Too few relays gave an answer whose completeness has a sufficient basis."),
        );
    }
    let silent = sources(input, &rows, &unmet, &mut found);
    for row in rows.values().filter(|row| !row.coverage.complete && !row.withdrawn) {
        let told = silent.contains(&row.coverage.source)
            || !is_relay(input, &row.coverage.source) && pages::has_paging_fault(input, &row.coverage.source);
        if !told {
            found.push(incomplete(input, &row.coverage, &unmet));
        }
    }
    audit.check("capture.coverage", rows.len(), found);
    conduct::check(input, audit);
    pages::check(input, audit);
    equivocation::check(input, audit);
    earlier::check(input, &rows, audit);
    takedowns::check(input, audit);
    drift::check(input, audit);
    if input.time_boxed {
        audit.not_possible("capture.time", "the time limit ended fetching before every source was heard", 1, true);
    }
    rows.into_values().map(|row| row.coverage).collect()
}

/// True for a source that is asked as one relay among several.
pub(super) fn is_relay(input: &Input<'_>, source: &SourceId) -> bool {
    input.declared.relays.contains(source) || source.0.starts_with("wss://") || source.0.starts_with("ws://")
}

/// The receipts, each once, in an order that does not depend on that of their arrival.
pub(super) fn sorted_receipts(input: &Input<'_>) -> Vec<FetchReceipt> {
    let mut receipts = input.receipts.to_vec();
    receipts.sort();
    receipts.dedup();
    receipts
}

/// Joins all receipts of one source and slice: the weakest basis, the largest count, all reasons.
fn join(input: &Input<'_>) -> Rows {
    let mut rows = Rows::new();
    for receipt in &sorted_receipts(input) {
        let borne_out = receipt.end == SliceEnd::Ended && manifest::faults(receipt).is_empty();
        let basis = if borne_out { receipt.basis } else { CompletenessBasis::None };
        let key = (receipt.source.clone(), receipt.slice.clone());
        let row = rows.entry(key).or_insert_with(|| Row {
            coverage: Coverage {
                source: receipt.source.clone(),
                slice: receipt.slice.clone(),
                basis,
                complete: true,
                items: 0,
                missing_here: 0,
                retries: 0,
                reason: String::new(),
            },
            withdrawn: false,
        });
        let coverage = &mut row.coverage;
        coverage.basis = coverage.basis.min(basis);
        coverage.items = coverage.items.max(receipt.items);
        coverage.retries = coverage.retries.saturating_add(receipt.retries);
        coverage.complete &= suffices(input, receipt, basis);
        if !receipt.reason.is_empty() && !coverage.reason.contains(&receipt.reason) {
            let separator = if coverage.reason.is_empty() { "" } else { "; " };
            coverage.reason = format!("{}{separator}{}", coverage.reason, receipt.reason);
        }
    }
    for row in rows.values_mut() {
        if !row.coverage.complete && row.coverage.reason.is_empty() {
            row.coverage.reason = format!("basis {} is too weak", row.coverage.basis);
        }
    }
    rows
}

/// The policy's basis is asked of relays. Of others a fully read answer is enough: they know no set reconciliation.
fn suffices(input: &Input<'_>, receipt: &FetchReceipt, basis: CompletenessBasis) -> bool {
    let required = input.policy.require.basis;
    if is_relay(input, &receipt.source) {
        return basis >= required;
    }
    // A calendar answers about single commitments: there is nothing to enumerate.
    let enumerable = receipt.slice.kind != Media::CalendarReply.name();
    if enumerable { basis >= required.min(CompletenessBasis::Exhausted) } else { receipt.end == SliceEnd::Ended }
}

/// Kinds for which fewer relays than required are complete; `*` when no relay left any receipt.
fn unmet_kinds(input: &Input<'_>, rows: &Rows) -> BTreeSet<String> {
    let required = usize::try_from(input.policy.require.min_relays).unwrap_or(usize::MAX);
    if required == 0 || !input.declared.nostr {
        return BTreeSet::new();
    }
    let mut relays: BTreeMap<&str, BTreeMap<&SourceId, bool>> = BTreeMap::new();
    // A relay that is no longer declared does not stand in for one that is.
    for ((source, slice), row) in rows.iter().filter(|((source, _), _)| input.declared.relays.contains(source)) {
        *relays.entry(&slice.kind).or_default().entry(source).or_insert(true) &= row.coverage.complete;
    }
    if relays.is_empty() {
        return BTreeSet::from(["*".to_owned()]);
    }
    let met = |sources: &BTreeMap<&SourceId, bool>| sources.values().filter(|complete| **complete).count() >= required;
    relays.into_iter().filter(|(_, sources)| !met(sources)).map(|(kind, _)| kind.to_owned()).collect()
}

/// Judges each declared source as a whole; returns those that gave nothing at all.
fn sources(input: &Input<'_>, rows: &Rows, unmet: &BTreeSet<String>, found: &mut Vec<Finding>) -> BTreeSet<SourceId> {
    let mut silent = BTreeSet::new();
    for source in input.declared.sources.iter().collect::<BTreeSet<_>>() {
        let own: Vec<&FetchReceipt> = input.receipts.iter().filter(|receipt| receipt.source == *source).collect();
        let finding = if own.is_empty() {
            Finding::new(Code::SrcIncomplete, Subject::new("source", source))
                .with_values("a receipt", "none")
                .with_explanation("A declared source left no receipt: it was not asked, or not to its end.")
        } else if own.iter().all(|receipt| receipt.items == 0 && gave_nothing(receipt.end)) {
            silent.insert(source.clone());
            let reasons: BTreeSet<&str> = own.iter().map(|receipt| receipt.reason.as_str()).collect();
            Finding::new(Code::SrcUnreachable, Subject::new("source", source))
                .with_values("an answer", reasons.into_iter().collect::<Vec<_>>().join("; "))
                .with_explanation("A declared source gave nothing at all.")
        } else if !is_relay(input, source) && own.iter().all(|receipt| receipt.items == 0) {
            // Its population may be full from elsewhere; of what this source should hold nothing was checked.
            Finding::new(Code::SrcEmpty, Subject::new("source", source))
                .with_values("at least one", "0")
                .with_explanation("A declared source is empty: nothing of it was checked.")
        } else {
            continue;
        };
        let spare = is_relay(input, source) && unmet.is_empty() && has_relay_rows(input, rows);
        found.push(if spare { finding.explained(ENOUGH_OTHERS) } else { finding });
    }
    silent
}

/// A source that we stopped asking has not failed to answer.
fn gave_nothing(end: SliceEnd) -> bool {
    !matches!(end, SliceEnd::Ended | SliceEnd::Cancelled)
}

const ENOUGH_OTHERS: &str = "the required number of relays is covered without it";

fn has_relay_rows(input: &Input<'_>, rows: &Rows) -> bool {
    input.policy.require.min_relays > 0 && rows.keys().any(|(source, _)| is_relay(input, source))
}

fn incomplete(input: &Input<'_>, coverage: &Coverage, unmet: &BTreeSet<String>) -> Finding {
    let finding = Finding::new(Code::SrcIncomplete, slice_subject(&coverage.source, &coverage.slice))
        .with_values("a sufficient basis of completeness", coverage.basis)
        .with_explanation(coverage.reason.clone());
    let spare = is_relay(input, &coverage.source)
        && input.policy.require.min_relays > 0
        && !input.declared.relays.is_empty()
        && !unmet.contains(&coverage.slice.kind);
    if spare {
        finding.explained(ENOUGH_OTHERS)
    } else if is_declared(input, &coverage.source) {
        finding
    } else {
        finding.explained(DECLARED_NO_MORE)
    }
}

/// False for a source of an earlier attempt at the run, whose configuration named another address.
fn is_declared(input: &Input<'_>, source: &SourceId) -> bool {
    let bare = |source: &SourceId| source.0.trim_end_matches('/').to_owned();
    let declared = input.declared;
    // Whoever restored what nobody vouches for declared it by doing so, whatever the configuration says now.
    if *source == SourceId::unverified_restore() {
        return true;
    }
    let mut all = declared.sources.iter().chain(&declared.relays).chain(&declared.calendars);
    all.any(|known| bare(known) == bare(source))
}

const DECLARED_NO_MORE: &str = "the source is not declared; what it gave is kept";

/// What a finding about one slice is about.
pub(super) fn slice_subject(source: &SourceId, slice: &Slice) -> Subject {
    let mut subject = Subject::new("source", source).and("kind", &slice.kind);
    if let Some(from) = slice.from {
        subject = subject.and("from", from.0);
    }
    if let Some(until) = slice.until {
        subject = subject.and("until", until.0);
    }
    subject
}
