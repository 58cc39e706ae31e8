//! Binding attestations (FORMATS 7.6): bv01 to bv08.

use reledger::domain::{BindingId, EvidenceId, Media, PublicKey32};
use reledger::evidence::binding::{self, BindingDraft};
use reledger::verify::binding::judge;
use serde_json::Value;

use super::attest::extensions;
use super::case::{Case, Input, text, vector};
use crate::vectors_events::raw;

pub(super) fn build(input: &Value) -> Result<String, String> {
    let draft = BindingDraft {
        principal: text(input, "/principal").to_owned(),
        btc: text(input, "/btc").to_owned(),
        npub: text(input, "/nostr").to_owned(),
        nonce: text(input, "/nonce").to_owned(),
        issued_at: text(input, "/issued_at").to_owned(),
        extensions: extensions(input),
    };
    let message = binding::canonical_message(&draft)?;
    let parsed = binding::parse_message(&message)?;
    assert_eq!((parsed.npub, parsed.btc), (draft.npub, draft.btc));
    Ok(message)
}

pub(super) fn read(message: &str) -> Result<String, String> {
    binding::parse_message(message).map(|_| "canonical".to_owned()).map_err(str::to_owned)
}

/// `accepted`, else the code and the specification's name.
pub(super) fn judged(content: &str, declared: &str, key: &str) -> String {
    let (declared, key): (BindingId, PublicKey32) = (declared.parse().unwrap(), key.parse().unwrap());
    let claim = binding::decode(content, declared).unwrap();
    match judge(&claim, &key, EvidenceId::from_bytes([7; 32])) {
        Ok(_) => "accepted".to_owned(),
        Err(findings) => {
            assert_eq!(findings.len(), 1, "the first error wins");
            format!("{} {}", findings[0].code.name(), findings[0].observed)
        }
    }
}

fn of_event(event: &Value, declared: &str) -> Input {
    Input::Binding(text(event, "/content").to_owned(), declared.to_owned(), text(event, "/pubkey").to_owned())
}

pub(super) fn cases() -> Vec<Case> {
    let of = |name: &str| (format!("oc-attest-binding/{name}.json"), vector(&format!("oc-attest-binding/{name}.json")));
    let mut cases = Vec::new();
    let (from, bv01) = of("bv01-canonical");
    let message = text(&bv01, "/expected/message");
    assert_eq!(message.len() as u64, bv01["expected"]["message_bytes_len"].as_u64().unwrap());
    cases.push(Case::new("7.6 binding", "bv01 message", &from, Input::BindingDraft(bv01["input"].clone()), message));
    let (from, bv02) = of("bv02-binding-id");
    let hashed = Input::Hashed(text(&bv02, "/input/message").to_owned());
    cases.push(Case::new("7.6 binding", "bv02 id", &from, hashed, text(&bv02, "/expected/binding_id")));
    let (from, bv03) = of("bv03-valid");
    let (valid, id) = (&bv03["input"]["nostr_event"], text(&bv03, "/input/binding_id"));
    cases.push(Case::new("7.6 binding", "bv03 valid", &from, of_event(valid, id), "accepted"));
    let whole = |event: &Value| Input::Evidence(vec![raw(Media::NostrEvent, event.to_string())]);
    cases.push(Case::new("7.6 binding", "bv03 as an event", &from, whole(valid), "bindings: accepted"));

    let (from, bv04) = of("bv04-tampered-btc-sig");
    let envelope = &bv04["input"]["envelope"];
    let key = text(envelope, "/nostr_event/pubkey").to_owned();
    let input = Input::Binding(envelope.to_string(), text(envelope, "/binding_id").to_owned(), key);
    let row = "12 binding: bv04 tampered BTC signature";
    assert_eq!(text(&bv04, "/expected/status"), "btc_sig_invalid");
    cases.push(Case::new(row, "bv04", &from, input, "ATT_SIG E_BTC_SIG_INVALID"));

    let (from, bv05) = of("bv05-tampered-nostr-sig");
    let row = "12 binding: bv05 tampered Nostr signature";
    let tampered = whole(&bv05["input"]["nostr_event"]);
    assert_eq!(text(&bv05, "/expected/status"), "nostr_sig_invalid");
    // The event's own signature is judged before anything that it carries.
    cases.push(Case::new(row, "bv05", &from, tampered, "EVT_BAD_SIG"));

    let (from, bv06) = of("bv06-unsafe-principal");
    let row = "12 binding: bv06 line injection";
    let reason = text(&bv06, "/expected/reason_contains");
    cases.push(Case::refused(row, "bv06", &from, Input::BindingDraft(bv06["input"].clone()), reason));

    // The vector is an attestation message; FORMATS 12 speaks of a header `v: 0`. Both are refused for their header.
    let (from, bv07) = of("bv07-attestation-header");
    let row = "12 binding: bv07 header";
    let input = Input::BindingMessage(text(&bv07, "/input/message").to_owned());
    assert_eq!(text(&bv07, "/expected/reason_contains"), "header");
    cases.push(Case::refused(row, "bv07", &from, input, "E_BAD_HEADER"));
    let older = Input::BindingMessage(message.replace("\nv: 1\n", "\nv: 0\n"));
    cases.push(Case::refused(row, "v: 0", "derived: bv01", older, "E_BAD_HEADER"));
    cases.push(Case::new(
        "7.6 binding",
        "v: 1",
        "derived: bv01",
        Input::BindingMessage(message.to_owned()),
        "canonical",
    ));

    // `message_mismatch`: the bundle beside the event states another text. The event alone has a signature for that other
    // text, and under the bundle's id it has the wrong hash.
    let (from, bv08) = of("bv08-message-mismatch");
    let row = "12 binding: bv08 event carries another signed text";
    let event = &bv08["input"]["nostr_event"];
    let own = super::nostr::d_of(event).trim_start_matches("oc-attest-binding:").to_owned();
    cases.push(Case::new(row, "the event alone", &from, of_event(event, &own), "ATT_SIG E_BTC_SIG_INVALID"));
    let bundle = of_event(event, text(&bv08, "/input/binding_id"));
    cases.push(Case::new(row, "under the bundle's id", &from, bundle, "ATT_ID E_ID_MISMATCH"));
    cases
}
