//! Archives of attackers who may even hold the key. None is restored, by no mode, and nothing outside or inside is touched.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use reledger::app::{Actor, Cancel, RestoreOptions, RestoreTrust, restore_snapshot};
use reledger::domain::{PublicKey32, UnixSeconds};
use reledger::sim::Hand;
use reledger::sim::World;
use reledger::sim::seals::{SnapshotManifest, TarEntry, pack_entries, pack_tar, sealed_entries, zstd_frame};

use crate::checkpoints::desk::Desk;
use crate::support::{arg, code, shown};

/// Kinds of entries that are no regular file, names that are no plain relative path, and bent headers.
const KINDS: [u8; 18] = *b"1234567SLKNVMxgXA\0";
const NAMES: [&str; 18] = [
    "../outside",
    "evidence/../../outside",
    "..",
    "a\\..\\b",
    "/etc/passwd",
    "\\\\server\\share",
    "C:\\evil",
    "",
    "./run.json",
    "evidence//custody.jsonl",
    "evidence/",
    "a b",
    "a\u{1b}[2J",
    "caf\u{e9}",
    // Safe names, and none of a run's: the signed manifest lists them, where the attacker holds the key.
    "state/lock",
    "evidence/segments/evil.seg",
    ".ssh/authorized_keys",
    "reledger.toml",
];

fn bent() -> Vec<TarEntry> {
    let file = || TarEntry::file("summary.txt", b"content");
    let size = |text: &[u8; 12]| TarEntry { size: Some(*text), ..file() };
    let pax = |record: &str| TarEntry::file("pax", record.as_bytes()).of_kind(b'x');
    vec![
        TarEntry { checksum_error: 1, ..file() },
        TarEntry { magic: *b"ustar  \0", ..file() },
        TarEntry { magic: [0; 8], ..file() },
        size(b"0000000000x\0"),
        size(&[b' '; 12]),
        size(b"000000000007"),
        size(b"-0000000001\0"),
        size(b"\x80\0\0\0\0\0\0\0\0\0\0\x07"),
        size(&[0xff; 12]),
        size(b"77777777777\0"),
        pax("12 size=999\n"),
        pax("26 GNU.sparse.realsize=99\n"),
        pax("11 path=ab\n"),
        TarEntry::file("pax", &vec![b'x'; 70_000]).of_kind(b'g'),
        TarEntry { link: b"/etc/passwd".to_vec(), ..file() },
        TarEntry { name: b"summary.txt\0/evil".to_vec(), ..file() },
        TarEntry { name: b"a\xff".to_vec(), ..file() },
        TarEntry { prefix: b"..".to_vec(), ..file() },
        TarEntry { prefix: b"/etc".to_vec(), ..file() },
        TarEntry { padding: 1, ..file() },
        TarEntry::file("manifest.json", b"{}"),
        TarEntry::file("manifest.sig", b"{}"),
        TarEntry::file("run.json", b"{}"),
    ]
}

/// A run's files in order, as the simulator packs them: it shares no code with what reads them.
struct Attacker {
    hand: Hand,
    members: Vec<(String, Vec<u8>)>,
}

impl Attacker {
    fn over(run: &Path) -> Self {
        let names = [
            "evidence/custody.jsonl",
            "evidence/inputs.json",
            "evidence/manifest.json",
            "evidence/segments/00000001.seg",
            "report.json",
            "run.json",
        ];
        let members = names.map(|name| (name.to_owned(), fs::read(run.join(name)).unwrap()));
        Self { hand: World::generate(5, 10).hand(), members: members.to_vec() }
    }

    /// The same names over next to nothing: what is refused is refused whatever the files hold.
    fn small() -> Self {
        let names = ["evidence/manifest.json", "evidence/segments/00000001.seg", "report.json", "run.json"];
        let members = names.map(|name| (name.to_owned(), name.as_bytes().to_vec()));
        Self { hand: World::generate(5, 10).hand(), members: members.to_vec() }
    }

    fn key(&self) -> PublicKey32 {
        self.hand.ed25519_public("seal").parse().unwrap()
    }

    fn sealed(&self, manifest: &SnapshotManifest) -> Vec<TarEntry> {
        sealed_entries(&self.hand, "seal", manifest)
    }

    fn honest(&self) -> Vec<TarEntry> {
        let manifest = SnapshotManifest::of(0, 9, &self.members);
        let members = self.members.iter().map(|(name, content)| TarEntry::file(name, content));
        self.sealed(&manifest).into_iter().chain(members).collect()
    }

    /// The entry before everything, between manifest and signature, before the members, and behind everything.
    fn around(&self, entry: &TarEntry) -> Vec<Vec<u8>> {
        let honest = self.honest();
        let with = |at: usize| {
            let mut entries = honest.clone();
            entries.insert(at, entry.clone());
            pack_entries(&entries)
        };
        vec![with(0), with(2), with(honest.len())]
    }

    /// What a holder of the key seals.
    fn sealed_badly(&self) -> Vec<Vec<u8>> {
        let mut archives = Vec::new();
        for name in NAMES {
            let mut members = self.members.clone();
            members.push((name.to_owned(), b"content".to_vec()));
            let manifest = SnapshotManifest::of(0, 9, &members);
            let files = members.iter().map(|(name, content)| TarEntry::file(name, content));
            archives.push(pack_entries(&self.sealed(&manifest).into_iter().chain(files).collect::<Vec<_>>()));
        }
        let mut claims: Vec<SnapshotManifest> = vec![SnapshotManifest::of(0, 9, &self.members); 4];
        claims[0].members = (0..10_001).map(|at| (format!("m{at}"), 0, "00".repeat(32))).collect();
        claims[1].members[0].1 = u64::MAX;
        claims[2].members.push(("report.json".to_owned(), 1, "00".repeat(32)));
        claims[3].schema_cursor = u64::MAX;
        for claim in &claims[..3] {
            archives.push(pack_entries(&self.sealed(claim)));
        }
        archives
    }

