//! What tables answer, held against the single verifiers; the vectors stand with those of batches.

use super::tables::{FEW, KEPT, LEAST};
use super::*;
use crate::verify::batch::tests::makers::{
    Chance, Owned, ed25519_pool, ed25519_signed, joined, schnorr_pool, schnorr_turned,
};
use crate::verify::lanes::machines;

/// What every way of adding says of one signature, without the single verifier's help: narrow tables, and strangers in lanes.
pub(in crate::verify) fn schnorr_alone(item: &SchnorrCheck) -> bool {
    let mut answers = Vec::new();
    for machine in machines() {
        let table = schnorr::Table::wide(&item.key, 4, machine);
        answers.push(table.is_some_and(|table| schnorr::hold(&table, &[item]) == [true]));
        answers.extend(machine.map(|machine| schnorr::strangers_hold(machine, &[item]) == [true]));
    }
    agreed(&answers)
}

/// The same of Ed25519.
pub(in crate::verify) fn ed25519_alone(item: &Ed25519Check) -> bool {
    let says = |machine| eddsa::Table::wide(&item.key, 4, machine);
    let says = |machine| says(machine).is_some_and(|table| eddsa::hold(&table, &[item]) == [true]);
    agreed(&machines().into_iter().map(says).collect::<Vec<_>>())
}

/// The product modulo 2^255 - 19 and times a factor, or the sum, less that many times the second where there is a factor; all with
/// the lowest byte first and of any size.
pub(in crate::verify) fn product_25519(a: [u8; 32], b: [u8; 32], factor: u32, add: bool) -> [u8; 32] {
    use super::field::{Field, times};
    // The field leaves the highest bit out, which stands for 2^255 = 19.
    let number =
        |bytes: [u8; 32]| Field::from_bytes(bytes).plus(Field::small(u32::from(bytes[31] >> 7) * 19)).carried();
    let (a, b) = (number(a), number(b));
    match (add, factor) {
        (true, 0) => a.plus(b).carried(),
        (true, _) => a.minus(times(b, Field::small(factor))).carried(),
        (false, _) => times(times(a, b), Field::small(factor)),
    }
    .to_bytes()
}

fn agreed(answers: &[bool]) -> bool {
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    answers[0]
}

#[test]
fn what_holds_singly_holds_from_tables_and_nothing_else_does() {
    let mut chance = Chance::new(21);
    let mut items = schnorr_pool(120, 1, &mut chance);
    let mut envelopes = ed25519_pool(120, 1, &mut chance);
    for at in 0..120 {
        let bit = 1 << chance.below(8);
        let place = chance.below(64);
        match at % 4 {
            0 => {
                items[at].signature[place] ^= bit;
                envelopes[at].signature[place] ^= bit;
            }
            1 => {
                items[at].message[place / 2] ^= bit;
                envelopes[at].message.push(bit);
            }
            _ => {}
        }
    }
    // s = 0 and s = 1, where next to nothing is added.
    for s in [0, 1] {
        let mut number = [0; 32];
        number[31] = s;
        items.push(SchnorrCheck { signature: joined(&items[2].signature[..32], &number), ..items[2] });
        number.reverse();
        envelopes.push(Owned { signature: joined(&envelopes[2].signature[..32], &number), ..envelopes[2].clone() });
    }
    let singles: Vec<bool> = items.iter().map(SchnorrCheck::holds).collect();
    let all: Vec<&SchnorrCheck> = items.iter().collect();
    for machine in machines() {
        let author = schnorr::Table::wide(&items[0].key, 8, machine).unwrap();
        assert_eq!(schnorr::hold(&author, &all), singles);
        if let Some(machine) = machine {
            assert_eq!(schnorr::strangers_hold(machine, &all), singles);
        }
    }
    assert_eq!(singles.iter().filter(|good| **good).count(), 60);
    let checks: Vec<Ed25519Check> = envelopes.iter().map(Owned::check).collect();
    let singles: Vec<bool> = checks.iter().map(Ed25519Check::holds).collect();
    for machine in machines() {
        let signer = eddsa::Table::wide(&checks[0].key, 8, machine).unwrap();
        assert_eq!(eddsa::hold(&signer, &checks.iter().collect::<Vec<_>>()), singles);
    }
    assert_eq!(singles.iter().filter(|good| **good).count(), 60);
}

