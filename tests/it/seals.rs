//! Checkpoints and snapshots through the whole program: each code with its fault and near miss, in a run and by
//! `reledger verify`. The seals come from the simulator, which shares no code with what judges them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use reledger::sim::seals::{
    CheckpointBody, SnapshotManifest, SnapshotParts, TarEntry, checkpoint_bodies, checkpoints, pack_entries,
    pack_snapshot, sealed_entries, sign_checkpoint, sign_checkpoint_as, snapshot_parts, snapshots,
};
use reledger::sim::{Hand, World};

use crate::support::{arg, code, drill, report, report_bytes, run, shown, stdout, write_world};

const SEED: u64 = 5;
const EVENTS: u32 = 12;

/// A world on disk with its seals beside it.
struct Scene {
    folder: TempDir,
    world: World,
    hand: Hand,
}

impl Scene {
    fn honest() -> Self {
        let folder = tempdir().unwrap();
        let config = write_world(folder.path(), SEED, EVENTS);
        let world = World::generate(SEED, EVENTS);
        let hand = world.hand();
        let mut text = fs::read_to_string(&config).unwrap();
        let key = hand.ed25519_public("seal");
        text.push_str(&format!(
            "\n[seal]\ncheckpoints = [\"checkpoints.jsonl\"]\nsnapshots = [\"snapshots/\"]\ntrusted_keys = [\"{key}\"]\n"
        ));
        fs::write(&config, text).unwrap();
        fs::create_dir(folder.path().join("snapshots")).unwrap();
        let scene = Self { folder, world, hand };
        scene.put_checkpoints(&checkpoints(&scene.world));
        for (name, bytes) in snapshots(&scene.world) {
            scene.put_snapshot(&name, &bytes);
        }
        scene
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("reledger.toml")
    }

    fn put_checkpoints(&self, lines: &[String]) {
        fs::write(self.folder.path().join("checkpoints.jsonl"), lines.join("\n") + "\n").unwrap();
    }

