//! Bytes of a version that nobody knows yet are kept by the store, so that a later reader needs no source for them.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reledger::domain::{EvidenceId, sha256};
use reledger::sim::{Scene, Selection, World, generators, plant};
use reledger::store::{EvidenceStore as _, LogStore};
use serde_json::Value;
use tempfile::tempdir;

use super::case::{list, text};
use crate::support::{arg, code, report, run, shown};

const AS_OF: &str = "2026-10-01T00:00:00Z";

/// The one ENV_SCHEMA of a report.
fn unread(report: &Value) -> &Value {
    let mut found = list(report, "divergences").iter().filter(|one| one["code"] == "ENV_SCHEMA");
    let one = found.next().expect("the report lists it");
    assert_eq!(found.next(), None);
    one
}

#[test]
fn an_unknown_version_is_listed_kept_and_read_again_without_its_source() {
    let folder = tempdir().unwrap();
    let (world, run_dir) = (folder.path().join("world"), folder.path().join("run"));
    let mut scene = Scene::of(World::generate(11, 40));
    let generator = generators().find(|one| one.name == "the-version-after-the-last").unwrap();
    let planted = plant(&mut scene, &[Selection { generator, near: false }]);
    assert_eq!(planted.len(), 1);
    scene.write(&world).unwrap();
    let config = world.join("reledger.toml");
    let on_disk = fs::read_to_string(&config).unwrap().replace("url = \"memory:\"", "url = \"redb:\"");
    fs::write(&config, on_disk).unwrap();
    let command = |name: &str| {
        let more = ["-c", arg(&config), "--run", arg(&run_dir), "--as-of", AS_OF, "--progress", "none", "--yes", "-q"];
        let output = run(&[&[name], &more[..]].concat());
        assert_eq!(code(&output), 0, "{}", shown(&output));
        report(&run_dir)
    };
    let first = command("drill");
    let found = unread(&first);
    assert_eq!(text(found, "/expected"), "v: 1 to 4, the known versions");
    assert_eq!(text(found, "/observed"), "v is 5");

    // The archive it came in is gone; the bytes are not.
    fs::remove_dir_all(world.join("nostr")).unwrap();
    let again = command("rebuild");
    assert_eq!(unread(&again), found);
    assert_eq!(again["divergences"], first["divergences"]);
    let carrier: EvidenceId = text(&list(found, "evidence")[0], "/id").parse().unwrap();
    let store = LogStore::open_read_only(&run_dir.join("evidence")).unwrap();
    let event: Value = serde_json::from_slice(&store.get(&carrier).unwrap().expect("it is kept").bytes).unwrap();
    let content: Value = serde_json::from_str(text(&event, "/content")).unwrap();
    let signed = STANDARD.decode(text(&content, "/canonical_b64")).unwrap();
    assert_eq!(Some(sha256(&signed).to_hex().as_str()), found["subject"]["envelope"].as_str());
    let body: Value = serde_json::from_slice(&signed).unwrap();
    assert_eq!((&body["v"], &body["class"]), (&5.into(), &"B".into()));
}
