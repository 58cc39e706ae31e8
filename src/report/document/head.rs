//! Everything of a report but its divergences, as CONTRACT 5 and `docs/report-schema.md` name it. Amounts are satoshi unless a
//! name says millisatoshi. What came with a later version is empty in an earlier report.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::DocumentError;
use super::number::Integer;
use crate::domain::{Counts, Digest32, LostStore, UnixSeconds, inert_limited};

/// The members of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "named and described by docs/report-schema.md")]
pub struct Head {
    pub tool: Tool,
    pub as_of: AsOfMember,
    pub inputs: InputsMember,
    pub verdict: Verdict,
    pub population: BTreeMap<String, Counts>,
    pub coverage: Vec<CoverageRow>,
    pub coverage_by_month: Vec<MonthRow>,
    pub custody: Option<Custody>,
    pub gaps: Vec<GapRow>,
    pub reconstructible: ReconstructibleMember,
    pub ledgers: BTreeMap<String, Ledger>,
    pub state_root: Digest32,
    pub matching: BTreeMap<String, BTreeMap<String, MatchedMember>>,
    pub balances: BalancesMember,
    pub recovery: RecoveryMember,
    pub acknowledgements: Vec<Acknowledged>,
    pub summary: Summary,
    pub runbook: Option<RunbookMember>,
    pub checks: Vec<CheckMember>,
    pub unverifiable: Vec<UnverifiableMember>,
    pub queues: Queues,
    pub not_rebuilt: Vec<LostStore>,
    pub does_not_prove: Vec<String>,
}

