//! Attestations, bindings, guardian descriptors and BIP-322 against the published and derived vectors.
//!
//! Every expectation stands in a vector file under `fixtures/`, or in the paragraph of FORMATS that the test names. The
//! vectors of the agent protocol carry placeholder signatures, so there the verifier is injected: it believes them all.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reledger::domain::{
    AttestationId, BindingId, Code, DescriptorId, EvidenceId, Finding, NostrEventId, PublicKey32, Sats, sha256,
};
use reledger::evidence::attest::{AttestationDraft, Identity};
use reledger::evidence::binding::BindingDraft;
use reledger::evidence::{CustodyClaim, DescriptorClaim, attest, binding, custody, score};
use reledger::verify::bip322::{self, Bip322Failure};
use reledger::verify::quorum::{self, AgentRefusal, CustodyVerdict, SelfKey, Vote};
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

fn extensions(input: &Value) -> BTreeMap<String, String> {
    let members = input["extensions"].as_object().into_iter().flatten();
    members.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
}

fn codes(findings: &[Finding]) -> Vec<Code> {
    findings.iter().map(|finding| finding.code).collect()
}

// ---------------------------------------------------------------- attestation messages

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

// ---------------------------------------------------------------- attestation envelopes

/// Contents of the five archived attestation events, with the id that their `d` tag declares.
fn archived() -> Vec<(AttestationId, String)> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors/oc-relay-infra/events-25-of-52.jsonl");
    let lines = std::fs::read_to_string(path).unwrap();
    let found: Vec<_> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|event| event["kind"] == 30078)
        .filter_map(|event| {
            let d = event["tags"].as_array()?.iter().find(|tag| tag[0] == "d")?[1].as_str()?.parse().ok()?;
            Some((d, event["content"].as_str()?.to_owned()))
        })
        .collect();
    assert_eq!(found.len(), 5);
    found
}

fn judged(content: &str, declared: AttestationId) -> Result<(), Vec<Finding>> {
    let claim = attest::decode(content, declared).unwrap();
    reledger::verify::attest::judge(&claim, CARRIER).map(|signed| assert_eq!(signed.id, declared))
}

#[test]
fn archived_attestations_verify() {
    for (declared, content) in archived() {
        assert_eq!(judged(&content, declared), Ok(()));
    }
}

#[test]
fn an_attestation_under_another_id_is_att_id() {
    let all = archived();
    let findings = judged(&all[0].1, all[1].0).unwrap_err();
    assert_eq!(codes(&findings), [Code::AttId]);
    assert_eq!(findings[0].expected, all[0].0.to_string());
    assert_eq!(findings[0].observed, all[1].0.to_string());
    assert_eq!(judged(&all[0].1, all[0].0), Ok(()));
}

