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

    /// What is said about an account that was billed for.
    pub(super) fn about(&mut self, account: &UserKey) -> Vec<Said<'s>> {
        self.0.remove(account).into_iter().flatten().map(Said::of).collect()
    }

    /// What is said about accounts that nobody billed for.
    pub(super) fn rest(self) -> impl Iterator<Item = Said<'s>> {
        self.0.into_values().flatten().map(Said::of)
    }
}

/// One statement beside the billings that it is about, which come one by one.
pub(super) struct Said<'s> {
    signed: Signed,
    statement: &'s ActivityAttestation,
    of_account: Activity<'s>,
    /// The same of billings under the very name of the statement.
    of_name: Activity<'s>,
    has_other_names: bool,
}

impl<'s> Said<'s> {
    fn of((signed, statement): &'s (Signed, ActivityAttestation)) -> Self {
        let (of_account, of_name) = Default::default();
        Self { signed: *signed, statement, of_account, of_name, has_other_names: false }
    }

    pub(super) fn note(&mut self, billing: &Billing<'s>) {
        let is_own = billing.user == self.statement.user.as_str();
        self.has_other_names |= !is_own;
        if billing.at > self.statement.computed_at {
            return;
        }
        self.of_account.note(billing);
        if is_own {
            self.of_name.note(billing);
        }
    }

    /// What differs under both readings: nothing says whether a person's other names are counted in.
    fn differences(&self) -> Vec<(&'static str, String, String)> {
        let of_account = compare(self.statement, &self.of_account);
        if of_account.is_empty() || !self.has_other_names {
            return of_account;
        }
        compare(self.statement, &self.of_name)
    }

    /// The finding, when all of them were noted.
    pub(super) fn mismatch(self) -> Option<Finding> {
        let (mut expected, mut observed) = (Vec::new(), Vec::new());
        for (name, said, rebuilt) in self.differences() {
            expected.push(format!("{name}={rebuilt}"));
            observed.push(format!("{name}={said}"));
        }
        (!observed.is_empty()).then(|| {
            Finding::new(
                Code::ActivityMismatch,
                Subject::new("envelope", self.signed.id).and("user", &self.statement.user),
            )
            .with_values(expected.join(", "), observed.join(", "))
            .with_evidence(self.signed.carrier, "carrier")
            .with_explanation("The signed activity attestation contradicts the ledger rebuilt as of its time.")
        })
    }
}

/// What billings come to, as statements sum them up.
#[derive(Default)]
struct Activity<'n> {
    events: u64,
    human: u64,
    lifetime: u128,
    /// Projects, and sites of events without one.
    integrators: BTreeSet<(u8, &'n str)>,
    oldest: Option<UnixMicros>,
    days: BTreeSet<(i64, u8, u8)>,
}

impl<'n> Activity<'n> {
    fn note(&mut self, billing: &Billing<'n>) {
        self.events += 1;
        self.human += u64::from(!billing.is_agent);
        self.lifetime += u128::from(billing.sats);
        // An event without a project is attributed to its site.
        self.integrators.insert(billing.project.map_or((1, billing.site), |project| (0, project)));
        self.days.insert(billing.at.seconds().civil_date());
        self.oldest = Some(self.oldest.map_or(billing.at, |oldest| oldest.min(billing.at)));
    }
}

/// Names what differs: (member, said, rebuilt).
fn compare(said: &ActivityAttestation, rebuilt: &Activity<'_>) -> Vec<(&'static str, String, String)> {
    let time = |at: Option<UnixMicros>| at.map_or_else(|| "null".to_owned(), |at| at.seconds().to_string());
    let mut rows: Vec<(&'static str, String, String)> = [
        ("event_count", u128::from(said.event_count), u128::from(rebuilt.events)),
        ("human_event_count", u128::from(said.human_event_count), u128::from(rebuilt.human)),
        ("lifetime_sats", u128::from(said.lifetime.get()), rebuilt.lifetime),
        ("distinct_integrator_count", u128::from(said.distinct_integrator_count), rebuilt.integrators.len() as u128),
        ("active_days", u128::from(said.active_days), rebuilt.days.len() as u128),
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
