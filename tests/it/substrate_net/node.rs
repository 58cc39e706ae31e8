//! Lightning nodes: LND and Core Lightning page by an index that they give each record, and answer as they document.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use reledger::domain::{CompletenessBasis, FetchReceipt, Sign, SliceEnd, SourceId};
use reledger::substrate::{NodeApi, NodePlan, NodeSource, SourceError};
use serde_json::{Value, json};

use super::http_server::{Answer, HttpServer, Request};
use super::{Collected, fetch, patient, runtime};

const MACAROON: [u8; 4] = [0x02, 0x01, 0xff, 0x0a];

fn secret(folder: &tempfile::TempDir, bytes: &[u8], mode: u32) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.path().join("secret");
    std::fs::write(&path, bytes).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn plan(server: &HttpServer, api: NodeApi, secret_file: PathBuf) -> NodePlan {
    NodePlan {
        url: server.base.clone(),
        api,
        secret_file,
        certificate_file: None,
        page_records: Some(3),
        allow_plaintext: false,
        http: patient(),
    }
}

fn read(server: &HttpServer, api: NodeApi) -> (Collected, [FetchReceipt; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let secret_file = secret(&folder, if api == NodeApi::Lnd { &MACAROON } else { b"rune-of-mine=\n" }, 0o600);
    let (sink, receipts) = fetch(&mut NodeSource::new(plan(server, api, secret_file), runtime()).unwrap());
    (sink, receipts.try_into().unwrap())
}

/// The value of a parameter of the query.
fn parameter(request: &Request, name: &str) -> String {
    let query = request.target.split_once('?').unwrap().1;
    let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("{name} in {query}")).to_owned()
}

/// LND as documented: records above the offset, oldest first, 64-bit integers as texts, zeros for an empty page.
fn lnd(request: &Request, invoices: &[u64], payments: &[u64]) -> Answer {
    assert!(request.headers.contains(&"grpc-metadata-macaroon: 0201ff0a".to_owned()), "{:?}", request.headers);
    assert_eq!((request.method.as_str(), parameter(request, "reversed").as_str()), ("GET", "false"));
    let (list, indexes, member, most) = match request.target.split_once('?').unwrap().0 {
        "/v1/invoices" => ("invoices", invoices, "add_index", parameter(request, "num_max_invoices")),
        "/v1/payments" => {
            assert_eq!(parameter(request, "include_incomplete"), "true");
            ("payments", payments, "payment_index", parameter(request, "max_payments"))
        }
        other => panic!("{other}"),
    };
    let offset: u64 = parameter(request, "index_offset").parse().unwrap();
    let page: Vec<u64> = indexes.iter().copied().filter(|index| *index > offset).take(most.parse().unwrap()).collect();
    let records: Vec<Value> = page.iter().map(|index| json!({member: index.to_string(), "list": list})).collect();
    let edge = |index: Option<&u64>| index.copied().unwrap_or(0).to_string();
    Answer::ok(
        json!({list: records, "first_index_offset": edge(page.first()), "last_index_offset": edge(page.last())})
            .to_string(),
    )
}

/// Core Lightning as documented: a POST with a rune, answered with 201; records from an index on.
fn cln(request: &Request, invoices: &[u64], pays: usize) -> Answer {
    assert!(request.headers.contains(&"rune: rune-of-mine=".to_owned()), "{:?}", request.headers);
    let body: Value = serde_json::from_str(&request.body).unwrap();
    let answer = match request.target.as_str() {
        "/v1/listinvoices" => {
            assert_eq!(body["index"], "created");
            let (start, limit) = (body["start"].as_u64().unwrap(), body["limit"].as_u64().unwrap());
            let page = invoices.iter().filter(|index| **index >= start).take(usize::try_from(limit).unwrap());
            json!({"invoices": page.map(|index| json!({"created_index": index})).collect::<Vec<_>>()})
        }
        "/v1/listpays" => {
            assert_eq!(body, json!({}), "a page border would cut a payment of several parts in two");
            json!({"pays": (0..pays).map(|n| json!({"payment_hash": n})).collect::<Vec<_>>()})
        }
        other => panic!("{other}"),
    };
    Answer::Full(201, vec![], answer.to_string().into_bytes())
}

fn whole(receipt: &FetchReceipt, source: &str, kind: &str, items: u64) {
    assert_eq!((&receipt.source, receipt.slice.kind.as_str()), (&SourceId(source.to_owned()), kind));
    let found = (receipt.end, receipt.basis, receipt.items, receipt.misbehaved, receipt.reason.as_str());
    assert_eq!(found, (SliceEnd::Ended, CompletenessBasis::Exhausted, items, 0, ""));
}

#[test]
fn both_lists_of_lnd_come_whole_whatever_their_length_and_holes() {
    for count in [0_u64, 1, 2, 3, 4, 6, 7, 100] {
        let invoices: Vec<u64> = (1..=count).filter(|index| index % 5 != 4).collect();
        let payments: Vec<u64> = (10..10 + 2 * count).step_by(2).collect();
        let (all, paid) = (invoices.clone(), payments.clone());
        let server = HttpServer::start(move |request, _| lnd(request, &all, &paid));
        let (sink, [first, second]) = read(&server, NodeApi::Lnd);
        whole(&first, &server.base, "invoice", u64::try_from(invoices.len()).unwrap());
        whole(&second, &server.base, "payment", count);
        assert_eq!(sink.items.len(), invoices.len() + payments.len(), "each record once");
        let got: BTreeSet<String> = sink.texts();
        let record =
            |index: &u64, member: &str, list: &str| json!({member: index.to_string(), "list": list}).to_string();
        let expected = invoices.iter().map(|index| record(index, "add_index", "invoices"));
        let expected = expected.chain(payments.iter().map(|index| record(index, "payment_index", "payments")));
        assert_eq!(got, expected.collect());
        assert_eq!(first.backing.pages.last().map(|page| page.items), Some(0), "an empty page shows the end");
    }
}

