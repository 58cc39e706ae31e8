//! `docs/state-root.md` is enough for a second implementation. Method: this one shares nothing with the program but the
//! leaves; its digests are written from the document, and the members of each leaf are those of the document's tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::ControlFlow;

use reledger::domain::{AsOf, Digest32, TrustPolicy, UnixSeconds};
use reledger::ledger::{LedgerLeaves, rebuild};
use reledger::store::{EvidenceStore, LogStore};
use reledger::verify::{FIRST_PASS, SECOND_PASS, Verifier};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::tempdir;

use crate::support::{code, drill, report, shown, write_world};

fn field(bytes: &[u8]) -> Vec<u8> {
    [&u64::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

fn tagged(tag: &str, fields: &[Vec<u8>]) -> [u8; 32] {
    let mut hasher = Sha256::new_with_prefix(field(tag.as_bytes()));
    for bytes in fields {
        hasher.update(field(bytes));
    }
    hasher.finalize().into()
}

/// RFC 6962, section 2.1, as it is written there: recursively.
fn merkle(leaves: &[Vec<u8>]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest(b"").into(),
        [leaf] => Sha256::digest([&[0][..], leaf].concat()).into(),
        _ => {
            let split = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(split);
            Sha256::digest([&[1][..], &merkle(left), &merkle(right)].concat()).into()
        }
    }
}

/// The ledgers of a finished run, folded again from its evidence under its own policy and as-of.
fn leaves_of(run_dir: &std::path::Path, as_of: i64) -> Vec<LedgerLeaves> {
    let inputs: Value = serde_json::from_slice(&fs::read(run_dir.join("evidence/inputs.json")).unwrap()).unwrap();
    let policy: TrustPolicy = serde_json::from_value(inputs["policy"].clone()).unwrap();
    let store = LogStore::open_read_only(&run_dir.join("evidence")).unwrap();
    let all = |media| {
        let mut found = Vec::new();
        let mut keep = |id, evidence| {
            found.push((id, evidence));
            ControlFlow::Continue(())
        };
        store.scan(media, &mut keep).unwrap();
        found
    };
    let mut verifier = Verifier::new(&policy);
    verifier.first_pass(&all(FIRST_PASS));
    verifier.begin_second_pass();
    verifier.second_pass(&all(SECOND_PASS));
    let set = verifier.finish();
    let as_of = AsOf { time: UnixSeconds(as_of), tip: set.tip };
    rebuild(&set, &policy, as_of).leaves(&set, &policy, as_of)
}

/// Members by leaf type as the tables of section 4 name them, and whether each may be null.
fn documented() -> BTreeMap<String, BTreeMap<String, bool>> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/state-root.md")).unwrap();
    let words = |cell: &str| -> Vec<String> {
        let quoted = cell.split('`').skip(1).step_by(2);
        quoted.filter(|word| !word.contains([' ', '['])).map(str::to_owned).collect()
    };
    let section = |from: &str, to: &str| text.split(from).nth(1).unwrap().split(to).next().unwrap().to_owned();
    let mut found = BTreeMap::new();
    for (from, to, common) in [
        ("### 4.1", "### 4.2", &["type", "id", "kid", "standing", "claimed_micros?", "anchor_height?"][..]),
        ("### 4.2", "### 4.3", &["type"]),
        ("### 4.4", "## 5.", &["type"]),
    ] {
        for row in section(from, to).lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = row.split('|').collect();
            let members = common.iter().map(ToString::to_string).chain(words(cells[2]));
            let members: BTreeMap<String, bool> =
                members.map(|member| (member.trim_end_matches('?').to_owned(), member.ends_with('?'))).collect();
            for kind in words(cells[1]) {
                found.insert(kind, members.clone());
            }
        }
    }
    found
}

#[test]
fn a_second_implementation_from_the_document_comes_to_the_same_roots() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 41, 40);
    let run_dir = folder.path().join("run");
    let output = drill(&config, &run_dir, &[]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    let report = report(&run_dir);
    let ledgers = leaves_of(&run_dir, report["as_of"]["time"].as_i64().unwrap());

    let names: Vec<&str> = ledgers.iter().map(|ledger| ledger.name).collect();
    assert_eq!(names, ["envelope", "rebind", "treasury", "attestations", "projects"]);
    let mut fields = Vec::new();
    for ledger in &ledgers {
        let root = merkle(&ledger.leaves);
        assert_eq!(report["ledgers"][ledger.name]["root"], Digest32(root).to_hex(), "{}", ledger.name);
        let count = u64::try_from(ledger.leaves.len()).unwrap().to_be_bytes().to_vec();
        fields.extend([ledger.name.as_bytes().to_vec(), root.to_vec(), count]);
    }
    let state = tagged("reledger/state-root/1", &fields);
    assert_eq!(report["state_root"], Digest32(state).to_hex());

    let mut ids = LogStore::open_read_only(&run_dir.join("evidence")).unwrap().ids().unwrap();
    ids.sort();
    let ids: Vec<Vec<u8>> = ids.iter().map(|id| id.as_bytes().to_vec()).collect();
    assert_eq!(report["inputs"]["evidence_root"], Digest32(merkle(&ids)).to_hex());
}

#[test]
fn every_leaf_has_the_members_that_the_document_names_and_no_others() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 42, 60);
    let run_dir = folder.path().join("run");
    drill(&config, &run_dir, &[]);
    let tables = documented();
    let mut seen = BTreeSet::new();
    for ledger in leaves_of(&run_dir, report(&run_dir)["as_of"]["time"].as_i64().unwrap()) {
        for bytes in &ledger.leaves {
            let leaf: Value = serde_json::from_slice(bytes).unwrap();
            assert_eq!(leaf.to_string().as_bytes(), bytes, "canonical: sorted and compact");
            let kind = leaf["type"].as_str().unwrap().to_owned();
            if ledger.name == "treasury" {
                continue;
            }
            let table = &tables[&kind];
            let members: BTreeSet<&String> = leaf.as_object().unwrap().keys().collect();
            assert_eq!(members, table.keys().collect(), "{kind}");
            for (member, value) in leaf.as_object().unwrap() {
                assert!(!value.is_null() || table[member], "{kind}: {member} is null and not marked with ?");
            }
            seen.insert(kind);
        }
    }
    // Trust and custody artifacts are in no world yet.
    for kind in
        ["oc-me-event", "oc-me-payment", "oc-me-drop", "oc-me-activity", "rebind", "attestation", "project-config"]
    {
        assert!(seen.contains(kind), "{seen:?}");
    }
}
