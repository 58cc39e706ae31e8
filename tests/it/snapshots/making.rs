//! Making, judging, looking into and thinning out.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::checkpoints::desk::Desk;
use crate::support::{code, shown, stdout};

/// Makes one at that time into the folder `shots`; what was told.
pub(super) fn make(desk: &Desk, now: &str, more: &[&str]) -> Value {
    let (key, out) = (desk.text("one"), desk.text("shots"));
    let args = ["snapshot", "create", "--sign-with", &key, "--out", &out, "--now", now];
    let output = crate::support::run(&[&args, more, &["--run", &desk.text("run"), "--json", "-q"]].concat());
    assert_eq!(code(&output), 0, "{}", shown(&output));
    crate::support::parsed(&output.stdout)
}

pub(super) fn file(told: &Value) -> String {
    told["file"].as_str().unwrap().to_owned()
}

pub(super) fn key(told: &Value) -> String {
    told["key_id"].as_str().unwrap().to_owned()
}

fn shots(desk: &Desk) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(desk.path("shots"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    // The lock stays.
    names.retain(|name| name != ".lock");
    names.sort();
    names
}

#[test]
fn a_snapshot_is_the_same_bytes_whenever_it_is_made_and_others_read_it() {
    let desk = Desk::new();
    let first = make(&desk, "2026-10-02T00:00:00Z", &[]);
    assert_eq!((&first["sequence"], &first["is_new"]), (&0.into(), &true.into()));
    assert_eq!(make(&desk, "2026-10-03T00:00:00Z", &[])["is_new"], false, "nothing has changed");
    let bytes = fs::read(file(&first)).unwrap();
    fs::remove_dir_all(desk.path("shots")).unwrap();
    let again = make(&desk, "2026-11-02T00:00:00Z", &[]);
    assert_eq!(fs::read(file(&again)).unwrap(), bytes);
    assert!(file(&again).contains("20261102T000000Z-"), "{again}");
    // The whole run but its index, by another program where there is one.
    let tar = zstd::decode_all(bytes.as_slice()).unwrap();
    fs::write(desk.path("plain.tar"), tar).unwrap();
    let Ok(listed) = Command::new("tar").arg("-tf").arg(desk.path("plain.tar")).output() else { return };
    let names = stdout(&listed);
    assert_eq!(names.lines().take(2).collect::<Vec<_>>(), ["manifest.json", "manifest.sig"]);
    for name in ["evidence/custody.jsonl", "evidence/segments/00000001.seg", "report.json", "run.json"] {
        assert!(names.lines().any(|line| line == name), "{name} in {names}");
    }
    assert!(!names.contains("state/"));
}

#[test]
fn strict_verdicts_count_named_keys_only_and_without_one_the_verdict_says_so() {
    let desk = Desk::new();
    let made = make(&desk, "2026-10-02T00:00:00Z", &[]);
    let (file, key) = (file(&made), key(&made));
    let verify = |args: &[&str], code: i32| desk.json(&[&["snapshot", "verify", &file], args].concat(), code);
    let strict = verify(&["--key", &key], 0);
    assert_eq!((&strict["mode"], &strict["snapshots"][0]["key_id"]), (&"strict".into(), &key.clone().into()));
    let own = verify(&[], 3);
    assert_eq!((&own["mode"], own["snapshots"][0]["faults"].as_array().map(Vec::len)), (&"own-key".into(), Some(0)));
    assert!(
        verify(&["--key", &"ab".repeat(32)], 5)["snapshots"][0]["faults"].to_string().contains("signature_mismatch")
    );
    // A key of the configuration counts only where none was named.
    fs::write(desk.path("seal.toml"), format!("[seal]\ntrusted_keys = [\"{key}\"]\n")).unwrap();
    let config = desk.text("seal.toml");
    assert_eq!(verify(&["-c", &config], 0)["mode"], "strict");
    fs::write(desk.path("keys"), format!("# somebody else\n{}\n", "ab".repeat(32))).unwrap();
    verify(&["-c", &config, "--trusted-keys", &desk.text("keys")], 5);
    // One byte of the compressed stream, at many places.
    let bytes = fs::read(&file).unwrap();
    for at in (0..bytes.len()).step_by(bytes.len() / 12) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x40;
        fs::write(desk.path("changed.tar.zst"), changed).unwrap();
        let output = desk.run(&["snapshot", "verify", &desk.text("changed.tar.zst"), "--key", &key]);
        assert!([5, 6].contains(&code(&output)), "byte {at}: {}", shown(&output));
    }
    let told = desk.ends(&["snapshot", "inspect", &file], 0);
    assert!(told.contains("nothing of this is verified") && told.contains("report.json") && told.contains(&key));
    fs::write(desk.path("none.tar.zst"), b"none").unwrap();
    desk.ends(&["snapshot", "inspect", &desk.text("none.tar.zst")], 5);
    desk.ends(&["snapshot", "verify", &desk.text("nowhere")], 2);
}

