//! Whether a thing counts, and what its signatures come to.

use std::collections::BTreeSet;

use serde_json::Value;

use super::known::Known;
use super::model::{Class, DivergenceTold, EntryTold, Name, SignatureTold, StandingTold};
use crate::domain::{AttestationId, BindingId, Code, DescriptorId, Digest32, EnvelopeId, KeyId, Severity};
use crate::evidence::attest::FEDERATION_SCHEME;
use crate::ledger::Level;
use crate::verify::Verified;

/// Whether a block proves an attestation as of the run.
fn is_proven(known: &Known, name: &Name) -> bool {
    let state = Digest32::from_hex(&name.id).ok().and_then(|id| known.set.anchors.get(&id));
    state.is_some_and(|state| state.is_proven_by(known.as_of))
}

/// Whether it counts: as its leaf says, else as the divergences about it do.
pub(super) fn standing(
    known: &Known,
    name: &Name,
    entries: &[EntryTold],
    divergences: &[DivergenceTold],
) -> Option<StandingTold> {
    let own = entries.iter().filter_map(|entry| serde_json::from_str::<Value>(&entry.leaf).ok());
    let own = own.into_iter().find(|leaf| leaf["id"] == name.id.as_str());
    let told = |state: &str, reasons: Vec<String>| Some(StandingTold { state: state.to_owned(), reasons });
    let codes = || codes(divergences);
    // What was accepted and has no leaf is dated after the as-of (docs/state-root.md 4).
    let without = || if is_accepted(known, name) { "excluded:after-as-of" } else { "refused" };
    match name.class {
        Class::Envelope | Class::Attestation => match own {
            Some(leaf) => {
                let state = leaf["standing"].as_str().or(leaf["level"].as_str()).unwrap_or("counted");
                // What a block proves stands in no leaf: it depends on the headers at hand (docs/state-root.md 4.4).
                let is_proven = state == Level::WellFormed.name() && is_proven(known, name);
                let state = if is_proven { Level::BitcoinProven.name() } else { state }.to_owned();
                let named = leaf["reasons"].as_array().into_iter().flatten();
                let mut reasons: Vec<String> = named.filter_map(|code| code.as_str().map(str::to_owned)).collect();
                if state.starts_with("excluded") {
                    reasons = codes();
                }
                told(&state, reasons)
            }
            None => told(without(), codes()),
        },
        Class::Descriptor | Class::Graduation | Class::Rotation => match own {
            Some(_) => told("counted", Vec::new()),
            None => told(without(), codes()),
        },
        Class::Settlement if entries.is_empty() => told("unposted", codes()),
        Class::Settlement => told("counted", Vec::new()),
        Class::Event if is_accepted(known, name) => told("genuine", Vec::new()),
        Class::Binding if is_accepted(known, name) => told("counted", Vec::new()),
        Class::Event | Class::Binding => told("refused", codes()),
        _ => None,
    }
}

fn is_accepted(known: &Known, name: &Name) -> bool {
    let Ok(digest) = name.id.parse::<Digest32>() else { return false };
    let set = &known.set;
    match name.class {
        Class::Envelope => set.envelopes.contains_key(&EnvelopeId(digest)),
        Class::Attestation => {
            let id = AttestationId(digest);
            set.attestations.contains_key(&id) || set.claimed_attestations.contains_key(&id)
        }
        Class::Descriptor => set.descriptors.contains_key(&DescriptorId(digest)),
        Class::Graduation => set.graduations.contains_key(&digest),
        Class::Rotation => set.rotations.contains_key(&digest),
        Class::Binding => set.bindings.contains_key(&BindingId(digest)),
        Class::Event => set.events.values().any(|event| event.id.0 == digest),
        _ => false,
    }
}

/// Open ones that say something against it.
fn codes(divergences: &[DivergenceTold]) -> Vec<String> {
    let against =
        divergences.iter().filter(|told| told.divergence.get("severity") != Some(&Severity::Info.name().into()));
    let codes = against.filter_map(|told| told.divergence.get("code")?.as_str().map(str::to_owned));
    codes.collect::<BTreeSet<_>>().into_iter().collect()
}

/// What its signatures come to.
pub(super) fn signatures(
    known: &Known,
    name: &Name,
    divergences: &[DivergenceTold],
    signer: Option<&KeyId>,
) -> Vec<SignatureTold> {
    let one = |scheme: &str, verdict: &'static str, by: String| SignatureTold {
        scheme: scheme.to_owned(),
        verdict,
        by: known.hidden.text(&by),
    };
    let has = |code: Code| divergences.iter().any(|told| told.divergence.get("code") == Some(&code.name().into()));
    let Ok(digest) = name.id.parse::<Digest32>() else { return Vec::new() };
    let set = &known.set;
    match name.class {
        Class::Envelope => match signer {
            Some(kid) => vec![one("ed25519", "valid", kid.to_string())],
            None if has(Code::EnvSigBad) => vec![one("ed25519", "invalid", String::new())],
            None if has(Code::EnvUnsigned) => vec![one("ed25519", "absent", String::new())],
            None => vec![one("ed25519", "unchecked", String::new())],
        },
        Class::Attestation => {
            let scheme = |scheme: &str| if scheme == FEDERATION_SCHEME { "guardians" } else { "bip322" }.to_owned();
            if let Some(signed) = set.attestations.get(&AttestationId(digest)) {
                let fact = signed.fact();
                let scheme = if fact.scheme == "legacy" { fact.scheme.clone() } else { scheme(&fact.scheme) };
                return vec![one(&scheme, "valid", fact.message.address.clone())];
            }
            let claimed = set.claimed_attestations.get(&AttestationId(digest)).map(Verified::fact);
            let message = claimed.and_then(|claimed| claimed.message.as_ref());
            let is = |code: Code| claimed.is_some_and(|claimed| claimed.reasons.contains(&code));
            let verdict = match message {
                Some(_) if is(Code::AttSig) => "invalid",
                Some(_) if !is(Code::AttScript) && !is(Code::Unverifiable) => "valid",
                _ => "unchecked",
            };
            vec![one("bip322", verdict, message.map(|message| message.address.clone()).unwrap_or_default())]
        }
        Class::Binding => match set.bindings.get(&BindingId(digest)).map(|signed| &signed.fact().message) {
            Some(said) => {
                vec![one("bip322", "valid", said.btc.clone()), one("bip340", "valid", said.nostr_key.to_string())]
            }
            None => vec![one("bip322", "unchecked", String::new())],
        },
        Class::Graduation | Class::Rotation => {
            if let Some(graduation) = set.graduations.get(&digest) {
                let fact = graduation.fact();
                let guardians = one("guardians", "valid", format!("fed:{}", fact.from));
                return vec![guardians, one("bip322", "valid", fact.address.clone())];
            }
            let rotation = set.rotations.get(&digest);
            let (verdict, by) = rotation
                .map_or(("unchecked", String::new()), |rotation| ("valid", format!("fed:{}", rotation.fact().from)));
            vec![one("guardians", verdict, by)]
        }
        Class::Settlement => match set.settlements.get(&digest) {
            Some(settlement) => vec![one("ed25519", "valid", settlement.fact().key.to_string())],
            None if has(Code::SigBad) => vec![one("ed25519", "invalid", String::new())],
            None => vec![one("ed25519", "unchecked", String::new())],
        },
        Class::Event => {
            let refused = if has(Code::EvtBadSig) { "invalid" } else { "unchecked" };
            let verdict = if is_accepted(known, name) { "valid" } else { refused };
            vec![one("bip340", verdict, String::new())]
        }
        _ => Vec::new(),
    }
}
