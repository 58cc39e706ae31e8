//! Restoring: what comes back is what was packed, and whatever goes wrong leaves the old run.

use std::fs;

use super::making::{file, key, make};
use crate::checkpoints::desk::Desk;
use crate::support::{report, report_bytes, tree};

const AT: &str = "2026-10-02T00:00:00Z";

/// The names beside the run.
fn beside(desk: &Desk) -> Vec<String> {
    let all = fs::read_dir(desk.path("run").parent().unwrap()).unwrap();
    let mut names: Vec<String> = all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.starts_with("run"));
    names.sort();
    names
}

#[test]
fn what_comes_back_is_what_was_packed_and_goes_on_as_if_nothing_had_been() {
    let desk = Desk::new();
    desk.seal("one", &[]);
    let made = make(&desk, AT, &[]);
    let packed = tree(&desk.path("run"));
    desk.grow();
    let grown = tree(&desk.path("run"));
    let (archive, key) = (file(&made), key(&made));
    let restore =
        |more: &[&str], code: i32| desk.ends(&[&["snapshot", "restore", &archive, "--key", &key], more].concat(), code);
    assert!(restore(&[], 6).contains("--yes"));
    restore(&["--yes", "--dry-run"], 0);
    assert_eq!((tree(&desk.path("run")), beside(&desk)), (grown.clone(), vec!["run".to_owned()]));
    let told = desk.json(&["snapshot", "restore", &archive, "--key", &key, "--yes"], 0);
    assert_eq!(told["verified"], true);
    assert_eq!(beside(&desk), ["run", "run.before-restore-1"]);
    assert_eq!(tree(&desk.path("run.before-restore-1")), grown, "what stood there is kept, to the byte");
    let mut restored = tree(&desk.path("run"));
    for (name, bytes) in &packed {
        // The record and the custody log tell of the restore; the index is drawn again.
        if !name.starts_with("state/") && !["run.json", "evidence/custody.jsonl"].contains(&name.as_str()) {
            assert_eq!(restored.remove(name).as_ref(), Some(bytes), "{name}");
        }
    }
    let log = String::from_utf8(restored["evidence/custody.jsonl"].clone()).unwrap();
    assert!(log.starts_with(std::str::from_utf8(&packed["evidence/custody.jsonl"]).unwrap()));
    assert!(log.lines().last().unwrap().contains("\"restore\""), "{log}");
    desk.ends(
        &["audit", &desk.text("run")],
        i32::try_from(report(&desk.path("run"))["verdict"]["exit_code"].as_i64().unwrap()).unwrap(),
    );
    assert_eq!(desk.seal("one", &[])["is_new"], false, "the chain goes on");
    // Into a folder that is not there yet.
    fs::remove_dir_all(desk.path("run")).unwrap();
    restore(&[], 0);
    assert_eq!(report_bytes(&desk.path("run")), packed["report.json"]);
}

#[test]
fn a_restored_run_that_takes_in_the_rest_comes_to_the_report_of_the_whole() {
    let desk = Desk::new();
    let made = make(&desk, AT, &[]);
    desk.grow();
    let whole = report_bytes(&desk.path("run"));
    desk.ends(&["snapshot", "restore", &file(&made), "--key", &key(&made), "--yes"], 0);
    assert_ne!(report_bytes(&desk.path("run")), whole);
    desk.ends(&["drill", "-c", &Desk::config(), "--yes"], 0);
    assert_eq!(report_bytes(&desk.path("run")), whole);
}