#[test]
fn a_turned_nonce_or_key_and_a_part_of_small_order_are_answered_as_singly() {
    use curve25519_dalek::constants::EIGHT_TORSION;
    let mut chance = Chance::new(22);
    for (key, nonce) in [(false, false), (true, false), (false, true), (true, true)] {
        assert_eq!(schnorr_alone(&schnorr_turned(key, nonce, &mut chance)), !key && !nonce);
    }
    // One challenge in two, four or eight kills the part of a key.
    let mut held = 0;
    for (key, nonce) in [(1, 0), (4, 0), (0, 1), (0, 4), (2, 2), (0, 0)] {
        for _ in 0..12 {
            let item = ed25519_signed(EIGHT_TORSION[key], EIGHT_TORSION[nonce], &mut chance);
            assert_eq!(ed25519_alone(&item.check()), item.single(), "{key} {nonce}");
            held += u32::from(item.single());
        }
    }
    assert!((12..60).contains(&held), "{held}");
}

#[test]
fn a_point_of_small_order_has_no_table_and_neither_has_what_is_no_point() {
    use curve25519_dalek::constants::EIGHT_TORSION;
    for point in EIGHT_TORSION {
        assert!(eddsa::Table::wide(&point.compress().to_bytes(), 4, None).is_none());
    }
    // No abscissa of secp256k1, and no ordinate of the other curve.
    assert!(schnorr::Table::wide(&[0xff; 32], 4, None).is_none() && schnorr::Table::wide(&[0; 32], 4, None).is_none());
    assert!(eddsa::Table::wide(&[0xff; 32], 4, None).is_none());
}

#[test]
fn the_number_of_cores_and_of_signatures_under_a_key_changes_no_answer() {
    let mut chance = Chance::new(23);
    let mut items = Vec::new();
    for count in [1, FEW, LEAST - 1, LEAST, LEAST + 1, 3 * LEAST] {
        items.extend(schnorr_pool(count, 1, &mut chance));
    }
    let bad: Vec<usize> = (0..12).map(|_| chance.below(items.len())).collect();
    for at in &bad {
        items[*at].message[3] ^= 1;
    }
    let expected: Vec<bool> = (0..items.len()).map(|at| !bad.contains(&at) || items[at].holds()).collect();
    for (cores, machine) in [1, 2, 7].into_iter().flat_map(|cores| machines().into_iter().map(move |it| (cores, it))) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(cores).build().unwrap();
        let tables = Tables::on(machine);
        assert_eq!(pool.install(|| schnorr(&items, &tables)), expected, "{cores} cores");
        // Few, under keys whose tables are there.
        let some: Vec<SchnorrCheck> = items.iter().copied().step_by(9).collect();
        let answers = pool.install(|| schnorr(&some, &tables));
        assert!(expected.iter().step_by(9).eq(&answers), "{cores} cores");
    }
    assert!(schnorr(&[], &Tables::default()).is_empty() && ed25519(&[], &Tables::default()).is_empty());
}

#[test]
fn a_table_is_made_of_what_comes_often_and_no_more_are_kept_than_there_is_room_for() {
    let (tables, mut chance) = (Tables::on(None), Chance::new(24));
    let authors = schnorr_pool(KEPT + 3, KEPT + 3, &mut chance);
    let shared = tables.clone();
    let first = &authors[0].key;
    for _ in 0..LEAST / FEW - 1 {
        assert!(tables.authors.worth(first, FEW).is_none() && tables.authors.worth(first, FEW - 1).is_none());
    }
    // Enough by now, whoever of those who share them saw it.
    assert!(shared.authors.worth(first, FEW).is_some() && tables.authors.worth(first, FEW).is_some());
    let made: Vec<_> = authors.iter().map(|item| tables.authors.worth(&item.key, LEAST).unwrap()).collect();
    assert!(Arc::ptr_eq(&made[KEPT + 2], &tables.authors.worth(&authors[KEPT + 2].key, FEW).unwrap()));
    assert_eq!(made.iter().filter(|table| Arc::strong_count(table) > 1).count(), KEPT);
}
