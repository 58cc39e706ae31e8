//! The two files of a run's checkpoints: the chain, and the list of what was admitted, in its order.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::app::error::AppError;
use crate::app::run::{create_folders, write_atomic};
use crate::domain::{Digest32, EvidenceId, Media, RawEvidence, sha256};
use crate::evidence::checkpoint::CheckpointClaim;

/// The chain's name in a run's folder.
pub const CHAIN_FILE: &str = "checkpoints/chain.jsonl";
/// The list's name there.
pub const ADMITTED_FILE: &str = "checkpoints/admitted.txt";
/// The newest line alone, for whoever keeps or packs one checkpoint and not the chain.
const LATEST_FILE: &str = "checkpoints/latest.jsonl";
/// Bytes of a chain that are read: half a million checkpoints, one every two minutes for two years.
const CHAIN_BYTES_MAX: u64 = 256 << 20;
/// Bytes of a list that are read: some sixty million items.
const ADMITTED_BYTES_MAX: u64 = 4 << 30;
/// Bytes of one item in the list: 64 hex digits and a line feed.
const ENTRY_BYTES: usize = 65;

/// One line that can be read.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) bytes: Vec<u8>,
    pub(super) claim: CheckpointClaim,
}

impl Line {
    /// The id that the line has as evidence.
    pub(super) fn id(&self) -> EvidenceId {
        RawEvidence { media: Media::Checkpoint, about: String::new(), bytes: self.bytes.clone() }.id()
    }

    /// sha256 of the body: the checkpoint's digest.
    pub(super) fn digest(&self) -> Digest32 {
        sha256(&self.claim.body)
    }
}

/// A chain as it stands in a file.
#[derive(Debug, Clone, Default)]
pub(super) struct ChainFile {
    pub(super) lines: Vec<Line>,
    /// Number and fault of each line that can't be read. Foreign text is still raw.
    pub(super) unread: Vec<(usize, String)>,
}

impl ChainFile {
    /// Reads a file that somebody named.
    ///
    /// # Errors
    /// [`AppError::Config`] when it is not there or is too large.
    pub(super) fn read(path: &Path) -> Result<Self, AppError> {
        Ok(Self::of_bytes(&bounded(path, CHAIN_BYTES_MAX)?))
    }

    /// The chain of a run; an empty one where none was begun.
    pub(super) fn of_run(run: &Path) -> Result<Self, AppError> {
        let path = run.join(CHAIN_FILE);
        if path.exists() { Self::read(&path) } else { Ok(Self::default()) }
    }

    fn of_bytes(bytes: &[u8]) -> Self {
        let mut chain = Self::default();
        for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            match CheckpointClaim::parse(line) {
                Ok(claim) => chain.lines.push(Line { bytes: line.to_vec(), claim }),
                Err(why) => chain.unread.push((at + 1, why)),
            }
        }
        chain
    }

    /// One line of each body, by sequence number and digest.
    pub(super) fn bodies(&self) -> BTreeMap<(u64, Digest32), &Line> {
        self.lines.iter().map(|line| ((line.claim.seq, line.digest()), line)).collect()
    }

    /// The line of the highest sequence number.
    pub(super) fn last(&self) -> Option<&Line> {
        self.bodies().into_values().next_back()
    }

    /// The file's bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in &self.lines {
            bytes.extend(&line.bytes);
            bytes.push(b'\n');
        }
        bytes
    }
}

/// What was admitted, in the order of admission.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Admitted(pub(super) Vec<EvidenceId>);

impl Admitted {
    /// Reads a file that somebody named.
    ///
    /// # Errors
    /// [`AppError::Config`] when it is not there or is too large; [`AppError::Untrusted`] for what is no such list.
    pub(super) fn read(path: &Path) -> Result<Self, AppError> {
        let bytes = bounded(path, ADMITTED_BYTES_MAX)?;
        let bad = |line: usize| AppError::Untrusted {
            what: format!("checksum_error: {} line {} is no id of 64 hex digits", path.display(), line + 1),
        };
        let entries = bytes.chunks(ENTRY_BYTES).enumerate().map(|(at, entry)| {
            let digits = entry.strip_suffix(b"\n").filter(|digits| digits.len() + 1 == ENTRY_BYTES);
            let text = digits.and_then(|digits| std::str::from_utf8(digits).ok()).ok_or_else(|| bad(at))?;
            let id = Digest32::from_hex(text).ok().filter(|id| id.to_hex() == text).ok_or_else(|| bad(at))?;
            Ok(EvidenceId(id))
        });
        Ok(Self(entries.collect::<Result<_, AppError>>()?))
    }

    /// The list of a run; an empty one where none was begun.
    pub(super) fn of_run(run: &Path) -> Result<Self, AppError> {
        let path = run.join(ADMITTED_FILE);
        if path.exists() { Self::read(&path) } else { Ok(Self::default()) }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len().saturating_mul(ENTRY_BYTES));
        for id in &self.0 {
            bytes.extend(id.to_string().into_bytes());
            bytes.push(b'\n');
        }
        bytes
    }
}

/// Writes all of it. The list goes first: what it holds beyond the last checkpoint was not admitted, and is drawn anew. The newest
/// line goes last: an older one is a checkpoint of the chain as well.
///
/// # Errors
/// [`AppError::Io`]; what stood there stands then.
pub(super) fn write(run: &Path, chain: &ChainFile, admitted: &Admitted) -> Result<(), AppError> {
    let path = |name: &str| -> PathBuf { run.join(name) };
    let folder = path("checkpoints");
    create_folders(&folder)?;
    write_atomic(&path(ADMITTED_FILE), &admitted.to_bytes())?;
    write_atomic(&path(CHAIN_FILE), &chain.to_bytes())?;
    write_latest(run, chain)
}

/// Writes the newest line alone, unless it stands there. Whoever was killed may have come to the chain and not to it.
///
/// # Errors
/// [`AppError::Io`]; what stood there stands then.
pub(super) fn write_latest(run: &Path, chain: &ChainFile) -> Result<(), AppError> {
    let Some(last) = chain.last() else { return Ok(()) };
    let (path, line) = (run.join(LATEST_FILE), [last.bytes.as_slice(), b"\n"].concat());
    let is_there = std::fs::read(&path).is_ok_and(|found| found == line);
    if is_there { Ok(()) } else { write_atomic(&path, &line) }
}

fn bounded(path: &Path, limit: u64) -> Result<Vec<u8>, AppError> {
    let file = File::open(path).map_err(AppError::missing(path))?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(AppError::missing(path))?;
    // A slice's length always fits 64 bits.
    if bytes.len() as u64 > limit {
        return Err(AppError::Config {
            what: format!("{} has more than {limit} bytes", path.display()),
            hint: "name a chain of checkpoints".to_owned(),
        });
    }
    Ok(bytes)
}
