//! Judging proof files against the headers at hand, with how far each header may be trusted.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::file::{FileFault, ProofFile, about, hash_name, hex, proof_files};
use crate::app::chain::gather;
use crate::app::observer::Cancel;
use crate::app::{AppError, RunFolder};
use crate::domain::{BlockHash, BlockHeight, Code, Digest32, EvidenceId, Media, RawEvidence, TrustPolicy, UnixSeconds};
use crate::evidence::ots::{FileHash, Proof, Root};
use crate::verify::headers::HeaderChain;
use crate::verify::ots::{FileDigest, allowed_host, judge, open_branches};
use crate::verify::{AnchorState, HeaderTrust};

/// Bytes of a target read at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// What the proofs are held against.
#[derive(Debug, Clone, Default)]
pub struct VerifyProofs {
    /// Files of consecutive headers.
    pub headers: Vec<PathBuf>,
    /// The file that was stamped; for one proof.
    pub target: Option<PathBuf>,
    /// The digest that was stamped; for one proof.
    pub digest: Option<String>,
    /// The weakest trust in a header that attests.
    pub min_trust: Option<HeaderTrust>,
}

/// How a proof stands, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProofVerdict {
    /// A block commits to the digest, and its header is trusted as far as was asked.
    Attested,
    /// A block does, by a header that is trusted less than was asked.
    Weak,
    /// It names a block whose header is not at hand.
    HeaderMissing,
    /// Calendars only.
    Pending,
    /// Nothing in it can be checked.
    Unchecked,
    /// It is about something else, or leads to no block that it names.
    Wrong,
    /// It can't be read.
    Unreadable,
}

impl ProofVerdict {
    /// The kebab-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attested => "attested",
            Self::Weak => "weak",
            Self::HeaderMissing => "header-missing",
            Self::Pending => "pending",
            Self::Unchecked => "unchecked",
            Self::Wrong => "wrong",
            Self::Unreadable => "unreadable",
        }
    }

    /// 0 attested, 1 wrong or unreadable, 3 not established.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Attested => 0,
            Self::Weak | Self::HeaderMissing | Self::Pending | Self::Unchecked => 3,
            Self::Wrong | Self::Unreadable => 1,
        }
    }
}

/// What the digest inside a proof was compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Nothing: only the digest inside speaks.
    None,
    /// This file or digest, and it is the same.
    Same(String),
    /// This file or digest, and it is another.
    Other(String),
}

/// A block that commits to the digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorFound {
    /// Height.
    pub height: BlockHeight,
    /// Block hash.
    pub hash: BlockHash,
    /// The header's own time.
    pub time: UnixSeconds,
    /// `chain`, `pinned-epoch` or `isolated`.
    pub trust: &'static str,
    /// It cannot reasonably be replaced.
    pub is_final: bool,
}

/// A branch that waits for a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingFound {
    /// The calendar's address: foreign text, still raw.
    pub uri: String,
    /// What it is asked for, in hex.
    pub commitment: String,
    /// When it was submitted.
    pub submitted: Option<UnixSeconds>,
    /// The allow-list names the calendar.
    pub allowed: bool,
}

