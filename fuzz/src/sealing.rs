//! Sealed documents and the archives that hold them.

use reledger::domain::Media;
use reledger::evidence::snapshot::{SnapshotManifest, SnapshotSignature};
use reledger::evidence::tar::{TarReader, name_problem};

use crate::decoders::plain;

/// Lines of a checkpoint chain.
pub fn checkpoint(input: &[u8]) {
    plain(Media::Checkpoint, input);
}

/// Outlines, manifests and signatures of snapshots.
pub fn snapshot(input: &[u8]) {
    plain(Media::Snapshot, input);
    let read = || {
        let manifest = SnapshotManifest::parse(input);
        let problem = manifest.as_ref().map(|manifest| format!("{:?}", manifest.problem()));
        format!("{problem:?} {manifest:?} {:?}", SnapshotSignature::parse(input))
    };
    assert_eq!(read(), read());
}

/// Reads an archive with a buffer of that size: what came out, in words, with how it ended.
fn members(input: &[u8], buffer: usize) -> (Vec<String>, String) {
    let mut reader = TarReader::new(input);
    let mut told = Vec::new();
    loop {
        let member = match reader.next_member() {
            Ok(Some(member)) => member,
            Ok(None) => return (told, "ended".to_owned()),
            Err(fault) => return (told, format!("{fault:?} at {}", reader.last_name())),
        };
        assert_eq!(name_problem(&member.name), None, "only plain names come out");
        let (mut content, mut piece) = (Vec::new(), vec![0; buffer]);
        loop {
            match reader.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => content.extend_from_slice(&piece[..length]),
                Err(fault) => return (told, format!("{fault:?} in {}", member.name)),
            }
        }
        assert_eq!(content.len() as u64, member.size, "a member has the size that it says");
        told.push(format!("{} {content:?}", member.name));
    }
}

/// Archives: how they are read in pieces changes nothing.
pub fn tar(input: &[u8]) {
    let whole = members(input, 4_096);
    assert_eq!(members(input, 7), whole);
    assert!(whole.0.len() <= input.len() / 512, "a member has at least a header");
}
