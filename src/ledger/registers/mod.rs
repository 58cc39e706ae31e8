//! The two registers beside the ledgers: attestations and projects.

mod attestations;
mod projects;
#[cfg(test)]
mod tests;

pub use attestations::{AttestationEntry, AttestationRegister, Level};
pub use projects::{ProjectEntry, ProjectRegister};
