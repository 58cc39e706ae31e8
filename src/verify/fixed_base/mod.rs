//! Signatures under keys that sign often, each judged by itself: what is multiplied again and again has its multiples in a table, so
//! that a verification is some sixty additions and no doubling.
//!
//! The equation is the single verifier's own, without any coefficient and for one signature at a time; only the way to its sum
//! is another. What does not hold is judged by the single verifier (libsecp256k1, `verify_strict`), and so is whoever
//! signs seldom (docs/adr/0035). Where the machine has lanes, eight are added side by side, and strangers too (docs/adr/0036).

pub(super) mod digits;
mod eddsa;
mod edwards;
mod field;
mod schnorr;
mod tables;
#[cfg(test)]
pub(super) mod tests;

use std::sync::Arc;

use rayon::prelude::*;

use super::batch::{self, Ed25519Check, SchnorrCheck, sift};
use tables::{Kept, Table};

pub use tables::Tables;

/// Signatures that are summed up side by side, at most: they share inversions, and each digit's part of a table.
const AT_ONCE: usize = 512;
/// The same under keys that have no table.
const STRANGERS_AT_ONCE: usize = 128;

/// Judges BIP-340 signatures on all cores: one answer for each, in their order, the one that libsecp256k1 gives.
pub fn schnorr(items: &[SchnorrCheck], tables: &Tables) -> Vec<bool> {
    let strangers = |items: &[&SchnorrCheck]| match tables.machine {
        Some(machine) if items.len() > 1 => {
            confirmed(&schnorr::strangers_hold(machine, items), items, SchnorrCheck::holds)
        }
        _ => items.iter().map(|item| item.holds()).collect(),
    };
    answers(items, |item| &item.key, &tables.authors, &published, (STRANGERS_AT_ONCE, &strangers))
}

/// The same, where those under keys that have no table are judged in batches (docs/adr/0028).
pub fn schnorr_and_batches(items: &[SchnorrCheck], tables: &Tables) -> Vec<bool> {
    let batched = |items: &[&SchnorrCheck]| batch::bip340::judge(tables.machine, items);
    answers(items, |item| &item.key, &tables.authors, &published, (batch::bip340::MOST, &batched))
}

fn published(table: &schnorr::Table, items: &[&SchnorrCheck]) -> Vec<bool> {
    confirmed(&schnorr::hold(table, items), items, SchnorrCheck::holds)
}

/// Judges Ed25519 signatures on all cores: one answer for each, in their order, the one that `verify_strict` gives, and `false`
/// for a key that is no point.
pub fn ed25519(items: &[Ed25519Check], tables: &Tables) -> Vec<bool> {
    let singly = |items: &[&Ed25519Check]| items.iter().map(|item| item.holds()).collect();
    answers(items, |item| &item.key, &tables.signers, &signed, (STRANGERS_AT_ONCE, &singly))
}

/// The same, where those under keys that have no table are judged in batches (docs/adr/0028).
pub fn ed25519_and_batches(items: &[Ed25519Check], tables: &Tables) -> Vec<bool> {
    answers(items, |item| &item.key, &tables.signers, &signed, (batch::eddsa::MOST, &batch::eddsa::judge))
}

fn signed(table: &eddsa::Table, items: &[&Ed25519Check]) -> Vec<bool> {
    confirmed(&eddsa::hold(table, items), items, Ed25519Check::holds)
}

/// What holds, and what the single verifier says of the rest.
fn confirmed<C>(held: &[bool], items: &[&C], single: impl Fn(&C) -> bool) -> Vec<bool> {
    held.iter().zip(items).map(|(held, item)| *held || single(item)).collect()
}

/// Answers under keys that have a table, and those of strangers, at most so many at once.
fn answers<C: Sync, T: Table>(
    items: &[C],
    key: impl Fn(&C) -> &[u8; 32] + Sync,
    tables: &Kept<T>,
    tabled: &(impl Fn(&T, &[&C]) -> Vec<bool> + Sync),
    (most, strangers): (usize, &(impl Fn(&[&C]) -> Vec<bool> + Sync)),
) -> Vec<bool> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.par_sort_unstable_by_key(|at| (key(&items[*at]), *at));
    let groups: Vec<&[usize]> = order.chunk_by(|left, right| key(&items[*left]) == key(&items[*right])).collect();
    let tables: Vec<Option<Arc<T>>> =
        groups.par_iter().map(|places| tables.worth(key(&items[places[0]]), places.len())).collect();
    let mut alone = Vec::new();
    let mut tasks = Vec::new();
    for (places, table) in groups.iter().zip(&tables) {
        match table {
            Some(table) => tasks.extend(places.chunks(AT_ONCE).map(|places| (places, Some(table)))),
            None => alone.extend_from_slice(places),
        }
    }
    tasks.extend(alone.chunks(sift::shared_out(alone.len(), most)).map(|places| (places, None)));
    // Tasks are of very different sizes: halves of their list would not be halves of the work.
    let judged: Vec<(usize, bool)> = (tasks.par_iter().with_max_len(1))
        .flat_map_iter(|(places, table)| {
            let checks: Vec<&C> = places.iter().map(|at| &items[*at]).collect();
            let held = table.map_or_else(|| strangers(&checks), |table| tabled(table, &checks));
            places.iter().copied().zip(held).collect::<Vec<_>>()
        })
        .collect();
    sift::in_order(items.len(), judged)
}
