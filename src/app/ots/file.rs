//! Reading proof files: bounded, and with the digest that a bare one is about.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::app::AppError;
use crate::app::inspect::regular_files;
use crate::domain::Digest32;
use crate::evidence::limits::OTS_BYTES_MAX;
use crate::evidence::ots::{FileHash, Proof, Root};

/// Why a file is not taken as a proof. The reason may hold foreign text, still raw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFault {
    /// `OTS_MALFORMED`, `OTS_LIMIT` or `OTS_DIGEST`.
    pub code: &'static str,
    /// What is wrong.
    pub reason: String,
}

/// A proof file's bytes.
pub(super) struct ProofFile {
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
}

/// The proof files that are named; of a folder every `.ots` below it.
///
/// # Errors
/// [`AppError::Config`] for a path that is not there, or a folder without a proof; [`AppError::Io`].
pub(super) fn proof_files(named: &[PathBuf]) -> Result<Vec<ProofFile>, AppError> {
    let mut files = Vec::new();
    for path in named {
        let found = std::fs::metadata(path).map_err(AppError::missing(path))?;
        let mut below = vec![path.clone()];
        if found.is_dir() {
            below.clear();
            regular_files(path, 0, &mut below)?;
            below.retain(|file| file.extension().is_some_and(|extension| extension == "ots"));
            if below.is_empty() {
                return Err(AppError::Config {
                    what: format!("{} holds no .ots file", path.display()),
                    hint: "name the proofs themselves".to_owned(),
                });
            }
        }
        for path in below {
            let bytes = read_bounded(&path)?;
            files.push(ProofFile { path, bytes });
        }
    }
    Ok(files)
}

/// One byte more than a proof may have is enough to refuse it.
fn read_bounded(path: &Path) -> Result<Vec<u8>, AppError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(AppError::missing(path))?;
    let limit = u64::try_from(OTS_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(AppError::io("read", path))?;
    Ok(bytes)
}

impl ProofFile {
    /// Parses the proof.
    pub(super) fn parse(&self) -> Result<Proof<'_>, FileFault> {
        Proof::parse(&self.bytes)
            .map_err(|refusal| FileFault { code: refusal.code().name(), reason: refusal.to_string() })
    }

    /// The name for people.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The digest that the file's name claims: 64 hex digits before the first dot.
    pub(super) fn named_digest(&self) -> Option<Digest32> {
        let name = self.path.file_name()?.to_str()?;
        Digest32::from_hex(name.split('.').next()?).ok()
    }
}

/// The message that a proof starts from: the digest inside it, else the one given, else that of its name.
pub(super) fn start(proof: &Proof<'_>, given: Option<Digest32>, file: &ProofFile) -> Option<Vec<u8>> {
    match proof.root() {
        Root::Detached { digest, .. } => Some(digest.to_vec()),
        Root::Bare => given.or_else(|| file.named_digest()).map(|digest| digest.0.to_vec()),
    }
}

/// The digest that a SHA-256 proof or a bare one is about.
pub(super) fn about(proof: &Proof<'_>, given: Option<Digest32>, file: &ProofFile) -> Option<Digest32> {
    start(proof, given, file)?.try_into().ok().map(Digest32)
}

/// The name of the hash that a detached proof's digest was made with.
pub(super) const fn hash_name(root: Root<'_>) -> Option<&'static str> {
    match root {
        Root::Detached { hash: FileHash::Sha1, .. } => Some("sha1"),
        Root::Detached { hash: FileHash::Ripemd160, .. } => Some("ripemd160"),
        Root::Detached { hash: FileHash::Sha256, .. } => Some("sha256"),
        Root::Bare => None,
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len().saturating_mul(2)), |mut digits, byte| {
        digits.push_str(&format!("{byte:02x}"));
        digits
    })
}