/// One judged proof.
#[derive(Debug, Clone)]
pub struct JudgedProof {
    /// The file, as named.
    pub file: String,
    /// How it stands.
    pub verdict: ProofVerdict,
    /// The hash and the digest in hex, where known.
    pub digest: Option<(String, String)>,
    /// What the digest was compared with.
    pub target: Target,
    /// Blocks, lowest first.
    pub anchors: Vec<AnchorFound>,
    /// Heights whose headers are not at hand.
    pub headers_missing: Vec<BlockHeight>,
    /// Branches that no block answers.
    pub pending: Vec<PendingFound>,
    /// Codes and explanations; foreign text still raw.
    pub findings: Vec<(&'static str, String)>,
}

/// Judges proof files. Contacts nobody.
///
/// # Errors
/// [`AppError::Config`] for paths that are not there, a digest that is none, or a target for several proofs.
pub fn verify_proofs(
    files: &[PathBuf],
    against: &VerifyProofs,
    run: &RunFolder,
    policy: &TrustPolicy,
    cancel: &Cancel,
) -> Result<Vec<JudgedProof>, AppError> {
    let files = proof_files(files)?;
    if files.len() != 1 && (against.target.is_some() || against.digest.is_some()) {
        return Err(AppError::Config {
            what: format!("one target cannot belong to {} proofs", files.len()),
            hint: "leave out --file and --digest, or name one proof".to_owned(),
        });
    }
    let held = gather(&against.headers, Some(run), cancel)?.judge(&policy.headers);
    files.iter().map(|file| judged(file, against, &held.chain, policy)).collect()
}

/// Judges a proof that stands in no file, about that digest, by these headers and those of a run.
///
/// # Errors
/// [`AppError`] for headers that can't be read.
pub(in crate::app) fn verify_proof_bytes(
    (name, bytes): (&str, Vec<u8>),
    about: Digest32,
    (headers, run): (&[PathBuf], Option<&RunFolder>),
    (min_trust, policy): (HeaderTrust, &TrustPolicy),
    cancel: &Cancel,
) -> Result<JudgedProof, AppError> {
    let against = VerifyProofs { digest: Some(about.to_hex()), min_trust: Some(min_trust), ..VerifyProofs::default() };
    let held = gather(headers, run, cancel)?.judge(&policy.headers);
    judged(&ProofFile { path: PathBuf::from(name), bytes }, &against, &held.chain, policy)
}

fn judged(
    file: &ProofFile,
    against: &VerifyProofs,
    chain: &HeaderChain,
    policy: &TrustPolicy,
) -> Result<JudgedProof, AppError> {
    let proof = match file.parse() {
        Ok(proof) => proof,
        Err(fault) => return Ok(unreadable(file, fault)),
    };
    let named = named(&proof, file, against)?;
    let given = named.as_ref().and_then(|named| named.digest.as_slice().try_into().ok()).map(Digest32);
    let subject = about(&proof, given, file);
    let id = RawEvidence::id_of(Media::OtsProof, "", &file.bytes);
    let (state, mut findings) = judge_bytes(&file.bytes, &proof, subject, id, chain, policy);
    let target = compare(&proof, named.as_ref());
    let least = against.min_trust.unwrap_or(HeaderTrust::Isolated);
    let verdict = if matches!(target, Target::Other(_)) {
        findings.push((Code::OtsDigest.name(), "the proof is about another digest than the target's".to_owned()));
        ProofVerdict::Wrong
    } else if state.confirmed.iter().any(|anchor| anchor.trust >= least) {
        ProofVerdict::Attested
    } else if !state.confirmed.is_empty() {
        ProofVerdict::Weak
    } else if !state.header_missing.is_empty() {
        ProofVerdict::HeaderMissing
    } else if !state.pending.is_empty() {
        ProofVerdict::Pending
    } else if findings.iter().all(|(code, _)| *code == Code::Unverifiable.name() || *code == Code::HdrReorg.name()) {
        ProofVerdict::Unchecked
    } else {
        ProofVerdict::Wrong
    };
    let start = super::file::start(&proof, given, file);
    Ok(JudgedProof {
        file: file.name(),
        verdict,
        digest: start.map(|start| (hash_name(proof.root()).unwrap_or("digest").to_owned(), hex(&start))),
        target,
        anchors: anchors(&state),
        headers_missing: state.header_missing.iter().copied().collect(),
        pending: pending(&state, policy),
        findings,
    })
}

/// What the verifier says of a proof file; findings as code and explanation.
pub(super) fn judge_bytes(
    bytes: &[u8],
    proof: &Proof<'_>,
    about: Option<Digest32>,
    id: EvidenceId,
    chain: &HeaderChain,
    policy: &TrustPolicy,
) -> (AnchorState, Vec<(&'static str, String)>) {
    // A detached proof of a 20-byte digest speaks for itself.
    let subject = if matches!(proof.root(), Root::Bare) { about } else { None };
    let verdict = judge(subject, bytes, None, id, chain, policy);
    let told = verdict.findings.into_iter().map(|finding| (finding.code.name(), finding.explanation));
    let mut findings: Vec<_> = told.collect();
    findings.dedup();
    (verdict.state, findings)
}

fn unreadable(file: &ProofFile, fault: FileFault) -> JudgedProof {
    JudgedProof {
        file: file.name(),
        verdict: ProofVerdict::Unreadable,
        digest: None,
        target: Target::None,
        anchors: Vec::new(),
        headers_missing: Vec::new(),
        pending: Vec::new(),
        findings: vec![(fault.code, fault.reason)],
    }
}

pub(super) fn anchors(state: &AnchorState) -> Vec<AnchorFound> {
    let found = state.confirmed.iter().map(|anchor| AnchorFound {
        height: anchor.height,
        hash: anchor.hash,
        time: anchor.time,
        trust: anchor.trust.name(),
        is_final: anchor.is_final,
    });
    found.collect()
}

pub(super) fn pending(state: &AnchorState, policy: &TrustPolicy) -> Vec<PendingFound> {
    let found = open_branches(state).map(|pending| PendingFound {
        uri: pending.uri.to_string(),
        commitment: hex(&pending.commitment),
        submitted: pending.submitted_at,
        allowed: allowed_host(&pending.uri, policy).is_some(),
    });
    found.collect()
}

/// What was named as stamped.
struct Named {
    name: String,
    digest: Vec<u8>,
}

/// The digest or file that was named, else the file that stands beside a detached proof under its name.
fn named(proof: &Proof<'_>, file: &ProofFile, against: &VerifyProofs) -> Result<Option<Named>, AppError> {
    if let Some(text) = &against.digest {
        return Ok(Some(Named { name: text.to_ascii_lowercase(), digest: digest_bytes(text)? }));
    }
    let hash = match proof.root() {
        Root::Detached { hash, .. } => hash,
        // What calendars are given for a bare proof.
        Root::Bare => FileHash::Sha256,
    };
    let beside = file.path.with_extension("");
    let is_beside = file.path.extension().is_some_and(|extension| extension == "ots") && beside.is_file();
    let target = match &against.target {
        Some(target) => target.clone(),
        None if is_beside && matches!(proof.root(), Root::Detached { .. }) => beside,
        None => return Ok(None),
    };
    let digest = file_digest(&target, FileDigest::new(hash))?;
    Ok(Some(Named { name: target.display().to_string(), digest }))
}

fn compare(proof: &Proof<'_>, named: Option<&Named>) -> Target {
    match (proof.root(), named) {
        (_, None) => Target::None,
        (Root::Detached { digest, .. }, Some(named)) if digest != named.digest => Target::Other(named.name.clone()),
        // A bare proof is walked from what was named: it fits, or leads nowhere.
        (_, Some(named)) => Target::Same(named.name.clone()),
    }
}

fn file_digest(path: &Path, mut digest: FileDigest) -> Result<Vec<u8>, AppError> {
    let mut file = File::open(path).map_err(AppError::missing(path))?;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk).map_err(AppError::io("read", path))? {
            0 => return Ok(digest.finish()),
            count => digest.update(&chunk[..count]),
        }
    }
}

fn digest_bytes(text: &str) -> Result<Vec<u8>, AppError> {
    let pair = |at: usize| text.get(at..at.checked_add(2)?).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let plain = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(pair).collect();
    bytes.filter(|_| plain).ok_or_else(|| AppError::Config {
        what: "--digest takes 40 or 64 hex digits".to_owned(),
        hint: "sha256sum FILE prints them".to_owned(),
    })
}
