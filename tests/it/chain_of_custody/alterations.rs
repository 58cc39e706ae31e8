//! One altered, missing or added member of sealed evidence is named, whatever member it is and wherever it was altered.

use std::fs;
use std::path::{Path, PathBuf};

use reledger::app::{Cancel, Silent, audit as judge_again};
use reledger::verify::Checks;

use super::{Bench, audit};

/// Every file below a folder, relative to it.
fn files(folder: &Path, below: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(folder, &path, found);
        } else {
            found.push(path.strip_prefix(folder).unwrap().to_owned());
        }
    }
    found.sort();
}

/// An edit of one file.
type Alter = fn(&Path);

/// As the command, without a process: what went wrong, and its exit code.
fn audited(run_dir: &Path) -> (u8, String) {
    let error =
        judge_again(run_dir, (1, Checks::Single), &Silent, &Cancel::default()).expect_err("something was altered");
    (error.condition().exit_code().0, format!("{error}: {:?}", std::error::Error::source(&error)))
}

fn flip(path: &Path, place: impl Fn(usize) -> usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = place(bytes.len());
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn each_file_below_the_evidence_folder_is_named_when_it_is_altered_in_any_way() {
    let (bench, run_dir) = Bench::with_run(6);
    // A second run leaves a second segment.
    let world = bench.at("world/nostr");
    let first = fs::read_dir(&world).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_file()).unwrap();
    let text = fs::read_to_string(&first).unwrap();
    fs::write(&first, format!("{text}{{\"junk\":1}}\n")).unwrap();
    crate::support::drill(&bench.config, &run_dir, &["--yes"]);
    assert_eq!(audit(&run_dir).0, 0);
    let mut members = Vec::new();
    files(&run_dir.join("evidence"), &run_dir.join("evidence"), &mut members);
    let names: Vec<&str> = members.iter().map(|member| member.to_str().unwrap()).collect();
    let wanted = ["custody.jsonl", "inputs.json", "manifest.json", "segments/00000001.seg", "segments/00000002.seg"];
    assert_eq!(names, wanted, "every file is sealed, is the seal, or is chained to it");
    let ways: [(&str, Alter); 7] = [
        ("first byte", |path| flip(path, |_| 0)),
        ("last byte", |path| flip(path, |len| len - 1)),
        ("middle", |path| flip(path, |len| len / 2)),
        ("truncated", |path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
        }),
        ("longer", |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes.push(b'\n');
            fs::write(path, bytes).unwrap();
        }),
        ("removed", |path| fs::remove_file(path).unwrap()),
        ("a folder", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
    ];
    for name in names {
        for (how, alter) in ways {
            let copy = bench.copy(&run_dir, "copy");
            alter(&copy.join("evidence").join(name));
            let (exit, said) = audited(&copy);
            // Without a manifest the folder is no finished run.
            let wanted = if (name, how) == ("manifest.json", "removed") { 2 } else { 5 };
            let named = said.contains(name);
            assert!(exit == wanted && named, "{name} {how}: {said}");
            fs::remove_dir_all(&copy).unwrap();
        }
        let copy = bench.copy(&run_dir, "copy");
        let path = copy.join("evidence").join(name);
        fs::rename(&path, copy.join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(copy.join("elsewhere"), &path).unwrap();
        let (exit, said) = audited(&copy);
        assert!(exit == 5 && said.contains(name) && said.contains("is a link"), "{name} link: {said}");
        fs::remove_dir_all(&copy).unwrap();
    }
}

#[test]
fn whatever_was_added_below_the_evidence_folder_is_named() {
    let (bench, run_dir) = Bench::with_run(6);
    for (name, is_folder) in [
        ("extra", false),
        ("segments/extra", false),
        ("segments/00000002.seg", false),
        ("segments/00000002.open", false),
        ("extra", true),
        ("segments/extra", true),
        (".manifest.json.tmp", false),
        ("custody.jsonl.old", false),
    ] {
        let copy = bench.copy(&run_dir, "copy");
        let path = copy.join("evidence").join(name);
        if is_folder {
            fs::create_dir(&path).unwrap();
        } else {
            fs::write(&path, "x").unwrap();
        }
        let (exit, said) = audited(&copy);
        assert!(exit == 5 && said.contains(name), "{name}: {said}");
        fs::remove_dir_all(&copy).unwrap();
    }
}
