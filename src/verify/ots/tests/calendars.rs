//! Goal: what calendars are asked, and what of their answers is grafted, followed or refused.
//! Method: replies made by hand for one commitment.

use super::*;
use crate::scratch::Table;

fn asked(commitment: &[u8]) -> PendingAnchor {
    PendingAnchor { uri: ALICE.into(), commitment: commitment.into(), submitted_at: None, proof: evidence() }
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
    assert_eq!(verdict.state.pending.first().unwrap().commitment, sha256(&commitment).0.into());
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
        let set =
            VerifiedSet { anchors: Table::from_iter([(ID, judged(&body, &world).state)]), ..VerifiedSet::default() };
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
    let mut set = VerifiedSet { anchors: Table::from_iter([(ID, state.clone())]), ..VerifiedSet::default() };
    assert_eq!(pending_requests(&set, &world.1).len(), 1);
    state.answered.insert(commitment.into());
    merge(&mut set.anchors.get_mut(&ID).unwrap(), state);
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
