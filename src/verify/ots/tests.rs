//! Goal: every verdict about a proof has a case that produces it and a near miss that must not.
//! Method: blocks mined at a trivial target whose Merkle roots are what the proofs lead to. Real proofs are judged in
//! `tests/it/vectors_ots.rs`.

use super::*;
use crate::domain::{BlockHash, BlockHeight, Code, HeaderPolicy, UnixSeconds};
use crate::evidence::OtsClaim;
use crate::verify::headers::testchain::{EASY, GENESIS_TIME, Raw, chain, extend, hash, mine, policy as pinned, run};
use crate::verify::{PendingAnchor, VerifiedSet};

mod calendars;
mod peer;

const ALICE: &str = "https://alice.btc.calendar.opentimestamps.org";
const MAGIC: &[u8] = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94\x01";
const ID: Digest32 = Digest32([0x1d; 32]);

fn evidence() -> EvidenceId {
    EvidenceId::from_bytes([0xee; 32])
}

/// Height 1 commits to this root; ten more blocks stand above.
fn world(root: [u8; 32]) -> (HeaderChain, TrustPolicy) {
    let genesis = chain(0)[0];
    let block = mine(hash(&genesis), root, GENESIS_TIME + 600, EASY);
    let mut headers = vec![genesis, block];
    headers.extend(extend(&block, 10, 500));
    known(&headers, pinned(0, &genesis))
}

fn known(headers: &[Raw], policy: HeaderPolicy) -> (HeaderChain, TrustPolicy) {
    let policy = TrustPolicy { headers: policy, ..TrustPolicy::orangecheck_2026_10() };
    let (chain, findings, _) = HeaderChain::build(vec![run(Some(0), headers)], &policy.headers);
    assert_eq!(findings, []);
    (chain, policy)
}

fn varint(value: usize) -> Vec<u8> {
    let mut rest = value;
    let mut bytes = Vec::new();
    while rest > 0x7f {
        bytes.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest >>= 7;
    }
    bytes.push(u8::try_from(rest).unwrap());
    bytes
}

fn bitcoin(height: usize) -> Vec<u8> {
    let payload = varint(height);
    [b"\x00\x05\x88\x96\x0d\x73\xd7\x19\x01", varint(payload.len()).as_slice(), &payload].concat()
}

fn pending(uri: &str) -> Vec<u8> {
    let payload = [varint(uri.len()), uri.as_bytes().to_vec()].concat();
    [b"\x00\x83\xdf\xe3\x0d\x2e\xf9\x0c\x8e", varint(payload.len()).as_slice(), &payload].concat()
}

fn notary() -> Vec<u8> {
    b"\x00unknown!\x01x".to_vec()
}

fn append(bytes: &[u8]) -> Vec<u8> {
    [b"\xf0", varint(bytes.len()).as_slice(), bytes].concat()
}

fn prepend(bytes: &[u8]) -> Vec<u8> {
    [b"\xf1", varint(bytes.len()).as_slice(), bytes].concat()
}

fn detached(digest: &[u8], body: &[u8]) -> Vec<u8> {
    [MAGIC, b"\x08", digest, body].concat()
}

/// From the id through sha256 to a Bitcoin attestation.
fn hashed_to(height: usize) -> Vec<u8> {
    [vec![8], bitcoin(height)].concat()
}

/// As a calendar does: nonce, sha256, time before, code after. The message is a commitment.
fn to_commitment(time: u32) -> Vec<u8> {
    [append(&[1; 16]), vec![8], prepend(&time.to_be_bytes()), append(&[2; 8])].concat()
}

fn judged(proof: &[u8], world: &(HeaderChain, TrustPolicy)) -> ProofVerdict {
    judge(Some(ID), proof, None, evidence(), &world.0, &world.1)
}

fn codes(verdict: &ProofVerdict) -> Vec<Code> {
    verdict.findings.iter().map(|finding| finding.code).collect()
}

fn outcome(verdict: &ProofVerdict) -> (Fate, Vec<Code>) {
    (verdict.fate, codes(verdict))
}

#[test]
fn a_proof_that_reaches_the_root_anchors_the_digest() {
    let world = world(sha256(&ID.0).0);
    for proof in [hashed_to(1), detached(&ID.0, &hashed_to(1))] {
        let verdict = judged(&proof, &world);
        assert_eq!(outcome(&verdict), (Fate::Accepted, vec![]));
        let anchor = verdict.state.best().unwrap();
        assert_eq!((anchor.height, anchor.is_final), (BlockHeight(1), true));
        assert_eq!(anchor.time, UnixSeconds((GENESIS_TIME + 600).into()));
        assert_eq!((verdict.subject, anchor.proof), (Some(ID), evidence()));
        assert!(verdict.state.refused.is_empty());
    }
}

