//! Goal: every verdict about a proof has a case that produces it and a near miss that must not; the walk agrees with the
//! `opentimestamps` crate wherever that crate can read. Method: blocks mined at a trivial target whose Merkle roots are what
//! the proofs lead to. Real proofs are judged in `tests/it/vectors_ots.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use opentimestamps::attestation::Attestation as PeerAttestation;
use opentimestamps::ser::{Deserializer, DetachedTimestampFile};
use opentimestamps::timestamp::{Step as PeerStep, StepData, Timestamp};

use super::*;
use crate::domain::{BlockHash, BlockHeight, Code, HeaderPolicy, UnixSeconds};
use crate::evidence::OtsClaim;
use crate::verify::headers::testchain::{EASY, GENESIS_TIME, Raw, chain, extend, hash, mine, policy as pinned, run};
use crate::verify::set::{PendingAnchor, VerifiedSet};

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
    assert_eq!((asked.uri.as_str(), asked.commitment.len()), (ALICE, 44));
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

fn asked(commitment: &[u8]) -> PendingAnchor {
    PendingAnchor { uri: ALICE.to_owned(), commitment: commitment.to_vec(), submitted_at: None, proof: evidence() }
}

fn reply(commitment: &[u8], proof: Vec<u8>) -> OtsClaim {
    OtsClaim { about: None, proof, commitment: Some(commitment.to_vec()), calendar: Some("host".to_owned()) }
}

fn reply_id(number: u8) -> EvidenceId {
    EvidenceId::from_bytes([number; 32])
}

#[test]
fn a_reply_that_reaches_a_block_from_the_commitment_is_grafted() {
    let commitment = [4; 44];
    let world = world(sha256(&commitment).0);
    let graft = |reply: &OtsClaim| graft(&asked(&commitment), reply, reply_id(1), &world.0, &world.1);
    let verdict = graft(&reply(&commitment, hashed_to(1)));
    assert_eq!(outcome(&verdict), (Fate::Accepted, vec![]));
    assert_eq!(verdict.state.best().unwrap().proof, reply_id(1));

    let verdict = graft(&reply(&[5; 44], hashed_to(1)));
    assert_eq!(outcome(&verdict), (Fate::Rejected, vec![Code::OtsDigest]));
    let verdict = graft(&reply(&commitment, [vec![8], hashed_to(1)].concat()));
    assert_eq!(outcome(&verdict), (Fate::Rejected, vec![Code::OtsRoot]));
    let verdict = graft(&reply(&commitment, hashed_to(12)));
    assert_eq!(outcome(&verdict), (Fate::Pending, vec![Code::OtsHeaderMissing]));
    let verdict = graft(&reply(&commitment, vec![0x55]));
    assert_eq!(outcome(&verdict), (Fate::Quarantined, vec![Code::OtsMalformed]));
}

#[test]
fn a_reply_that_only_points_elsewhere_is_a_redirect() {
    let commitment = [4; 44];
    let world = world([5; 32]);
    let graft = |proof| graft(&asked(&commitment), &reply(&commitment, proof), reply_id(1), &world.0, &world.1);
    let bob = "https://bob.btc.calendar.opentimestamps.org";
    let verdict = graft([vec![8], pending(bob)].concat());
    assert_eq!(outcome(&verdict), (Fate::Pending, vec![]));
    assert_eq!(verdict.state.pending.first().unwrap().commitment, sha256(&commitment).0);
    assert_eq!(outcome(&graft(pending("https://evil.example"))), (Fate::Pending, vec![Code::OtsCalendar]));
    // The question given back is no answer.
    assert_eq!(outcome(&graft(pending(ALICE))), (Fate::Quarantined, vec![Code::Unverifiable]));
}

/// A calendar that redirects `count` times, each time by one more sha256, before it answers with height 1.
fn redirects(count: u8, commitment: &[u8]) -> Vec<(EvidenceId, OtsClaim)> {
    let mut replies = Vec::new();
    let mut message = commitment.to_vec();
    for number in 0..count {
        replies.push((reply_id(number + 1), reply(&message, [vec![8], pending(ALICE)].concat())));
        message = sha256(&message).0.to_vec();
    }
    replies.push((reply_id(count + 1), reply(&message, hashed_to(1))));
    replies
}

#[test]
fn two_redirects_are_followed_and_a_third_is_not() {
    let commitment = [4; 44];
    let settled_after = |count: u8| {
        let root = (0..=count).fold(commitment.to_vec(), |message, _| sha256(&message).0.to_vec());
        let world = world(root.try_into().unwrap());
        let claims = redirects(count, &commitment);
        let mut state = AnchorState::default();
        state.pending.insert(asked(&commitment));
        let replies = Replies::new(claims.iter().map(|(id, claim)| (*id, claim)));
        let settled = settle(&mut state, &replies, &world.0, &world.1);
        (state, settled)
    };
    for count in 0..=2 {
        let (state, settled) = settled_after(count);
        assert_eq!((state.confirmed.len(), state.pending.len()), (1, 0), "{count} redirects");
        assert_eq!((settled.findings, settled.fates[&reply_id(count + 1)]), (vec![], Fate::Accepted));
    }
    let (state, settled) = settled_after(3);
    assert!(state.confirmed.is_empty());
    assert_eq!(settled.findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [Code::OtsLimit]);
    assert_eq!(settled.fates[&reply_id(3)], Fate::Rejected);
}

