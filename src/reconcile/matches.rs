//! Step 4, matching: which leg a settlement belongs to, and where the rules contradict each other or can't tell (TREASURY 2.6).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Code, Digest32, Finding, UnixMicros};
use crate::ledger::rails::{Leg, LegReader, Legs, Partners};
use crate::ledger::{Movement, movement};

use super::audit::Audit;
use super::reconciler::Input;
use super::settlements::{AllPosted, Posted};

/// R7: how far a leg may be from the settlement it is a candidate for. Settlements are signed by the minute after the leg;
/// an hour leaves room for a queue of payouts and for two clocks, and more would make candidates of a whole day's traffic.
const CANDIDATE_SECONDS: i64 = 3_600;

/// Where the rules leave a settlement, beyond what a key says.
#[derive(Debug, Default)]
pub(super) struct Unclear {
    /// MATCH_CONTRADICTION.
    pub(super) contradicted: BTreeSet<Digest32>,
    /// R7 has one candidate, which nobody else wants: named, never taken for matched.
    pub(super) suggested: BTreeSet<Digest32>,
}

pub(super) fn check(input: &Input<'_>, posted: &AllPosted, audit: &mut Audit) -> Unclear {
    let mut unclear = Unclear::default();
    if !input.declared.payment_log && !input.declared.invoices {
        return unclear;
    }
    let legs = &input.ledgers.rails.legs;
    let (mut found, mut keyless, mut reader) = (Vec::new(), Vec::new(), legs.reader());
    for settlement in posted.values() {
        if let Some(finding) = contradiction(&settlement, &mut reader) {
            unclear.contradicted.insert(settlement.digest);
            found.push(finding);
        }
        if is_keyless(&settlement) {
            keyless.push(settlement);
        }
    }
    found.extend(ambiguous(&keyless, legs, &mut unclear.suggested));
    audit.check("settlement.match", posted.len(), found);
    unclear
}

/// MATCH_CONTRADICTION: the operation id leads to one payment, the payment hash or transaction to another.
///
/// Two legs may be two sides of one payment: a client's own entry has an operation id and no hash. They are two payments
/// when the leg of the operation is known by another hash or transaction, or when the gateway itself numbers both.
fn contradiction(settlement: &Posted, legs: &mut LegReader<'_>) -> Option<Finding> {
    let partners = settlement.partners;
    let own = partners.operation?;
    let [by_hash, by_txid] = [partners.hash, partners.txid].map(|number| number.filter(|number| *number != own));
    by_hash.or(by_txid)?;
    let first = legs.leg(own)?;
    let [by_hash, by_txid] = [by_hash, by_txid].map(|number| legs.leg(number?));
    let numbered = |leg: &Leg| {
        let own = settlement.event.operation.as_str();
        first.gateway_operations().contains(own) && !leg.gateway_operations().is_empty()
    };
    let by_hash = by_hash.filter(|leg| !first.hashes().is_empty() || numbered(leg));
    let by_txid = by_txid.filter(|_| !first.txids().is_empty());
    let (second, rule) = by_hash.map(|leg| (leg, "payment hash")).or(by_txid.map(|leg| (leg, "transaction")))?;
    let finding = settlement
        .finding(Code::MatchContradiction)
        .with_values(named(&first), named(&second))
        .with_explanation(format!("The operation id leads to one payment, the {rule} to another."));
    let cited = [(first, "by operation"), (second, "by anchor")];
    let cited = cited.into_iter().filter_map(|(leg, role)| Some((leg.first_evidence()?, role)));
    Some(cited.fold(finding, |finding, (id, role)| finding.with_evidence(id, role)))
}

/// How a leg is called: by its hash, else its transaction, else its operation.
fn named(leg: &Leg) -> String {
    let hash = leg.hashes().first().map(|hash| format!("payment {hash}"));
    let txid = leg.txids().first().map(|txid| format!("transaction {txid}"));
    let operation = leg.operations().first().map(|operation| format!("operation {operation}"));
    hash.or(txid).or(operation).unwrap_or_default()
}

/// MATCH_AMBIGUOUS: rule R7, which accepts a candidate only when it is unique on both sides. Internal movements have no leg.
/// Candidates may be payments of strangers: they are counted, not cited.
fn ambiguous(keyless: &[Posted], legs: &Legs, suggested: &mut BTreeSet<Digest32>) -> Vec<Finding> {
    if keyless.is_empty() {
        return Vec::new();
    }
    let candidates = candidates(keyless, legs);
    let mut wanted: BTreeMap<u32, usize> = BTreeMap::new();
    for leg in candidates.iter().flatten() {
        *wanted.entry(*leg).or_default() += 1;
    }
    let mut found = Vec::new();
    for (settlement, own) in keyless.iter().zip(&candidates) {
        let observed = match own.as_slice() {
            [] => continue,
            [only] if wanted[only] == 1 => {
                suggested.insert(settlement.digest);
                continue;
            }
            [only] => format!("1 payment, candidate of {} settlements", wanted[only]),
            several => format!("{} payments", several.len()),
        };
        found.push(
            settlement
                .finding(Code::MatchAmbiguous)
                .with_values("one payment, candidate of one settlement", observed)
                .with_explanation("No key joins it; amount and time fit more than once, and none is accepted."),
        );
    }
    found
}

/// No operation of a leg, no payment hash, no transaction.
fn is_keyless(settlement: &Posted) -> bool {
    let event = &settlement.event;
    let is_id = |text: &Option<String>| text.as_ref().is_some_and(|text| text.parse::<Digest32>().is_ok());
    movement(event) != Movement::Internal
        && !is_id(&event.payment_hash)
        && !is_id(&event.txid)
        && settlement.partners.operation.is_none()
}

/// R7: legs that no settlement of the set leads to, by exact amount and the same way, for each of these settlements.
fn candidates(keyless: &[Posted], legs: &Legs) -> Vec<Vec<u32>> {
    let mut asked: BTreeMap<(Movement, u64), Vec<usize>> = BTreeMap::new();
    for (at, settlement) in keyless.iter().enumerate() {
        let event = &settlement.event;
        asked.entry((movement(event), event.amount.msat().get())).or_default().push(at);
    }
    let taken: BTreeSet<u32> = legs.all_partners().flat_map(Partners::all).collect();
    let mut candidates = vec![Vec::new(); keyless.len()];
    for (number, leg) in legs.iter().filter(|(number, leg)| !taken.contains(number) && !leg.is_void()) {
        let amounts = leg.amounts_msat();
        for way in leg.ways() {
            let fits = amounts.iter().filter_map(|msat| asked.get(&(way, *msat))).flatten();
            for at in fits.filter(|at| keyless.get(**at).is_some_and(|settlement| is_near(settlement, &leg))) {
                candidates[*at].push(number);
            }
        }
    }
    candidates
}

/// R7: inside the window, and no other project where both name one.
fn is_near(settlement: &Posted, leg: &Leg) -> bool {
    let event = &settlement.event;
    let near = leg.last_at().is_some_and(|at| {
        UnixMicros::from(event.settled_at.plus(-CANDIDATE_SECONDS)) <= at
            && at <= UnixMicros::from(event.settled_at.plus(CANDIDATE_SECONDS))
    });
    let mut projects = leg.records.iter().filter_map(|(_, record)| record.project.as_ref());
    near && event.project.as_ref().is_none_or(|own| projects.all(|project| project == own))
}
