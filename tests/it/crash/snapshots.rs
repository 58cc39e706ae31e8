//! Snapshots that are made and restored.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use reledger::app::{Cancel, FinishedRun, verify_snapshots};
use reledger::domain::{Digest32, PublicKey32};

use super::desk::{NOW, Template, done, holds, names, owned, shared, shared_text};
use super::disk::{Tree, tree_of};
use super::matrix::{Must, Scene, tried};
use super::shim::{Lack, is_here};
use crate::support::{arg, parsed, report_bytes, tree};

const LATER: &str = "2026-10-03T00:00:00Z";

/// Makes one; its file's name and the key.
fn made(root: &Path, run: &str, now: &str) -> Result<(String, String), String> {
    let (run, out, key) = (root.join(run), root.join("shots"), shared_text("key"));
    let args =
        ["snapshot", "create", "--sign-with", &key, "--out", arg(&out), "--run", arg(&run), "--now", now, "--json"];
    let told = parsed(&done(&args)?);
    let file = Path::new(told["file"].as_str().unwrap()).file_name().unwrap().to_str().unwrap().to_owned();
    Ok((file, told["key_id"].as_str().unwrap().to_owned()))
}

/// The folder of snapshots: every one under a snapshot's name holds, the old one is there, the new one or nothing is.
fn shots(root: &Path, must: Must, old: &Tree, (new, bytes): (&str, &[u8])) -> Result<(), String> {
    let folder = root.join("shots");
    for name in names(&folder) {
        let is_half = name == format!(".{new}.tmp") && must == Must::Either;
        // Empty, and kept: who makes the next one takes it.
        let is_lock = name == ".lock";
        holds(is_half || is_lock || name == new || old.contains_key(&name), || format!("{name} stands there"))?;
    }
    let now = if folder.exists() { tree_of(&folder) } else { Tree::new() };
    for (name, content) in old {
        holds(now.get(name) == Some(content), || format!("the old {name} is not as it was"))?;
    }
    match now.get(new) {
        None => holds(must != Must::New, || "it said that it is done, and there is none".to_owned()),
        Some(content) => {
            holds(content.as_deref() == Some(bytes), || "half an archive has a snapshot's name".to_owned())
        }
    }
}

fn whole(root: &Path, key: &str) -> Result<usize, String> {
    let folder = root.join("shots");
    let named: Vec<_> =
        names(&folder).iter().filter(|name| !name.starts_with('.')).map(|name| folder.join(name)).collect();
    let keys = BTreeSet::from([PublicKey32(Digest32::from_hex(key).unwrap())]);
    let verdict = verify_snapshots(&named, &keys, &Cancel::default()).map_err(|error| error.to_string())?;
    let faults: Vec<String> =
        verdict.snapshots.iter().flat_map(|one| &one.faults).map(|fault| fault.what.clone()).collect();
    holds(faults.is_empty(), || faults.join("; ")).map(|()| named.len())
}

fn making(name: &str, template: &Template, share: usize) {
    let mut old =
        if template.root().join("shots").exists() { tree_of(&template.root().join("shots")) } else { Tree::new() };
    old.retain(|name, _| name != ".lock");
    let run = tree(&template.root().join("run"));
    let scratch = Template::of(&[]);
    crate::support::copy_folder(template.root(), &scratch.root().join("all"));
    let (new, key) = made(&scratch.root().join("all"), "run", NOW).unwrap();
    let bytes = fs::read(scratch.root().join("all/shots").join(&new)).unwrap();
    let judge = |root: &Path, must: Must| {
        holds(tree(&root.join("run")) == run, || "the run is not as it was".to_owned())?;
        shots(root, must, &old, (&new, &bytes))?;
        // Whatever was left, the next one ends well, and the folder holds.
        made(root, "run", LATER)?;
        let count = whole(root, &key)?;
        holds(count == old.len() + 1, || format!("{count} snapshots after the next one"))
    };
    let args = |root: &Path| {
        let (run, out) = (root.join("run"), root.join("shots"));
        let key = shared_text("key");
        owned(&["snapshot", "create", "--sign-with", &key, "--out", arg(&out), "--run", arg(&run), "--now", NOW, "-q"])
    };
    tried(&Scene { name, template: template.root(), args: &args, ends: 0, judge: &judge, lacks: None, share });
}

#[test]
fn a_snapshot_is_there_whole_or_not_at_all_and_the_older_ones_stand() {
    if !is_here() {
        return;
    }
    let first = Template::of(&[("run", "whole")]);
    making("snapshot create, into a new folder", &first, 1);
    let next = Template::of(&[("run", "whole"), ("before", "half")]);
    made(next.root(), "before", "2026-10-01T00:00:00Z").unwrap();
    making("snapshot create, beside an older one", &next, 1);
}

/// An archive of the half run, beside every scene.
fn archive() -> (Template, String, String) {
    let template = Template::of(&[("run", "half")]);
    let (file, key) = made(template.root(), "run", NOW).unwrap();
    let file = template.text(&format!("shots/{file}"));
    (template, file, key)
}

