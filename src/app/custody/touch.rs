//! Which divergences an answer about somebody's custody has to tell.

use std::collections::BTreeSet;

use crate::app::coverage::Survey;
use crate::domain::{Divergence, EvidenceId, Media, RawEvidence, State, Step};
use crate::evidence::{CarrierBody, Claim, Decoded, OcMeKind, decode};
use crate::ledger::Transition;
use crate::verify::{Carriers, Verified, VerifiedSet};

/// Of codes about envelopes, their keys, their carriers and custody, whatever stands open tells on an answer.
const FAMILIES: [&str; 4] = ["REB_", "ENV_", "KEY_", "EVT_"];
/// What a custody record that can't be read says of itself.
const WORDS: [&str; 4] = ["oc-me-rebind", "federation-custody", "orangecheck-graduation", "federation-rotation"];

/// Who is asked about, and what the answer is made of.
pub(super) struct Asked<'a> {
    pub(super) survey: &'a Survey,
    /// The principal's names; of an address, with the principal.
    pub(super) names: BTreeSet<&'a str>,
    /// Key ids that signed rebinds of the principal, counted or not.
    pub(super) kids: BTreeSet<&'a str>,
    /// Ids of rebinds that do not count.
    pub(super) excluded: BTreeSet<String>,
}

impl Asked<'_> {
    /// True when it is open and names the principal, a key that its rebinds are signed with, or a record of the principal
    /// that does not count.
    pub(super) fn concerns(&self, divergence: &Divergence) -> bool {
        let name = divergence.code.name();
        if divergence.state != State::Open || !FAMILIES.iter().any(|family| name.starts_with(family)) {
            return false;
        }
        let is_named = |(member, value): (&String, &String)| {
            self.names.contains(value.as_str())
                || self.excluded.contains(value)
                || member == "kid" && self.kids.contains(value.as_str())
        };
        divergence.subject.0.iter().any(is_named) || divergence.evidence.iter().any(|evidence| self.is_in(evidence.id))
    }

    fn is_in(&self, id: EvidenceId) -> bool {
        self.survey.raw(id).is_some_and(|raw| speaks_of(&raw, &self.names))
    }
}

/// True when these bytes are of a custody record, readable or not, and contain one of the names. Other envelopes of a user
/// say nothing about custody.
fn speaks_of(raw: &RawEvidence, names: &BTreeSet<&str>) -> bool {
    let has = |bytes: &[u8], text: &str| {
        !text.is_empty() && bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    let names_one = |bytes: &[u8]| names.iter().any(|name| has(bytes, name));
    match raw.media {
        Media::Custody => names_one(&raw.bytes),
        Media::NostrEvent => {
            if let Decoded::Claim(claim, _) = decode(raw)
                && let Claim::Nostr(carrier) = *claim
                && let CarrierBody::Envelope(envelope) = carrier.body
            {
                let is_rebind = envelope.kind == OcMeKind::Rebind;
                return is_rebind && envelope.candidates.tried().iter().any(|(_, bytes)| names_one(bytes));
            }
            names_one(&raw.bytes) && WORDS.iter().any(|word| has(&raw.bytes, word))
        }
        _ => false,
    }
}

/// True when a divergence is about that transition: it names it, or is a judgement of what carries it.
pub(super) fn touches(divergence: &Divergence, one: &Transition, set: &VerifiedSet) -> bool {
    let id = one.id.to_hex();
    let is_named = divergence.subject.0.values().any(|value| *value == id);
    // Captures and balances rest on carriers too, and say nothing about what these say.
    let is_judgement = matches!(divergence.step, Step::Replay | Step::Anchoring);
    let carriers = || carriers(one, set);
    is_named || is_judgement && divergence.evidence.iter().any(|evidence| carriers().contains(evidence.id))
}

fn carriers(one: &Transition, set: &VerifiedSet) -> Carriers {
    let id = crate::domain::EnvelopeId(one.id);
    let envelope = set.envelopes.get(&id).map(|envelope| envelope.carriers().clone());
    let graduation = || set.graduations.get(&one.id).map(Verified::carriers).cloned();
    let rotation = || set.rotations.get(&one.id).map(Verified::carriers).cloned();
    envelope.or_else(graduation).or_else(rotation).unwrap_or_else(|| one.carrier.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_records_of_custody_speak_of_somebody() {
        let raw = |media, text: &str| RawEvidence { media, about: String::new(), bytes: text.as_bytes().to_vec() };
        let names = BTreeSet::from(["bc1quser"]);
        let says = |media, text: &str| speaks_of(&raw(media, text), &names);
        assert!(says(Media::Custody, r#"{"address":"bc1quser","#));
        assert!(says(Media::NostrEvent, r#"{"content":"oc-me-rebind bc1quser"#));
        // Near misses: somebody else, another record, another file.
        assert!(!says(Media::Custody, r#"{"address":"bc1qother"}"#));
        assert!(!says(Media::NostrEvent, r#"{"content":"oc-me-event bc1quser"}"#));
        assert!(!says(Media::Jwks, "bc1quser oc-me-rebind"));
    }
}