#[test]
fn a_detached_proof_speaks_for_the_digest_inside_it() {
    let world = world(sha256(&ID.0).0);
    let verdict = judge(None, &detached(&ID.0, &hashed_to(1)), None, evidence(), &world.0, &world.1);
    assert_eq!((verdict.subject, outcome(&verdict)), (Some(ID), (Fate::Accepted, vec![])));
    let verdict = judge(None, &hashed_to(1), None, evidence(), &world.0, &world.1);
    assert_eq!((verdict.subject, outcome(&verdict)), (None, (Fate::Rejected, vec![Code::OtsDigest])));
}

#[test]
fn a_proof_about_another_digest_is_refused_with_a_hint() {
    let world = world(sha256(&ID.0).0);
    for (digest, hint) in [
        (Digest32([3; 32]), "another digest"),
        (sha256(&ID.0), "sha256 of the id"),
        (sha256(ID.to_hex().as_bytes()), "the id's hex text"),
    ] {
        let verdict = judged(&detached(&digest.0, &hashed_to(1)), &world);
        assert_eq!(outcome(&verdict), (Fate::Rejected, vec![Code::OtsDigest]));
        assert!(verdict.findings[0].explanation.contains(hint), "{}", verdict.findings[0].explanation);
        assert_eq!(verdict.findings[0].observed, digest.to_hex());
        assert!(verdict.state.confirmed.is_empty() && verdict.state.refused.contains(&evidence()));
    }
    let sha1_file = [MAGIC, b"\x02", &[0x1d; 20], &hashed_to(1)].concat();
    assert_eq!(outcome(&judged(&sha1_file, &world)), (Fate::Rejected, vec![Code::OtsDigest]));
}

#[test]
fn a_bare_proof_of_something_derived_from_the_id_is_not_rooted_at_it() {
    for (start, hint) in [(sha256(&ID.0), "sha256 of the id"), (sha256(ID.to_hex().as_bytes()), "the id's hex text")] {
        let proof = [append(b"nonce"), hashed_to(1)].concat();
        let world = world(sha256(&[&start.0, b"nonce".as_slice()].concat()).0);
        let verdict = judged(&proof, &world);
        assert_eq!(outcome(&verdict), (Fate::Rejected, vec![Code::OtsDigest]));
        assert!(verdict.findings[0].explanation.contains(hint), "{}", verdict.findings[0].explanation);
    }
}

#[test]
fn a_calendars_reply_stored_alone_is_not_rooted_at_the_id() {
    let world = world([5; 32]);
    let reply_like = [vec![8], append(&[9; 32]), hashed_to(1)].concat();
    assert_eq!(outcome(&judged(&reply_like, &world)), (Fate::Rejected, vec![Code::OtsDigest]));
    // With a nonce first, or through a commitment, the proof does start at the id: it is merely wrong.
    for head in [append(&[1; 16]), [vec![8], to_commitment(7)].concat()] {
        let proof = [head, reply_like.clone()].concat();
        assert_eq!(outcome(&judged(&proof, &world)), (Fate::Rejected, vec![Code::OtsRoot]));
    }
    // A detached file names its start, so it is merely wrong too.
    let file = detached(&ID.0, &reply_like);
    assert_eq!(outcome(&judged(&file, &world)), (Fate::Rejected, vec![Code::OtsRoot]));
}

#[test]
fn a_message_that_is_not_the_root_is_refused() {
    let right = sha256(&ID.0).0;
    let mut reversed = right;
    reversed.reverse();
    let proof = detached(&ID.0, &hashed_to(1));
    let verdict = judged(&proof, &world([5; 32]));
    assert_eq!(outcome(&verdict), (Fate::Rejected, vec![Code::OtsRoot]));
    assert!(!verdict.findings[0].explanation.contains("reversed"));
    let verdict = judged(&proof, &world(reversed));
    assert_eq!(outcome(&verdict), (Fate::Rejected, vec![Code::OtsRoot]));
    assert!(verdict.findings[0].explanation.contains("byte-reversed"));
    let short = detached(&ID.0, &[vec![2], bitcoin(1)].concat());
    let verdict = judged(&short, &world(right));
    assert_eq!(
        (codes(&verdict), verdict.findings[0].observed.as_str()),
        (vec![Code::OtsRoot], "a message of 20 bytes")
    );
}

