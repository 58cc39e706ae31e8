//! SNAP_SIGNATURE, SNAP_CHECKSUM and SNAP_REGRESS, each with its near miss; what is read of an archive and in which order.

use std::collections::BTreeSet;
use std::io::{self, Read};

use super::{KEYS, WORLD, hand, honest, judge, judge_by, read, read_by, told, verdict};
use crate::domain::{Code, Counts, sha256};
use crate::evidence::snapshot::ReadEnd;
use crate::seal::{SealTrust, is_snapshot, read_snapshot};
use crate::sim::seals::{
    SnapshotManifest, TarEntry, pack_entries, pack_snapshot, pack_tar, sealed_entries, snapshot_parts, snapshots,
    zstd_frame,
};

fn archives() -> Vec<Vec<u8>> {
    snapshots(&WORLD).into_iter().map(|(_, bytes)| bytes).collect()
}

#[test]
fn honest_snapshots_pass_and_are_known_by_their_content() {
    let judgement = judge(&[], &archives());
    assert_eq!(judgement.findings, []);
    assert_eq!(judgement.snapshots, Counts { unique: 2, accepted: 2, ..Counts::default() });
    for bytes in archives() {
        assert_eq!(read(&bytes).file_sha256, sha256(&bytes));
        assert!(is_snapshot(bytes.as_slice()));
    }
    assert!(!is_snapshot(zstd_frame(b"not an archive").as_slice()));
    assert!(!is_snapshot(pack_entries(&[TarEntry::file("a", b"")]).as_slice()));
    assert!(!is_snapshot(&b"plain"[..]));
}

#[test]
fn any_zstd_stream_of_the_same_archive_is_the_same_snapshot() {
    let (sealed, members) = honest();
    let tar = pack_tar(&[sealed, members].concat());
    for level in [1, 19] {
        let bytes = zstd::encode_all(tar.as_slice(), level).unwrap();
        assert_eq!(told(&judge(&[], &[bytes]).findings), Vec::<String>::new(), "level {level}");
    }
    let halves = tar.split_at(tar.len() / 2);
    let frames = [zstd_frame(halves.0), zstd_frame(halves.1)].concat();
    assert_eq!(told(&judge(&[], &[frames]).findings), Vec::<String>::new());
}

#[test]
fn a_signature_that_is_missing_foreign_or_over_other_bytes_is_told() {
    let (sealed, members) = honest();
    let with = |sealed: Vec<TarEntry>| verdict(&[sealed, members.clone()].concat());
    assert_eq!(with(sealed.clone()), Vec::<String>::new());
    let manifest = snapshot_parts(&WORLD).pop().unwrap().manifest;
    assert_eq!(with(sealed_entries(&hand(), "stranger", &manifest)), ["SNAP_SIGNATURE"]);
    let changed = |at: usize, edit: &dyn Fn(&mut Vec<u8>)| {
        let mut sealed = sealed.clone();
        edit(&mut sealed[at].content);
        with(sealed)
    };
    assert_eq!(changed(0, &|content| content[3] ^= 1), ["SNAP_SIGNATURE"]);
    assert_eq!(changed(0, &|content| content.push(b'\n')), ["SNAP_SIGNATURE"]);
    assert_eq!(changed(0, &Vec::clear), ["SNAP_SIGNATURE"]);
    assert_eq!(changed(1, &Vec::clear), ["SNAP_SIGNATURE"]);
    assert_eq!(changed(1, &|content| content[20] ^= 1), ["SNAP_SIGNATURE"]);
    assert_eq!(with(sealed[..1].to_vec()), ["SNAP_SIGNATURE"]);
    assert_eq!(with(sealed[1..].to_vec()), ["SNAP_SIGNATURE"]);
    assert_eq!(with(Vec::new()), ["SNAP_SIGNATURE"]);
    let swapped = vec![sealed[1].clone(), sealed[0].clone()];
    assert_eq!(with(swapped), ["SNAP_SIGNATURE"]);
}

#[test]
fn what_is_no_archive_at_all_has_no_signature() {
    for bytes in [Vec::new(), b"{}".to_vec(), zstd_frame(b""), zstd_frame(b"short"), pack_tar(&[])] {
        assert_eq!(told(&judge(&[], &[bytes]).findings), ["SNAP_SIGNATURE"]);
    }
}

