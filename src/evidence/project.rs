//! Integrator price configs, `oc-config.json` (FORMATS 5). Unsigned: their authority is the host they came from.

use std::collections::BTreeMap;

use super::json::Json;
use super::record::{self, Record, Refusal};
use super::{AgentPrice, Claim, Decoded, EventClass, EventPrice, ProjectConfig, SitePays};
use crate::domain::{Media, ProjectKey};

/// The least that an enabled fixed price may be, in satoshi.
const FIXED_SATS_MIN: f64 = 1.0;
/// The most of a payment that a site may pay.
const PERCENT_MAX: f64 = 1.0;
/// The most of gross that a user may get; the platform's fifth stands against it.
const USER_SHARE_MAX: f64 = 0.8;

/// Decodes one config. `about` is the host it was fetched from, empty for files.
///
/// What FORMATS 5 forbids does not stop it: `problems` names the event key (empty: the config as a whole) and the
/// problem. Disabled entries and agent overrides are not validated, as in the reference. Doubles stay doubles, because
/// the fee rule is defined on them.
pub fn decode(about: &str, bytes: &[u8]) -> Decoded {
    match config(about, bytes) {
        Ok(config) => Decoded::Claim(Box::new(Claim::ProjectConfig(config)), Vec::new()),
        Err(refusal) => refusal.answer(Media::ProjectConfig, bytes),
    }
}

fn config(host: &str, bytes: &[u8]) -> Result<ProjectConfig, Refusal> {
    let json = record::parse(bytes)?;
    let members = Record::of(&json)?;
    let project = members.need_text("project_key")?;
    let mut problems = Vec::new();
    let mut required = |name: &str| -> Result<String, Refusal> {
        let text = members.text(name)?.unwrap_or_default();
        if text.is_empty() {
            problems.push((String::new(), format!("{name} is missing")));
        }
        Ok(text.to_owned())
    };
    let (display_name, domain) = (required("display_name")?, required("domain")?);
    let is_elsewhere = !same_host(host, &domain) && !same_host(host, MIRROR_HOST);
    if !host.is_empty() && !domain.is_empty() && is_elsewhere {
        problems.push((String::new(), format!("domain {domain} differs from the host {host} it was fetched from")));
    }
    let events = if let Some(events) = members.get("events") {
        prices(Record::of(events)?, &mut problems)
    } else {
        problems.push((String::new(), "events is missing".to_owned()));
        BTreeMap::new()
    };
    Ok(ProjectConfig {
        host: host.to_owned(),
        project: ProjectKey::from(project),
        display_name,
        domain,
        updated_at: members.text("updated_at")?.and_then(|text| text.parse().ok()),
        events,
        problems,
    })
}

/// The operator's host, which mirrors the configs of all projects (FORMATS 5).
pub(crate) const MIRROR_HOST: &str = "me.ochk.io";

/// Whether a host is that domain: without case, trailing dot and port.
pub(crate) fn same_host(host: &str, domain: &str) -> bool {
    let bare = |name: &str| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    // A host may come with the port it was reached at.
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    bare(name) == bare(domain)
}

fn prices(events: Record<'_, '_>, problems: &mut Vec<(String, String)>) -> BTreeMap<String, EventPrice> {
    let mut prices = BTreeMap::new();
    for (key, member) in events.0.members().unwrap_or_default() {
        let mut found = Vec::new();
        let price = price(&member.value, &mut found);
        if price.enabled {
            problems.extend(found.into_iter().map(|problem| (key.to_string(), problem)));
        }
        prices.insert(key.to_string(), price);
    }
    prices
}

fn price(value: &Json<'_>, problems: &mut Vec<String>) -> EventPrice {
    let enabled = value.get("enabled").and_then(Json::as_bool);
    if enabled.is_none() {
        problems.push("enabled is not true or false".to_owned());
    }
    let mut site_pays = value.get("site_pays").and_then(site_pays);
    match site_pays {
        None => problems.push("site_pays can't be read".to_owned()),
        Some(SitePays::FixedSats(sats)) if sats < FIXED_SATS_MIN => {
            problems.push(format!("site_pays.sats is {sats}, below {FIXED_SATS_MIN}"));
        }
        Some(SitePays::PercentOfAmount(pct)) if pct <= 0.0 || pct > PERCENT_MAX => {
            problems.push(format!("site_pays.pct is {pct}, not above 0 and at most {PERCENT_MAX}"));
        }
        Some(_) => {}
    }
    let share = value.get("user_share_pct").and_then(double);
    match share {
        // A price without a readable share can't be replayed, so it counts as malformed.
        None => {
            site_pays = None;
            problems.push("user_share_pct can't be read".to_owned());
        }
        Some(share) if !(0.0..=USER_SHARE_MAX).contains(&share) => {
            problems.push(format!("user_share_pct is {share}, not from 0 to {USER_SHARE_MAX}"));
        }
        Some(_) => {}
    }
    EventPrice {
        // An unreadable switch must not hide the problems of the entry.
        enabled: enabled.unwrap_or(true),
        site_pays,
        user_share_pct: share.unwrap_or_default(),
        agent: value.get("agent").and_then(agent),
        class: class(value, problems),
    }
}