#[test]
fn a_refused_reply_leaves_the_question_open() {
    let commitment = [4; 44];
    let world = world(sha256(&commitment).0);
    let bad = reply(&commitment, [vec![8], hashed_to(1)].concat());
    let good = reply(&commitment, hashed_to(1));
    let mut state = AnchorState::default();
    state.pending.insert(asked(&commitment));
    let settled = settle(&mut state, &Replies::new([(reply_id(1), &bad)]), &world.0, &world.1);
    assert_eq!((state.confirmed.len(), state.pending.len(), settled.fates[&reply_id(1)]), (0, 1, Fate::Rejected));
    let replies = Replies::new([(reply_id(1), &bad), (reply_id(2), &good)]);
    let settled = settle(&mut state, &replies, &world.0, &world.1);
    assert_eq!((state.confirmed.len(), state.pending.len(), settled.fates[&reply_id(2)]), (1, 0, Fate::Accepted));
}

#[test]
fn only_open_digests_and_listed_calendars_are_asked() {
    let world = world(sha256(&ID.0).0);
    let mut set = VerifiedSet::default();
    let fork = |other: Vec<u8>, last: Vec<u8>| [b"\xff".to_vec(), other, last].concat();
    let open = judged(&fork(pending(ALICE), pending("https://evil.example")), &world);
    set.anchors.insert(ID, open.state);
    let done = judged(&fork(pending(ALICE), hashed_to(1)), &world);
    set.anchors.insert(Digest32([2; 32]), done.state);
    set.anchors.insert(Digest32([3; 32]), judged(&hashed_to(12), &world).state);
    let host = "alice.btc.calendar.opentimestamps.org".to_owned();
    let expected = CalendarRequest { host, commitment: ID.0.to_vec() };
    assert_eq!(pending_requests(&set, &world.1).into_iter().collect::<Vec<_>>(), [expected]);
    assert_eq!(wanted_headers(&set).into_iter().collect::<Vec<_>>(), [BlockHeight(12)]);
}

#[test]
fn every_branch_is_asked_for_even_beside_a_block_that_is_known() {
    let world = world(sha256(&ID.0).0);
    let asked = |body: Vec<u8>| -> Vec<Vec<u8>> {
        let set = VerifiedSet { anchors: [(ID, judged(&body, &world).state)].into(), ..VerifiedSet::default() };
        pending_requests(&set, &world.1).into_iter().map(|request| request.commitment).collect()
    };
    let fork = |other: Vec<u8>, last: Vec<u8>| [b"\xff".to_vec(), other, last].concat();
    let other = [to_commitment(7), pending(ALICE)].concat();
    let digest = sha256(&[ID.0.as_slice(), &[1; 16]].concat());
    let commitment = [[0, 0, 0, 7].as_slice(), &digest.0, &[2; 8]].concat();
    // The block is reached on another way: the second calendar is a second witness.
    let expected = vec![commitment.clone()];
    assert_eq!(asked(fork(hashed_to(1), other.clone())), expected);
    // The way to a block, known or not, leads through the commitment: it is answered.
    assert_eq!(asked(fork(pending(ALICE), hashed_to(1))), Vec::<Vec<u8>>::new());
    assert_eq!(asked(fork(pending(ALICE), hashed_to(12))), Vec::<Vec<u8>>::new());
    assert_eq!(asked(fork(pending(ALICE), fork(hashed_to(1), other.clone()))), expected);
    // An answer that leads to the wrong block is none.
    assert_eq!(asked(fork(pending(ALICE), [append(&[1]), hashed_to(1)].concat())), [ID.0.to_vec()]);
    // What one proof of the digest leaves open, another may answer.
    let mut state = judged(&other, &world).state;
    let mut set = VerifiedSet { anchors: [(ID, state.clone())].into(), ..VerifiedSet::default() };
    assert_eq!(pending_requests(&set, &world.1).len(), 1);
    state.answered.insert(commitment);
    merge(set.anchors.get_mut(&ID).unwrap(), state);
    assert_eq!(pending_requests(&set, &world.1).len(), 0);
}

#[test]
fn a_calendar_on_this_machine_is_listed_with_its_port() {
    let (_, mut policy) = world([5; 32]);
    policy.calendars.extend(["127.0.0.1:14788".to_owned(), "localhost".to_owned(), "10.0.0.1".to_owned()]);
    assert_eq!(allowed_host("http://127.0.0.1:14788", &policy).as_deref(), Some("127.0.0.1:14788"));
    assert_eq!(allowed_host("http://localhost/", &policy).as_deref(), Some("localhost"));
    for uri in [
        "https://127.0.0.1:14788",
        "http://127.0.0.1:14789",
        "http://127.0.0.1",
        "http://127.0.0.1:014788",
        "http://127.0.0.1:14788/x",
        "http://localhost:80",
        "http://10.0.0.1",
        "https://10.0.0.1",
    ] {
        assert_eq!(allowed_host(uri, &policy), None, "{uri}");
    }
}

// ---------------------------------------------------------------- agreement with the opentimestamps crate

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
