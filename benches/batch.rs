//! Microseconds a signature of batch verification, and of verification from tables, at seven sizes and four numbers of authors, beside
//! the single verifiers, which judge in the same process. BIP-340 first, Ed25519 then; on one core.
//!
//! Each figure is the median of five rounds in processor time of the one thread; single and batch take turns, so that load which
//! others cause meets both. Keys are parsed each time, in single verification too. `make bench-batch`; `RELEDGER_BENCH_SIGNATURES=n` sets the largest
//! size, `RELEDGER_BENCH_ROUNDS=n` the rounds.

#![expect(
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a benchmark measures time and divides"
)]

use std::hint::black_box;

use bitcoin::secp256k1::{Keypair, Message, Secp256k1, SecretKey, VerifyOnly, XOnlyPublicKey, schnorr};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use reledger::domain::sha256;
use reledger::verify::batch::{self, Ed25519Check, SchnorrCheck};
use reledger::verify::fixed_base::{self, Tables};

const SIZES: [usize; 7] = [16, 64, 256, 1_024, 4_096, 16_384, 100_000];
/// As many signatures a round at least, in as many batches as that takes.
const ROUND: usize = 4_096;
/// Bytes that Ed25519 signs: an envelope of ordinary size.
const ENVELOPE: usize = 600;

fn main() {
    // What runs inside of a pool of one thread stays on it.
    rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread").install(tables);
}

fn tables() {
    let number = |name: &str, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let largest = number("RELEDGER_BENCH_SIGNATURES", 100_000);
    let rounds = number("RELEDGER_BENCH_ROUNDS", 5).max(1);
    let messages: Vec<Vec<u8>> = (0..largest).map(envelope).collect();
    println!("{:<34}{}", "us a signature", SIZES.map(|size| format!("{size:>9}")).concat());
    let tables = Tables::default();
    for authors in [largest, 2_000, 50, 3] {
        let items = schnorr_items(largest, authors);
        let single = |items: &[SchnorrCheck]| items.iter().all(single_schnorr());
        let name = format!("BIP-340, {authors} authors");
        let from_tables = |items: &[SchnorrCheck]| fixed_base::schnorr(items, &tables).iter().all(|holds| *holds);
        table(&name, &items, rounds, &single, &|items| batch::schnorr(items).iter().all(|holds| *holds), &from_tables);
    }
    for authors in [largest, 2_000, 50, 3] {
        let items = ed25519_items(&messages, authors);
        let single = |items: &[Ed25519Check]| items.iter().all(single_ed25519);
        let name = format!("Ed25519, {authors} authors");
        let from_tables = |items: &[Ed25519Check]| fixed_base::ed25519(items, &tables).iter().all(|holds| *holds);
        table(&name, &items, rounds, &single, &|items| batch::ed25519(items).iter().all(|holds| *holds), &from_tables);
    }
}

/// Whether all of some signatures hold, found in one way.
type Way<'a, T> = &'a dyn Fn(&[T]) -> bool;

/// A line of the table for the single verifier, and two each for batches and tables: microseconds, and how many times as fast.
fn table<T>(name: &str, items: &[T], rounds: usize, single: Way<'_, T>, batch: Way<'_, T>, tables: Way<'_, T>) {
    let mut lines: [String; 5] = Default::default();
    for size in SIZES.into_iter().filter(|size| *size <= items.len()) {
        let batches = ROUND.div_ceil(size).min(items.len() / size);
        let sample = &items[..ROUND.min(items.len())];
        let mut figures: [Vec<f64>; 3] = Default::default();
        for _ in 0..rounds {
            figures[0].push(microseconds(|| assert!(single(sample))) / sample.len() as f64);
            for (way, figures) in [batch, tables].into_iter().zip(&mut figures[1..]) {
                let spent = microseconds(|| assert!(items[..batches * size].chunks(size).all(way)));
                figures.push(spent / (batches * size) as f64);
            }
        }
        let [single, batch, tables] = figures.map(middle);
        lines[0] += &format!("{single:>9.2}");
        for (at, us) in [(1, batch), (3, tables)] {
            lines[at] += &format!("{us:>9.2}");
            lines[at + 1] += &format!("{:>8.2}x", single / us);
        }
    }
    println!("{name}");
    for (name, line) in
        ["  single", "  batch", "  as fast", "  single, from tables", "  as fast"].into_iter().zip(lines)
    {
        println!("{name:<34}{line}");
    }
}

/// Processor time of this thread in microseconds, where the system tells it (Linux).
fn now() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    told.split(' ').next().and_then(|text| text.parse::<f64>().ok()).expect("nanoseconds") / 1e3
}

fn microseconds(work: impl FnOnce()) -> f64 {
    let began = now();
    work();
    now() - began
}

fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn single_schnorr() -> impl Fn(&SchnorrCheck) -> bool {
    thread_local!(static CONTEXT: Secp256k1<VerifyOnly> = Secp256k1::verification_only());
    |item| {
        let key = XOnlyPublicKey::from_slice(&item.key).expect("a key");
        let signature = schnorr::Signature::from_slice(&item.signature).expect("64 bytes");
        let message = Message::from_digest(item.message);
        CONTEXT.with(|context| black_box(context.verify_schnorr(&signature, &message, &key).is_ok()))
    }
}

fn single_ed25519(item: &Ed25519Check) -> bool {
    let key = VerifyingKey::from_bytes(&item.key).expect("a key");
    black_box(key.verify_strict(item.message, &Signature::from_bytes(&item.signature)).is_ok())
}

fn schnorr_items(count: usize, authors: usize) -> Vec<SchnorrCheck> {
    let secp = Secp256k1::new();
    let keys: Vec<Keypair> = (0..authors.min(count))
        .map(|at| SecretKey::from_slice(&sha256(&at.to_be_bytes()).0).expect("a digest is below the order"))
        .map(|secret| Keypair::from_secret_key(&secp, &secret))
        .collect();
    (0..count)
        .map(|at| {
            let keypair = &keys[at % keys.len()];
            let message = sha256(format!("event {at}").as_bytes()).0;
            let signature = secp.sign_schnorr_no_aux_rand(&Message::from_digest(message), keypair);
            SchnorrCheck { key: keypair.x_only_public_key().0.serialize(), message, signature: signature.serialize() }
        })
        .collect()
}

fn envelope(at: usize) -> Vec<u8> {
    let mut message = format!("envelope {at} ").into_bytes();
    message.resize(ENVELOPE, b'x');
    message
}

fn ed25519_items(messages: &[Vec<u8>], authors: usize) -> Vec<Ed25519Check<'_>> {
    let keys: Vec<SigningKey> =
        (0..authors.min(messages.len())).map(|at| SigningKey::from_bytes(&sha256(&at.to_le_bytes()).0)).collect();
    let signed = messages.iter().enumerate().map(|(at, message)| {
        let key = &keys[at % keys.len()];
        let signature = key.sign(message).to_bytes();
        Ed25519Check { key: key.verifying_key().to_bytes(), message, signature }
    });
    signed.collect()
}
