//! What a session leaves beside evidence and report: lines of the custody log, durations, the clock.

use std::time::Instant as Clock;

use super::{Conclusion, Session};
use crate::app::as_of::{AsOfWanted, Derived};
use crate::app::audit::MANIFEST;
use crate::app::custody_log::{Deed, Handled};
use crate::app::error::AppError;
use crate::app::finish::Sealed;
use crate::app::finished::REPORT;
use crate::app::unchanged::{AsOfBlock, remember};
use crate::domain::{Digest32, UnixSeconds};
#[cfg(feature = "net")]
use crate::seal::evidence_root_of;
use crate::store::EvidenceStore as _;

impl Session<'_> {
    /// Ends the work without a report.
    #[cfg(feature = "net")]
    pub(in crate::app) fn seal(&mut self) -> Result<(), AppError> {
        self.cancel.check()?;
        self.store.seal_segments()?;
        let root = evidence_root_of(&self.store)?;
        self.captured(root, None)
    }

    /// Notes in the custody log that the command ends here, with the folder unsealed.
    pub(super) fn captured(&mut self, evidence_root: Digest32, exit_code: Option<u8>) -> Result<(), AppError> {
        self.handled(Deed::Capture, (evidence_root, self.store.len()), None, exit_code)?;
        self.folder.write_record(&self.record)
    }

    /// Adds to the custody log. The record that names the line is written after it.
    pub(super) fn handled(
        &mut self,
        deed: Deed,
        evidence: (Digest32, u64),
        sealed: Option<Sealed>,
        exit_code: Option<u8>,
    ) -> Result<(), AppError> {
        let head = self.log.add(&Handled {
            deed,
            actor: &self.options.actor,
            at: self.now(),
            command: self.options.command,
            resumed: self.record.resumed,
            evidence,
            manifest_sha256: sealed.as_ref().map(|sealed| sealed.manifest_sha256),
            report: sealed.map(|sealed| sealed.report),
            expected_root: self.options.expect_root.filter(|_| deed == Deed::Seal),
            exit_code,
            archive_sha256: None,
        })?;
        self.record.custody_head = Some(head);
        self.record.ended = Some(true);
        Ok(())
    }

    /// Has the finished run remembered, where its user wants that.
    pub(super) fn remembered(&self, conclusion: &Conclusion, as_of: UnixSeconds) {
        let Some(memory) = &self.options.memory else { return };
        let block = match self.options.as_of {
            Some(AsOfWanted::Block(height)) => Some(AsOfBlock { height, time: as_of }),
            _ => None,
        };
        let derived = Derived::of(conclusion.set(), self.options.clock);
        let left = [(MANIFEST, self.log.manifest_sha256()), (REPORT, self.log.report_sha256())];
        remember((memory, self.options.checks), (&self.folder, &left), derived, block, &self.prints);
    }

    /// The clock now.
    pub(super) fn now(&self) -> UnixSeconds {
        self.options.clock.plus(i64::try_from(self.began.elapsed().as_secs()).unwrap_or(i64::MAX))
    }

    #[expect(clippy::disallowed_methods, reason = "durations go into run.json only")]
    pub(super) fn timed<T>(
        &mut self,
        stage: &str,
        work: impl FnOnce(&mut Self) -> Result<T, AppError>,
    ) -> Result<T, AppError> {
        let began = Clock::now();
        let result = work(self)?;
        let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(stage, millis, held = self.store.len(), "stage ended");
        self.record.stages.push((stage.to_owned(), millis));
        Ok(result)
    }
}
