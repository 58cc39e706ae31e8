//! Archives of an attacker who may even hold the key: each is refused under the name of what is unsafe.

use super::{BOUNDS, Bounds, KEYS, hand, honest, judge, read, read_in, told, verdict};
use crate::evidence::snapshot::ReadEnd;
use crate::evidence::tar::Problem;
use crate::seal::SealTrust;
use crate::sim::seals::{SnapshotManifest, TarEntry, pack_entries, pack_tar, sealed_entries, zstd_frame};

/// Type flags of members that come alone, and what each is refused as.
const KINDS: [(u8, Problem); 19] = [
    (b'1', Problem::Link),
    (b'2', Problem::Link),
    (b'3', Problem::Device),
    (b'4', Problem::Device),
    (b'5', Problem::Folder),
    (b'6', Problem::Device),
    (b'7', Problem::Header),
    (b'S', Problem::SizeConflict),
    (b'L', Problem::Extension),
    (b'K', Problem::Extension),
    (b'N', Problem::Extension),
    (b'V', Problem::Extension),
    (b'M', Problem::Extension),
    (b'x', Problem::Extension),
    (b'g', Problem::Extension),
    (b'X', Problem::Extension),
    (b'A', Problem::Header),
    (0, Problem::Header),
    (0xff, Problem::Header),
];

const NAMES: [(&str, Problem); 14] = [
    ("../outside", Problem::Traversal),
    ("ledger/../../outside", Problem::Traversal),
    ("..", Problem::Traversal),
    ("a\\..\\b", Problem::Traversal),
    ("/etc/passwd", Problem::Absolute),
    ("\\\\server\\share", Problem::Absolute),
    ("C:\\evil", Problem::Absolute),
    ("", Problem::Name),
    ("./a", Problem::Name),
    ("a//b", Problem::Name),
    ("a/", Problem::Name),
    ("a b", Problem::Name),
    ("a\u{1b}[2J", Problem::Name),
    ("caf\u{e9}", Problem::Name),
];

/// Bent headers of one more member.
fn headers() -> Vec<(&'static str, TarEntry, Problem)> {
    let file = || TarEntry::file("ledger/extra", b"content");
    let size = |text: &[u8; 12]| TarEntry { size: Some(*text), ..file() };
    let pax = |record: &str| TarEntry::file("pax", record.as_bytes()).of_kind(b'x');
    vec![
        ("a wrong checksum", TarEntry { checksum_error: 1, ..file() }, Problem::Header),
        ("GNU magic", TarEntry { magic: *b"ustar  \0", ..file() }, Problem::Header),
        ("no magic", TarEntry { magic: [0; 8], ..file() }, Problem::Header),
        ("a size in letters", size(b"0000000000x\0"), Problem::Header),
        ("an empty size", size(&[b' '; 12]), Problem::Header),
        ("a size without an end", size(b"000000000007"), Problem::Header),
        ("a negative size", size(b"-0000000001\0"), Problem::Header),
        ("a base-256 size", size(b"\x80\0\0\0\0\0\0\0\0\0\0\x07"), Problem::SizeConflict),
        ("a negative base-256 size", size(&[0xff; 12]), Problem::SizeConflict),
        ("a size beyond the limit", size(b"77777777777\0"), Problem::Size),
        ("a PAX size", pax("12 size=999\n"), Problem::SizeConflict),
        ("a GNU sparse size", pax("26 GNU.sparse.realsize=99\n"), Problem::SizeConflict),
        ("a later PAX size", pax("11 path=ab\n12 size=999\n"), Problem::SizeConflict),
        ("a PAX path", pax("11 path=ab\n"), Problem::Extension),
        ("an endless PAX header", TarEntry::file("pax", &vec![b'x'; 70_000]).of_kind(b'g'), Problem::Extension),
        ("a file with a target", TarEntry { link: b"/etc/passwd".to_vec(), ..file() }, Problem::Link),
        ("a name behind the name", TarEntry { name: b"cursors.json\0/evil".to_vec(), ..file() }, Problem::Name),
        ("a name that is not UTF-8", TarEntry { name: b"a\xff".to_vec(), ..file() }, Problem::Name),
        ("a folder out of the folder", TarEntry { prefix: b"..".to_vec(), ..file() }, Problem::Traversal),
        ("a folder at the root", TarEntry { prefix: b"/etc".to_vec(), ..file() }, Problem::Absolute),
        ("a folder without a name", TarEntry { prefix: b"a".to_vec(), ..TarEntry::file("", b"") }, Problem::Name),
        ("an unlisted member", file(), Problem::Unlisted),
        ("the manifest again", TarEntry::file("manifest.json", b"{}"), Problem::Duplicate),
        ("the signature again", TarEntry::file("manifest.sig", b"{}"), Problem::Duplicate),
    ]
}

