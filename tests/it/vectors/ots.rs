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
fn declared(status: &str, height: Option<u32>) -> Option<OtsMember> {
    Some(OtsMember {
        status: status.to_owned(),
        proof: read("proofs/hello-world.txt.ots"),
        calendars: Vec::new(),
        block_height: height.map(BlockHeight),
        block_hash: None,
    })
}

/// A bare proof without an operation: the message itself is said to be the root of that block.
fn root_at(message: [u8; 32]) -> Proof {
    let mut bytes = vec![0x00, 0x05, 0x88, 0x96, 0x0d, 0x73, 0xd7, 0x19, 0x01, 3];
    // 358391 in little-endian base 128.
    bytes.extend([0xf7, 0xef, 0x15]);
    Proof { about: Some(Digest32(message)), bytes, ..hello() }
}

pub(super) fn cases() -> Vec<Case> {
    let from = "derived: ots/proofs/hello-world.txt.ots and the header of its block";
    let (_, raw) = header(HEIGHT);
    let root: [u8; 32] = raw[36..68].try_into().unwrap();
    let mut reversed = root;
    reversed.reverse();
    let pending = Proof { bytes: read("proofs/incomplete.txt.ots"), about: None, ..hello() };
    let epoch = read("headers/epoch_20.headers");
    let mut damaged = epoch.clone();
    damaged[80 * 1_000 + 4] ^= 1;
    let reply = "calendar-responses/finney.calendar.eternitywall.com/5ab943393d2f02b851f36479779930332720ce7c1e95f307d042f9819e42e5735d85f1a1998392022dd42958.timestamp";
    let of = |name: &str| Proof { bytes: read(&format!("adversarial/{name}.ots")), about: None, ..hello() };
    let later = ("515276".to_owned(), read("headers/run_515276_515295.headers"));
    let block = "block 358391";
    let rows: Vec<(&'static str, &str, Proof, &str)> = vec![
        (
            "12 ots: detached digest is not the id",
            "about another id",
            Proof { about: Some(sha256(b"another")), ..hello() },
            "no anchor; OTS_DIGEST",
        ),
        ("12 ots: detached digest is not the id", "about its own digest", hello(), block),
        (
            "12 ots: bare proof that does not start at the id",
            "a calendar's reply as the proof",
            Proof { bytes: read(reply), headers: vec![later], ..hello() },
            "no anchor; OTS_DIGEST",
        ),
        ("12 ots: unknown op", "adversarial/unknown_op", of("unknown_op"), "no anchor; OTS_MALFORMED"),
        (
            "12 ots: truncated varint",
            "a length cut off after its first byte",
            Proof { bytes: vec![0x00, 0x05, 0x88, 0x96, 0x0d, 0x73, 0xd7, 0x19, 0x01, 0x80], ..hello() },
            "no anchor; OTS_MALFORMED",
        ),
        (
            "12 ots: over-deep or over-long proof",
            "adversarial/deep_ff_100k",
            of("deep_ff_100k"),
            "no anchor; OTS_LIMIT",
        ),
        (
            "12 ots: over-deep or over-long proof",
            "adversarial/append_4096_on_digest",
            of("append_4096_on_digest"),
            "no anchor; OTS_LIMIT",
        ),
        (
            "12 ots: attestation at a height whose header has another root",
            "a header with one bit of its root flipped",
            root_at({
                let mut other = root;
                other[0] ^= 1;
                other
            }),
            "no anchor; OTS_ROOT",
        ),
        ("12 ots: correct root in reversed byte order", "as people read it", root_at(reversed), "no anchor; OTS_ROOT"),
        ("12 ots: correct root in reversed byte order", "in the order of the header", root_at(root), block),
        (
            "12 ots: header chain broken",
            "a link with one bit flipped",
            Proof { headers: vec![("40320".to_owned(), damaged)], ..hello() },
            "no anchor; HDR_INVALID; OTS_HEADER_MISSING",
        ),
        (
            "12 ots: header chain broken",
            "the same epoch as it is",
            Proof { headers: vec![("40320".to_owned(), epoch), header(HEIGHT)], ..hello() },
            block,
        ),
        (
            "12 ots: block_height is not the proof's",
            "one more",
            Proof { member: declared("confirmed", Some(HEIGHT + 1)), ..hello() },
            "block 358391; OTS_CLAIM",
        ),
        (
            "12 ots: block_height is not the proof's",
            "the proof's",
            Proof { member: declared("confirmed", Some(HEIGHT)), ..hello() },
            block,
        ),
        (
            "12 ots: pending with block_height set",
            "pending",
            Proof { member: declared("pending", Some(HEIGHT)), ..pending.clone() },
            "no anchor; OTS_CLAIM",
        ),
        (
            "12 ots: pending with block_height set",
            "pending without one",
            Proof { member: declared("pending", None), ..pending.clone() },
            "no anchor",
        ),
        (
            "12 ots: confirmed with only a pending attestation inside",
            "confirmed",
            Proof { member: declared("confirmed", Some(HEIGHT)), ..pending },
            "no anchor; OTS_CLAIM",
        ),
    ];
    rows.into_iter()
        .map(|(row, name, proof, wanted)| Case::new(row, name, from, Input::Proof(Box::new(proof)), wanted))
        .collect()
}