#[test]
fn no_member_is_read_before_the_signature_holds() {
    let manifest = snapshot_parts(&WORLD).pop().unwrap().manifest;
    let (_, members) = honest();
    let foreign = pack_entries(&[sealed_entries(&hand(), "stranger", &manifest), members].concat());
    let outline = read(&foreign);
    assert_eq!((outline.end, outline.members.len()), (ReadEnd::Unvouched, 0));
    // Even a bomb behind it is not looked at.
    let bomb = TarEntry::file("ledger/envelope.jsonl", &vec![0; 4 << 20]);
    let foreign = pack_entries(&[sealed_entries(&hand(), "stranger", &manifest), vec![bomb]].concat());
    assert_eq!(told(&judge(&[], &[foreign]).findings), ["SNAP_SIGNATURE"]);
}

#[test]
fn every_member_that_differs_or_is_not_there_is_told_by_name() {
    let (sealed, members) = honest();
    let with = |edit: &dyn Fn(&mut Vec<TarEntry>)| {
        let mut members = members.clone();
        edit(&mut members);
        verdict(&[sealed.clone(), members].concat())
    };
    let flip = |members: &mut Vec<TarEntry>, at: usize| members[at].content[0] ^= 1;
    assert_eq!(with(&|members| flip(members, 0)), ["SNAP_CHECKSUM member=ledger/envelope.jsonl"]);
    assert_eq!(with(&|members| members[1].content.push(b'x')), ["SNAP_CHECKSUM member=ledger/treasury.jsonl"]);
    assert_eq!(with(&|members| drop(members.remove(1))), ["SNAP_CHECKSUM member=ledger/treasury.jsonl"]);
    assert_eq!(
        with(&|members| {
            flip(members, 0);
            flip(members, 2);
        }),
        ["SNAP_CHECKSUM member=cursors.json", "SNAP_CHECKSUM member=ledger/envelope.jsonl"]
    );
    assert_eq!(with(&Vec::clear).len(), 3);
}

#[test]
fn an_archive_that_breaks_off_names_the_first_member_that_is_not_whole() {
    let (sealed, members) = honest();
    let tar = pack_tar(&[sealed, members].concat());
    // Two blocks of zeros, one of content, one header: the last member's.
    let cut = |bytes: usize| told(&judge(&[], &[zstd_frame(&tar[..tar.len() - bytes])]).findings);
    assert_eq!(cut(0), Vec::<String>::new());
    for bytes in [1, 512, 1_024] {
        assert_eq!(cut(bytes), ["SNAP_CHECKSUM member=(end of archive)"], "{bytes}");
    }
    for bytes in [1_024 + 510, 1_024 + 1_024, 1_024 + 1_025] {
        assert_eq!(cut(bytes).len(), 1, "{bytes}");
        assert!(cut(bytes)[0].starts_with("SNAP_CHECKSUM member="), "{bytes}");
    }
    let frame = archives().pop().unwrap();
    assert_eq!(told(&judge(&[], &[frame[..frame.len() - 4].to_vec()]).findings).len(), 1);
}

#[test]
fn the_compressors_own_checksum_is_believed_when_it_fails() {
    let (sealed, members) = honest();
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    io::copy(&mut pack_tar(&[sealed, members].concat()).as_slice(), &mut encoder).unwrap();
    let mut bytes = encoder.finish().unwrap();
    assert_eq!(told(&judge(&[], std::slice::from_ref(&bytes)).findings), Vec::<String>::new());
    *bytes.last_mut().unwrap() ^= 1;
    let found = told(&judge(&[], &[bytes]).findings);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("SNAP_CHECKSUM"), "{found:?}");
}

