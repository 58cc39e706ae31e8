//! Which files of a run a snapshot holds, and which names of an archive belong to a run.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::app::audit::{MANIFEST, manifest_of, read};
use crate::app::error::AppError;
use crate::domain::Sha256Stream;
use crate::evidence::snapshot::SnapshotMember;
use crate::seal::Member;

/// The number of the last change to how a run's folder is laid out: 1 is the first layout. A restore refuses a later one.
pub(in crate::app) const SCHEMA_CURSOR: u64 = 1;
/// What a finished run has beside its evidence, or may have. Other files in the folder are nobody's.
const FILES: [&str; 18] = [
    "attestation.json",
    "attestation.json.ots",
    "checkpoints/admitted.txt",
    "checkpoints/chain.jsonl",
    "checkpoints/latest.jsonl",
    "evidence/custody.jsonl",
    "evidence/inputs.json",
    "evidence/manifest.json",
    "metrics.prom",
    "queues/needs-anchor.ndjson",
    "report.csv",
    "report.html",
    "report.json",
    "report.md",
    "report.prom",
    "report.xml",
    "run.json",
    "summary.txt",
];
/// Where the evidence's segments are.
const SEGMENTS: &str = "evidence/segments/";
/// Bytes read at a time.
const PIECE: usize = 256 * 1024;

/// True for a name that a file of a run has: nothing is written under any other.
pub(super) fn belongs(name: &str) -> bool {
    FILES.contains(&name) || is_segment(name)
}

/// True for a segment of the evidence log.
pub(super) fn is_segment(name: &str) -> bool {
    let number = name.strip_prefix(SEGMENTS).and_then(|file| file.strip_suffix(".seg"));
    number.is_some_and(|number| number.len() == 8 && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Every file of the run that a snapshot holds, in order of name, as it was measured: here, or where the evidence's manifest tells
/// of it, against which the caller has just held the bytes, and against which packing holds them once more.
///
/// # Errors
/// [`AppError::Io`]; [`AppError::Untrusted`] for a link or folder in the place of a file, or a manifest that can't be read.
pub(super) fn members(run: &Path) -> Result<Vec<SnapshotMember>, AppError> {
    let mut names: Vec<String> =
        FILES.iter().filter(|name| run.join(name).exists()).map(|name| (*name).to_owned()).collect();
    let segments = run.join(SEGMENTS);
    for entry in std::fs::read_dir(&segments).map_err(AppError::io("read", &segments))? {
        let entry = entry.map_err(AppError::io("read", &segments))?;
        let name = format!("{SEGMENTS}{}", entry.file_name().to_string_lossy());
        if is_segment(&name) {
            names.push(name);
        }
    }
    names.sort();
    let sealed = manifest_of(&read(run, MANIFEST)?)?;
    let told = |name: &str| {
        let inner = name.strip_prefix("evidence/")?;
        sealed.members.iter().find(|member| member.name == inner)
    };
    names.iter().map(|name| member(run, name, told(name))).collect()
}

fn member(run: &Path, name: &str, told: Option<&Member>) -> Result<SnapshotMember, AppError> {
    let path = run.join(name);
    let kind = path.symlink_metadata().map_err(AppError::io("read", &path))?;
    if !kind.is_file() {
        return Err(AppError::Untrusted { what: format!("checksum_error: {name} is no regular file") });
    }
    if let Some(Member { sha256, size, .. }) = told {
        return Ok(SnapshotMember { name: name.to_owned(), sha256: *sha256, size: *size });
    }
    let measured = || -> io::Result<SnapshotMember> {
        let (mut file, mut digest, mut size) = (File::open(&path)?, Sha256Stream::default(), 0_u64);
        let mut piece = vec![0; PIECE];
        loop {
            match file.read(&mut piece)? {
                0 => break,
                length => {
                    digest.update(&piece[..length]);
                    // A slice's length always fits 64 bits.
                    size = size.saturating_add(length as u64);
                }
            }
        }
        Ok(SnapshotMember { name: name.to_owned(), sha256: digest.finish(), size })
    };
    measured().map_err(AppError::io("read", &path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::tar::name_problem;

    #[test]
    fn only_names_of_a_run_belong_to_one() {
        for name in FILES.into_iter().chain(["evidence/segments/00000001.seg"]) {
            assert!(belongs(name) && name_problem(name).is_none(), "{name}");
        }
        for name in [
            "evidence/segments/1.seg",
            "evidence/segments/00000001.open",
            "state/lock",
            "x",
            "evidence/x",
            "report.json/x",
        ] {
            assert!(!belongs(name), "{name}");
        }
    }
}
