//! A world that was written into a folder, judged by the whole program in this process.

use std::path::{Path, PathBuf};

use crate::app::as_of::AsOfWanted;
use crate::app::config::Config;
use crate::app::custody_log::Actor;
use crate::app::drill::drill;
use crate::app::error::AppError;
use crate::app::observer::{Cancel, Silent};
use crate::app::options::RunOptions;
use crate::app::plan::Plan;
use crate::domain::{Severity, UnixSeconds};
use crate::sim::Scene;
use crate::verify::Checks;

impl RunOptions {
    /// Options of a run whose report is to be compared: `as_of` is the clock too, users stand in clear, one thread.
    pub fn of_trial(run: PathBuf, as_of: UnixSeconds, offline: bool) -> Self {
        Self {
            command: "drill",
            run,
            as_of: Some(AsOfWanted::Time(as_of)),
            clock: as_of,
            fail_on: Severity::Error,
            fail_on_invalid: false,
            reveal_users: true,
            offline,
            yes: false,
            jobs: 1,
            checks: Checks::Single,
            max_seconds: None,
            actor: Actor::default(),
            expect_root: None,
            memory: None,
        }
    }
}

/// The plan of the configuration that a world's folder holds.
///
/// # Errors
/// [`AppError::Io`] without a configuration, [`AppError::Config`] for one that can't be used.
pub fn plan_of_world(folder: &Path) -> Result<Plan, AppError> {
    let path = folder.join("reledger.toml");
    let text = std::fs::read_to_string(&path).map_err(AppError::io("read", &path))?;
    Plan::resolve(&Config::from_toml(&text)?, folder)
}

/// Lets the program judge what stands in the folder at the scene's instant, into `run` beside it; gives back where the
/// report stands.
///
/// # Errors
/// [`AppError`], as `reledger drill` over the folder's configuration.
pub fn drill_world(scene: &Scene, folder: &Path, offline: bool, cancel: &Cancel) -> Result<PathBuf, AppError> {
    let options = RunOptions::of_trial(folder.join("run"), scene.world.as_of(), offline);
    Ok(drill(&plan_of_world(folder)?, &options, &Silent, cancel)?.report)
}
