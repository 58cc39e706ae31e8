//! Plain HTTP: byte caps, redirects, retries, truncation and silence, seen through the well-known documents.

use reledger::domain::{FetchReceipt, Media, SliceEnd};
use reledger::substrate::{EvidenceSource as _, HttpLimits, SourceError, WellKnownPlan, WellKnownSource};

use super::http_server::{Answer, HttpServer};
use super::{broken, complete, fetch, hasty, media, patient, runtime};

const PATH: &str = "/.well-known/oc-envelope-jwks.json";
const DOCUMENT: &str = r#"{"keys":[]}"#;
const CAP: usize = 1024 * 1024;

fn get(server: &HttpServer, http: HttpLimits) -> (Vec<Vec<u8>>, FetchReceipt, String) {
    let url = format!("{}{PATH}", server.base);
    let plan = WellKnownPlan { url: url.clone(), media: Media::Jwks, allow_plaintext: false, http };
    let (sink, receipts) = fetch(&mut WellKnownSource::new(plan, runtime()).unwrap());
    for item in &sink.items {
        assert_eq!((item.evidence.media, item.evidence.about.as_str()), (Media::Jwks, "127.0.0.1"));
    }
    let [receipt] = receipts.try_into().unwrap();
    (sink.items.into_iter().map(|item| item.evidence.into_evidence().bytes).collect(), receipt, url)
}

fn failed(url: &str, end: SliceEnd, retries: u32, reason: &str) -> FetchReceipt {
    FetchReceipt { retries, ..broken(url, media(Media::Jwks), end, 0, reason) }
}

#[test]
fn a_document_comes_whole_and_says_who_we_are() {
    let server = HttpServer::start(|_, _| Answer::ok(DOCUMENT));
    let (bodies, receipt, url) = get(&server, patient());
    assert_eq!(bodies, [DOCUMENT.as_bytes()]);
    assert_eq!(receipt, complete(&url, media(Media::Jwks), 1));
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!((requests[0].method.as_str(), requests[0].target.as_str()), ("GET", PATH));
    let agent = format!("user-agent: reledger/{}", env!("CARGO_PKG_VERSION"));
    assert!(requests[0].headers.contains(&agent), "{:?}", requests[0].headers);
}

#[test]
fn a_document_at_the_cap_passes_and_one_byte_more_does_not() {
    let server = HttpServer::start(|_, _| Answer::ok(vec![b' '; CAP]));
    assert_eq!(get(&server, patient()).0, [vec![b' '; CAP]]);

    let server = HttpServer::start(|_, _| Answer::ok(vec![b' '; CAP + 1]));
    let (bodies, receipt, url) = get(&server, patient());
    assert_eq!(bodies, Vec::<Vec<u8>>::new());
    assert_eq!(receipt, failed(&url, SliceEnd::BudgetTripped, 0, "answer above the byte limit"));
}

#[test]
fn a_body_of_no_declared_length_is_capped_as_it_comes() {
    let server = HttpServer::start(|_, _| {
        let mut bytes = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
        bytes.resize(bytes.len() + 4 * CAP, b'x');
        Answer::Hang(bytes)
    });
    let (bodies, receipt, url) = get(&server, patient());
    assert_eq!(bodies, Vec::<Vec<u8>>::new());
    assert_eq!(receipt, failed(&url, SliceEnd::BudgetTripped, 0, "answer above the byte limit"));
}

