//! Stores of the operator that no public substrate holds: what a rebuild from empty can't bring back.

use serde::{Deserialize, Serialize};

/// A store that can't be rebuilt, and what follows from that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LostStore {
    /// What it holds.
    pub store: String,
    /// What is otherwise after a rebuild, and what to do about it.
    pub consequence: String,
}

impl LostStore {
    /// Those of the profile `orangecheck-2026-10`: its recovery page (FORMATS appendix B, S000) names the list of revoked session
    /// tokens; which identities an account joins is session data (FORMATS 4.1), of which custody files may hold a part.
    fn of_profile() -> Vec<Self> {
        let lost =
            |store: &str, consequence: &str| Self { store: store.to_owned(), consequence: consequence.to_owned() };
        vec![
            lost(
                "session revocations",
                "Revoked session tokens are valid again until they expire: rotate the key that signs sessions before writes are \
                 unfrozen.",
            ),
            lost(
                "account rows",
                "E-mail addresses, settings and merges of identities that were never published are gone: users sign in anew, and \
                 histories are joined only where custody files record the merge.",
            ),
        ]
    }

    /// Those of the profile, each in the operator's words where there are any, then those that only the operator names.
    pub fn beside_the_profile(own: &[Self]) -> Vec<Self> {
        let mut stores = Self::of_profile();
        for one in own {
            match stores.iter_mut().find(|store| store.store == one.store) {
                Some(known) => known.clone_from(one),
                None => stores.push(one.clone()),
            }
        }
        stores
    }
}