#[test]
fn nothing_is_changed_by_what_does_not_verify() {
    let desk = Desk::new();
    let made = make(&desk, AT, &[]);
    let before = tree(&desk.path("run"));
    let (archive, key) = (file(&made), key(&made));
    let bytes = fs::read(&archive).unwrap();
    let half = desk.path("half.tar.zst");
    fs::write(&half, &bytes[..bytes.len() / 2]).unwrap();
    fs::write(desk.path("other.txt"), b"x").unwrap();
    fs::create_dir(desk.path("runfolder")).unwrap();
    fs::write(desk.path("runfolder/theirs"), b"x").unwrap();
    let half = desk.text("half.tar.zst");
    let ends = |args: &[&str], code| desk.ends(&[&["snapshot", "restore", "--yes"], args].concat(), code);
    assert!(ends(&[&archive, "--key", &"ab".repeat(32)], 5).contains("signature_mismatch"));
    assert!(ends(&[&archive], 2).contains("--own-key"));
    ends(&[&half, "--key", &key], 5);
    ends(&[&half, "--force-unverified"], 5);
    ends(&[&desk.text("other.txt"), "--key", &key], 5);
    ends(&[&desk.text("nowhere"), "--key", &key], 2);
    assert_eq!((tree(&desk.path("run")), beside(&desk)), (before, vec!["run".to_owned(), "runfolder".to_owned()]));
    // A folder of somebody else's is never put aside.
    let theirs = crate::support::run(&[
        "snapshot",
        "restore",
        &archive,
        "--key",
        &key,
        "--yes",
        "--run",
        &desk.text("runfolder"),
        "--now",
        AT,
    ]);
    assert_eq!(crate::support::code(&theirs), 6, "{}", crate::support::shown(&theirs));
    assert!(desk.path("runfolder/theirs").exists());
    // A snapshot from the future.
    let early =
        ["snapshot", "restore", &archive, "--key", &key, "--run", &desk.text("fresh"), "--now", "2026-01-01T00:00:00Z"];
    let early = crate::support::run(&early);
    assert_eq!(crate::support::code(&early), 6, "{}", crate::support::shown(&early));
    assert!(!desk.path("fresh").exists());
}

#[test]
fn the_archives_own_key_is_believed_only_when_asked_for_and_it_says_so() {
    let desk = Desk::new();
    let made = make(&desk, AT, &[]);
    fs::remove_dir_all(desk.path("run")).unwrap();
    let told = desk.ends(&["snapshot", "restore", &file(&made), "--own-key", "-q"], 0);
    assert!(told.contains("nobody says whose"), "{told}");
    let log = fs::read_to_string(desk.path("run/evidence/custody.jsonl")).unwrap();
    assert!(log.lines().last().unwrap().contains("--own-key"));
}

#[test]
fn what_was_restored_by_force_says_so_in_every_later_report_and_snapshot() {
    let desk = Desk::new();
    desk.grow();
    let made = make(&desk, AT, &[]);
    let before = report(&desk.path("run"));
    assert_eq!(before["verdict"]["exit_code"], 0, "{}", before["verdict"]);
    fs::remove_dir_all(desk.path("run")).unwrap();
    let told = desk.ends(&["snapshot", "restore", &file(&made), "--force-unverified", "-q"], 0);
    assert!(told.contains("WARNING"), "at any verbosity: {told}");
    assert!(!desk.path("run/report.json").exists(), "its report is nobody's word");
    let config = Desk::config();
    let marked = |what: &str| {
        let report = report(&desk.path("run"));
        let rows = report["coverage"].as_array().unwrap();
        let row = rows.iter().find(|row| row["source"] == "restore:unverified").unwrap_or_else(|| panic!("{what}"));
        assert_eq!(row["complete"], false);
        assert!(row["reason"].as_str().unwrap().contains("by force"), "{what}");
        assert_eq!(report["verdict"]["exit_code"], 3, "{what}: {}", report["verdict"]);
        let open = |one: &&serde_json::Value| {
            one["code"] == "SRC_INCOMPLETE"
                && one["state"] == "open"
                && one["subject"]["source"] == "restore:unverified"
        };
        assert!(report["divergences"].as_array().unwrap().iter().any(|one| open(&one)), "{what}");
        report
    };
    desk.ends(&["rebuild", "-c", &config], 3);
    assert_eq!(marked("the first report")["state_root"], before["state_root"], "the evidence speaks for itself");
    desk.ends(&["rebuild", "-c", &config, "--yes"], 3);
    marked("the second report");
    // A snapshot of it carries the mark, however well it is signed.
    let again = make(&desk, "2026-10-05T00:00:00Z", &["--yes"]);
    fs::remove_dir_all(desk.path("run")).unwrap();
    desk.ends(&["snapshot", "restore", &file(&again), "--key", &key(&again)], 0);
    marked("the restored report");
    desk.ends(&["rebuild", "-c", &config, "--yes"], 3);
    marked("a report of the restored evidence");
}