fn unsafe_as(problem: Problem) -> Vec<String> {
    vec![format!("SNAP_UNSAFE problem={}", problem.name())]
}

#[test]
fn a_hostile_member_behind_a_good_signature_is_refused_by_name() {
    let (sealed, members) = honest();
    let with = |entry: TarEntry| [sealed.clone(), members.clone(), vec![entry]].concat();
    assert_eq!(verdict(&[sealed.clone(), members.clone()].concat()), Vec::<String>::new());
    let mut count = 0;
    for (kind, problem) in KINDS {
        assert_eq!(verdict(&with(TarEntry::file("a", b"").of_kind(kind))), unsafe_as(problem), "kind {kind}");
        count += 1;
    }
    for (name, problem) in NAMES {
        assert_eq!(verdict(&with(TarEntry::file(name, b"x"))), unsafe_as(problem), "{name:?}");
        count += 1;
    }
    for (what, entry, problem) in headers() {
        assert_eq!(verdict(&with(entry)), unsafe_as(problem), "{what}");
        count += 1;
    }
    assert!(count >= 40, "{count}");
}

#[test]
fn a_hostile_member_before_the_signature_is_refused_too() {
    let (sealed, members) = honest();
    for (kind, problem) in KINDS {
        let first = vec![TarEntry::file("manifest.json", b"").of_kind(kind)];
        assert_eq!(verdict(&[first, sealed.clone(), members.clone()].concat()), unsafe_as(problem), "kind {kind}");
    }
    for (what, entry, problem) in headers() {
        // What only a manifest can tell is told by its absence.
        let by_manifest = matches!(problem, Problem::Unlisted | Problem::Duplicate);
        let expected = if by_manifest { vec!["SNAP_SIGNATURE".to_owned()] } else { unsafe_as(problem) };
        assert_eq!(verdict(&[vec![entry], sealed.clone(), members.clone()].concat()), expected, "{what}");
    }
    for (at, size) in [(0, 5 << 20), (1, 8_192)] {
        let mut sealed = sealed.clone();
        // Not of one byte, which would be a bomb first.
        sealed[at].content = (0..size).map(|byte: u32| byte.to_le_bytes()[(byte % 3) as usize]).collect();
        assert_eq!(verdict(&[sealed, members.clone()].concat()), unsafe_as(Problem::Size));
    }
}

#[test]
fn members_twice_or_in_another_order_are_refused() {
    let (sealed, members) = honest();
    let with = |order: &[usize]| {
        let members: Vec<TarEntry> = order.iter().map(|at| members[*at].clone()).collect();
        verdict(&[sealed.clone(), members].concat())
    };
    assert_eq!(with(&[0, 1, 2]), Vec::<String>::new());
    assert_eq!(with(&[0, 0, 1, 2]), unsafe_as(Problem::Duplicate));
    assert_eq!(with(&[0, 1, 2, 0]), unsafe_as(Problem::Duplicate));
    assert_eq!(with(&[1, 0, 2]), unsafe_as(Problem::Order));
    assert_eq!(with(&[0, 2, 1]), unsafe_as(Problem::Order));
}

#[test]
fn an_unsafe_manifest_is_refused_whoever_signed_it() {
    let of = |names: &[&str]| {
        let members: Vec<(String, Vec<u8>)> = names.iter().map(|name| ((*name).to_owned(), b"x".to_vec())).collect();
        let entries = members.iter().map(|(name, content)| TarEntry::file(name, content));
        let sealed = sealed_entries(&hand(), "seal", &SnapshotManifest::of(1, 1, &members));
        verdict(&sealed.into_iter().chain(entries).collect::<Vec<_>>())
    };
    assert_eq!(of(&["a", "b/c"]), Vec::<String>::new());
    assert_eq!(of(&["../a"]), unsafe_as(Problem::Traversal));
    assert_eq!(of(&["/a"]), unsafe_as(Problem::Absolute));
    assert_eq!(of(&["a", "a"]), unsafe_as(Problem::Duplicate));
    assert_eq!(of(&["manifest.json"]), unsafe_as(Problem::Duplicate));
    let sealed = |members: Vec<(String, u64, String)>| {
        let manifest = SnapshotManifest { sequence: 1, entries: 1, schema_cursor: 1, members };
        verdict(&sealed_entries(&hand(), "seal", &manifest))
    };
    let digest = "ab".repeat(32);
    let many = |count: usize| (0..count).map(|at| (format!("m{at}"), 1, digest.clone())).collect::<Vec<_>>();
    assert_eq!(sealed(many(10_001)), unsafe_as(Problem::Entries));
    // The near miss: as many as are allowed, of which none is there.
    assert_eq!(sealed(many(10_000)).len(), 10_000);
    let huge = vec![("a".to_owned(), 4 << 30, digest.clone()), ("b".to_owned(), 1, digest.clone())];
    assert_eq!(sealed(huge.clone()), unsafe_as(Problem::Size));
    assert_eq!(sealed(huge[..1].to_vec()), ["SNAP_CHECKSUM member=a"]);
}

