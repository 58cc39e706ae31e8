//! The oracle: a second, slow, naive reading of a world. It shares no code with verify, ledger or reconcile, and knows of no
//! report; at most 1,200 lines. It is written from the documents, so that what it says of a world is what they say.

#![expect(clippy::needless_for_each, reason = "few lines are worth more here than loops")]

mod answer;
mod custody;
mod junk;
mod rails;
mod read;
mod rules;
#[cfg(test)]
mod tests;
mod treasury;

pub use answer::expect;
