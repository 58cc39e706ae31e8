//! The evidence that brought a thing: what it is, and every place where it was seen.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::known::Known;
use super::model::{Capture, Carrier, EventTold, KeyTold, Seen};
use crate::app::error::AppError;
use crate::domain::{EvidenceId, KeyId, Media, RawEvidence};
use crate::evidence::{Claim, Decoded, decode, nostr_event};
use crate::store::{EvidenceStore as _, SideRecord};

/// All of these that are held, ascending.
pub(super) fn told(known: &Known, ids: &BTreeSet<EvidenceId>) -> Result<Vec<Carrier>, AppError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut seen: BTreeMap<EvidenceId, BTreeSet<Seen>> = BTreeMap::new();
    known.store.scan_side(&mut |record| {
        if let SideRecord::Sighting(sighting) = record
            && ids.contains(&sighting.evidence)
        {
            let place = Seen { source: sighting.source.0, place: sighting.place, offset: sighting.offset };
            seen.entry(sighting.evidence).or_default().insert(place);
        }
        ControlFlow::Continue(())
    })?;
    let mut carriers = Vec::new();
    for id in ids {
        let Some(evidence) = known.store.get(id)? else { continue };
        let places = seen.remove(id).unwrap_or_default();
        carriers.push(Carrier {
            evidence: id.to_string(),
            media: evidence.media.name().to_owned(),
            bytes: u64::try_from(evidence.bytes.len()).unwrap_or(u64::MAX),
            event: event(known, *id, &evidence),
            seen: places.into_iter().collect(),
        });
    }
    Ok(carriers)
}

fn event(known: &Known, id: EvidenceId, evidence: &RawEvidence) -> Option<EventTold> {
    let event = nostr_event(&evidence.bytes).filter(|_| evidence.media == Media::NostrEvent)?;
    Some(EventTold {
        id: event.id.to_string(),
        pubkey: event.pubkey.to_string(),
        created_at: event.created_at.0,
        kind: event.kind,
        d: known.hidden.text(event.tag("d").unwrap_or_default()),
        genuine: known.set.events.contains_key(&id),
    })
}

/// A key and every captured set that publishes it.
pub(super) fn key(known: &Known, kid: &KeyId) -> Result<KeyTold, AppError> {
    let mut captures = BTreeSet::new();
    known.store.scan(&[Media::Jwks, Media::AuthJwks], &mut |id, evidence| {
        if let Decoded::Claim(claim, _) = decode(&evidence)
            && let Claim::Jwks(set) = *claim
        {
            captures.extend(set.keys.iter().filter(|(name, _)| name == kid).map(|(_, key)| Capture {
                evidence: id.to_string(),
                set: if set.auth { "auth" } else { "envelope" },
                host: set.host.clone(),
                public_key: key.to_string(),
            }));
        }
        ControlFlow::Continue(())
    })?;
    let leaks = known.policy.compromised.iter().filter(|leak| leak.kid == *kid);
    Ok(KeyTold {
        kid: kid.to_string(),
        public_key: known.set.keys.get(kid).map(|held| held.key.to_string()),
        captures: captures.into_iter().collect(),
        compromised_at: leaks.map(|leak| leak.at.0).min(),
    })
}

/// Evidence in whose bytes a text stands.
pub(super) fn mentions(known: &Known, text: &str) -> Result<BTreeSet<EvidenceId>, AppError> {
    let mut found = BTreeSet::new();
    known.store.scan(&Media::ALL, &mut |id, evidence| {
        if String::from_utf8_lossy(&evidence.bytes).contains(text) {
            found.insert(id);
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}
