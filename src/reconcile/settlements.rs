//! Step 4, each settlement by itself: identity, direction, required members (TREASURY 2.4 to 2.6).

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::domain::{Code, Digest32, EvidenceId, Finding, OperationId, SettlementKind, Subject, packed_struct, sha256};
use crate::evidence::SettlementEvent;
use crate::ledger::rails::Partners;
use crate::ledger::{Movement, Unposted, allowed_direction, is_explained, movement};
use crate::scratch::{Sorter, Table, by_time};
use crate::verify::Carriers;

use super::audit::Audit;
use super::earned::Earned;
use super::reconciler::Input;

/// A settlement that has an entry in the treasury ledger.
#[derive(Debug, Clone)]
pub(super) struct Posted {
    pub(super) digest: Digest32,
    pub(super) event: SettlementEvent,
    pub(super) carrier: EvidenceId,
    /// Where rules R1 to R3 lead.
    pub(super) partners: Partners,
}

packed_struct!(Posted { digest, event, carrier, partners });

impl Posted {
    pub(super) fn subject(&self) -> Subject {
        Subject::new("settlement", self.digest)
    }

    pub(super) fn finding(&self, code: Code) -> Finding {
        Finding::new(code, self.subject()).with_evidence(self.carrier, "settlement")
    }
}

/// Posted settlements in order of (settled_at, digest), beside memory.
pub(super) type AllPosted = Table<Digest32, Posted>;

/// All of them.
pub(super) fn posted(input: &Input<'_>) -> AllPosted {
    let mut posted: Sorter<Digest32, Posted> = input.set.settlements.sorter();
    for (number, (digest, verified)) in input.set.settlements.iter().enumerate() {
        if input.ledgers.treasury.is_posted(&digest) {
            let (carrier, event) = (verified.first_carrier(), verified.into_fact().event);
            let order = by_time(event.settled_at.into(), digest.as_bytes());
            posted
                .push(&order, &Posted { digest, event, carrier, partners: input.ledgers.rails.legs.partners(number) });
        }
    }
    posted.finish(|_, _| ())
}

pub(super) fn check(input: &Input<'_>, posted: &AllPosted, earned: &Earned<'_>, audit: &mut Audit) {
    audit.check("settlement.operation", input.set.settlements.len(), operations(input));
    audit.check("settlement.form", posted.len(), posted.values().flat_map(|s| form(input, &s)).collect());
    audit.check("settlement.duplicate", posted.len(), duplicates(posted));
    audit.check("settlement.project", posted.len(), unknown_projects(posted, earned));
}

/// OP_REPLAY and OP_CONFLICT. The ledger posts the first of a conflict; the others are listed here.
fn operations(input: &Input<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut conflicts: BTreeMap<Digest32, Vec<Digest32>> = BTreeMap::new();
    for (digest, verified) in &input.set.settlements {
        found.extend(replay(&verified.fact().event.operation, verified.carriers()));
        if let Some(Unposted::Conflict(first)) = input.ledgers.treasury.unposted.get(&digest) {
            conflicts.entry(*first).or_default().push(digest);
        }
    }
    for (first, others) in conflicts {
        let Some(kept) = input.set.settlements.get(&first) else { continue };
        let ids: Vec<String> = others.iter().map(Digest32::to_hex).collect();
        let finding = Finding::new(Code::OpConflict, Subject::new("operation", &kept.fact().event.operation))
            .with_values(first, ids.join(", "))
            .with_evidence(kept.first_carrier(), "first")
            .with_explanation(
                "Different events carry one operation id; the first is posted, the others are only listed.",
            );
        let others = others.iter().filter_map(|digest| input.set.settlements.get(digest));
        found.push(others.fold(finding, |finding, other| finding.with_evidence(other.first_carrier(), "other")));
    }
    found
}

