//! Every way in which a listed calendar can misbehave: what it sends anchors nothing, grows nothing, goes nowhere else, and
//! holds up nobody.
//!
//! Method: one calendar tells the truth and all others lie, all are asked for the same real commitment at once; what they
//! sent is judged against real headers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reledger::domain::{Code, EvidenceId, Media, RawEvidence, SliceEnd, TrustPolicy};
use reledger::evidence::{Claim, Decoded, OtsClaim, decode};
use reledger::substrate::{CalendarPlan, CalendarSource, HttpLimits};
use reledger::verify::headers::HeaderChain;
use reledger::verify::ots::{Replies, settle};
use reledger::verify::{AnchorState, Fate, PendingAnchor};

use super::http_server::{Answer, HttpServer};
use super::{fetch, quick_retry, runtime};

const ALICE: &str = "https://alice.btc.calendar.opentimestamps.org";
/// What alice was given with `rust-large_test.ots`; block 449397 holds it.
const COMMITMENT: &str = "5883f17120599b7b1ba5dd17ee43289504b3d17636dba6009f57ddc961b104c16b0caf4b5deb8967362e06b6";
const HEIGHT: u32 = 449_397;

/// How an answer must end: before anything is kept, or kept and judged.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Nothing is kept; the receipt says so.
    Nothing(SliceEnd),
    /// Bytes that are no proof: kept as evidence, with this code.
    Unreadable(Code),
    /// A proof that shows nothing, with these codes.
    Judged(Fate, Vec<Code>),
}

fn fixture(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)).unwrap()
}

fn reply_of(calendar: &str, commitment: &str) -> Vec<u8> {
    fixture(&format!("ots/calendar-responses/{calendar}.btc.calendar.opentimestamps.org/{commitment}.timestamp"))
}

/// Mainnet headers of the fixtures, block 449397 among them.
fn known_headers(policy: &TrustPolicy) -> HeaderChain {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/real/headers");
    let mut runs = Vec::new();
    for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let about = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let evidence = RawEvidence { media: Media::Headers, about, bytes: std::fs::read(&file).unwrap() };
        let Decoded::Claim(claim, _) = decode(&evidence) else { panic!("{}", file.display()) };
        let Claim::Headers(run) = *claim else { panic!("{}", file.display()) };
        runs.push((evidence.id(), run));
    }
    HeaderChain::build(runs, &policy.headers).0
}

fn pending(uri: &str) -> Vec<u8> {
    let len = u8::try_from(uri.len()).unwrap();
    [b"\x00\x83\xdf\xe3\x0d\x2e\xf9\x0c\x8e".as_slice(), &[len + 1, len], uri.as_bytes()].concat()
}

fn bitcoin(payload: &[u8]) -> Vec<u8> {
    [b"\x00\x05\x88\x96\x0d\x73\xd7\x19\x01".as_slice(), &[u8::try_from(payload.len()).unwrap()], payload].concat()
}

fn head(lines: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{lines}\r\n").into_bytes()
}

