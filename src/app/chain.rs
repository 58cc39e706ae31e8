//! The header chain that files and a run hold, judged on its own.

use std::ops::ControlFlow;
use std::path::PathBuf;

use super::error::AppError;
use super::observer::Cancel;
use super::run::RunFolder;
use crate::domain::{Counts, EvidenceId, FetchReceipt, Finding, HeaderPolicy, Media, RawEvidence};
use crate::evidence::{Claim, Decoded, HeaderRun, decode};
use crate::store::{EvidenceStore, LogStore};
use crate::substrate::{Captured, EvidenceSource, FilesSource, Sink, SourceError, Stopped};
use crate::verify::headers::HeaderChain;

/// Everything that the headers at hand come to.
pub(super) struct HeldChain {
    pub(super) chain: HeaderChain,
    /// What is wrong with them: undecodable first, then as the chain says.
    pub(super) findings: Vec<Finding>,
    pub(super) counts: Counts,
}

/// Header runs on their way out of files and stores.
pub(super) struct Runs<'a> {
    held: Vec<(EvidenceId, HeaderRun)>,
    findings: Vec<Finding>,
    cancel: &'a Cancel,
}

impl<'a> Runs<'a> {
    pub(super) fn new(cancel: &'a Cancel) -> Self {
        Self { held: Vec::new(), findings: Vec::new(), cancel }
    }

    fn take(&mut self, evidence: &RawEvidence) {
        match decode(evidence) {
            Decoded::Claim(claim, _) => {
                if let Claim::Headers(run) = *claim {
                    self.held.push((evidence.id(), run));
                }
            }
            Decoded::Undecodable(mut findings) => self.findings.append(&mut findings),
        }
    }

    /// Everything that the source gives.
    ///
    /// # Errors
    /// [`AppError::Source`]; [`AppError::Interrupted`].
    pub(super) fn fetch(&mut self, source: &mut dyn EvidenceSource) -> Result<Vec<FetchReceipt>, AppError> {
        let fetched = source.fetch(self);
        self.cancel.check()?;
        Ok(fetched?)
    }

    /// Every header of a run's evidence.
    ///
    /// # Errors
    /// [`AppError::Store`]; [`AppError::Interrupted`].
    pub(super) fn stored(&mut self, store: &dyn EvidenceStore) -> Result<(), AppError> {
        store.scan(&[Media::Headers], &mut |_, evidence| {
            self.take(&evidence);
            if self.cancel.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        self.cancel.check()
    }

    /// Judges what was gathered so far.
    pub(super) fn judge(&self, policy: &HeaderPolicy) -> HeldChain {
        let (chain, mut found, counts) = HeaderChain::build(self.held.clone(), policy);
        let mut findings = self.findings.clone();
        findings.append(&mut found);
        HeldChain { chain, findings, counts }
    }
}

impl Sink for Runs<'_> {
    fn accept(&mut self, captured: Captured) -> Result<(), Stopped> {
        self.take(&captured.evidence);
        Ok(())
    }

    fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

/// Gathers the headers of these files and of a run's evidence, where there is one.
///
/// # Errors
/// [`AppError::Source`] for a file that can't be read; [`AppError::Store`]; [`AppError::Interrupted`].
pub(super) fn gather<'a>(files: &[PathBuf], run: Option<&RunFolder>, cancel: &'a Cancel) -> Result<Runs<'a>, AppError> {
    let mut runs = Runs::new(cancel);
    if !files.is_empty() {
        runs.fetch(&mut FilesSource::new(Media::Headers, files.to_vec()))?;
    }
    if let Some(run) = run.filter(|run| run.evidence().join("segments").is_dir()) {
        runs.stored(&LogStore::open_read_only(&run.evidence())?)?;
    }
    Ok(runs)
}

/// What a source says when it can't start.
pub(super) fn offline(address: &str) -> AppError {
    SourceError::Offline { address: address.to_owned() }.into()
}
