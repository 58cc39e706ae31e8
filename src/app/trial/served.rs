//! One world over loopback sockets: served, judged by the whole program online, and what its servers know of it.

use std::path::{Path, PathBuf};

use tokio::runtime::Builder;
use tokio::sync::oneshot::channel;

use super::judge::failed;
use super::written::drill_world;
use crate::app::error::AppError;
use crate::app::observer::Cancel;
use crate::sim::{Expectation, Located, Planted, Scene};

/// What came of serving a scene.
pub(super) struct Ran {
    /// Where the report stands.
    pub(super) report: PathBuf,
    /// What never reached the wire, and connections that nobody should have made, in words.
    pub(super) idle: Vec<String>,
    located: Located,
}

impl Ran {
    /// Puts the addresses that the servers got into what is expected.
    pub(super) fn locate(&self, expected: &mut Expectation, planted: &mut [Planted]) {
        for one in &mut expected.divergences {
            one.subject = self.located.subject(&one.subject);
        }
        // Addresses have another order than names.
        expected.divergences.sort();
        for one in planted {
            one.subject = self.located.subject(&one.subject);
        }
    }
}

/// Serves the scene, lets the program judge it, and stops the servers again.
pub(super) fn run(scene: &Scene, folder: &Path, cancel: &Cancel) -> Result<Ran, AppError> {
    let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("servers").enable_all().build();
    let runtime = runtime.map_err(AppError::io("start the servers of", folder))?;
    let (stop, stopped) = channel::<()>();
    let shutdown = async {
        // A dropped sender is a stop too.
        let _ = stopped.await;
    };
    let serving = runtime.block_on(scene.serve(shutdown)).map_err(|error| failed(error, folder))?;
    scene.write_beside(&serving, folder).map_err(|error| failed(error, folder))?;
    let report = drill_world(scene, folder, false, cancel)?;
    let mut idle: Vec<String> = serving.idle().iter().map(|one| format!("{one} never reached the wire")).collect();
    if serving.trapped() > 0 {
        idle.push(format!("{} connections to an address that nobody configured", serving.trapped()));
    }
    let located = Located::of(&serving);
    drop(stop);
    runtime.block_on(serving.finished()).map_err(|error| failed(error, folder))?;
    Ok(Ran { report, idle, located })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Misbehaviour, Role, Schedule, Transport, World};

    #[test]
    fn a_misbehaviour_that_never_reached_the_wire_is_told() {
        let mut scene = Scene::over(World::generate(1, 10), Transport::Sockets);
        scene.behave(Role::Headers, 0, Misbehaviour::Delay, Schedule::Nth(1)).unwrap();
        scene.behave(Role::Headers, 0, Misbehaviour::Disconnect, Schedule::Nth(1_000_000)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ran = run(&scene, folder.path(), &Cancel::default()).unwrap();
        assert_eq!(ran.idle, ["headers:0=disconnect@1000000 never reached the wire"]);
        assert!(ran.report.exists());
    }
}