/// Each kind of hostile answer, and what becomes of it. `trap` counts who is led astray.
#[expect(clippy::too_many_lines, reason = "a table")]
fn kinds(trap: &str) -> Vec<(&'static str, Answer, End)> {
    let truth = reply_of("alice", COMMITMENT);
    let foreign = format!("{trap}/");
    let location = format!("location: {trap}/timestamp/{COMMITMENT}");
    let refresh = format!("<html><meta http-equiv=refresh content='0;url={trap}'><script>x()</script></html>");
    let gzip =
        [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".as_slice(), &[0xed, 0xc1, 1, 1, 0, 0, 0, 0x80, 0x90]].concat();
    let gzip_lines = vec!["content-encoding: gzip".to_owned(), "content-type: application/octet-stream".to_owned()];
    let malformed = || End::Unreadable(Code::OtsMalformed);
    let limit = || End::Unreadable(Code::OtsLimit);
    let nothing = End::Nothing;
    let whole_file = fixture("ots/proofs/rust-large_test.ots");
    let bomb = [vec![0xf3; 12], vec![8], bitcoin(&[1])].concat();
    let forks = [0xff, 0x08].repeat(1_100).into_iter().chain(bitcoin(&[1])).collect::<Vec<u8>>();
    let forks = [forks, bitcoin(&[1]).repeat(700)].concat();
    let deep = [vec![8; 256], bitcoin(&[1])].concat();
    let other = "5883f171aa6795c4b2d50c11a9261949a1eedfdcf8254d5adab80b95d36584163a25cfcd6d4580fc64dfa979";
    vec![
        ("a body above the cap, by its length", Answer::ok(vec![8; 10_001]), nothing(SliceEnd::BudgetTripped)),
        (
            "a length of exabytes",
            Answer::Hang(head("content-length: 9000000000000000000\r\n")),
            nothing(SliceEnd::BudgetTripped),
        ),
        ("an endless body", Answer::Endless(head("connection: close\r\n")), nothing(SliceEnd::BudgetTripped)),
        (
            "endless chunks",
            Answer::Raw(
                [
                    head("transfer-encoding: chunked\r\n"),
                    b"3e8\r\n".to_vec(),
                    [vec![b'x'; 1_000], b"\r\n3e8\r\n".to_vec()].concat().repeat(12),
                ]
                .concat(),
            ),
            nothing(SliceEnd::BudgetTripped),
        ),
        (
            "a drip",
            Answer::Drip(vec![], [head("content-length: 400\r\n"), truth.clone()].concat(), Duration::from_millis(40)),
            nothing(SliceEnd::TimedOut),
        ),
        ("silence", Answer::Hang(vec![]), nothing(SliceEnd::TimedOut)),
        (
            "silence inside the body",
            Answer::Hang([head("content-length: 99\r\n"), truth[..50].to_vec()].concat()),
            nothing(SliceEnd::TimedOut),
        ),
        ("a redirect", Answer::Full(302, vec![location.clone()], vec![]), nothing(SliceEnd::Refused)),
        ("a permanent redirect", Answer::Full(308, vec![location.clone()], truth.clone()), nothing(SliceEnd::Refused)),
        (
            "a refresh header",
            Answer::Full(200, vec![format!("refresh: 0;url={trap}"), location], b"<html>".to_vec()),
            malformed(),
        ),
        (
            "a web page with 200",
            Answer::Full(200, vec!["content-type: text/html".to_owned()], refresh.into_bytes()),
            malformed(),
        ),
        ("an empty body", Answer::ok(vec![]), malformed()),
        ("a proof cut off", Answer::ok(truth[..truth.len() - 1].to_vec()), malformed()),
        ("a byte after the proof", Answer::ok([truth.clone(), vec![0]].concat()), malformed()),
        ("an unknown operation", Answer::ok([vec![0x42], truth.clone()].concat()), malformed()),
        ("a whole proof file", Answer::ok(whole_file), malformed()),
        (
            "a height of 2^64",
            Answer::ok(bitcoin(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2])),
            malformed(),
        ),
        ("an operation bomb", Answer::ok(bomb), limit()),
        ("a thousand forks", Answer::ok(forks), limit()),
        ("256 operations in a row", Answer::ok(deep), limit()),
        ("a compressed body", Answer::Full(200, gzip_lines, gzip), malformed()),
        ("errors without end", Answer::status(500, "x"), nothing(SliceEnd::Refused)),
        (
            "unavailable for a year",
            Answer::Full(503, vec!["retry-after: 0".to_owned()], vec![]),
            nothing(SliceEnd::Refused),
        ),
        ("another success status", Answer::Full(206, vec![], truth.clone()), nothing(SliceEnd::Refused)),
        (
            "a body shorter than it says",
            Answer::Raw([head("content-length: 9999\r\n"), truth.clone()].concat()),
            nothing(SliceEnd::Unreachable),
        ),
        ("a connection torn down", Answer::Reset(head("content-length: 99\r\n")), nothing(SliceEnd::Unreachable)),
        ("no HTTP at all", Answer::Raw(b"SSH-2.0-x\r\n".to_vec()), nothing(SliceEnd::Unreachable)),
        (
            "a megabyte of headers",
            Answer::Raw(head(&format!("x: {}\r\n", "y".repeat(1 << 20)))),
            nothing(SliceEnd::Unreachable),
        ),
        (
            "the proof of another commitment",
            Answer::ok(reply_of("bob", other)),
            End::Judged(Fate::Rejected, vec![Code::OtsRoot]),
        ),
        (
            "a block that nobody knows",
            Answer::ok([vec![8], bitcoin(&[0xff, 0xff, 0xff, 0xff, 0x0f])].concat()),
            End::Judged(Fate::Pending, vec![Code::OtsHeaderMissing]),
        ),
        (
            "the commitment as a block's root",
            Answer::ok(bitcoin(&[0xf7, 0xb6, 0x1b])),
            End::Judged(Fate::Rejected, vec![Code::OtsRoot]),
        ),
        (
            "only a calendar outside the list",
            Answer::ok(pending(&foreign)),
            // What stands in for the calendar that is not asked is the same reply, which then leads to itself.
            End::Judged(Fate::Pending, vec![Code::OtsCalendar, Code::Unverifiable]),
        ),
        ("only itself again", Answer::ok(pending(ALICE)), End::Judged(Fate::Quarantined, vec![Code::Unverifiable])),
        (
            "an unknown notary",
            Answer::ok(b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x00".to_vec()),
            End::Judged(Fate::Quarantined, vec![Code::Unverifiable]),
        ),
    ]
}

fn commitment() -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(&COMMITMENT[at..at + 2], 16).unwrap();
    (0..COMMITMENT.len()).step_by(2).map(pair).collect()
}