    /// Streams rather than entries: cut off, damaged, bombs, bytes behind the end.
    fn streams(&self) -> Vec<Vec<u8>> {
        let tar = pack_tar(&self.honest());
        let whole = zstd_frame(&tar);
        let mut archives: Vec<Vec<u8>> = (1..8).map(|part| whole[..whole.len() * part / 8].to_vec()).collect();
        archives.push(zstd_frame(&tar[..tar.len() - 1024]));
        archives.push(zstd_frame(&[tar.as_slice(), b"behind"].concat()));
        archives.push(zstd_frame(&vec![0; 8 << 20]));
        archives.push(zstd_frame(&vec![b'x'; 8 << 20]));
        archives.push(vec![0; 1_000]);
        archives.push(b"\x28\xb5\x2f\xfd\xff\xff\xff\xff\xff\xff".to_vec());
        // A window of 2 GiB (RFC 8878, 3.1.1.1.2).
        archives.push([b"\x28\xb5\x2f\xfd\x00\xa8".as_slice(), &whole[6..]].concat());
        let bomb = TarEntry::file("summary.txt", &vec![0; 8 << 20]);
        archives.push(pack_entries(&[self.honest(), vec![bomb]].concat()));
        archives.push(pack_entries(&[TarEntry::file("manifest.json", &vec![b'['; 5 << 20])]));
        archives
    }

    fn all(&self) -> Vec<Vec<u8>> {
        let kinds = KINDS.into_iter().map(|kind| TarEntry::file("summary.txt", b"").of_kind(kind));
        // A regular file in the place of its manifest, or unlisted, is refused as well; type NUL is an old regular file.
        let names = NAMES[..14].iter().map(|name| TarEntry::file(name, b"x"));
        let entries: Vec<TarEntry> = kinds.chain(names).chain(bent()).collect();
        let mut archives: Vec<Vec<u8>> = entries.iter().flat_map(|entry| self.around(entry)).collect();
        archives.extend(self.sealed_badly());
        archives.extend(self.streams());
        archives
    }
}

fn names(folder: &Path) -> BTreeSet<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn restore(archive: &Path, run: &Path, trust: RestoreTrust) -> u8 {
    let options = RestoreOptions {
        archive: archive.to_owned(),
        run: run.to_owned(),
        trust,
        yes: true,
        dry_run: false,
        clock: UnixSeconds(1_800_000_000),
        actor: Actor::default(),
    };
    restore_snapshot(&options, &Cancel::default()).map_or_else(|error| error.condition().exit_code().0, |_| 0)
}

#[test]
fn no_hostile_archive_is_restored_and_nothing_is_touched() {
    let desk = Desk::new();
    let attacker = Attacker::small();
    let house = desk.path("house");
    fs::create_dir(&house).unwrap();
    let (archive, run) = (house.join("a.tar.zst"), house.join("run"));
    let archives = attacker.all();
    assert!(archives.len() >= 120, "{}", archives.len());
    let strict = || RestoreTrust::Keys(BTreeSet::from([attacker.key()]));
    for (at, bytes) in archives.iter().enumerate() {
        fs::write(&archive, bytes).unwrap();
        for trust in [strict(), RestoreTrust::OwnKey, RestoreTrust::Forced] {
            let ended = restore(&archive, &run, trust.clone());
            assert!([5, 6].contains(&ended), "archive {at} {trust:?}: exit {ended}");
            assert_eq!(names(&house), BTreeSet::from([archive.clone()]), "archive {at} {trust:?}");
        }
    }
    // The near miss: files of a run, honestly packed by the same hand.
    let honest = Attacker::over(&desk.path("run")).honest();
    fs::write(&archive, pack_entries(&honest)).unwrap();
    assert_eq!(restore(&archive, &run, RestoreTrust::Keys(BTreeSet::from([PublicKey32::from_bytes([7; 32])]))), 5);
    assert_eq!(restore(&archive, &run, strict()), 0);
    assert_eq!(names(&house), BTreeSet::from([archive, run]));
}

#[test]
fn bombs_are_refused_in_little_memory() {
    let desk = Desk::new();
    let attacker = Attacker::small();
    let archive = desk.path("a.tar.zst");
    let mut bombs = attacker.streams().split_off(9);
    bombs.extend(attacker.around(&TarEntry::file("pax", &vec![b'x'; 2 << 20]).of_kind(b'g')));
    for bytes in bombs {
        fs::write(&archive, &bytes).unwrap();
        for mode in ["--own-key", "--force-unverified"] {
            // The whole address space, of which memory is a part.
            let script = format!("ulimit -v {}; exec \"$0\" \"$@\"", 256 * 1024);
            let mut command = std::process::Command::new("sh");
            command.args(["-c", &script, env!("CARGO_BIN_EXE_reledger"), "snapshot", "restore", arg(&archive), mode]);
            command.args(["--yes", "--run", &desk.text("fresh"), "--now", "2027-01-01T00:00:00Z"]);
            let output = command.env("MALLOC_ARENA_MAX", "1").stdin(Stdio::null()).output().unwrap();
            assert!([5, 6].contains(&code(&output)), "{}", shown(&output));
            assert!(!desk.path("fresh").exists());
        }
    }
}
