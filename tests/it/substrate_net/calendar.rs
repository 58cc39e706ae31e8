//! Calendars: only those on the list are contacted, once per commitment, and "not yet" is an answer.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use reledger::domain::{FetchReceipt, Media, SliceEnd, SourceId};
use reledger::substrate::{CalendarAnswer, CalendarPlan, CalendarSource, EvidenceSource as _, HttpLimits, SourceError};
use tokio::sync::Barrier;

use super::http_server::{Answer, HttpServer, Request};
use super::{Collected, broken, complete, fetch, hasty, media, patient, quick_retry, runtime};

const PENDING: &str = "Pending confirmation in Bitcoin blockchain";

fn kind() -> &'static str {
    media(Media::CalendarReply)
}

fn plan(requests: Vec<(String, Vec<u8>)>, allowed: &[&str], http: HttpLimits) -> CalendarPlan {
    let allowed = allowed.iter().map(|text| (*text).to_owned()).collect();
    CalendarPlan { http, interval_ms: 0, ..CalendarPlan::polite(requests, allowed) }
}

fn ask(requests: Vec<(String, Vec<u8>)>, allowed: &[&str]) -> (Collected, Vec<FetchReceipt>) {
    fetch(&mut CalendarSource::new(plan(requests, allowed, patient()), runtime()).unwrap())
}

fn targets(server: &HttpServer) -> Vec<String> {
    let mut targets: Vec<String> = server.requests().into_iter().map(|request| request.target).collect();
    targets.sort();
    targets
}

#[test]
fn a_completed_proof_comes_back_byte_for_byte() {
    let calendar = "alice.btc.calendar.opentimestamps.org";
    let digits = "5ab9433af0cb01fcaf4afea34d28a77effcfca57a13dac8a984d306073f05e6169ce90e5d0944c6fae2174c8";
    let file = format!("fixtures/ots/calendar-responses/{calendar}/{digits}.timestamp");
    let reply = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let body = reply.clone();
    let server = HttpServer::start(move |_, _| Answer::ok(body.clone()));
    let commitment: Vec<u8> =
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect();
    let (sink, receipts) = ask(vec![(server.base.clone(), commitment)], &[&server.base]);
    assert_eq!(receipts, [complete(&server.base, kind(), 1)]);
    let item = &sink.items[0].evidence;
    assert_eq!((item.media, item.about.clone()), (Media::CalendarReply, format!("127.0.0.1/{digits}")));
    assert_eq!(item.bytes, reply);
    let requests = server.requests();
    assert_eq!(requests[0].target, format!("/timestamp/{digits}"));
    assert!(requests[0].headers.contains(&"accept: application/vnd.opentimestamps.v1".to_owned()));
}

#[test]
fn not_yet_is_an_answer_with_its_state() {
    let server = HttpServer::start(|request: &Request, _| match request.target.as_str() {
        "/timestamp/01" | "/timestamp/02" => Answer::status(404, PENDING),
        "/timestamp/03" => Answer::status(404, "Timestamped by transaction 00ff; waiting for 3 confirmations"),
        "/timestamp/04" => Answer::status(404, "Not found"),
        _ => Answer::ok("proof"),
    });
    let requests = (1..=5).map(|byte| (server.base.clone(), vec![byte])).collect();
    let (sink, receipts) = ask(requests, &[&server.base]);
    assert_eq!(sink.texts(), BTreeSet::from(["proof".to_owned()]));
    let reason = format!("1 of 5: Not found; 2 of 5: {PENDING}; 1 of 5: Timestamped, waiting for confirmations");
    assert_eq!(receipts, [FetchReceipt { reason, ..complete(&server.base, kind(), 1) }]);
}

#[test]
fn a_calendars_text_cannot_do_harm() {
    let server = HttpServer::start(|_, _| Answer::status(404, &format!("<b>\u{1b}[31m{}", "y".repeat(10_000))));
    let (_, receipts) = ask(vec![(server.base.clone(), vec![1])], &[&server.base]);
    let reason = &receipts[0].reason;
    assert!(reason.starts_with("1 of 1: _b_") && reason.len() <= 163, "{reason}");
    assert!(reason.bytes().all(|byte| (b' '..0x7f).contains(&byte) && byte != b'<'), "{reason}");
}

#[test]
fn one_commitment_is_asked_once() {
    let server = HttpServer::start(|_, _| Answer::ok("proof"));
    let other = HttpServer::start(|_, _| Answer::ok("other"));
    let slashed = format!("{}/", server.base);
    let requests = vec![
        (server.base.clone(), vec![1]),
        (slashed.clone(), vec![1]),
        (other.base.clone(), vec![1]),
        (server.base.clone(), vec![1]),
        (server.base.clone(), vec![2]),
    ];
    let (sink, _) = ask(requests, &[&slashed, &server.base, &other.base]);
    assert_eq!(targets(&server), ["/timestamp/01", "/timestamp/02"]);
    assert_eq!(targets(&other), ["/timestamp/01"]);
    assert_eq!(sink.items.len(), 3);
}

