//! On what terms relays are asked: what one may cost, and whether its challenges are answered.

use std::path::PathBuf;

use super::config::{AuthWord, NostrSection, RelayBudgetSection};
use super::error::AppError;

/// The terms for every relay of a configuration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RelayTerms {
    /// Limits that differ from the defaults.
    pub budget: RelayBudgetSection,
    /// How challenges (NIP-42) are answered; without it they are not.
    pub auth: Option<RelayAnswer>,
}

/// With which key challenges are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayAnswer {
    /// One that is made for each fetch.
    Throwaway,
    /// The one in this file.
    KeyFile(PathBuf),
}

impl RelayTerms {
    /// Reads them from `[nostr]`; `path` resolves a file's name.
    ///
    /// # Errors
    /// [`AppError::Config`] when both ways to answer challenges are configured.
    pub(super) fn resolve(nostr: &NostrSection, path: impl Fn(&str) -> PathBuf) -> Result<Self, AppError> {
        let auth = match (nostr.auth, &nostr.auth_key_file) {
            (Some(AuthWord::Throwaway), Some(_)) => {
                return Err(super::plan::config_error(
                    "`nostr.auth` and `nostr.auth_key_file` exclude each other".to_owned(),
                    "name a key file, or have a key thrown away after each fetch",
                ));
            }
            (Some(AuthWord::Throwaway), None) => Some(RelayAnswer::Throwaway),
            (None, Some(file)) => Some(RelayAnswer::KeyFile(path(file))),
            (None, None) => None,
        };
        Ok(Self { budget: nostr.relay_budget.clone().unwrap_or_default(), auth })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str) -> Result<RelayTerms, AppError> {
        RelayTerms::resolve(&toml::from_str(text).unwrap(), |file| PathBuf::from("/base").join(file))
    }

    #[test]
    fn nobody_is_answered_unless_it_is_configured_and_then_in_one_way() {
        assert_eq!(terms("").unwrap(), RelayTerms::default());
        assert_eq!(terms("auth = \"throwaway\"").unwrap().auth, Some(RelayAnswer::Throwaway));
        let file = Some(RelayAnswer::KeyFile(PathBuf::from("/base/relay.key")));
        assert_eq!(terms("auth_key_file = \"relay.key\"").unwrap().auth, file);
        assert!(terms("auth = \"throwaway\"\nauth_key_file = \"relay.key\"").is_err());
    }

    #[test]
    fn a_budget_names_what_it_changes() {
        let budget = terms("relay_budget = { events = 7, time = \"2m\" }").unwrap().budget;
        assert_eq!((budget.events, budget.bytes, budget.time.map(|span| span.0)), (Some(7), None, Some(120)));
        assert!(toml::from_str::<NostrSection>("relay_budget = { frames = 7 }").is_err());
    }
}
