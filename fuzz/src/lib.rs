//! What every fuzz target checks. A target is one line; the promise that it tries to break stands here.
//!
//! Inputs of media that need to know what they are about begin with that text and a line feed.

mod decoders;
mod documents;
mod sealing;
mod splitting;
mod storing;

pub use decoders::*;
pub use documents::*;
pub use sealing::*;
pub use splitting::splitter;
pub use storing::ingest_sequence;
