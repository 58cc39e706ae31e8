//! One world: made, planted, written, judged by the whole program, compared.

use std::path::{Path, PathBuf};

use super::compare::{Reported, compare};
use crate::app::as_of::AsOfWanted;
use crate::app::config::Config;
use crate::app::drill::{RunOptions, drill};
use crate::app::error::AppError;
use crate::app::observer::{Cancel, Silent};
use crate::app::plan::Plan;
use crate::domain::Severity;
use crate::sim::{Noise, Planted, Scene, Selection, World, expect, plant};

/// What one world is made of.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The world's seed.
    pub seed: u64,
    /// Billable events in it.
    pub events: u32,
    /// What is planted, in order.
    pub selections: Vec<Selection>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct TrialReport {
    /// What was tried.
    pub trial: Trial,
    /// What found its place, with the subjects.
    pub planted: Vec<Planted>,
    /// How many divergences were reported.
    pub divergences: usize,
    /// Every way in which report and expectation differ; empty when they agree.
    pub differences: Vec<String>,
}

impl Trial {
    /// Plants, writes, judges and compares in a folder of its own below `dir`, which is removed when both agree.
    ///
    /// # Errors
    /// [`AppError`] when the folder can't be written, or the program failed by itself.
    pub fn judge(&self, dir: &Path, cancel: &Cancel) -> Result<TrialReport, AppError> {
        let mut scene = Scene::of(World::generate_with(self.seed, self.events, &Noise::seeded(self.seed)));
        let planted = plant(&mut scene, &self.selections);
        let expected = expect(&scene);
        let folder = dir.join(format!("world-{}", self.seed));
        if let Some(earlier) = &scene.earlier {
            run(earlier, &folder.join("earlier"), cancel)?;
        }
        let reported = Reported::read(&run(&scene, &folder, cancel)?)?;
        let mut differences = compare(&expected, &planted, &reported);
        if planted.is_empty() {
            differences.extend(reported.blames());
        }
        if differences.is_empty() {
            // What is left behind costs space, nothing else.
            let _ = std::fs::remove_dir_all(&folder);
        }
        let divergences = reported.divergences.len();
        Ok(TrialReport { trial: self.clone(), planted, divergences, differences })
    }
}

/// Writes the scene and lets the program judge it; gives back where the report stands.
fn run(scene: &Scene, folder: &Path, cancel: &Cancel) -> Result<PathBuf, AppError> {
    let failed = |action, file: &Path, source| AppError::Io { action, file: file.display().to_string(), source };
    scene
        .write(folder)
        .map_err(|error| failed("write the world in", folder, std::io::Error::other(error.to_string())))?;
    let path = folder.join("reledger.toml");
    let text = std::fs::read_to_string(&path).map_err(|source| failed("read", &path, source))?;
    let plan = Plan::resolve(&Config::from_toml(&text)?, folder)?;
    Ok(drill(&plan, &options(scene, folder.join("run")), &Silent, cancel)?.report)
}

fn options(scene: &Scene, run: PathBuf) -> RunOptions {
    let as_of = scene.world.as_of();
    RunOptions {
        command: "drill",
        run,
        as_of: Some(AsOfWanted::Time(as_of)),
        clock: as_of,
        fail_on: Severity::Error,
        fail_on_invalid: false,
        reveal_users: true,
        offline: true,
        yes: false,
        jobs: 1,
        max_seconds: None,
    }
}
