//! Goal: what may be read as a settlement is read one way only; everything else is a finding.

use super::*;
use crate::domain::{Severity, UnixSeconds};

const PUBKEY: &str = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";

fn wire(event: &str, more: &str) -> String {
    format!(r#"{{"event":{event},"pubkey_hex":"{PUBKEY}","sig_hex":"{}"{more}}}"#, "00".repeat(64))
}

fn event_with(name: &str, value: &str) -> String {
    let mut members = vec![
        ("kind", r#""escrow.deposit""#.to_owned()),
        ("federation_slug", r#""oc-me-v1""#.to_owned()),
        ("operation_id", r#""op""#.to_owned()),
        ("amount_sats", "5".to_owned()),
        ("direction", r#""in""#.to_owned()),
        ("settled_at", "1779408000".to_owned()),
    ];
    members.retain(|(known, _)| *known != name);
    if !value.is_empty() {
        members.push((name, value.to_owned()));
    }
    let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

fn read(text: &str) -> (SettlementClaim, Vec<Finding>) {
    let Decoded::Claim(claim, findings) = decode(text.as_bytes()) else { panic!("it decodes: {text}") };
    let Claim::Settlement(claim) = *claim else { panic!("it is a settlement") };
    (*claim, findings)
}

fn refused(text: &str) -> (Code, Option<Severity>) {
    let Decoded::Undecodable(findings) = decode(text.as_bytes()) else { panic!("it does not decode: {text}") };
    assert_eq!(findings.len(), 1);
    (findings[0].code, findings[0].severity_override)
}

#[test]
fn members_of_the_wrong_type_are_an_error() {
    for (name, value) in [
        ("kind", r#""escrow""#),
        ("kind", "1"),
        ("kind", ""),
        ("federation_slug", "null"),
        ("operation_id", "5"),
        ("amount_sats", r#""5""#),
        ("amount_sats", "null"),
        ("direction", r#""IN""#),
        ("settled_at", "1779408000.0"),
        ("settled_at", "-1"),
        ("settled_at", "9223372036854775808"),
        ("preimage", "0"),
        ("note", "{}"),
        ("fee_sats", r#""3""#),
    ] {
        let text = wire(&event_with(name, value), "");
        assert_eq!(refused(&text), (Code::SrcParse, Some(Severity::Error)), "{name} {value}");
    }
    for text in ["", "{", "[]", "{}", "\u{feff}{}", r#"{"event":[],"pubkey_hex":"","sig_hex":""}"#] {
        assert_eq!(refused(text), (Code::SrcParse, Some(Severity::Error)), "{text}");
    }
    let short_sig = wire(&event_with("note", "null"), "").replace("0000", "00");
    assert_eq!(refused(&short_sig).0, Code::SrcParse);
    let no_key = wire(&event_with("note", "null"), "").replace(PUBKEY, "8a88");
    assert_eq!(refused(&no_key).0, Code::SrcParse);
}

#[test]
fn amounts_outside_the_supply_are_refused() {
    for number in ["2100000000000001", "-1", "1.0", "1e2", "-0", "18446744073709551616"] {
        for name in ["amount_sats", "fee_sats"] {
            assert_eq!(refused(&wire(&event_with(name, number), "")).0, Code::AmtRange, "{name} {number}");
        }
    }
    let (claim, findings) = read(&wire(&event_with("amount_sats", "2100000000000000"), ""));
    assert_eq!((claim.event.amount.get(), findings.len()), (2_100_000_000_000_000, 0));
}

#[test]
fn a_fee_of_null_encodes_as_absent() {
    let absent = read(&wire(&event_with("note", "null"), "")).0;
    let null = read(&wire(&event_with("fee_sats", "null"), "")).0;
    assert_eq!(null.canonical, absent.canonical);
    let known = read(&wire(&event_with("fee_sats", "0"), "")).0;
    assert!(known.canonical.ends_with(b",\"note\":null,\"fee_sats\":0}"));
}

#[test]
fn members_that_no_signature_covers_are_named() {
    let (claim, findings) = read(&wire(&event_with("memo", "1"), r#","received_at":2"#));
    assert_eq!(claim.unsigned_members, ["event.memo", "received_at"]);
    assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [Code::SigUnsignedFields]);
    assert_eq!(claim.canonical, read(&wire(&event_with("note", "null"), "")).0.canonical);
    let (claim, findings) = read(&wire(&event_with("note", r#""n""#), ""));
    assert_eq!((claim.unsigned_members.len(), findings.len()), (0, 0));
}

#[test]
fn of_a_repeated_member_the_last_is_read_and_named() {
    let repeated = event_with("note", "null").replace("\"amount_sats\":5", "\"amount_sats\":6,\"amount_sats\":5");
    let (claim, findings) = read(&wire(&repeated, ""));
    assert_eq!((claim.event.amount.get(), claim.unsigned_members.as_slice()), (5, &["amount_sats".to_owned()][..]));
    assert_eq!(findings[0].code, Code::SigUnsignedFields);
    let fraction = event_with("note", "null").replace("\"amount_sats\":5", "\"amount_sats\":6,\"amount_sats\":5.0");
    assert_eq!(refused(&wire(&fraction, "")).0, Code::AmtRange, "reading the last keeps the strictness");
}

#[test]
fn text_is_escaped_as_json_stringify_does() {
    let (claim, _) = read(&wire(&event_with("note", r#""a/\"\\\b\u0001\u007f\u2028\u00e9\ud83d\ude00""#), ""));
    let note = "\"note\":\"a/\\\"\\\\\\b\\u0001\u{7f}\u{2028}\u{e9}\u{1f600}\"}";
    assert!(String::from_utf8(claim.canonical).unwrap().ends_with(note));
    assert_eq!(claim.event.settled_at, UnixSeconds(1_779_408_000));
}

#[test]
fn a_text_beyond_its_limit_is_not_read() {
    let note = |length: usize| wire(&event_with("note", &format!("\"{}\"", "n".repeat(length))), "");
    assert_eq!(read(&note(4096)).1, []);
    assert_eq!(refused(&note(4097)).0, Code::SrcParse);
}
