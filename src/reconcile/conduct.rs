//! SRC_BLIND and SRC_MISBEHAVES: how sources behaved while they answered.
//!
//! The boundary of misbehaviour is drawn where the signs are counted (`substrate/relay`): what NIP-01 allows is none.
//! Order is free; an event may come twice in one answer, and one that crossed our CLOSE on the way is nobody's fault; a
//! few challenges and notices are talk. One event that the filter does not admit, one that names a subscription which
//! was never opened, one message that can't be read is an offence.

use std::collections::BTreeMap;

use crate::domain::{Code, FetchReceipt, Finding, Sign, SourceId, Subject};

use super::audit::Audit;
use super::coverage::sorted_receipts;
use super::reconciler::Input;

/// What the receipts of one source come to.
#[derive(Default)]
struct Conduct<'a> {
    /// The largest count of each slice and offence: a question asked again shows the same once more.
    offences: BTreeMap<(&'a crate::domain::Slice, Sign), u64>,
    items: u64,
    blind: bool,
}

pub(super) fn check(input: &Input<'_>, audit: &mut Audit) {
    let receipts = sorted_receipts(input);
    let mut sources: BTreeMap<&SourceId, Conduct<'_>> = BTreeMap::new();
    for receipt in &receipts {
        sources.entry(&receipt.source).or_default().take(receipt);
    }
    let found = sources.iter().flat_map(|(source, conduct)| [conduct.blind(source), conduct.misbehaves(source)]);
    audit.check("capture.conduct", sources.len(), found.flatten().collect());
}

impl<'a> Conduct<'a> {
    fn take(&mut self, receipt: &'a FetchReceipt) {
        self.items = self.items.saturating_add(receipt.items);
        self.blind |= receipt.signs.contains_key(&Sign::Blind);
        for (sign, count) in receipt.signs.iter().filter(|(sign, _)| sign.is_offence()) {
            let most = self.offences.entry((&receipt.slice, *sign)).or_default();
            *most = (*most).max(*count);
        }
    }

    fn blind(&self, source: &SourceId) -> Option<Finding> {
        (self.blind && self.items == 0).then(|| {
            Finding::new(Code::SrcBlind, Subject::new("source", source))
                .with_values("something that was asked for", "answers with other things only")
                .with_explanation("The source answers, but never with anything that was asked for.")
        })
    }

    fn misbehaves(&self, source: &SourceId) -> Option<Finding> {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for ((_, sign), count) in &self.offences {
            let sum = counts.entry(sign.name()).or_default();
            *sum = sum.saturating_add(*count);
        }
        let observed: Vec<String> = counts.iter().map(|(name, count)| format!("{name}={count}")).collect();
        (!observed.is_empty()).then(|| {
            Finding::new(Code::SrcMisbehaves, Subject::new("source", source))
                .with_values("no offence", observed.join(", "))
                .with_explanation("The source did what its protocol forbids; what came with it is kept or counted.")
        })
    }
}