#[test]
fn one_good_branch_makes_a_proof_valid_and_the_bad_one_stays_listed() {
    let world = world(sha256(&ID.0).0);
    let with = |other: Vec<u8>| [b"\xff".to_vec(), other, hashed_to(1)].concat();
    let verdict = judged(&with(bitcoin(1)), &world);
    assert_eq!(outcome(&verdict), (Fate::Accepted, vec![Code::OtsRoot]));
    let verdict = judged(&with(pending(ALICE)), &world);
    assert_eq!((outcome(&verdict), verdict.state.pending.len()), ((Fate::Accepted, vec![]), 1));
    let verdict = judged(&with(notary()), &world);
    assert_eq!(outcome(&verdict), (Fate::Accepted, vec![]));
}

#[test]
fn a_height_without_a_header_is_named_not_failed() {
    let world = world(sha256(&ID.0).0);
    let verdict = judged(&hashed_to(12), &world);
    assert_eq!(outcome(&verdict), (Fate::Pending, vec![Code::OtsHeaderMissing]));
    assert_eq!(verdict.state.header_missing.iter().map(|height| height.0).collect::<Vec<_>>(), [12]);
    assert_eq!(outcome(&judged(&hashed_to(1), &world)), (Fate::Accepted, vec![]));
}

#[test]
fn an_anchor_on_a_block_that_lost_its_height_is_a_reorg() {
    let genesis = chain(0)[0];
    let lost = mine(hash(&genesis), sha256(&ID.0).0, GENESIS_TIME + 600, EASY);
    let winner = [vec![genesis], extend(&genesis, 3, 900)].concat();
    let policy = TrustPolicy { headers: pinned(0, &genesis), ..TrustPolicy::orangecheck_2026_10() };
    let runs = vec![run(Some(0), &winner), run(None, &[lost])];
    let (headers, findings, _) = HeaderChain::build(runs, &policy.headers);
    assert_eq!(findings, []);
    let verdict = judged(&hashed_to(1), &(headers.clone(), policy.clone()));
    assert_eq!(outcome(&verdict), (Fate::Pending, vec![Code::HdrReorg]));
    assert_eq!(verdict.findings[0].observed, BlockHash(hash(&lost)).to_string());
    let other = [append(b"x"), hashed_to(1)].concat();
    assert_eq!(outcome(&judged(&other, &(headers, policy))), (Fate::Rejected, vec![Code::OtsRoot]));
}

#[test]
fn a_pending_proof_yields_what_a_calendar_must_be_asked() {
    let world = world([5; 32]);
    // OTS 2.3: 0x5ab9433a is 2018-03-26 19:00:10.
    let proof = [to_commitment(0x5ab9_433a), pending(ALICE)].concat();
    let verdict = judged(&proof, &world);
    assert_eq!(outcome(&verdict), (Fate::Pending, vec![]));
    let asked = verdict.state.pending.first().unwrap();
    assert_eq!((&*asked.uri, asked.commitment.len()), (ALICE, 44));
    assert_eq!(asked.submitted_at, Some("2018-03-26T19:00:10Z".parse().unwrap()));
    // A message of another shape has no time in it.
    let verdict = judged(&[append(&[1; 16]), pending(ALICE)].concat(), &world);
    assert_eq!(verdict.state.pending.first().unwrap().submitted_at, None);
}