macro_rules! members {
    ($($(#[$about:meta])* $name:ident { $($(#[$how:meta])* $member:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(missing_docs, reason = "named and described by docs/report-schema.md")]
        pub struct $name { $($(#[$how])* pub $member: $type),* }
    )*};
}

members! {
    /// `tool`.
    Tool { name: String, version: String }
    /// `as_of`.
    AsOfMember { time: UnixSeconds, tip: Option<Tip> }
    /// `as_of.tip`.
    Tip { height: u32, hash: String }
    /// `inputs`.
    InputsMember {
        evidence_root: Digest32, config_sha256: Digest32, policy_sha256: Digest32, profile: String, fail_on: String,
        users_revealed: bool,
    }
    /// `verdict`.
    Verdict { outcome: String, exit_code: u8, conditions: Vec<String>, sentence: String }
    /// A line of `coverage`.
    CoverageRow {
        source: String, kind: String, from: Option<UnixSeconds>, until: Option<UnixSeconds>, basis: String, complete: bool,
        events: u64, missing_here: u64, retries: u64, reason: String,
    }
    /// A line of `coverage_by_month`.
    MonthRow {
        source: String, kind: u16, month: String, from: Option<UnixSeconds>, until: Option<UnixSeconds>, events: u64,
        missing_here: u64, in_gaps: u64, taken_down: u64, basis: String, complete: bool, open: bool,
    }
    /// `custody`.
    Custody {
        changes: u64, latest: Vec<CustodyChangeMember>, months: BTreeMap<String, BTreeMap<String, u64>>,
        states: BTreeMap<String, u64>,
    }
    /// A line of `custody.latest`.
    CustodyChangeMember {
        at: UnixSeconds, id: Digest32, user: String, change: String, from: String, to: String, counts: bool,
        anchor_height: Option<u32>,
    }
    /// A line of `gaps`.
    GapRow {
        source: String, from: UnixSeconds, until: UnixSeconds, reason: String, cite: String, expires: UnixSeconds,
        state: String, missing: u64,
    }
    /// `reconstructible`.
    ReconstructibleMember { with_operator: u64, without_operator: u64, share_without_operator: Share }
    /// A ratio.
    Share { num: u64, den: u64 }
    /// A member of `ledgers`.
    Ledger {
        root: Digest32, entries: u64, totals: BTreeMap<String, Integer>,
        #[serde(default)] trial_balance: BTreeMap<String, Integer>,
    }
    /// A member of `matching`'s members.
    MatchedMember { settlements: u64, sats: Integer }
    /// `balances`.
    BalancesMember {
        users: u64, root: Option<Digest32>, sum_sats: Integer,
        #[serde(default)] negative_users: u64,
        #[serde(default)] negative_sats: Integer,
        #[serde(default)] excluded_sats: Integer,
        #[serde(default)] excluded_users: u64,
        sample: SampleMember,
    }
    /// `balances.sample`.
    SampleMember {
        size: u64, seed: String, compared: u64, equal: u64, different: u64,
        #[serde(default)] population: Option<u64>,
        #[serde(default)] users: Option<u64>,
        #[serde(default)] sampling: Option<String>,
        #[serde(default)] seed_from: Option<Value>,
        #[serde(default)] detection: Vec<Value>,
    }
    /// `recovery`.
    RecoveryMember {
        rpo_claimed_seconds: Option<u64>, rpo_provable_seconds: Option<u64>, newest_envelope_time: Option<UnixSeconds>,
        newest_anchor_time: Option<UnixSeconds>,
    }
    /// A line of `acknowledgements`.
    Acknowledged {
        id: Digest32, key_id: String, state: String, reason: String, by: String, issued_at: UnixSeconds, kind: String,
        #[serde(default)] fingerprint: Option<Digest32>,
        #[serde(default)] code: Option<String>,
        #[serde(default)] expires_at: Option<UnixSeconds>,
        #[serde(default)] acknowledgement: Option<Digest32>,
    }
    /// `summary`.
    Summary {
        by_code: BTreeMap<String, u64>, explained: u64, unexplained: u64, by_age: BTreeMap<String, u64>,
        #[serde(default)] acknowledged: u64,
        #[serde(default)] by_code_sats: BTreeMap<String, Integer>,
        #[serde(default)] by_age_sats: BTreeMap<String, Integer>,
        #[serde(default)] by_project: BTreeMap<String, ByProject>,
    }
    /// A member of `summary.by_project`.
    ByProject { by_age: BTreeMap<String, u64>, by_age_sats: BTreeMap<String, Integer> }
    /// `runbook`.
    RunbookMember { ready_to_unfreeze: bool, reasons: Vec<String>, steps: Vec<StepMember> }
    /// A line of `runbook.steps`.
    StepMember {
        step: u8, name: String, verdict: String, reason: String, checks: StepChecks, items: u64, disagreed: u64,
        blocking: BTreeMap<String, u64>, acknowledged: u64, unverifiable: StepUnverifiable, undeclared: u64,
    }
    /// `checks` of a step.
    StepChecks { ran: u64, owed: u64 }
    /// `unverifiable` of a step.
    StepUnverifiable { checks: Vec<String>, items: u64 }
    /// A line of `checks`.
    CheckMember {
        check: String, items: u64, disagreed: u64,
        #[serde(default)] codes: Option<Vec<String>>,
    }
    /// A line of `unverifiable`.
    UnverifiableMember { check: String, reason: String, items: u64, declared: bool }
    /// `queues`.
    Queues { needs_anchor: u64, needs_review: u64 }
}

impl Head {
    /// The members of a report of that schema, every one of them known.
    pub(super) fn of(mut members: BTreeMap<String, Value>, schema: &str) -> Result<Self, DocumentError> {
        let said = members.remove("schema").unwrap_or_default();
        if said != schema {
            return Err(foreign("schema", format!("is {}, and this version renders {schema}", shown(&said))));
        }
        let tool: Tool = need(&mut members, "tool")?;
        if tool.name != env!("CARGO_PKG_NAME") {
            return Err(foreign("tool", format!("names another program: {}", inert_limited(&tool.name, 40))));
        }
        if members.remove("divergences").is_none() {
            return Err(missing("divergences"));
        }
        let head = Self {
            as_of: need(&mut members, "as_of")?,
            inputs: need(&mut members, "inputs")?,
            verdict: need(&mut members, "verdict")?,
            population: need(&mut members, "population")?,
            coverage: need(&mut members, "coverage")?,
            coverage_by_month: later(&mut members, "coverage_by_month")?,
            custody: later(&mut members, "custody")?,
            gaps: later(&mut members, "gaps")?,
            reconstructible: need(&mut members, "reconstructible")?,
            ledgers: need(&mut members, "ledgers")?,
            state_root: need(&mut members, "state_root")?,
            matching: later(&mut members, "matching")?,
            balances: need(&mut members, "balances")?,
            recovery: need(&mut members, "recovery")?,
            acknowledgements: later(&mut members, "acknowledgements")?,
            summary: need(&mut members, "summary")?,
            runbook: later(&mut members, "runbook")?,
            checks: need(&mut members, "checks")?,
            unverifiable: need(&mut members, "unverifiable")?,
            queues: need(&mut members, "queues")?,
            not_rebuilt: later(&mut members, "not_rebuilt")?,
            does_not_prove: need(&mut members, "does_not_prove")?,
            tool,
        };
        match members.keys().next() {
            // A page that leaves out what it does not know would look whole.
            Some(name) => {
                let version = inert_limited(&head.tool.version, 20);
                Err(foreign(name, format!("is not known to this version; reledger {version} wrote it")))
            }
            None => Ok(head),
        }
    }
}

fn foreign(member: &str, what: String) -> DocumentError {
    DocumentError::Foreign { member: inert_limited(member, 60), what }
}

fn missing(member: &str) -> DocumentError {
    DocumentError::Damaged { member: member.to_owned(), what: "is missing".to_owned() }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "missing".to_owned(),
        other => inert_limited(&other.to_string(), 60),
    }
}

fn need<T: DeserializeOwned>(members: &mut BTreeMap<String, Value>, name: &str) -> Result<T, DocumentError> {
    typed(name, members.remove(name).ok_or_else(|| missing(name))?)
}

/// A member that came with a later version.
fn later<T: DeserializeOwned + Default>(members: &mut BTreeMap<String, Value>, name: &str) -> Result<T, DocumentError> {
    members.remove(name).map_or_else(|| Ok(T::default()), |value| typed(name, value))
}

fn typed<T: DeserializeOwned>(name: &str, value: Value) -> Result<T, DocumentError> {
    serde_json::from_value(value).map_err(|error| DocumentError::Damaged {
        member: name.to_owned(),
        what: inert_limited(&error.to_string(), 160),
    })
}