#[test]
fn members_that_contradict_the_message_are_att_fields() {
    let (declared, content) = archived().remove(2);
    let envelope: Value = serde_json::from_str(&content).unwrap();
    let with = |name: &str, value: Value| {
        let mut changed = envelope.clone();
        changed[name] = value;
        judged(&changed.to_string(), declared)
    };
    for (name, value) in [
        ("address", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq".into()),
        ("identities", serde_json::json!([])),
        ("identities", serde_json::json!([{"protocol": "github", "identifier": "mallory"}])),
        ("issued_at", "2026-04-27T17:10:34.188Z".into()),
        ("expires_at", "2030-01-01T00:00:00Z".into()),
        ("message_b64url", "b3JhbmdlY2hlY2sK".into()),
        ("scheme", "bip340".into()),
    ] {
        let findings = with(name, value).unwrap_err();
        assert_eq!(codes(&findings), [Code::AttFields], "{name}");
        assert_eq!(findings[0].subject.get("member"), Some(name));
        assert_eq!(name == "scheme", findings[0].observed.starts_with("invalid_scheme"));
    }
    assert_eq!(codes(&with("attestation_id", "00".into()).unwrap_err()), [Code::AttId]);
    // Near misses: a member that nothing signed repeats, and an expiry that is null.
    assert_eq!(with("verification_url", "https://elsewhere.example".into()), Ok(()));
    assert_eq!(with("expires_at", Value::Null), Ok(()));
    assert_eq!(with("relay_hints", serde_json::json!(["wss://a.example"])), Ok(()));
}

#[test]
fn an_expiry_member_must_repeat_the_signed_one() {
    let mut draft = valid_draft();
    draft.extensions.insert("expires".to_owned(), "2030-01-01T00:00:00Z".to_owned());
    let message = attest::canonical_message(&draft).unwrap();
    let mismatches = |expires: &str| {
        let content = serde_json::json!({
            "message": message, "signature": "", "scheme": "bip322", "expires_at": expires,
        });
        attest::decode(&content.to_string(), AttestationId(sha256(message.as_bytes()))).unwrap().mismatches
    };
    assert_eq!(mismatches("2030-01-01T00:00:00Z"), []);
    assert_eq!(mismatches("2030-01-02T00:00:00Z")[0].0, "expires_at");
}

#[test]
fn a_message_out_of_canonical_form_is_a_decode_error() {
    let (_, content) = archived().remove(0);
    let mut envelope: Value = serde_json::from_str(&content).unwrap();
    let message = format!("{}\n", envelope["message"].as_str().unwrap());
    let declared = AttestationId(sha256(message.as_bytes()));
    envelope["message"] = message.into();
    envelope["attestation_id"] = declared.to_string().into();
    envelope.as_object_mut().unwrap().remove("message_b64url");
    let findings = judged(&envelope.to_string(), declared).unwrap_err();
    assert_eq!(codes(&findings), [Code::AttFields]);
    assert!(findings[0].observed.starts_with("decode_error"), "{}", findings[0].observed);
}

#[test]
fn a_flipped_signature_byte_is_att_sig_and_nothing_else() {
    let (tv21, tv23) = (fixture("vectors/oc-attest/tv21.json"), fixture("vectors/oc-attest/tv23.json"));
    let judge = |vector: &Value| {
        let input = &vector["input"];
        judged(&input.to_string(), AttestationId(sha256(text(input, "/message").as_bytes())))
    };
    assert_eq!(judge(&tv21), Ok(()));
    let findings = judge(&tv23).unwrap_err();
    assert_eq!(codes(&findings), [Code::AttSig]);
    assert_eq!(findings[0].observed, "sig_invalid");
}

#[test]
fn a_signature_type_that_is_not_covered_is_att_script() {
    // FORMATS 12: a legacy signature for a segwit address is `sig_unsupported_script`.
    let (declared, content) = archived().remove(0);
    let mut envelope: Value = serde_json::from_str(&content).unwrap();
    envelope["scheme"] = "legacy".into();
    let findings = judged(&envelope.to_string(), declared).unwrap_err();
    assert_eq!(codes(&findings), [Code::AttScript]);
    assert_eq!(findings[0].observed, "sig_unsupported_script");

    // P2WSH is a script that BIP-322 covers and the attestation format does not.
    let draft = AttestationDraft {
        address: "bc1qp0ahvfh83088w49k405szqgg4f3pptr7p2g06tdxfjcd40z4lh4q95lsz9".to_owned(),
        ..valid_draft()
    };
    let message = attest::canonical_message(&draft).unwrap();
    let content = serde_json::json!({"message": message, "signature": "AA==", "scheme": "bip322"}).to_string();
    let findings = judged(&content, AttestationId(sha256(message.as_bytes()))).unwrap_err();
    assert_eq!(codes(&findings), [Code::AttScript]);
}

#[test]
fn what_is_no_attestation_envelope_is_refused_with_a_reason() {
    let declared = archived().remove(0).0;
    for content in
        ["", "{}", "null", "[]", "sweep", r#"{"probe":true}"#, r#"{"message":"x"}"#, r#"{"message":1,"signature":"x"}"#]
    {
        assert!(attest::decode(content, declared).is_err(), "{content}");
    }
    let twice = r#"{"message":"a","signature":"x","message":"b"}"#;
    assert!(attest::decode(twice, declared).unwrap_err().contains("duplicate"));
}

// ---------------------------------------------------------------- bindings

fn binding_vector(name: &str) -> Value {
    fixture(&format!("vectors/oc-attest-binding/{name}.json"))
}

fn binding_draft(input: &Value) -> BindingDraft {
    BindingDraft {
        principal: text(input, "/principal").to_owned(),
        btc: text(input, "/btc").to_owned(),
        npub: text(input, "/nostr").to_owned(),
        nonce: text(input, "/nonce").to_owned(),
        issued_at: text(input, "/issued_at").to_owned(),
        extensions: extensions(input),
    }
}

fn judge_event(event: &Value) -> Result<(), Vec<Finding>> {
    let d = event["tags"].as_array().unwrap().iter().find(|tag| tag[0] == "d").unwrap()[1].as_str().unwrap();
    let declared: BindingId = d.strip_prefix("oc-attest-binding:").unwrap().parse().unwrap();
    let key: PublicKey32 = text(event, "/pubkey").parse().unwrap();
    let claim = binding::decode(text(event, "/content"), declared).unwrap();
    reledger::verify::binding::judge(&claim, &key, CARRIER).map(|signed| assert_eq!(signed.id, declared))
}

fn refused_as(event: &Value) -> (Code, String) {
    let mut findings = judge_event(event).unwrap_err();
    assert_eq!(findings.len(), 1, "the first error wins");
    let finding = findings.remove(0);
    (finding.code, finding.observed)
}

#[test]
fn the_binding_message_and_id_are_those_published() {
    let vector = binding_vector("bv01-canonical");
    let message = binding::canonical_message(&binding_draft(&vector["input"])).unwrap();
    assert_eq!(message, text(&vector, "/expected/message"));
    assert_eq!(message.len() as u64, vector["expected"]["message_bytes_len"].as_u64().unwrap());
    assert_eq!(sha256(message.as_bytes()).to_hex(), text(&vector, "/expected/binding_id"));
    let parsed = binding::parse_message(&message).unwrap();
    assert_eq!(parsed.npub, text(&vector, "/input/nostr"));
}

#[test]
fn a_line_in_a_binding_field_is_an_unsafe_character() {
    let vector = binding_vector("bv06-unsafe-principal");
    let reason = binding::canonical_message(&binding_draft(&vector["input"])).unwrap_err();
    assert!(reason.contains(text(&vector, "/expected/reason_contains")), "{reason}");
}

#[test]
fn a_valid_binding_is_accepted() {
    assert_eq!(judge_event(&binding_vector("bv03-valid")["input"]["nostr_event"]), Ok(()));
}

#[test]
fn a_binding_text_that_nobody_signed_with_the_address_is_refused() {
    // bv08: the event carries another text than the bundle beside it, with the bundle's signature.
    let vector = binding_vector("bv08-message-mismatch");
    let event = &vector["input"]["nostr_event"];
    assert_eq!(refused_as(event), (Code::AttSig, "E_BTC_SIG_INVALID".to_owned()));
    let bundle: BindingId = text(&vector, "/input/binding_id").parse().unwrap();
    let claim = binding::decode(text(event, "/content"), bundle).unwrap();
    assert_ne!(claim.message, text(&vector, "/input/message"));
    let key: PublicKey32 = text(event, "/pubkey").parse().unwrap();
    let findings = reledger::verify::binding::judge(&claim, &key, CARRIER).unwrap_err();
    assert_eq!((codes(&findings), findings[0].observed.as_str()), (vec![Code::AttId], "E_ID_MISMATCH"));
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

#[test]
fn a_tampered_nostr_signature_leaves_the_bound_text_as_it_was() {
    // bv05 flips a nibble of the event's own signature: refused as EVT_BAD_SIG where events are judged. The id, which
    // decides what that signature is about, is the one of the valid event, and the two signatures differ.
    let (valid, tampered) = (binding_vector("bv03-valid"), binding_vector("bv05-tampered-nostr-sig"));
    let event = &tampered["input"]["nostr_event"];
    let id: NostrEventId = text(event, "/id").parse().unwrap();
    assert_eq!(id.to_string(), text(&valid, "/input/nostr_event/id"));
    assert_ne!(text(event, "/sig"), text(&valid, "/input/nostr_event/sig"));
    let message = bitcoin::secp256k1::Message::from_digest(*id.as_bytes());
    let key: PublicKey32 = text(event, "/pubkey").parse().unwrap();
    let key = bitcoin::secp256k1::XOnlyPublicKey::from_slice(key.as_bytes()).unwrap();
    let secp = bitcoin::secp256k1::Secp256k1::verification_only();
    let holds = |sig: &str| secp.verify_schnorr(&sig.parse().unwrap(), &message, &key).is_ok();
    assert!(holds(text(&valid, "/input/nostr_event/sig")));
    assert!(!holds(text(event, "/sig")));
}

// ---------------------------------------------------------------- descriptors

fn descriptor(value: &Value) -> DescriptorClaim {
    match custody::decode(&value.to_string()).unwrap() {
        CustodyClaim::Descriptor(claim) => claim,
        other => panic!("not a descriptor: {other:?}"),
    }
}

#[test]
fn the_custody_descriptor_hashes_to_its_derived_id() {
    let vector = fixture("vectors/derived/custody-descriptor.json");
    let claim = descriptor(&vector["inputs"]);
    assert_eq!(claim.canonical, text(&vector, "/expected/canonical_message"));
    assert_eq!(claim.canonical.len(), 370);
    assert_eq!(format!("fed:{}", sha256(claim.canonical.as_bytes())), text(&vector, "/expected/id"));
    assert_eq!((claim.threshold, claim.malformed.as_slice()), (3, [].as_slice()));
}

#[test]
fn the_agent_descriptor_hashes_to_its_published_id() {
    let vector = fixture("vectors/oc-agent-protocol/v18-federation-descriptor-3of5.json");
    let claim = descriptor(&vector["expected"]["descriptor"]);
    assert_eq!(claim.canonical, text(&vector, "/expected/canonical_message"));
    assert_eq!(claim.canonical.len() as u64, vector["expected"]["canonical_message_bytes_len"].as_u64().unwrap());
    assert_eq!(sha256(claim.canonical.as_bytes()).to_hex(), text(&vector, "/expected/descriptor_id"));
    assert_eq!(claim.address, None);
}

#[test]
fn graduation_and_rotation_candidates_hash_to_their_derived_ids() {
    let vector = fixture("vectors/derived/graduation-rotation-candidates.json");
    for (what, extra) in [("graduation", ""), ("rotation", "")] {
        let mut envelope: Value =
            serde_json::from_str(text(&vector, &format!("/{what}/profile_J/canonical_message"))).unwrap();
        envelope["proof"] = serde_json::json!([]);
        envelope["ots"] = Value::Null;
        let (profiles, declared) = match custody::decode(&envelope.to_string()).unwrap() {
            CustodyClaim::Graduation(claim) => (claim.profiles, claim.declared_id),
            CustodyClaim::Rotation(claim) => (claim.profiles, claim.declared_id),
            CustodyClaim::Descriptor(claim) => panic!("{extra}{claim:?}"),
        };
        assert_eq!(declared, None);
        assert_eq!(profiles.len(), 2);
        for ((profile, message), name) in profiles.into_iter().zip(["L", "J"]) {
            assert_eq!(profile, name);
            let expected = &vector[what][format!("profile_{name}")];
            assert_eq!(message, text(expected, "/canonical_message"));
            assert_eq!(message.len() as u64, expected["bytes_len"].as_u64().unwrap());
            assert_eq!(sha256(message.as_bytes()).to_hex(), text(expected, "/id"));
        }
    }
    let after = &vector["descriptor_after_rotation"];
    let id = format!("fed:{}", sha256(text(after, "/canonical_message").as_bytes()));
    assert_eq!(id, text(after, "/id"));
}

// ---------------------------------------------------------------- quorum

#[test]
fn abstract_quorum_cases_hold_under_both_rules() {
    let vector = fixture("vectors/derived/quorum-semantics.json");
    let guardians: Vec<String> =
        vector["descriptor"]["guardians"].as_array().unwrap().iter().map(|g| g.as_str().unwrap().to_owned()).collect();
    let user = text(&vector, "/descriptor/self");
    let cases = vector["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 14);
    for case in cases {
        let name = text(case, "/name");
        let graduation = case["envelope"] == "graduation";
        let all: Vec<Vote<'_>> = case["proof"]
            .as_array()
            .unwrap()
            .iter()
            .map(|listed| Vote { signer: text(listed, "/signer"), valid: listed["sig_valid"] == true })
            .collect();
        let (own, votes): (Vec<_>, Vec<_>) = all.iter().copied().partition(|vote| graduation && vote.signer == user);
        let self_key = match (graduation, own.first()) {
            (false, _) => SelfKey::NotNeeded,
            (true, None) => SelfKey::Absent,
            (true, Some(vote)) if vote.valid => SelfKey::Good,
            (true, Some(_)) => SelfKey::Bad,
        };
        let verdict = quorum::judge_custody(&quorum::count_custody(&guardians, &votes), 3, self_key);
        let expected = match text(case, "/custody") {
            "valid" => CustodyVerdict::Valid,
            "valid_with_note" => CustodyVerdict::ValidWithNote,
            "below_threshold" => CustodyVerdict::BelowThreshold,
            "self_key_missing" => CustodyVerdict::SelfKeyMissing,
            "self_key_bad" => CustodyVerdict::SelfKeyBad,
            other => panic!("{other}"),
        };
        assert_eq!(verdict, expected, "{name}");
        if let Some(agent) = case["agent"].as_str() {
            let answer = quorum::judge_agent(&guardians, 3, &all);
            assert_eq!(answer.map_or_else(AgentRefusal::code, |()| "valid"), agent, "{name}");
            if let Some(code) = case["vector_code"].as_str() {
                assert_eq!(answer.unwrap_err().vector_code(), Some(code), "{name}");
            }
        }
    }
}

#[test]
fn agent_envelopes_get_their_published_verdicts() {
    for (file, principal) in [
        ("v19-federation-delegation-3of5-valid", "principal"),
        ("v20-federation-delegation-2of5-below-threshold", "principal"),
        ("v22-federation-delegation-unknown-guardian", "principal"),
        ("v23-federation-delegation-descriptor-id-mismatch", "principal"),
        ("v25-federation-revocation-3of5-valid", "signer"),
    ] {
        let vector = fixture(&format!("vectors/oc-agent-protocol/{file}.json"));
        let envelope = &vector["expected"]["envelope"];
        assert_eq!(judge_agent_envelope(envelope, principal), vector["expected"]["error_code"].as_str(), "{file}");
    }
    // v21 and v24 were not copied; FORMATS 8.3 says what they hold.
    let vector = fixture("vectors/oc-agent-protocol/v19-federation-delegation-3of5-valid.json");
    let mut twice = vector["expected"]["envelope"].clone();
    twice["sig"]["signatures"][2] = twice["sig"]["signatures"][1].clone();
    assert_eq!(judge_agent_envelope(&twice, "principal"), Some("E_FEDERATION_DUPLICATE_GUARDIAN"));
    let mut relaxed = vector["expected"]["envelope"].clone();
    relaxed["sig"]["threshold"] = "2-of-5".into();
    assert_eq!(judge_agent_envelope(&relaxed, "principal"), Some("E_FEDERATION_THRESHOLD_MISMATCH"));
}

fn judge_agent_envelope(envelope: &Value, principal: &str) -> Option<&'static str> {
    let claim = descriptor(&envelope[principal]["descriptor"]);
    let declared: DescriptorId = text(&envelope[principal], "/descriptor_id").parse().unwrap();
    let votes: Vec<Vote<'_>> = envelope["sig"]["signatures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|listed| Vote { signer: text(listed, "/guardian_address"), valid: true })
        .collect();
    let answer = quorum::judge_agent_principal(&claim, declared, text(envelope, "/sig/threshold"), &votes);
    answer.err().map(|refusal| refusal.vector_code().unwrap())
}

#[test]
fn agent_messages_hash_to_their_published_ids() {
    for file in [
        "v19-federation-delegation-3of5-valid",
        "v25-federation-revocation-3of5-valid",
        "v26-federation-singleaddress-baseline-unchanged",
    ] {
        let vector = fixture(&format!("vectors/oc-agent-protocol/{file}.json"));
        let message = text(&vector, "/expected/canonical_message");
        assert_eq!(message.len() as u64, vector["expected"]["canonical_message_bytes_len"].as_u64().unwrap());
        assert_eq!(sha256(message.as_bytes()).to_hex(), text(&vector, "/expected/id"), "{file}");
    }
}

// ---------------------------------------------------------------- BIP-322

fn check(address: &str, message: &str, signature: &str) -> Result<(), Bip322Failure> {
    bip322::verify(address, message.as_bytes(), signature, None)
}

fn signatures(case: &Value) -> Vec<&str> {
    case["bip322_signatures"].as_array().unwrap().iter().map(|signature| signature.as_str().unwrap()).collect()
}

#[test]
fn official_basic_signatures_verify() {
    let vectors = fixture("ots/bip322/bip-0322-basic-test-vectors.json");
    let mut checked = 0;
    for case in vectors["simple"].as_array().unwrap() {
        for signature in signatures(case) {
            assert_eq!(check(text(case, "/address"), text(case, "/message"), signature), Ok(()), "{signature}");
            checked += 1;
        }
    }
    assert_eq!(checked, 6);
}

#[test]
fn official_transaction_hashes_are_reached() {
    use std::str::FromStr as _;
    let vectors = fixture("ots/bip322/bip-0322-basic-test-vectors.json");
    let cases = vectors["tx_hashes"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let address = bitcoin::Address::from_str(text(case, "/address")).unwrap().assume_checked();
        let message = text(case, "/message");
        let hash = ::bip322::tagged_hash(::bip322::BIP322_TAG, message);
        assert_eq!(PublicKey32::from_bytes(hash).to_string(), text(case, "/message_hash"));
        let to_spend = ::bip322::create_to_spend(&address, message).unwrap();
        assert_eq!(to_spend.compute_txid().to_string(), text(case, "/to_spend_tx_hash"));
        let to_sign = ::bip322::create_to_sign(&to_spend, None, ::bip322::LockParams::default()).unwrap();
        assert_eq!(to_sign.unsigned_tx.compute_txid().to_string(), text(case, "/to_sign_tx_hash"));
    }
}

#[test]
fn official_error_cases_are_all_refused() {
    for (file, expected) in [("basic", 8), ("generated", 28)] {
        let vectors = fixture(&format!("ots/bip322/bip-0322-{file}-test-vectors.json"));
        let cases = vectors["error"].as_array().unwrap();
        assert_eq!(cases.len(), expected);
        for case in cases {
            let answer = check(text(case, "/address"), text(case, "/message"), text(case, "/signature"));
            assert!(answer.is_err(), "{}", case["description"]);
        }
    }
}

#[test]
fn generated_signatures_verify_where_they_are_valid_now() {
    let vectors = fixture("ots/bip322/bip-0322-generated-test-vectors.json");
    let answers = |form: &str| -> Vec<(String, Result<(), Bip322Failure>)> {
        let cases = vectors[form].as_array().unwrap().iter();
        cases
            .flat_map(|case| signatures(case).into_iter().map(move |signature| (case, signature)))
            .map(|(case, signature)| {
                let answer = check(text(case, "/address"), text(case, "/message"), signature);
                (text(case, "/type").to_owned(), answer)
            })
            .collect()
    };
    let simple = answers("simple");
    assert_eq!(simple.len(), 4);
    assert!(simple.iter().all(|(_, answer)| answer.is_ok()), "{simple:?}");
    // Every full vector is locked to height 2016 and age 2016: valid then, inconclusive now.
    let full = answers("full");
    assert_eq!(full.len(), 10);
    for (kind, answer) in full {
        let expected =
            if kind.ends_with("time-lock") { Bip322Failure::UnsupportedScript } else { Bip322Failure::Inconclusive };
        assert_eq!(answer, Err(expected), "{kind}");
    }
    let funds = answers("proof_of_funds");
    assert_eq!(funds.len(), 3);
    assert!(funds.iter().all(|(_, answer)| *answer == Err(Bip322Failure::Inconclusive)), "{funds:?}");
}

#[test]
fn a_witness_under_another_key_is_refused() {
    let vectors = fixture("ots/bip322/forged-key-mismatch.json");
    let cases = vectors.as_array().unwrap();
    assert_eq!(cases.len(), 2);
    for case in cases {
        let answer = check(text(case, "/address"), text(case, "/message"), text(case, "/signature"));
        assert!(answer.is_err(), "{}", case["description"]);
    }
    // The first is for a script that is covered, so it is refused for its key and not for its script.
    let p2wpkh = &cases[0];
    let answer = check(text(p2wpkh, "/address"), text(p2wpkh, "/message"), text(p2wpkh, "/signature"));
    assert_eq!(answer, Err(Bip322Failure::Invalid));
}

#[test]
fn no_single_flipped_bit_of_a_real_signature_survives() {
    let vector = fixture("ots/bip322/orangecheck-real-vector.json");
    let (address, message) = (text(&vector, "/address"), text(&vector, "/message"));
    assert_eq!(sha256(message.as_bytes()).to_hex(), text(&vector, "/sha256_message"));
    assert_eq!(check(address, message, text(&vector, "/signature")), Ok(()));
    let witness = STANDARD.decode(text(&vector, "/signature")).unwrap();
    let mut refused = 0;
    for bit in 0..witness.len() * 8 {
        let mut flipped = witness.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(check(address, message, &STANDARD.encode(&flipped)).is_err(), "bit {bit}");
        refused += 1;
    }
    assert_eq!(refused, 528);
    assert_eq!(check(address, message.trim_end(), text(&vector, "/signature")), Err(Bip322Failure::Invalid));
    let crlf = message.replace('\n', "\r\n");
    assert_eq!(check(address, &crlf, text(&vector, "/signature")), Err(Bip322Failure::Invalid));
}

#[test]
fn one_signature_has_one_encoding_apart_from_white_space_around_it() {
    let vector = fixture("ots/bip322/orangecheck-real-vector.json");
    let (address, message, signature) =
        (text(&vector, "/address"), text(&vector, "/message"), text(&vector, "/signature"));
    let witness = STANDARD.decode(signature).unwrap();
    assert_eq!(check(address, message, &format!(" {signature}\n")), Ok(()));
    assert_eq!(check(address, message, &format!("smp{signature}")), Ok(()));
    let hex: String = witness.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(check(address, message, &hex), Ok(()));
    let mut trailing = witness.clone();
    trailing.push(0);
    let mut zero_hash_type = witness.clone();
    zero_hash_type[1] = 65;
    zero_hash_type.push(0);
    let (first, second) = signature.split_at(20);
    for (text, expected) in [
        (STANDARD.encode(&trailing), Bip322Failure::Decode),
        (STANDARD.encode([&[0xfd, 1, 0], &witness[1..]].concat()), Bip322Failure::Decode),
        (STANDARD.encode(&zero_hash_type), Bip322Failure::Invalid),
        (STANDARD.encode([&[2], &witness[1..], &[0]].concat()), Bip322Failure::UnsupportedScript),
        (format!("{first}\n{second}"), Bip322Failure::Decode),
        (format!("ful{signature}"), Bip322Failure::Decode),
        (format!("pof{signature}"), Bip322Failure::Inconclusive),
        (signature.trim_end_matches('B').to_owned(), Bip322Failure::Decode),
        ("/gAJPQA=".to_owned(), Bip322Failure::Decode),
        ("A".repeat(8_192), Bip322Failure::Decode),
        (String::new(), Bip322Failure::Decode),
    ] {
        assert_eq!(check(address, message, &text), Err(expected), "{text}");
    }
}

#[test]
fn an_address_of_another_network_is_refused() {
    use std::str::FromStr as _;
    let vector = fixture("vectors/oc-attest/tv21.json");
    let (message, signature) = (text(&vector, "/input/message"), text(&vector, "/input/signature"));
    let mainnet = text(&vector, "/input/address");
    let script = bitcoin::Address::from_str(mainnet).unwrap().assume_checked().script_pubkey();
    let testnet = bitcoin::Address::from_script(&script, bitcoin::Network::Testnet).unwrap().to_string();
    let verify = |address: &str, network| bip322::verify(address, message.as_bytes(), signature, network);
    assert_eq!(verify(mainnet, None), Ok(()));
    assert_eq!(verify(mainnet, Some("mainnet")), Ok(()));
    assert_eq!(verify(&testnet, Some("testnet")), Ok(()));
    assert_eq!(verify(&testnet, Some("signet")), Ok(()));
    assert_eq!(verify(&testnet, None), Err(Bip322Failure::Network));
    assert_eq!(verify(mainnet, Some("testnet")), Err(Bip322Failure::Network));
    assert_eq!(verify(mainnet, Some("moonnet")), Err(Bip322Failure::Network));
    assert_eq!(verify("bc1qnothing", None), Err(Bip322Failure::Decode));
}

#[test]
fn a_recoverable_signature_counts_for_p2pkh_only() {
    use std::str::FromStr as _;
    let secp = bitcoin::secp256k1::Secp256k1::new();
    let secret = bitcoin::secp256k1::SecretKey::from_slice(&[0x11; 32]).unwrap();
    let key = bitcoin::PrivateKey::new(secret, bitcoin::Network::Bitcoin);
    let address = bitcoin::Address::p2pkh(key.public_key(&secp), bitcoin::Network::Bitcoin).to_string();
    let signature = ::bip322::sign_legacy_encoded(&address, "hello", &key.to_wif()).unwrap();
    let scheme = |scheme: &str, address: &str, message: &str, signature: &str| {
        bip322::verify_by_scheme(scheme, address, message.as_bytes(), signature, None)
    };
    assert_eq!(scheme("legacy", &address, "hello", &signature), Ok(()));
    assert_eq!(scheme("legacy", &address, "hullo", &signature), Err(Bip322Failure::Invalid));
    let hash = bitcoin::CompressedPublicKey::try_from(key.public_key(&secp)).unwrap();
    let segwit = bitcoin::Address::p2wpkh(&hash, bitcoin::Network::Bitcoin).to_string();
    assert_eq!(scheme("legacy", &segwit, "hello", &signature), Err(Bip322Failure::UnsupportedScript));
    assert_eq!(scheme("bip322", &segwit, "hello", &signature), Err(Bip322Failure::UnsupportedScript));
    // 35..=42 are headers that BIP-137 gives to segwit addresses: the key recovers, the header does not fit P2PKH.
    let mut bytes = STANDARD.decode(&signature).unwrap();
    bytes[0] += 4;
    assert_eq!(scheme("legacy", &address, "hello", &STANDARD.encode(&bytes)), Err(Bip322Failure::Invalid));
    // A transaction-based signature is not what `legacy` names.
    let parsed = bitcoin::Address::from_str(&address).unwrap().assume_checked();
    let full = ::bip322::sign_full(&parsed, "hello", &[key], None, ::bip322::LockParams::default()).unwrap();
    let full = format!("ful{}", STANDARD.encode(bitcoin::consensus::serialize(&full)));
    assert_eq!(scheme("legacy", &address, "hello", &full), Err(Bip322Failure::Decode));
    assert_eq!(scheme("bip322", &address, "hello", &full), Ok(()));
    assert_eq!(check(&address, "hello", &format!("smp{signature}")), Err(Bip322Failure::Invalid));
}
