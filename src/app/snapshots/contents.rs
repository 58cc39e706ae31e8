//! Which files of a run a snapshot holds, and which names of an archive belong to a run.

use std::io::{self, Read};

use crate::domain::Sha256Stream;
use crate::evidence::snapshot::SnapshotMember;

/// The number of the last change to how a run's folder is laid out: 1 is the first layout. A restore refuses a later one.
pub(in crate::app) const SCHEMA_CURSOR: u64 = 1;
/// What a finished run has beside its evidence, or may have. Other files in the folder are nobody's.
pub(super) const FILES: [&str; 18] = [
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

/// A member as it is read now.
///
/// # Errors
/// Those of the reader.
pub(super) fn measure(name: &str, open: impl FnOnce() -> io::Result<Box<dyn Read>>) -> io::Result<SnapshotMember> {
    let (mut reader, mut digest, mut size) = (open()?, Sha256Stream::default(), 0_u64);
    let mut piece = vec![0; PIECE];
    loop {
        match reader.read(&mut piece)? {
            0 => return Ok(SnapshotMember { name: name.to_owned(), sha256: digest.finish(), size }),
            length => {
                digest.update(&piece[..length]);
                // A slice's length always fits 64 bits.
                size = size.saturating_add(length as u64);
            }
        }
    }
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
