//! One line of `divergences`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::DocumentError;
use super::number::Integer;
use crate::domain::{Code, Digest32, Divergence, EvidenceRef, MsatDelta, Severity, State, Subject, UnixSeconds};

/// As it stands in the report. What later versions added may be missing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    #[serde(default)]
    at: Option<i64>,
    #[serde(default)]
    at_stake_msat: Option<Integer>,
    blocks: bool,
    code: String,
    evidence: Vec<EvidenceRef>,
    expected: String,
    explanation: String,
    fingerprint: String,
    observed: String,
    severity: String,
    state: String,
    step: u8,
    subject: BTreeMap<String, String>,
    #[serde(default)]
    values_sha256: Option<String>,
}

/// A member of a line that says what no line of this version says.
pub(super) struct BadLine(&'static str, String);

impl BadLine {
    /// With its place among the divergences.
    pub(super) fn at(self, place: u64) -> DocumentError {
        let member = format!("divergences/{place}/{}", self.0);
        match self.0 {
            // A later version knows more codes.
            "code" => DocumentError::Foreign { member, what: self.1 },
            _ => DocumentError::Damaged { member, what: self.1 },
        }
    }
}

/// A line of `divergences` by itself, taken for what it is; nothing when it says what no line of this version says.
pub fn divergence_of(value: &serde_json::Value) -> Option<Divergence> {
    Line::deserialize(value).ok()?.divergence().ok()
}

impl Line {
    /// The divergence, its words taken for what they are.
    pub(super) fn divergence(self) -> Result<Divergence, BadLine> {
        let word = |name: &'static str, text: &str| {
            BadLine(name, format!("is `{}`, which this version does not know", crate::domain::inert_limited(text, 40)))
        };
        let code: Code = self.code.parse().map_err(|()| word("code", &self.code))?;
        let severity = Severity::ALL.into_iter().find(|one| one.name() == self.severity);
        let state = State::ALL.into_iter().find(|one| one.name() == self.state);
        let digest = |name: &'static str, text: &str| text.parse().map_err(|_| word(name, text));
        let divergence = Divergence {
            severity: severity.ok_or_else(|| word("severity", &self.severity))?,
            state: state.ok_or_else(|| word("state", &self.state))?,
            step: code.step(),
            code,
            fingerprint: digest("fingerprint", &self.fingerprint)?,
            values_sha256: self.values_sha256.map_or(Ok(Digest32::default()), |text| digest("values_sha256", &text))?,
            subject: Subject(self.subject),
            expected: self.expected,
            observed: self.observed,
            evidence: self.evidence,
            explanation: self.explanation,
            at_stake: self.at_stake_msat.map(|stake| MsatDelta(stake.0)),
            at: self.at.map(UnixSeconds),
        };
        if divergence.step.number() != self.step {
            return Err(BadLine("step", format!("is {}, and its code belongs to another step", self.step)));
        }
        if divergence.blocks() != self.blocks {
            return Err(BadLine("blocks", "contradicts severity and state".to_owned()));
        }
        Ok(divergence)
    }
}