    fn put_snapshot(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join("snapshots").join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn bodies(&self) -> Vec<CheckpointBody> {
        checkpoint_bodies(&self.world)
    }

    fn newest(&self) -> SnapshotParts {
        snapshot_parts(&self.world).pop().unwrap()
    }

    /// Exit code, and code with subject of every finding of step 6.
    fn judged(&self, run_name: &str) -> (i32, Vec<(String, Value)>) {
        let run_dir = self.folder.path().join(run_name);
        let output = drill(&self.config(), &run_dir, &[]);
        let found = sealed(&report(&run_dir));
        (code(&output), found)
    }

    /// The chain after an edit, every body signed again; `re_link` renews the digests of predecessors.
    fn chain(&self, edit: impl Fn(&mut Vec<CheckpointBody>), re_link: bool) {
        let mut bodies = self.bodies();
        edit(&mut bodies);
        for at in 1..bodies.len() {
            if re_link {
                bodies[at].previous = Some(bodies[at - 1].digest());
            }
        }
        let lines: Vec<String> = bodies.iter().map(|body| sign_checkpoint(&self.hand, body)).collect();
        self.put_checkpoints(&lines);
    }
}

/// Findings of step 6 as (code, subject).
fn sealed(report: &Value) -> Vec<(String, Value)> {
    let all = report["divergences"].as_array().unwrap().iter();
    let own = all.filter(|found| {
        let code = found["code"].as_str().unwrap();
        code.starts_with("CHK_") || code.starts_with("SNAP_")
    });
    let mut found: Vec<(String, Value)> =
        own.map(|found| (found["code"].as_str().unwrap().to_owned(), found["subject"].clone())).collect();
    found.sort_by_key(|(code, subject)| (code.clone(), subject.to_string()));
    found
}

fn chain_of(pairs: &[(&str, u64)]) -> Vec<(String, Value)> {
    pairs.iter().map(|(code, seq)| ((*code).to_owned(), serde_json::json!({"seq": seq.to_string()}))).collect()
}

fn sha256(bytes: &[u8]) -> String {
    reledger::domain::sha256(bytes).to_hex()
}

#[test]
fn honest_seals_pass_are_counted_and_an_audit_reproduces_them_without_the_archives() {
    let scene = Scene::honest();
    assert_eq!(scene.judged("run"), (0, vec![]));
    let run_dir = scene.folder.path().join("run");
    let report = report(&run_dir);
    let count = |name: &str| report["population"][name]["accepted"].as_u64();
    assert_eq!((count("checkpoints"), count("snapshots")), (Some(4), Some(2)));
    let checks = report["checks"].as_array().unwrap();
    for (name, items) in [("seal.chain", 4), ("seal.snapshots", 2)] {
        let check = checks.iter().find(|check| check["check"] == name).unwrap();
        assert_eq!((check["items"].as_u64(), check["disagreed"].as_u64()), (Some(items), Some(0)));
    }
    fs::remove_dir_all(scene.folder.path().join("snapshots")).unwrap();
    let audit = run(&["audit", arg(&run_dir)]);
    assert_eq!(code(&audit), 0, "{}", shown(&audit));
    // Where the seals lie and in which order they are read changes no byte.
    let other = Scene::honest();
    let mut lines = checkpoints(&other.world);
    lines.reverse();
    lines.push(lines[0].clone());
    other.put_checkpoints(&lines);
    let (name, bytes) = snapshots(&other.world).remove(0);
    other.put_snapshot(&format!("copy-of-{name}"), &bytes);
    assert_eq!(other.judged("run"), (0, vec![]));
    assert_eq!(report_bytes(&other.folder.path().join("run")), report_bytes(&run_dir));
}

#[test]
fn a_changed_link_a_second_root_and_a_foreign_signature_break_the_chain() {
    let scene = Scene::honest();
    scene.chain(|bodies| bodies[1].root = "ab".repeat(32), false);
    assert_eq!(scene.judged("link"), (1, chain_of(&[("CHK_CHAIN", 2)])));
    let mut lines = checkpoints(&scene.world);
    let mut second = scene.bodies()[3].clone();
    second.root = "cd".repeat(32);
    lines.push(sign_checkpoint(&scene.hand, &second));
    scene.put_checkpoints(&lines);
    assert_eq!(scene.judged("roots"), (1, chain_of(&[("CHK_CHAIN", 3)])));
    let mut lines = checkpoints(&scene.world);
    lines[2] = sign_checkpoint_as(&scene.hand, "stranger", &scene.bodies()[2]);
    scene.put_checkpoints(&lines);
    assert_eq!(scene.judged("stranger"), (1, chain_of(&[("CHK_CHAIN", 2)])));
    // The near miss: another root in every body from the second on, all of them linked again, is another honest chain.
    scene.chain(|bodies| bodies[1].root = "ab".repeat(32), true);
    assert_eq!(scene.judged("near"), (0, vec![]));
}

#[test]
fn a_hole_an_overlap_and_a_wrong_tree_size_break_the_range() {
    let scene = Scene::honest();
    scene.chain(|bodies| bodies[2].from += 1, true);
    assert_eq!(scene.judged("hole"), (1, chain_of(&[("CHK_RANGE", 2)])));
    scene.chain(|bodies| bodies[2].from -= 1, true);
    assert_eq!(scene.judged("overlap"), (1, chain_of(&[("CHK_RANGE", 2)])));
    scene.chain(|bodies| bodies[3].tree_size += 1, true);
    assert_eq!(scene.judged("size"), (1, chain_of(&[("CHK_RANGE", 3)])));
    // The near miss: the boundary moves on both sides.
    let move_cut = |bodies: &mut Vec<CheckpointBody>| {
        bodies[1].until += 1;
        bodies[1].tree_size += 1;
        bodies[2].from += 1;
    };
    scene.chain(move_cut, true);
    assert_eq!(scene.judged("near"), (0, vec![]));
}

#[test]
fn a_checkpoint_taken_out_leaves_a_hole_in_both_senses() {
    let scene = Scene::honest();
    let mut lines = checkpoints(&scene.world);
    lines.remove(1);
    scene.put_checkpoints(&lines);
    assert_eq!(scene.judged("middle"), (1, chain_of(&[("CHK_CHAIN", 2), ("CHK_RANGE", 2)])));
    let mut lines = checkpoints(&scene.world);
    lines.remove(0);
    scene.put_checkpoints(&lines);
    assert_eq!(scene.judged("first"), (1, chain_of(&[("CHK_CHAIN", 1), ("CHK_RANGE", 1)])));
    // Without the last one the chain is shorter, and whole.
    scene.put_checkpoints(&checkpoints(&scene.world)[..3]);
    assert_eq!(scene.judged("last"), (0, vec![]));
}

#[test]
fn a_snapshot_that_a_stranger_signed_or_that_was_changed_is_not_trusted() {
    let scene = Scene::honest();
    let SnapshotParts { name, manifest, mut members } = scene.newest();
    let files = |members: &[(String, Vec<u8>)]| {
        members.iter().map(|(name, content)| TarEntry::file(name, content)).collect::<Vec<_>>()
    };
    let bytes = pack_entries(&[sealed_entries(&scene.hand, "stranger", &manifest), files(&members)].concat());
    scene.put_snapshot(&name, &bytes);
    let expected = |code: &str, bytes: &[u8], member: Option<&str>| {
        let mut subject = serde_json::json!({"snapshot": sha256(bytes)});
        if let Some(member) = member {
            subject["member"] = member.into();
        }
        vec![(code.to_owned(), subject)]
    };
    assert_eq!(scene.judged("signature"), (5, expected("SNAP_SIGNATURE", &bytes, None)));
    members[1].1.push(b'x');
    let bytes = pack_snapshot(&scene.hand, &manifest, &members);
    scene.put_snapshot(&name, &bytes);
    assert_eq!(scene.judged("checksum"), (5, expected("SNAP_CHECKSUM", &bytes, Some("ledger/treasury.jsonl"))));
    // The near miss: the same content, and a manifest that says so.
    let manifest = SnapshotManifest::of(manifest.sequence, manifest.entries, &members);
    scene.put_snapshot(&name, &pack_snapshot(&scene.hand, &manifest, &members));
    assert_eq!(scene.judged("near"), (0, vec![]));
}

#[test]
fn a_later_snapshot_never_has_fewer_entries() {
    let scene = Scene::honest();
    let SnapshotParts { name, mut manifest, members } = scene.newest();
    let earlier = snapshot_parts(&scene.world)[0].manifest.entries;
    manifest.entries = earlier - 1;
    let bytes = pack_snapshot(&scene.hand, &manifest, &members);
    scene.put_snapshot(&name, &bytes);
    let expected = vec![("SNAP_REGRESS".to_owned(), serde_json::json!({"snapshot": sha256(&bytes)}))];
    assert_eq!(scene.judged("fewer"), (1, expected));
    manifest.entries = earlier;
    scene.put_snapshot(&name, &pack_snapshot(&scene.hand, &manifest, &members));
    assert_eq!(scene.judged("equal"), (0, vec![]));
}

#[test]
fn an_unsafe_archive_is_refused_in_a_run() {
    let scene = Scene::honest();
    let SnapshotParts { name, manifest, members } = scene.newest();
    let mut entries = sealed_entries(&scene.hand, "seal", &manifest);
    entries.extend(members.iter().map(|(name, content)| TarEntry::file(name, content)));
    entries.push(TarEntry::file("../outside", b"x"));
    let bytes = pack_entries(&entries);
    scene.put_snapshot(&name, &bytes);
    let subject = serde_json::json!({"snapshot": sha256(&bytes), "problem": "traversal"});
    assert_eq!(scene.judged("run"), (6, vec![("SNAP_UNSAFE".to_owned(), subject)]));
    assert!(!scene.folder.path().join("outside").exists());
}

#[test]
fn declared_and_empty_is_incomplete_and_nobody_to_trust_is_a_mistake() {
    let scene = Scene::honest();
    scene.put_checkpoints(&[]);
    fs::remove_dir_all(scene.folder.path().join("snapshots")).unwrap();
    fs::create_dir(scene.folder.path().join("snapshots")).unwrap();
    let output = drill(&scene.config(), &scene.folder.path().join("run"), &[]);
    assert_eq!(code(&output), 3, "{}", shown(&output));
    let report = report(&scene.folder.path().join("run"));
    let empty = |name: &str| {
        let divergences = report["divergences"].as_array().unwrap();
        divergences.iter().any(|it| it["code"] == "SRC_EMPTY" && it["subject"]["population"] == name)
    };
    assert!(empty("checkpoints") && empty("snapshots"));
    let text = fs::read_to_string(scene.config()).unwrap();
    let at = text.find("trusted_keys").unwrap();
    fs::write(scene.config(), &text[..at]).unwrap();
    let output = drill(&scene.config(), &scene.folder.path().join("other"), &[]);
    assert_eq!(code(&output), 2, "{}", shown(&output));
    assert!(shown(&output).contains("seal.trusted_keys"), "{}", shown(&output));
}

#[test]
fn a_checkpoint_that_cannot_be_read_leaves_its_check_open() {
    let scene = Scene::honest();
    let mut lines = checkpoints(&scene.world);
    lines.push("{\"body\":{}}".to_owned());
    scene.put_checkpoints(&lines);
    assert_eq!(scene.judged("run"), (3, vec![]));
}

fn verify(scene: &Scene, file: &Path, config: bool) -> (i32, String) {
    let config_path = scene.config();
    let mut args = vec!["verify", arg(file)];
    if config {
        args.extend(["-c", arg(&config_path)]);
    }
    let output = run(&args);
    (code(&output), stdout(&output))
}

#[test]
fn verify_judges_one_file_by_the_keys_of_the_configuration() {
    let scene = Scene::honest();
    let (name, bytes) = snapshots(&scene.world).remove(1);
    let snapshot = scene.put_snapshot(&name, &bytes);
    let chain = scene.folder.path().join("checkpoints.jsonl");
    let (exit, text) = verify(&scene, &snapshot, true);
    assert_eq!((exit, text.lines().count()), (0, 1), "{text}");
    assert!(text.starts_with("ok") && text.contains("(trusted)"), "{text}");
    let (exit, text) = verify(&scene, &chain, true);
    assert_eq!((exit, text.lines().count()), (0, 4), "{text}");
    // Without keys nobody vouches: what holds is told, and not more.
    let (exit, text) = verify(&scene, &snapshot, false);
    assert_eq!(exit, 3, "{text}");
    assert!(text.contains(&scene.hand.ed25519_public("seal")) && text.contains("vouched for by nobody"), "{text}");
    assert_eq!(verify(&scene, &chain, false).0, 3);
    // A snapshot is told by its content, not by its name.
    let renamed = scene.folder.path().join("backup.bin");
    fs::write(&renamed, &bytes).unwrap();
    assert_eq!(verify(&scene, &renamed, true).0, 0);
}

#[test]
fn verify_ends_with_5_for_what_was_not_signed_and_6_for_what_is_unsafe() {
    let scene = Scene::honest();
    let SnapshotParts { manifest, mut members, .. } = scene.newest();
    let forged = [sealed_entries(&scene.hand, "stranger", &manifest), Vec::new()].concat();
    let forged = scene.put_snapshot("forged.tar.zst", &pack_entries(&forged));
    let (exit, text) = verify(&scene, &forged, true);
    assert_eq!(exit, 5, "{text}");
    assert!(text.contains("SNAP_SIGNATURE") && text.contains("signature_mismatch"), "{text}");
    let mut link = sealed_entries(&scene.hand, "seal", &manifest);
    link.push(TarEntry::file("ledger/envelope.jsonl", b"").of_kind(b'2'));
    let link = scene.put_snapshot("link.tar.zst", &pack_entries(&link));
    let (exit, text) = verify(&scene, &link, true);
    assert_eq!(exit, 6, "{text}");
    members[0].1.push(b'\n');
    let changed = scene.put_snapshot("changed.tar.zst", &pack_snapshot(&scene.hand, &manifest, &members));
    let (exit, text) = verify(&scene, &changed, true);
    assert_eq!(exit, 5, "{text}");
    assert!(text.contains("SNAP_CHECKSUM") && text.contains("checksum_error"), "{text}");
    // A checkpoint by a stranger ends as a snapshot by one; a broken link is a disagreement.
    let line = sign_checkpoint_as(&scene.hand, "stranger", &scene.bodies()[0]);
    scene.put_checkpoints(&[line]);
    assert_eq!(verify(&scene, &scene.folder.path().join("checkpoints.jsonl"), true).0, 5);
    scene.put_checkpoints(&checkpoints(&scene.world)[1..]);
    assert_eq!(verify(&scene, &scene.folder.path().join("checkpoints.jsonl"), true).0, 1);
}

#[test]
fn a_key_that_is_trusted_only_later_asks_for_the_members_to_be_read() {
    let scene = Scene::honest();
    let text = fs::read_to_string(scene.config()).unwrap();
    let (key, stranger) = (scene.hand.ed25519_public("seal"), scene.hand.ed25519_public("stranger"));
    fs::write(scene.config(), text.replace(&key, &stranger)).unwrap();
    assert_eq!(scene.judged("run").0, 5);
    fs::write(scene.config(), &text).unwrap();
    let run_dir = scene.folder.path().join("run");
    let rebuild = |command: &str| {
        let config = scene.config();
        let output = run(&[command, "-c", arg(&config), "--run", arg(&run_dir), "--yes", "--progress", "none"]);
        (code(&output), sealed(&report(&run_dir)))
    };
    // The report is drawn from what was read, and of members nothing was: incomplete, never clean.
    let (exit, found) = rebuild("rebuild");
    assert_eq!(found, vec![]);
    assert_eq!(exit, 3);
    assert_eq!(rebuild("drill"), (0, vec![]));
}
