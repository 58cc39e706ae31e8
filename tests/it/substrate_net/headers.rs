//! Headers over REST and Esplora, from the fixtures' real blocks.

use std::collections::BTreeSet;
use std::path::Path;

use reledger::domain::{BlockHeight, FetchReceipt, Media, SliceEnd, sha256};
use reledger::substrate::{HeadersPlan, HeadersSource, SourceError};

use super::http_server::{Answer, HttpServer, Request};
use super::{Collected, broken, complete, fetch, media, patient, runtime};

fn kind() -> &'static str {
    media(Media::Headers)
}

/// Headers asked for by name have coverage of their own: they say nothing about the chain as a whole.
const BY_HEIGHT: &str = "bitcoin-headers-by-height";

/// The first 2,016 headers and, to have more than one page, the two epochs that the fixtures hold beside it. They are
/// not consecutive; nothing in this room looks.
pub(super) fn chain() -> Vec<[u8; 80]> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/ots/headers");
    ["epoch_0.headers", "epoch_20.headers", "epoch_21.headers"]
        .iter()
        .flat_map(|name| std::fs::read(folder.join(name)).unwrap())
        .collect::<Vec<u8>>()
        .chunks_exact(80)
        .map(|header| header.try_into().unwrap())
        .collect()
}

pub(super) fn hash(header: &[u8]) -> String {
    let digest = sha256(sha256(header).as_bytes());
    let reversed: Vec<u8> = digest.as_bytes().iter().rev().copied().collect();
    faster_hex::hex_string(&reversed)
}

fn position(chain: &[[u8; 80]], wanted: &str) -> Option<usize> {
    chain.iter().position(|header| hash(header) == wanted)
}

/// A node with `-rest`; before version 24 the count stood in the path.
pub(super) fn node(chain: Vec<[u8; 80]>, modern: bool) -> HttpServer {
    HttpServer::start(move |request: &Request, _| {
        let not_found = || Answer::status(404, "Block height out of range");
        if let Some(height) = request.target.strip_prefix("/rest/blockhashbyheight/") {
            let height: usize = height.strip_suffix(".hex").unwrap().parse().unwrap();
            return chain.get(height).map_or_else(not_found, |header| Answer::ok(format!("{}\n", hash(header))));
        }
        let rest = request.target.strip_prefix("/rest/headers/").unwrap();
        let (name, count) = match rest.split_once("?count=") {
            Some((name, count)) if modern => (name, count),
            Some(_) => return Answer::status(400, "No header count specified"),
            None => rest.split_once('/').map(|(count, name)| (name, count)).unwrap(),
        };
        let count: usize = count.parse().unwrap();
        assert!((1..=2_000).contains(&count));
        let start = position(&chain, name.strip_suffix(".bin").unwrap()).unwrap();
        Answer::ok(chain[start..].iter().take(count).flatten().copied().collect::<Vec<u8>>())
    })
}

fn esplora(chain: Vec<[u8; 80]>) -> HttpServer {
    HttpServer::start(move |request: &Request, _| {
        if request.target == "/api/blocks/tip/height" {
            return Answer::ok((chain.len() - 1).to_string());
        }
        if let Some(height) = request.target.strip_prefix("/api/block-height/") {
            let header = chain.get(height.parse::<usize>().unwrap());
            return header.map_or_else(|| Answer::status(404, "Block not found"), |header| Answer::ok(hash(header)));
        }
        let wanted = request.target.strip_prefix("/api/block/").and_then(|rest| rest.strip_suffix("/header")).unwrap();
        let header = chain[position(&chain, wanted).unwrap()];
        Answer::ok(faster_hex::hex_string(&header))
    })
}

fn plan(rest: Option<&str>, esplora: Option<&str>) -> HeadersPlan {
    HeadersPlan {
        rest: rest.map(str::to_owned),
        esplora: esplora.map(str::to_owned),
        from: BlockHeight(0),
        heights: None,
        allow_plaintext: false,
        http: patient(),
    }
}

fn get(plan: HeadersPlan) -> (Collected, Vec<FetchReceipt>) {
    fetch(&mut HeadersSource::new(plan, runtime()).unwrap())
}

/// Every height with its header, as the evidence says.
fn heights(sink: &Collected) -> Vec<(u32, [u8; 80])> {
    let mut found = Vec::new();
    for item in &sink.items {
        assert_eq!(item.evidence.media, Media::Headers);
        assert!(item.evidence.bytes.len() <= 2_016 * 80);
        let start: u32 = item.evidence.about.parse().unwrap();
        let headers = item.evidence.bytes.chunks_exact(80);
        found.extend(headers.zip(start..).map(|(header, height)| (height, header.try_into().unwrap())));
    }
    found
}

fn expected(chain: &[[u8; 80]], wanted: impl IntoIterator<Item = u32>) -> Vec<(u32, [u8; 80])> {
    wanted.into_iter().map(|height| (height, chain[usize::try_from(height).unwrap()])).collect()
}

#[test]
fn a_node_gives_the_whole_chain_from_the_checkpoint() {
    let chain = chain();
    for (length, from) in [(2_016, 0), (5_000, 1_000), (4_000, 0), (1, 0)] {
        let chain = chain[..length].to_vec();
        let server = node(chain.clone(), true);
        let (sink, receipts) = get(HeadersPlan { from: BlockHeight(from), ..plan(Some(&server.base), None) });
        let wanted = expected(&chain, from..u32::try_from(length).unwrap());
        assert_eq!(heights(&sink), wanted);
        assert_eq!(receipts, [complete(&server.base, kind(), u64::try_from(wanted.len()).unwrap())]);
    }
}

