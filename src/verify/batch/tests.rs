//! What batches answer, held against the single verifiers and against what the makers of vectors say.

mod campaign;
mod makers;
mod vectors;
