//! Anchors end to end: what a reorganisation takes away and what still stands, what is queued for anchoring, which block of
//! several is the anchor, and how old the newest thing is that would survive. What belongs here: worlds with a planted fault,
//! drilled, then asked.

use std::path::{Path, PathBuf};

use reledger::sim::{Planted, Scene, Transport, World, plant, selections};
use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::support::{arg, code, drill, fixtures, report, run, shown, stdout};

/// A drilled world with one planted fault, by the name that `sim run` knows it by.
fn drilled(fault: &str) -> (TempDir, Planted) {
    let selection = selections(Transport::Files).find(|one| one.to_string() == fault).unwrap();
    let mut scene = Scene::of(World::generate(21, 20));
    let planted = plant(&mut scene, &[selection]).pop().unwrap();
    let folder = tempdir().unwrap();
    scene.write(folder.path()).unwrap();
    let output = drill(&folder.path().join("reledger.toml"), &run_dir(&folder), &[]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    (folder, planted)
}

fn run_dir(folder: &TempDir) -> PathBuf {
    folder.path().join("run")
}

/// Why an id is queued for anchoring; `None` when it is not.
fn queued(run_dir: &Path, id: &str) -> Option<String> {
    let queue = std::fs::read_to_string(run_dir.join("queues/needs-anchor.ndjson")).unwrap();
    let mut lines = queue.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.find(|line| line["id"] == id).map(|line| line["reason"].as_str().unwrap().to_owned())
}

/// What is told about the anchoring of an id.
fn anchor_of(run_dir: &Path, id: &str) -> Value {
    let output = run(&["explain", id, "--run", arg(run_dir), "--json"]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    told["things"][0]["anchor"].clone()
}

fn reorganised(run_dir: &Path) -> Vec<String> {
    let report = report(run_dir);
    let reorganised = report["divergences"].as_array().unwrap().iter().filter(|one| one["code"] == "HDR_REORG");
    reorganised.map(|one| one["state"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_reorganisation_takes_an_anchor_away_and_queues_its_id_again() {
    let (folder, planted) = drilled("HDR_REORG/a-longer-branch");
    let (id, run_dir) = (planted.subject.get("digest").unwrap().to_owned(), run_dir(&folder));
    assert_eq!(reorganised(&run_dir), ["open"]);
    assert_eq!(queued(&run_dir, &id).as_deref(), Some("reorg"));
    let anchor = anchor_of(&run_dir, &id);
    assert_eq!((&anchor["status"], anchor["stale"].as_array().unwrap().len()), (&"orphaned".into(), 1));
    assert_eq!(anchor["blocks"], Value::Array(Vec::new()));
    let height: u64 = planted.subject.get("height").unwrap().parse().unwrap();
    assert_eq!(anchor["stale"][0]["height"], height);
}

#[test]
fn a_block_that_still_stands_keeps_an_id_anchored_through_a_reorganisation() {
    let (folder, planted) = drilled("HDR_REORG/anchored-again-below-the-fork");
    let (id, run_dir) = (planted.subject.get("digest").unwrap().to_owned(), run_dir(&folder));
    assert_eq!((reorganised(&run_dir), queued(&run_dir, &id)), (vec!["explained".to_owned()], None));
    let anchor = anchor_of(&run_dir, &id);
    let lost: u64 = planted.subject.get("height").unwrap().parse().unwrap();
    assert_eq!((&anchor["status"], &anchor["stale"][0]["height"]), (&"confirmed-verified".into(), &lost.into()));
    // Three below: the block under the fork.
    assert_eq!((&anchor["blocks"][0]["height"], anchor["blocks"].as_array().unwrap().len()), (&(lost - 3).into(), 1));
}

#[test]
fn of_two_blocks_the_lower_is_the_anchor_and_both_are_listed() {
    let (folder, planted) = drilled("HDR_REORG/anchored-again-below-the-fork:near");
    let (id, run_dir) = (planted.subject.get("digest").unwrap().to_owned(), run_dir(&folder));
    // The other branch is the shorter one: it takes nothing away.
    assert_eq!((reorganised(&run_dir), queued(&run_dir, &id)), (Vec::new(), None));
    let higher: u64 = planted.subject.get("height").unwrap().parse().unwrap();
    let anchor = anchor_of(&run_dir, &id);
    assert_eq!(anchor["status"], "confirmed-verified");
    let told = |place: usize| (anchor["blocks"][place]["height"].clone(), anchor["blocks"][place]["earliest"].clone());
    assert_eq!([told(0), told(1)], [((higher - 3).into(), true.into()), (higher.into(), false.into())]);
    let text = stdout(&run(&["explain", &id, "--run", arg(&run_dir)]));
    let blocks: Vec<&str> = text.lines().filter(|line| line.contains("- block ")).collect();
    assert_eq!(blocks.len(), 2, "{text}");
    assert!(blocks[0].contains(", earliest,") && !blocks[1].contains("earliest"), "{text}");
    // Claimed and provable: the newest envelope is ten minutes old, and no block can be younger than the tip.
    let recovery = &report(&run_dir)["recovery"];
    let [claimed, provable] =
        ["rpo_claimed_seconds", "rpo_provable_seconds"].map(|name| recovery[name].as_i64().unwrap());
    let as_of = report(&run_dir)["as_of"]["time"].as_i64().unwrap();
    assert_eq!(recovery["newest_envelope_time"].as_i64().unwrap() + claimed, as_of);
    assert_eq!(recovery["newest_anchor_time"].as_i64().unwrap() + provable, as_of);
    assert!(claimed <= 600, "{recovery}");
}

#[test]
fn every_block_of_a_proof_is_listed_by_ots_info() {
    // fixtures/ots/MANIFEST.md: valid in two blocks.
    let proof = fixtures().join("ots/proofs/rust-large_test.ots");
    let text = stdout(&run(&["ots", "info", arg(&proof)]));
    assert!(text.contains("449397") && text.contains("449399"), "{text}");
}