#[test]
fn a_redirect_is_refused_and_its_target_never_contacted() {
    let elsewhere = HttpServer::start(|_, _| Answer::ok(DOCUMENT));
    let target = format!("location: {}/", elsewhere.base);
    for status in [301, 302, 303, 307, 308] {
        let target = target.clone();
        let server = HttpServer::start(move |_, _| Answer::Full(status, vec![target.clone()], vec![]));
        let (_, receipt, url) = get(&server, patient());
        let reason = format!("redirect refused (HTTP status {status})");
        assert_eq!(receipt, failed(&url, SliceEnd::Refused, 0, &reason));
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[test]
fn a_busy_server_is_asked_again() {
    for status in [429, 502, 503, 504] {
        let server = HttpServer::start(move |_, nth| match nth {
            0 => Answer::Full(status, vec!["retry-after: 0".to_owned()], b"busy".to_vec()),
            _ => Answer::ok(DOCUMENT),
        });
        let (bodies, receipt, url) = get(&server, patient());
        assert_eq!(bodies, [DOCUMENT.as_bytes()]);
        assert_eq!(receipt, FetchReceipt { retries: 1, ..complete(&url, media(Media::Jwks), 1) });
    }
}

#[test]
fn a_server_that_stays_busy_is_given_up() {
    let server = HttpServer::start(|_, _| Answer::status(503, "down \u{1b}[31m"));
    let (_, receipt, url) = get(&server, patient());
    assert_eq!(receipt, failed(&url, SliceEnd::Refused, 2, "HTTP status 503: down \\u{1b}[31m"));
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn other_refusals_are_not_repeated() {
    for status in [204, 400, 401, 403, 404, 410, 500] {
        let server = HttpServer::start(move |_, _| Answer::status(status, "no"));
        let (bodies, receipt, url) = get(&server, patient());
        assert_eq!(bodies, Vec::<Vec<u8>>::new());
        assert!(receipt.reason.starts_with(&format!("HTTP status {status}")), "{}", receipt.reason);
        assert_eq!(receipt, failed(&url, SliceEnd::Refused, 0, &receipt.reason));
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn a_truncated_body_is_not_taken() {
    let server = HttpServer::start(|_, _| {
        Answer::Raw(format!("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{DOCUMENT}").into_bytes())
    });
    let (bodies, receipt, url) = get(&server, patient());
    assert_eq!(bodies, Vec::<Vec<u8>>::new());
    assert_eq!(receipt, failed(&url, SliceEnd::Unreachable, 2, "the answer was cut off"));
}

#[test]
fn a_body_cut_off_once_is_asked_again() {
    let server = HttpServer::start(|_, nth| match nth {
        0 => Answer::Raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"key\r\n".to_vec()),
        _ => Answer::ok(DOCUMENT),
    });
    let (bodies, receipt, url) = get(&server, patient());
    assert_eq!(bodies, [DOCUMENT.as_bytes()], "the beginning of the first attempt is void");
    assert_eq!(receipt, FetchReceipt { retries: 1, ..complete(&url, media(Media::Jwks), 1) });
}

#[test]
fn silence_ends_in_bounded_time_before_and_inside_the_answer() {
    for beginning in ["", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"] {
        let server = HttpServer::start(move |_, _| Answer::Hang(beginning.as_bytes().to_vec()));
        let (bodies, receipt, url) = get(&server, hasty());
        assert_eq!(bodies, Vec::<Vec<u8>>::new());
        assert_eq!(receipt, failed(&url, SliceEnd::TimedOut, 1, "no complete answer in time"));
    }
}

#[test]
fn what_is_no_http_is_cut_off() {
    let server = HttpServer::start(|_, _| Answer::Raw(b"SSH-2.0-x\r\n\r\n".to_vec()));
    let (_, receipt, url) = get(&server, patient());
    assert_eq!(receipt, failed(&url, SliceEnd::Unreachable, 2, "the answer was cut off"));
}

#[test]
fn plaintext_outside_loopback_is_refused_before_any_contact() {
    for url in ["http://me.example/x", "https://user@me.example/x", "ftp://me.example/x"] {
        let plan = WellKnownPlan { url: url.to_owned(), media: Media::Jwks, allow_plaintext: false, http: hasty() };
        let refused = WellKnownSource::new(plan.clone(), runtime());
        assert!(matches!(refused, Err(SourceError::Misconfigured { .. })), "{url}");
        let allowed = WellKnownSource::new(WellKnownPlan { allow_plaintext: true, ..plan }, runtime());
        assert_eq!(allowed.map(|source| source.id().0).ok(), url.starts_with("http:").then(|| url.to_owned()));
    }
}