/// The class that the catalogue gives the key (FORMATS 5: the member's name is assumed).
fn class(value: &Json<'_>, problems: &mut Vec<String>) -> Option<EventClass> {
    let stated = value.get_some("class")?;
    let class = stated.as_str().and_then(EventClass::of_name);
    if class.is_none() {
        problems.push(format!("class is {}, not A, B or C", record::excerpt("class", stated)));
    }
    class
}

fn site_pays(value: &Json<'_>) -> Option<SitePays> {
    match value.get("kind")?.as_str()? {
        "fixed_sats" => value.get("sats").and_then(double).map(SitePays::FixedSats),
        "percent_of_amount" => value.get("pct").and_then(double).map(SitePays::PercentOfAmount),
        _ => None,
    }
}

fn agent(value: &Json<'_>) -> Option<AgentPrice> {
    value.members()?;
    Some(AgentPrice {
        site_pays: value.get("site_pays").and_then(site_pays),
        user_share_pct: value.get("user_share_pct").and_then(double),
        refuse: value.get("refuse").and_then(Json::as_bool).unwrap_or(false),
    })
}

fn double(value: &Json<'_>) -> Option<f64> {
    value.as_number()?.parse().ok().filter(|double: &f64| double.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Code, UnixMicros};

    fn read(host: &str, text: &str) -> ProjectConfig {
        let Decoded::Claim(claim, findings) = decode(host, text.as_bytes()) else { panic!("it decodes: {text}") };
        assert_eq!(findings, []);
        let Claim::ProjectConfig(config) = *claim else { panic!("it is a config") };
        config
    }

    fn with_entry(entry: &str) -> ProjectConfig {
        let entry =
            format!(r#"{{"project_key":"pk","display_name":"X","domain":"x.example","events":{{"e":{entry}}}}}"#);
        read("", &entry)
    }

    #[test]
    fn every_bound_of_a_price_is_held_at_its_edge() {
        for (site_pays, share, problems) in [
            (r#"{"kind":"fixed_sats","sats":1}"#, "0.8", 0),
            (r#"{"kind":"fixed_sats","sats":0.99}"#, "0.8", 1),
            (r#"{"kind":"fixed_sats","sats":-1}"#, "0", 1),
            (r#"{"kind":"percent_of_amount","pct":1}"#, "0", 0),
            (r#"{"kind":"percent_of_amount","pct":0}"#, "0", 1),
            (r#"{"kind":"percent_of_amount","pct":1.01}"#, "0.81", 2),
            (r#"{"kind":"fixed_sats","sats":1e999}"#, "0.5", 1),
            (r#"{"kind":"other","sats":1}"#, "-0.1", 2),
            (r#"{"kind":"fixed_sats","sats":"1"}"#, "null", 2),
        ] {
            let config = with_entry(&format!(r#"{{"enabled":true,"site_pays":{site_pays},"user_share_pct":{share}}}"#));
            assert_eq!(config.problems.len(), problems, "{site_pays} {share}: {:?}", config.problems);
            assert!(config.problems.iter().all(|(key, _)| key == "e"));
        }
    }

    #[test]
    fn disabled_entries_are_not_validated() {
        assert_eq!(with_entry(r#"{"enabled":false,"user_share_pct":2}"#).problems, []);
        assert_eq!(with_entry(r#"{"enabled":1,"user_share_pct":2}"#).problems.len(), 3);
    }

    #[test]
    fn a_double_keeps_its_last_bit() {
        let config = with_entry(
            r#"{"enabled":true,"site_pays":{"kind":"fixed_sats","sats":100},"user_share_pct":0.145,
                "agent":{"user_share_pct":0.1,"refuse":true},"label":"x"}"#,
        );
        let price = &config.events["e"];
        assert_eq!(price.user_share_pct.to_bits(), 0.145_f64.to_bits());
        assert_eq!(price.agent, Some(AgentPrice { site_pays: None, user_share_pct: Some(0.1), refuse: true }));
    }

    #[test]
    fn a_config_of_another_domain_is_a_problem() {
        let text = r#"{"project_key":"pk","display_name":"X","domain":"X.example.","updated_at":"2026-04-30T00:00:00Z",
            "events":{}}"#;
        for (host, problems) in [("x.example", 0), ("x.example:8443", 0), ("", 0), ("y.example", 1)] {
            let config = read(host, text);
            assert_eq!(config.problems.len(), problems, "{host}");
            assert_eq!((config.host.as_str(), config.updated_at), (host, Some(UnixMicros(1_777_507_200_000_000))));
        }
    }

    #[test]
    fn what_is_no_config_is_not_read() {
        for text in [
            "[]",
            "{}",
            r#"{"project_key":1}"#,
            r#"{"project_key":"pk","events":[]}"#,
            r#"{"project_key":"pk","project_key":"pk"}"#,
        ] {
            let Decoded::Undecodable(findings) = decode("", text.as_bytes()) else { panic!("{text}") };
            assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [Code::SrcParse], "{text}");
        }
        assert_eq!(read("", r#"{"project_key":"pk"}"#).problems.len(), 3, "nothing stated is three problems");
    }
}
