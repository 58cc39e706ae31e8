//! Judging an attestation: who signed it, whether the run at hand is the one that is attested, and since when it exists.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::sign::report_head;
use crate::app::audit::{read, sealed_store};
use crate::app::error::AppError;
use crate::app::observer::Cancel;
use crate::app::ots::{JudgedProof, ProofVerdict, verify_proof_bytes};
use crate::app::run::RunFolder;
use crate::domain::{Code, Condition, Digest32, NostrEventId, Outcome, PublicKey32, TrustPolicy, UnixSeconds, sha256};
use crate::seal::{
    Attested, Envelope, IN_TOTO_PAYLOAD, JudgedSignature, Manifest, RunStatement, SealTrust, SignatureStanding,
};
use crate::verify::HeaderTrust;

/// What stands for a signature that does not count.
const MISMATCH: &str = "signature_mismatch";
/// What stands for a file that is not what was attested.
const CHECKSUM: &str = "checksum_error";

/// Whose signatures count, and how many of them are wanted.
#[derive(Debug, Clone, Default)]
pub struct AttestationTrust {
    /// The keys. Without any, only integrity can be told.
    pub keys: BTreeSet<PublicKey32>,
    /// Least number of different keys; 0 counts as 1.
    pub threshold: usize,
}

/// What a proof is judged by.
#[derive(Debug, Clone, Copy)]
pub struct HeadersAtHand<'a> {
    /// Files of consecutive headers.
    pub files: &'a [PathBuf],
    /// A run whose evidence may hold headers.
    pub run: Option<&'a Path>,
    /// Checkpoint, depth, calendars.
    pub policy: &'a TrustPolicy,
    /// The weakest trust in a header that attests.
    pub min_trust: HeaderTrust,
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttestationFault {
    /// `signature_mismatch` or `checksum_error`.
    pub code: &'static str,
    /// What, with the member's name. May hold foreign text, still raw.
    pub what: String,
}

/// What a subject was compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Compared {
    /// Nothing.
    Not,
    /// The run's own, and it is the same.
    Same,
    /// The run's own, and it is another.
    Other,
    /// The run has none.
    Missing,
}

impl Compared {
    /// `not-compared`, `same`, `other` or `missing`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Not => "not-compared",
            Self::Same => "same",
            Self::Other => "other",
            Self::Missing => "missing",
        }
    }
}

/// The Nostr event that an attestation was taken from. Its id and signature hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCarrier {
    /// Who gave it.
    pub relay: String,
    /// Its id.
    pub id: NostrEventId,
    /// Who published it.
    pub author: PublicKey32,
    /// When, by the author's word.
    pub created_at: UnixSeconds,
}

/// A judged attestation.
#[derive(Debug, Clone)]
pub struct JudgedAttestation {
    /// Where it was found.
    pub place: String,
    /// sha256 of its bytes: what a stamp proves.
    pub id: Digest32,
    /// Every signature in it.
    pub signatures: Vec<JudgedSignature>,
    /// Different keys that count and have signed.
    pub trusted: usize,
    /// How many of them were wanted; `None` when nobody's key was given.
    pub threshold: Option<usize>,
    /// What is stated, when it can be read.
    pub statement: Option<RunStatement>,
    /// What it is about, with what it was compared with.
    pub subjects: Vec<(Attested, Digest32, Compared)>,
    /// The judged proof.
    pub proof: Option<JudgedProof>,
    /// The event that carried it.
    pub carrier: Option<EventCarrier>,
    /// What does not hold.
    pub faults: Vec<AttestationFault>,
    /// What could not be established.
    pub open: Vec<String>,
}

/// Judges an attestation's bytes by themselves.
pub fn judge_attestation(place: &str, bytes: &[u8], trust: &AttestationTrust) -> JudgedAttestation {
    let mut judged = JudgedAttestation {
        place: place.to_owned(),
        id: sha256(bytes),
        signatures: Vec::new(),
        trusted: 0,
        threshold: (!trust.keys.is_empty()).then_some(trust.threshold.max(1)),
        statement: None,
        subjects: Vec::new(),
        proof: None,
        carrier: None,
        faults: Vec::new(),
        open: Vec::new(),
    };
    match Envelope::from_bytes(bytes) {
        Ok(envelope) => {
            judged.sign(&envelope, trust);
            judged.read(&envelope);
        }
        Err(error) => judged.fault(CHECKSUM, format!("it can't be read: {error}")),
    }
    judged
}

impl JudgedAttestation {
    /// The gravest condition, if any.
    pub fn condition(&self) -> Option<Condition> {
        if !self.faults.is_empty() {
            Some(Condition::UntrustedInput)
        } else if !self.open.is_empty() {
            Some(Condition::Incomplete)
        } else {
            None
        }
    }

    /// The exit code of that condition, else 0.
    pub fn exit_code(&self) -> u8 {
        let mut outcome = Outcome::default();
        self.condition().into_iter().for_each(|condition| outcome.add(condition));
        outcome.exit_code().0
    }

    fn fault(&mut self, code: &'static str, what: String) {
        self.faults.push(AttestationFault { code, what });
    }

