//! Findings: bad news about the world, as data. A finding becomes a divergence when it enters the report.

use std::collections::BTreeMap;
use std::fmt;

use super::amount::MsatDelta;
use super::code::{Code, Severity, Step};
use super::digest::{Digest32, TaggedHasher};
use super::id::EvidenceId;
use super::time::UnixSeconds;

/// What a finding is about: named members in canonical (sorted) order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Subject(pub BTreeMap<String, String>);

impl Subject {
    /// A subject with one member.
    pub fn new(name: &str, value: impl fmt::Display) -> Self {
        Self::default().and(name, value)
    }

    /// Adds a member.
    #[must_use]
    pub fn and(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.0.insert(name.to_owned(), value.to_string());
        self
    }

    /// The member of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// A piece of evidence that a finding rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct EvidenceRef {
    /// Its content address.
    pub id: EvidenceId,
    /// The part it plays: `carrier`, `first`, `second`, `header`, `settlement` and so on.
    pub role: String,
}

/// Something is wrong with the world. Never an `Err`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What kind of disagreement.
    pub code: Code,
    /// What it is about; with the code it makes the fingerprint.
    pub subject: Subject,
    /// What would have been right; empty when nothing in particular.
    pub expected: String,
    /// What was there.
    pub observed: String,
    /// What it rests on, sorted.
    pub evidence: Vec<EvidenceRef>,
    /// One sentence for people. Any foreign text in it passed through [`super::inert`] at rendering, not here.
    pub explanation: String,
    /// Why it is explained (known gap, inside its window), or `None` when it stands open.
    pub explained_by: Option<String>,
    /// A severity other than the code's own, where the specification says so (for example `SRC_PARSE` in a settlement log).
    pub severity_override: Option<Severity>,
    /// How much money it is about, never negative; `None` when it is about no amount.
    pub at_stake: Option<MsatDelta>,
}

impl Finding {
    /// A finding with its subject; fill in the rest with the `with_` verbs.
    pub fn new(code: Code, subject: Subject) -> Self {
        Self {
            code,
            subject,
            expected: String::new(),
            observed: String::new(),
            evidence: Vec::new(),
            explanation: String::new(),
            explained_by: None,
            severity_override: None,
            at_stake: None,
        }
    }

    /// Says what would have been right and what was there.
    #[must_use]
    pub fn with_values(mut self, expected: impl fmt::Display, observed: impl fmt::Display) -> Self {
        self.expected = expected.to_string();
        self.observed = observed.to_string();
        self
    }

    /// Adds a piece of evidence.
    #[must_use]
    pub fn with_evidence(mut self, id: EvidenceId, role: &str) -> Self {
        self.evidence.push(EvidenceRef { id, role: role.to_owned() });
        self.evidence.sort();
        self.evidence.dedup();
        self
    }

    /// Adds the sentence for people.
    #[must_use]
    pub fn with_explanation(mut self, text: impl Into<String>) -> Self {
        self.explanation = text.into();
        self
    }

    /// Marks it as explained: listed and counted, but not open.
    #[must_use]
    pub fn explained(mut self, by: impl Into<String>) -> Self {
        self.explained_by = Some(by.into());
        self
    }

    /// Raises or lowers the severity where the specification says so.
    #[must_use]
    pub fn with_severity(mut self, severity: Severity) -> Self {
        self.severity_override = Some(severity);
        self
    }

    /// Says how much money it is about, in millisatoshi; of a difference its size.
    #[must_use]
    pub fn with_stake(mut self, msat: MsatDelta) -> Self {
        self.at_stake = Some(MsatDelta(msat.0.saturating_abs()));
        self
    }

    /// As [`Self::with_stake`], in whole satoshi; what no 128 bits hold is as much as they do.
    #[must_use]
    pub fn with_stake_sats(self, sats: impl TryInto<i128>) -> Self {
        self.with_stake(MsatDelta(sats.try_into().unwrap_or(i128::MAX).saturating_mul(1000)))
    }

    /// Turns the finding into a line of the report.
    pub fn into_divergence(self) -> Divergence {
        let fingerprint = Divergence::fingerprint_of(self.code, &self.subject);
        Divergence {
            severity: self.severity_override.unwrap_or_else(|| self.code.severity()),
            state: if self.explained_by.is_some() { State::Explained } else { State::Open },
            step: self.code.step(),
            fingerprint,
            values_sha256: Divergence::values_of(&self.expected, &self.observed),
            code: self.code,
            subject: self.subject,
            expected: self.expected,
            observed: self.observed,
            evidence: self.evidence,
            at_stake: self.at_stake,
            at: None,
            explanation: match self.explained_by {
                Some(by) if self.explanation.is_empty() => by,
                Some(by) => format!("{}; explained: {by}", self.explanation.trim_end_matches('.')),
                None => self.explanation,
            },
        }
    }
}

/// Whether a divergence still needs an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Unexplained.
    Open,
    /// Explained by a known gap, a takedown, or timing inside its window. Listed and counted, never subtracted.
    Explained,
    /// Named by a signed, unexpired acknowledgement.
    Acknowledged,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Open, Self::Explained, Self::Acknowledged];

    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Explained => "explained",
            Self::Acknowledged => "acknowledged",
        }
    }
}

/// A line of the divergence report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Divergence {
    /// What kind of disagreement.
    pub code: Code,
    /// What it is about.
    pub subject: Subject,
    /// How bad.
    pub severity: Severity,
    /// Whether it is open.
    pub state: State,
    /// The runbook step.
    pub step: Step,
    /// What would have been right.
    pub expected: String,
    /// What was there.
    pub observed: String,
    /// What it rests on, sorted.
    pub evidence: Vec<EvidenceRef>,
    /// One sentence for people.
    pub explanation: String,
    /// The same on every machine and run: sha256 of code and canonical subject.
    pub fingerprint: Digest32,
    /// Digest of `expected` and `observed` with users in clear ([`Self::values_of`]); with the fingerprint it is what an
    /// acknowledgement is about.
    pub values_sha256: Digest32,
    /// How much money it is about; `None` when it is about no amount.
    pub at_stake: Option<MsatDelta>,
    /// When the thing happened that it is about, where that is known. Its age at the as-of follows from it.
    pub at: Option<UnixSeconds>,
}

impl Divergence {
    /// `TaggedHasher("reledger/fingerprint/1")` over the code's name, then each subject member's name and value in order.
    pub fn fingerprint_of(code: Code, subject: &Subject) -> Digest32 {
        let mut hasher = TaggedHasher::new("reledger/fingerprint/1");
        hasher.field(code.name().as_bytes());
        for (name, value) in &subject.0 {
            hasher.field(name.as_bytes()).field(value.as_bytes());
        }
        hasher.finish()
    }

    /// True when it is open and at least as bad as the threshold.
    pub fn fails(&self, threshold: Severity) -> bool {
        self.state == State::Open && self.severity >= threshold
    }

    /// `TaggedHasher("reledger/divergence-values/1")` over what was expected and what was observed.
    pub fn values_of(expected: &str, observed: &str) -> Digest32 {
        let mut hasher = TaggedHasher::new("reledger/divergence-values/1");
        hasher.field(expected.as_bytes()).field(observed.as_bytes());
        hasher.finish()
    }

    /// True when it blocks unfreezing writes. What is acknowledged no longer does, and critical can't be acknowledged.
    pub fn blocks(&self) -> bool {
        self.state == State::Open && self.severity >= Severity::Error
    }
}