#[test]
fn an_old_node_is_understood() {
    let chain = chain()[..100].to_vec();
    let server = node(chain.clone(), false);
    let (sink, receipts) = get(plan(Some(&server.base), None));
    assert_eq!(heights(&sink), expected(&chain, 0..100));
    assert_eq!(receipts, [complete(&server.base, kind(), 100)]);
}

#[test]
fn only_the_named_heights_are_asked() {
    let chain = chain();
    let named: BTreeSet<BlockHeight> = [3, 4, 5, 700, 2_016, 2_017].map(BlockHeight).into();
    let wanted = expected(&chain, named.iter().map(|height| height.0));
    for dialect in ["rest", "esplora"] {
        let server = if dialect == "rest" { node(chain.clone(), true) } else { esplora(chain.clone()) };
        let base = if dialect == "rest" { server.base.clone() } else { format!("{}/api", server.base) };
        let place = match dialect {
            "rest" => plan(Some(&base), None),
            _ => plan(None, Some(&base)),
        };
        let (sink, receipts) = get(HeadersPlan { heights: Some(named.clone()), ..place });
        assert_eq!(heights(&sink), wanted, "{dialect}");
        assert_eq!(receipts, [complete(&base, BY_HEIGHT, 6)]);
    }
}

#[test]
fn esplora_gives_the_whole_chain_too() {
    let chain = chain()[..50].to_vec();
    let server = esplora(chain.clone());
    let base = format!("{}/api/", server.base);
    let (sink, receipts) = get(HeadersPlan { from: BlockHeight(10), ..plan(None, Some(&base)) });
    assert_eq!(heights(&sink), expected(&chain, 10..50));
    assert_eq!(receipts, [complete(&base, kind(), 40)]);
}

#[test]
fn heights_above_the_tip_are_missing_and_said_so() {
    let chain = chain()[..50].to_vec();
    let named: BTreeSet<BlockHeight> = [48, 49, 50, 90].map(BlockHeight).into();
    let reason = "2 of 4 heights are not on the server's chain";
    let (rest, explorer) = (node(chain.clone(), true), esplora(chain.clone()));
    let api = format!("{}/api", explorer.base);
    for (place, base) in [(plan(Some(&rest.base), None), &rest.base), (plan(None, Some(&api)), &api)] {
        let (sink, receipts) = get(HeadersPlan { heights: Some(named.clone()), ..place });
        assert_eq!(heights(&sink), expected(&chain, [48, 49]));
        assert_eq!(receipts, [broken(base, BY_HEIGHT, SliceEnd::Refused, 2, reason)]);
    }
}

#[test]
fn a_checkpoint_above_the_tip_is_no_empty_success() {
    let server = node(chain()[..50].to_vec(), true);
    let (_, receipts) = get(HeadersPlan { from: BlockHeight(50), ..plan(Some(&server.base), None) });
    assert_eq!(receipts, [broken(&server.base, kind(), SliceEnd::Refused, 0, "no block at height 50")]);
}

#[test]
fn esplora_stands_in_for_a_node_that_fails() {
    let chain = chain()[..50].to_vec();
    let broken_node = HttpServer::start(|_, _| Answer::status(500, "oops"));
    let explorer = esplora(chain.clone());
    let api = format!("{}/api", explorer.base);
    let (sink, receipts) = get(plan(Some(&broken_node.base), Some(&api)));
    assert_eq!(heights(&sink), expected(&chain, 0..50));
    let failed = broken(&broken_node.base, kind(), SliceEnd::Refused, 0, "HTTP status 500: oops");
    assert_eq!(receipts, [failed, complete(&api, kind(), 50)]);
}

#[test]
fn answers_that_are_not_headers_are_refused() {
    let genesis = hash(&chain()[0]);
    let cases: [(&str, Vec<u8>, &str); 3] = [
        ("/rest/blockhashbyheight", b"<html>".to_vec(), "the answer is not a block hash"),
        ("/rest/headers", vec![0; 81], "the answer is not a whole number of headers"),
        ("/rest/headers", vec![], "the answer is not a whole number of headers"),
    ];
    for (route, body, reason) in cases {
        let known = genesis.clone();
        let server = HttpServer::start(move |request: &Request, _| {
            if request.target.starts_with(route) { Answer::ok(body.clone()) } else { Answer::ok(known.clone()) }
        });
        let (sink, receipts) = get(plan(Some(&server.base), None));
        assert_eq!(sink.items, []);
        let expected = broken(&server.base, kind(), SliceEnd::Ended, 0, reason);
        let signs = std::collections::BTreeMap::from([(reledger::domain::Sign::Malformed, 1)]);
        assert_eq!(receipts, [FetchReceipt { misbehaved: 1, signs, ..expected }]);
    }
}

#[test]
fn more_headers_than_asked_are_not_read() {
    let genesis = hash(&chain()[0]);
    let server = HttpServer::start(move |request: &Request, _| {
        if request.target.starts_with("/rest/headers") {
            Answer::ok(vec![0; 80 * 2_001])
        } else {
            Answer::ok(genesis.clone())
        }
    });
    let (sink, receipts) = get(plan(Some(&server.base), None));
    assert_eq!(sink.items, []);
    assert_eq!(receipts, [broken(&server.base, kind(), SliceEnd::BudgetTripped, 0, "answer above the byte limit")]);
}

#[test]
fn a_plan_without_a_usable_server_is_refused() {
    for place in [plan(None, None), plan(Some("http://node.example:8332"), None), plan(None, Some("esplora.example"))] {
        assert!(matches!(HeadersSource::new(place, runtime()), Err(SourceError::Misconfigured { .. })));
    }
}
