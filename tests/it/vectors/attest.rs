//! Attestations (FORMATS 7): messages, identities, ids, scores, envelopes, BIP-322.

use std::collections::BTreeMap;

use reledger::domain::{AttestationId, EvidenceId, Media, Sats, sha256};
use reledger::evidence::attest::{self, AttestationDraft, Identity};
use reledger::evidence::score::score_v0;
use reledger::verify::attest::judge;
use serde_json::{Value, json};

use super::case::{Case, Input, list, text, vector};
use crate::vectors_events::{custody as custody_of_three, event, owner, raw};

const ADDRESS: &str = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq";

pub(super) fn extensions(input: &Value) -> BTreeMap<String, String> {
    let members = input["extensions"].as_object().into_iter().flatten();
    members.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
}

fn identities(input: &Value) -> Vec<Identity> {
    let listed = list(input, "identities").iter();
    let one = |item: &Value| Identity {
        protocol: text(item, "/protocol").to_owned(),
        identifier: text(item, "/identifier").to_owned(),
    };
    listed.map(one).collect()
}

/// Builds the message and reads it back: what is read are the members it was built from, empty extensions left out.
pub(super) fn build(input: &Value) -> Result<String, String> {
    let draft = AttestationDraft {
        address: text(input, "/address").to_owned(),
        identities: identities(input),
        nonce: text(input, "/nonce").to_owned(),
        issued_at: text(input, "/issued_at").to_owned(),
        extensions: extensions(input),
    };
    let message = attest::canonical_message(&draft)?;
    let parsed = attest::parse_message(&message)?;
    let kept = draft.extensions.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let listed = attest::format_identities(&draft.identities)?;
    assert_eq!((&parsed.address, parsed.identities.join(","), parsed.extensions), (&draft.address, listed, kept));
    Ok(message)
}

pub(super) fn identities_text(input: &Value) -> Result<String, String> {
    attest::format_identities(&identities(input))
}

pub(super) fn read(message: &str) -> Result<String, String> {
    attest::parse_message(message).map(|_| "canonical".to_owned())
}

pub(super) fn score(sats: u64, days: u64) -> String {
    format!("{:.2}", score_v0(Sats::new(sats).unwrap(), days))
}

/// `accepted`, else every code with what was observed: of a decode error only that it is one.
pub(super) fn judged(content: &str, declared: &str) -> Result<String, String> {
    let declared: AttestationId = declared.parse().map_err(|_| "no id".to_owned())?;
    let claim = attest::decode(content, declared)?;
    Ok(match judge(&claim, EvidenceId::from_bytes([7; 32])) {
        Ok(signed) => {
            assert_eq!(signed.id, declared);
            "accepted".to_owned()
        }
        Err(findings) => {
            let status = |observed: &str| {
                observed.split_once("decode_error").map_or(observed.to_owned(), |_| "decode_error".to_owned())
            };
            let said = findings.iter().map(|one| format!("{} {}", one.code.name(), status(&one.observed)));
            said.collect::<Vec<_>>().join("; ")
        }
    })
}

fn hash(text: &str) -> String {
    sha256(text.as_bytes()).to_hex()
}

/// The SDK's form of an envelope under the hash of its message.
fn envelope(vector: &Value) -> Input {
    let input = &vector["input"];
    Input::Attestation(input.to_string(), hash(text(input, "/message")))
}

fn draft(extensions: &Value) -> Value {
    json!({
        "address": ADDRESS, "identities": [], "nonce": "0011223344556677889900aabbccddee",
        "issued_at": "2026-04-22T12:00:00Z", "extensions": extensions,
    })
}

/// An attestation of a key of our own, signed by it.
fn signed(extensions: &Value) -> (String, Value) {
    let (key, address) = owner(0x11);
    let mut of = draft(extensions);
    of["address"] = address.clone().into();
    let message = build(&of).unwrap();
    let signature = bip322::sign_simple_encoded(&address, &message, &[key.to_wif()], None).unwrap();
    let signature = signature.trim_start_matches("smp");
    (message.clone(), json!({"message": message, "scheme": "bip322", "signature": signature, "address": address}))
}

pub(super) fn cases() -> Vec<Case> {
    [published(), forms(), envelopes(), federated()].concat()
}

