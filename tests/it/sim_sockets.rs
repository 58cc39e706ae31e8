//! Worlds over loopback sockets, judged by the whole program online and compared with the oracle exactly: network faults and
//! their near misses, faults of files, honest worlds. What belongs here: promises about campaigns over sockets.

use std::collections::BTreeSet;

use reledger::app::{Cancel, Trial, TrialReport};
use reledger::domain::Code;
use reledger::sim::{Selection, Transport, deal, generators_over, selections};
use tempfile::tempdir;

use crate::support::{code, reledger, run, side_by_side_by, stderr, stdout};

/// As small as worlds get: most of a trial is verification.
const EVENTS: u32 = 10;
/// Worlds that are tried for one selection until one has room for it.
const WORLDS: u64 = 7;
/// Selections that share a world: there are three relays to spoil.
const TOGETHER: usize = 3;
/// Most of a trial over sockets is waiting.
const AT_ONCE: usize = 8;

/// Codes that only sources that are asked can bring about.
const OF_SOURCES: [Code; 7] = [
    Code::SrcUnreachable,
    Code::SrcIncomplete,
    Code::SrcOmits,
    Code::SrcBlind,
    Code::SrcMisbehaves,
    Code::SrcKnownGap,
    Code::SrcTakenDown,
];

fn both(over: Transport, fits: impl Fn(Code) -> bool) -> Vec<Selection> {
    selections(over).filter(|one| fits(one.generator.code)).collect()
}

fn judged(selections: &[Selection], seed: u64) -> TrialReport {
    let folder = tempdir().unwrap();
    let trial = Trial { seed, events: EVENTS, selections: selections.to_vec(), transport: Transport::Sockets };
    trial.judge(folder.path(), &Cancel::default()).unwrap_or_else(|error| panic!("{}: {error}", names(selections)))
}

fn names(selections: &[Selection]) -> String {
    selections.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// What differs, in words; empty when report and oracle agree.
fn wrong(report: &TrialReport) -> Vec<String> {
    let about =
        |difference: &String| format!("world {} {}: {difference}", report.trial.seed, names(&report.trial.selections));
    report.differences.iter().map(about).collect()
}

fn placed(report: &TrialReport, one: &Selection) -> bool {
    report.planted.iter().any(|planted| planted.selection.to_string() == one.to_string())
}

#[test]
fn each_network_fault_fires_over_sockets_its_near_miss_does_not_and_nothing_else_is_said() {
    let selections = both(Transport::Sockets, |code| OF_SOURCES.contains(&code));
    let count = selections.len().div_ceil(TOGETHER);
    // Neighbours want the same: whoever shares a world comes from afar.
    let groups: Vec<Vec<Selection>> =
        (0..count).map(|first| selections.iter().skip(first).step_by(count).copied().collect()).collect();
    let said = side_by_side_by(AT_ONCE, &groups, |place, group| {
        let first = 1_000 + WORLDS * u64::try_from(place).unwrap();
        let (mut left, mut wrongs) = (group.clone(), Vec::new());
        for seed in first..first + WORLDS {
            let report = judged(&left, seed);
            wrongs.extend(wrong(&report));
            left.retain(|one| !placed(&report, one));
            if left.is_empty() {
                break;
            }
        }
        wrongs.extend(left.into_iter().map(|one| format!("{one}: no room in {WORLDS} worlds from seed {first}")));
        wrongs
    });
    let wrong: Vec<String> = said.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn honest_worlds_and_faults_of_records_come_over_sockets_as_they_come_in_files() {
    let all = both(Transport::Files, |code| !OF_SOURCES.contains(&code));
    let trials: Vec<Vec<Selection>> =
        (0..10).map(|index| if index < 3 { Vec::new() } else { deal(77, index, 6, &all) }).collect();
    let reports = side_by_side_by(AT_ONCE, &trials, |place, selections| {
        judged(selections, 3_000 + u64::try_from(place).unwrap())
    });
    let wrong: Vec<String> = reports.iter().flat_map(wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let (tried, found): (usize, usize) = reports
        .iter()
        .map(|report| (report.trial.selections.len(), report.planted.len()))
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert!(tried > 30 && found * 10 > tried * 8, "{found} of {tried} found room");
}

#[test]
fn network_faults_are_dealt_to_sockets_only_and_refused_for_files() {
    let codes = |over| generators_over(over).map(|one| one.code).collect::<BTreeSet<_>>();
    assert!(OF_SOURCES.iter().all(|code| codes(Transport::Sockets).contains(code)));
    let of_files: Vec<Code> = OF_SOURCES.into_iter().filter(|code| codes(Transport::Files).contains(code)).collect();
    assert_eq!(of_files, [Code::SrcKnownGap], "a registered gap needs a register and a source, no relay");
    let output = run(&["sim", "run", "--worlds", "1", "--events", "10", "--faults", "SRC_OMITS", "-q"]);
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    assert!(stderr(&output).contains("--transport sockets"), "{}", stderr(&output));
}

#[test]
fn the_command_says_how_worlds_were_carried() {
    let folder = tempdir().unwrap();
    let arguments = ["sim", "run", "--worlds", "2", "--events", "10", "--faults", "SRC_BLIND", "--json", "-q", "--dir"];
    let mut command = reledger();
    let output = command.args(arguments).arg(folder.path()).args(["--transport", "sockets"]).output().unwrap();
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&value["transport"], &value["agreeing"]), (&"sockets".into(), &2.into()));
    assert!(value["faults"].as_u64() > Some(0));
    let output = run(&["sim", "run", "--transport", "pigeons"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("files, sockets"), "{}", stderr(&output));
}
