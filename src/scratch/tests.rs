//! What rooms build on: rows come back in order, whole and merged, wherever they lie, and what fails is told.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Ascending, Scratch, Sorter, Table};
use crate::domain::{Digest32, sha256};

/// A place whose sorters hold a few rows before they use their file.
fn small(folder: &tempfile::TempDir, gathered_max: usize) -> Scratch {
    Scratch::gathering(folder.path(), gathered_max)
}

fn key(number: u16) -> Digest32 {
    sha256(&number.to_be_bytes())
}

fn sorter(scratch: &Scratch, rows: &[(u16, String)]) -> Sorter<Digest32, String> {
    let mut sorter = Sorter::in_place(scratch.clone());
    for (number, text) in rows {
        sorter.push(&key(*number), text);
    }
    sorter
}

#[expect(clippy::needless_pass_by_value, reason = "as sorters merge")]
fn joined(held: &mut String, other: String) {
    held.push('+');
    held.push_str(&other);
}

fn model(rows: &[(u16, String)]) -> BTreeMap<Digest32, String> {
    let mut model: BTreeMap<Digest32, String> = BTreeMap::new();
    for (number, text) in rows {
        model.entry(key(*number)).and_modify(|held| joined(held, text.clone())).or_insert_with(|| text.clone());
    }
    model
}

/// Everything that can be asked of a table, held against a tree.
fn agree(table: &Table<Digest32, String>, model: &BTreeMap<Digest32, String>) {
    assert!(table.iter().eq(model.clone()) && table.keys().eq(model.keys().copied()));
    assert!(table.values().eq(model.values().cloned()));
    assert_eq!((table.len(), table.is_empty()), (model.len(), model.is_empty()));
    let mut beside = Ascending::over(table);
    let asked = (0..80).map(key).collect::<std::collections::BTreeSet<_>>();
    for key in &asked {
        assert_eq!(table.get(key).as_ref(), model.get(key));
        assert_eq!(table.contains_key(key), model.contains_key(key));
        assert_eq!(beside.get(key).as_ref(), model.get(key));
    }
    for begin in 0..=model.len() {
        let length = (begin * 7) % (model.len() + 2);
        assert!(table.part(begin..begin + length).eq(model.clone().into_iter().skip(begin).take(length)));
    }
    let altered = table.altered(|text| text.push('!'));
    assert!(altered.iter().eq(model.iter().map(|(key, text)| (*key, format!("{text}!")))));
    assert_eq!(table.check().map_err(|error| error.to_string()), Ok(()));
}

fn rows() -> impl Strategy<Value = Vec<(u16, String)>> {
    // Texts up to far more than is read at once, so that rows cross every border.
    let text = prop_oneof![8 => "[a-z]{0,40}", 1 => (0..200_000_usize).prop_map(|length| "x".repeat(length))];
    prop::collection::vec((0..60_u16, text), 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_table_tells_what_a_tree_would_wherever_its_rows_lie(rows in rows(), gathered_max in 0..20_000_usize) {
        let folder = tempfile::tempdir().unwrap();
        let model = model(&rows);
        for scratch in [Scratch::default(), small(&folder, gathered_max)] {
            agree(&sorter(&scratch, &rows).finish(joined), &model);
            let mut shown = Vec::new();
            sorter(&scratch, &rows).each(joined, |key, text| shown.push((key, text)));
            prop_assert!(shown.iter().map(|(key, text)| (key, text)).eq(&model));
        }
    }
}

#[test]
fn nothing_is_left_in_the_folder_while_rows_lie_there_or_after() {
    let folder = tempfile::tempdir().unwrap();
    let names = || std::fs::read_dir(folder.path()).unwrap().count();
    let rows: Vec<(u16, String)> = (0..60).map(|number| (number, "row".repeat(30))).collect();
    let table = sorter(&small(&folder, 500), &rows).finish(joined);
    agree(&table, &model(&rows));
    assert_eq!(names(), 0);
    drop(table);
    assert_eq!(names(), 0);
}

#[test]
fn a_folder_where_nothing_can_be_made_is_left_for_where_the_system_keeps_temporary_files() {
    let folder = tempfile::tempdir().unwrap();
    let gone = Scratch::gathering(&folder.path().join("gone"), 500);
    let rows: Vec<(u16, String)> = (0..60).map(|number| (number, "row".repeat(30))).collect();
    agree(&sorter(&gone, &rows).finish(joined), &model(&rows));
}

#[test]
fn a_row_that_can_not_be_read_ends_the_walk_and_is_told() {
    // As one value, read as another: what a damaged file would look like.
    let mut sorter: Sorter<Digest32, u8> = Sorter::default();
    (0..9).for_each(|number| sorter.push(&key(number), &0xff));
    let table = sorter.finish(|_, _| ());
    let misread: Table<Digest32, String> = table.as_values();
    assert!(misread.check().is_ok());
    assert_eq!(misread.iter().count(), 0);
    assert_eq!(misread.check().unwrap_err().to_string(), "read a working file in ");
    assert!(table.check().is_err(), "whoever shares the place is told too");
}

/// A disk that is full: `/dev/full` takes no byte.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_nothing_is_made_of_what_is_left() {
    let full = std::fs::OpenOptions::new().write(true).read(true).open("/dev/full").unwrap();
    let scratch = Scratch::on(full, 500);
    let rows: Vec<(u16, String)> = (0..60).map(|number| (number, "row".repeat(30))).collect();
    let table = sorter(&scratch, &rows).finish(joined);
    let failure = table.check().unwrap_err();
    assert_eq!((failure.action, failure.cause.kind()), ("write", std::io::ErrorKind::StorageFull));
    assert_eq!(scratch.check().unwrap_err().to_string(), failure.to_string());
}

#[test]
fn a_table_with_more_blocks_than_are_kept_is_looked_up_as_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut sorter: Sorter<Digest32, String> = Sorter::in_place(small(&folder, 16 << 10));
    // Some 3 MB: in a test, of each 8 KiB at most 64 first keys are kept.
    for number in 0..20_000 {
        sorter.push(&key(number), &format!("{number}").repeat(30));
    }
    let table = sorter.finish(joined);
    let rows: Vec<(Digest32, String)> = table.iter().collect();
    assert_eq!(rows.len(), 20_000);
    assert!(rows.is_sorted_by(|(one, _), (next, _)| one < next));
    for (number, (key, text)) in rows.iter().enumerate().step_by(97) {
        assert_eq!(table.get(key).as_ref(), Some(text));
        assert_eq!(table.nth(number), Some((*key, text.clone())));
        assert!(table.part(number..number + 3).eq(rows[number..].iter().take(3).cloned()));
    }
    assert_eq!(table.nth(20_000), None);
    assert_eq!(table.get(&key(20_000)), None);
}
