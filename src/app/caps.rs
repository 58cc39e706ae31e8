//! `reledger caps`: the published abuse limits over the ledger of a run, in either reading of a day and a month.

use std::path::Path;

use super::AsOfWanted;
use super::coverage::Survey;
use super::error::AppError;
use super::judged_by::JudgedBy;
use super::observer::{Cancel, Observer};
use crate::domain::{CapWindow, Caps, Code, Digest32, Severity, UnixSeconds};
use crate::evidence::OcMeKind;
use crate::ledger::{CapReading, EnvelopeLedger, Exclusion, Standing};

/// Drop windows against their longest published length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DropWindows {
    /// Windows with a counted member.
    pub looked_at: u64,
    /// Those that are too long.
    pub breaches: u64,
}

/// Billable events of a run: no limit is asked about those that do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CapEvents {
    /// Those in the ledger's sums.
    pub counted: u64,
    /// Excluded: claimed after the as-of.
    pub after_as_of: u64,
    /// Excluded: under a leaked key and not proven older than the leak.
    pub key_compromised: u64,
}

impl CapEvents {
    fn of(ledger: &EnvelopeLedger) -> Self {
        let mut events = Self::default();
        for entry in ledger.listed().filter(|entry| entry.kind == OcMeKind::Event) {
            let count = match entry.standing {
                Standing::Counted => &mut events.counted,
                Standing::Excluded(Exclusion::AfterAsOf) => &mut events.after_as_of,
                Standing::Excluded(Exclusion::KeyCompromised) => &mut events.key_compromised,
            };
            *count += 1;
        }
        events
    }
}

/// What the limits come to in a run.
#[derive(Debug, Clone)]
pub struct CapTable {
    /// The instant of the ledger.
    pub as_of: UnixSeconds,
    /// The evidence looked at.
    pub evidence_root: Digest32,
    /// The limits, counted as asked for.
    pub caps: Caps,
    /// Events that count, and those that do not, by reason.
    pub events: CapEvents,
    /// Users against them.
    pub reading: CapReading,
    /// Windows against them.
    pub windows: DropWindows,
}

impl CapTable {
    /// True when a limit is exceeded whose code is at least this bad.
    pub fn fails(&self, threshold: Severity) -> bool {
        let is_bad = |code: Code| code.severity() >= threshold;
        self.reading.breaches.iter().any(|breach| is_bad(breach.cap.code()))
            || self.windows.breaches > 0 && is_bad(Code::DropWindow)
    }
}

/// Reads the limits of the run in `root`; `window` is another reading than the policy's. Changes nothing.
///
/// # Errors
/// As [`super::coverage_of_run`].
pub fn caps_of_run(
    root: &Path,
    by: &JudgedBy,
    window: Option<CapWindow>,
    how: (Option<AsOfWanted>, UnixSeconds, usize),
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<CapTable, AppError> {
    let survey = Survey::of(root, by.wanted(), how, observer, cancel)?;
    let caps = Caps { window: window.unwrap_or(survey.policy.caps.window), ..survey.policy.caps.clone() };
    let ledgers = &survey.ledgers;
    let windows = ledgers.envelope.windows.values().filter(|window| window.first.is_some());
    let is_too_long = |code: Code, rule: Option<&str>| code == Code::DropWindow && rule == Some("length");
    let too_long = ledgers.findings.iter().filter(|found| is_too_long(found.code, found.subject.get("rule")));
    let reading = ledgers.envelope.read_caps(&caps, &ledgers.people);
    survey.set.check()?;
    Ok(CapTable {
        as_of: survey.as_of.time,
        evidence_root: survey.evidence_root,
        events: CapEvents::of(&ledgers.envelope),
        reading,
        windows: DropWindows { looked_at: windows.count() as u64, breaches: too_long.count() as u64 },
        caps,
    })
}
