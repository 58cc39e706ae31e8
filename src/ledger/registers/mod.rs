//! The two registers beside the ledgers: attestations and projects.

mod attestations;
mod projects;

pub use attestations::{AttestationEntry, AttestationRegister, Level};
pub use projects::{ProjectEntry, ProjectRegister};