#[test]
fn nothing_outside_the_list_is_contacted() {
    let listed = HttpServer::start(|_, _| Answer::ok("proof"));
    let victim = HttpServer::start(|_, _| Answer::ok("secret"));
    let (port, other) = (listed.port(), victim.port());
    let tricks = [
        victim.base.clone(),
        format!("http://localhost:{other}"),
        format!("http://127.0.0.1:{port}@127.0.0.1:{other}"),
        format!("http://127.0.0.1:{port}%40127.0.0.1:{other}"),
        format!("http://user@127.0.0.1:{port}"),
        format!("http://user:pass@127.0.0.1:{port}"),
        format!("http://2130706433:{port}"),
        format!("http://0x7f.1:{port}"),
        format!("http://127.1:{port}"),
        format!("http://127.0.0.2:{port}"),
        format!("http://[::1]:{port}"),
        format!("http://[::ffff:127.0.0.1]:{port}"),
        format!("https://127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port}/other"),
        format!("http://127.0.0.1:{port}/../x"),
        format!("http://127.0.0.1:{port}?x"),
        format!("http://127.0.0.1:{port}#x"),
        format!("http://127.0.0.1:{port}\\@127.0.0.1:{other}"),
        format!("http://127.0.0.1:{port}\n"),
        format!("http://evil.example:{port}.calendar.opentimestamps.org"),
        format!("//127.0.0.1:{port}"),
        format!("127.0.0.1:{port}"),
        "https://evil.example:80.calendar.opentimestamps.org".to_owned(),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "file:///etc/passwd".to_owned(),
        "x".repeat(1_000),
        String::new(),
    ];
    let requests: Vec<_> = tricks.iter().map(|trick| (trick.clone(), vec![7])).collect();
    let mut source = CalendarSource::new(plan(requests.clone(), &[&listed.base], hasty()), runtime()).unwrap();
    assert_eq!(*source.refused(), requests.into_iter().collect());
    let (sink, receipts) = fetch(&mut source);
    assert_eq!((sink.items, receipts), (vec![], vec![]));
    assert_eq!((listed.requests().len(), victim.requests().len()), (0, 0));
}

#[test]
fn a_commitment_of_impossible_length_is_not_asked() {
    let server = HttpServer::start(|_, _| Answer::ok("proof"));
    let requests = [0, 256, 257].map(|length| (server.base.clone(), vec![0xab; length])).to_vec();
    let mut source = CalendarSource::new(plan(requests.clone(), &[&server.base], patient()), runtime()).unwrap();
    assert_eq!(*source.refused(), BTreeSet::from([requests[0].clone(), requests[2].clone()]));
    fetch(&mut source);
    assert_eq!(targets(&server), [format!("/timestamp/{}", "ab".repeat(256))]);
}

#[test]
fn a_list_with_an_impossible_calendar_is_refused() {
    for address in ["http://calendar.example", "https://10.0.0.1", "https://calendar.example:8443", "calendar.example"]
    {
        let refused = CalendarSource::new(plan(vec![], &[address], hasty()), runtime());
        assert!(matches!(refused, Err(SourceError::Misconfigured { .. })), "{address}");
    }
}

#[test]
fn a_reply_at_the_cap_passes_and_one_byte_more_does_not() {
    let server = HttpServer::start(|request: &Request, _| {
        Answer::ok(vec![0; if request.target.ends_with("/01") { 10_000 } else { 10_001 }])
    });
    let requests = vec![(server.base.clone(), vec![1]), (server.base.clone(), vec![2])];
    let (sink, receipts) = ask(requests, &[&server.base]);
    assert_eq!(sink.items.len(), 1);
    assert_eq!(sink.items[0].evidence.bytes, vec![0; 10_000]);
    let reason = "1 of 2: answer above the byte limit";
    assert_eq!(receipts, [broken(&server.base, kind(), SliceEnd::BudgetTripped, 1, reason)]);
}

#[test]
fn a_calendar_that_redirects_leads_nowhere() {
    let elsewhere = HttpServer::start(|_, _| Answer::ok("proof"));
    let location = format!("location: {}/timestamp/01", elsewhere.base);
    let server = HttpServer::start(move |_, _| Answer::Full(302, vec![location.clone()], vec![]));
    let (sink, receipts) = ask(vec![(server.base.clone(), vec![1])], &[&server.base]);
    assert_eq!(sink.items, []);
    let reason = "1 of 1: redirect refused (HTTP status 302)";
    assert_eq!(receipts, [broken(&server.base, kind(), SliceEnd::Refused, 0, reason)]);
    assert_eq!(elsewhere.requests().len(), 0);
}

