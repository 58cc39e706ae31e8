//! Batches of good signatures and of mutants of many kinds: what the batch and what tables answer, compared with the single verifier's.
//! What belongs here: a campaign. The test runs a short one; `make batch-diff` runs a long one (`RELEDGER_BATCH_CHECKS=n`
//! signatures, half of each scheme, `RELEDGER_SEED=n`).

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::traits::Identity;

use super::makers::{
    Chance, Owned, cancelling, ed25519_cancelling, ed25519_pool, ed25519_signed, joined, on_one_core, schnorr_pool,
    schnorr_turned, single,
};
use crate::verify::batch::{self, Ed25519Check, SchnorrCheck};
use crate::verify::fixed_base::{self, Tables};
use crate::verify::lanes::machines;

const CHECKS: usize = 6_000;
/// Sizes below, at and above those where batches begin, and where they are cut.
const LARGEST: usize = 3_000;

/// The order of secp256k1's group and the prime of its field, the highest byte first.
const GROUP: [u8; 32] = top(0xfe, 0xbaae_dce6_af48_a03b_bfd2_5e8c_d036_4141);
const FIELD: [u8; 32] = top(0xff, 0xffff_ffff_ffff_ffff_ffff_fffe_ffff_fc2f);
/// 2^255 - 19, the lowest byte first.
const OTHER_FIELD: [u8; 32] = {
    let mut bytes = [0xff; 32];
    (bytes[0], bytes[31]) = (0xed, 0x7f);
    bytes
};

/// Numbers below, at and above each modulus. None ends in a byte that would carry.
const EDGES: [[u8; 32]; 12] = [
    [0; 32],
    last([0; 32], 1),
    [0xff; 32],
    FIELD,
    last(FIELD, 0x2e),
    last(FIELD, 0x30),
    GROUP,
    last(GROUP, 0x40),
    last(GROUP, 0x42),
    OTHER_FIELD,
    first(OTHER_FIELD, 0xec),
    first(OTHER_FIELD, 0xee),
];

const fn top(sixteenth: u8, low: u128) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[15] = sixteenth;
    let low = low.to_be_bytes();
    let mut at = 0;
    while at < 16 {
        bytes[16 + at] = low[at];
        at += 1;
    }
    bytes
}

const fn last(mut bytes: [u8; 32], value: u8) -> [u8; 32] {
    bytes[31] = value;
    bytes
}

const fn first(mut bytes: [u8; 32], value: u8) -> [u8; 32] {
    bytes[0] = value;
    bytes
}

/// The order of the Ed25519 group, the lowest byte first.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
#[expect(clippy::disallowed_methods, reason = "the length of a campaign comes from the caller")]
fn batches_and_tables_answer_what_single_verifiers_answer() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let checks = number("RELEDGER_BATCH_CHECKS").unwrap_or(CHECKS);
    let seed = number("RELEDGER_SEED").unwrap_or(20_261_122);
    let started = u64::try_from(seed).unwrap();
    std::thread::scope(|scope| {
        let schnorr = scope.spawn(|| on_one_core(|| campaign(checks / 2, &mut Schnorr::new(started))));
        let ed25519 = on_one_core(|| campaign(checks / 2, &mut Ed25519::new(started)));
        let schnorr = schnorr.join().unwrap();
        println!("seed {seed}: BIP-340 {schnorr}; Ed25519 {ed25519}; 0 disagreements");
    });
}

/// A scheme with its good signatures and what can be done to them.
trait Scheme {
    type Item: Clone;

    fn chance(&mut self) -> &mut Chance;
    /// Some good item.
    fn good(&mut self) -> Self::Item;
    /// Does something to the item at a place, and perhaps to one beside it.
    fn mutate(&mut self, items: &mut [Self::Item], at: usize);
    /// In batches and from tables, each one by one and in lanes.
    fn answers(&self, items: &[Self::Item]) -> Vec<Vec<bool>>;
    fn single(item: &Self::Item) -> bool;
}