/// tv01 to tv23.
fn published() -> Vec<Case> {
    let mut cases = Vec::new();
    for number in 1..=23 {
        let from = format!("oc-attest/tv{number:02}.json");
        let vector = vector(&from);
        let (name, input, expected) = (text(&vector, "/description"), &vector["input"], &vector["expected"]);
        let case = |row, input, wanted: &str| Case::new(row, name, &from, input, wanted);
        let one = match text(&vector, "/category") {
            "canonical_message" if number == 15 => case(
                "12 attestation: tv15 empty extension values",
                Input::Draft(input.clone()),
                text(expected, "/message"),
            ),
            "canonical_message" => {
                case("7.1 canonical message", Input::Draft(input.clone()), text(expected, "/message"))
            }
            "identities_format" => {
                case("7.1 identities", Input::Identities(input.clone()), text(expected, "/formatted"))
            }
            "attestation_id" => {
                let hashed = Input::Hashed(text(input, "/message").to_owned());
                case("7.1 attestation_id", hashed, text(expected, "/attestation_id"))
            }
            "score_v0" => {
                let asked = ["sats_bonded", "days_unspent"].map(|name| input[name].as_u64().unwrap());
                let shown = format!("{:.2}", expected["score_v0"].as_f64().unwrap());
                case("7.5 score_v0", Input::Score(asked[0], asked[1]), &shown)
            }
            "bip322_signature" if expected["valid"] == true => case("7.3 BIP-322", envelope(&vector), "accepted"),
            "bip322_signature" => case(
                "12 attestation: tv23 BIP-322 signature with a flipped byte",
                envelope(&vector),
                "ATT_SIG sig_invalid",
            ),
            "reject" => {
                let row = match number {
                    17 => "12 attestation: tv17 identifier with LF",
                    18 => "12 attestation: tv18 identifier with CR",
                    19 => "12 attestation: tv19 identifier with comma",
                    _ => "12 attestation: tv20 protocol GitHub!",
                };
                let reason = text(expected, "/reason_contains");
                let mut whole = draft(&json!({}));
                whole["identities"] = input["identities"].clone();
                cases.push(Case::refused(row, "in a message", &from, Input::Draft(whole), reason));
                Case::refused(row, name, &from, Input::Identities(input.clone()), reason)
            }
            other => panic!("{other}"),
        };
        cases.push(one);
    }
    for (protocol, identifier) in [("web", "https://a.example/~x"), ("did", "did:oc:00"), ("x_2-y", "alice")] {
        let listed = json!({"identities": [{"protocol": protocol, "identifier": identifier}]});
        let wanted = format!("{protocol}:{identifier}");
        let name = format!("what is no forgery: {wanted}");
        cases.push(Case::new("7.1 identities", name, "FORMATS 7.1", Input::Identities(listed), wanted));
    }
    cases
}

/// FORMATS 12: no trailing LF or two, CRLF, changed wording, unsorted extensions; and the rest of FORMATS 7.1.
fn forms() -> Vec<Case> {
    const ROW: &str = "12 attestation: message out of canonical form";
    let message = build(&draft(&json!({"aud": "https://example.com", "bond": "500"}))).unwrap();
    let sorted = "aud: https://example.com\nbond: 500\n";
    let with = |from: &str, to: &str| {
        assert!(message.contains(from), "{from}");
        message.replace(from, to)
    };
    let long = |letters: usize| with("identities: \n", &format!("identities: x:{}\n", "a".repeat(letters)));
    let from = "derived from the message of FORMATS 7.1";
    let broken = [
        ("without its line feed", message.trim_end().to_owned()),
        ("with two line feeds", format!("{message}\n")),
        ("with CRLF", with("\n", "\r\n")),
        ("with a byte order mark", format!("\u{feff}{message}")),
        ("with a space before", format!(" {message}")),
        ("purpose in another wording", with("portable", "Portable")),
        ("ack in another wording", with("bind it to my identities.", "bind it to my identities")),
        ("a label without its space", with("purpose: ", "purpose:")),
        ("no identities without the space", with("identities: \n", "identities:\n")),
        ("extensions unsorted", with(sorted, "bond: 500\naud: https://example.com\n")),
        ("an extension twice", with(sorted, "bond: 500\nbond: 500\n")),
        ("an extension without a value", with(sorted, "bond: \n")),
        ("a bond that is no integer", with(sorted, "bond: 5e2\n")),
        ("an expiry that is no time", with(sorted, "expires: soon\n")),
        ("an extension without a colon", with(sorted, "no colon\n")),
        ("a nonce in capitals", with("aabbccddee\n", "AABBCCDDEE\n")),
        ("a nonce of 34 digits", with("aabbccddee\n", "aabbccddeeff\n")),
        ("a day that is none", with("2026-04-22T12:00:00Z", "2026-04-31T12:00:00Z")),
        ("identities unsorted", with("identities: \n", "identities: x:b,x:a\n")),
        ("two identities that are none", with("identities: \n", "identities: ,\n")),
        ("identities of 513 bytes", long(511)),
        ("nothing", String::new()),
        ("a line feed", "\n".to_owned()),
    ];
    let mut cases: Vec<Case> =
        broken.into_iter().map(|(name, text)| Case::refused(ROW, name, from, Input::Message(text), "")).collect();
    let unknown = with(sorted, "aud: https://example.com\nbond: 500\nzz_new: 1\n");
    for (name, text) in
        [("as built", message.clone()), ("with an unknown extension", unknown), ("identities of 512 bytes", long(510))]
    {
        cases.push(Case::new("7.1 canonical message", name, from, Input::Message(text), "canonical"));
    }
    // In an envelope such a message is a finding with the status of FORMATS 7.4.
    let spoilt = format!("{message}\n");
    let content = json!({"message": spoilt, "scheme": "bip322", "signature": "AA=="}).to_string();
    let input = Input::Attestation(content, hash(&spoilt));
    cases.push(Case::new(ROW, "in an envelope", from, input, "ATT_FIELDS decode_error"));
    cases
}

