//! Canonical attestation messages, identities and scores (oc-attest tv01 to tv20).

use std::collections::BTreeMap;
use std::path::PathBuf;

use reledger::domain::{Sats, sha256};
use reledger::evidence::attest::{self, AttestationDraft, Identity};
use reledger::evidence::score;
use serde_json::Value;

use super::{extensions, fixture, text};

/// The attest vectors that are here; `index.json` also lists three that were not copied.
fn attest_vectors() -> Vec<Value> {
    let present: Vec<Value> = (1..=23)
        .map(|number| format!("vectors/oc-attest/tv{number:02}.json"))
        .filter(|path| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path).exists())
        .map(|path| fixture(&path))
        .collect();
    assert_eq!(present.len(), 20);
    present
}

fn of_category<'v>(vectors: &'v [Value], category: &str) -> Vec<&'v Value> {
    vectors.iter().filter(|vector| vector["category"] == category).collect()
}

fn identities(input: &Value) -> Vec<Identity> {
    let listed = input["identities"].as_array().unwrap();
    listed
        .iter()
        .map(|item| Identity {
            protocol: text(item, "/protocol").to_owned(),
            identifier: text(item, "/identifier").to_owned(),
        })
        .collect()
}

#[test]
fn canonical_messages_are_built_and_read_back_as_published() {
    let vectors = attest_vectors();
    let cases = of_category(&vectors, "canonical_message");
    assert_eq!(cases.len(), 6);
    for vector in cases {
        let input = &vector["input"];
        let draft = AttestationDraft {
            address: text(input, "/address").to_owned(),
            identities: identities(input),
            nonce: text(input, "/nonce").to_owned(),
            issued_at: text(input, "/issued_at").to_owned(),
            extensions: extensions(input),
        };
        let message = attest::canonical_message(&draft).unwrap();
        assert_eq!(message, text(vector, "/expected/message"), "{}", vector["id"]);
        let parsed = attest::parse_message(&message).unwrap();
        assert_eq!(parsed.address, draft.address);
        assert_eq!(parsed.identities.join(","), attest::format_identities(&draft.identities).unwrap());
        let kept = draft.extensions.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        assert_eq!(parsed.extensions, kept);
    }
}

#[test]
fn identity_lists_are_formatted_as_published() {
    let vectors = attest_vectors();
    let cases = of_category(&vectors, "identities_format");
    assert_eq!(cases.len(), 2);
    for vector in cases {
        let formatted = attest::format_identities(&identities(&vector["input"])).unwrap();
        assert_eq!(formatted, text(vector, "/expected/formatted"));
    }
}

#[test]
fn attestation_ids_are_the_hash_of_the_message() {
    let vectors = attest_vectors();
    let cases = of_category(&vectors, "attestation_id");
    assert_eq!(cases.len(), 2);
    for vector in cases {
        let hash = sha256(text(vector, "/input/message").as_bytes());
        assert_eq!(hash.to_hex(), text(vector, "/expected/attestation_id"));
    }
}

#[test]
fn scores_are_those_the_pages_show() {
    let vectors = attest_vectors();
    let cases = of_category(&vectors, "score_v0");
    assert_eq!(cases.len(), 4);
    for vector in cases {
        let sats = Sats::new(vector["input"]["sats_bonded"].as_u64().unwrap()).unwrap();
        let score = score::score_v0(sats, vector["input"]["days_unspent"].as_u64().unwrap());
        assert_eq!(format!("{score:.2}"), format!("{:.2}", vector["expected"]["score_v0"].as_f64().unwrap()));
    }
}

#[test]
fn identities_that_could_forge_a_line_or_a_second_identity_are_refused_by_name() {
    let vectors = attest_vectors();
    let cases = of_category(&vectors, "reject");
    assert_eq!(cases.len(), 4);
    for vector in cases {
        let listed = identities(&vector["input"]);
        let reason = attest::format_identities(&listed).unwrap_err();
        assert!(reason.contains(text(vector, "/expected/reason_contains")), "{}: {reason}", vector["id"]);
        let draft = AttestationDraft { identities: listed, ..valid_draft() };
        assert_eq!(attest::canonical_message(&draft), Err(reason));
    }
    // Near misses: colons stand in real identifiers, and digits, `_` and `-` in protocols.
    for (protocol, identifier) in [("web", "https://a.example/~x"), ("did", "did:oc:00"), ("x_2-y", "alice")] {
        let near = Identity { protocol: protocol.to_owned(), identifier: identifier.to_owned() };
        assert_eq!(attest::format_identities(&[near]), Ok(format!("{protocol}:{identifier}")));
    }
}

pub(super) fn valid_draft() -> AttestationDraft {
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

#[test]
fn only_the_one_canonical_form_of_a_message_parses() {
    // FORMATS 12, attestation: no trailing LF or two, CRLF, changed wording, unsorted extensions.
    let message = attest::canonical_message(&valid_draft()).unwrap();
    assert!(attest::parse_message(&message).is_ok());
    let sorted = "aud: https://example.com\nbond: 500\n";
    let broken = [
        message.trim_end().to_owned(),
        format!("{message}\n"),
        message.replace('\n', "\r\n"),
        format!("\u{feff}{message}"),
        format!(" {message}"),
        message.replace("portable", "Portable"),
        message.replace("bind it to my identities.", "bind it to my identities"),
        message.replace("purpose: ", "purpose:"),
        message.replace("identities: \n", "identities:\n"),
        message.replace(sorted, "bond: 500\naud: https://example.com\n"),
        message.replace(sorted, "bond: 500\nbond: 500\n"),
        message.replace(sorted, "bond: \n"),
        message.replace(sorted, "bond: 5e2\n"),
        message.replace(sorted, "expires: soon\n"),
        message.replace(sorted, "no colon\n"),
        message.replace("aabbccddee\n", "AABBCCDDEE\n"),
        message.replace("aabbccddee\n", "aabbccddeeff\n"),
        message.replace("2026-04-22T12:00:00Z", "2026-04-31T12:00:00Z"),
        message.replace("identities: \n", "identities: x:b,x:a\n"),
        message.replace("identities: \n", "identities: ,\n"),
        message.replace("identities: \n", &format!("identities: x:{}\n", "a".repeat(511))),
        String::new(),
        "\n".to_owned(),
    ];
    for text in broken {
        assert_ne!(text, message);
        assert!(attest::parse_message(&text).is_err(), "{text}");
    }
    let unknown_extension = message.replace(sorted, "aud: https://example.com\nbond: 500\nzz_new: 1\n");
    assert!(attest::parse_message(&unknown_extension).is_ok());
    let longest = message.replace("identities: \n", &format!("identities: x:{}\n", "a".repeat(510)));
    assert!(attest::parse_message(&longest).is_ok());
}