fn campaign<S: Scheme>(checks: usize, scheme: &mut S) -> String {
    let (mut done, mut refused, mut batches) = (0, 0, 0);
    while done < checks {
        let largest = [1, 40, 300, LARGEST, LARGEST][scheme.chance().below(5)].min(checks - done);
        let size = 1 + scheme.chance().below(largest);
        let mut items: Vec<S::Item> = (0..size).map(|_| scheme.good()).collect();
        // From none through one and few to nearly all.
        let mutants = [0, 1, 1, 2, 3, 1 + size / 100, 1 + size / 30, size / 5, size][scheme.chance().below(9)];
        for _ in 0..mutants {
            let at = scheme.chance().below(size);
            scheme.mutate(&mut items, at);
        }
        let singles: Vec<bool> = items.iter().map(S::single).collect();
        for (way, answers) in scheme.answers(&items).into_iter().enumerate() {
            let wrong = (0..size).find(|at| answers[*at] != singles[*at]);
            assert_eq!(wrong, None, "batch {batches}, {size} items: way {way} says otherwise");
            assert_eq!(answers.len(), size);
        }
        refused += singles.iter().filter(|good| !**good).count();
        (done, batches) = (done + size, batches + 1);
    }
    assert!(refused > 0 && refused < done, "{refused} of {done}");
    format!("{done} checks in {batches} batches, {refused} refused")
}

struct Schnorr {
    chance: Chance,
    pool: Vec<SchnorrCheck>,
    tables: Vec<Tables>,
}

impl Schnorr {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut pool = schnorr_pool(600, 300, &mut chance);
        pool.extend(schnorr_pool(600, 5, &mut chance));
        Self { chance, pool, tables: machines().into_iter().map(Tables::on).collect() }
    }
}

impl Scheme for Schnorr {
    type Item = SchnorrCheck;

    fn chance(&mut self) -> &mut Chance {
        &mut self.chance
    }

    fn good(&mut self) -> SchnorrCheck {
        self.pool[self.chance.below(self.pool.len())]
    }

    fn mutate(&mut self, items: &mut [SchnorrCheck], at: usize) {
        let (chance, other) = (&mut self.chance, items[(at + 1) % items.len()]);
        let item = &mut items[at];
        let bit = 1 << chance.below(8);
        let (nonce, s) = item.signature.split_at_mut(32);
        match chance.below(16) {
            0 => item.key[chance.below(32)] ^= bit,
            1 => item.message[chance.below(32)] ^= bit,
            2 => nonce[chance.below(32)] ^= bit,
            3 => s[chance.below(32)] ^= bit,
            4 => add_order(s),
            5 => *item = schnorr_turned(chance.below(2) == 0, chance.below(2) == 0, chance),
            6 => item.key = other.key,
            7 => item.message = other.message,
            8 => nonce.copy_from_slice(&other.signature[..32]),
            9 => s.copy_from_slice(&other.signature[32..]),
            // Good or not: twice the same.
            10 => *item = other,
            11 => item.key = chance.bytes(),
            12 => nonce.copy_from_slice(&chance.bytes()),
            13 => item.signature = joined(&EDGES[chance.below(12)], &EDGES[chance.below(12)]),
            14 => item.key = EDGES[chance.below(12)],
            _ => cancel(items, at, chance, |left, right, error| {
                // Where s was altered already it may be no number of the group.
                if single(left) && single(right) {
                    cancelling(left, right, error);
                }
            }),
        }
    }

    fn answers(&self, items: &[SchnorrCheck]) -> Vec<Vec<bool>> {
        let of = |tables: &Tables| {
            let machine = tables.machine();
            [
                batch::bip340::schnorr_on(machine, items),
                fixed_base::schnorr(items, tables),
                fixed_base::schnorr_and_batches(items, tables),
            ]
        };
        self.tables.iter().flat_map(of).collect()
    }

    fn single(item: &SchnorrCheck) -> bool {
        single(item)
    }
}

/// Gives an item and its neighbour to what makes their errors cancel.
fn cancel<T>(items: &mut [T], at: usize, chance: &mut Chance, errors: impl Fn(&mut T, &mut T, u64)) {
    let at = at.saturating_sub(1);
    if let [left, right, ..] = &mut items[at..] {
        errors(left, right, [1, 2, 8, 0xffff_ffff][chance.below(4)]);
    }
}

