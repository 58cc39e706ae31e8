//! OpenTimestamps proofs that must not anchor anything (FORMATS 12, OTS; derived from real proofs and headers).

use reledger::domain::{BlockHeight, Digest32, EvidenceId, Media, RawEvidence, TrustPolicy, sha256};
use reledger::evidence::{self, Claim, Decoded, HeaderRun, OtsMember};
use reledger::verify::headers::HeaderChain;
use reledger::verify::ots::judge;

use super::case::{Case, Input};
use crate::support::fixtures;

/// A proof about a digest, the declaration beside it, and the headers that are known.
#[derive(Clone)]
pub(super) struct Proof {
    about: Option<Digest32>,
    bytes: Vec<u8>,
    member: Option<OtsMember>,
    /// Height of the first, and the headers.
    headers: Vec<(String, Vec<u8>)>,
}

impl Proof {
    /// The block that it is anchored in, or that it is none; then every code, of headers first.
    pub(super) fn verdict(&self) -> String {
        let policy = TrustPolicy::orangecheck_2026_10();
        let runs = self.headers.iter().map(|(about, bytes)| run(about, bytes)).collect();
        let (chain, headers, _) = HeaderChain::build(runs, &policy.headers);
        let verdict =
            judge(self.about, &self.bytes, self.member.as_ref(), EvidenceId::from_bytes([7; 32]), &chain, &policy);
        let mut said = match verdict.state.confirmed.first() {
            Some(anchor) => vec![format!("block {}", anchor.height)],
            None => vec!["no anchor".to_owned()],
        };
        said.extend(headers.iter().chain(&verdict.findings).map(|finding| finding.code.name().to_owned()));
        said.dedup();
        said.join("; ")
    }
}

fn run(about: &str, bytes: &[u8]) -> (EvidenceId, HeaderRun) {
    let Decoded::Claim(claim, findings) = evidence::headers::decode(about, bytes) else {
        panic!("{about}: no headers")
    };
    assert_eq!(findings, []);
    let Claim::Headers(run) = *claim else { panic!("{about}: another claim") };
    (RawEvidence::id_of(Media::Headers, about, bytes), run)
}

fn read(path: &str) -> Vec<u8> {
    std::fs::read(fixtures().join("ots").join(path)).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    let mut bytes = vec![0; text.len() / 2];
    faster_hex::hex_decode(text.as_bytes(), &mut bytes).unwrap();
    bytes
}

/// The block of `hello-world.txt.ots`.
const HEIGHT: u32 = 358_391;

/// The header of that height, as a run of one.
fn header(height: u32) -> (String, Vec<u8>) {
    let table = String::from_utf8(read("headers/headers.csv")).unwrap();
    let line = table.lines().find_map(|line| line.strip_prefix(&format!("{height},")).map(str::to_owned));
    (height.to_string(), unhex(&line.unwrap()))
}

fn hello() -> Proof {
    Proof {
        about: Some(sha256(&read("proofs/hello-world.txt"))),
        bytes: read("proofs/hello-world.txt.ots"),
        member: None,
        headers: vec![header(HEIGHT)],
    }
}

/// The declaration beside the proof.
fn declared(proof: Proof, status: &str, height: Option<u32>) -> Proof {
    let member = OtsMember {
        status: status.to_owned(),
        proof: proof.bytes.clone(),
        calendars: Vec::new(),
        block_height: height.map(BlockHeight),
        block_hash: None,
    };
    Proof { member: Some(member), ..proof }
}

/// A bare proof that ends at once in a block: its tag and the height's length, the height to follow.
const BARE: [u8; 9] = [0x00, 0x05, 0x88, 0x96, 0x0d, 0x73, 0xd7, 0x19, 0x01];

/// A bare proof without an operation: the message itself is said to be the root of that block.
fn root_at(message: [u8; 32]) -> Proof {
    // 358391 in little-endian base 128, three bytes.
    let bytes = [&BARE[..], &[3, 0xf7, 0xef, 0x15]].concat();
    Proof { about: Some(Digest32(message)), bytes, ..hello() }
}

/// A file of the collection, about whatever it says itself.
fn file(path: &str) -> Proof {
    Proof { bytes: read(path), about: None, ..hello() }
}

const BLOCK: &str = "block 358391";

