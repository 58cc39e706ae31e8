//! Worlds with faults in them, drilled in this process, and their bundles.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reledger::app::{
    Cancel, ExportWanted, Exported, JudgedBundle, JudgedBy, Made, Silent, drill_world, export_bundles, verify_bundle,
};
use reledger::domain::{Digest32, Divergence, sha256};
use reledger::sim::{Noise, Planted, Scene, Selection, Transport, World, generators, plant};
use serde_json::Value;

use crate::support::parsed;

/// The first fault of a code.
pub(super) fn first(code: &str) -> Selection {
    let generator = generators().find(|one| one.code.name() == code);
    Selection { generator: generator.unwrap_or_else(|| panic!("no fault {code}")), near: false }
}

/// A finished run over a world.
pub(super) struct Run {
    pub(super) folder: PathBuf,
    pub(super) planted: Vec<Planted>,
}

impl Run {
    /// Makes a world of files with these faults and drills it; what found no room is not in `planted`.
    pub(super) fn of(dir: &Path, size: (u64, u32), selections: &[Selection]) -> Self {
        Self::edited(dir, size, selections, |_| {})
    }

    /// As [`Self::of`], with files that somebody changed before they were read.
    pub(super) fn edited(
        dir: &Path,
        (seed, events): (u64, u32),
        selections: &[Selection],
        edit: impl FnOnce(&Path),
    ) -> Self {
        let (scene, planted) = scene(seed, events, selections, Transport::Files);
        if let Some(earlier) = &scene.earlier {
            let folder = dir.join("earlier");
            earlier.write(&folder).unwrap();
            drill_world(earlier, &folder, true, &Cancel::default()).unwrap();
        }
        scene.write(dir).unwrap();
        edit(dir);
        drill_world(&scene, dir, true, &Cancel::default()).unwrap();
        Self { folder: dir.join("run"), planted }
    }

    /// The same world over loopback sockets.
    pub(super) fn served(dir: &Path, (seed, events): (u64, u32), selections: &[Selection]) -> Self {
        let (scene, planted) = scene(seed, events, selections, Transport::Sockets);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let shutdown = async {
            let _ = stopped.await;
        };
        let serving = runtime.block_on(scene.serve(shutdown)).unwrap();
        scene.write_beside(&serving, dir).unwrap();
        drill_world(&scene, dir, false, &Cancel::default()).unwrap();
        drop(stop);
        runtime.block_on(serving.finished()).unwrap();
        Self { folder: dir.join("run"), planted }
    }

    pub(super) fn config(&self) -> PathBuf {
        self.folder.with_file_name("reledger.toml")
    }

    /// The fingerprint of the first fault of that code.
    pub(super) fn planted(&self, code: &str) -> Digest32 {
        let found = self.planted.iter().find(|one| one.selection.generator.code.name() == code);
        fingerprint(found.unwrap_or_else(|| panic!("{code} found no room")))
    }
}

fn scene(seed: u64, events: u32, selections: &[Selection], transport: Transport) -> (Scene, Vec<Planted>) {
    let world = World::generate_with(seed, events, &Noise::seeded(seed));
    let mut scene = Scene::over(world, transport);
    let planted = plant(&mut scene, selections);
    (scene, planted)
}

/// What a planted fault is called in reports.
pub(super) fn fingerprint(planted: &Planted) -> Digest32 {
    Divergence::fingerprint_of(planted.selection.generator.code, &planted.subject)
}

/// What exporting these gives.
pub(super) fn export(run: &Path, wanted: &ExportWanted, reveal: bool) -> Vec<Made> {
    let mut made = Vec::new();
    let cancel = Cancel::default();
    export_bundles(run, &JudgedBy::default(), wanted, (reveal, 1), (&Silent, &cancel), &mut |one| {
        made.push(one);
        Ok(())
    })
    .unwrap();
    made
}

/// Bundles of these, with users revealed, in the order of the fingerprints given.
pub(super) fn bundles(run: &Path, fingerprints: &[Digest32]) -> Vec<Exported> {
    let wanted = ExportWanted::These(fingerprints.iter().map(Digest32::to_hex).collect());
    let made = export(run, &wanted, true);
    made.into_iter()
        .map(|made| match made {
            Made::Bundle(bundle) => bundle,
            Made::HeldBack(held) => panic!("{}: {}", held.code, held.why),
        })
        .collect()
}

/// One of them.
pub(super) fn bundle(run: &Path, fingerprint: Digest32) -> Exported {
    bundles(run, &[fingerprint]).pop().unwrap()
}

/// The bundle's content changed and its digests computed anew, by a second implementation of docs/bundle.md for texts that
/// need no escapes beyond JSON's own.
pub(super) fn resealed(bytes: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value: Value = parsed(bytes);
    change(&mut value);
    for (digest, without) in [("id", &["id", "sha256", "software"][..]), ("sha256", &["sha256"][..])] {
        let mut bare = value.clone();
        for name in without {
            bare.as_object_mut().unwrap().remove(*name);
        }
        value[digest] = sha256(canonical(&bare).as_bytes()).to_hex().into();
    }
    canonical(&value).into_bytes()
}

fn canonical(value: &Value) -> String {
    fn write(value: &Value, out: &mut String) {
        match value {
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| canonical(item).trim_end().to_owned()).collect();
                out.push_str(&format!("[{}]", items.join(",")));
            }
            Value::Object(members) => {
                let sorted: BTreeMap<&String, &Value> = members.iter().collect();
                let members: Vec<String> = (sorted.into_iter())
                    .map(|(name, item)| format!("{}:{}", Value::from(name.as_str()), canonical(item).trim_end()))
                    .collect();
                out.push_str(&format!("{{{}}}", members.join(",")));
            }
            // A line feed is what JSON writes short and the canonical form by number.
            Value::String(_) => out.push_str(&value.to_string().replace("\\n", "\\u000a")),
            other => out.push_str(&other.to_string()),
        }
    }
    let mut out = String::new();
    write(value, &mut out);
    out + "\n"
}

/// Judges a bundle by itself.
pub(super) fn verify(bytes: &[u8]) -> JudgedBundle {
    verify_bundle("a.bundle.json", bytes, None, 1, &Cancel::default()).unwrap()
}