/// What stands under a run's name: nothing, the old run, or the restored one.
fn stands(run: &Path) -> Result<Option<Vec<u8>>, String> {
    if run.symlink_metadata().is_err() {
        return Ok(None);
    }
    FinishedRun::verified(run).map_err(|error| format!("{}: {error}", run.display()))?;
    Ok(Some(report_bytes(run)))
}

/// The folders beside it are the old run, or half a restore under the name that says so.
fn beside(root: &Path, must: Must, old: Option<&Vec<u8>>, is_new: bool) -> Result<(), String> {
    let mut is_kept = false;
    for name in names(root) {
        let path = root.join(&name);
        if name == "run" {
        } else if name.starts_with("run.before-restore-") {
            holds(stands(&path)?.as_ref() == old, || format!("{name} is not the old run"))?;
            is_kept = true;
        } else if name.starts_with("run.restoring-") {
            holds(must == Must::Either, || format!("{name} was left, and nobody was killed"))?;
            is_kept |= stands(&path).is_ok_and(|found| found.as_ref() == old);
        } else {
            return Err(format!("{name} stands there"));
        }
    }
    holds(!is_new || old.is_none() || is_kept, || "the old run is nowhere".to_owned())
}

fn restoring(name: &str, template: &Template, place: &str, lacks: Option<Lack>) {
    let (_kept, file, key) = archive();
    let packed = report_bytes(&shared("half"));
    let old = template.root().join(place).exists().then(|| report_bytes(&template.root().join(place)));
    let args = |root: &Path| {
        let run = root.join(place);
        owned(&["snapshot", "restore", &file, "--key", &key, "--yes", "--run", arg(&run), "--now", NOW, "-q"])
    };
    let judge = |root: &Path, must: Must| {
        let run = root.join(place);
        let found = stands(&run)?;
        let is_new = found.as_ref() == Some(&packed);
        // Where names can't change places there is a moment between two renames: the old run stands beside, whole.
        let is_between = lacks.is_some() && found.is_none() && must == Must::Either;
        let is_kept = || stands(&root.join("run.before-restore-1")).is_ok_and(|kept| kept == old);
        holds(is_new || found == old || (is_between && is_kept()), || {
            "neither the old run nor the restored one".to_owned()
        })?;
        holds(is_new || must != Must::New, || "it said that it is done, and the old run stands there".to_owned())?;
        match place {
            "run" => beside(root, must, old.as_ref(), is_new)?,
            _ => holds(names(root).iter().all(|name| name == "deep"), || format!("{:?}", names(root)))?,
        }
        let again: Vec<String> = args(root);
        done(&again.iter().map(String::as_str).filter(|one| *one != "-q").collect::<Vec<_>>())?;
        holds(stands(&run)? == Some(packed.clone()), || "the next restore made something else".to_owned())
    };
    tried(&Scene { name, template: template.root(), args: &args, ends: 0, judge: &judge, lacks, share: 6 });
}

#[test]
fn a_restore_leaves_the_old_run_or_the_restored_one() {
    if !is_here() {
        return;
    }
    let over = Template::of(&[("run", "whole")]);
    restoring("snapshot restore, over a run", &over, "run", None);
    restoring("snapshot restore, to where nothing is", &Template::of(&[]), "deep/run", None);
    restoring("snapshot restore, where names can't change places", &over, "run", Some(Lack::Exchange));
}

/// What was restored by force is no finished run: evidence with a mark.
fn is_marked(run: &Path) -> bool {
    let read = |name: &str| fs::read_to_string(run.join(name)).unwrap_or_default();
    let segments = names(&run.join("evidence/segments"));
    let mark = b"restore:unverified";
    let is_told = segments.iter().any(|name| {
        let bytes = fs::read(run.join("evidence/segments").join(name)).unwrap();
        bytes.windows(mark.len()).any(|window| window == mark)
    });
    let log = read("evidence/custody.jsonl");
    is_told && log.ends_with('\n') && log.contains("--force-unverified") && read("run.json").contains("\"running\"")
}

#[test]
fn a_restore_by_force_leaves_the_old_run_or_one_that_is_marked() {
    if !is_here() {
        return;
    }
    let (_kept, file, _) = archive();
    let template = Template::of(&[("run", "whole")]);
    let old = report_bytes(&template.root().join("run"));
    let args = |root: &Path| {
        let run = root.join("run");
        owned(&["snapshot", "restore", &file, "--force-unverified", "--yes", "--run", arg(&run), "--now", NOW, "-q"])
    };
    let judge = |root: &Path, must: Must| {
        let run = root.join("run");
        let is_new = is_marked(&run);
        if !is_new {
            holds(stands(&run)?.as_ref() == Some(&old), || "neither the old run nor the restored one".to_owned())?;
            holds(must != Must::New, || "it said that it is done, and the old run stands there".to_owned())?;
        }
        beside(root, must, Some(&old), is_new)?;
        let again: Vec<String> = args(root);
        done(&again.iter().map(String::as_str).filter(|one| *one != "-q").collect::<Vec<_>>())?;
        holds(is_marked(&run), || "the next restore made something else".to_owned())
    };
    let name = "snapshot restore, by force";
    tried(&Scene { name, template: template.root(), args: &args, ends: 0, judge: &judge, lacks: None, share: 6 });
}