#[test]
fn entries_may_stay_and_grow_and_never_fall() {
    let packed = |counts: &[(u64, u64)]| {
        let members = vec![("a".to_owned(), b"x".to_vec())];
        let pack = |(sequence, entries): &(u64, u64)| {
            pack_snapshot(&hand(), &SnapshotManifest::of(*sequence, *entries, &members), &members)
        };
        told(&judge(&[], &counts.iter().map(pack).collect::<Vec<_>>()).findings)
    };
    assert_eq!(packed(&[(1, 5), (2, 5), (3, 6)]), Vec::<String>::new());
    assert_eq!(packed(&[(1, 5), (2, 4)]), ["SNAP_REGRESS"]);
    assert_eq!(packed(&[(2, 4), (1, 5)]), ["SNAP_REGRESS"]);
    // Against the most that ever was, not against the last.
    let three = judge_all(&[(1, 9), (2, 3), (3, 4)]);
    assert_eq!(three, 2);
    // Of one number neither is the earlier.
    assert_eq!(packed(&[(1, 5), (1, 4)]), Vec::<String>::new());
    // A snapshot that nobody vouches for says nothing about the others.
    let members = vec![("a".to_owned(), b"x".to_vec())];
    let manifest = SnapshotManifest::of(1, 1_000, &members);
    let forged = pack_entries(&sealed_entries(&hand(), "stranger", &manifest));
    let findings = judge(&[], &[forged, archives().remove(1)]).findings;
    assert_eq!(told(&findings), ["SNAP_SIGNATURE"]);
}

fn judge_all(counts: &[(u64, u64)]) -> usize {
    let members = vec![("a".to_owned(), b"x".to_vec())];
    let pack = |(sequence, entries): &(u64, u64)| {
        pack_snapshot(&hand(), &SnapshotManifest::of(*sequence, *entries, &members), &members)
    };
    let findings = judge(&[], &counts.iter().map(pack).collect::<Vec<_>>()).findings;
    findings.iter().filter(|finding| finding.code == Code::SnapRegress).count()
}

#[test]
fn a_signed_manifest_of_another_format_is_unread_not_untrusted() {
    let manifest = snapshot_parts(&WORLD).pop().unwrap().manifest;
    let text = manifest.canonical().replace("snapshot/1", "snapshot/9");
    let signature = crate::sim::seals::sign_manifest(&hand(), "seal", &text);
    let entries =
        [TarEntry::file("manifest.json", text.as_bytes()), TarEntry::file("manifest.sig", signature.as_bytes())];
    let judgement = judge(&[], &[pack_entries(&entries)]);
    assert_eq!(judgement.findings[0].code, Code::SrcParse);
    assert_eq!(judgement.snapshots, Counts { unique: 1, quarantined: 1, ..Counts::default() });
}

#[test]
fn of_two_readings_under_different_trust_the_one_that_saw_the_members_decides() {
    let nobody_known = BTreeSet::from([hand().ed25519_public("stranger").parse().unwrap()]);
    let bytes = archives().pop().unwrap();
    let (unread, whole) = (read_by(SealTrust::of(&nobody_known), &bytes), read(&bytes));
    let judged = |outlines: &[&crate::evidence::snapshot::SnapshotOutline]| {
        let mut judge = crate::seal::SealJudge::new(SealTrust::of(&KEYS));
        for outline in outlines {
            let id = crate::domain::RawEvidence {
                media: crate::domain::Media::Snapshot,
                about: String::new(),
                bytes: outline.to_bytes(),
            };
            judge.snapshot(id.id(), outline);
        }
        judge.finish()
    };
    let only_unread = judged(&[&unread]);
    assert_eq!(only_unread.findings[0].code, Code::SrcIncomplete);
    assert_eq!(only_unread.snapshots.pending, 1);
    assert_eq!(judged(&[&unread, &whole]).findings, []);
    assert_eq!(judged(&[&whole, &unread]).findings, []);
    // The other way round: trusted when it was read, and no longer.
    assert_eq!(told(&judge_by(SealTrust::of(&nobody_known), &[], &[bytes]).findings), ["SNAP_SIGNATURE"]);
}

struct Failing(usize);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::other("the disk is gone"));
        }
        self.0 -= 1;
        buffer[0] = 0x28;
        Ok(1)
    }
}

#[test]
fn a_disk_that_fails_and_a_file_that_grows_are_no_findings() {
    let trust = SealTrust::of(&KEYS);
    assert!(read_snapshot(Failing(3), 3, trust, &|| false).unwrap_err().to_string().contains("disk"));
    let bytes = archives().pop().unwrap();
    let size = u64::try_from(bytes.len()).unwrap();
    assert!(read_snapshot(bytes.as_slice(), size - 1, trust, &|| false).is_err());
    assert!(read_snapshot(bytes.as_slice(), size, trust, &|| true).unwrap().is_none());
}
