//! Mutated real inputs against every decoder and the verifier: nothing panics, nothing undecodable passes without a finding.
//! What belongs here: campaigns. The test runs a short one; `make fuzz` runs a long one (`RELEDGER_FUZZ_CASES=n`).

use std::fs;

use reledger::domain::{Media, RawEvidence, TrustPolicy};
use reledger::evidence::{Decoded, decode};
use reledger::seal::{SealTrust, read_snapshot};
use reledger::verify::Verifier;

use crate::support::{Lcg, fixtures};

const CASES: usize = 4_000;

fn seeds() -> Vec<RawEvidence> {
    let mut seeds = Vec::new();
    let mut add = |media, about: &str, bytes: Vec<u8>| {
        seeds.push(RawEvidence { media, about: about.to_owned(), bytes });
    };
    let read = |name: &str| fs::read(fixtures().join(name)).unwrap();
    for line in String::from_utf8(read("real/nostr/events.jsonl")).unwrap().lines() {
        add(Media::NostrEvent, "", line.as_bytes().to_vec());
    }
    for entry in fs::read_dir(fixtures().join("real/ots")).unwrap() {
        add(Media::OtsProof, "", fs::read(entry.unwrap().path()).unwrap());
    }
    add(Media::Settlement, "", read("real/gateway/settlements.jsonl"));
    add(Media::Headers, "515276", read("real/headers/515276.headers"));
    let activity: serde_json::Value =
        serde_json::from_slice(&read("vectors/derived/activity-attestation.json")).unwrap();
    add(Media::Jwks, "", activity["jwks"].to_string().into_bytes());
    add(Media::AuthJwks, "", activity["jwks"].to_string().into_bytes());
    add(Media::Activity, "", activity["cases"][0]["bundle"].to_string().into_bytes());
    let fees: serde_json::Value = serde_json::from_slice(&read("vectors/oc-me-client/event-verify.json")).unwrap();
    add(Media::ProjectConfig, "", fees["cases"][0]["config"].to_string().into_bytes());
    let custody: serde_json::Value = serde_json::from_slice(&read("vectors/derived/custody-descriptor.json")).unwrap();
    add(Media::Custody, "", custody["inputs"].to_string().into_bytes());
    add(Media::Balance, "", br#"{"user":"bc1qx","balance_sats":12}"#.to_vec());
    let world = reledger::sim::World::generate(7, 12);
    for line in reledger::sim::seals::checkpoints(&world) {
        add(Media::Checkpoint, "", line.into_bytes());
    }
    for (_, archive) in reledger::sim::seals::snapshots(&world) {
        let size = u64::try_from(archive.len()).unwrap();
        let outline = read_snapshot(archive.as_slice(), size, SealTrust::Anyone, &|| false).unwrap().unwrap();
        add(Media::Snapshot, "", outline.to_bytes());
    }
    let hash = "11".repeat(32);
    add(Media::Invoice, "", format!(r#"{{"payment_hash":"{hash}","amount_sats":5,"status":"settled"}}"#).into_bytes());
    add(
        Media::PaymentLogEntry,
        "",
        br#"{"id":1,"kind":"tx-created","module":null,"ts_usecs":1,"payload":{}}"#.to_vec(),
    );
    seeds
}

/// Flips, drops, repeats, inserts, cuts, or takes a piece of another seed.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], chance: &mut Lcg) {
    for _ in 0..=chance.below(4) {
        let at = chance.below(bytes.len() + 1);
        match chance.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.insert(at, [0, 0xff, b'"', b'{', b'[', b'\\', b'9', 0x1b][chance.below(8)]),
            3 => bytes.truncate(at),
            4 => {
                let piece = other[..chance.below(other.len() + 1)].to_vec();
                bytes.splice(at..at, piece);
            }
            5 => {
                let end = (at + chance.below(64)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let end = (at + chance.below(16)).min(bytes.len());
                bytes.drain(at..end);
            }
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the length of a campaign comes from the caller")]
fn mutated_inputs_are_findings_and_never_panic() {
    let cases = std::env::var("RELEDGER_FUZZ_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(CASES);
    let seeds = seeds();
    let policy = TrustPolicy::orangecheck_2026_10();
    let mut chance = Lcg(20_261_121);
    let mut undecodable = 0_usize;
    for batch in 0..cases.div_ceil(500) {
        let mut mutants = Vec::new();
        for _ in 0..500.min(cases - batch * 500) {
            let mut mutant = seeds[chance.below(seeds.len())].clone();
            let other = &seeds[chance.below(seeds.len())].bytes;
            mutate(&mut mutant.bytes, other, &mut chance);
            if let Decoded::Undecodable(findings) = decode(&mutant) {
                assert!(!findings.is_empty(), "{mutant:?}");
                undecodable += 1;
            }
            mutants.push((mutant.id(), mutant));
        }
        let mut verifier = Verifier::new(&policy);
        verifier.first_pass(&mutants);
        verifier.begin_second_pass();
        verifier.second_pass(&mutants);
        let set = verifier.finish();
        for (name, counts) in &set.population.0 {
            assert_eq!(
                counts.unique,
                counts.accepted + counts.pending + counts.rejected + counts.quarantined,
                "{name}: every item has one fate"
            );
        }
    }
    // Not vacuous: both fates occur often.
    assert!(undecodable > cases / 20 && undecodable < cases, "{undecodable} of {cases}");
    eprintln!("{cases} mutants, {undecodable} undecodable, seed 20261121, no panic");
}