    fn sign(&mut self, envelope: &Envelope, trust: &AttestationTrust) {
        self.signatures = envelope.judge(SealTrust::of(&trust.keys));
        let mut trusted = BTreeSet::new();
        for judged in &self.signatures {
            match judged.standing {
                SignatureStanding::Trusted(key) => drop(trusted.insert(key)),
                // The protocol passes over what fails; here it is told: what somebody signed was changed since.
                SignatureStanding::Broken(key) => self
                    .faults
                    .push(AttestationFault { code: MISMATCH, what: format!("the signature by {key} does not hold") }),
                SignatureStanding::Unknown(_) | SignatureStanding::Foreign => {}
            }
        }
        self.trusted = trusted.len();
        match self.threshold {
            None => self.open.push("nobody's key was given: integrity only".to_owned()),
            Some(wanted) if self.trusted < wanted => {
                let (signed, of) = (self.trusted, trust.keys.len());
                let what = format!("{signed} of the {of} keys that count have signed, and {wanted} must");
                self.fault(MISMATCH, what);
            }
            Some(_) => {}
        }
    }

    fn read(&mut self, envelope: &Envelope) {
        if envelope.payload_type != IN_TOTO_PAYLOAD {
            return self.fault(CHECKSUM, format!("the payload is not {IN_TOTO_PAYLOAD}"));
        }
        match RunStatement::from_bytes(&envelope.payload) {
            Ok(statement) => {
                let subject = |attested| (attested, statement.digest(attested), Compared::Not);
                self.subjects = Attested::ALL.into_iter().map(subject).collect();
                self.statement = Some(statement);
            }
            Err(error) => self.fault(CHECKSUM, format!("the payload is {error}")),
        }
    }

    /// Compares every subject with the run in `root`, and the run's evidence with its manifest.
    ///
    /// # Errors
    /// [`AppError::Config`] for a folder that is not there, or a report of another version; [`AppError`] for local
    /// failures.
    pub fn compare(&mut self, root: &Path) -> Result<(), AppError> {
        std::fs::metadata(root).map_err(AppError::missing(root))?;
        let report = found(root, "report.json")?;
        let manifest = found(root, "evidence/manifest.json")?;
        let head = match report.as_deref().map(report_head).transpose() {
            // A report that is none has no state root.
            Err(AppError::Untrusted { .. }) => None,
            head => head?,
        };
        let sealed = manifest.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
        let sealed = sealed.and_then(|text| Manifest::from_text(text).ok());
        let mut faults = Vec::new();
        for (attested, stated, compared) in &mut self.subjects {
            let here = match attested {
                Attested::Report => report.as_deref().map(sha256),
                Attested::Manifest => manifest.as_deref().map(sha256),
                Attested::Evidence => sealed.as_ref().map(|manifest| manifest.evidence_root),
                Attested::State => head.as_ref().map(|head| head.state_root),
            };
            *compared = match here {
                None => Compared::Missing,
                Some(here) if here == *stated => Compared::Same,
                Some(_) => Compared::Other,
            };
            let (name, digest) = (attested.name(), attested.digest_name());
            match *compared {
                Compared::Missing => faults.push(format!("the run has no {digest} of {name}")),
                Compared::Other => faults.push(format!("{name} has another {digest} than is attested")),
                Compared::Same | Compared::Not => {}
            }
        }
        for what in faults {
            self.fault(CHECKSUM, what);
        }
        match sealed_store(root) {
            Ok(_) => Ok(()),
            Err(AppError::Untrusted { what }) => {
                let what = what.strip_prefix("checksum_error: ").unwrap_or(&what).to_owned();
                self.fault(CHECKSUM, what);
                Ok(())
            }
            // What is missing was told above.
            Err(AppError::Config { .. }) if manifest.is_none() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Judges the proof that these bytes were there when a block was found.
    ///
    /// # Errors
    /// [`AppError`] for headers that can't be read.
    pub fn prove(
        &mut self,
        name: &str,
        proof: Vec<u8>,
        with: &HeadersAtHand<'_>,
        cancel: &Cancel,
    ) -> Result<(), AppError> {
        let run = with.run.map(RunFolder::at);
        let judged = verify_proof_bytes(
            (name, proof),
            self.id,
            (with.files, run.as_ref()),
            (with.min_trust, with.policy),
            cancel,
        )?;
        let (wrong, others): (Vec<_>, Vec<_>) = judged.findings.iter().partition(|(code, _)| is_wrong(code));
        let told = if wrong.is_empty() { others } else { wrong.clone() };
        let told: Vec<String> = told.into_iter().map(|(code, why)| format!("{code} {why}")).collect();
        // A branch that leads nowhere is told beside one that leads to a block: the proof was changed since it was made.
        if !wrong.is_empty() || matches!(judged.verdict, ProofVerdict::Wrong | ProofVerdict::Unreadable) {
            self.fault(CHECKSUM, format!("the proof does not hold: {}", told.join("; ")));
        } else if let Some(open) = unproven(judged.verdict) {
            self.open.push(open.to_owned());
        }
        self.proof = Some(judged);
        Ok(())
    }
}

fn found(root: &Path, name: &str) -> Result<Option<Vec<u8>>, AppError> {
    match read(root, name) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(AppError::Config { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// True for what no proof has that is as it was made.
fn is_wrong(code: &str) -> bool {
    [Code::OtsDigest, Code::OtsMalformed, Code::OtsLimit, Code::OtsRoot].iter().any(|wrong| wrong.name() == code)
}

/// Why a proof that may hold proves no time.
const fn unproven(verdict: ProofVerdict) -> Option<&'static str> {
    match verdict {
        ProofVerdict::Attested | ProofVerdict::Wrong | ProofVerdict::Unreadable => None,
        ProofVerdict::Pending => Some("the proof is pending: no block commits to it yet"),
        ProofVerdict::HeaderMissing => Some("the proof names a block whose header is not at hand"),
        ProofVerdict::Weak => Some("the proof leads to a block whose header is trusted less than was asked"),
        ProofVerdict::Unchecked => Some("nothing in the proof can be checked"),
    }
}