pub(super) fn cases() -> Vec<Case> {
    let from = "derived: ots/proofs/hello-world.txt.ots and the header of its block";
    let rows = [roots_of_trust(), forms(), blocks(), declarations()].concat();
    rows.into_iter()
        .map(|(row, name, proof, wanted)| Case::new(row, name, from, Input::Proof(Box::new(proof)), wanted))
        .collect()
}

/// Row, name, input, answer.
type Row = (&'static str, &'static str, Proof, &'static str);

fn roots_of_trust() -> Vec<Row> {
    const DETACHED: &str = "12 ots: detached digest is not the id";
    let reply = "calendar-responses/finney.calendar.eternitywall.com/\
                 5ab943393d2f02b851f36479779930332720ce7c1e95f307d042f9819e42e5735d85f1a1998392022dd42958.timestamp";
    let later = ("515276".to_owned(), read("headers/run_515276_515295.headers"));
    let reply = Proof { bytes: read(reply), headers: vec![later], ..hello() };
    let other = Proof { about: Some(sha256(b"another")), ..hello() };
    vec![
        (DETACHED, "about another id", other, "no anchor; OTS_DIGEST"),
        (DETACHED, "about its own digest", hello(), BLOCK),
        (
            "12 ots: bare proof that does not start at the id",
            "a calendar's reply as the proof",
            reply,
            "no anchor; OTS_DIGEST",
        ),
    ]
}

fn forms() -> Vec<Row> {
    const LIMITS: &str = "12 ots: over-deep or over-long proof";
    let cut = Proof { bytes: [&BARE[..], &[0x80]].concat(), ..hello() };
    let limit = "no anchor; OTS_LIMIT";
    vec![
        ("12 ots: unknown op", "op 0x55", file("adversarial/unknown_op.ots"), "no anchor; OTS_MALFORMED"),
        ("12 ots: truncated varint", "a length cut off after its first byte", cut, "no anchor; OTS_MALFORMED"),
        (LIMITS, "100,000 branches deep", file("adversarial/deep_ff_100k.ots"), limit),
        (LIMITS, "a message of 4,096 bytes more", file("adversarial/append_4096_on_digest.ots"), limit),
    ]
}

fn blocks() -> Vec<Row> {
    const ORDER: &str = "12 ots: correct root in reversed byte order";
    const CHAIN: &str = "12 ots: header chain broken";
    let (_, raw) = header(HEIGHT);
    let root: [u8; 32] = raw[36..68].try_into().unwrap();
    let (mut reversed, mut flipped) = (root, root);
    reversed.reverse();
    flipped[0] ^= 1;
    let epoch = read("headers/epoch_20.headers");
    let mut damaged = epoch.clone();
    damaged[80 * 1_000 + 4] ^= 1;
    let at = |bytes: Vec<u8>| ("40320".to_owned(), bytes);
    let broken = Proof { headers: vec![at(damaged)], ..hello() };
    let whole = Proof { headers: vec![at(epoch), header(HEIGHT)], ..hello() };
    vec![
        (
            "12 ots: attestation at a height whose header has another root",
            "one bit of the root flipped",
            root_at(flipped),
            "no anchor; OTS_ROOT",
        ),
        (ORDER, "as people read it", root_at(reversed), "no anchor; OTS_ROOT"),
        (ORDER, "in the order of the header", root_at(root), BLOCK),
        (CHAIN, "a link with one bit flipped", broken, "no anchor; HDR_INVALID; OTS_HEADER_MISSING"),
        (CHAIN, "the same epoch as it is", whole, BLOCK),
    ]
}

fn declarations() -> Vec<Row> {
    const HEIGHTS: &str = "12 ots: block_height is not the proof's";
    const PENDING: &str = "12 ots: pending with block_height set";
    const CONFIRMED: &str = "12 ots: confirmed with only a pending attestation inside";
    let pending = || file("proofs/incomplete.txt.ots");
    let (more, same) = (Some(HEIGHT + 1), Some(HEIGHT));
    vec![
        (HEIGHTS, "one more", declared(hello(), "confirmed", more), "block 358391; OTS_CLAIM"),
        (HEIGHTS, "the proof's", declared(hello(), "confirmed", same), BLOCK),
        (PENDING, "pending", declared(pending(), "pending", same), "no anchor; OTS_CLAIM"),
        (PENDING, "pending without one", declared(pending(), "pending", None), "no anchor"),
        (CONFIRMED, "confirmed", declared(pending(), "confirmed", same), "no anchor; OTS_CLAIM"),
    ]
}
