//! The divergences of a run's report, and what may be signed about them.

use std::path::Path;

use serde_json::Value;

use super::error::AppError;
use super::finished::FinishedRun;
use super::plan::config_error;
use crate::domain::{
    ACKNOWLEDGEMENT_SECONDS_MAX, Acknowledgement, Code, Digest32, Divergence, Severity, State, UnixSeconds,
    inert_limited,
};
use crate::report::divergence_of;

/// One line of a report's `divergences`.
#[derive(Debug, Clone)]
pub struct ReportedDivergence {
    /// As read. Users in its texts are pseudonyms, unless the report reveals them.
    pub divergence: Divergence,
    /// Digest of its values, users in clear; `None` in a report of an earlier version.
    pub values_sha256: Option<Digest32>,
    /// As it stands in the report.
    pub value: Value,
}

impl ReportedDivergence {
    fn of(value: &Value) -> Option<Self> {
        let values_sha256 = value["values_sha256"].as_str().and_then(|text| text.parse().ok());
        Some(Self { divergence: divergence_of(value)?, values_sha256, value: value.clone() })
    }
}

/// Which divergences are asked for.
#[derive(Debug, Clone, Default)]
pub struct DivergenceFilter {
    /// Only these.
    pub state: Option<State>,
    /// Only this code.
    pub code: Option<Code>,
    /// At least so bad.
    pub severity: Option<Severity>,
    /// Only of this runbook step.
    pub step: Option<u8>,
    /// Only those that block unfreezing writes.
    pub blocking: bool,
}

impl DivergenceFilter {
    /// True for one that is asked for.
    pub fn takes(&self, one: &Divergence) -> bool {
        self.state.is_none_or(|state| one.state == state)
            && self.code.is_none_or(|code| one.code == code)
            && self.severity.is_none_or(|severity| one.severity >= severity)
            && self.step.is_none_or(|step| one.step.number() == step)
            && (!self.blocking || one.blocks())
    }
}

/// What a finished run's report says of divergences.
#[derive(Debug)]
pub struct ReportedRun {
    /// In the report's order.
    pub divergences: Vec<ReportedDivergence>,
    /// The instant judged for.
    pub as_of: UnixSeconds,
    report: Value,
}

impl ReportedRun {
    /// Reads the report in `root`. It is taken at its word: `reledger audit` says whether it follows from the evidence.
    ///
    /// # Errors
    /// As [`FinishedRun::read`]; [`AppError::Untrusted`] when its divergences can't be read.
    pub fn read(root: &Path) -> Result<Self, AppError> {
        let untrusted = |what: &str| AppError::Untrusted { what: format!("checksum_error: report.json {what}") };
        let report = FinishedRun::read(root)?.into_report();
        let lines = report["divergences"].as_array().ok_or_else(|| untrusted("lists no divergences"))?;
        let divergences: Option<Vec<_>> = lines.iter().map(ReportedDivergence::of).collect();
        let divergences = divergences.ok_or_else(|| untrusted("has a divergence that can't be read"))?;
        let as_of = report["as_of"]["time"].as_i64().map(UnixSeconds).ok_or_else(|| untrusted("has no as-of"))?;
        Ok(Self { divergences, as_of, report })
    }

    /// The one divergence whose fingerprint begins so.
    ///
    /// # Errors
    /// [`AppError::Config`] for fewer than 8 digits, and when none or several begin so.
    pub fn find(&self, prefix: &str) -> Result<&ReportedDivergence, AppError> {
        let shown = inert_limited(prefix, 64);
        if prefix.len() < super::ID_DIGITS_MIN {
            let hint = format!("give at least {} of its digits", super::ID_DIGITS_MIN);
            return Err(config_error(format!("`{shown}` is too little of a fingerprint"), &hint));
        }
        let prefix = prefix.to_ascii_lowercase();
        let begins = |one: &&ReportedDivergence| one.divergence.fingerprint.to_hex().starts_with(&prefix);
        let mut found = self.divergences.iter().filter(begins);
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(config_error(
                format!("no divergence of this run has the fingerprint `{shown}`"),
                "`reledger divergences list` has their fingerprints; name the run's folder with --run",
            )),
            (Some(_), Some(_)) => {
                Err(config_error(format!("several fingerprints begin with `{shown}`"), "give more digits"))
            }
        }
    }

    /// The report's lines about acknowledgements of that divergence.
    pub fn acknowledgements_of(&self, fingerprint: &Digest32) -> Vec<&Value> {
        let lines = self.report["acknowledgements"].as_array().into_iter().flatten();
        let fingerprint = fingerprint.to_hex();
        lines.filter(|line| line["fingerprint"] == fingerprint.as_str()).collect()
    }
}

/// What somebody wants to sign.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// The signer's clock.
    pub issued_at: UnixSeconds,
    /// The end.
    pub expires_at: UnixSeconds,
}

impl Draft {
    /// The acknowledgement of that divergence, when it would count in this run.
    ///
    /// # Errors
    /// [`AppError::Refused`] for what can't be accepted; [`AppError::Config`] for a reason or an expiry that none may have.
    pub fn about(&self, one: &ReportedDivergence, as_of: UnixSeconds) -> Result<Acknowledgement, AppError> {
        self.checked(as_of)?;
        let divergence = &one.divergence;
        let name = format!("{} {}", divergence.code, divergence.fingerprint);
        let refused = |why: &str, hint: &str| {
            Err(AppError::Refused { what: format!("{name} can't be acknowledged: {why}"), hint: hint.to_owned() })
        };
        if divergence.code.is_about_balances() {
            return refused("balances that differ block until they agree", "correct the balances, then judge again");
        }
        if divergence.severity == Severity::Critical {
            return refused("what is critical always blocks", "resolve it, then judge again");
        }
        if divergence.state == State::Explained {
            return refused("it is explained and blocks nothing", "there is nothing to accept");
        }
        let Some(values_sha256) = one.values_sha256 else {
            return refused("the report is of an earlier version", "`reledger rebuild --yes` writes it anew");
        };
        Ok(Acknowledgement {
            fingerprint: divergence.fingerprint,
            code: divergence.code,
            severity: divergence.severity,
            values_sha256,
            reason: self.reason.clone(),
            by: self.by.clone(),
            issued_at: self.issued_at,
            expires_at: self.expires_at,
        })
    }

    fn checked(&self, as_of: UnixSeconds) -> Result<(), AppError> {
        if self.reason.trim().is_empty() {
            return Err(config_error("--reason is empty".to_owned(), "say why the divergence is accepted"));
        }
        if self.expires_at <= as_of {
            let what = format!("--expires {} is not after the as-of of the run, {as_of}", self.expires_at);
            return Err(config_error(what, "it would count for nothing; give a later time"));
        }
        let last = as_of.min(self.issued_at).plus(ACKNOWLEDGEMENT_SECONDS_MAX);
        if self.expires_at > last {
            let what = format!("--expires {} is more than 366 days ahead of the as-of or of today", self.expires_at);
            return Err(config_error(what, &format!("give {last} or earlier, and renew it then")));
        }
        Ok(())
    }
}
