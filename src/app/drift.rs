//! Lists of the configuration that should say the same as another list, and do not (SRC_DRIFT).

use std::collections::BTreeSet;

use super::config::Config;
use crate::domain::{TrustPolicy, relay_spelling};
use crate::reconcile::Drift;

/// Every list of the configuration that disagrees with the profile or with another list. Sorted.
///
/// Asking for more than the profile names is no drift; asking for less leaves substrate unread.
pub(super) fn drift(config: &Config) -> Vec<Drift> {
    let mut found: Vec<Drift> =
        [kinds(config), operator_relays(config), relays(config)].into_iter().flatten().collect();
    found.sort();
    found
}

/// Kinds of the profile that the configuration's own list leaves out.
fn kinds(config: &Config) -> Option<Drift> {
    let asked: BTreeSet<u16> = config.nostr.as_ref()?.kinds.iter().map(|filter| filter.kind).collect();
    if asked.is_empty() {
        return None;
    }
    let profile = TrustPolicy::orangecheck_2026_10().kinds;
    let missing: Vec<String> = profile.difference(&asked).map(ToString::to_string).collect();
    (!missing.is_empty()).then(|| Drift {
        list: "nostr.kinds".to_owned(),
        expected: "every kind of the profile".to_owned(),
        observed: format!("without {}", missing.join(", ")),
    })
}

/// Relays of the operator that are not among the relays asked: the verdict without the operator would leave out nothing.
fn operator_relays(config: &Config) -> Option<Drift> {
    let nostr = config.nostr.as_ref()?;
    let asked: BTreeSet<String> = nostr.relays.iter().map(|url| relay_spelling(url)).collect();
    let missing: Vec<&str> =
        nostr.operator_relays.iter().filter(|url| !asked.contains(&relay_spelling(url))).map(String::as_str).collect();
    (!missing.is_empty()).then(|| Drift {
        list: "nostr.operator_relays".to_owned(),
        expected: "relays that are asked".to_owned(),
        observed: missing.join(", "),
    })
}

/// One relay under two spellings: it would be counted twice where so many relays are required.
fn relays(config: &Config) -> Option<Drift> {
    let mut seen = BTreeSet::new();
    let twice: Vec<&str> = config
        .nostr
        .as_ref()?
        .relays
        .iter()
        .filter(|url| !seen.insert(relay_spelling(url)))
        .map(String::as_str)
        .collect();
    (!twice.is_empty()).then(|| Drift {
        list: "nostr.relays".to_owned(),
        expected: "each relay once".to_owned(),
        observed: twice.join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(text: &str) -> Vec<String> {
        drift(&Config::from_toml(text).unwrap()).into_iter().map(|drift| drift.list).collect()
    }

    #[test]
    fn a_kind_of_the_profile_that_is_not_asked_is_drift_and_one_more_is_none() {
        let kinds = |kinds: &[u16]| {
            let list: Vec<String> = kinds.iter().map(|kind| format!("{{ kind = {kind} }}")).collect();
            lists(&format!("[nostr]\nkinds = [{}]\n", list.join(", ")))
        };
        let mut profile: Vec<u16> = TrustPolicy::orangecheck_2026_10().kinds.into_iter().collect();
        assert_eq!(kinds(&profile), Vec::<String>::new());
        profile.push(1);
        assert_eq!(kinds(&profile), Vec::<String>::new());
        assert_eq!(kinds(&profile[1..]), ["nostr.kinds"]);
        assert_eq!(kinds(&[]), Vec::<String>::new(), "the default is the profile's");
    }

    #[test]
    fn an_operator_relay_that_is_not_asked_is_drift_however_it_is_spelled() {
        let operator =
            |url: &str| lists(&format!("[nostr]\nrelays = [\"wss://a.example\"]\noperator_relays = [\"{url}\"]\n"));
        assert_eq!(operator("wss://b.example"), ["nostr.operator_relays"]);
        assert_eq!(operator("WSS://A.example:443/"), Vec::<String>::new());
    }

    #[test]
    fn one_relay_under_two_spellings_is_drift() {
        let second = |url: &str| lists(&format!("[nostr]\nrelays = [\"wss://a.example\", \"{url}\"]\n"));
        assert_eq!(second("wss://a.example/"), ["nostr.relays"]);
        assert_eq!(second("wss://a.example/nostr"), Vec::<String>::new());
    }
}
