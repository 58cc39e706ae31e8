//! The vectors of BIP-340, of "Taming the many EdDSAs" and of CCTV: alone, in a batch of their own, and among good signatures.

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::traits::Identity;
use serde_json::Value;

use super::makers::{
    Chance, Owned, cancelling, ed25519_pool, ed25519_signed, joined, on_one_core, schnorr_pool, schnorr_turned, single,
};
use crate::verify::batch::{Ed25519Check, SchnorrCheck, bip340, eddsa};
use crate::verify::fixed_base::tests::{ed25519_alone, schnorr_alone};

fn schnorr(items: &[SchnorrCheck]) -> Vec<bool> {
    on_one_core(|| crate::verify::batch::schnorr(items))
}

fn ed25519(items: &[Ed25519Check]) -> Vec<bool> {
    on_one_core(|| crate::verify::batch::ed25519(items))
}

fn fixture(name: &str) -> String {
    std::fs::read_to_string(format!("{}/fixtures/vectors/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    let mut bytes = vec![0; text.len() / 2];
    faster_hex::hex_decode(text.as_bytes(), &mut bytes).unwrap();
    bytes
}

/// The vectors with a message of 32 bytes, which all ids of events are, with the answer that BIP-340 gives.
fn bip340_vectors() -> Vec<(SchnorrCheck, bool)> {
    let text = fixture("bip-0340/test-vectors.csv");
    let rows = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    rows.filter(|row| row[4].len() == 64)
        .map(|row| {
            let part = |at: usize| hex(&row[at].to_lowercase()).try_into().unwrap();
            let signature = hex(&row[5].to_lowercase()).try_into().unwrap();
            (SchnorrCheck { key: part(2), message: part(4), signature }, row[6] == "TRUE")
        })
        .collect()
}

#[test]
fn the_vectors_of_bip_340_are_answered_as_it_says() {
    let vectors = bip340_vectors();
    assert_eq!((vectors.len(), vectors.iter().filter(|(_, good)| *good).count()), (15, 5));
    let mut chance = Chance::new(1);
    let mut items = schnorr_pool(100, 7, &mut chance);
    for (at, (item, good)) in vectors.iter().enumerate() {
        assert_eq!(bip340::holds_alone(item), *good, "{at}");
        assert_eq!(schnorr_alone(item), *good, "{at}");
        items.insert(at * 5, *item);
    }
    let answers = schnorr(&items);
    let expected: Vec<bool> =
        items.iter().map(|item| vectors.iter().all(|(vector, good)| vector != item || *good)).collect();
    assert_eq!(answers, expected);
}

#[test]
fn a_nonce_or_key_with_the_other_ordinate_is_refused_and_with_the_right_one_accepted() {
    let mut chance = Chance::new(2);
    for (key, nonce) in [(false, false), (true, false), (false, true), (true, true)] {
        let item = schnorr_turned(key, nonce, &mut chance);
        assert_eq!(single(&item), !key && !nonce);
        assert_eq!(bip340::holds_alone(&item), !key && !nonce);
    }
}

#[test]
fn errors_that_cancel_under_equal_coefficients_do_not_under_ours() {
    let mut items = schnorr_pool(64, 3, &mut Chance::new(3));
    let (left, right) = items.split_at_mut(1);
    cancelling(&mut left[0], &mut right[40], 5);
    let answers = schnorr(&items);
    for (at, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer, at != 0 && at != 41, "{at}");
    }
}

/// Each alone in a batch of its own, and all among good ones.
fn agree(vectors: &[(Owned, bool)]) {
    let mut items: Vec<Owned> = ed25519_pool(600, 5, &mut Chance::new(4));
    for (at, (item, good)) in vectors.iter().enumerate() {
        assert_eq!(item.single(), *good, "{at}: strict verification says otherwise");
        assert!(*good || !eddsa::holds_alone(&item.check()), "{at}: a batch accepts what strict verification refuses");
        assert_eq!(ed25519_alone(&item.check()), *good, "{at}: from a table");
        items.insert(at % items.len(), item.clone());
    }
    let checks: Vec<_> = items.iter().map(Owned::check).collect();
    for (item, answer) in items.iter().zip(ed25519(&checks)) {
        assert_eq!(answer, item.single());
    }
}

#[test]
fn the_cases_of_taming_the_many_eddsas_are_answered_as_dalek_strict_does() {
    // Row "Dalek strict" of the table of that paper: the fourth case alone.
    let cases: Vec<Value> = serde_json::from_str(&fixture("ed25519-speccheck/cases.json")).unwrap();
    assert_eq!(cases.len(), 12);
    let vectors: Vec<(Owned, bool)> = (cases.iter().enumerate())
        .map(|(at, case)| {
            let part = |name: &str| hex(case[name].as_str().unwrap());
            let key = part("pub_key").try_into().unwrap();
            (Owned { key, message: part("message"), signature: part("signature").try_into().unwrap() }, at == 3)
        })
        .collect();
    agree(&vectors);
    // Its key and nonce have parts of small order, so no batch may say it, and the single verifier does.
    assert!(!eddsa::holds_alone(&vectors[3].0.check()));
}

#[test]
fn the_vectors_of_cctv_are_answered_by_the_rule_of_verify_strict() {
    let cases: Vec<Value> = serde_json::from_str(&fixture("cctv/ed25519vectors.json")).unwrap();
    assert_eq!(cases.len(), 914);
    let vectors: Vec<(Owned, bool)> = (cases.iter())
        .map(|case| {
            let part = |name: &str| hex(case[name].as_str().unwrap());
            // Their README: strict verification refuses whatever has a flag beyond these two.
            let mut flags = case["flags"].as_array().into_iter().flatten().map(|flag| flag.as_str().unwrap());
            let good = flags.all(|flag| matches!(flag, "low_order_component_R" | "low_order_component_A"));
            let (key, signature) = (part("key").try_into().unwrap(), part("sig").try_into().unwrap());
            (Owned { key, message: case["msg"].as_str().unwrap().as_bytes().to_vec(), signature }, good)
        })
        .collect();
    assert!(vectors.iter().any(|(_, good)| *good));
    agree(&vectors);
}

#[test]
fn parts_of_small_order_are_refused_alone_and_where_two_of_them_cancel() {
    let mut chance = Chance::new(5);
    let nothing = EdwardsPoint::identity();
    for (order, torsion) in EIGHT_TORSION.iter().enumerate().skip(1) {
        let nonce = ed25519_signed(nothing, *torsion, &mut chance);
        let against = ed25519_signed(nothing, -torsion, &mut chance);
        let key = ed25519_signed(*torsion, nothing, &mut chance);
        for item in [&nonce, &against, &key] {
            assert!(!eddsa::holds_alone(&item.check()), "{order}");
        }
        assert!(!nonce.single() && !against.single());
        let mut items = ed25519_pool(300, 4, &mut chance);
        items.splice(10..10, [nonce, against, key.clone()]);
        let checks: Vec<_> = items.iter().map(Owned::check).collect();
        for (item, answer) in items.iter().zip(ed25519(&checks)) {
            assert_eq!(answer, item.single(), "{order}");
        }
    }
    // The near miss: no part at all.
    let whole = ed25519_signed(nothing, nothing, &mut chance);
    assert!(whole.single() && eddsa::holds_alone(&whole.check()));
}

#[test]
fn a_key_of_mixed_order_that_strict_verification_accepts_is_accepted_by_it_and_by_no_batch() {
    let mut chance = Chance::new(6);
    // One challenge in eight kills the part of the key.
    let lucky = (0..200).map(|_| ed25519_signed(EIGHT_TORSION[1], EdwardsPoint::identity(), &mut chance));
    let lucky = lucky.into_iter().find(Owned::single).unwrap();
    assert!(!eddsa::holds_alone(&lucky.check()));
    let mut items = ed25519_pool(256, 3, &mut chance);
    items.push(lucky);
    let checks: Vec<_> = items.iter().map(Owned::check).collect();
    assert!(ed25519(&checks).into_iter().all(|good| good));
}

#[test]
fn few_items_none_and_equal_ones_are_answered_too() {
    assert!(schnorr(&[]).is_empty() && ed25519(&[]).is_empty());
    let mut chance = Chance::new(7);
    let good = schnorr_pool(1, 1, &mut chance)[0];
    let bad = SchnorrCheck { signature: joined(&good.signature[..32], &good.message), ..good };
    for count in [1, 31, 32, 33, 64, 200] {
        assert_eq!(schnorr(&vec![good; count]), vec![true; count]);
        assert_eq!(schnorr(&vec![bad; count]), vec![false; count]);
        let mixed: Vec<SchnorrCheck> = (0..count).map(|at| if at % 5 == 2 { bad } else { good }).collect();
        assert_eq!(schnorr(&mixed), mixed.iter().map(|item| *item == good).collect::<Vec<_>>());
    }
    let good = ed25519_pool(1, 1, &mut chance).remove(0);
    let mut bad = good.clone();
    bad.signature[33] ^= 1;
    for count in [1, 255, 256, 600] {
        assert_eq!(ed25519(&vec![good.check(); count]), vec![true; count]);
        assert_eq!(ed25519(&vec![bad.check(); count]), vec![false; count]);
    }
}

#[test]
fn the_number_of_cores_changes_no_answer() {
    let mut items = schnorr_pool(500, 20, &mut Chance::new(8));
    for at in [0, 77, 78, 400] {
        items[at].message[3] ^= 4;
    }
    let expected: Vec<bool> = items.iter().map(single).collect();
    for cores in [1, 2, 3, 8, 64] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(cores).build().unwrap();
        assert_eq!(pool.install(|| crate::verify::batch::schnorr(&items)), expected, "{cores}");
    }
}
