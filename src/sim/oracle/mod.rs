//! The oracle: a second, slow, naive reading of a world. It shares no code with verify, ledger or reconcile, and knows of no
//! report; at most 1,700 lines of code, which a test counts. It is written from the documents, so that what it says of a world
//! is what they say.

mod answer;
mod custody;
mod people;
mod rails;
mod read;
mod rules;
#[cfg(test)]
mod tests;
mod treasury;

pub use answer::expect;
