//! What a thing says: the fields of its signed bytes, or what its record holds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::known::Known;
use super::model::{Class, Name};
use crate::app::error::AppError;
use crate::domain::{
    AttestationId, BindingId, Code, DescriptorId, Digest32, EnvelopeId, EvidenceId, KeyId, UserKey, sha256,
};
use crate::evidence::settlement::canonical_bytes;
use crate::evidence::{AttestationMessage, CarrierBody, Claim, Decoded, DescriptorForm, EnvelopeCarrier, decode};
use crate::store::EvidenceStore as _;
use crate::verify::envelope;

/// Fields by name, and the rule or profile that its bytes were found by.
pub(super) type Said = (BTreeMap<String, Value>, Option<String>);

/// What a thing says of itself; nothing when it is only a name.
///
/// An envelope says what it says when somebody signed it, also when it does not count.
pub(super) fn told(
    known: &Known,
    name: &Name,
    carriers: &BTreeSet<EvidenceId>,
    signer: Option<&KeyId>,
) -> Result<Said, AppError> {
    let (said, rule) = match name.id.parse::<Digest32>() {
        Ok(digest) if name.class == Class::Envelope && signer.is_some() => signed(known, digest, carriers)?,
        Ok(digest) => by_digest(known, name.class, digest)?,
        Err(_) if name.class == Class::Block => (block(known, &name.id), None),
        Err(_) => (Value::Null, None),
    };
    let Value::Object(members) = known.hidden.value("", said) else { return Ok((BTreeMap::new(), rule)) };
    Ok((members.into_iter().collect(), rule))
}

/// Who signed an envelope: of one that does not count, whose signature over the bytes of its id holds all the same.
pub(super) fn signer(
    known: &Known,
    id: EnvelopeId,
    carriers: &BTreeSet<EvidenceId>,
) -> Result<Option<KeyId>, AppError> {
    if let Some(envelope) = known.set.envelopes.get(&id) {
        return Ok(Some(envelope.fact().kid.clone()));
    }
    for carrier in carriers {
        let found = carried(known, carrier)?.filter(|envelope| envelope.declared_id == id);
        if let Some(kid) = found.and_then(|envelope| envelope::signer(&envelope, &known.set.keys)) {
            return Ok(Some(kid));
        }
    }
    Ok(None)
}

fn by_digest(known: &Known, class: Class, digest: Digest32) -> Result<(Value, Option<String>), AppError> {
    let set = &known.set;
    Ok(match class {
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
            let mut said =
                held.map(|held| json!({"media": held.media.name(), "about": held.about})).unwrap_or_default();
            // A merge record has no id but its evidence's.
            if let Some((_, record)) = set.merges.iter().find(|(id, _)| id.0 == digest) {
                said["user"] = record.user.as_str().into();
                said["merged_from"] = record.merged_from.iter().map(UserKey::as_str).collect();
            }
            (said, None)
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

/// The envelope that a piece of evidence carries.
fn carried(known: &Known, carrier: &EvidenceId) -> Result<Option<EnvelopeCarrier>, AppError> {
    let Some(raw) = known.store.get(carrier)? else { return Ok(None) };
    let Decoded::Claim(claim, _) = decode(&raw) else { return Ok(None) };
    Ok(match *claim {
        Claim::Activity(envelope) => Some(envelope),
        Claim::Nostr(event) => match event.body {
            CarrierBody::Envelope(envelope) => Some(*envelope),
            _ => None,
        },
        _ => None,
    })
}

/// The JSON of the bytes that hash to the id, and the rule that found them: of every carrier they are the same.
fn signed(known: &Known, id: Digest32, carriers: &BTreeSet<EvidenceId>) -> Result<(Value, Option<String>), AppError> {
    for carrier in carriers {
        let Some(envelope) = carried(known, carrier)? else { continue };
        let held = envelope.candidates.tried();
        let Some((rule, bytes)) = held.iter().find(|(_, bytes)| sha256(bytes) == id) else { continue };
        let accepted = known.set.envelopes.get(&EnvelopeId(id)).map_or(*rule, |accepted| accepted.fact().rule);
        let rule = serde_json::to_value(accepted).ok().and_then(|rule| rule.as_str().map(str::to_owned));
        if let Ok(said) = serde_json::from_slice(bytes) {
            return Ok((said, rule));
        }
    }
    Ok((Value::Null, None))
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
