//! `[federations.<slug>]`: settlement keys, directions, bearers of fees, observed balances and audits become policy.

use std::collections::BTreeMap;

use super::config::{AuditSection, FederationSection};
use super::error::AppError;
use super::plan::config_error;
use crate::domain::{
    FederationAudit, FederationSlug, Media, Msat, ObservedCustody, PinnedKey, PublicKey32, SettlementKind, TrustPolicy,
    UnixSeconds,
};

/// The published documents that the sections name, with the key of each: one directory may serve several federations.
pub(super) fn documents(sections: &BTreeMap<String, FederationSection>) -> Vec<(Media, String, String)> {
    let mut found = Vec::new();
    for (slug, section) in sections {
        let named = [
            (Media::FederationDirectory, &section.directory, "directory"),
            (Media::Charter, &section.charter, "charter"),
        ];
        for (media, place, name) in named {
            let Some(place) = place else { continue };
            if !found.iter().any(|(other, known, _): &(Media, String, String)| *other == media && known == place) {
                found.push((media, place.clone(), format!("federations.{slug}.{name}")));
            }
        }
    }
    found
}

/// What two parties share of the documents' places: a local path counts only as present.
pub(super) fn share(sections: &mut BTreeMap<String, FederationSection>) {
    for place in sections.values_mut().flat_map(|section| [&mut section.directory, &mut section.charter]).flatten() {
        if !place.contains("://") {
            "files".clone_into(place);
        }
    }
}

/// Takes one section into the policy.
///
/// # Errors
/// [`AppError::Config`] naming the key.
pub(super) fn federation(slug: &str, section: &FederationSection, policy: &mut TrustPolicy) -> Result<(), AppError> {
    let pins = pins(&section.settlement_keys, &format!("federations.{slug}.settlement_keys"))?;
    let slug = FederationSlug::from(slug.to_owned());
    policy.settlement_keys.insert(slug.clone(), pins);
    let directions = by_kind(&slug, "directions", &section.directions)?;
    policy.directions.insert(slug.clone(), directions);
    let fee_bearers = by_kind(&slug, "fee_bearers", &section.fee_bearers)?;
    if !fee_bearers.is_empty() {
        policy.fee_bearers.insert(slug.clone(), fee_bearers);
    }
    let mut audits: Vec<FederationAudit> = section.audits.iter().map(audit).collect();
    audits.sort();
    audits.dedup();
    if !audits.is_empty() {
        policy.audits.insert(slug.clone(), audits);
    }
    let observed = observed(&slug, section)?;
    if !observed.is_empty() {
        policy.observed.insert(slug, observed);
    }
    Ok(())
}

/// Keys as a list of the configuration writes them: hex, or tables with a window. Sorted.
///
/// # Errors
/// [`AppError::Config`] naming the list's key.
pub(super) fn pins(values: &[toml::Value], key: &str) -> Result<Vec<PinnedKey>, AppError> {
    let bad = |what: &str| config_error(format!("`{key}` {what}"), "hex Ed25519 keys, or { key, from, until }");
    let mut pins = Vec::new();
    for value in values {
        let instant = |table: &toml::Table, name: &str| -> Result<Option<UnixSeconds>, AppError> {
            let Some(value) = table.get(name) else { return Ok(None) };
            let text = value.as_datetime().map(ToString::to_string).or_else(|| value.as_str().map(str::to_owned));
            let text = text.ok_or_else(|| bad("has a time that is none"))?;
            text.parse::<super::values::Instant>().map(|at| Some(at.0)).map_err(|_| bad("has a time that is none"))
        };
        let (text, from, until) = match value {
            toml::Value::String(text) => (text.as_str(), None, None),
            toml::Value::Table(table) => {
                if let Some(unknown) = table.keys().find(|name| !["key", "from", "until"].contains(&name.as_str())) {
                    return Err(bad(&format!("has an unknown member `{unknown}`")));
                }
                let text = table.get("key").and_then(toml::Value::as_str).ok_or_else(|| bad("lacks `key`"))?;
                (text, instant(table, "from")?, instant(table, "until")?)
            }
            _ => return Err(bad("has an entry that is no key")),
        };
        let key: PublicKey32 = text.parse().map_err(|_| bad("has a key that is not 64 hex digits"))?;
        pins.push(PinnedKey { key, from, until });
    }
    pins.sort();
    Ok(pins)
}

fn audit(section: &AuditSection) -> FederationAudit {
    FederationAudit { at: section.at.0, net_assets: section.net_assets, modules: section.modules.clone() }
}

/// A table of the section whose keys are settlement kinds.
fn by_kind<T: Copy>(
    slug: &FederationSlug,
    table: &str,
    entries: &BTreeMap<String, T>,
) -> Result<BTreeMap<SettlementKind, T>, AppError> {
    let named = |kind: &String| {
        kind.parse().map_err(|()| {
            let what = format!("`federations.{slug}.{table}` names `{kind}`");
            config_error(what, "use one of the seven settlement kinds")
        })
    };
    entries.iter().map(|(kind, value)| Ok((named(kind)?, *value))).collect()
}

/// Sorted; an instant has one balance.
fn observed(slug: &FederationSlug, section: &FederationSection) -> Result<Vec<ObservedCustody>, AppError> {
    let mut by_time: BTreeMap<UnixSeconds, Msat> = BTreeMap::new();
    for seen in &section.observed {
        let bad = |what: &str, hint: &str| config_error(format!("`federations.{slug}.observed` {what}"), hint);
        let msat = Msat::new(seen.msat)
            .map_err(|_| bad("has more than 21 million bitcoin", "`msat` counts millisatoshi, 1000 to the satoshi"))?;
        if by_time.insert(seen.at.0, msat).is_some_and(|other| other != msat) {
            return Err(bad(&format!("has two balances at {}", seen.at.0), "keep the one that was seen"));
        }
    }
    Ok(by_time.into_iter().map(|(at, msat)| ObservedCustody { at, msat }).collect())
}
