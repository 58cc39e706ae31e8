//! Goal: where evidence lies changes nothing of what is said about it.
//! Method: one world over the three servers of `spread`, with one, two and four workers, beside the report of one process.

use std::process::Child;

use tempfile::tempdir;

use super::runs::{Gate, captured, command, reference, reported, stopped, worker, world};
use super::server::url;
use super::spread;
use crate::support::{code, shown};

#[test]
fn evidence_spread_over_three_servers_gives_the_same_report_with_one_two_and_four_workers() {
    let Some(servers) = spread::servers() else { return };
    spread::lay(&servers, "spread");
    let (port, store) = (servers[0].port, url(servers[0].port, "spread"));
    let folder = tempdir().unwrap();
    for workers in [1, 2, 4] {
        let run = folder.path().join(format!("by{workers}"));
        captured(world(), &store, &run);
        let mut gate = Gate::of_workers(port, &store, workers);
        let started: Vec<Child> = (0..workers).map(|_| worker(&store, &[])).collect();
        command("rebuild", world(), &store, &run).output().unwrap();
        for child in started {
            let output = stopped(child);
            assert_eq!(code(&output), 130, "{}", shown(&output));
        }
        assert!(reported(&run) == reference(), "{workers} workers");
        gate.lift();
    }
    let held = spread::held(&servers, "spread");
    assert!(held.iter().all(|held| *held > 10), "each has its share: {held:?}");
}