/// What alice's pending attestation comes to with this reply.
fn judged(reply: &RawEvidence, headers: &HeaderChain, policy: &TrustPolicy) -> (AnchorState, End) {
    let claim = match decode(reply) {
        Decoded::Undecodable(findings) => return (AnchorState::default(), End::Unreadable(findings[0].code)),
        Decoded::Claim(claim, _) => claim,
    };
    let Claim::Ots(claim) = *claim else { panic!("another claim") };
    let carrier = EvidenceId(reledger::domain::Digest32([7; 32]));
    let asked =
        PendingAnchor { uri: ALICE.into(), commitment: commitment().into(), submitted_at: None, proof: carrier };
    let mut state = AnchorState { pending: [asked].into(), ..AnchorState::default() };
    let claims: Vec<(EvidenceId, &OtsClaim)> = vec![(reply.id(), &claim)];
    let settled = settle(&mut state, &Replies::new(claims), headers, policy);
    let codes = settled.findings.iter().map(|finding| finding.code).collect();
    (state, End::Judged(settled.fates[&reply.id()], codes))
}

#[test]
fn whatever_a_calendar_answers_only_the_truth_anchors() {
    let trap = HttpServer::start(|_, _| Answer::ok("caught"));
    let honest = HttpServer::start(|_, _| Answer::ok(reply_of("alice", COMMITMENT)));
    let policy = TrustPolicy::orangecheck_2026_10();
    let headers = known_headers(&policy);
    let count = kinds(&trap.base).len();
    assert!(count >= 11, "{count}");
    let servers: Vec<HttpServer> = (0..count)
        .map(|nth| {
            let trap = trap.base.clone();
            HttpServer::start(move |_, _| kinds(&trap).swap_remove(nth).1)
        })
        .collect();
    let addresses: Vec<String> = servers.iter().chain([&honest]).map(|server| server.base.clone()).collect();
    let requests = addresses.iter().map(|address| (address.clone(), commitment())).collect();
    let http = HttpLimits { connect_ms: 2_000, total_ms: 1_500, retry: quick_retry(2) };
    let plan = CalendarPlan { http, interval_ms: 0, ..CalendarPlan::polite(requests, addresses) };
    let (sink, receipts) = fetch(&mut CalendarSource::new(plan, runtime()).unwrap());
    let kept: BTreeMap<String, RawEvidence> =
        sink.items.into_iter().map(|item| (item.source.0, item.evidence.into_evidence())).collect();
    for ((name, _, expected), server) in kinds(&trap.base).into_iter().zip(&servers) {
        let receipt = receipts.iter().find(|receipt| receipt.source.0 == server.base).unwrap();
        let Some(reply) = kept.get(&server.base) else {
            assert_eq!(expected, End::Nothing(receipt.end), "{name}: {}", receipt.reason);
            assert_eq!(receipt.items, 0, "{name}");
            continue;
        };
        assert!(reply.bytes.len() <= 10_000, "{name}");
        let (state, end) = judged(reply, &headers, &policy);
        assert_eq!(end, expected, "{name}");
        assert_eq!(state.confirmed, [], "{name}");
    }
    let (state, end) = judged(&kept[&honest.base], &headers, &policy);
    assert_eq!(end, End::Judged(Fate::Accepted, vec![]));
    let heights: Vec<u32> = state.confirmed.iter().map(|anchor| anchor.height.0).collect();
    assert_eq!(heights, [HEIGHT]);
    assert_eq!(trap.requests().len(), 0, "{:?}", trap.requests());
}

#[test]
fn fifty_dripping_calendars_hold_up_nobody() {
    let truth = reply_of("alice", COMMITMENT);
    let whole = [head(&format!("content-length: {}\r\n", truth.len())), truth.clone()].concat();
    // The drip begins in the status line, in the header lines, in the body: at fifty places.
    let servers: Vec<HttpServer> = (0..50)
        .map(|nth| {
            let (first, rest) = whole.split_at(whole.len() * nth / 51);
            let (first, rest) = (first.to_vec(), rest.to_vec());
            HttpServer::start(move |_, _| Answer::Drip(first.clone(), rest.clone(), Duration::from_millis(200)))
        })
        .collect();
    let honest = HttpServer::start(|_, _| Answer::ok(reply_of("alice", COMMITMENT)));
    let addresses: Vec<String> = servers.iter().chain([&honest]).map(|server| server.base.clone()).collect();
    let requests = addresses.iter().map(|address| (address.clone(), commitment())).collect();
    let http = HttpLimits { connect_ms: 5_000, total_ms: 1_000, retry: quick_retry(1) };
    let plan = CalendarPlan { http, interval_ms: 0, ..CalendarPlan::polite(requests, addresses) };
    let (sink, receipts) = fetch(&mut CalendarSource::new(plan, runtime()).unwrap());
    let given: Vec<&str> = sink.items.iter().map(|item| item.source.0.as_str()).collect();
    assert_eq!(given, [honest.base.as_str()]);
    assert_eq!(receipts.iter().filter(|receipt| receipt.end == SliceEnd::TimedOut).count(), 50);
}
