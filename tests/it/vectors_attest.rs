//! Attestations, bindings, guardian descriptors and BIP-322 against the published and derived vectors.
//!
//! Every expectation stands in a vector file under `fixtures/`, or in the paragraph of FORMATS that the test names. The
//! vectors of the agent protocol carry placeholder signatures, so there the verifier is injected: it believes them all.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

mod bindings;
mod envelopes;
mod guardians;
mod messages;
mod signatures;

use std::collections::BTreeMap;
use std::path::PathBuf;

use reledger::domain::{Code, EvidenceId, Finding};
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

fn extensions(input: &Value) -> BTreeMap<String, String> {
    let members = input["extensions"].as_object().into_iter().flatten();
    members.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
}

fn codes(findings: &[Finding]) -> Vec<Code> {
    findings.iter().map(|finding| finding.code).collect()
}
