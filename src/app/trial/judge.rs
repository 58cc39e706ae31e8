//! One world: made, planted, written, judged by the whole program, compared.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::compare::{Reported, compare};
use super::served;
use super::written::drill_world;
use crate::app::error::AppError;
use crate::app::observer::Cancel;
use crate::sim::{Expectation, Expected, Noise, Planted, Scene, Selection, SimError, Transport, World, expect, plant};

/// What one world is made of.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The world's seed.
    pub seed: u64,
    /// Billable events in it.
    pub events: u32,
    /// What is planted, in order.
    pub selections: Vec<Selection>,
    /// How it comes to the program.
    pub transport: Transport,
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
    /// Plants, writes, judges and compares in a folder of its own below `dir`, which is made anew, and removed when both
    /// agree. A program that fails or panics over a world differs from its oracle too.
    ///
    /// # Errors
    /// [`AppError`] when files can't be written, or we were interrupted.
    pub fn judge(&self, dir: &Path, cancel: &Cancel) -> Result<TrialReport, AppError> {
        match catch_unwind(AssertUnwindSafe(|| self.attempt(dir, cancel))) {
            Ok(Err(
                error @ (AppError::Io { .. } | AppError::Store(_) | AppError::Ingest(_) | AppError::Interrupted { .. }),
            )) => Err(error),
            Ok(Err(error)) => Ok(self.failed(format!("the program failed: {error}"))),
            Ok(Ok(report)) => Ok(report),
            Err(panic) => {
                let words = panic.downcast_ref::<String>().map(String::as_str);
                let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word");
                Ok(self.failed(format!("the program panicked: {words}")))
            }
        }
    }

    fn failed(&self, difference: String) -> TrialReport {
        TrialReport { trial: self.clone(), planted: Vec::new(), divergences: 0, differences: vec![difference] }
    }

    fn attempt(&self, dir: &Path, cancel: &Cancel) -> Result<TrialReport, AppError> {
        let folder = dir.join(format!("world-{}", self.seed));
        // What a larger attempt at this world left.
        let _ = std::fs::remove_dir_all(&folder);
        let world = World::generate_with(self.seed, self.events, &Noise::seeded(self.seed));
        let mut scene = Scene::over(world, self.transport);
        let honest = if self.selections.is_empty() { Vec::new() } else { expect(&scene).divergences };
        let mut planted = plant(&mut scene, &self.selections);
        let mut expected = expect(&scene);
        let mut differences = vacuous(&honest, &planted, &expected);
        if let Some(earlier) = &scene.earlier {
            run(earlier, &folder.join("earlier"), cancel)?;
        }
        let report = match self.transport {
            Transport::Files => run(&scene, &folder, cancel)?,
            Transport::Sockets => {
                let ran = served::run(&scene, &folder, cancel)?;
                ran.locate(&mut expected, &mut planted);
                differences.extend(ran.idle);
                ran.report
            }
        };
        let reported = Reported::read(&report)?;
        differences.extend(compare(&expected, &planted, &reported));
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

/// What was planted and proves nothing: a fault that the honest world shows already, a near miss that hits by itself.
fn vacuous(honest: &[Expected], planted: &[Planted], expected: &Expectation) -> Vec<String> {
    let shows = |all: &[Expected], one: &Planted| {
        all.iter().any(|it| it.code == one.selection.generator.code && it.subject == one.subject)
    };
    let of_faults = planted.iter().filter(|one| !one.selection.near && shows(honest, one));
    let mut told: Vec<String> =
        of_faults.map(|one| format!("{} was planted where the honest world shows the same", one.selection)).collect();
    if let [alone] = planted
        && alone.selection.near
        && shows(&expected.divergences, alone)
        && !shows(honest, alone)
    {
        told.push(format!("near miss {} hits by itself", alone.selection));
    }
    told
}

/// A world that could not be made: where, and why.
pub(super) fn failed(error: SimError, folder: &Path) -> AppError {
    match error {
        SimError::Write { path, source } => AppError::io("write", &path)(source),
        other => AppError::io("make the world in", folder)(std::io::Error::other(other.to_string())),
    }
}

/// Writes the scene and lets the program judge it; gives back where the report stands.
fn run(scene: &Scene, folder: &Path, cancel: &Cancel) -> Result<PathBuf, AppError> {
    scene.write(folder).map_err(|error| failed(error, folder))?;
    drill_world(scene, folder, true, cancel)
}