#[test]
fn a_dead_calendar_is_left_alone_and_holds_up_nobody() {
    let dead = HttpServer::start(|_, _| Answer::Hang(vec![]));
    let live = HttpServer::start(|_, _| Answer::ok("proof"));
    let mut requests: Vec<_> = (0..20).map(|byte| (dead.base.clone(), vec![byte])).collect();
    requests.extend((0..20).map(|byte| (live.base.clone(), vec![byte])));
    let limits = HttpLimits { connect_ms: 400, total_ms: 400, retry: quick_retry(1) };
    let http = plan(requests, &[&dead.base, &live.base], limits);
    let (sink, receipts) = fetch(&mut CalendarSource::new(http, runtime()).unwrap());
    assert_eq!(sink.items.len(), 20);
    assert!(receipts.contains(&complete(&live.base, kind(), 20)), "{receipts:?}");
    // Five failures in a row, and one more that was already under way.
    assert!((5..=6).contains(&dead.requests().len()), "{}", dead.requests().len());
    let receipt = receipts.iter().find(|receipt| receipt.source.0 == dead.base).unwrap();
    assert_eq!((receipt.end, receipt.items), (SliceEnd::TimedOut, 0));
    assert!(receipt.reason.ends_with("not asked after repeated failures"), "{}", receipt.reason);
}

#[test]
fn two_requests_are_in_flight_at_one_calendar_and_no_more() {
    // Each answer waits for a second request: with fewer than two in flight this would never end.
    let barrier = Arc::new(Barrier::new(2));
    let server = HttpServer::start(move |_, _| Answer::Together(Arc::clone(&barrier), b"proof".to_vec()));
    let requests = (0..50).map(|byte| (server.base.clone(), vec![byte])).collect();
    let (sink, receipts) = ask(requests, &[&server.base]);
    assert_eq!(sink.items.len(), 50);
    assert_eq!(receipts, [complete(&server.base, kind(), 50)]);
    assert_eq!(server.most_open(), 2);
}

#[test]
fn two_calendars_of_one_host_share_its_patience_and_its_limit() {
    let barrier = Arc::new(Barrier::new(2));
    let server = HttpServer::start(move |_, _| Answer::Together(Arc::clone(&barrier), b"proof".to_vec()));
    let (a, b) = (format!("{}/a", server.base), format!("{}/b", server.base));
    let requests: Vec<_> = (0..20).flat_map(|byte| [(a.clone(), vec![byte]), (b.clone(), vec![byte])]).collect();
    let (sink, receipts) = ask(requests.clone(), &[&a, &b]);
    assert_eq!((sink.items.len(), receipts.len()), (40, 2));
    assert_eq!(server.most_open(), 2);
    let dead = HttpServer::start(|_, _| Answer::status(500, ""));
    let moved = |address: &String| address.replace(&server.base, &dead.base);
    let requests = requests.iter().map(|(address, commitment)| (moved(address), commitment.clone())).collect();
    ask(requests, &[&moved(&a), &moved(&b)]);
    // Five failures in a row in all, and one more that was already under way.
    assert!((5..=6).contains(&dead.requests().len()), "{}", dead.requests().len());
}

#[test]
fn how_each_request_ended_is_noted() {
    let server = HttpServer::start(|request: &Request, _| match request.target.as_str() {
        "/timestamp/01" => Answer::ok("proof"),
        "/timestamp/02" => Answer::status(404, PENDING),
        _ => Answer::status(500, ""),
    });
    let requests = (1..=9).map(|byte| (server.base.clone(), vec![byte])).collect();
    let plan = plan(requests, &[&server.base], patient());
    let log = plan.log.clone();
    fetch(&mut CalendarSource::new(plan, runtime()).unwrap());
    let notes = log.take();
    let count = |answer| notes.iter().filter(|(_, _, noted)| *noted == answer).count();
    let (failed, skipped) = (count(CalendarAnswer::Failed), count(CalendarAnswer::Skipped));
    assert_eq!((count(CalendarAnswer::Replied), count(CalendarAnswer::NotYet), failed + skipped), (1, 1, 7));
    assert!(failed >= 5, "{failed}");
    assert_eq!(notes[0], (SourceId(server.base.clone()), vec![1], CalendarAnswer::Replied));
    assert_eq!(log.take(), []);
}

#[test]
fn the_name_of_the_source_is_stable() {
    let source = CalendarSource::new(CalendarPlan::polite(vec![], vec![]), runtime()).unwrap();
    assert_eq!(source.id().0, "ots:calendars");
}
