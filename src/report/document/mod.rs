//! `report.json` read back: what every other rendering is made of, so that a page or a table never says what the report does not.
//!
//! A report can hold a million divergences: they are read one after the other, as often as a rendering needs them.

mod head;
mod line;
mod number;
mod stream;
mod tally;

use std::io::Read;

use super::json::REPORT_SCHEMA;
use crate::domain::{Digest32, Divergence};

pub use head::*;
pub use line::divergence_of;
pub use number::Integer;
pub use tally::{CodeRow, Tally};

/// Why a document is no report that this version can render.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// Not a report of this program, or of another version of its schema.
    #[error("member `{member}` {what}")]
    Foreign {
        /// The member that says so.
        member: String,
        /// What it says.
        what: String,
    },
    /// A report of this program that was cut or changed.
    #[error("member `{member}` {what}")]
    Damaged {
        /// The member.
        member: String,
        /// What is wrong with it.
        what: String,
    },
    /// It could not be read.
    #[error("can't be read")]
    Io(#[from] std::io::Error),
}

/// Opens the same bytes again from their beginning.
pub type Opener<'a> = dyn Fn() -> std::io::Result<Box<dyn Read + 'a>> + 'a;

/// A report, checked from its first byte to its last.
pub struct Document<'a> {
    /// Everything but the divergences.
    pub head: Head,
    /// The divergences, counted.
    pub tally: Tally,
    /// sha256 of the report's bytes.
    pub sha256: Digest32,
    open: &'a Opener<'a>,
}

impl<'a> Document<'a> {
    /// Reads a report once: nothing is rendered of one that does not hold to its end.
    ///
    /// # Errors
    /// [`DocumentError`], with the member.
    pub fn read(open: &'a Opener<'a>) -> Result<Self, DocumentError> {
        let mut tally = Tally::default();
        let (members, sha256) = stream::members(open()?, &mut |divergence| {
            tally.add(&divergence);
            Ok(())
        })?;
        let head = Head::of(members, REPORT_SCHEMA)?;
        if !tally.agrees(&head.summary) {
            let what = "does not agree with the divergences".to_owned();
            return Err(DocumentError::Damaged { member: "summary".to_owned(), what });
        }
        Ok(Self { head, tally, sha256, open })
    }

    /// Visits every divergence, in the report's order.
    ///
    /// # Errors
    /// [`DocumentError::Io`], also the visitor's; others when the bytes changed since they were read first.
    pub fn each(&self, visit: &mut dyn FnMut(Divergence) -> std::io::Result<()>) -> Result<(), DocumentError> {
        let (_, sha256) = stream::members((self.open)()?, visit)?;
        if sha256 == self.sha256 {
            return Ok(());
        }
        Err(DocumentError::Damaged { member: "report.json".to_owned(), what: "changed while it was read".to_owned() })
    }
}

#[cfg(test)]
mod tests;