/// OP_REPLAY: one event in several carriers.
pub(super) fn replay(operation: &OperationId, carriers: &Carriers) -> Option<Finding> {
    (carriers.len() > 1).then(|| {
        let finding = Finding::new(Code::OpReplay, Subject::new("operation", operation))
            .with_values("one delivery", format!("{} deliveries", carriers.len()))
            .with_explanation("The same event was delivered more than once; it counts once.");
        carriers.iter().fold(finding, |finding, id| finding.with_evidence(id, "delivery"))
    })
}

/// OP_MALFORMED, DIR_WRONG, FIELD_MISSING, PRE_MISSING, ADJ_UNEXPLAINED.
fn form(input: &Input<'_>, settlement: &Posted) -> Vec<Finding> {
    let event = &settlement.event;
    let mut found = Vec::new();
    if Digest32::from_hex(event.operation.as_str()).is_err() {
        found.push(
            settlement
                .finding(Code::OpMalformed)
                .with_values("64 hex digits", &event.operation)
                .with_explanation("The operation id is not one of Fedimint's."),
        );
    }
    if let Some(allowed) = allowed_direction(event, input.policy).filter(|allowed| *allowed != event.direction) {
        found.push(
            settlement
                .finding(Code::DirWrong)
                .with_values(allowed.name(), event.direction.name())
                .with_stake(event.amount.msat().delta())
                .with_explanation(format!("The direction is not allowed for {}.", event.kind)),
        );
    }
    let missing = missing_fields(event);
    if !missing.is_empty() {
        found.push(
            settlement
                .finding(Code::FieldMissing)
                .with_values(format!("what {} requires", event.kind), format!("missing: {}", missing.join(", ")))
                .with_explanation("A target or anchor that the kind requires is null."),
        );
    }
    let outgoing = movement(event) == Movement::Out;
    if outgoing && event.payment_hash.is_some() && event.txid.is_none() && event.preimage.is_none() {
        found.push(
            settlement
                .finding(Code::PreMissing)
                .with_values("a preimage", "none")
                .with_explanation("An outgoing Lightning payment is proven by its preimage only."),
        );
    }
    if event.kind == SettlementKind::Adjustment && !is_explained(event) {
        found.push(
            settlement
                .finding(Code::AdjUnexplained)
                .with_values("a note or a reference", "neither")
                .with_stake(event.amount.msat().delta())
                .with_explanation("A manual correction says neither why nor what it corrects."),
        );
    }
    found
}

/// The required targets and anchors of TREASURY 2.4. An adjustment's note has its own code.
fn missing_fields(event: &SettlementEvent) -> Vec<&'static str> {
    let project = ("project_key", event.project.is_some());
    let destination = ("destination", event.destination.is_some());
    let anchor = ("payment_hash or txid", event.payment_hash.is_some() || event.txid.is_some());
    let required = match event.kind {
        SettlementKind::EscrowDeposit => vec![project, anchor],
        SettlementKind::EscrowRebate => vec![project],
        SettlementKind::EscrowRefund => vec![project, destination, anchor],
        SettlementKind::DistributionSettled => vec![
            ("user_address", event.user.is_some()),
            ("payout_binding_id", event.payout_binding.is_some()),
            ("distribution_id", event.distribution.is_some()),
            destination,
            anchor,
        ],
        SettlementKind::OperatorPayout => vec![("operator_id", event.operator.is_some()), destination, anchor],
        SettlementKind::PlatformAccrual | SettlementKind::Adjustment => Vec::new(),
    };
    required.into_iter().filter(|(_, held)| !held).map(|(name, _)| name).collect()
}

