//! What a thing says: the fields of its signed bytes, or what its record holds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::known::Known;
use super::model::{Class, Name};
use crate::app::error::AppError;
use crate::domain::{AttestationId, BindingId, Code, DescriptorId, Digest32, EnvelopeId, EvidenceId, sha256};
use crate::evidence::settlement::canonical_bytes;
use crate::evidence::{AttestationMessage, CarrierBody, Claim, Decoded, DescriptorForm, EnvelopeCarrier, decode};
use crate::store::EvidenceStore as _;

/// Fields by name, and the rule or profile that its bytes were found by.
pub(super) type Said = (BTreeMap<String, Value>, Option<String>);

/// What a thing says of itself; nothing when it is only a name.
pub(super) fn told(known: &Known, name: &Name, carriers: &BTreeSet<EvidenceId>) -> Result<Said, AppError> {
    let (said, rule) = match name.id.parse::<Digest32>() {
        Ok(digest) => by_digest(known, name.class, digest, carriers)?,
        Err(_) if name.class == Class::Block => (block(known, &name.id), None),
        Err(_) => (Value::Null, None),
    };
    let Value::Object(members) = known.hidden.value("", said) else { return Ok((BTreeMap::new(), rule)) };
    Ok((members.into_iter().collect(), rule))
}

fn by_digest(
    known: &Known,
    class: Class,
    digest: Digest32,
    carriers: &BTreeSet<EvidenceId>,
) -> Result<(Value, Option<String>), AppError> {
    let set = &known.set;
    Ok(match class {
        Class::Envelope => match set.envelopes.get(&EnvelopeId(digest)) {
            Some(envelope) => {
                let rule = serde_json::to_value(envelope.fact().rule).ok();
                let rule = rule.and_then(|rule| rule.as_str().map(str::to_owned));
                (signed(known, digest, carriers)?, rule)
            }
            None => (Value::Null, None),
        },
        Class::Attestation => {
            let id = AttestationId(digest);
            let good = set.attestations.get(&id).map(|signed| &signed.fact().message);
            let claimed = || set.claimed_attestations.get(&id)?.fact().message.as_ref();
            (good.or_else(claimed).map(attestation).unwrap_or_default(), None)
        }
        Class::Binding => (binding(known, BindingId(digest)), None),
        Class::Descriptor => (descriptor(known, DescriptorId(digest)), None),
        Class::Graduation | Class::Rotation => step(known, digest),
        Class::Settlement => {
            let event = set.settlements.get(&digest).map(|settlement| canonical_bytes(&settlement.fact().event));
            (event.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default(), None)
        }
        Class::Evidence => {
            let held = known.store.get(&EvidenceId(digest))?;
            let said = held.map(|held| json!({"media": held.media.name(), "about": held.about}));
            (said.unwrap_or_default(), None)
        }
        Class::Divergence => {
            let code = known.divergences.get(&digest).map(|held| held.divergence.code);
            (code.map(meaning).unwrap_or_default(), None)
        }
        _ => (Value::Null, None),
    })
}

fn meaning(code: Code) -> Value {
    json!({"code": code.name(), "meaning": code.meaning()})
}

/// The JSON of the bytes that hash to the id: of every carrier they are the same.
fn signed(known: &Known, id: Digest32, carriers: &BTreeSet<EvidenceId>) -> Result<Value, AppError> {
    for carrier in carriers {
        let Some(raw) = known.store.get(carrier)? else { continue };
        let Decoded::Claim(claim, _) = decode(&raw) else { continue };
        let found = match *claim {
            Claim::Activity(envelope) => candidate(&envelope, id),
            Claim::Nostr(event) => match event.body {
                CarrierBody::Envelope(envelope) => candidate(&envelope, id),
                _ => None,
            },
            _ => None,
        };
        if let Some(said) = found {
            return Ok(said);
        }
    }
    Ok(Value::Null)
}

fn candidate(envelope: &EnvelopeCarrier, id: Digest32) -> Option<Value> {
    let (_, bytes) = envelope.candidates.iter().find(|(_, bytes)| sha256(bytes) == id)?;
    serde_json::from_slice(bytes).ok()
}

fn attestation(message: &AttestationMessage) -> Value {
    json!({
        "address": message.address, "identities": message.identities, "nonce": message.nonce,
        "issued_at": message.issued_at.seconds().to_string(), "extensions": message.extensions,
    })
}

fn binding(known: &Known, id: BindingId) -> Value {
    let Some(binding) = known.set.bindings.get(&id) else { return Value::Null };
    let said = &binding.fact().message;
    json!({
        "principal": said.principal, "btc": said.btc, "npub": said.npub, "nonce": said.nonce,
        "issued_at": said.issued_at.seconds().to_string(), "extensions": said.extensions,
    })
}

fn descriptor(known: &Known, id: DescriptorId) -> Value {
    let Some(descriptor) = known.set.descriptors.get(&id) else { return Value::Null };
    let said = descriptor.fact();
    json!({
        "form": match said.form { DescriptorForm::Custody => "custody", DescriptorForm::Agent => "agent" },
        "address": said.address, "threshold": said.threshold, "guardians": said.guardians,
    })
}

fn step(known: &Known, id: Digest32) -> (Value, Option<String>) {
    let federation = |id: DescriptorId| format!("fed:{id}");
    if let Some(graduation) = known.set.graduations.get(&id) {
        let said = graduation.fact();
        let value = json!({
            "address": said.address, "from_federation": federation(said.from), "to": said.to,
            "to_federation": said.to_federation.map(federation), "graduated_at": said.at.to_string(),
        });
        return (value, Some(said.profile.to_owned()));
    }
    let Some(rotation) = known.set.rotations.get(&id) else { return (Value::Null, None) };
    let said = rotation.fact();
    let value = json!({
        "address": said.address, "from_federation": federation(said.from), "to_federation": federation(said.to),
        "rotated_at": said.at.to_string(),
    });
    (value, Some(said.profile.to_owned()))
}

/// A block as anchors know it; its hashes are more than one after a reorganisation.
fn block(known: &Known, height: &str) -> Value {
    let (mut hashes, mut stale) = (BTreeSet::new(), BTreeSet::new());
    let (mut time, mut trust) = (None, None);
    for state in known.set.anchors.values() {
        for anchor in state.confirmed.iter().filter(|anchor| anchor.height.to_string() == height) {
            hashes.insert(anchor.hash.to_string());
            (time, trust) = (Some(anchor.time.to_string()), Some(anchor.trust.name()));
        }
        let left = state.stale.iter().filter(|left| left.height.to_string() == height);
        stale.extend(left.map(|left| left.hash.to_string()));
    }
    json!({"height": height, "hash": hashes.first(), "left_the_chain": stale, "time": time, "header_trust": trust})
}