#[test]
fn a_bomb_is_refused_and_a_hundredfold_is_not() {
    let (sealed, _) = honest();
    let bomb = TarEntry::file("ledger/envelope.jsonl", &vec![0; 2 << 20]);
    assert_eq!(verdict(&[sealed.clone(), vec![bomb]].concat()), unsafe_as(Problem::Ratio));
    // The same bomb in front, and behind the end.
    assert_eq!(verdict(&[TarEntry::file("manifest.json", &vec![0; 2 << 20])]), unsafe_as(Problem::Ratio));
    let mut tar = pack_tar(&[honest().0, honest().1].concat());
    tar.resize(tar.len() + (2 << 20), 0);
    assert_eq!(told(&judge(&[], &[zstd_frame(&tar)]).findings), unsafe_as(Problem::Ratio));
    // The near miss, to the byte: zeros behind the archive up to a hundred times the file's size.
    let (mut low, mut high) = (0, 2 << 20);
    let frame = |zeros: usize| {
        let mut tar = pack_tar(&[honest().0, honest().1].concat());
        let whole = tar.len() + zeros;
        tar.resize(whole, 0);
        (zstd_frame(&tar), whole)
    };
    while low + 1 < high {
        let middle = usize::midpoint(low, high);
        let (bytes, whole) = frame(middle);
        if whole <= 100 * bytes.len() { low = middle } else { high = middle }
    }
    assert_eq!(told(&judge(&[], &[frame(low).0]).findings), Vec::<String>::new());
    assert_eq!(told(&judge(&[], &[frame(high).0]).findings), unsafe_as(Problem::Ratio));
}

#[test]
fn what_expands_beyond_the_limit_is_refused_to_the_byte() {
    let (sealed, members) = honest();
    let tar = pack_tar(&[sealed, members].concat());
    let whole = u64::try_from(tar.len()).unwrap();
    let within = |expanded: u64| read_in(Bounds { expanded, ..BOUNDS }, SealTrust::of(&KEYS), &zstd_frame(&tar));
    assert_eq!(within(whole).end, ReadEnd::Whole);
    let refused = within(whole - 1);
    assert_eq!((refused.end, refused.problem), (ReadEnd::Unsafe, Some(Problem::Size)));
}

#[test]
fn nothing_may_stand_behind_the_end_or_in_the_padding() {
    let (sealed, members) = honest();
    let tar = pack_tar(&[sealed.clone(), members.clone()].concat());
    let behind = |bytes: &[u8]| told(&judge(&[], &[zstd_frame(&[tar.as_slice(), bytes].concat())]).findings);
    assert_eq!(behind(&[0; 9_000]), Vec::<String>::new());
    assert_eq!(behind(b"x"), unsafe_as(Problem::Trailing));
    assert_eq!(behind(&[&[0; 4_096], b"x".as_slice()].concat()), unsafe_as(Problem::Trailing));
    let second = pack_tar(&[TarEntry::file("../outside", b"x")]);
    assert_eq!(behind(&second), unsafe_as(Problem::Trailing));
    let lone = pack_entries(&[sealed.clone(), members.clone()].concat());
    assert_eq!(told(&judge(&[], &[[lone, b"trailing".to_vec()].concat()]).findings).len(), 1);
    let mut padded = members;
    padded[0].padding = 1;
    assert_eq!(verdict(&[sealed, padded].concat()), unsafe_as(Problem::Header));
    // One block of zeros, and then an archive again.
    let mut tar = tar;
    let at = tar.len() - 512;
    tar[at] = 1;
    assert_eq!(told(&judge(&[], &[zstd_frame(&tar)]).findings), unsafe_as(Problem::Header));
}

#[test]
fn whatever_byte_is_changed_it_is_told_or_changes_nothing() {
    let (sealed, members) = honest();
    let honest = pack_entries(&[sealed, members].concat());
    let measured = read(&honest).members;
    let (mut tried, mut told_ones) = (0, 0);
    for at in (0..honest.len()).step_by(3) {
        let mut bytes = honest.clone();
        bytes[at] ^= 1 << (at % 8);
        let outline = read(&bytes);
        let mut judge = crate::seal::SealJudge::new(SealTrust::of(&KEYS));
        judge.snapshot(crate::domain::EvidenceId::from_bytes([0; 32]), &outline);
        tried += 1;
        if judge.finish().findings.is_empty() {
            assert_eq!((outline.end, &outline.members), (ReadEnd::Whole, &measured), "byte {at}");
        } else {
            told_ones += 1;
        }
    }
    assert!(told_ones * 100 > tried * 98, "{told_ones} of {tried}");
}
