//! Every divergence of every planted fault comes out of its bundle, or the bundle says why it can't.

use std::collections::BTreeMap;

use reledger::app::{Exported, Fate};
use reledger::domain::{Code, Digest32};
use reledger::sim::{Selection, Transport, deal, selections};
use serde_json::Value;
use tempfile::tempdir;

use super::stage::{Run, bundles, fingerprint, first, verify};
use crate::schemas::{faults, schema};
use crate::support::{parsed, report, side_by_side_by};

/// Billable events in each world.
const EVENTS: u32 = 20;
/// Faults in each world.
const TOGETHER: usize = 6;

/// Worlds to try; more of them cover every fault.
fn worlds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a larger count is asked for in the environment")]
    let asked = std::env::var("RELEDGER_BUNDLES").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(2)
}

/// What became of one bundle, in a word.
fn outcome(code: Code, made: &Exported, published: &Value) -> (Code, String, usize) {
    let judged = verify(&made.bytes);
    let value: Value = parsed(&made.bytes);
    assert_eq!(faults(published, &value), Vec::<String>::new());
    assert_eq!(judged.id, Some(made.id), "{}", judged.says);
    assert_eq!(value["self_contained"], made.self_contained);
    let wanted = if made.self_contained { Fate::Ok } else { Fate::Unchecked };
    assert_eq!(judged.fate, wanted, "{code}: {} / {}", judged.says, value["reason"]);
    let reproduced = value["reproduced"] == true;
    if !made.self_contained {
        assert!(value["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{code}");
    }
    let word = match (made.self_contained, reproduced) {
        (true, _) => "verifies".to_owned(),
        (false, true) => format!("absence: {}", made.reason.as_deref().unwrap_or_default()),
        (false, false) => format!("not shown: {}", made.reason.as_deref().unwrap_or_default()),
    };
    (code, word, made.pieces)
}

/// What sources did, told over sockets: the receipts that say so are the evidence.
const OF_SOURCES: [&str; 4] = ["SRC_OMITS", "SRC_BLIND", "SRC_MISBEHAVES", "SRC_UNREACHABLE"];

#[test]
fn what_sources_answered_comes_out_of_the_receipts() {
    let folder = tempdir().unwrap();
    let run = Run::served(folder.path(), (61, 10), &OF_SOURCES.map(first));
    let report = report(&run.folder);
    let told = report["divergences"].as_array().unwrap().iter();
    let chosen: BTreeMap<&str, Digest32> = told
        .filter(|one| one["step"] == 0)
        .map(|one| (one["code"].as_str().unwrap(), one["fingerprint"].as_str().unwrap().parse().unwrap()))
        .collect();
    assert!(OF_SOURCES.iter().filter(|code| chosen.contains_key(*code)).count() >= 3, "{chosen:?}");
    let published = schema("bundle");
    for made in bundles(&run.folder, &chosen.into_values().collect::<Vec<_>>()) {
        let (code, word, pieces) = outcome(made.code, &made, &published);
        println!("{:<22} {pieces:>5} pieces  {word}", code.name());
        let value: Value = parsed(&made.bytes);
        if OF_SOURCES.contains(&code.name()) {
            assert!(!made.self_contained && value["reason"].as_str().unwrap().contains("the word of"), "{value}");
            assert!(!value["receipts"].as_array().unwrap().is_empty(), "{value}");
        }
    }
}

#[test]
fn every_planted_divergence_is_exported_and_verifies_or_says_why_it_does_not_stand_alone() {
    let all: Vec<Selection> = selections(Transport::Files).filter(|one| !one.near).collect();
    let folder = tempdir().unwrap();
    let published = schema("bundle");
    let indexes: Vec<u64> = (0..worlds()).collect();
    let told = side_by_side_by(2, &indexes, |_, index| {
        let dir = folder.path().join(index.to_string());
        let run = Run::of(&dir, (5_000 + index, EVENTS), &deal(11, *index, TOGETHER, &all));
        let fingerprints: Vec<_> = run.planted.iter().map(fingerprint).collect();
        let made = bundles(&run.folder, &fingerprints);
        let outcomes: Vec<_> = made.iter().map(|made| outcome(made.code, made, &published)).collect();
        std::fs::remove_dir_all(&dir).unwrap();
        outcomes
    });
    let told: Vec<(Code, String, usize)> = told.into_iter().flatten().collect();
    let mut table: BTreeMap<(Code, String), (usize, usize)> = BTreeMap::new();
    for (code, word, pieces) in &told {
        let row = table.entry((*code, word.clone())).or_default();
        *row = (row.0 + 1, row.1.max(*pieces));
    }
    for ((code, word), (count, pieces)) in &table {
        println!("{:<22} {count:>3} of at most {pieces:>5} pieces  {word}", code.name());
    }
    let verifying = told.iter().filter(|(_, word, _)| word == "verifies").count();
    println!("{verifying} of {} verify by themselves", told.len());
    assert!(told.len() >= indexes.len() * 3 && verifying * 2 >= told.len(), "{verifying} of {}", told.len());
}
