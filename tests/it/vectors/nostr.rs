//! The Nostr layer: archived events, mutations, the relay's gate (FORMATS 1 and 2).

use std::collections::BTreeMap;

use reledger::domain::Media;
use reledger::evidence::{CarrierBody, Claim, Decoded, decode, relay_gate};
use serde_json::Value;

use super::case::{Case, Input, list, text, vector};
use crate::vectors_events::raw;

const ARCHIVE: &str = "oc-relay-infra/events-25-of-52.jsonl";

pub(super) fn archive() -> Vec<String> {
    let text = std::fs::read_to_string(crate::support::fixtures().join("vectors").join(ARCHIVE)).unwrap();
    text.lines().map(str::to_owned).collect()
}

pub(super) fn d_of(event: &Value) -> &str {
    let tag = list(event, "tags").iter().find(|tag| tag[0] == "d").unwrap();
    tag[1].as_str().unwrap()
}

pub(super) fn gate(kind: u64, d: &str) -> String {
    if relay_gate(u16::try_from(kind).unwrap(), d) { "admitted" } else { "refused" }.to_owned()
}

/// The class of an event in the words of `events-expected.json`.
pub(super) fn class(line: &str) -> String {
    let Decoded::Claim(claim, findings) = decode(&raw(Media::NostrEvent, line)) else { panic!("{line}") };
    assert_eq!(findings, []);
    let Claim::Nostr(carrier) = *claim else { panic!("{line}") };
    match &carrier.body {
        CarrierBody::Attestation(_) => "attest",
        CarrierBody::Stored("oc-lock") => "other:lock-device",
        CarrierBody::Stored("oc-chat") if carrier.d.starts_with("oc-chat:device:") => "other:chat-session-device",
        CarrierBody::Stored("oc-chat") => "other:chat",
        CarrierBody::Stored("oc-vote") => "other:vote",
        CarrierBody::NotEnvelope(_) => "quarantine:probe",
        other => panic!("{other:?}"),
    }
    .to_owned()
}

pub(super) fn cases() -> Vec<Case> {
    [archived(), mutated(), gated()].concat()
}

fn archived() -> Vec<Case> {
    let expected = vector("oc-relay-infra/events-expected.json");
    let expected: BTreeMap<&str, &Value> =
        list(&expected, "events").iter().map(|event| (text(event, "/id"), event)).collect();
    let lines = archive();
    assert_eq!((lines.len(), expected.len()), (25, 25));
    let case = |line: &String| {
        let event: Value = serde_json::from_str(line).unwrap();
        let class = text(expected[text(&event, "/id")], "/class");
        let is_probe = class == "quarantine:probe";
        let row = if is_probe { "12 nostr: probes are no envelopes" } else { "2.2 archived events" };
        Case::new(row, text(&event, "/id"), ARCHIVE, Input::Archived(line.clone()), class)
    };
    let mut cases: Vec<Case> = lines.iter().map(case).collect();
    // A valid Nostr event of the envelopes' kind, with a content that is none.
    let kinds = |event: &Value| event["kind"] == 30_087;
    for line in lines.iter().filter(|line| kinds(&serde_json::from_str(line).unwrap())) {
        let event: Value = serde_json::from_str(line).unwrap();
        let input = Input::Evidence(vec![raw(Media::NostrEvent, line.as_str())]);
        let name = format!("{} verified whole", d_of(&event));
        let wanted = "events: quarantined; EVT_NOT_ENVELOPE";
        cases.push(Case::new("12 nostr: probes are no envelopes", name, "archived probe of kind 30087", input, wanted));
    }
    cases
}

fn mutated() -> Vec<Case> {
    let from = "derived/nostr-mutations.json";
    let vector = vector(from);
    let case = |case: &Value| {
        let (row, code) = match text(case, "/expected") {
            "nostr_id_mismatch" => ("12 nostr: content or created_at changed, id kept", "EVT_BAD_ID"),
            "nostr_sig_invalid" => ("12 nostr: signature nibble flipped", "EVT_BAD_SIG"),
            other => panic!("{other}"),
        };
        let input = Input::Evidence(vec![raw(Media::NostrEvent, case["event"].to_string())]);
        Case::new(row, text(case, "/name"), from, input, code)
    };
    list(&vector, "cases").iter().map(case).collect()
}

fn gated() -> Vec<Case> {
    const OLD: &str = "12 nostr: old oc-vote-poll prefix, upper-case or 63/65-digit id";
    let from = "oc-relay-infra/dtag-matrix.json";
    let matrix = vector(from);
    let mut cases = Vec::new();
    for (member, count, wanted) in
        [("accept", 26, "admitted"), ("reject", 9, "refused"), ("not_covered_by_policy", 1, "refused")]
    {
        let listed = list(&matrix, member);
        assert_eq!(listed.len(), count, "{member}");
        for case in listed {
            let (kind, d) = (case["kind"].as_u64().unwrap(), case["d"].as_str().unwrap_or_default());
            let is_old = d.starts_with("oc-vote-poll:") || kind == 30_078 && d.to_ascii_lowercase().starts_with("abab");
            let row = match member {
                "accept" | "not_covered_by_policy" => "1 relay gate",
                _ if is_old => OLD,
                _ => "12 nostr: 9 kind/d pairs refused by the relay policy",
            };
            cases.push(Case::new(row, format!("{kind} {d}"), from, Input::Gate(kind, d.to_owned()), wanted));
        }
    }
    cases
}
