//! Goal: the walk agrees with the `opentimestamps` crate wherever that crate can read.
//! Method: files of the world, generated proofs, and damage to both.

use std::fs;
use std::path::{Path, PathBuf};

use opentimestamps::attestation::Attestation as PeerAttestation;
use opentimestamps::ser::{Deserializer, DetachedTimestampFile};
use opentimestamps::timestamp::{Step as PeerStep, StepData, Timestamp};

use super::*;

/// The end of one branch as either side tells it: kind, content, message.
type End = (&'static str, Vec<u8>, Vec<u8>);

fn our_ends(proof: &Proof<'_>, start: &[u8]) -> Vec<End> {
    let Walked { leaves, work, .. } = walk(proof, start).unwrap();
    assert_eq!(work, proof.work(), "parsing foretells the work of the walk");
    let end = |leaf: Leaf<'_>| match leaf.attestation {
        Attestation::Bitcoin(height) => ("bitcoin", height.0.to_string().into_bytes(), leaf.message),
        Attestation::Pending(uri) => ("pending", uri.as_bytes().to_vec(), leaf.message),
        Attestation::Unknown { tag, .. } => ("unknown", tag.to_vec(), leaf.message),
    };
    leaves.into_iter().map(end).collect()
}

fn peer_ends(timestamp: &Timestamp) -> Vec<End> {
    fn collect(step: &PeerStep, ends: &mut Vec<End>) {
        if let StepData::Attestation(attestation) = &step.data {
            let (kind, content) = match attestation {
                PeerAttestation::Bitcoin { height } => ("bitcoin", height.to_string().into_bytes()),
                PeerAttestation::Pending { uri } => ("pending", uri.as_bytes().to_vec()),
                PeerAttestation::Unknown { tag, .. } => ("unknown", tag.clone()),
            };
            ends.push((kind, content, step.output.clone()));
        }
        for next in &step.next {
            collect(next, ends);
        }
    }
    let mut ends = Vec::new();
    collect(&timestamp.first_step, &mut ends);
    ends
}

/// Both sides on a file that our parser accepts. False when the crate cannot read it, which only Keccak may cause.
fn agrees(name: &str, bytes: &[u8]) -> bool {
    let Ok(proof) = Proof::parse(bytes) else { return false };
    let Root::Detached { digest, .. } = proof.root() else { return false };
    let ours = our_ends(&proof, digest);
    match DetachedTimestampFile::from_reader(bytes) {
        Ok(theirs) => {
            assert_eq!(ours, peer_ends(&theirs.timestamp), "{name}");
            true
        }
        Err(error) => {
            assert!(proof.steps().contains(&Step::Op(Op::Keccak256)), "{name}: {error}");
            false
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/ots")
}

#[test]
fn the_crate_agrees_on_every_file_that_we_accept() {
    let mut compared = 0;
    for folder in ["proofs", "adversarial", "invalid"] {
        for path in files(&fixtures().join(folder)) {
            if path.extension().is_some_and(|extension| extension == "ots") {
                compared += usize::from(agrees(path.to_str().unwrap(), &fs::read(&path).unwrap()));
            }
        }
    }
    // 13 proofs of 14 (one uses Keccak), and 16 crafted files of the 17 that are well-formed.
    assert_eq!(compared, 29);
}

#[test]
fn the_crate_agrees_on_every_calendar_reply() {
    let mut compared = 0;
    for host in files(&fixtures().join("calendar-responses")).into_iter().filter(|path| path.is_dir()) {
        for path in files(&host) {
            let mut commitment = vec![0; 44];
            faster_hex::hex_decode(path.file_stem().unwrap().to_str().unwrap().as_bytes(), &mut commitment).unwrap();
            let bytes = fs::read(&path).unwrap();
            let proof = Proof::parse_reply(&bytes, commitment.len()).unwrap();
            let theirs = Timestamp::deserialize(&mut Deserializer::new(&bytes[..]), commitment.clone()).unwrap();
            assert_eq!(our_ends(&proof, &commitment), peer_ends(&theirs));
            compared += 1;
        }
    }
    assert_eq!(compared, 6);
}

/// SplitMix64, seeded: the same proofs on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides).unwrap()
    }

    fn bytes(&mut self) -> Vec<u8> {
        let len = self.roll(60) + 1;
        (0..len).map(|_| u8::try_from(self.roll(256)).unwrap()).collect()
    }

    /// A random tree: mostly operations, some forks, an attestation at every end.
    fn timestamp(&mut self, depth: usize) -> Vec<u8> {
        let mut proof = Vec::new();
        while depth > 0 && self.roll(4) == 0 {
            proof.push(0xff);
            proof.extend(self.branch(depth));
        }
        proof.extend(self.branch(depth));
        proof
    }

    fn branch(&mut self, depth: usize) -> Vec<u8> {
        let op = match if depth == 0 { 9 } else { self.roll(10) } {
            0 => vec![2],
            1 => vec![3],
            2 | 3 => vec![8],
            4 | 5 => append(&self.bytes()),
            6 => prepend(&self.bytes()),
            7 => vec![0xf2],
            8 => vec![0xf3],
            _ => {
                return match self.roll(3) {
                    0 => bitcoin(self.roll(1_000_000)),
                    1 => pending(ALICE),
                    _ => notary(),
                };
            }
        };
        [op, self.timestamp(depth - 1)].concat()
    }
}

#[test]
fn the_crate_agrees_on_generated_proofs() {
    let mut dice = Dice(2_026);
    let mut compared = 0;
    for round in 0..3_000 {
        let file = detached(&[0x42; 32], &dice.timestamp(8));
        compared += usize::from(agrees(&format!("round {round}"), &file));
    }
    assert!(compared > 2_500, "{compared} of 3000 stay within the limits");
}

#[test]
fn damaged_proofs_are_refused_or_read_as_the_crate_reads_them() {
    let originals = ["empty.ots", "rust-large_test.ots", "merkle1.txt.ots", "hello-world.txt.ots"];
    let mut dice = Dice(7);
    for name in originals {
        let original = fs::read(fixtures().join("proofs").join(name)).unwrap();
        for round in 0..800 {
            let mut bytes = original.clone();
            // Past the digest: damage there changes only the start.
            for _ in 0..=dice.roll(2) {
                let at = 65 + dice.roll(u64::try_from(bytes.len() - 65).unwrap());
                bytes[at] = u8::try_from(dice.roll(256)).unwrap();
            }
            if dice.roll(4) == 0 {
                bytes.truncate(65 + dice.roll(u64::try_from(bytes.len() - 65).unwrap()));
            }
            agrees(&format!("{name}, round {round}"), &bytes);
        }
    }
}
