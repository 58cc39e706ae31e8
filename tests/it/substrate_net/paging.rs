//! Generated answers on pages, each with one fault of its server or none: what was served is captured, and nothing that is
//! not whole is called so. `RELEDGER_PAGES_CASES=n` makes the campaign longer.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use reledger::domain::{CompletenessBasis, FetchReceipt, Media};
use reledger::substrate::{
    EvidenceSource, NodeApi, NodePlan, NodeSource, PaymentLogPlan, PaymentLogSource, RecordsPlan, RecordsSource,
};
use serde_json::{Value, json};

use super::gateway::password_file;
use super::http_server::{Answer, HttpServer, Request};
use super::{fetch, quick_retry, runtime};
use crate::support::Lcg;

/// What is wrong with one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Loop,
    Cut,
    Count,
    Gone,
    Moved,
    Elsewhere,
    Unreadable,
    Endless,
    Dropped,
}

const FAULTS: [Fault; 10] = [
    Fault::None,
    Fault::Loop,
    Fault::Cut,
    Fault::Count,
    Fault::Gone,
    Fault::Moved,
    Fault::Elsewhere,
    Fault::Unreadable,
    Fault::Endless,
    Fault::Dropped,
];

fn cases() -> usize {
    #[expect(clippy::disallowed_methods, reason = "the length of a test campaign")]
    let wanted = std::env::var("RELEDGER_PAGES_CASES").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(60)
}

fn http() -> reledger::substrate::HttpLimits {
    reledger::substrate::HttpLimits { connect_ms: 5_000, total_ms: 20_000, retry: quick_retry(1) }
}

/// The answer of a server with that fault in place of a page, when the fault is one of every kind of answer.
fn broken(fault: Fault, page: &str) -> Option<Answer> {
    Some(match fault {
        Fault::Cut => Answer::Raw(
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}", page.len(), &page[..page.len() / 2])
                .into_bytes(),
        ),
        Fault::Gone => Answer::status(404, "gone"),
        Fault::Moved => Answer::Full(302, vec!["location: http://127.0.0.1:9/".to_owned()], Vec::new()),
        Fault::Dropped => Answer::Raw(Vec::new()),
        Fault::Unreadable => Answer::ok("<html>busy</html>"),
        _ => return None,
    })
}

/// True when the receipt makes no claim, or says what is wrong.
fn tells(receipt: &FetchReceipt) -> bool {
    receipt.basis == CompletenessBasis::None || receipt.signs.keys().any(|sign| sign.is_paging_fault())
}

/// A document of so many pages, of which one is at fault; returns the records that were served whole.
fn document(rng: &mut Lcg, fault: Fault) -> (BTreeSet<String>, BTreeSet<String>, FetchReceipt, String) {
    let (pages, size) = (1 + rng.below(5), 1 + rng.below(4));
    let faulty = rng.below(pages);
    let style = rng.below(4);
    let target = rng.below(faulty + 1);
    let served = Arc::new(Mutex::new(BTreeSet::new()));
    let told = Arc::clone(&served);
    let server = HttpServer::start(move |request: &Request, _| {
        let at: usize = request.target.rsplit_once("cursor=").map_or(0, |(_, at)| at.parse().unwrap());
        let records: Vec<String> = (0..size).map(|nth| json!({"n": at * size + nth}).to_string()).collect();
        let is_faulty = at == faulty;
        let next = match fault {
            Fault::Loop if is_faulty => Some(target),
            Fault::Endless => Some(at + 1),
            _ => Some(at + 1).filter(|next| *next < pages),
        };
        let count = if is_faulty && fault == Fault::Count { size + 1 } else { size };
        let named = match next {
            _ if is_faulty && fault == Fault::Elsewhere => json!("http://127.0.0.2:9/s?cursor=7"),
            None => Value::Null,
            Some(next) if style == 1 => json!(format!("/s?cursor={next}")),
            Some(next) if style == 2 => json!(next),
            Some(next) => json!(next.to_string()),
        };
        let member = if style == 3 { "next_cursor" } else { "next" };
        let page = format!("{{\"count\":{count},\"settlements\":[{}],\"{member}\":{named}}}", records.join(","));
        if let Some(answer) = broken(fault, &page).filter(|_| is_faulty) {
            return answer;
        }
        told.lock().unwrap().extend(records);
        Answer::ok(page)
    });
    let plan = RecordsPlan {
        url: format!("{}/s", server.base),
        media: Media::Settlement,
        allow_plaintext: false,
        pages_max: Some(12),
        http: http(),
    };
    let (sink, receipts) = fetch(&mut RecordsSource::new(plan, runtime()).unwrap());
    let [receipt] = receipts.try_into().unwrap();
    let shown = format!("{pages} pages of {size}, page {faulty} {fault:?}, style {style}, to {target}: {receipt:?}");
    // What came of a page that broke off is kept as well.
    let got =
        sink.items.into_iter().map(|item| String::from_utf8(item.evidence.into_evidence().bytes).unwrap()).collect();
    let served = served.lock().unwrap().clone();
    (served, got, receipt, shown)
}

#[test]
fn a_document_on_pages_is_whole_or_says_that_it_is_not() {
    let mut rng = Lcg(7);
    for case in 0..cases() {
        let fault = FAULTS[case % FAULTS.len()];
        let (served, got, receipt, shown) = document(&mut rng, fault);
        assert!(got.is_superset(&served), "{shown}");
        if fault == Fault::None {
            assert_eq!((got, receipt.basis), (served, CompletenessBasis::Exhausted), "{shown}");
            assert!(!tells(&receipt), "{shown}");
        } else if fault != Fault::Unreadable {
            assert!(tells(&receipt), "{shown}");
        } else {
            // A page in another format is one unreadable record, which its decoder tells.
            assert!(got.contains("<html>busy</html>"), "{shown}");
        }
    }
}

