//! One fault at a time, end to end: an honest world, one edit, the real command, and the one code that must come out; then
//! the edit that looks like it and must not. What belongs here: what a code means to a user, seen from outside.

#![expect(clippy::unwrap_used, reason = "an edit that can't be made has failed its case")]

mod anchors;
mod bad_input;
mod inputs;
pub(crate) mod proof;
pub(crate) mod scene;
mod settlements;
mod table;
mod treasury;
