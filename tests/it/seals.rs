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
    sort(&mut found);
    found
}

fn sort(found: &mut [(String, Value)]) {
    found.sort_by_key(|(code, subject)| (code.clone(), subject.to_string()));
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
fn every_finding_of_step_6_comes_out_of_a_run_with_its_exit_code() {
    let scene = Scene::honest();
    let older = snapshot_parts(&scene.world).remove(0);
    let SnapshotParts { name, mut manifest, members } = scene.newest();
    // Disagreement: the third body starts one too late, the fourth names another predecessor, and entries get fewer.
    let mut bodies = scene.bodies();
    bodies[2].from += 1;
    scene.put_checkpoints(&bodies.iter().map(|body| sign_checkpoint(&scene.hand, body)).collect::<Vec<_>>());
    manifest.entries = older.manifest.entries - 1;
    let fewer = pack_snapshot(&scene.hand, &manifest, &members);
    scene.put_snapshot(&name, &fewer);
    let about = |code: &str, bytes: &[u8], more: Option<(&str, &str)>| {
        let mut subject = serde_json::json!({"snapshot": sha256(bytes)});
        if let Some((name, value)) = more {
            subject[name] = value.into();
        }
        (code.to_owned(), subject)
    };
    let mut expected = chain_of(&[("CHK_CHAIN", 3), ("CHK_RANGE", 2)]);
    expected.push(about("SNAP_REGRESS", &fewer, None));
    assert_eq!(scene.judged("divergent"), (1, expected.clone()));
    // Distrust comes before disagreement, and both are listed.
    let stranger = pack_entries(&sealed_entries(&scene.hand, "stranger", &older.manifest));
    let changed = pack_snapshot(&scene.hand, &older.manifest, &members);
    scene.put_snapshot("stranger.tar.zst", &stranger);
    scene.put_snapshot("changed.tar.zst", &changed);
    for member in ["ledger/envelope.jsonl", "ledger/treasury.jsonl"] {
        expected.push(about("SNAP_CHECKSUM", &changed, Some(("member", member))));
    }
    expected.push(about("SNAP_SIGNATURE", &stranger, None));
    sort(&mut expected);
    assert_eq!(scene.judged("distrusted"), (5, expected.clone()));
    // And what must not be opened before both.
    let mut entries = sealed_entries(&scene.hand, "seal", &older.manifest);
    entries.push(TarEntry::file("../outside", b"x"));
    let outside = pack_entries(&entries);
    scene.put_snapshot("outside.tar.zst", &outside);
    expected.push(about("SNAP_UNSAFE", &outside, Some(("problem", "traversal"))));
    sort(&mut expected);
    assert_eq!(scene.judged("refused"), (6, expected));
    assert!(!scene.folder.path().join("outside").exists());
    let report = report(&scene.folder.path().join("refused"));
    let conditions: Vec<&str> =
        report["verdict"]["conditions"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert_eq!(conditions, ["refused", "untrusted_input", "divergent"]);
}

#[test]
fn memory_does_not_grow_with_a_member() {
    let scene = Scene::honest();
    assert_eq!(scene.judged("small").0, 0);
    // 96 MiB that expand some fourteenfold: far below a bomb, far above any buffer.
    let stripe: Vec<u8> = (0..544_u32).map(|at| if at < 512 { 0 } else { at.to_le_bytes()[0] | 1 }).collect();
    let large = vec![("large".to_owned(), stripe.repeat(96 * 1024 * 1024 / stripe.len()))];
    let manifest = SnapshotManifest::of(7, 1_000_000, &large);
    scene.put_snapshot("large.tar.zst", &pack_snapshot(&scene.hand, &manifest, &large));
    assert_eq!(scene.judged("large").0, 0);
    let peak = |name: &str| {
        let record: Value =
            serde_json::from_slice(&fs::read(scene.folder.path().join(name).join("run.json")).unwrap()).unwrap();
        record["peak_memory_kib"].as_u64()
    };
    // Where the system tells no peak there is nothing to compare.
    if let (Some(small), Some(large)) = (peak("small"), peak("large")) {
        assert!(large < small + 32 * 1024, "{large} KiB against {small} KiB");
    }
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
