//! Relays and other servers that misbehave while they are asked.

use super::Generator;

pub(super) const GENERATORS: &[Generator] = &[];