#[test]
fn only_the_listed_hosts_count_as_calendars() {
    let world = world([5; 32]);
    let alice = "alice.btc.calendar.opentimestamps.org";
    for uri in [ALICE.to_owned(), format!("{ALICE}/"), ALICE.to_ascii_uppercase().replace("HTTPS", "https")] {
        assert_eq!(allowed_host(&uri, &world.1).as_deref(), Some(alice), "{uri}");
        assert_eq!(outcome(&judged(&pending(&uri), &world)), (Fate::Pending, vec![]), "{uri}");
    }
    for uri in [
        "",
        "https://",
        "https:///",
        "foobar",
        alice,
        "http://alice.btc.calendar.opentimestamps.org",
        "https://alice.btc.calendar.opentimestamps.org:443",
        "https://alice.btc.calendar.opentimestamps.org//",
        "https://alice.btc.calendar.opentimestamps.org/x",
        "https://alice.btc.calendar.opentimestamps.org.",
        "https://evil.com:80.calendar.opentimestamps.org",
        "https://alice.btc.calendar.opentimestamps.org.evil.com",
        "https://ots.eternitywall.it",
        "https://127.0.0.1",
    ] {
        let verdict = judged(&pending(uri), &world);
        assert_eq!(outcome(&verdict), (Fate::Pending, vec![Code::OtsCalendar]), "{uri}");
        assert_eq!(verdict.findings[0].subject.get("calendar"), Some(uri));
    }
    // Even a policy that lists an address by mistake contacts names only.
    let mut policy = world.1.clone();
    policy.calendars.insert("127.0.0.1".to_owned());
    assert_eq!(allowed_host("https://127.0.0.1", &policy), None);
    assert_eq!(allowed_host("https://u@alice.btc.calendar.opentimestamps.org", &policy), None);
}

#[test]
fn unreadable_proofs_are_quarantined_with_their_reason() {
    let world = world([5; 32]);
    for (proof, code) in [(vec![0x55], Code::OtsMalformed), (vec![0; 65_537], Code::OtsLimit)] {
        let verdict = judged(&proof, &world);
        assert_eq!(outcome(&verdict), (Fate::Quarantined, vec![code]));
        assert_eq!(verdict.findings[0].subject.get("digest"), Some(ID.to_hex().as_str()));
        assert_eq!(verdict.findings[0].evidence[0].id, evidence());
    }
}

#[test]
fn a_proof_by_unknown_notaries_only_cannot_be_checked() {
    let world = world([5; 32]);
    assert_eq!(outcome(&judged(&notary(), &world)), (Fate::Quarantined, vec![Code::Unverifiable]));
    let both = [b"\xff".to_vec(), notary(), pending(ALICE)].concat();
    assert_eq!(outcome(&judged(&both, &world)), (Fate::Pending, vec![]));
}

fn member(status: &str, height: Option<u32>, hash: Option<BlockHash>) -> OtsMember {
    OtsMember {
        status: status.to_owned(),
        proof: Vec::new(),
        calendars: Vec::new(),
        block_height: height.map(BlockHeight),
        block_hash: hash,
    }
}

#[test]
fn declared_heights_hashes_and_states_are_compared_with_the_proof() {
    let world = world(sha256(&ID.0).0);
    let right = world.0.at(BlockHeight(1)).unwrap().hash;
    let wrong = BlockHash([9; 32]);
    let confirmed = hashed_to(1);
    let waiting = pending(ALICE);
    let unknown = hashed_to(12);
    for (proof, member, claims) in [
        (&confirmed, member("confirmed", Some(1), Some(right)), vec![]),
        (&confirmed, member("confirmed", Some(2), Some(right)), vec!["block_height"]),
        (&confirmed, member("confirmed", Some(1), Some(wrong)), vec!["block_hash"]),
        (&confirmed, member("confirmed", None, None), vec!["block_height"]),
        (&confirmed, member("pending", None, None), vec!["status"]),
        (&waiting, member("pending", None, None), vec![]),
        (&waiting, member("confirmed", None, None), vec!["status"]),
        (&waiting, member("confirmed", Some(1), Some(right)), vec!["block_height", "status"]),
        (&unknown, member("confirmed", Some(12), Some(wrong)), vec![]),
        (&unknown, member("pending", None, None), vec![]),
        (&unknown, member("confirmed", Some(1), None), vec!["block_height"]),
    ] {
        let verdict = judge(Some(ID), proof, Some(&member), evidence(), &world.0, &world.1);
        let findings = verdict.findings.iter().filter(|finding| finding.code == Code::OtsClaim);
        let observed: Vec<&str> = findings.map(|finding| finding.subject.get("member").unwrap()).collect();
        assert_eq!(observed, claims, "{member:?}");
    }
}

#[test]
fn a_refuted_proof_is_not_blamed_twice_for_its_member() {
    let world = world([5; 32]);
    let proof = detached(&ID.0, &hashed_to(1));
    let member = member("confirmed", Some(1), None);
    let verdict = judge(Some(ID), &proof, Some(&member), evidence(), &world.0, &world.1);
    assert_eq!(outcome(&verdict), (Fate::Rejected, vec![Code::OtsRoot]));
}

// ---------------------------------------------------------------- calendar replies
