//! Events whose id and signature were checked already: while the rest is still being fetched, and once each, however many
//! relays give them in however many spellings.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::batch::{SchnorrCheck, schnorr};
use super::checks::Checks;
use super::nostr::{id_holds, signature_holds};
use crate::domain::{Digest32, Media, RawEvidence, TaggedHasher};
use crate::evidence::{NostrEvent, nostr_event};

/// A memory of good signatures. It shortens judging and changes no verdict: what it does not know is checked.
///
/// About 45 bytes an event.
#[derive(Debug, Default)]
pub struct Genuine {
    events: BTreeSet<Digest32>,
    checks: u64,
    by: Checks,
}

impl Genuine {
    /// Knows nothing yet, and checks in that way.
    pub fn checking(by: Checks) -> Self {
        Self { by, ..Self::default() }
    }

    /// How signatures are checked, those that are not known yet among them.
    pub fn checks_by(&self) -> Checks {
        self.by
    }

    /// Checks the events among some evidence, in parallel, and remembers the genuine ones. The key of a Schnorr signature
    /// is committed to by the id, so one check stands for every copy of the event.
    pub fn check(&mut self, batch: &[RawEvidence]) {
        let known = &self.events;
        let mut fresh: Vec<(Digest32, NostrEvent)> = (batch.par_iter())
            .filter(|raw| raw.media == Media::NostrEvent)
            .filter_map(|raw| nostr_event(&raw.bytes))
            .filter(|event| id_holds(event).is_ok())
            .map(|event| (mark(&event), event))
            .filter(|(mark, _)| !known.contains(mark))
            .collect();
        fresh.par_sort_unstable_by_key(|(mark, _)| *mark);
        fresh.dedup_by_key(|(mark, _)| *mark);
        let good = match self.by {
            Checks::Single => fresh.par_iter().map(|(_, event)| signature_holds(event)).collect(),
            Checks::Batch => schnorr(&fresh.iter().map(|(_, event)| SchnorrCheck::of(event)).collect::<Vec<_>>()),
        };
        let genuine = fresh.iter().zip(good).filter(|(_, good)| *good).map(|((mark, _), _)| *mark);
        self.events.extend(genuine);
        self.checks += fresh.len() as u64;
    }

    /// True when this very event was found genuine. The caller has recomputed its id.
    pub(super) fn knows(&self, event: &NostrEvent) -> bool {
        !self.events.is_empty() && self.events.contains(&mark(event))
    }

    /// How many signatures were checked.
    pub fn checks(&self) -> u64 {
        self.checks
    }
}

fn mark(event: &NostrEvent) -> Digest32 {
    let mut hasher = TaggedHasher::new("reledger/genuine/1");
    hasher.field(event.id.as_bytes()).field(event.pubkey.as_bytes()).field(&event.sig);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Code, EvidenceId};
    use crate::verify::nostr::judge;

    fn real() -> Vec<String> {
        let path = format!("{}/fixtures/real/nostr/events.jsonl", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
    }

    fn raw(text: &str) -> RawEvidence {
        RawEvidence { media: Media::NostrEvent, about: String::new(), bytes: text.as_bytes().to_vec() }
    }

    fn verdict(text: &str, genuine: &Genuine) -> Option<Code> {
        let event = nostr_event(text.as_bytes()).unwrap();
        judge(&event, EvidenceId(Digest32([0; 32])), genuine).err().map(|finding| finding.code)
    }

    #[test]
    fn every_copy_in_every_spelling_is_checked_once() {
        let lines = real();
        let spaced: Vec<RawEvidence> = lines.iter().map(|line| raw(&line.replacen('{', "{ ", 1))).collect();
        let plain: Vec<RawEvidence> = lines.iter().map(|line| raw(line)).collect();
        let mut genuine = Genuine::default();
        genuine.check(&[plain.clone(), spaced.clone()].concat());
        let distinct = genuine.checks();
        assert!(distinct > 0 && distinct <= lines.len() as u64);
        genuine.check(&spaced);
        genuine.check(&plain);
        assert_eq!(genuine.checks(), distinct);
    }

    #[test]
    fn a_known_signature_vouches_for_no_other_content_and_no_other_signature() {
        let lines = real();
        let line = &lines[0];
        let event = nostr_event(line.as_bytes()).unwrap();
        let mut genuine = Genuine::default();
        genuine.check(&[raw(line)]);
        assert_eq!(verdict(line, &genuine), None);
        let time = format!("\"created_at\":{}", event.created_at.0);
        let dated = line.replace(&time, &format!("\"created_at\":{}", event.created_at.0 + 1));
        assert_ne!(&dated, line);
        assert_eq!(verdict(&dated, &genuine), Some(Code::EvtBadId));
        let signature = faster_hex::hex_string(&event.sig);
        let forged = line.replace(&signature, &format!("{}00", &signature[..126]));
        assert_eq!(verdict(&forged, &genuine), Some(Code::EvtBadSig));
        // A batch of forgeries leaves nothing that a later one could lean on.
        genuine.check(&[raw(&dated), raw(&forged)]);
        assert_eq!(verdict(&dated, &genuine), Some(Code::EvtBadId));
        assert_eq!(verdict(&forged, &genuine), Some(Code::EvtBadSig));
    }
}
