//! Documents that come on several pages: followed to their end on one origin, and every way to lead astray is told.

use std::collections::BTreeMap;

use reledger::domain::{CompletenessBasis, FetchReceipt, Media, Sign, SliceEnd, sha256};
use reledger::substrate::{PaymentLogPlan, PaymentLogSource, RecordsPlan, RecordsSource};

use super::http_server::{Answer, HttpServer};
use super::{Collected, fetch, media, patient, runtime};

/// Reads the pages of a script that is told the target of each request.
fn read(script: impl Fn(&str) -> Answer + Send + Sync + 'static) -> (Collected, FetchReceipt, HttpServer) {
    read_at_most(None, script)
}

fn read_at_most(
    pages_max: Option<usize>,
    script: impl Fn(&str) -> Answer + Send + Sync + 'static,
) -> (Collected, FetchReceipt, HttpServer) {
    let server = HttpServer::start(move |request, _| script(&request.target));
    let url = format!("{}/settlements?limit=2", server.base);
    let plan = RecordsPlan { url, media: Media::Settlement, allow_plaintext: false, pages_max, http: patient() };
    let (sink, receipts) = fetch(&mut RecordsSource::new(plan, runtime()).unwrap());
    let [receipt] = receipts.try_into().unwrap();
    (sink, receipt, server)
}

fn page(numbers: std::ops::Range<u64>, beside: &str) -> String {
    let records: Vec<String> = numbers.map(|number| format!("{{\"n\":{number}}}")).collect();
    format!("{{\"settlements\":[{}]{beside}}}", records.join(","))
}

/// Five records by cursor, two a page.
fn five(target: &str) -> Answer {
    Answer::ok(match target {
        "/settlements?limit=2" => page(0..2, ",\"next_cursor\":\"c 1\""),
        "/settlements?limit=2&cursor=c+1" => page(2..4, ",\"next_cursor\":\"c2\""),
        "/settlements?limit=2&cursor=c2" => page(4..5, ",\"next_cursor\":null"),
        other => return Answer::status(404, other),
    })
}

fn halted(receipt: &FetchReceipt, end: SliceEnd, sign: Sign) {
    assert_eq!((receipt.end, receipt.basis), (end, CompletenessBasis::None), "{receipt:?}");
    assert!(receipt.signs.contains_key(&sign), "{receipt:?}");
    assert!(!receipt.reason.is_empty());
}

