//! No check passes on nothing: declared and empty is SRC_EMPTY, not declared is unverifiable.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Code, Finding, Subject};
use crate::evidence::OcMeKind;

use super::audit::Audit;
use super::reconciler::Input;

pub(super) fn check(input: &Input<'_>, audit: &mut Audit) {
    let (set, declared) = (input.set, input.declared);
    let proofs = set.anchors.values().filter(|anchor| !anchor.proofs.is_empty()).count();
    let headers = usize::from(set.tip.is_some())
        + usize::try_from(set.population.get("headers").unique).unwrap_or(usize::MAX).min(usize::MAX - 1);
    let custody = set.descriptors.len() + set.graduations.len() + set.rotations.len() + set.merges.len();
    let judged = |name: &str| {
        let counts = set.population.get(name);
        usize::try_from(counts.unique.saturating_sub(counts.quarantined)).unwrap_or(usize::MAX)
    };
    let populations = [
        ("envelope", declared.nostr, input.ledgers.envelope.of_kind(OcMeKind::Event)),
        ("proofs", declared.ots, proofs),
        ("headers", declared.headers, headers),
        ("settlements", declared.settlements, set.settlements.len()),
        ("payment-log", declared.payment_log, set.payment_log.len()),
        ("invoices", declared.invoices, set.invoices.len()),
        ("keys", declared.keys, set.keys.values().filter(|key| key.envelope).count()),
        ("projects", declared.projects, set.configs.len()),
        ("custody", declared.custody, custody),
        ("balances", declared.balances, set.balances.len() + set.statements.len()),
        ("checkpoints", declared.checkpoints, judged("checkpoints")),
        ("snapshots", declared.snapshots, judged("snapshots")),
    ];
    for (name, declared, items) in populations {
        match (declared, items) {
            (true, 0) => audit.findings.push(
                Finding::new(Code::SrcEmpty, Subject::new("population", name))
                    .with_values("at least one", "0")
                    .with_explanation("This substrate is declared, and nothing of it was checked."),
            ),
            (true, _) => {}
            (false, _) => audit.not_possible(name, "the substrate is not declared", items, false),
        }
    }
    unread(input, audit);
    sealed(input, audit, &judged);
    // FORMATS 8: no rebind is published yet, so an empty chain is expected; it is stated and not passed.
    let gaps = input.ledgers.rebind.gaps.len();
    let codes = if gaps > 0 { BTreeSet::from([Code::RebGap]) } else { BTreeSet::new() };
    audit.ran("rebind.chain", input.ledgers.rebind.entries.len(), gaps, codes);
    replayed(input, audit);
}

/// The checks of step 6 that ran, with their denominators.
fn sealed(input: &Input<'_>, audit: &mut Audit, judged: &dyn Fn(&str) -> usize) {
    let declared = input.declared;
    let chain: &[Code] = &[Code::ChkChain, Code::ChkRange];
    let snapshots: &[Code] = &[Code::SnapSignature, Code::SnapChecksum, Code::SnapRegress, Code::SnapUnsafe];
    for (name, declared, population, codes) in [
        ("seal.chain", declared.checkpoints, "checkpoints", chain),
        ("seal.snapshots", declared.snapshots, "snapshots", snapshots),
    ] {
        if declared {
            let (disagreed, codes) = said(&input.set.findings, codes);
            audit.ran(name, judged(population), disagreed, codes);
        }
    }
}

/// How many findings are of these codes, and which of the codes they are of.
fn said(findings: &[Finding], codes: &[Code]) -> (usize, BTreeSet<Code>) {
    let own = || findings.iter().map(|finding| finding.code).filter(|code| codes.contains(code));
    (own().count(), own().collect())
}

/// What was declared and can't be read was not checked, however many others of its kind were.
///
/// Of events and proofs not: relays are full of what is not ours, and a bad proof is an error already.
fn unread(input: &Input<'_>, audit: &mut Audit) {
    let mut unread: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in input.set.findings.iter().filter(|finding| finding.code == Code::SrcParse) {
        // One bad entry of a key set leaves the set readable; who signs with it is told by KEY_UNKNOWN.
        if let (Some(media), None) = (finding.subject.get("media"), finding.subject.get("key")) {
            *unread.entry(media).or_default() += 1;
        }
    }
    for (media, items) in unread {
        audit.not_possible(&format!("{media}.unread"), "a declared record can't be read", items, true);
    }
}

/// The ledgers' own checks, with their denominators.
fn replayed(input: &Input<'_>, audit: &mut Audit) {
    let envelope = &input.ledgers.envelope;
    let of_kind = |kind: OcMeKind| envelope.of_kind(kind);
    let (events, keyed) = (of_kind(OcMeKind::Event), envelope.keyed);
    let table: [(&str, usize, &[Code]); 6] = [
        ("envelope.fees", events, &[Code::FeeSplit]),
        ("envelope.identity", keyed, &[Code::EnvDoubleBilling, Code::EnvEquivocation]),
        ("envelope.drops", of_kind(OcMeKind::Drop), &[Code::DropTotals, Code::DropRoot]),
        ("envelope.windows", envelope.windows.len(), &[Code::DropWindow]),
        ("envelope.activity", of_kind(OcMeKind::Activity), &[Code::ActivityMismatch]),
        ("envelope.caps", events, &[Code::CapClassADay, Code::CapClassAMonth, Code::CapSiteShare, Code::CapReview]),
    ];
    for (name, items, codes) in table {
        let (disagreed, codes) = said(&input.ledgers.findings, codes);
        audit.ran(name, items, disagreed, codes);
    }
    if envelope.unclassed > 0 {
        let reason = "the price configs of that time state no class for these custom event keys";
        audit.not_possible("envelope.fees.class", reason, envelope.unclassed, false);
    }
    let salted = envelope.manifests().filter(|manifest| manifest.body.has_recipients_root).count();
    if salted > 0 {
        let reason =
            "recipients_root is over salted leaves; the salts are not public, so only a recipient can check it";
        audit.not_possible("envelope.drops.recipients", reason, salted, false);
    }
    let unreplayed = input.ledgers.findings.iter().filter(|f| f.code == Code::FeeUnreplayable).count();
    if unreplayed > 0 {
        let reason = "the price config or the amount valid at that time is not known";
        audit.not_possible("envelope.fees.replay", reason, unreplayed, input.declared.projects);
    }
}