#[test]
fn entries_never_get_fewer_without_a_yes_and_then_every_verdict_tells() {
    let desk = Desk::new();
    desk.grow();
    let whole = make(&desk, "2026-10-02T00:00:00Z", &[]);
    desk.shrink();
    let out = desk.text("shots");
    let key_file = desk.text("one");
    let create = ["snapshot", "create", "--sign-with", &key_file, "--out", &out];
    assert!(desk.ends(&create, 6).contains("only grows"));
    assert_eq!(shots(&desk).len(), 1);
    // What names the key and was not signed by it says nothing about what was there.
    let mut forged = fs::read(file(&whole)).unwrap();
    let tar = zstd::decode_all(forged.as_slice()).unwrap();
    let text = |from: &[u8], to: &[u8]| {
        let at = tar.windows(from.len()).position(|window| window == from).unwrap();
        [&tar[..at], to, &tar[at + from.len()..]].concat()
    };
    forged = zstd::encode_all(text(b"\"sequence\":0", b"\"sequence\":9").as_slice(), 3).unwrap();
    fs::write(desk.path("shots/20261002T120000Z-0123456789abcdef.tar.zst"), forged).unwrap();
    let half = make(&desk, "2026-10-03T00:00:00Z", &["--yes"]);
    assert_eq!(half["sequence"], 1);
    let told = desk.json(&["snapshot", "verify", &file(&whole), &file(&half), "--key", &key(&whole)], 1);
    assert_eq!(told["snapshots"][1]["faults"][0]["code"], "SNAP_REGRESS");
    assert_eq!(told["snapshots"][0]["faults"].as_array().map(Vec::len), Some(0));
}

#[test]
fn what_is_no_finished_run_or_was_altered_is_not_packed_and_nothing_is_left() {
    let desk = Desk::new();
    let (key, out) = (desk.text("one"), desk.text("shots"));
    let create = ["snapshot", "create", "--sign-with", &key, "--out", &out];
    let record = desk.path("run/run.json");
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, text.replacen("\"finished\"", "\"running\"", 1)).unwrap();
    assert!(desk.ends(&create, 2).contains("not finished"));
    fs::write(&record, &text).unwrap();
    let segment = desk.path("run/evidence/segments/00000001.seg");
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).unwrap();
    assert!(desk.ends(&create, 5).contains("checksum_error"));
    assert!(shots(&desk).is_empty());
    let dry = Desk::new();
    assert_eq!(make(&dry, "2026-10-02T00:00:00Z", &["--dry-run"])["dry_run"], true);
    assert!(!dry.path("shots").exists());
}

#[test]
fn pruning_keeps_the_newest_of_each_period_and_never_removes_the_last_good_one() {
    let desk = Desk::new();
    let made = make(&desk, "2026-10-02T00:00:00Z", &[]);
    let digest = file(&made).rsplit_once('-').unwrap().1.to_owned();
    // The same archive under other times: a folder of a quarter.
    for at in ["20260801T000000Z", "20260831T230000Z", "20260930T120000Z", "20261001T010000Z", "20261001T013000Z"] {
        fs::copy(file(&made), desk.path("shots").join(format!("{at}-{digest}"))).unwrap();
    }
    let foreign = desk.path("shots/notes.txt");
    fs::write(&foreign, b"keep").unwrap();
    let (shots_dir, key) = (desk.text("shots"), key(&made));
    let prune =
        |args: &[&str], code| desk.json(&[&["snapshot", "prune", &shots_dir, "--key", &key], args].concat(), code);
    let before = shots(&desk);
    let would = prune(&["--keep-daily", "2", "--keep-monthly", "2", "--dry-run"], 0);
    assert_eq!(shots(&desk), before, "a dry run removes nothing");
    let kept = |told: &Value| -> Vec<String> {
        let all = told["snapshots"].as_array().unwrap().iter();
        let kept = all.filter(|one| !one["kept_for"].as_array().unwrap().is_empty());
        kept.map(|one| one["file"].as_str().unwrap()[..16].to_owned()).collect()
    };
    assert_eq!(kept(&would), ["20260930T120000Z", "20261001T013000Z", "20261002T000000Z"]);
    // The newest two are damaged: neither counted nor removed, and the one before them is the last good one.
    for at in ["20261001T013000Z", "20261002T000000Z"] {
        fs::write(desk.path("shots").join(format!("{at}-{digest}")), b"damaged").unwrap();
    }
    let told = prune(&["--keep-last", "1"], 0);
    assert_eq!(kept(&told), ["20261001T010000Z", "20261001T013000Z", "20261002T000000Z"]);
    assert_eq!(shots(&desk).len(), 4, "{told}");
    assert!(foreign.exists());
    fs::write(desk.path("shots").join(format!("20261001T010000Z-{digest}")), b"damaged").unwrap();
    prune_refused(&desk, &shots_dir, &key);
    desk.ends(&["snapshot", "prune", &shots_dir], 2);
}

fn prune_refused(desk: &Desk, folder: &str, key: &str) {
    let told = desk.ends(&["snapshot", "prune", folder, "--key", key, "--keep-last", "1"], 6);
    assert!(told.contains("nothing was removed"), "{told}");
    assert_eq!(shots(desk).len(), 4, "{folder}");
}
