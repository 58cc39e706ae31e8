//! SRC_CAPTURE_GAP and SRC_CUTOFF_100: do the pages of a source cover what it holds?
//!
//! An index is a proof of completeness only where it has no holes by itself and the records begin at its beginning:
//! LND counts invoices from 1 (`add_index`), Core Lightning counts payments of invoices from 1 (`pay_index`). A list that
//! begins later is a window, and says nothing. The ids of a gateway's payment log are never judged: internal events use
//! them up, and a listing is filtered by kind, so holes are the rule (TREASURY 1.3, 1.5).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Code, FetchReceipt, Finding, Media, PaymentHash, Sign, SourceId, Subject};
use crate::evidence::InvoiceDialect;

use super::audit::Audit;
use super::coverage::sorted_receipts;
use super::manifest;
use super::reconciler::Input;

/// What an unpaged call to LND answers at most (TREASURY 0.2).
const DEFAULT_PAGE: usize = 100;

pub(super) fn check(input: &Input<'_>, audit: &mut Audit) {
    let receipts = sorted_receipts(input);
    let lists = lists(input);
    let mut found: Vec<Finding> = receipts.iter().filter_map(paging).collect();
    found.extend(lists.iter().filter_map(|((source, dialect), list)| holes(source, *dialect, list)));
    found.extend(cut_off(&lists, &receipts));
    found.sort();
    found.dedup();
    audit.check("capture.pages", receipts.len(), found);
}

/// True when the receipt's shortfall is told by SRC_CAPTURE_GAP.
pub(super) fn has_paging_fault(input: &Input<'_>, source: &SourceId) -> bool {
    let faulty = |receipt: &FetchReceipt| paging(receipt).is_some();
    input.receipts.iter().any(|receipt| receipt.source == *source && faulty(receipt))
}

/// Faults that the source itself showed while it was read, and what the pages of its receipt fail to cover.
fn paging(receipt: &FetchReceipt) -> Option<Finding> {
    let signs: Vec<&Sign> = receipt.signs.keys().filter(|sign| sign.is_paging_fault()).collect();
    let uncovered = manifest::faults(receipt);
    let about = match (signs.as_slice(), uncovered.is_empty()) {
        ([], true) => return None,
        ([Sign::CountDiffers], true) => "count",
        _ => "pages",
    };
    let observed: Vec<&str> = signs.into_iter().map(|sign| sign.name()).chain(uncovered).collect();
    Some(
        Finding::new(Code::SrcCaptureGap, Subject::new("source", &receipt.source).and("about", about))
            .with_values("pages that cover the whole", observed.join(", "))
            .with_explanation("What the source gave does not cover what it says there is."),
    )
}

/// One node's list as one source gave it.
#[derive(Default)]
struct List {
    indexes: BTreeSet<u64>,
    records: BTreeSet<PaymentHash>,
}

/// The lists of nodes by source. A record that two captures show in different states is one.
fn lists<'a>(input: &Input<'a>) -> BTreeMap<(&'a SourceId, InvoiceDialect), List> {
    let mut lists: BTreeMap<(&SourceId, InvoiceDialect), List> = BTreeMap::new();
    for (id, record) in input.set.invoices.iter().filter(|(_, record)| record.dialect != InvoiceDialect::Plain) {
        for source in input.sightings.get(&id).into_iter().flatten() {
            let list = lists.entry((source, record.dialect)).or_default();
            list.records.insert(record.payment_hash);
            list.indexes.extend(record.index);
        }
    }
    lists
}

fn holes(source: &SourceId, dialect: InvoiceDialect, list: &List) -> Option<Finding> {
    let about = match dialect {
        InvoiceDialect::LndInvoice => "add_index",
        InvoiceDialect::CoreLightning => "pay_index",
        InvoiceDialect::LndPayment
        | InvoiceDialect::GatewayReceived
        | InvoiceDialect::GatewaySent
        | InvoiceDialect::Plain => return None,
    };
    let (first, last) = (*list.indexes.first()?, *list.indexes.last()?);
    let missing = last.saturating_sub(u64::try_from(list.indexes.len()).unwrap_or(u64::MAX));
    if first != 1 || missing == 0 {
        return None;
    }
    let hole = list.indexes.iter().zip(1..).find(|(index, expected)| **index != *expected);
    let at = hole.map_or(0, |(_, expected)| expected);
    Some(
        Finding::new(Code::SrcCaptureGap, Subject::new("source", source).and("about", about))
            .with_values(format!("every index from 1 to {last}"), format!("{missing} missing, the first is {at}"))
            .with_explanation(
                "The node counts its records without holes: some are missing here, or were deleted there.",
            ),
    )
}

/// Different page positions show that somebody paged; a list of exactly the default size without them is an unpaged call.
fn cut_off(
    lists: &BTreeMap<(&SourceId, InvoiceDialect), List>,
    receipts: &[FetchReceipt],
) -> impl Iterator<Item = Finding> {
    let paged = |source: &SourceId| {
        let own = receipts.iter().filter(|receipt| receipt.source == *source);
        own.filter_map(|receipt| receipt.signs.get(&Sign::Paged)).any(|pages| *pages > 1)
    };
    let full = |dialect: InvoiceDialect, list: &List| {
        list.records.len() == DEFAULT_PAGE && !matches!(dialect, InvoiceDialect::CoreLightning | InvoiceDialect::Plain)
    };
    lists.iter().filter(move |((source, dialect), list)| full(*dialect, list) && !paged(source)).map(
        |((source, _), _)| {
            Finding::new(Code::SrcCutoff100, Subject::new("source", source).and("media", Media::Invoice))
                .with_values("a list that was paged to its end", "exactly 100 records")
                .with_explanation(
                    "LND answers an unpaged call with 100 records and does not say that there are more; a gateway passes \
                     that on.",
                )
        },
    )
}
