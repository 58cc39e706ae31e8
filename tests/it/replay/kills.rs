//! A capture that is killed at random moments and run again holds what an undisturbed one holds.
//! `RELEDGER_KILLS=n` sets how many captures are killed, half of them over sockets.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reledger::domain::{Digest32, EvidenceId, merkle_root};
use reledger::store::{EvidenceStore as _, LogStore};
use tempfile::tempdir;

use super::stage::{AS_OF, Stage};
use crate::support::{Lcg, arg, code, reledger, shown, write_world};

fn kills() -> usize {
    #[expect(clippy::disallowed_methods, reason = "the campaign's size is the caller's")]
    let asked = std::env::var("RELEDGER_KILLS");
    asked.ok().and_then(|text| text.parse().ok()).unwrap_or(6)
}

fn capture(config: &Path, run_dir: &Path) -> Command {
    let mut command = reledger();
    command.args(["capture", "-c", arg(config), "--run", arg(run_dir), "--progress", "none", "--now", AS_OF]);
    command
}

/// Lets a capture go to its end; gives the evidence root, by its definition (docs/state-root.md).
fn finish(config: &Path, run_dir: &Path) -> Digest32 {
    let output = capture(config, run_dir).output().unwrap();
    assert_eq!(code(&output), 0, "{}", shown(&output));
    let store = LogStore::open_read_only(&run_dir.join("evidence")).unwrap();
    let ids = store.ids().unwrap();
    merkle_root(ids.iter().map(EvidenceId::as_bytes))
}

/// Kills captures at moments spread over a whole one, and counts those that were really interrupted.
#[expect(clippy::disallowed_methods, reason = "how long a capture takes is needed to spread the kills")]
fn campaign(config: &Path, folder: &Path, count: usize, chance: &mut Lcg) -> usize {
    let began = Instant::now();
    let undisturbed = finish(config, &folder.join("undisturbed"));
    let mut whole = began.elapsed();
    let mut killed = 0;
    for round in 0..count {
        let run_dir: PathBuf = folder.join(format!("killed-{round}"));
        let mut kills_left = 1 + chance.below(3);
        while kills_left > 0 {
            let mut command = capture(config, &run_dir);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            let moment = whole * u32::try_from(chance.below(1_000)).unwrap() / 1_000;
            std::thread::sleep(moment.max(Duration::from_millis(1)));
            child.kill().unwrap();
            // One that ended before it could be killed has a code: whoever comes too late begins again, and comes earlier.
            if child.wait().unwrap().code().is_none() {
                (killed, kills_left) = (killed + 1, kills_left - 1);
            } else {
                whole = whole * 3 / 4;
                std::fs::remove_dir_all(&run_dir).unwrap();
            }
        }
        assert_eq!(finish(config, &run_dir), undisturbed, "round {round}");
        std::fs::remove_dir_all(&run_dir).unwrap();
    }
    killed
}

#[test]
fn a_capture_killed_at_random_moments_and_resumed_has_the_root_of_an_undisturbed_one() {
    let (all, mut chance) = (kills(), Lcg(11));
    let files = tempdir().unwrap();
    let config = write_world(&files.path().join("world"), 5, 40);
    let mut killed = campaign(&config, files.path(), all / 2, &mut chance);
    let stage = Stage::new();
    killed += campaign(&stage.config(), stage.folder.path(), all - all / 2, &mut chance);
    println!("{all} captures, killed {killed} times");
}
