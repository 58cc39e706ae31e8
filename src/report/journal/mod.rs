//! The treasury's journal in the words of other programs: hledger, beancount, and CSV for spreadsheets (TREASURY 5.5).
//! docs/journals.md says how to read them.

mod ask;
mod beancount;
mod booking;
mod chart;
mod csv;
mod day;
mod hledger;
mod names;
#[cfg(test)]
mod tests;
mod walk;

pub use ask::{Detail, Dialect, JournalAsk, JournalWritten, SUMMARY_ABOVE};
pub use walk::write_journal;
