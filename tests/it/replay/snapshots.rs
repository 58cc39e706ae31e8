//! Replays from a snapshot's cut.

use std::fs;
use std::path::PathBuf;

use reledger::sim::seals::{
    CheckpointBody, SnapshotManifest, checkpoint_bodies, pack_snapshot, sign_checkpoint, snapshot_parts,
};

use super::stage::{AS_OF, Stage, Tide, at};
use crate::support::{arg, code, shown};

/// A stage that was drilled up to its middle, with a checkpoint of that instant, which a key seals that it trusts.
struct Sealed {
    stage: Stage,
    middle: i64,
    line: String,
}

impl Sealed {
    fn new() -> Self {
        let stage = Stage::new();
        let middle = stage.middle();
        let hand = stage.world().hand();
        let body = CheckpointBody { as_of: middle, ..checkpoint_bodies(stage.world())[0].clone() };
        let line = sign_checkpoint(&hand, &body);
        fs::write(stage.folder.path().join("checkpoints.jsonl"), format!("{line}\n")).unwrap();
        let text = fs::read_to_string(stage.config()).unwrap();
        let key = hand.ed25519_public("seal");
        let seal = format!("[seal]\ncheckpoints = [\"checkpoints.jsonl\"]\ntrusted_keys = [\"{key}\"]\n");
        fs::write(stage.config(), format!("{text}\n{seal}")).unwrap();
        stage.turn(&Tide::Until(middle));
        stage.at(&at(middle), "run", &["drill"]);
        stage.turn(&Tide::All);
        Self { stage, middle, line }
    }

    fn snapshot(&self, with_checkpoint: bool) -> PathBuf {
        let parts = snapshot_parts(self.stage.world()).remove(0);
        let mut members = parts.members;
        if with_checkpoint {
            members.push(("checkpoint.json".to_owned(), format!("{}\n", self.line).into_bytes()));
        }
        let manifest = SnapshotManifest::of(0, 1, &members);
        let path = self.stage.folder.path().join("state.tar.zst");
        fs::write(&path, pack_snapshot(&self.stage.world().hand(), &manifest, &members)).unwrap();
        path
    }
}

#[test]
fn a_replay_begins_at_the_checkpoint_that_the_snapshot_contains() {
    let sealed = Sealed::new();
    let (stage, file) = (&sealed.stage, sealed.snapshot(true));
    let said = stage.replay("run", &["--from-snapshot", arg(&file)], 0);
    assert!(said["notes"].to_string().contains(&format!("was cut at {}", at(sealed.middle))), "{said}");
    let once = stage.snapshot("run");
    stage.replay("run", &["--from-snapshot", arg(&file)], 0);
    assert_eq!(stage.snapshot("run"), once);
    assert_eq!(once.state_root, stage.whole("whole").state_root);
}

#[test]
fn a_snapshot_without_a_known_checkpoint_leaves_it_to_the_cursors() {
    let sealed = Sealed::new();
    let file = sealed.snapshot(false);
    let said = sealed.stage.replay("run", &["--from-snapshot", arg(&file)], 0);
    assert!(said["notes"].to_string().contains("the cursors decide"), "{said}");
    assert_eq!(sealed.stage.snapshot("run").state_root, sealed.stage.whole("whole").state_root);
}

#[test]
fn an_unsafe_snapshot_is_exit_6_and_nothing_is_written() {
    let sealed = Sealed::new();
    let (stage, file) = (&sealed.stage, sealed.snapshot(true));
    let before = stage.snapshot("run");
    let members = vec![("../outside".to_owned(), b"x".to_vec())];
    let manifest = SnapshotManifest::of(0, 1, &members);
    fs::write(&file, pack_snapshot(&stage.world().hand(), &manifest, &members)).unwrap();
    let output = stage.at(AS_OF, "run", &["replay", "--from-snapshot", arg(&file)]);
    assert_eq!(code(&output), 6, "{}", shown(&output));
    assert_eq!(stage.snapshot("run"), before);
}

#[test]
fn a_snapshot_that_does_not_verify_is_exit_5_and_nothing_is_written() {
    let sealed = Sealed::new();
    let (stage, file) = (&sealed.stage, sealed.snapshot(true));
    let before = stage.snapshot("run");
    let honest = fs::read(&file).unwrap();
    let parts = snapshot_parts(stage.world()).remove(0);
    let stranger = reledger::sim::World::generate(99, 12).hand();
    let forged = pack_snapshot(&stranger, &parts.manifest, &parts.members);
    let mut members = parts.members.clone();
    members[0].1.push(b'x');
    let changed = pack_snapshot(&stage.world().hand(), &parts.manifest, &members);
    let cases =
        [("signature_mismatch", forged), ("checksum_error", changed), ("signature_mismatch", honest[..200].to_vec())];
    for (what, bytes) in cases {
        fs::write(&file, bytes).unwrap();
        let output = stage.at(AS_OF, "run", &["replay", "--from-snapshot", arg(&file)]);
        assert_eq!(code(&output), 5, "{}", shown(&output));
        assert!(shown(&output).contains(what), "{what}: {}", shown(&output));
        assert_eq!(stage.snapshot("run"), before);
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(code(&stage.at(AS_OF, "run", &["replay", "--from-snapshot", arg(&file)])), 2);
}
