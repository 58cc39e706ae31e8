//! What batches answer, held against the single verifiers and against what the makers of vectors say.

mod campaign;
pub(in crate::verify) mod makers;
mod vectors;
