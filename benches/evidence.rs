//! Proofs, message signatures and what they rest on, one core, beside the bare cryptography of the same pieces in the same
//! process: the 2,439 proofs of block 702861 against its header, and BIP-322 signatures of both kinds of one-key addresses.
//!
//! `make bench-evidence`; `RELEDGER_BENCH_ROUNDS=n` sets the rounds. Processor time counts: load that others cause does not show in it.

#![expect(
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::unwrap_used,
    reason = "a benchmark measures time and divides, and fails loudly"
)]

#[path = "common/processor.rs"]
mod processor;
#[path = "../tests/it/untar.rs"]
mod untar;

use std::hint::black_box;
use std::path::Path;

use bitcoin::hashes::{Hash as _, sha256};
use bitcoin::secp256k1::{Message, Secp256k1};
use bitcoin::{Address, CompressedPublicKey, KnownHrp, PrivateKey};
use reledger::domain::{BlockHash, BlockHeight, Checkpoint, EvidenceId, HeaderPolicy, TrustPolicy};
use reledger::evidence::HeaderRun;
use reledger::evidence::ots::{Op, Proof, Step};
use reledger::verify::headers::HeaderChain;
use reledger::verify::{Fate, bip322, ots};
use untar::untar;

fn main() {
    let rounds = std::env::var("RELEDGER_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    println!("{:<52}{:>12}{:>14}{:>10}", "one core, medians", "us each", "a second", "of floor");
    proofs(rounds);
    signatures(rounds);
}

/// The median of what one costs, in microseconds of processor time.
fn each<T>(rounds: usize, count: usize, mut work: impl FnMut() -> T) -> f64 {
    let mut spent: Vec<f64> = (0..rounds)
        .map(|_| {
            let began = processor::seconds();
            black_box(work());
            (processor::seconds() - began) * 1e6 / count as f64
        })
        .collect();
    spent.sort_by(f64::total_cmp);
    spent[spent.len() / 2]
}

fn row(name: &str, spent: f64, floor: f64) {
    println!("{name:<52}{spent:>12.2}{:>14.0}{:>10.2}", 1e6 / spent, spent / floor);
}

fn proofs(rounds: usize) {
    /// Times that the set is judged in a round.
    const TIMES: usize = 20;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/ots/block702861");
    let header = std::fs::read(folder.join("702861.header")).unwrap();
    let header: [u8; 80] = header.as_slice().try_into().unwrap();
    let archive = std::fs::read(folder.join("proofs.tar")).unwrap();
    let proofs: Vec<Vec<u8>> = untar(&archive).into_iter().map(|(_, bytes)| bytes.to_vec()).collect();
    let hash = BlockHash(sha256::Hash::hash(sha256::Hash::hash(&header).as_byte_array()).to_byte_array());
    let checkpoint = Checkpoint { height: BlockHeight(702_861), hash };
    let policy = TrustPolicy::orangecheck_2026_10();
    let run = HeaderRun { start: Some(BlockHeight(702_861)), headers: vec![header] };
    let known = HeaderPolicy { checkpoint, ..policy.headers };
    let (chain, findings, _) = HeaderChain::build(vec![(EvidenceId::from_bytes([7; 32]), run)], &known);
    assert!(findings.is_empty(), "{findings:?}");
    let evidence = EvidenceId::from_bytes([8; 32]);
    let hashes = proofs.iter().map(|proof| hashed(proof)).collect::<Vec<_>>();
    let mean = hashes.iter().map(Vec::len).sum::<usize>() / hashes.len();
    println!("{} proofs, {mean} messages hashed in each", proofs.len());
    let count = proofs.len() * TIMES;
    let floor = each(rounds, count, || {
        (0..TIMES).flat_map(|_| &hashes).flatten().map(|bytes| sha256::Hash::hash(bytes)[0]).fold(0, u8::wrapping_add)
    });
    row("floor: SHA-256 of every message of the proofs", floor, floor);
    let judged = each(rounds, count, || {
        for proof in (0..TIMES).flat_map(|_| &proofs) {
            let verdict = ots::judge(None, proof, None, evidence, &chain, &policy);
            assert_eq!(verdict.fate, Fate::Accepted);
        }
    });
    row("parse, walk, hold against the header", judged, floor);
}

/// The messages that a proof hashes with SHA-256.
fn hashed(bytes: &[u8]) -> Vec<Vec<u8>> {
    let proof = Proof::parse(bytes).unwrap();
    let mut hashed = Vec::new();
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let mut message = bytes[33..65].to_vec();
    for step in proof.steps() {
        match step {
            Step::Fork => kept.push(message.clone()),
            Step::Op(Op::Sha256) => {
                hashed.push(message.clone());
                message = sha256::Hash::hash(&message).to_byte_array().to_vec();
            }
            Step::Op(Op::Append(more)) => message.extend_from_slice(more),
            Step::Op(Op::Prepend(more)) => message = [*more, message.as_slice()].concat(),
            Step::Op(_) => {}
            Step::Attest(_) => message = kept.pop().unwrap_or_default(),
        }
    }
    hashed
}

fn signatures(rounds: usize) {
    const COUNT: usize = 20_000;
    let secp = Secp256k1::new();
    let key = PrivateKey::from_slice(&[7; 32], bitcoin::Network::Bitcoin).unwrap();
    let public = key.public_key(&secp).inner;
    let (digest, pair) = (Message::from_digest([9; 32]), key.inner.keypair(&secp));
    let (ecdsa, schnorr) = (secp.sign_ecdsa(&digest, &key.inner), secp.sign_schnorr_no_aux_rand(&digest, &pair));
    let (x_only, _) = public.x_only_public_key();
    let ecdsa = each(rounds, COUNT, || (0..COUNT).all(|_| secp.verify_ecdsa(&digest, &ecdsa, &public).is_ok()));
    let schnorr = each(rounds, COUNT, || (0..COUNT).all(|_| secp.verify_schnorr(&schnorr, &digest, &x_only).is_ok()));
    for (name, address, floor) in [
        ("P2WPKH", Address::p2wpkh(&CompressedPublicKey(public), KnownHrp::Mainnet), ecdsa),
        ("P2TR", Address::p2tr(&secp, x_only, None, KnownHrp::Mainnet), schnorr),
    ] {
        let (address, message) = (address.to_string(), "a message of some hundred bytes ".repeat(8));
        let text = ::bip322::sign_simple_encoded(&address, &message, &[key.to_wif()], None).unwrap();
        row(&format!("floor: the bare signature of {name}"), floor, floor);
        let spent = each(rounds, COUNT, || {
            for _ in 0..COUNT {
                bip322::verify(&address, message.as_bytes(), &text, None).unwrap();
            }
        });
        row(&format!("BIP-322, simple, {name}"), spent, floor);
    }
}
