//! Signatures that were checked already: while the rest is still being fetched, by other processes, and once each, however
//! many relays give an event in however many spellings.

use rayon::prelude::*;

use super::batch::{Ed25519Check, SchnorrCheck};
use super::checks::Checks;
use super::envelope;
use super::fixed_base::Tables;
use super::keys::KeyRing;
use crate::domain::{ByDigest, Digest32, Media, RawEvidence, TaggedHasher};
use crate::evidence::{
    CarrierBody, Claim, Decoded, EnvelopeCarrier, EventSignature, NostrEvent, decode, event_signature,
};

/// The media whose signatures are remembered.
pub const SIGNED: [Media; 2] = [Media::NostrEvent, Media::Activity];

/// Signatures that are remembered, while the rest is fetched, at most: what a table of 17 MB has room for, with a batch to spare.
const REMEMBERED_MAX: usize = 450_000;

/// A memory of good signatures. It shortens judging and changes no verdict: what it does not know is checked.
///
/// About 45 bytes a signature.
#[derive(Debug, Default)]
pub struct Genuine {
    /// Each stands for one signature by one key over one message, so none vouches for anything else.
    marks: ByDigest<Digest32, ()>,
    /// False while there are none of envelopes: then nobody need ask for them.
    knows_envelopes: bool,
    checks: u64,
    by: Checks,
    tables: Tables,
}

impl Genuine {
    /// Knows nothing yet, and checks in that way.
    pub fn checking(by: Checks) -> Self {
        Self { by, ..Self::default() }
    }

    /// A memory that knows nothing either and checks in the same way, out of the same tables.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self { by: self.by, tables: self.tables.clone(), ..Self::default() }
    }

    /// How signatures are checked, those that are not known yet among them.
    pub fn checks_by(&self) -> Checks {
        self.by
    }

    /// How many pieces of evidence should be judged together: no more than keep every core busy where their signatures are known.
    pub fn batch_items(&self) -> usize {
        let is_known = !self.marks.is_empty() && self.marks.len() < REMEMBERED_MAX;
        if is_known { Checks::Single } else { self.by }.batch_items()
    }

    /// Tables of those who sign often.
    pub(super) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Checks the signatures of events among some evidence, in parallel, and remembers the good ones. The key of a Schnorr signature
    /// is committed to by the id, so one check stands for every copy of the event; whether the id is that of the event is for
    /// whoever asks. Once there is no room for more, nothing is
    /// checked here: whoever judges does it.
    pub fn check(&mut self, batch: &[RawEvidence]) {
        if self.marks.len() >= REMEMBERED_MAX {
            return;
        }
        let events = batch.par_iter().filter(|raw| raw.media == Media::NostrEvent);
        self.check_events(events.filter_map(|raw| event_signature(&raw.bytes)).collect());
    }

    /// As [`Self::check`], and the signatures of envelopes under these keys too. The key is part of what is remembered: under
    /// another ring the same kid may name another one.
    pub fn check_all(&mut self, batch: &[RawEvidence], ring: &KeyRing) {
        let (events, envelopes): (Vec<_>, Vec<_>) = batch.par_iter().map(signed).unzip();
        self.check_events(events.into_iter().flatten().collect());
        self.check_envelopes(&envelopes.into_iter().flatten().collect::<Vec<_>>(), ring);
    }

    fn check_envelopes(&mut self, carriers: &[EnvelopeCarrier], ring: &KeyRing) {
        let known = &self.marks;
        let (fresh, checks): (Vec<Digest32>, Vec<Ed25519Check<'_>>) = (carriers.par_iter())
            .flat_map_iter(|carrier| envelope::unknown_signatures(carrier, ring, |mark| known.contains(&mark)))
            .unzip();
        let good = self.by.ed25519(&checks, &self.tables);
        self.checks += fresh.len() as u64;
        self.marks.extend(fresh.into_iter().zip(good).filter(|(_, good)| *good).map(|(mark, _)| (mark, ())));
        self.knows_envelopes = true;
    }

    fn check_events(&mut self, events: Vec<EventSignature>) {
        let known = &self.marks;
        let mut fresh: Vec<(Digest32, EventSignature)> = (events.into_par_iter())
            .map(|event| (mark(&event), event))
            .filter(|(mark, _)| !known.contains(mark))
            .collect();
        fresh.par_sort_unstable_by_key(|(mark, _)| *mark);
        fresh.dedup_by_key(|(mark, _)| *mark);
        let checks: Vec<SchnorrCheck> = fresh.iter().map(|(_, event)| SchnorrCheck::of(event)).collect();
        let good = self.by.schnorr(&checks, &self.tables);
        let genuine = fresh.iter().zip(good).filter(|(_, good)| *good).map(|((mark, _), _)| (*mark, ()));
        self.marks.extend(genuine);
        self.checks += fresh.len() as u64;
    }

    /// What is remembered, ascending: for whoever judges elsewhere.
    pub fn marks(&self) -> impl ExactSizeIterator<Item = Digest32> + '_ {
        self.marks.sorted().map(|(mark, ())| *mark)
    }

    /// Takes over what another memory found. Whoever calls this answers for it.
    pub fn learn(&mut self, marks: impl IntoIterator<Item = Digest32>) {
        self.marks.extend(marks.into_iter().map(|mark| (mark, ())));
        self.knows_envelopes = true;
    }

    /// True when this very event was found genuine. The caller has recomputed its id.
    pub(super) fn knows(&self, event: &NostrEvent) -> bool {
        !self.marks.is_empty() && self.marks.contains(&mark(&event.signature()))
    }

    /// True when this very signature by that key over the carrier's id was found good. The caller has recomputed the id.
    pub(super) fn knows_envelope(&self, key: &[u8; 32], carrier: &EnvelopeCarrier, sig: &[u8; 64]) -> bool {
        self.knows_envelopes && self.marks.contains(&envelope_mark(key, carrier, sig))
    }

    /// How many signatures were checked.
    pub fn checks(&self) -> u64 {
        self.checks
    }
}