/// s + n, modulo 2^256 as nobody should take it.
fn add_order(s: &mut [u8]) {
    let mut carry = 0;
    for at in (0..32).rev() {
        let sum = u16::from(s[at]) + u16::from(GROUP[at]) + carry;
        s[at] = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
}

struct Ed25519 {
    chance: Chance,
    pool: Vec<Owned>,
    /// With parts of small order in key, nonce or both; strict verification accepts some.
    mixed: Vec<Owned>,
    tables: Vec<Tables>,
}

impl Ed25519 {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut pool = ed25519_pool(400, 200, &mut chance);
        pool.extend(ed25519_pool(400, 4, &mut chance));
        let nothing = EdwardsPoint::identity();
        let mut mixed = Vec::new();
        for torsion in EIGHT_TORSION {
            for (key, nonce) in [(torsion, nothing), (nothing, torsion), (torsion, torsion), (torsion, -torsion)] {
                mixed.extend((0..6).map(|_| ed25519_signed(key, nonce, &mut chance)));
            }
        }
        Self { chance, pool, mixed, tables: machines().into_iter().map(Tables::on).collect() }
    }
}

impl Scheme for Ed25519 {
    type Item = Owned;

    fn chance(&mut self) -> &mut Chance {
        &mut self.chance
    }

    fn good(&mut self) -> Owned {
        self.pool[self.chance.below(self.pool.len())].clone()
    }

    fn mutate(&mut self, items: &mut [Owned], at: usize) {
        let (chance, other) = (&mut self.chance, items[(at + 1) % items.len()].clone());
        let item = &mut items[at];
        let bit = 1 << chance.below(8);
        let (nonce, s) = item.signature.split_at_mut(32);
        let small = EIGHT_TORSION[chance.below(8)].compress().0;
        match chance.below(18) {
            0 => item.key[chance.below(32)] ^= bit,
            1 => item.message.push(bit),
            2 => nonce[chance.below(32)] ^= bit,
            3 => s[chance.below(32)] ^= bit,
            4 => add_ed25519_order(s),
            5 => nonce[31] ^= 0x80,
            6 => item.key[31] ^= 0x80,
            7 => item.key = other.key,
            8 => item.message = other.message,
            9 => nonce.copy_from_slice(&other.signature[..32]),
            10 => s.copy_from_slice(&other.signature[32..]),
            // Good or not: twice the same.
            11 => *item = other,
            12 => item.key = [small, EDGES[chance.below(12)]][chance.below(2)],
            13 => item.signature = joined(&[small, EDGES[chance.below(12)]][chance.below(2)], &EDGES[chance.below(12)]),
            14 => nonce.copy_from_slice(&[small, chance.bytes()][chance.below(2)]),
            15 => *item = self.mixed[chance.below(self.mixed.len())].clone(),
            16 => {
                // Parts of small order that cancel: of order two with each other, of any order with their negatives.
                let torsion = EIGHT_TORSION[1 + chance.below(7)];
                let nothing = EdwardsPoint::identity();
                *item = ed25519_signed(nothing, torsion, chance);
                let next = (at + 1) % items.len();
                items[next] = ed25519_signed(nothing, -torsion, chance);
            }
            _ => cancel(items, at, chance, ed25519_cancelling),
        }
    }

    fn answers(&self, items: &[Owned]) -> Vec<Vec<bool>> {
        let checks: Vec<Ed25519Check> = items.iter().map(Owned::check).collect();
        let of =
            |tables: &Tables| [fixed_base::ed25519_and_batches(&checks, tables), fixed_base::ed25519(&checks, tables)];
        self.tables.iter().flat_map(of).chain([batch::ed25519(&checks)]).collect()
    }

    fn single(item: &Owned) -> bool {
        item.single()
    }
}

/// s + l: the same number of the group by another name.
fn add_ed25519_order(s: &mut [u8]) {
    let mut carry = 0;
    for at in 0..32 {
        let sum = u16::from(s[at]) + u16::from(ORDER[at]) + carry;
        s[at] = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
}
