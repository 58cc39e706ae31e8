//! The treasury's journal of a run, for other programs.

use std::io::{self, Write};
use std::path::Path;

use super::AsOfWanted;
use super::coverage::Survey;
use super::error::AppError;
use super::judged_by::JudgedBy;
use super::observer::{Cancel, Observer};
use crate::domain::UnixSeconds;
use crate::report::{Detail, Dialect, JournalAsk, JournalWritten, Pseudonyms, write_journal};

/// The treasury of a run, ready to be written.
pub struct RunJournal {
    /// The instant of the ledger.
    pub as_of: UnixSeconds,
    survey: Survey,
}

impl RunJournal {
    /// Writes it in that dialect; users stand by the report's pseudonyms unless they are revealed.
    ///
    /// # Errors
    /// As [`write_journal`].
    pub fn write(
        &self,
        out: &mut dyn Write,
        dialect: Dialect,
        detail: Detail,
        reveal_users: bool,
    ) -> io::Result<JournalWritten> {
        let Survey { as_of, evidence_root, ledgers, set, policy, .. } = &self.survey;
        let names = Pseudonyms::new(*evidence_root, reveal_users);
        let (journal, as_of, evidence_root) = (ledgers.journal(set, policy, *as_of), as_of.time, *evidence_root);
        let ask = JournalAsk { dialect, detail, names: &names, as_of, evidence_root };
        let mut out = out;
        write_journal(&mut out, &ask, || journal.entries())
    }
}

/// Reads the journal of the run in `root`. Changes nothing.
///
/// # Errors
/// As [`super::coverage_of_run`].
pub fn journal_of_run(
    root: &Path,
    by: &JudgedBy,
    how: (Option<AsOfWanted>, UnixSeconds, usize),
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<RunJournal, AppError> {
    let survey = Survey::of(root, by.wanted(), how, observer, cancel)?;
    Ok(RunJournal { as_of: survey.as_of.time, survey })
}
