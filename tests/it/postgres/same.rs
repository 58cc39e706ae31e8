//! One report whatever the store and however many work on it.

use tempfile::tempdir;

use super::runs::{Gate, Tables, captured, command, drilled, faulty, reference, reported, stopped, worker, world};
use super::server::{common_port, own_schema};
use crate::support::{code, parsed, report, shown, tree};

fn worlds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the campaign's size is the caller's")]
    let asked = std::env::var("RELEDGER_WORKER_WORLDS");
    asked.ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

#[test]
fn every_store_gives_the_same_report_and_roots() {
    let Some(store) = own_schema() else { return };
    let folder = tempdir().unwrap();
    for (name, store) in [("redb", "redb:"), ("sled", "sled:"), ("shared", &store)] {
        let run = drilled(world(), store, &folder.path().join(name));
        assert!(reported(&run) == reference(), "{name}");
        assert_eq!(report(&run)["inputs"]["evidence_root"], parsed(reference())["inputs"]["evidence_root"]);
        assert_eq!(report(&run)["state_root"], parsed(reference())["state_root"]);
    }
    // What an auditor gets is the folder: no server is asked.
    let audited = crate::support::run(&["audit", crate::support::arg(&folder.path().join("shared")), "--offline"]);
    assert!(!shown(&audited).contains("does not"), "{}", shown(&audited));
    let segments = |name: &str| {
        let mut files = tree(&folder.path().join(name).join("evidence"));
        files.retain(|name, _| name.starts_with("segments"));
        files.len()
    };
    assert_eq!(segments("shared"), segments("redb"));
}

#[test]
fn one_two_and_four_workers_give_the_report_of_one_process() {
    let Some(port) = common_port() else { return };
    for seed in 0..worlds() {
        let folder = tempdir().unwrap();
        let own = folder.path().join("world");
        let (world, expected) = if seed == 0 {
            (world(), reference().to_vec())
        } else {
            faulty(seed + 100, &own);
            (own.as_path(), reported(&drilled(&own, "memory:", &folder.path().join("alone"))))
        };
        for workers in [1, 2, 4] {
            let store = own_schema().unwrap();
            let run = folder.path().join(format!("by{workers}"));
            captured(world, &store, &run);
            let mut gate = Gate::of_workers(port, &store, workers);
            // Every other one checks in batches.
            let ways: [&[&str]; 2] = [&[], &["--verify", "batch"]];
            let started: Vec<_> = (0..workers).map(|number| worker(&store, ways[number % 2])).collect();
            command("rebuild", world, &store, &run).output().unwrap();
            for child in started {
                let output = stopped(child);
                assert_eq!(code(&output), 130, "{}", shown(&output));
            }
            assert!(reported(&run) == expected, "world {seed}, {workers} workers");
            let helped =
                "SELECT count(DISTINCT worker) FROM S.slice WHERE worker LIKE 'worker %' AND result IS NOT NULL";
            assert_eq!(gate.number(helped), i64::try_from(workers).unwrap());
            assert_eq!(gate.number("SELECT count(*) FROM S.slice WHERE result IS NULL"), 0);
            assert!(
                gate.number("SELECT sum(octet_length(result) - 40) FROM S.slice") > 0,
                "signatures were vouched for"
            );
            assert_eq!(gate.number("SELECT count(*) FROM S.work WHERE NOT done"), 0);
        }
    }
}

#[test]
fn what_is_vouched_for_over_other_evidence_counts_for_nothing() {
    const UNDONE: &str = "SELECT count(*) FROM S.slice WHERE result IS NULL";
    let Some(port) = common_port() else { return };
    let folder = tempdir().unwrap();
    let store = own_schema().unwrap();
    let run = drilled(world(), &store, &folder.path().join("run"));
    // Whoever may write into the tables gives one slice the bytes of another, one no bytes that read, and one too many.
    let mut tables = Tables::open(port, &store);
    let slices = tables.number("SELECT count(*) FROM S.evidence");
    assert!(slices > 4, "{slices}");
    tables.run("UPDATE S.evidence SET bytes = (SELECT bytes FROM S.evidence WHERE number = 2) WHERE number = 0");
    tables.run("UPDATE S.evidence SET bytes = 'nothing' WHERE number = 1");
    tables.run("UPDATE S.evidence SET bytes = convert_to(repeat('x', 42000000), 'UTF8') WHERE number = 2");
    tables.run("UPDATE S.slice SET result = NULL, worker = NULL, expires = NULL");
    command("rebuild", world(), &store, &run).output().unwrap();
    assert!(reported(&run) == reference());
    let forgotten = "SELECT count(*) FROM S.slice LEFT JOIN S.evidence USING (run, number) WHERE number < 3";
    assert_eq!(tables.number(forgotten), 0, "neither result nor bytes are left");
    assert_eq!((tables.number("SELECT count(*) FROM S.slice"), tables.number(UNDONE)), (slices - 3, 0));
    // They are copied and checked again where they are wanted again; what was right stays.
    command("rebuild", world(), &store, &run).output().unwrap();
    assert!(reported(&run) == reference());
    assert_eq!((tables.number("SELECT count(*) FROM S.slice"), tables.number(UNDONE)), (slices, 0));
}
