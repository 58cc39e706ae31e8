//! Attestations, bindings and BIP-322 beyond the vectors of `vectors`: edits of them, the official signatures, flipped bits.
//!
//! Every expectation stands in a vector file under `fixtures/`, or in the paragraph of FORMATS that the test names.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

mod bindings;
mod envelopes;
mod signatures;

use std::collections::BTreeMap;
use std::path::PathBuf;

use reledger::domain::{Code, EvidenceId, Finding};
use reledger::evidence::attest::AttestationDraft;
use serde_json::Value;

const CARRIER: EvidenceId = EvidenceId::from_bytes([7; 32]);

fn fixture(path: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

fn valid_draft() -> AttestationDraft {
    AttestationDraft {
        address: "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq".to_owned(),
        identities: Vec::new(),
        nonce: "0011223344556677889900aabbccddee".to_owned(),
        issued_at: "2026-04-22T12:00:00Z".to_owned(),
        extensions: BTreeMap::from([
            ("aud".to_owned(), "https://example.com".to_owned()),
            ("bond".to_owned(), "500".to_owned()),
        ]),
    }
}

fn codes(findings: &[Finding]) -> Vec<Code> {
    findings.iter().map(|finding| finding.code).collect()
}
