//! The gateway: records in every container, and a payment log that hides its oldest block.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use reledger::domain::{Backing, CompletenessBasis, FetchReceipt, Media, Sign, SliceEnd};
use reledger::substrate::{
    EvidenceSource as _, PaymentLogPlan, PaymentLogSource, RecordsPlan, RecordsSource, SourceError,
};
use serde_json::{Value, json};

use super::http_server::{Answer, HttpServer, Request};
use super::{Collected, broken, complete, fetch, media, patient, runtime};

const FEDERATION: &str = "c5187e9de5c517c181ebc6107cf8eb184f11a904f55b33f0c44a857e2d2daf1b";

fn records(server: &HttpServer, kind: Media) -> (Collected, FetchReceipt, String) {
    let url = format!("{}/records", server.base);
    let plan = RecordsPlan { url: url.clone(), media: kind, allow_plaintext: false, pages_max: None, http: patient() };
    let (sink, receipts) = fetch(&mut RecordsSource::new(plan, runtime()).unwrap());
    let [receipt] = receipts.try_into().unwrap();
    (sink, bare(receipt), url)
}

/// The receipt without its manifest, which `pages.rs` is about.
pub(super) fn bare(receipt: FetchReceipt) -> FetchReceipt {
    FetchReceipt { backing: Backing::default(), ..receipt }
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn settlements_come_out_of_every_container() {
    let (one, two) = (r#"{"event":{"n":1},"sig":"a\u0041"}"#, r#"{"event": {"n":2},"sig":"b"}"#);
    for document in [
        format!("{one}\n{two}\n"),
        format!("{one}\n{two}"),
        format!("[{one}, {two}]"),
        format!("{{\"settlements\":[{one},{two}]}}"),
    ] {
        let body = document.clone();
        let server = HttpServer::start(move |_, _| Answer::ok(body.clone()));
        let (sink, receipt, url) = records(&server, Media::Settlement);
        assert_eq!(sink.texts(), set(&[one, two]), "{document}");
        assert_eq!(receipt, complete(&url, media(Media::Settlement), 2));
        for item in &sink.items {
            let at = usize::try_from(item.offset).unwrap();
            assert_eq!(&document.as_bytes()[at..at + item.evidence.bytes.len()], item.evidence.bytes);
        }
    }
}

#[test]
fn invoices_come_out_of_their_wrapper() {
    let server =
        HttpServer::start(|_, _| Answer::ok(r#"{"invoices":[{"r_hash":"1"},{"r_hash":"2"}],"last_index":"2"}"#));
    let (sink, receipt, url) = records(&server, Media::Invoice);
    assert_eq!(sink.texts(), set(&[r#"{"r_hash":"1"}"#, r#"{"r_hash":"2"}"#]));
    assert_eq!(receipt, complete(&url, media(Media::Invoice), 2));
}

#[test]
fn balances_and_activities_come_out_of_theirs() {
    for (kind, body) in [(Media::Balance, r#"{"balances":[{"user":"a"}]}"#), (Media::Activity, "{\"user\":\"a\"}\n")] {
        let server = HttpServer::start(move |_, _| Answer::ok(body));
        let (sink, receipt, url) = records(&server, kind);
        assert_eq!(sink.texts(), set(&[r#"{"user":"a"}"#]));
        assert_eq!(receipt, complete(&url, media(kind), 1));
    }
}

#[test]
fn a_document_that_ends_inside_a_record_has_no_basis() {
    let server = HttpServer::start(|_, _| Answer::ok(r#"[{"n":1},{"n":"#));
    let (sink, receipt, url) = records(&server, Media::Settlement);
    assert_eq!(sink.texts(), set(&[r#"{"n":1}"#, r#"{"n":"#]), "the beginning is kept for the decoder");
    let expected = broken(&url, media(Media::Settlement), SliceEnd::Ended, 2, "the document ends inside a record");
    assert_eq!(receipt, FetchReceipt { misbehaved: 1, ..expected });
}

#[test]
fn a_document_cut_off_by_the_connection_has_no_basis() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
    let server = HttpServer::start(move |_, _| Answer::Raw(format!("{head}{{\"n\":1}}\n{{\"n\":2}}\n").into_bytes()));
    let (sink, receipt, url) = records(&server, Media::Settlement);
    assert_eq!(sink.texts(), set(&[r#"{"n":1}"#, r#"{"n":2}"#]));
    let expected = broken(&url, media(Media::Settlement), SliceEnd::Unreachable, 2, "the answer was cut off");
    assert_eq!(receipt, FetchReceipt { retries: 2, ..expected });
}

#[test]
fn lines_whose_end_nothing_marks_are_no_evidence_of_completeness() {
    let server = HttpServer::start(|_, _| Answer::Raw(b"HTTP/1.1 200 OK\r\n\r\n{\"n\":1}\n".to_vec()));
    let (_, receipt, url) = records(&server, Media::Settlement);
    let expected = FetchReceipt {
        basis: CompletenessBasis::Heuristic,
        reason: "only the end of the connection marks the end of the document".to_owned(),
        ..complete(&url, media(Media::Settlement), 1)
    };
    assert_eq!(receipt, expected);
}

#[test]
fn a_second_attempt_replaces_the_count_of_the_first() {
    let server = HttpServer::start(|_, nth| match nth {
        0 => Answer::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"n\":1}\n{\"n\":2}\n{\"n\"".to_vec()),
        _ => Answer::ok("{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n"),
    });
    let (sink, receipt, url) = records(&server, Media::Settlement);
    assert_eq!(sink.texts(), set(&[r#"{"n":1}"#, r#"{"n":2}"#, r#"{"n":3}"#]));
    assert_eq!(receipt, FetchReceipt { retries: 1, ..complete(&url, media(Media::Settlement), 3) });
}

/// A file that only its owner can read.
pub(super) fn password_file(folder: &tempfile::TempDir, mode: u32) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.path().join("password");
    std::fs::write(&path, "hunter2\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

/// gatewayd's paging as published: blocks of 10,000 ids read backwards; the position is exclusive from 10,000 on and
/// inclusive below; reading stops before the block that would begin at 0 (TREASURY 0.1).
pub(super) fn page(log: &[(u64, Value)], tip: u64, end_position: Option<u64>, size: usize) -> Vec<Value> {
    let mut found = Vec::new();
    let mut take = |low: u64, high: u64| {
        let from = log.partition_point(|(id, _)| *id < low);
        let to = log.partition_point(|(id, _)| *id < high);
        found.extend(log[from..to].iter().rev().map(|(_, entry)| entry.clone()));
    };
    let mut high = end_position.unwrap_or(tip);
    if high < 10_000 {
        take(0, high + 1);
    }
    while high > 10_000 {
        take(high - 10_000, high);
        high -= 10_000;
    }
    found.truncate(size);
    found
}

struct Gateway {
    server: HttpServer,
    folder: tempfile::TempDir,
}

impl Gateway {
    fn start(log: Vec<(u64, Value)>, tip: u64) -> Self {
        let server = HttpServer::start(move |request: &Request, _| {
            if !request.headers.contains(&"authorization: Bearer hunter2".to_owned()) {
                return Answer::status(401, "Unauthorized");
            }
            let body: Value = serde_json::from_str(&request.body).unwrap();
            assert_eq!((request.method.as_str(), body["federation_id"].as_str()), ("POST", Some(FEDERATION)));
            assert!(!body["event_kinds"].as_array().unwrap().is_empty(), "an empty list would mean eleven kinds");
            let size = usize::try_from(body["pagination_size"].as_u64().unwrap()).unwrap();
            let entries = page(&log, tip, body["end_position"].as_u64(), size);
            Answer::ok(Value::Array(entries).to_string())
        });
        Self { server, folder: tempfile::tempdir().unwrap() }
    }

    fn plan(&self, page_entries: u32) -> PaymentLogPlan {
        PaymentLogPlan {
            url: self.server.base.clone(),
            federation_id: FEDERATION.to_owned(),
            password_file: password_file(&self.folder, 0o600),
            page_entries: Some(page_entries),
            allow_plaintext: false,
            http: patient(),
        }
    }

    fn read(&self, page_entries: u32) -> (Collected, Vec<FetchReceipt>) {
        let (sink, receipts) = fetch(&mut PaymentLogSource::new(self.plan(page_entries), runtime()).unwrap());
        (sink, receipts.into_iter().map(bare).collect())
    }
}

fn entry(id: u64) -> Value {
    json!({"id": id, "kind": "tx-accepted", "module": null, "ts_usecs": 1_779_408_003_234_567_u64 + id, "payload": {}})
}

fn log(ids: impl IntoIterator<Item = u64>) -> Vec<(u64, Value)> {
    ids.into_iter().map(|id| (id, entry(id))).collect()
}

fn entries(log: &[(u64, Value)]) -> BTreeSet<String> {
    log.iter().map(|(_, entry)| entry.to_string()).collect()
}

#[test]
fn a_log_that_lies_wholly_in_the_hidden_block_is_read() {
    let stored = log(0..10_000);
    assert_eq!(page(&stored, 20_000, None, 50_000).len(), 0, "one request alone sees nothing of it");
    let gateway = Gateway::start(stored.clone(), 20_000);
    for size in [700, 10_000] {
        let (sink, receipts) = gateway.read(size);
        assert_eq!(sink.texts(), entries(&stored));
        assert_eq!(sink.items.len(), stored.len());
        assert_eq!(receipts, [complete(&gateway.server.base, media(Media::PaymentLogEntry), 10_000)]);
        assert!(sink.items.iter().all(|item| item.evidence.about == FEDERATION));
    }
}

#[test]
fn no_log_loses_an_entry_at_any_page_size() {
    for tip in [0, 1, 9_999, 10_000, 10_001, 25_000, 30_000] {
        for step in [11, 997] {
            let stored = log((0..tip).step_by(step));
            let gateway = Gateway::start(stored.clone(), tip);
            for size in [100, 20_000] {
                let (sink, receipts) = gateway.read(size);
                let count = u64::try_from(stored.len()).unwrap();
                assert_eq!(sink.texts(), entries(&stored), "tip {tip}, every {step}, pages of {size}");
                assert_eq!(receipts, [complete(&gateway.server.base, media(Media::PaymentLogEntry), count)]);
            }
        }
    }
}

#[test]
fn the_smallest_pages_end_too() {
    let stored = log((0..40).map(|n| n * 500));
    let gateway = Gateway::start(stored.clone(), 20_001);
    let (sink, receipts) = gateway.read(0);
    assert_eq!(sink.texts(), entries(&stored));
    assert_eq!(receipts, [complete(&gateway.server.base, media(Media::PaymentLogEntry), 40)]);
}

#[test]
fn all_three_wire_shapes_are_read() {
    let stored = vec![
        (1, json!([1, "tx-created", null, 5, {}])),
        (2, json!({"event_id": 2, "event_kind": "tx-created", "module": null, "timestamp": 5, "value": {}})),
        (3, entry(3)),
    ];
    let gateway = Gateway::start(stored.clone(), 4);
    let (sink, receipts) = gateway.read(2);
    assert_eq!(sink.texts(), entries(&stored));
    assert_eq!(receipts, [complete(&gateway.server.base, media(Media::PaymentLogEntry), 3)]);
}

#[test]
fn bearer_notes_never_reach_the_sink() {
    let secret = json!({"id": 5, "kind": "payment-send", "module": {"kind": "mint", "id": 1}, "ts_usecs": 1,
        "payload": {"operation_id": "ab", "amount": 7, "oob_notes": "SPEND-ME"}});
    let gateway = Gateway::start(vec![(5, secret)], 6);
    let (sink, _) = gateway.read(100);
    let texts: Vec<String> = sink.texts().into_iter().collect();
    assert_eq!(texts.len(), 1);
    assert!(texts[0].contains("oob_notes") && !texts[0].contains("SPEND-ME"), "{}", texts[0]);
}

#[test]
fn an_entry_without_an_id_is_kept_and_counted() {
    let gateway = Gateway::start(vec![(1, entry(1)), (2, json!({"kind": "odd"}))], 10);
    let (sink, receipts) = gateway.read(100);
    assert_eq!(sink.texts(), BTreeSet::from([entry(1).to_string(), json!({"kind": "odd"}).to_string()]));
    assert_eq!(receipts[0].misbehaved, receipts[0].items - 1, "once per page that holds it");
}

#[test]
fn a_wrong_password_is_a_refusal_and_is_not_shown() {
    let gateway = Gateway::start(log(0..5), 5);
    std::fs::write(gateway.plan(10).password_file, "letmein").unwrap();
    let plan = PaymentLogPlan { password_file: gateway.folder.path().join("password"), ..gateway.plan(10) };
    std::fs::write(&plan.password_file, "letmein").unwrap();
    let mut source = PaymentLogSource::new(plan, runtime()).unwrap();
    assert!(!format!("{source:?}").contains("letmein"));
    let (_, receipts) = fetch(&mut source);
    let reason = "HTTP status 401: Unauthorized";
    let kind = media(Media::PaymentLogEntry);
    assert_eq!(receipts, [broken(&gateway.server.base, kind, SliceEnd::Refused, 0, reason)]);
}

#[test]
fn an_answer_that_is_no_list_has_no_basis() {
    let server = HttpServer::start(|_, _| Answer::ok(r#"{"error":"x"}"#));
    let gateway = Gateway { server, folder: tempfile::tempdir().unwrap() };
    let (_, receipts) = gateway.read(10);
    let reason = "the answer is not a list of entries";
    let expected = broken(&gateway.server.base, media(Media::PaymentLogEntry), SliceEnd::Ended, 0, reason);
    let signs = BTreeMap::from([(Sign::PageUnreadable, 1)]);
    assert_eq!(receipts, [FetchReceipt { misbehaved: 1, signs, ..expected }]);
}

/// A gateway that answers from a script; returns its receipt.
fn paged(script: impl Fn(Option<u64>) -> Vec<Value> + Send + Sync + 'static) -> (Collected, FetchReceipt) {
    let server = HttpServer::start(move |request: &Request, _| {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        Answer::ok(Value::Array(script(body["end_position"].as_u64())).to_string())
    });
    let gateway = Gateway { server, folder: tempfile::tempdir().unwrap() };
    let (sink, receipts) = gateway.read(10);
    let [receipt] = receipts.try_into().unwrap();
    (sink, receipt)
}

#[test]
fn a_gateway_that_goes_back_above_the_position_has_no_basis() {
    let page = |from: u64| (from..from + 10).rev().map(entry).collect::<Vec<_>>();
    let (sink, receipt) = paged(move |_| page(20_000));
    assert_eq!(sink.items.len(), 10, "what came is kept");
    assert_eq!((receipt.end, receipt.basis), (SliceEnd::Ended, CompletenessBasis::None));
    assert_eq!(receipt.signs, BTreeMap::from([(Sign::PageRegress, 1)]));
}

#[test]
fn a_gateway_whose_position_does_not_move_has_no_basis_and_an_inclusive_one_in_the_oldest_block_has() {
    let stuck = |at: u64| {
        paged(move |end| match end {
            None => vec![entry(at)],
            // Only what the position itself names comes back.
            Some(end) if end >= at => vec![entry(at)],
            Some(_) => Vec::new(),
        })
    };
    let (_, receipt) = stuck(10_000);
    assert_eq!((receipt.basis, receipt.signs), (CompletenessBasis::None, BTreeMap::from([(Sign::PageLoop, 1)])));
    let (_, receipt) = stuck(9_999);
    assert_eq!((receipt.basis, receipt.signs), (CompletenessBasis::Exhausted, BTreeMap::new()));
}

#[test]
fn a_document_that_counts_otherwise_than_it_holds_is_noticed() {
    for (count, signs) in [(2, BTreeMap::new()), (3, BTreeMap::from([(Sign::CountDiffers, 1)]))] {
        let body = format!(r#"{{"count":{count},"invoices":[{{"r_hash":"1"}},{{"r_hash":"2"}}]}}"#);
        let server = HttpServer::start(move |_, _| Answer::ok(body.clone()));
        let (_, receipt, url) = records(&server, Media::Invoice);
        assert_eq!(receipt, FetchReceipt { signs, ..complete(&url, media(Media::Invoice), 2) });
    }
}

#[test]
fn both_ways_to_name_the_route_reach_it() {
    let gateway = Gateway::start(vec![], 0);
    for suffix in ["", "/", "/v1", "/v1/payment_log", "/payment_log"] {
        let plan = PaymentLogPlan { url: format!("{}{suffix}", gateway.server.base), ..gateway.plan(10) };
        fetch(&mut PaymentLogSource::new(plan, runtime()).unwrap());
    }
    let targets: BTreeSet<String> = gateway.server.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, set(&["/payment_log", "/v1/payment_log"]));
}

#[test]
fn a_password_that_others_can_read_is_refused() {
    let gateway = Gateway::start(vec![], 0);
    let plan = gateway.plan(10);
    for mode in [0o640, 0o604, 0o660, 0o644, 0o610] {
        password_file(&gateway.folder, mode);
        let refused = PaymentLogSource::new(plan.clone(), runtime());
        assert!(matches!(refused, Err(SourceError::Exposed { .. })), "{mode:o}");
    }
    for mode in [0o600, 0o400] {
        password_file(&gateway.folder, mode);
        assert_eq!(PaymentLogSource::new(plan.clone(), runtime()).unwrap().id().0, gateway.server.base);
        std::fs::remove_file(&plan.password_file).unwrap();
    }
    assert!(matches!(PaymentLogSource::new(plan, runtime()), Err(SourceError::Io { .. })));
    assert_eq!(gateway.server.requests().len(), 0);
}