#[test]
fn a_log_on_several_pages_comes_whole_with_a_note_of_each() {
    let (sink, receipt, server) = read(five);
    assert_eq!(sink.items.len(), 5);
    assert_eq!((receipt.end, receipt.basis, receipt.items), (SliceEnd::Ended, CompletenessBasis::Exhausted, 5));
    assert_eq!((receipt.signs, receipt.reason.as_str()), (BTreeMap::new(), ""));
    let noted: Vec<(&str, u64, String)> =
        receipt.backing.pages.iter().map(|page| (page.asked.as_str(), page.items, page.sha256.to_string())).collect();
    let digest = |text: String| sha256(text.as_bytes()).to_string();
    assert_eq!(
        noted,
        [
            ("", 2, digest(page(0..2, ",\"next_cursor\":\"c 1\""))),
            ("/settlements?limit=2&cursor=c+1", 2, digest(page(2..4, ",\"next_cursor\":\"c2\""))),
            ("/settlements?limit=2&cursor=c2", 1, digest(page(4..5, ",\"next_cursor\":null"))),
        ]
    );
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn pages_named_by_reference_or_by_link_header_are_followed_too() {
    let (sink, receipt, _) = read(|target| match target {
        "/settlements?limit=2" => Answer::ok(page(0..2, ",\"next\":\"/more?at=2\"")),
        "/more?at=2" => {
            Answer::Full(200, vec!["Link: </more?at=4>; rel=\"next\"".to_owned()], b"{\"n\":2}\n{\"n\":3}\n".to_vec())
        }
        "/more?at=4" => Answer::ok("{\"n\":4}\n"),
        other => Answer::status(404, other),
    });
    assert_eq!((sink.items.len(), receipt.basis), (5, CompletenessBasis::Exhausted));
}

#[test]
fn an_empty_page_that_names_its_own_position_is_the_end() {
    let (sink, receipt, _) = read(|target| match target {
        "/settlements?limit=2" => Answer::ok(page(0..2, ",\"next\":\"2\"")),
        _ => Answer::ok(page(0..0, ",\"next\":\"2\"")),
    });
    assert_eq!((sink.items.len(), receipt.basis, receipt.signs), (2, CompletenessBasis::Exhausted, BTreeMap::new()));
}

#[test]
fn a_cursor_that_leads_back_is_a_loop() {
    let (sink, receipt, server) = read(|target| match target {
        "/settlements?limit=2&cursor=b" => Answer::ok(page(2..4, ",\"next\":\"a\"")),
        "/settlements?limit=2&cursor=a" => Answer::ok(page(4..6, ",\"next\":\"b\"")),
        _ => Answer::ok(page(0..2, ",\"next\":\"b\"")),
    });
    assert_eq!(sink.items.len(), 6, "what came is kept");
    halted(&receipt, SliceEnd::Ended, Sign::PageLoop);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn one_page_under_many_cursors_is_a_loop_after_the_second() {
    let (sink, receipt, server) = read(|_| Answer::ok(page(0..2, ",\"next\":\"x\"")));
    halted(&receipt, SliceEnd::Ended, Sign::PageLoop);
    assert_eq!((sink.items.len(), server.requests().len()), (4, 2));
}

#[test]
fn a_page_on_another_origin_is_not_fetched_and_is_missed() {
    let elsewhere = HttpServer::start(|_, _| Answer::ok(page(2..4, "")));
    let named = format!(",\"next\":\"{}/settlements\"", elsewhere.base);
    let (_, receipt, _) = read(move |_| Answer::ok(page(0..2, &named)));
    halted(&receipt, SliceEnd::Ended, Sign::MorePages);
    assert_eq!(elsewhere.requests().len(), 0);
}

#[test]
fn endless_pages_end_at_the_budget() {
    let (sink, receipt, server) = read_at_most(Some(7), |target| {
        let at: u64 = target.rsplit_once("cursor=").map_or(0, |(_, at)| at.parse().unwrap());
        Answer::ok(page(2 * at..2 * at + 2, &format!(",\"next\":{}", at + 1)))
    });
    halted(&receipt, SliceEnd::BudgetTripped, Sign::MorePages);
    assert_eq!((sink.items.len(), server.requests().len()), (14, 7));
}

#[test]
fn a_page_that_is_gone_redirected_cut_off_or_unreadable_leaves_no_claim() {
    let second = |answer: fn() -> Answer| {
        let (_, receipt, _) = read(move |target| if target.contains("cursor") { answer() } else { five(target) });
        assert_eq!(receipt.basis, CompletenessBasis::None, "{receipt:?}");
        assert_eq!(receipt.signs.get(&Sign::MorePages), Some(&1), "the page that was named did not come");
        receipt
    };
    assert_eq!(second(|| Answer::status(404, "gone")).end, SliceEnd::Refused);
    let elsewhere = || Answer::Full(302, vec!["location: https://evil.example/".to_owned()], Vec::new());
    assert_eq!(second(elsewhere).reason, "redirect refused (HTTP status 302)");
    assert_eq!(second(|| Answer::ok("{\"settlements\":[{\"n\":2},{\"n\"")).reason, "the document ends inside a record");
    let short = || Answer::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"settlements\":[".to_vec());
    assert_eq!(second(short).end, SliceEnd::Unreachable);
}

#[test]
fn a_page_that_counts_otherwise_than_it_holds_is_noticed() {
    let (_, receipt, _) = read(|target| match target {
        "/settlements?limit=2" => Answer::ok(page(0..2, ",\"count\":2,\"next\":1")),
        _ => Answer::ok(page(2..4, ",\"count\":3")),
    });
    assert_eq!(receipt.signs, BTreeMap::from([(Sign::CountDiffers, 1)]));
    let (_, receipt, _) = read(|target| match target {
        "/settlements?limit=2" => Answer::ok(page(0..2, ",\"count\":2,\"next\":1")),
        _ => Answer::ok(page(2..4, ",\"count\":2")),
    });
    assert_eq!(receipt.signs, BTreeMap::new());
}

#[test]
fn what_stands_beside_the_records_may_not_hide_a_page_by_its_size() {
    let (_, receipt, _) =
        read(|_| Answer::ok(page(0..2, &format!(",\"note\":\"{}\",\"next\":\"c\"", "x".repeat(5_000)))));
    halted(&receipt, SliceEnd::Ended, Sign::MorePages);
    let (_, receipt, _) = read(|_| Answer::ok(page(0..2, &format!(",\"note\":\"{}\"", "x".repeat(3_000)))));
    assert_eq!(receipt.basis, CompletenessBasis::Exhausted);
}

#[test]
fn a_compressed_answer_that_nobody_asked_for_is_never_expanded() {
    // 16 MiB of zeros in 16 KiB: what is not asked for (no Accept-Encoding) stays bytes.
    let bomb = {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![b'0'; 16 << 20]).unwrap();
        encoder.finish().unwrap()
    };
    let length = bomb.len();
    let (sink, _, server) = read(move |_| Answer::Full(200, vec!["content-encoding: gzip".to_owned()], bomb.clone()));
    assert!(sink.items.iter().map(|item| item.evidence.bytes.len()).sum::<usize>() <= length);
    assert!(!server.requests()[0].headers.iter().any(|header| header.starts_with("accept-encoding")));
}

#[test]
fn a_refusal_of_the_log_that_quotes_a_note_is_redacted() {
    let server = HttpServer::start(|_, _| Answer::status(400, "bad entry {\"oob_notes\":\"SPEND-ME-AAAA\"}"));
    let folder = tempfile::tempdir().unwrap();
    let plan = PaymentLogPlan {
        url: server.base.clone(),
        federation_id: "c5".to_owned(),
        password_file: super::gateway::password_file(&folder, 0o600),
        page_entries: None,
        allow_plaintext: false,
        http: patient(),
    };
    let (_, receipts) = fetch(&mut PaymentLogSource::new(plan, runtime()).unwrap());
    let [receipt] = receipts.try_into().unwrap();
    assert_eq!(receipt.slice.kind, media(Media::PaymentLogEntry));
    assert!(receipt.reason.contains("HTTP status 400") && !receipt.reason.contains("SPEND-ME"), "{}", receipt.reason);
}
