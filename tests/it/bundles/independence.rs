//! Two captures of one world, however they came about, give the same fingerprint and the same bundle.

use std::fs;
use std::path::Path;

use reledger::sim::Selection;
use tempfile::tempdir;

use super::stage::{Run, bundles, first};
use crate::support::Lcg;

/// Faults of records, which stand in one world beside each other.
const CODES: [&str; 6] =
    ["SIG_BAD", "ENV_SIG_BAD", "OP_CONFLICT", "PRE_INVALID", "ENV_DOUBLE_BILLING", "BALANCE_MISMATCH"];

fn faults() -> Vec<Selection> {
    CODES.map(first).to_vec()
}

fn shuffled(text: &str, seed: u64) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    Lcg(seed).shuffle(&mut lines);
    lines
}

/// The same records in another order, in more files, some of them twice.
fn rearranged(dir: &Path) {
    for (name, seed) in [("nostr/events.jsonl", 3), ("gateway/settlements.jsonl", 5), ("balances.jsonl", 7)] {
        let file = dir.join(name);
        let lines = shuffled(&fs::read_to_string(&file).unwrap(), seed);
        let repeated = [&lines[..], &lines[..lines.len() / 3]].concat();
        fs::write(&file, repeated.join("\n") + "\n").unwrap();
    }
    let events = fs::read_to_string(dir.join("nostr/events.jsonl")).unwrap();
    let (one, two): (Vec<_>, Vec<_>) = events.lines().enumerate().partition(|(at, _)| at % 2 == 0);
    for (name, lines) in [("nostr/events.jsonl", one), ("nostr/more.jsonl", two)] {
        let lines: Vec<&str> = lines.into_iter().map(|(_, line)| line).collect();
        fs::write(dir.join(name), lines.join("\n") + "\n").unwrap();
    }
    let config = fs::read_to_string(dir.join("reledger.toml")).unwrap();
    let config = config.replace("\"nostr/events.jsonl\"", "\"nostr/more.jsonl\", \"nostr/events.jsonl\"");
    fs::write(dir.join("reledger.toml"), config).unwrap();
}

/// The bundles of one run are those of the other.
fn alike(one: &Run, other: &Run) {
    let fingerprints = CODES.map(|code| one.planted(code));
    assert_eq!(fingerprints, CODES.map(|code| other.planted(code)));
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    for (one, other) in bundles(&one.folder, &fingerprints).iter().zip(bundles(&other.folder, &fingerprints)) {
        assert_eq!(text(&one.bytes), text(&other.bytes), "{}", one.code);
    }
}

#[test]
fn files_in_another_order_with_repetitions_and_sockets_give_the_same_bundles() {
    let folder = tempdir().unwrap();
    let size = (41, 10);
    let files = Run::of(&folder.path().join("files"), size, &faults());
    alike(&files, &Run::edited(&folder.path().join("rearranged"), size, &faults(), rearranged));
    alike(&files, &Run::served(&folder.path().join("sockets"), size, &faults()));
}