fn envelopes() -> Vec<Case> {
    let archive = super::nostr::archive();
    let attestations: Vec<Value> = archive
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|event| event["kind"] == 30_078 && text(event, "/content").contains("attestation_id"))
        .collect();
    assert_eq!(attestations.len(), 5);
    let content = |at: usize| text(&attestations[at], "/content").to_owned();
    let declared =
        |at: usize| attestations[at]["tags"].as_array().unwrap().iter().find(|tag| tag[0] == "d").unwrap()[1].clone();
    let id = |at: usize| declared(at).as_str().unwrap().to_owned();
    let from = "oc-relay-infra/events-25-of-52.jsonl, an attestation";
    let mut cases = Vec::new();
    for at in 0..attestations.len() {
        let input = Input::Attestation(content(at), id(at));
        cases.push(Case::new(
            "7.2 envelope JSON",
            format!("archived {}", id(at)),
            "archived attestation",
            input,
            "accepted",
        ));
    }
    let mut add = |row, name: &str, input, wanted: String| {
        cases.push(Case::new(row, name, format!("derived: {from}"), input, wanted));
    };
    let other = Input::Attestation(content(0), id(1));
    add("12 attestation: attestation_id is not the hash of the message", "the id of another", other, {
        // Both the declared id and the member stand against the message or each other.
        format!("ATT_ID {}", id(1))
    });
    let mut legacy: Value = serde_json::from_str(&content(0)).unwrap();
    legacy["scheme"] = "legacy".into();
    let input = Input::Attestation(legacy.to_string(), id(0));
    add(
        "12 attestation: legacy signature for a segwit address",
        "legacy",
        input,
        "ATT_SCRIPT sig_unsupported_script".into(),
    );
    for scheme in ["bip340", "BIP322", "ecdsa"] {
        let mut other: Value = serde_json::from_str(&content(0)).unwrap();
        other["scheme"] = scheme.into();
        let input = Input::Attestation(other.to_string(), id(0));
        let wanted = format!("ATT_FIELDS invalid_scheme: {scheme}");
        add("12 attestation: scheme other than bip322 or legacy", scheme, input, wanted);
    }
    // No unspent outputs are an input of this program, so a bond stays what it is: a signed claim.
    for sats in ["500", "2100000000000000"] {
        let (message, envelope) = signed(&json!({"bond": sats}));
        let input = Input::Attestation(envelope.to_string(), hash(&message));
        let name = format!("bond {sats} of an address without an output: a claim that is kept, not judged");
        add("12 attestation: bond above balance", &name, input, "accepted".into());
    }
    cases
}

/// FORMATS 8.3 and OCP FEDERATION-CUSTODY 2: malformed for a reader without descriptors, accepted by one with them.
fn federated() -> Vec<Case> {
    const ROW: &str = "12 attestation: custody federation";
    let (descriptor, _) = custody_of_three();
    let address = text(&descriptor, "/address");
    let mut of = draft(&json!({}));
    of["address"] = address.into();
    let message = build(&of).unwrap();
    let id = super::custody::descriptor_id(&descriptor);
    let content = |signers: &[u8]| {
        let sign = |byte: &u8| {
            let (key, guardian) = owner(*byte);
            let sig = bip322::sign_simple_encoded(&guardian, &message, &[key.to_wif()], None).unwrap();
            json!({"address": guardian, "sig": sig.trim_start_matches("smp")})
        };
        let proof: Vec<Value> = signers.iter().map(sign).collect();
        json!({"message": message, "address": address, "custody": "federation", "federation": id, "proof": proof})
            .to_string()
    };
    let from = "derived: keys of our own, FORMATS 8.3";
    let alone = Input::Attestation(content(&[1, 3]), hash(&message));
    let seen = |signers: &[u8]| {
        let custody = raw(Media::Custody, descriptor.to_string());
        Input::Evidence(vec![custody, event(30_078, &hash(&message), &content(signers))])
    };
    vec![
        Case::new(ROW, "a reader that knows no descriptor", from, alone, "ATT_SCRIPT custody: federation"),
        Case::new(ROW, "a reader that knows the descriptor", from, seen(&[1, 3]), "attestations: accepted"),
        Case::new(ROW, "one guardian of two", from, seen(&[1]), "attestations: rejected; ATT_SIG 1"),
        Case::new(ROW, "one guardian twice", from, seen(&[1, 1]), "attestations: rejected; ATT_SIG 1"),
    ]
}