fn mark(event: &EventSignature) -> Digest32 {
    let mut hasher = TaggedHasher::new("reledger/genuine/1");
    hasher.field(event.id.as_bytes()).field(event.pubkey.as_bytes()).field(&event.sig);
    hasher.finish()
}

/// The signatures of a piece of evidence: the event's, and the envelope in it or by itself.
fn signed(raw: &RawEvidence) -> (Option<EventSignature>, Option<EnvelopeCarrier>) {
    if !SIGNED.contains(&raw.media) {
        return (None, None);
    }
    let Decoded::Claim(claim, _) = decode(raw) else { return (None, None) };
    match *claim {
        Claim::Activity(carrier) => (None, Some(carrier)),
        Claim::Nostr(carrier) => {
            let envelope = match carrier.body {
                CarrierBody::Envelope(envelope) => Some(*envelope),
                _ => None,
            };
            (Some(carrier.event.signature()), envelope)
        }
        _ => (None, None),
    }
}

/// Stands for one signature by one key over one content address.
pub(super) fn envelope_mark(key: &[u8; 32], carrier: &EnvelopeCarrier, sig: &[u8; 64]) -> Digest32 {
    let mut hasher = TaggedHasher::new("reledger/genuine-envelope/1");
    hasher.field(key).field(carrier.declared_id.as_bytes()).field(sig);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Code, EvidenceId};
    use crate::evidence::nostr_event;
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

    #[cfg(feature = "net")]
    #[test]
    fn an_envelope_is_vouched_for_under_its_own_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        crate::sim::write(&crate::sim::World::generate(3, 12), folder.path()).unwrap();
        let text = std::fs::read_to_string(folder.path().join("nostr/events.jsonl")).unwrap();
        let carriers: Vec<EnvelopeCarrier> = text.lines().filter_map(|line| signed(&raw(line)).1).collect();
        let mut ring = KeyRing::default();
        for entry in std::fs::read_dir(folder.path().join("keys")).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            let raw = RawEvidence { media: Media::Jwks, about: String::new(), bytes };
            let Decoded::Claim(claim, _) = decode(&raw) else { continue };
            let Claim::Jwks(set) = *claim else { continue };
            ring.add(&set, raw.id());
        }
        let mut genuine = Genuine::default();
        genuine.check_envelopes(&carriers, &ring);
        assert!(genuine.marks().len() > 5, "every honest envelope is");
        let checks = genuine.checks();
        genuine.check_envelopes(&carriers, &KeyRing::of_signers(ring.signers()));
        assert_eq!(genuine.checks(), checks, "and is checked once");
        // The same names with a key of nobody.
        let nobody = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes();
        let nobody = crate::domain::PublicKey32::from_bytes(nobody);
        let strangers = KeyRing::of_signers(ring.signers().into_iter().map(|(kid, _)| (kid, nobody)));
        let mut none = Genuine::default();
        none.check_envelopes(&carriers, &strangers);
        none.check_envelopes(&carriers, &KeyRing::default());
        assert_eq!(none.marks().len(), 0);
        for carrier in &carriers {
            let Some(sig) = &carrier.sig else { continue };
            assert!(!genuine.knows_envelope(nobody.as_bytes(), carrier, sig));
        }
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