#[test]
fn the_manifest_of_a_list_says_what_each_page_held() {
    let server = HttpServer::start(|request, _| lnd(request, &[1, 2, 3, 5], &[]));
    let (_, [first, second]) = read(&server, NodeApi::Lnd);
    let noted: Vec<(&str, u64, Option<u64>, Option<u64>)> =
        first.backing.pages.iter().map(|page| (page.asked.as_str(), page.items, page.lowest, page.highest)).collect();
    assert_eq!(noted, [("", 3, Some(1), Some(3)), ("3", 1, Some(5), Some(5)), ("5", 0, None, None)]);
    assert_eq!((first.signs, second.signs), (BTreeMap::from([(Sign::Paged, 3)]), BTreeMap::new()));
}

#[test]
fn both_lists_of_core_lightning_come_whole() {
    for count in [0_u64, 1, 3, 4, 9] {
        let server = HttpServer::start(move |request, _| cln(request, &(1..=count).collect::<Vec<_>>(), 5));
        let (sink, [first, second]) = read(&server, NodeApi::CoreLightning);
        whole(&first, &server.base, "invoice", count);
        whole(&second, &server.base, "payment", 5);
        assert_eq!(sink.items.len(), usize::try_from(count).unwrap() + 5);
    }
}

#[test]
fn a_node_that_does_not_go_by_the_position_is_told() {
    let all = |from: u64| {
        let records: Vec<Value> = (from..from + 3).map(|index| json!({"add_index": index.to_string()})).collect();
        Answer::ok(json!({"invoices": records, "payments": []}).to_string())
    };
    let server = HttpServer::start(move |_, _| all(1));
    let (_, [looped, _]) = read(&server, NodeApi::Lnd);
    assert_eq!((looped.basis, looped.signs.get(&Sign::PageLoop)), (CompletenessBasis::None, Some(&1)));
    let server = HttpServer::start(move |_, nth| all(if nth == 0 { 1 } else { 3 }));
    let (_, [back, _]) = read(&server, NodeApi::Lnd);
    assert_eq!((back.basis, back.signs.get(&Sign::PageRegress)), (CompletenessBasis::None, Some(&1)));
}

#[test]
fn a_list_that_breaks_off_leaves_no_claim_and_the_other_list_is_still_read() {
    let server = HttpServer::start(|request, _| {
        let is_second = request.target.contains("/v1/invoices") && !request.target.contains("index_offset=0");
        if is_second { Answer::status(500, "restarting") } else { lnd(request, &[1, 2, 3, 4], &[1, 2]) }
    });
    let (sink, [first, second]) = read(&server, NodeApi::Lnd);
    assert_eq!((first.end, first.basis, first.items), (SliceEnd::Refused, CompletenessBasis::None, 3));
    whole(&second, &server.base, "payment", 2);
    assert_eq!(sink.items.len(), 5, "what came is kept");
}

#[test]
fn an_answer_without_the_list_is_unreadable() {
    for body in
        ["[]", "{}", r#"{"invoices":{},"payments":7}"#, "<html>", r#"{"invoices":[{"add_index":"x"}],"payments":[{}]}"#]
    {
        let server = HttpServer::start(move |_, _| Answer::ok(body));
        let (_, receipts) = read(&server, NodeApi::Lnd);
        for receipt in receipts {
            assert_eq!(
                (receipt.basis, receipt.signs.get(&Sign::PageUnreadable)),
                (CompletenessBasis::None, Some(&1)),
                "{body}"
            );
        }
    }
}

#[test]
fn a_secret_that_others_can_read_is_refused_and_none_is_shown() {
    let server = HttpServer::start(|_, _| Answer::status(401, "no"));
    let folder = tempfile::tempdir().unwrap();
    for api in [NodeApi::Lnd, NodeApi::CoreLightning] {
        let exposed = NodeSource::new(plan(&server, api, secret(&folder, b"s3cret-rune", 0o640)), runtime());
        assert!(matches!(exposed, Err(SourceError::Exposed { .. })));
        let empty = NodeSource::new(plan(&server, api, secret(&folder, b"", 0o600)), runtime());
        assert!(matches!(empty, Err(SourceError::Misconfigured { .. })));
        let source = NodeSource::new(plan(&server, api, secret(&folder, b"s3cret-rune", 0o600)), runtime()).unwrap();
        let shown = format!("{source:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("7333637265742d72756e65"), "{shown}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_certificate_file_without_a_certificate_is_refused() {
    let server = HttpServer::start(|_, _| Answer::status(401, "no"));
    let folder = tempfile::tempdir().unwrap();
    let certificate = folder.path().join("tls.cert");
    std::fs::write(&certificate, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
    let whole = plan(&server, NodeApi::Lnd, secret(&folder, &MACAROON, 0o600));
    let with = |file: &std::path::Path| {
        NodeSource::new(NodePlan { certificate_file: Some(file.to_owned()), ..whole.clone() }, runtime()).map(|_| ())
    };
    assert!(matches!(with(&certificate), Err(SourceError::Misconfigured { what: "no PEM certificate", .. })));
    assert!(matches!(with(&folder.path().join("absent")), Err(SourceError::Io { .. })));
}
