//! Step 4, custody as seen from outside: the ledger against a balance that somebody observed, and against what guardians say
//! that their federation owes (TREASURY 1.9, 6.1).

use crate::domain::{Code, FederationAudit, FederationSlug, Finding, MsatDelta, Subject, UnixSeconds};

use super::audit::Audit;
use super::reconciler::Input;

pub(super) fn check(input: &Input<'_>, audit: &mut Audit) {
    let (observed, audits) = (&input.policy.observed, &input.policy.audits);
    let items = observed.values().map(Vec::len).sum::<usize>() + audits.values().map(Vec::len).sum::<usize>();
    if items == 0 {
        return;
    }
    if !input.declared.settlements {
        audit.not_possible("treasury.custody", "settlements are not declared", items, true);
        return;
    }
    let mut found = Vec::new();
    let mut compared = 0;
    for (federation, observations) in observed {
        let seen: Vec<_> = observations.iter().filter(|seen| seen.at <= input.as_of.time).collect();
        let custody = |at| custody_at(input, federation, at);
        compared += seen.len();
        found.extend(
            seen.iter().filter_map(|seen| drift(federation, seen.at, seen.msat.get().into(), custody(seen.at))),
        );
    }
    for (federation, audits) in audits {
        let said: Vec<_> = audits.iter().filter(|said| said.at <= input.as_of.time).collect();
        compared += said.len();
        found.extend(said.iter().flat_map(|said| backing(federation, said, custody_at(input, federation, said.at))));
        let pairs = said.iter().zip(said.iter().skip(1));
        found.extend(pairs.filter_map(|(one, other)| disagreement(federation, one, other)));
    }
    if compared < items {
        audit.not_possible("treasury.custody", "it was observed after the as-of", items - compared, true);
    }
    audit.check("treasury.custody", compared, found);
}

/// The ledger's custody and open positions at that instant: what happened in that second counts.
fn custody_at(input: &Input<'_>, federation: &FederationSlug, at: UnixSeconds) -> i128 {
    let held = input.ledgers.treasury.holdings.get(federation);
    held.and_then(|held| held.seen.get(&at)).copied().unwrap_or_default()
}

fn subject(federation: &FederationSlug, at: UnixSeconds) -> Subject {
    Subject::new("federation", federation).and("at", at.0)
}

/// CUSTODY_DRIFT in either direction: a surplus is nobody's gift.
fn drift(federation: &FederationSlug, at: UnixSeconds, seen: i128, custody: i128) -> Option<Finding> {
    let difference = seen.saturating_sub(custody);
    (difference != 0).then(|| {
        let kind = if difference < 0 { "shortage" } else { "surplus" };
        Finding::new(Code::CustodyDrift, subject(federation, at))
            .with_values(format!("{custody} msat by the ledger"), format!("{seen} msat, {difference:+}"))
            .with_stake(MsatDelta(difference))
            .with_explanation(format!("The observed balance and open positions show a {kind} against the ledger."))
    })
}

/// CUSTODY_DRIFT: a federation that has less than it owes, or owes all its holders less than the ledger says it holds for these.
/// That it owes more says nothing: it serves others too.
fn backing(federation: &FederationSlug, said: &FederationAudit, custody: i128) -> Vec<Finding> {
    let mut found = Vec::new();
    let finding = |member: &str| Finding::new(Code::CustodyDrift, subject(federation, said.at).and("audit", member));
    if said.net_assets < 0 {
        found.push(
            finding("net_assets")
                .with_values("at least 0 msat", format!("{} msat", said.net_assets))
                .with_stake(MsatDelta(said.net_assets.into()))
                .with_explanation("The federation has less than it owes."),
        );
    }
    let owed: i128 =
        said.modules.values().map(|net| i128::from(*net)).filter(|net| *net < 0).sum::<i128>().saturating_neg();
    if !said.modules.is_empty() && owed < custody {
        found.push(
            finding("owed")
                .with_values(format!("at least {custody} msat by the ledger"), format!("{owed} msat"))
                .with_stake(MsatDelta(custody.saturating_sub(owed)))
                .with_explanation("The federation owes all its holders less than the ledger holds with it."),
        );
    }
    found
}

/// CUSTODY_DRIFT: two guardians of one federation, one instant, two answers.
fn disagreement(federation: &FederationSlug, one: &FederationAudit, other: &FederationAudit) -> Option<Finding> {
    (one.at == other.at && one != other).then(|| {
        Finding::new(Code::CustodyDrift, subject(federation, one.at).and("audit", "guardians"))
            .with_values(format!("{} msat", one.net_assets), format!("{} msat", other.net_assets))
            .with_explanation("Guardians of one federation say different things of one instant.")
    })
}