/// What a payment is for, or by: at most one settlement has it.
enum Unique<'a> {
    Hash(Cow<'a, str>),
    Share { distribution: &'a str, user: &'a str, binding: &'a str },
}

impl Unique<'_> {
    fn subject(&self) -> Subject {
        match self {
            Self::Hash(hash) => Subject::new("payment_hash", hash),
            Self::Share { distribution, user, binding } => {
                Subject::new("distribution", distribution).and("user", user).and("payout_binding", binding)
            }
        }
    }

    /// The same for the same alone.
    fn key(&self) -> Digest32 {
        match self {
            Self::Hash(hash) => sha256(hash.as_bytes()),
            Self::Share { distribution, user, binding } => {
                let digests = [distribution, user, binding].map(|part| sha256(part.as_bytes()).0);
                sha256(digests.as_flattened())
            }
        }
    }
}

fn unique(event: &SettlementEvent) -> impl Iterator<Item = Unique<'_>> {
    let share = || {
        let (distribution, user) = (event.distribution.as_deref()?, event.user.as_ref()?.as_str());
        let binding = event.payout_binding.as_deref().unwrap_or_default();
        Some(Unique::Share { distribution, user, binding })
    };
    let share = (event.kind == SettlementKind::DistributionSettled).then(share).flatten();
    event.payment_hash.as_deref().map(|hash| Unique::Hash(lower(hash))).into_iter().chain(share)
}

fn lower(hash: &str) -> Cow<'_, str> {
    let is_lower = !hash.bytes().any(|byte| byte.is_ascii_uppercase());
    if is_lower { Cow::Borrowed(hash) } else { Cow::Owned(hash.to_ascii_lowercase()) }
}

/// SET_DUP_PAYOUT: one (distribution, user, binding) or one payment hash under two operation ids.
fn duplicates(posted: &AllPosted) -> Vec<Finding> {
    let mut places: Sorter<Digest32, Vec<u32>> = posted.sorter();
    for (place, settlement) in (0..).zip(posted.values()) {
        unique(&settlement.event).for_each(|unique| places.push(&unique.key(), &vec![place]));
    }
    let mut found = Vec::new();
    places.each_list(|key, places| {
        if places.len() > 1 {
            let settlements = places.iter().filter_map(|place| Some(posted.nth(usize::try_from(*place).ok()?)?.1));
            found.extend(duplicate(key, &settlements.collect::<Vec<_>>()));
        }
    });
    found
}

fn duplicate(key: Digest32, settlements: &[Posted]) -> Option<Finding> {
    let subject = unique(&settlements.first()?.event).find(|unique| unique.key() == key)?.subject();
    let ids: Vec<String> = settlements.iter().map(|settlement| settlement.digest.to_string()).collect();
    let paid = || settlements.iter().map(|settlement| i128::from(settlement.event.amount.get()));
    // One of them was owed; that it was the largest is what can be said for the operator.
    let surplus = paid().sum::<i128>().saturating_sub(paid().max().unwrap_or_default());
    let finding = Finding::new(Code::SetDupPayout, subject)
        .with_values("one settlement", ids.join(", "))
        .with_stake_sats(surplus)
        .with_explanation("One payment was settled under several operation ids.");
    let cited = settlements.iter();
    Some(cited.fold(finding, |finding, settlement| finding.with_evidence(settlement.carrier, "settlement")))
}

/// SET_ORPHAN for deposits, refunds and rebates: a project that no envelope and no config knows.
fn unknown_projects(posted: &AllPosted, earned: &Earned<'_>) -> Vec<Finding> {
    posted
        .values()
        .filter(|settlement| {
            matches!(
                settlement.event.kind,
                SettlementKind::EscrowDeposit | SettlementKind::EscrowRefund | SettlementKind::EscrowRebate
            )
        })
        .filter_map(|settlement| {
            let project = settlement.event.project.as_ref().filter(|project| !earned.projects.contains(project))?;
            let finding =
                settlement.finding(Code::SetOrphan).with_values("a project of an envelope or config", project);
            let finding = finding.with_stake(settlement.event.amount.msat().delta());
            Some(finding.with_explanation("The settlement names a project that no ledger fact knows."))
        })
        .collect()
}
