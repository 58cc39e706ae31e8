//! ACTIVITY_MISMATCH: a signed statement about the ledger against the ledger (FORMATS 3.8).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Code, Finding, Subject, UnixMicros, UserKey};
use crate::evidence::ActivityAttestation;
use crate::ledger::scope::Scope;

use super::accounts::Billing;
use super::survey::{Signed, Survey};

/// Statements by the account that they are about.
pub(super) struct Statements<'s>(BTreeMap<&'s UserKey, Vec<&'s (Signed, ActivityAttestation)>>);

impl<'s> Statements<'s> {
    pub(super) fn of(scope: Scope<'s>, survey: &'s Survey) -> Self {
        let mut statements: BTreeMap<&UserKey, Vec<_>> = BTreeMap::new();
        for statement in &survey.activities {
            statements.entry(scope.people.account_of(&statement.1.user)).or_default().push(statement);
        }
        Self(statements)
    }

    /// Checks what is said about an account with these billings.
    pub(super) fn check(&mut self, account: &UserKey, billings: &[Billing<'_>], findings: &mut Vec<Finding>) {
        let said = self.0.remove(account).into_iter().flatten();
        findings.extend(said.filter_map(|(signed, said)| mismatch(*signed, said, billings)));
    }

    /// Checks what is said about accounts that nobody billed for.
    pub(super) fn check_rest(self, findings: &mut Vec<Finding>) {
        findings.extend(self.0.into_values().flatten().filter_map(|(signed, said)| mismatch(*signed, said, &[])));
    }
}

fn mismatch(signed: Signed, said: &ActivityAttestation, billings: &[Billing<'_>]) -> Option<Finding> {
    let (mut expected, mut observed) = (Vec::new(), Vec::new());
    for (name, said, rebuilt) in differences(said, billings) {
        expected.push(format!("{name}={rebuilt}"));
        observed.push(format!("{name}={said}"));
    }
    (!observed.is_empty()).then(|| {
        Finding::new(Code::ActivityMismatch, Subject::new("envelope", signed.id).and("user", &said.user))
            .with_values(expected.join(", "), observed.join(", "))
            .with_evidence(signed.carrier, "carrier")
            .with_explanation("The signed activity attestation contradicts the ledger rebuilt as of its time.")
    })
}

/// What differs under both readings: nothing says whether a person's other names are counted in.
fn differences(said: &ActivityAttestation, billings: &[Billing<'_>]) -> Vec<(&'static str, String, String)> {
    let of_account = compare(said, &recompute(billings, said.computed_at));
    let own: Vec<Billing<'_>> = billings.iter().filter(|billing| billing.user == said.user.as_str()).copied().collect();
    if of_account.is_empty() || own.len() == billings.len() {
        return of_account;
    }
    compare(said, &recompute(&own, said.computed_at))
}

#[derive(Default)]
struct Activity {
    events: u64,
    human: u64,
    lifetime: u128,
    integrators: u64,
    oldest: Option<UnixMicros>,
    days: u64,
}

fn recompute(events: &[Billing<'_>], as_of: UnixMicros) -> Activity {
    let mut activity = Activity::default();
    let (mut integrators, mut days) = (BTreeSet::new(), BTreeSet::new());
    for event in events.iter().filter(|event| event.at <= as_of) {
        activity.events += 1;
        activity.human += u64::from(!event.is_agent);
        activity.lifetime += u128::from(event.sats);
        // An event without a project is attributed to its site.
        integrators.insert(event.project.map_or((1, event.site), |project| (0, project)));
        days.insert(event.at.seconds().civil_date());
        activity.oldest = Some(activity.oldest.map_or(event.at, |oldest| oldest.min(event.at)));
        activity.integrators = u64::try_from(integrators.len()).unwrap_or(u64::MAX);
        activity.days = u64::try_from(days.len()).unwrap_or(u64::MAX);
    }
    activity
}

/// Names what differs: (member, said, rebuilt).
fn compare(said: &ActivityAttestation, rebuilt: &Activity) -> Vec<(&'static str, String, String)> {
    let time = |at: Option<UnixMicros>| at.map_or_else(|| "null".to_owned(), |at| at.seconds().to_string());
    let mut rows: Vec<(&'static str, String, String)> = [
        ("event_count", u128::from(said.event_count), u128::from(rebuilt.events)),
        ("human_event_count", u128::from(said.human_event_count), u128::from(rebuilt.human)),
        ("lifetime_sats", u128::from(said.lifetime.get()), rebuilt.lifetime),
        ("distinct_integrator_count", u128::from(said.distinct_integrator_count), u128::from(rebuilt.integrators)),
        ("active_days", u128::from(said.active_days), u128::from(rebuilt.days)),
    ]
    .into_iter()
    .filter(|(_, said, rebuilt)| said != rebuilt)
    .map(|(name, said, rebuilt)| (name, said.to_string(), rebuilt.to_string()))
    .collect();
    if said.oldest_event_at != rebuilt.oldest {
        rows.push(("oldest_event_at", time(said.oldest_event_at), time(rebuilt.oldest)));
    }
    rows
}
