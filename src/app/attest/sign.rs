//! Signing a finished run. What does not follow from its evidence is not signed.

use std::path::{Path, PathBuf};

use super::file::{attestation_proof, read_attestation};
use crate::app::audit::{audit, read, sealed_store};
use crate::app::error::AppError;
use crate::app::observer::{Cancel, Observer};
use crate::app::pen::Pen;
use crate::domain::{PublicKey32, inert_limited};
use crate::report::{REPORT_SCHEMA, canonical_json};
use crate::seal::{
    ENVELOPE_BYTES_MAX, Envelope, EnvelopeError, IN_TOTO_PAYLOAD, ReportHead, RunStatement, SealTrust,
    SignatureStanding,
};
use crate::verify::Checks;

/// What the caller decides.
#[derive(Debug, Clone)]
pub struct SignOptions {
    /// The run's folder.
    pub run: PathBuf,
    /// The attestation, which may be there already; `None` for one that is written nowhere.
    pub file: Option<PathBuf>,
    /// Draw the report again from the evidence first.
    pub audit: bool,
    /// Overwrite an attestation of something else, and add to one that is stamped.
    pub yes: bool,
    /// Worker threads; 0 is one per core.
    pub jobs: usize,
}

/// What became of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignState {
    /// It is the first signature.
    New,
    /// Others have signed before.
    Added,
    /// This key has signed before: nothing changes.
    Already,
}

/// A signed run.
#[derive(Debug, Clone)]
pub struct SignedRun {
    /// The attestation's bytes.
    pub bytes: Vec<u8>,
    /// What is stated.
    pub statement: RunStatement,
    /// Who signed.
    pub key: PublicKey32,
    /// Signatures in it now.
    pub signatures: usize,
    /// What became of the file.
    pub state: SignState,
    /// A stamp that was made of the file as it was before, and is void now.
    pub orphaned: Option<PathBuf>,
}

/// Signs what a finished run came to, whatever it came to. Writes nothing.
///
/// # Errors
/// [`AppError::Untrusted`] when a member of the run is not what the manifest says, the report does not follow from the
/// evidence, or a signature in the file does not hold; [`AppError::Refused`] for a file that attests something else or is
/// stamped, without `yes`; [`AppError::Config`] for a folder without a finished run, or a report of another version.
pub fn sign_run(
    options: &SignOptions,
    pen: &Pen,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<SignedRun, AppError> {
    let (statement, payload) = stated(&options.run)?;
    let fresh = Envelope::unsigned(IN_TOTO_PAYLOAD, payload);
    let mut envelope = match &options.file {
        Some(file) => begun(file, &fresh, options.yes)?.unwrap_or(fresh),
        None => fresh,
    };
    let key = pen.key();
    let before = envelope.judge(SealTrust::Anyone).len();
    if envelope.names(&key) {
        let bytes = envelope.to_bytes();
        return Ok(SignedRun { bytes, statement, key, signatures: before, state: SignState::Already, orphaned: None });
    }
    let orphaned = options.file.as_deref().map(attestation_proof).filter(|proof| proof.exists());
    if let Some(proof) = orphaned.as_ref().filter(|_| !options.yes) {
        return Err(AppError::Refused {
            what: format!(
                "{} is the stamp of the file as it is: one more signature would make it void",
                proof.display()
            ),
            hint: "say --yes, and stamp it again; or write another file with -o".to_owned(),
        });
    }
    if options.audit {
        let audited = audit(&options.run, (options.jobs, Checks::default()), observer, cancel)?;
        if let Some(place) = audited.first_difference {
            let place = inert_limited(&place, 200);
            return Err(untrusted(&format!(
                "report.json does not follow from the evidence: first difference at {place}"
            )));
        }
    }
    envelope.add(&key, &pen.sign_bytes(&envelope.message()));
    let bytes = envelope.to_bytes();
    // What we would not read again, nobody else would.
    Envelope::from_bytes(&bytes).map_err(|error| AppError::Refused {
        what: format!("the attestation would be {error}"),
        hint: format!("an attestation has at most {ENVELOPE_BYTES_MAX} bytes and 64 signatures"),
    })?;
    let state = if before == 0 { SignState::New } else { SignState::Added };
    Ok(SignedRun { bytes, statement, key, signatures: before + 1, state, orphaned })
}

/// What is to be stated of the run, as value and as canonical bytes, after its members were held against the manifest.
fn stated(root: &Path) -> Result<(RunStatement, Vec<u8>), AppError> {
    let (_, manifest) = sealed_store(root)?;
    let report = read(root, "report.json")?;
    let head = report_head(&report)?;
    if head.evidence_root() != manifest.evidence_root {
        return Err(untrusted("report.json names another evidence root than evidence/manifest.json"));
    }
    let statement = RunStatement::about(&head, &report, &read(root, "evidence/manifest.json")?);
    let value = serde_json::to_value(&statement).map_err(|error| AppError::Internal(error.to_string()))?;
    Ok((statement, canonical_json(&value)))
}

/// The head of a report of the version that is known.
///
/// # Errors
/// [`AppError::Config`] for another version; [`AppError::Untrusted`] for what is no report.
pub(super) fn report_head(report: &[u8]) -> Result<ReportHead, AppError> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        schema: String,
    }
    let version: Option<Versioned> = serde_json::from_slice(report).ok();
    match version {
        Some(version) if version.schema != REPORT_SCHEMA => Err(AppError::Config {
            what: format!("report.json is of schema `{}`, not {REPORT_SCHEMA}", inert_limited(&version.schema, 80)),
            hint: "use the version of the program that made the run".to_owned(),
        }),
        _ => ReportHead::from_bytes(report).map_err(|error| untrusted(&format!("report.json: {error}"))),
    }
}

fn untrusted(what: &str) -> AppError {
    AppError::Untrusted { what: format!("checksum_error: {what}") }
}

/// The attestation that stands in the file, when it is one of the same statement. A broken one is not added to.
fn begun(file: &Path, fresh: &Envelope, yes: bool) -> Result<Option<Envelope>, AppError> {
    if !file.exists() {
        return Ok(None);
    }
    let of_something_else = |error: Option<EnvelopeError>| {
        let why = error.map(|error| format!(": {}", inert_limited(&error.to_string(), 160))).unwrap_or_default();
        AppError::Refused {
            what: format!("{} attests something else than this run{why}", file.display()),
            hint: "say --yes to overwrite it, or name another with -o".to_owned(),
        }
    };
    let envelope = match Envelope::from_bytes(&read_attestation(file)?) {
        Ok(envelope) if envelope.payload_type == fresh.payload_type && envelope.payload == fresh.payload => envelope,
        _ if yes => return Ok(None),
        Ok(_) => return Err(of_something_else(None)),
        Err(error) => return Err(of_something_else(Some(error))),
    };
    let broken = envelope.judge(SealTrust::Anyone).into_iter().find_map(|judged| match judged.standing {
        SignatureStanding::Broken(key) => Some(key),
        _ => None,
    });
    match broken {
        Some(_) if yes => Ok(None),
        Some(key) => Err(AppError::Untrusted {
            what: format!("signature_mismatch: in {} the signature by {key} does not hold", file.display()),
        }),
        None => Ok(Some(envelope)),
    }
}