/// A source whose answers are arrays, asked by position; `page` gives the ids of the page asked for.
fn by_position(
    source: &mut dyn EvidenceSource,
    server: &HttpServer,
    fault: Fault,
    served: &Arc<Mutex<BTreeSet<u64>>>,
    whole: &BTreeSet<u64>,
    shown: &str,
) {
    let (sink, receipts) = fetch(source);
    let id = |text: &str| {
        let value: Value = serde_json::from_str(text).unwrap();
        value["id"].as_u64().or_else(|| value["add_index"].as_str()?.parse().ok()).unwrap()
    };
    let got: BTreeSet<u64> =
        sink.items.iter().map(|item| id(std::str::from_utf8(&item.evidence.bytes).unwrap())).collect();
    let shown = format!("{shown} {fault:?}: {:?}, {} requests", receipts[0], server.requests().len());
    assert!(got.is_superset(&served.lock().unwrap()), "{shown}");
    if fault == Fault::None || receipts[0].basis > CompletenessBasis::None {
        assert_eq!(&got, whole, "{shown}");
        assert!(!tells(&receipts[0]), "{shown}");
    }
    if fault == Fault::None {
        assert_eq!(receipts[0].basis, CompletenessBasis::Exhausted, "{shown}");
    }
}

#[test]
fn a_payment_log_is_whole_or_says_that_it_is_not() {
    let mut rng = Lcg(8);
    let folder = tempfile::tempdir().unwrap();
    for case in 0..cases() {
        let fault = FAULTS[case % FAULTS.len()];
        let tip = [9_990, 10_010, 20_005, 31_000][rng.below(4)];
        let step = 200 + rng.below(900);
        let ids: BTreeSet<u64> = (rng.below(50) as u64..tip).step_by(step).collect();
        let (size, faulty) = (2 + rng.below(40), rng.below(8));
        let served = Arc::new(Mutex::new(BTreeSet::new()));
        let (told, all) = (Arc::clone(&served), ids.clone());
        let server = HttpServer::start(move |request: &Request, nth| {
            let body: Value = serde_json::from_str(&request.body).unwrap();
            let log: Vec<(u64, Value)> = all.iter().map(|id| (*id, json!({"id": id}))).collect();
            let end = body["end_position"].as_u64();
            let mut page = super::gateway::page(&log, tip, end, size);
            match fault {
                // Always the newest page; always what was asked for.
                Fault::Endless if nth >= faulty => page = super::gateway::page(&log, tip, None, size),
                Fault::Loop if nth >= faulty && end.is_some_and(|end| end >= 10_000) => page = vec![json!({"id": end})],
                _ => {}
            }
            let text = Value::Array(page.clone()).to_string();
            if let Some(answer) = broken(fault, &text).filter(|_| nth == faulty) {
                return answer;
            }
            told.lock().unwrap().extend(page.iter().map(|entry| entry["id"].as_u64().unwrap()));
            Answer::ok(text)
        });
        let plan = PaymentLogPlan {
            url: server.base.clone(),
            federation_id: "c5".to_owned(),
            password_file: password_file(&folder, 0o600),
            page_entries: Some(u32::try_from(size).unwrap()),
            allow_plaintext: false,
            http: http(),
        };

        let shown = format!("tip {tip}, every {step}, pages of {size}, request {faulty}");
        by_position(&mut PaymentLogSource::new(plan, runtime()).unwrap(), &server, fault, &served, &ids, &shown);
    }
}

#[test]
fn a_nodes_list_is_whole_or_says_that_it_is_not() {
    let mut rng = Lcg(9);
    let folder = tempfile::tempdir().unwrap();
    for case in 0..cases() {
        let fault = FAULTS[case % FAULTS.len()];
        let count = rng.below(60) as u64;
        let (hole, size, faulty) = (rng.below(30) as u64, 1 + rng.below(12), rng.below(6));
        let ids: BTreeSet<u64> = (1..=count).filter(|index| *index != hole).collect();
        let served = Arc::new(Mutex::new(BTreeSet::new()));
        let (told, all) = (Arc::clone(&served), ids.clone());
        let server = HttpServer::start(move |request: &Request, nth| {
            if request.target.starts_with("/v1/payments") {
                return Answer::ok(r#"{"payments":[]}"#);
            }
            let (_, offset) = request.target.split_once("index_offset=").unwrap();
            let mut offset: u64 = offset.split('&').next().unwrap().parse().unwrap();
            if nth >= faulty && matches!(fault, Fault::Loop | Fault::Endless) {
                offset = 0;
            }
            let page: Vec<u64> = all.iter().copied().filter(|index| *index > offset).take(size).collect();
            let records: Vec<Value> = page.iter().map(|index| json!({"add_index": index.to_string()})).collect();
            let text = json!({"invoices": records}).to_string();
            if let Some(answer) = broken(fault, &text).filter(|_| nth == faulty) {
                return answer;
            }
            told.lock().unwrap().extend(page);
            Answer::ok(text)
        });
        let plan = NodePlan {
            url: server.base.clone(),
            api: NodeApi::Lnd,
            secret_file: password_file(&folder, 0o600),
            certificate_file: None,
            page_records: Some(u32::try_from(size).unwrap()),
            allow_plaintext: false,
            http: http(),
        };
        let shown = format!("{count} records without {hole}, pages of {size}, request {faulty}");
        by_position(&mut NodeSource::new(plan, runtime()).unwrap(), &server, fault, &served, &ids, &shown);
    }
}
