//! Worlds with faults in them, drilled in this process, and their bundles.

use std::fs;
use std::path::{Path, PathBuf};

use reledger::app::{
    AsOfWanted, Cancel, Config, ExportWanted, Exported, JudgedBundle, JudgedBy, Made, Plan, RunOptions, Silent, drill,
    export_bundles, verify_bundle,
};
use reledger::domain::{Digest32, Divergence, Severity};
use reledger::sim::{Noise, Planted, Scene, Selection, Transport, World, generators, plant};

/// A fault by its code's name and its own.
pub(super) fn fault(code: &str, name: &str) -> Selection {
    let generator = generators().find(|one| one.code.name() == code && one.name == name);
    Selection { generator: generator.unwrap_or_else(|| panic!("no fault {code}/{name}")), near: false }
}

/// The first fault of a code.
pub(super) fn first(code: &str) -> Selection {
    let generator = generators().find(|one| one.code.name() == code);
    Selection { generator: generator.unwrap_or_else(|| panic!("no fault {code}")), near: false }
}

/// A finished run over a world of files.
pub(super) struct Run {
    pub(super) folder: PathBuf,
    pub(super) planted: Vec<Planted>,
}

impl Run {
    /// Makes a world with these faults and drills it; what found no room is not in `planted`.
    pub(super) fn of(dir: &Path, (seed, events): (u64, u32), selections: &[Selection]) -> Self {
        let world = World::generate_with(seed, events, &Noise::seeded(seed));
        let mut scene = Scene::over(world, Transport::Files);
        let planted = plant(&mut scene, selections);
        if let Some(earlier) = &scene.earlier {
            let folder = dir.join("earlier");
            earlier.write(&folder).unwrap();
            judge(&folder, earlier);
        }
        scene.write(dir).unwrap();
        judge(dir, &scene);
        Self { folder: dir.join("run"), planted }
    }

    pub(super) fn config(&self) -> PathBuf {
        self.folder.with_file_name("reledger.toml")
    }
}

/// Drills what was written.
fn judge(folder: &Path, scene: &Scene) {
    let text = fs::read_to_string(folder.join("reledger.toml")).unwrap();
    let plan = Plan::resolve(&Config::from_toml(&text).unwrap(), folder).unwrap();
    let as_of = scene.world.as_of();
    let options = RunOptions {
        command: "drill",
        run: folder.join("run"),
        as_of: Some(AsOfWanted::Time(as_of)),
        clock: as_of,
        fail_on: Severity::Error,
        fail_on_invalid: false,
        reveal_users: true,
        offline: true,
        yes: false,
        jobs: 1,
        max_seconds: None,
    };
    drill(&plan, &options, &Silent, &Cancel::default()).unwrap();
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

/// One bundle, with users revealed.
pub(super) fn bundle(run: &Path, fingerprint: Digest32) -> Exported {
    let wanted = ExportWanted::These(vec![fingerprint.to_hex()]);
    match export(run, &wanted, true).pop() {
        Some(Made::Bundle(bundle)) => bundle,
        other => panic!("no bundle: {other:?}"),
    }
}

/// Judges a bundle by itself.
pub(super) fn verify(bytes: &[u8]) -> JudgedBundle {
    verify_bundle("a.bundle.json", bytes, None, 1, &Cancel::default()).unwrap()
}
