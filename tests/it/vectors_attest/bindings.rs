//! Binding attestations (oc-attest-binding) and the order of their errors (FORMATS 7.6).

use reledger::domain::{BindingId, Code, Finding, PublicKey32, sha256};
use reledger::evidence::binding;
use reledger::verify::binding::judge;
use serde_json::Value;

use super::{CARRIER, fixture, text};

fn binding_vector(name: &str) -> Value {
    fixture(&format!("vectors/oc-attest-binding/{name}.json"))
}

fn judge_event(event: &Value) -> Result<(), Vec<Finding>> {
    let d = event["tags"].as_array().unwrap().iter().find(|tag| tag[0] == "d").unwrap()[1].as_str().unwrap();
    let declared: BindingId = d.strip_prefix("oc-attest-binding:").unwrap().parse().unwrap();
    let key: PublicKey32 = text(event, "/pubkey").parse().unwrap();
    let claim = binding::decode(text(event, "/content"), declared).unwrap();
    judge(&claim, &key, CARRIER).map(|signed| assert_eq!(signed.id, declared))
}

fn refused_as(event: &Value) -> (Code, String) {
    let mut findings = judge_event(event).unwrap_err();
    assert_eq!(findings.len(), 1, "the first error wins");
    let finding = findings.remove(0);
    (finding.code, finding.observed)
}

#[test]
fn the_first_binding_error_in_the_specified_order_wins() {
    let valid = binding_vector("bv03-valid")["input"]["nostr_event"].clone();
    let content: Value = serde_json::from_str(text(&valid, "/content")).unwrap();
    let with_message = |from: &str, to: &str, rehash: bool| {
        let message = text(&content, "/message").replace(from, to);
        let mut event = valid.clone();
        if rehash {
            event["tags"][0][1] = format!("oc-attest-binding:{}", sha256(message.as_bytes())).into();
        }
        let mut changed = content.clone();
        changed["message"] = message.into();
        event["content"] = changed.to_string().into();
        event
    };
    let with_member = |name: &str, value: &str| {
        let mut event = valid.clone();
        let mut changed = content.clone();
        changed[name] = value.into();
        event["content"] = changed.to_string().into();
        event
    };
    let fields = |name: &str| (Code::AttFields, name.to_owned());
    assert_eq!(refused_as(&with_message("\nv: 1", "\nv: 0", true)), fields("E_BAD_HEADER"));
    assert_eq!(refused_as(&with_message("orangecheck-binding", "orangecheck", true)), fields("E_BAD_HEADER"));
    assert_eq!(refused_as(&with_message("one principal.\n", "one principal.", true)), fields("E_MALFORMED"));
    assert_eq!(refused_as(&with_message("nonce: a1b2", "nonce: A1B2", true)), fields("E_MALFORMED"));
    assert_eq!(refused_as(&with_message("9jj8\n", "9jj9\n", true)), fields("E_MALFORMED"));
    assert_eq!(refused_as(&with_message("one principal.", "two principals.", true)), fields("E_BAD_ACK"));
    assert_eq!(refused_as(&with_message("did:oc:9f", "did:oc:9F", true)), fields("E_BAD_PRINCIPAL"));
    let unsorted = "principal.\nnetwork: mainnet\nexpires: 2030-01-01T00:00:00Z\n";
    assert_eq!(refused_as(&with_message("principal.\n", unsorted, true)), fields("E_EXT_UNSORTED"));
    let id = (Code::AttId, "E_ID_MISMATCH".to_owned());
    assert_eq!(refused_as(&with_message("nonce: a1", "nonce: b1", false)), id);
    assert_eq!(refused_as(&with_member("principal", "did:oc:00")), fields("E_FIELD_MISMATCH"));
    assert_eq!(refused_as(&with_member("btc_scheme", "legacy")), fields("E_BAD_SCHEME"));
    let signature = |name: &str| (Code::AttSig, name.to_owned());
    let signet = with_message("principal.\n", "principal.\nnetwork: signet\n", true);
    assert_eq!(refused_as(&signet), signature("E_NETWORK"));
    assert_eq!(refused_as(&with_member("btc_signature", "AA==")), signature("E_BTC_SIG_INVALID"));
    assert_eq!(refused_as(&with_message("nonce: a1", "nonce: b1", true)), signature("E_BTC_SIG_INVALID"));
    let mut other_key = valid.clone();
    other_key["pubkey"] = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e".into();
    assert_eq!(refused_as(&other_key), signature("E_NOSTR_KEY_MISMATCH"));
    // Near misses: members that repeat the message change nothing.
    assert_eq!(judge_event(&with_member("btc_scheme", "bip322")), Ok(()));
    assert_eq!(judge_event(&with_member("principal", "did:oc:9f86d081884c7d659a2feaa0c55ad015")), Ok(()));
}
