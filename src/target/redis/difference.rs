//! One thing in which a store is not what the ledgers say.

use super::error::shown;
use crate::target::Kind;

/// How they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The ledgers have it, the store has not.
    Missing,
    /// Both have it, and not the same.
    Different,
    /// The store has it under a name of ours, the ledgers have not.
    Unexpected,
}

impl What {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Different => "different",
            Self::Unexpected => "unexpected",
        }
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// What the key holds, or would.
    pub kind: Kind,
    /// The key's name; bytes that are no text are replaced.
    pub key: String,
    /// A member of an index, when the key itself is there.
    pub member: Option<String>,
    /// How they differ.
    pub what: What,
    /// What stands on both sides, where that is short; foreign text, made inert.
    pub detail: String,
}

impl Difference {
    pub(super) fn of_key(kind: Kind, key: &[u8], what: What, detail: String) -> Self {
        Self { kind, key: shown(key), member: None, what, detail }
    }

    pub(super) fn of_member(kind: Kind, key: &str, member: &[u8], what: What, detail: String) -> Self {
        Self { kind, key: shown(key.as_bytes()), member: Some(shown(member)), what, detail }
    }
}
