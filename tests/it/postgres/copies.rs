//! The copy of a folder's log: written once, by one process, and written again where it is not that of the log.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use reledger::domain::{Media, RawEvidence};
use reledger::store::{Address, Engine, Parcel, SharedCopy, Slice, StoreError};
use tempfile::tempdir;

use super::runs::{Tables, command, drilled, reference, reported, world};
use super::server::{common_port, own_schema};
use crate::support::copy_folder;

fn address(store: &str) -> Arc<Address> {
    let Engine::Postgres(address) = Engine::from_url(store).unwrap() else { panic!("a shared store") };
    address
}

/// A slice of one piece of evidence, as a row.
fn row(number: u32) -> (Slice, Vec<u8>) {
    let bytes = number.to_be_bytes().to_vec();
    let evidence = RawEvidence { media: Media::NostrEvent, about: String::new(), bytes };
    let mut parcel = Parcel::default();
    parcel.push(evidence.id(), &evidence);
    (Slice { number, items: 1, root: parcel.root() }, parcel.compressed().unwrap())
}

fn slices(rows: &[(Slice, Vec<u8>)]) -> Vec<Slice> {
    rows.iter().map(|(slice, _)| *slice).collect()
}

#[test]
fn the_process_that_opened_a_folder_last_writes_and_an_earlier_one_is_refused() {
    let Some(store) = own_schema() else { return };
    let folder = tempdir().unwrap();
    let rows: Vec<_> = (0..3).map(row).collect();
    let mut earlier = SharedCopy::open(&address(&store), folder.path()).unwrap();
    earlier.put(0, &rows[..1]).unwrap();
    let mut later = SharedCopy::open(&address(&store), folder.path()).unwrap();
    assert_eq!(later.run(), earlier.run());
    let refused = earlier.put(0, &rows[1..2]);
    assert!(matches!(refused, Err(StoreError::Superseded)), "{refused:?}");
    assert!(matches!(earlier.put(0, &[]), Err(StoreError::Superseded)), "nor does it remove anything");
    assert_eq!(later.slices().unwrap(), slices(&rows[..1]));
    later.put(1, &rows[1..]).unwrap();
    // As over a connection that broke after the commit.
    later.put(1, &rows[1..]).unwrap();
    assert_eq!(later.slices().unwrap(), slices(&rows));
    later.put(2, &[]).unwrap();
    assert_eq!(later.slices().unwrap(), slices(&rows[..2]));
}

#[test]
fn a_copy_of_a_folder_and_one_whose_file_does_not_read_get_rows_of_their_own() {
    let Some(store) = own_schema() else { return };
    let (folder, other) = (tempdir().unwrap(), tempdir().unwrap());
    let address = address(&store);
    let mut own = SharedCopy::open(&address, folder.path()).unwrap();
    own.put(0, &[row(0)]).unwrap();
    copy_folder(folder.path(), other.path());
    let mut copy = SharedCopy::open(&address, other.path()).unwrap();
    assert_eq!(copy.slices().unwrap(), []);
    copy.put(0, &[row(5)]).unwrap();
    own.put(1, &[row(1)]).unwrap();
    assert_eq!(own.slices().unwrap(), [row(0).0, row(1).0]);
    let run = copy.run();
    assert_eq!(SharedCopy::open(&address, other.path()).unwrap().run(), run, "and keeps them");
    fs::write(other.path().join("shared.json"), "{\"run\":").unwrap();
    assert!(![run, own.run()].contains(&SharedCopy::open(&address, other.path()).unwrap().run()));
}

#[test]
fn rows_that_are_not_those_of_the_log_are_written_again_and_no_others() {
    const STATE: &str =
        "SELECT sum(hashtext(concat(number, ':', xmin, ':', items)))::bigint FROM S.evidence WHERE number";
    let Some(port) = common_port() else { return };
    let (folder, store) = (tempdir().unwrap(), own_schema().unwrap());
    let run = drilled(world(), &store, &folder.path().join("run"));
    let mut tables = Tables::open(port, &store);
    let content = "SELECT sum(hashtext(concat(number, items, encode(root || bytes, 'hex'))))::bigint FROM S.evidence";
    let (before, count) = (tables.number(content), tables.number("SELECT count(*) FROM S.evidence"));
    assert!(count > 4, "{count}");
    let harms = [
        ("nothing", "UPDATE S.run SET owner = 0", count),
        ("one is gone", "DELETE FROM S.evidence WHERE number = 3", 3),
        ("all are gone", "DELETE FROM S.evidence", 0),
        ("the run is not known", "DELETE FROM S.run", count),
        ("a root is another", "UPDATE S.evidence SET root = sha256(root) WHERE number = 2", 2),
        ("a count is another", "UPDATE S.evidence SET items = 9000000000 WHERE number = 1", 1),
        (
            "one too many",
            "INSERT INTO S.evidence SELECT run, number + 1, items, root, bytes FROM S.evidence ORDER BY number DESC LIMIT 1",
            count,
        ),
    ];
    for (name, harm, kept) in harms {
        let earlier = tables.number(&format!("{STATE} < {kept}"));
        assert!(tables.run(harm) > 0, "{name}");
        command("rebuild", world(), &store, &run).output().unwrap();
        assert!(reported(&run) == reference(), "{name}");
        assert_eq!(tables.number(content), before, "{name}");
        assert_eq!(tables.number(&format!("{STATE} < {kept}")), earlier, "{name}: what was right is not written again");
    }
}

/// Half of the events, then all of them, into one folder.
fn in_two_steps(world: &Path, store: &str, run: &Path, between: impl FnOnce()) -> Vec<u8> {
    let events = world.join("nostr/events.jsonl");
    let all = fs::read_to_string(&events).unwrap();
    let lines: Vec<&str> = all.lines().collect();
    fs::write(&events, lines[..lines.len() / 2].join("\n") + "\n").unwrap();
    drilled(world, store, run);
    between();
    fs::write(&events, &all).unwrap();
    reported(&drilled(world, store, run))
}

#[test]
fn evidence_that_comes_later_adds_slices_and_no_row_is_written_twice() {
    const ROWS: &str = "SELECT sum(hashtext(concat(number, ':', xmin)))::bigint FROM S.evidence WHERE number <";
    let Some(port) = common_port() else { return };
    let (folder, store) = (tempdir().unwrap(), own_schema().unwrap());
    let own = folder.path().join("world");
    copy_folder(world(), &own);
    let alone = in_two_steps(&own, "memory:", &folder.path().join("alone"), || {});
    let mut half = (0, 0);
    let shared = in_two_steps(&own, &store, &folder.path().join("shared"), || {
        let mut tables = Tables::open(port, &store);
        let count = tables.number("SELECT count(*) FROM S.evidence");
        half = (count, tables.number(&format!("{ROWS} {count}")));
    });
    assert!(shared == alone);
    let mut tables = Tables::open(port, &store);
    assert!(half.0 > 1 && tables.number("SELECT count(*) FROM S.evidence") > half.0);
    assert_eq!(tables.number(&format!("{ROWS} {}", half.0)), half.1);
    assert_eq!(tables.number("SELECT count(*) FROM S.slice WHERE result IS NULL"), 0);
}
