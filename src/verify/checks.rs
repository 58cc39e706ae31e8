//! How signatures are checked: one by one, or all of a batch at once.

use rayon::prelude::*;

use super::batch::{Ed25519Check, SchnorrCheck};
use super::fixed_base::{self, Tables};
use super::judge::{Bench, Good};
use super::merge::Judged;
use super::{envelope, nostr, settlement};
use crate::domain::{EvidenceId, RawEvidence};
use crate::evidence::{CarrierBody, Claim, Decoded, EnvelopeCarrier, EventSignature, decode};

/// How signatures are checked. No verdict depends on it (docs/adr/0028, docs/adr/0035).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checks {
    /// Each by libsecp256k1 and strict Ed25519 alone: for whoever wants to rely on nothing else.
    Library,
    /// Each by an equation of its own; under keys that sign often by tables of their multiples.
    #[default]
    Single,
    /// The same where keys sign often, and many strangers' at once; what does not hold so is judged by itself.
    Batch,
}

type Batch<'b> = [(EvidenceId, &'b RawEvidence)];

impl Checks {
    /// How many pieces of evidence should be judged together, where their signatures are to be checked.
    pub(super) const fn batch_items(self) -> usize {
        match self {
            // Enough to keep every core busy, few enough to stay in cache.
            Self::Library | Self::Single => 1_024,
            // A batch of signatures costs less the larger it is.
            Self::Batch => 2_048,
        }
    }

    /// Decodes and judges in parallel, in the order of the input.
    pub(super) fn judge(self, bench: &Bench<'_>, batch: &Batch<'_>) -> Vec<Judged> {
        // An indexed parallel map keeps the order of its input, whatever the number of threads.
        let read: Vec<Read> = batch.par_iter().map(|(_, raw)| Read::of(raw)).collect();
        let good = self.good(bench, &read);
        let all = batch.par_iter().zip(read).zip(good);
        all.map(|(((id, raw), read), good)| bench.judge(*id, raw, read.decoded, good)).collect()
    }

    /// Which signatures are good, found side by side.
    fn good(self, bench: &Bench<'_>, read: &[Read]) -> Vec<Good> {
        let wanted: Vec<Wanted<'_>> = read.par_iter().map(|read| wanted(bench, read)).collect();
        let known = |wanted: &Wanted<'_>| Good {
            event: wanted.is_known,
            envelope: wanted.envelope.filter(|(_, check)| check.is_none()).map(|(place, _)| place),
            settlement: false,
        };
        let mut good: Vec<Good> = wanted.iter().map(known).collect();
        let tables = bench.genuine.tables();
        for at in holding(wanted.iter().map(|wanted| wanted.event), |checks| self.schnorr(checks, tables)) {
            good[at].event = true;
        }
        let envelopes = wanted.iter().map(|wanted| wanted.envelope.and_then(|(_, check)| check));
        for at in holding(envelopes, |checks| self.ed25519(checks, tables)) {
            good[at].envelope = wanted[at].envelope.map(|(place, _)| place);
        }
        for at in holding(wanted.iter().map(|wanted| wanted.settlement), |checks| self.ed25519(checks, tables)) {
            good[at].settlement = true;
        }
        good
    }

    /// One answer for each, on all cores.
    pub(super) fn schnorr(self, checks: &[SchnorrCheck], tables: &Tables) -> Vec<bool> {
        match self {
            Self::Library => checks.par_iter().map(SchnorrCheck::holds).collect(),
            Self::Single => fixed_base::schnorr(checks, tables),
            Self::Batch => fixed_base::schnorr_and_batches(checks, tables),
        }
    }

    /// One answer for each, on all cores.
    pub(super) fn ed25519(self, checks: &[Ed25519Check], tables: &Tables) -> Vec<bool> {
        match self {
            Self::Library => checks.par_iter().map(Ed25519Check::holds).collect(),
            Self::Single => fixed_base::ed25519(checks, tables),
            Self::Batch => fixed_base::ed25519_and_batches(checks, tables),
        }
    }
}

/// The places of those that hold, judged all at once.
fn holding<C>(
    checks: impl Iterator<Item = Option<C>>,
    judge: impl Fn(&[C]) -> Vec<bool>,
) -> impl Iterator<Item = usize> {
    let (places, checks): (Vec<usize>, Vec<C>) =
        checks.enumerate().filter_map(|(at, check)| Some((at, check?))).unzip();
    places.into_iter().zip(judge(&checks)).filter(|(_, holds)| *holds).map(|(at, _)| at)
}

/// A piece of evidence as it was read.
struct Read {
    decoded: Decoded,
    /// For an event: its id is the hash of its serialisation. Found out while what is hashed is near.
    has_its_id: bool,
}

impl Read {
    fn of(raw: &RawEvidence) -> Self {
        let decoded = decode(raw);
        let has_its_id = match &decoded {
            Decoded::Claim(claim, _) => match claim.as_ref() {
                Claim::Nostr(carrier) => {
                    let spelled = carrier.spelled.clone().and_then(|at| raw.bytes.get(at));
                    nostr::id_holds(&carrier.event, spelled).is_ok()
                }
                _ => false,
            },
            Decoded::Undecodable(_) => false,
        };
        Self { decoded, has_its_id }
    }
}

/// The signatures that decide over one piece of evidence.
#[derive(Default)]
struct Wanted<'d> {
    /// The event's was checked before.
    is_known: bool,
    event: Option<SchnorrCheck>,
    /// With the place of what it signs; without a check where it was checked before.
    envelope: Option<(usize, Option<Ed25519Check<'d>>)>,
    settlement: Option<Ed25519Check<'d>>,
}

fn wanted<'d>(bench: &Bench<'_>, read: &'d Read) -> Wanted<'d> {
    let Decoded::Claim(claim, _) = &read.decoded else { return Wanted::default() };
    let envelope = |carrier: &'d EnvelopeCarrier| envelope::signature(carrier, (bench.ring, bench.genuine));
    match claim.as_ref() {
        Claim::Activity(carrier) => Wanted { envelope: envelope(carrier), ..Wanted::default() },
        Claim::Settlement(claim) => Wanted { settlement: Some(settlement::signature(claim)), ..Wanted::default() },
        // The signature over a wrong id is not looked at, nor anything that such an event carries.
        Claim::Nostr(carrier) if read.has_its_id => {
            let is_known = bench.genuine.knows(&carrier.event);
            let event = (!is_known).then(|| SchnorrCheck::of(&carrier.event.signature()));
            let envelope = match &carrier.body {
                CarrierBody::Envelope(carrier) => envelope(carrier),
                _ => None,
            };
            Wanted { is_known, event, envelope, settlement: None }
        }
        _ => Wanted::default(),
    }
}

impl SchnorrCheck {
    /// Of an event's author over the id that it declares.
    pub(super) fn of(event: &EventSignature) -> Self {
        Self { key: *event.pubkey.as_bytes(), message: *event.id.as_bytes(), signature: event.sig }
    }
}
