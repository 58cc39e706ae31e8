//! Agents, stamps and pledges (FORMATS 3.10, 12): kinds that are kept for replay and not judged. Whatever their own
//! specifications say of an envelope, it is stored as it came, and it counts for nothing.

use serde_json::Value;

use super::case::{Case, Input, list, text, vector};
use crate::vectors_events::event;

/// What the reader says of everything here.
const STORED: &str = "stored: accepted";

/// An event of that coordinate with the vector's envelope, or what the vector gives of it.
fn stored(kind: u16, prefix: &str, content: &Value) -> Input {
    let id = content["id"].as_str().map_or_else(|| "ab".repeat(32), str::to_owned);
    Input::Evidence(vec![event(kind, &format!("{prefix}:{id}"), &content.to_string())])
}

pub(super) fn cases() -> Vec<Case> {
    [agents(), stamps(), pledges()].concat()
}

fn published(row: &'static str, from: &str, id: &str) -> Case {
    let vector = vector(from);
    let message = text(&vector, "/expected/canonical_message");
    assert_eq!(message.len() as u64, vector["expected"]["canonical_message_bytes_len"].as_u64().unwrap(), "{from}");
    let name = text(&vector, "/description").to_owned();
    Case::new(row, name, from, Input::Hashed(message.to_owned()), text(&vector["expected"], id))
}

fn agents() -> Vec<Case> {
    let (del, act, rev, sub) = ("oc-agent-del", "oc-agent-act", "oc-agent-rev", "oc-agent-sub");
    let mut cases = Vec::new();
    for (file, kind, prefix, row) in [
        ("v06-action-scope-denied", 30_084, act, "12 agent: v06 E_SCOPE_DENIED"),
        ("v07-action-out-of-window", 30_084, act, "12 agent: v07 E_OUT_OF_WINDOW"),
        ("v08-revocation-unauthorized-signer", 30_085, rev, "12 agent: v08 E_REVOKER_UNAUTHORIZED"),
        ("v09-delegation-malformed-scope", 30_083, del, "12 agent: v09 E_BAD_SCOPE_GRAMMAR"),
        ("v12-subdelegation-scope-escalated", 30_086, sub, "12 agent: v12 E_SUBDELEGATION_SCOPE_ESCALATED"),
        ("v13-subdelegation-expires-extended", 30_086, sub, "12 agent: v13 E_SUBDELEGATION_EXPIRES_EXTENDED"),
        ("v14-subdelegation-principal-mismatch", 30_086, sub, "12 agent: v14 E_SUBDELEGATION_PRINCIPAL_MISMATCH"),
        ("v17-private-scope-no-key-fails-closed", 30_083, del, "12 agent: v17 E_SCOPES_UNREADABLE"),
    ] {
        let from = format!("oc-agent-protocol/{file}.json");
        let vector = vector(&from);
        let code = text(&vector, "/expected/error_code");
        assert!(row.ends_with(code), "{file}: {code}");
        let input = stored(kind, prefix, &vector["inputs"]);
        cases.push(Case::new(row, "stored, not judged", from, input, STORED));
    }
    for file in ["v01-delegation-minimal", "v03-action-minimal", "v04-revocation-minimal", "v10-subdelegation-minimal"]
    {
        cases.push(published("3.10 line-oriented envelopes", &format!("oc-agent-protocol/{file}.json"), "/id"));
    }
    cases
}

fn stamps() -> Vec<Case> {
    let from = "derived/stamp-negatives.json";
    let vector = vector(from);
    let mut cases = Vec::new();
    for case in list(&vector, "verify_cases") {
        let row = match text(case, "/expected/code") {
            "E_BAD_ID" => "12 stamp: E_BAD_ID",
            "E_UNSUPPORTED_VERSION" => "12 stamp: E_UNSUPPORTED_VERSION",
            "E_MALFORMED" => "12 stamp: E_MALFORMED",
            "E_BAD_SIG" => "12 stamp: E_BAD_SIG",
            other => panic!("{other}"),
        };
        let name = format!("{}: stored, not judged", text(case, "/name"));
        cases.push(Case::new(row, name, from, stored(30_083, "oc-stamp", &case["envelope"]), STORED));
    }
    for case in list(&vector, "canonical_input_rejects") {
        let name = format!("{}: stored, not judged", text(case, "/name"));
        let input = stored(30_083, "oc-stamp", &case["input"]);
        cases.push(Case::new("12 stamp: 8 malformed canonical inputs", name, from, input, STORED));
    }
    // A walker that says no, and content that is another: both are outside the envelope, so a positive one stands in.
    let from = "oc-stamp-protocol/v05-ots-confirmed.json";
    let anchored = stored(30_083, "oc-stamp", &super::case::vector(from)["expected"]["envelope"]);
    let name = "a placeholder in the place of a proof: stored, not judged";
    cases.push(Case::new("12 stamp: E_BAD_ANCHOR", name, from, anchored, STORED));
    let from = "oc-stamp-protocol/v01-minimal.json";
    let mut other = super::case::vector(from)["expected"]["envelope"].clone();
    other["content"]["hash"] = format!("sha256:{}", "22".repeat(32)).into();
    let name = "the hash of another content: stored, not judged";
    cases.push(Case::new("12 stamp: E_BAD_CONTENT", name, from, stored(30_083, "oc-stamp", &other), STORED));
    for file in ["v01-minimal", "v02-with-stake", "v03-with-ref", "v04-ots-pending", "v05-ots-confirmed"] {
        cases.push(published("3.10 line-oriented envelopes", &format!("oc-stamp-protocol/{file}.json"), "/id"));
    }
    cases
}

fn pledges() -> Vec<Case> {
    let mut cases = Vec::new();
    for (file, prefix, row) in [
        ("v19-bond-insufficient-sats", "oc-pledge", "12 pledge: v19 E_BOND_INSUFFICIENT_SATS"),
        ("v20-bond-spent", "oc-pledge", "12 pledge: v20 E_BOND_SPENT"),
        ("v22-bilateral-contradictory", "oc-pledge-outcome", "12 pledge: v22 disputed"),
        ("v26-state-broken-via-abandonment", "oc-pledge-abandonment", "12 pledge: v26 broken via abandonment"),
        ("v27-state-expired-unresolved", "oc-pledge", "12 pledge: v27 expired_unresolved"),
        ("v28-empty-nonce-rejected", "oc-pledge", "12 pledge: v28 E_PLEDGE_MALFORMED"),
    ] {
        let from = format!("oc-pledge-protocol/{file}.json");
        let input = stored(30_078, prefix, &vector(&from)["inputs"]);
        cases.push(Case::new(row, "stored, not judged", from, input, STORED));
    }
    cases.push(published(
        "3.10 line-oriented envelopes",
        "oc-pledge-protocol/v01-pledge-minimal-chain-state.json",
        "/pledge_id",
    ));
    cases
}
