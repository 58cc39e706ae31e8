//! Nostr events, OC Me envelopes and key sets, from raw bytes to verdicts.
//!
//! Published and derived vectors decide what is right. Where a case needs an event of our own, `nostr-sdk` builds and
//! signs it, so that our serialisation is never the judge of itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot build its world has failed")]

use std::ops::ControlFlow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bitcoin::secp256k1::Secp256k1;
use bitcoin::{Address, CompressedPublicKey, Network, PrivateKey};
use ed25519_dalek::{Signer as _, SigningKey};
use nostr_sdk::prelude::{EventBuilder, JsonUtil as _, Keys, Kind, SecretKey, Tag, Timestamp};
use serde_json::{Value, json};

use reledger::domain::{Counts, Digest32, EnvelopeId, EvidenceId, Finding, Media, RawEvidence, TrustPolicy, sha256};
use reledger::evidence::{CandidateRule, OcMeKind, record};
use reledger::store::{EvidenceStore as _, MemoryStore};
use reledger::verify::{VerifiedSet, Verifier};

// ---------------------------------------------------------------- the bench

pub(crate) fn vector(path: &str) -> String {
    std::fs::read_to_string(format!("{}/fixtures/vectors/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

pub(crate) fn raw(media: Media, bytes: impl Into<Vec<u8>>) -> RawEvidence {
    RawEvidence { media, about: String::new(), bytes: bytes.into() }
}

fn verify_in_batches(evidence: &[RawEvidence], batch: usize) -> VerifiedSet {
    verify_under(&TrustPolicy::orangecheck_2026_10(), evidence, batch)
}

fn verify_under(policy: &TrustPolicy, evidence: &[RawEvidence], batch: usize) -> VerifiedSet {
    let identified: Vec<(EvidenceId, RawEvidence)> = evidence.iter().map(|raw| (raw.id(), raw.clone())).collect();
    let mut verifier = Verifier::new(policy);
    identified.chunks(batch).for_each(|batch| verifier.first_pass(batch));
    verifier.begin_second_pass();
    identified.chunks(batch).for_each(|batch| verifier.second_pass(batch));
    verifier.finish()
}

pub(crate) fn verify(evidence: &[RawEvidence]) -> VerifiedSet {
    verify_in_batches(evidence, 1000)
}

pub(crate) fn codes(set: &VerifiedSet) -> Vec<&'static str> {
    set.findings.iter().map(|finding: &Finding| finding.code.name()).collect()
}

pub(crate) fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn jwk(kid: &str, seed: u8) -> Value {
    let x = URL_SAFE_NO_PAD.encode(signing_key(seed).verifying_key().as_bytes());
    json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "alg": "EdDSA", "use": "sig"})
}

pub(crate) fn jwks(media: Media, keys: &[Value]) -> RawEvidence {
    raw(media, json!({ "keys": keys }).to_string())
}

/// The envelope host's set with kid `k1`.
pub(crate) fn keys() -> RawEvidence {
    jwks(Media::Jwks, &[jwk("k1", 1)])
}

pub(crate) fn event_at(kind: u16, d: &str, content: &str, tags: &[[&str; 2]], at: u64) -> RawEvidence {
    let author = Keys::new(SecretKey::from_slice(&[7; 32]).unwrap());
    let tags = [["d", d]].iter().chain(tags).map(|tag| Tag::parse(*tag).unwrap()).collect::<Vec<_>>();
    let event = EventBuilder::new(Kind::Custom(kind), content)
        .tags(tags)
        .allow_self_tagging()
        .custom_created_at(Timestamp::from(at))
        .sign_with_keys(&author)
        .unwrap();
    raw(Media::NostrEvent, event.as_json())
}

pub(crate) fn event(kind: u16, d: &str, content: &str) -> RawEvidence {
    event_at(kind, d, content, &[], 1_780_000_000)
}

pub(crate) const BODY: &str = r#"{"v":2,"kind":"oc-me-event","class":"C","subtype":"session_creation","user_address":"u","site":{"domain":"fold.example","display_name":"Fold"},"gross_fee_sats":60,"platform_fee_sats":12,"user_earned_sats":39,"site_rebate_sats":9,"occurred_at":"2026-04-19T03:33:23.850Z"}"#;

pub(crate) fn d_of(body: &str) -> String {
    format!("oc-me-event:{}", sha256(body.as_bytes()))
}

pub(crate) fn signature(body: &str, seed: u8) -> String {
    faster_hex::hex_string(&signing_key(seed).sign(body.as_bytes()).to_bytes())
}

/// A wrapped record of the body, signed by `k1`; `change` may spoil it.
pub(crate) fn wrapped(body: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut record = json!({
        "canonical_b64": STANDARD.encode(body),
        "sig": signature(body, 1),
        "kid": "k1",
    });
    change(&mut record);
    record.to_string()
}

pub(crate) fn wrapped_event(body: &str, change: impl FnOnce(&mut Value)) -> RawEvidence {
    event(30087, &d_of(body), &wrapped(body, change))
}

/// Population `envelopes` and codes for one carrier beside the key set.
fn outcome(carrier: RawEvidence) -> (Counts, Vec<&'static str>) {
    let set = verify(&[keys(), carrier]);
    (set.population.get("envelopes"), codes(&set))
}

const ACCEPTED: Counts = Counts { received: 0, unique: 1, accepted: 1, pending: 0, rejected: 0, quarantined: 0 };
const REJECTED: Counts = Counts { accepted: 0, rejected: 1, ..ACCEPTED };
const PENDING: Counts = Counts { accepted: 0, pending: 1, ..ACCEPTED };
const QUARANTINED: Counts = Counts { accepted: 0, quarantined: 1, ..ACCEPTED };

// ---------------------------------------------------------------- archived events

#[test]
fn the_archive_verifies_whole_and_its_probes_are_named() {
    let archive = vector("oc-relay-infra/events-25-of-52.jsonl");
    let evidence: Vec<RawEvidence> = archive.lines().map(|line| raw(Media::NostrEvent, line)).collect();
    let set = verify(&evidence);
    let counts = set.population.get("events");
    assert_eq!((counts.unique, counts.accepted, counts.quarantined, counts.rejected), (25, 18, 7, 0));
    assert_eq!(set.attestations.len(), 5);
    assert_eq!(set.events.len(), 25);
    assert_eq!(codes(&set), ["EVT_NOT_ENVELOPE"; 7]);
    assert_eq!(set.population.get("probes").quarantined, 7);
    assert_eq!(set.population.get("stored").accepted, 13);
    let devices = set.population.get("device_records");
    assert_eq!((devices.unique, devices.accepted, devices.quarantined), (12, 9, 3));
}

#[test]
fn ids_of_odd_texts_agree_with_nostr_sdk() {
    for content in ["\u{0}\u{1}\u{8}\u{b}\u{c}\u{1f}", "\u{7f}\u{80}\u{2028}\u{fffd}", "\"\\/\r\n\t", "\u{1f600}\u{e9}"]
    {
        let set = verify(&[event_at(30112, "oc-lock-chat-seal:x", content, &[["x", content]], 1)]);
        assert_eq!(set.population.get("events").accepted, 1, "{content:?}: {:?}", codes(&set));
    }
}

// ---------------------------------------------------------------- activity attestations

// ---------------------------------------------------------------- envelopes

#[test]
fn each_candidate_rule_finds_the_bytes_it_is_for() {
    let pretty = BODY.replace(',', ",\n ");
    let sorted = serde_json::from_str::<Value>(BODY).unwrap().to_string();
    let member = |body: &str, name: &str| {
        let sig = signature(body, 1);
        format!(r#"{{"kid":"k1","sig":"{sig}","{name}":{body}}}"#)
    };
    let inline = |body: &str, signed: &str| {
        body.replacen(
            '{',
            &format!(r#"{{"id":"{}","sig":"{}","kid":"k1","#, sha256(signed.as_bytes()), signature(signed, 1)),
            1,
        )
    };
    let tags = |body: &str| [["sig".to_owned(), signature(body, 1)], ["kid".to_owned(), "k1".to_owned()]];
    let with_lf = format!("{BODY}\n");
    let cases: Vec<(CandidateRule, String, String, bool)> = vec![
        (CandidateRule::CanonicalMember, BODY.to_owned(), wrapped(BODY, |_| ()), false),
        (CandidateRule::Verbatim, pretty.clone(), pretty.clone(), true),
        (CandidateRule::VerbatimWithoutLf, BODY.to_owned(), with_lf.clone(), true),
        (CandidateRule::VerbatimWithLf, with_lf, BODY.to_owned(), true),
        (CandidateRule::MemberSlice, pretty.clone(), member(&pretty, "envelope"), false),
        (CandidateRule::MemberSlice, pretty.clone(), member(&pretty, "event"), false),
        (CandidateRule::StrippedReceivedOrder, BODY.to_owned(), inline(&pretty, BODY), false),
        (CandidateRule::StrippedJcs, sorted.clone(), inline(&pretty, &sorted), false),
    ];
    for (rule, signed, content, tagged) in cases {
        let tags = tags(&signed);
        let tags: Vec<[&str; 2]> = tags.iter().filter(|_| tagged).map(|[a, b]| [a.as_str(), b.as_str()]).collect();
        let set = verify(&[keys(), event_at(30087, &d_of(&signed), &content, &tags, 1)]);
        assert_eq!(codes(&set), [""; 0], "{rule:?}");
        let verified = set.envelopes.values().next().unwrap();
        let envelope = verified.fact();
        assert_eq!((envelope.rule, envelope.id.0), (rule, sha256(signed.as_bytes())));
    }
}

#[test]
fn signatures_are_read_from_every_listed_place_and_form() {
    let sig = signature(BODY, 1);
    let base64 = STANDARD.encode(signing_key(1).sign(BODY.as_bytes()).to_bytes());
    for (name, text) in [("sig", &sig), ("signature", &sig), ("sig_hex", &sig), ("sig", &base64)] {
        let change = |record: &mut Value| {
            record.as_object_mut().unwrap().remove("sig");
            record[name] = json!(text);
        };
        assert_eq!(outcome(wrapped_event(BODY, change)), (ACCEPTED, vec![]), "{name}");
    }
}

#[test]
fn an_envelope_without_signature_or_kid_is_not_counted() {
    for spoil in ["sig", "kid"] {
        let (counts, codes) = outcome(wrapped_event(BODY, |record| record[spoil] = Value::Null));
        assert_eq!((counts, codes), (REJECTED, vec!["ENV_UNSIGNED"]), "{spoil}");
    }
    assert_eq!(outcome(wrapped_event(BODY, |record| record["sig"] = json!("00"))).1, ["ENV_UNSIGNED"]);
    assert_eq!(outcome(wrapped_event(BODY, |_| ())), (ACCEPTED, vec![]));
}

#[test]
fn another_key_or_another_message_makes_a_bad_signature() {
    for sig in [signature(BODY, 2), signature("{}", 1), "00".repeat(64)] {
        let (counts, codes) = outcome(wrapped_event(BODY, |record| record["sig"] = json!(sig)));
        assert_eq!((counts, codes), (REJECTED, vec!["ENV_SIG_BAD"]));
    }
}

#[test]
fn the_kid_decides_which_key_finding_it_is() {
    let ed448 = json!({"kty": "OKP", "crv": "Ed448", "x": "AA", "kid": "k4"});
    let sets = [
        jwks(Media::Jwks, &[jwk("k1", 1), jwk("both", 1), ed448]),
        jwks(Media::AuthJwks, &[jwk("auth", 1), jwk("both", 2)]),
    ];
    let judge = |kid: &str, alg: Option<&str>| {
        let carrier = wrapped_event(BODY, |record| {
            record["kid"] = json!(kid);
            if let Some(alg) = alg {
                record["alg"] = json!(alg);
            }
        });
        let set = verify(&[&sets[..], &[carrier]].concat());
        (set.population.get("envelopes"), codes(&set))
    };
    assert_eq!(judge("k9", None), (PENDING, vec!["KEY_UNKNOWN"]));
    assert_eq!(judge("auth", None), (REJECTED, vec!["KEY_WRONG_SET"]));
    assert_eq!(judge("k4", None), (REJECTED, vec!["KEY_ALG"]));
    assert_eq!(judge("k1", Some("ES256K")), (REJECTED, vec!["KEY_ALG"]));
    assert_eq!(judge("k1", Some("EdDSA")), (ACCEPTED, vec![]));
    assert_eq!(judge("both", None), (ACCEPTED, vec![]));
}

#[test]
fn a_rewritten_kid_is_found_and_either_key_still_verifies() {
    let sets = [jwks(Media::Jwks, &[jwk("k1", 1)]), jwks(Media::Jwks, &[jwk("k1", 2)])];
    let set = verify(&[&sets[..], &[wrapped_event(BODY, |_| ())]].concat());
    assert_eq!((codes(&set), set.envelopes.len()), (vec!["KEY_SET_REWRITTEN"], 1));
    let again = [jwks(Media::Jwks, &[jwk("k1", 1)]), jwks(Media::Jwks, &[jwk("k1", 1), jwk("k2", 2)])];
    assert_eq!(codes(&verify(&again)), [""; 0]);
}

#[test]
fn an_unsigned_member_may_repeat_but_never_contradict_the_signed_bytes() {
    let id = sha256(BODY.as_bytes()).to_string();
    let contradictions = [
        json!({"user_earned_sats": 40}),
        json!({"id": "ab".repeat(32)}),
        json!({"envelope": {"user_earned_sats": 40}}),
        json!({"event": {"site": {"domain": "evil.example", "display_name": "Fold"}}}),
        json!({"attestation": {"id": id, "v": 3}, "v": 2}),
    ];
    let repetitions = [
        json!({"user_earned_sats": 39, "id": id, "note": "not signed"}),
        json!({"envelope": {"id": id, "site": {"display_name": "Fold", "domain": "fold.example"}}}),
        json!({"verify_url": "https://me.ochk.io/verify/x"}),
    ];
    let judge = |extra: &Value| {
        outcome(wrapped_event(BODY, |record| {
            record.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        }))
    };
    for extra in &contradictions {
        assert_eq!(judge(extra), (REJECTED, vec!["ENV_WRAPPER_DISAGREES"]), "{extra}");
    }
    for extra in &repetitions {
        assert_eq!(judge(extra), (ACCEPTED, vec![]), "{extra}");
    }
}

#[test]
fn signed_bytes_that_cannot_be_counted_say_why() {
    let cases = [
        (r#""v":2"#, r#""v":2,"v":2"#, REJECTED, "ENV_DUPLICATE_KEY"),
        (r#""domain""#, r#""domain":"x","domain""#, REJECTED, "ENV_DUPLICATE_KEY"),
        (r#""class":"C""#, r#""class":"Z""#, QUARANTINED, "ENV_SCHEMA"),
        ("60", "-60", REJECTED, "AMT_RANGE"),
        ("60", "60.5", REJECTED, "AMT_RANGE"),
        ("60", "9007199254740992", REJECTED, "AMT_RANGE"),
        ("oc-me-event", "oc-me-payment", QUARANTINED, "EVT_KIND_MISMATCH"),
    ];
    for (replace, by, counts, code) in cases {
        let body = BODY.replacen(replace, by, 1);
        assert_eq!(outcome(wrapped_event(&body, |_| ())), (counts, vec![code]), "{by}");
    }
    assert_eq!(outcome(wrapped_event(&BODY.replacen("60", "61", 1), |_| ())), (ACCEPTED, vec![]));
}

#[test]
fn a_duplicate_key_in_the_wrapper_makes_it_unreadable() {
    let content = wrapped(BODY, |_| ()).replacen('{', r#"{"kid":"k0","#, 1);
    let (counts, codes) = outcome(event(30087, &d_of(BODY), &content));
    assert_eq!((counts, codes), (REJECTED, vec!["ENV_DUPLICATE_KEY"]));
}

#[test]
fn content_and_coordinates_must_agree() {
    let hex = "ab".repeat(32);
    let d = |name: &str| format!("{name}:{hex}");
    let body = |kind: u16, d: &str, content: &str| codes(&verify(&[keys(), event(kind, d, content)]));
    assert_eq!(body(30087, &d("oc-me-event"), r#"{"kind":"oc-me-payment"}"#), ["EVT_KIND_MISMATCH"]);
    assert_eq!(body(30087, &d("oc-me-event"), r#"{"event":{"kind":"oc-me-drop"}}"#), ["EVT_KIND_MISMATCH"]);
    assert_eq!(body(30087, &d("oc-me-event"), r#"{"kind":"orangecheck-graduation"}"#), ["EVT_KIND_MISMATCH"]);
    assert_eq!(body(30083, &d("oc-stamp"), r#"{"kind":"oc-me-event"}"#), ["EVT_KIND_MISMATCH"]);
    // Agreement, so the next check speaks.
    assert_eq!(body(30087, &d("oc-me-event"), r#"{"kind":"oc-billable-event"}"#), ["ENV_ADDRESS_MISMATCH"]);
    assert_eq!(body(30083, &d("oc-stamp"), r#"{"kind":"oc-stamp"}"#), [""; 0]);
    assert_eq!(body(30087, &d("oc-me-event"), r#"{"probe":true}"#), ["EVT_NOT_ENVELOPE"]);
    assert_eq!(body(30087, &d("oc-me-event"), "not json"), ["EVT_NOT_ENVELOPE"]);
    assert_eq!(body(30087, &d("oc-me-event").to_uppercase(), "{}"), ["EVT_NOT_ENVELOPE"]);
    assert_eq!(body(30091, "x", "{}"), ["SRC_UNKNOWN_KIND"]);
}

#[test]
fn events_of_others_are_counted_in_one_finding_per_kind() {
    let set = verify(&[event(1, "x", "hello"), event(1, "y", "hello"), event(30078, "other-app", "{}")]);
    assert_eq!(codes(&set), ["EVT_NOT_ENVELOPE"; 2]);
    assert!(set.findings.iter().any(|finding| finding.observed == "2 events of others"));
    assert_eq!(set.population.get("events"), Counts { unique: 3, quarantined: 3, ..Counts::default() });
}

#[test]
fn a_blank_replacement_never_removes_what_is_held() {
    let blank = event_at(30087, &d_of(BODY), "", &[], 1_790_000_000);
    let held = verify(&[keys(), wrapped_event(BODY, |_| ()), blank.clone()]);
    assert_eq!((codes(&held), held.envelopes.len()), (vec!["EVT_BLANKED"], 1));
    let alone = verify(&[keys(), blank]);
    assert_eq!((codes(&alone), alone.blanks.len()), (vec!["EVT_NOT_ENVELOPE"], 1));
}

#[test]
fn undecodable_events_are_kept_as_malformed() {
    let set = verify(&[raw(Media::NostrEvent, r#"{"id":1,"id":2}"#)]);
    assert_eq!(codes(&set), ["EVT_MALFORMED"]);
    assert!(set.findings[0].observed.contains("offset 8"), "{}", set.findings[0].observed);
    assert_eq!(set.population.get("events").quarantined, 1);
}

// ---------------------------------------------------------------- the driver

fn world() -> Vec<RawEvidence> {
    let archive = vector("oc-relay-infra/events-25-of-52.jsonl");
    let mut evidence: Vec<RawEvidence> = archive.lines().map(|line| raw(Media::NostrEvent, line)).collect();
    evidence.push(keys());
    evidence.push(jwks(Media::Jwks, &[jwk("k1", 1), jwk("k2", 2)]));
    evidence.push(wrapped_event(BODY, |_| ()));
    evidence.push(wrapped_event(BODY, |record| {
        record["kid"] = json!("k2");
        record["sig"] = json!(signature(BODY, 2));
    }));
    evidence.push(wrapped_event(BODY, |record| record["user_earned_sats"] = json!(40)));
    evidence.push(event(30087, &d_of(BODY), ""));
    evidence.push(event(1, "x", "hello"));
    evidence.push(raw(Media::Settlement, "{"));
    evidence
}

/// What a store gives of evidence that was put into it, however often.
fn stored(evidence: &[RawEvidence]) -> Vec<RawEvidence> {
    let (mut store, mut held) = (MemoryStore::default(), Vec::new());
    evidence.chunks(5).for_each(|batch| drop(store.put(batch).unwrap()));
    let scanned = store.scan(&Media::ALL, &mut |_, piece| {
        held.push(piece);
        ControlFlow::Continue(())
    });
    scanned.unwrap();
    held
}

#[test]
fn batches_order_and_repetition_change_nothing() {
    let evidence = world();
    let expected = format!("{:?}", verify(&evidence));
    let mut reversed = evidence.clone();
    reversed.reverse();
    let doubled = stored(&[evidence.clone(), reversed.clone()].concat());
    assert_eq!(doubled.len(), evidence.len());
    for (other, batch) in [(&evidence, 1), (&reversed, 1000), (&reversed, 3), (&doubled, 7)] {
        assert_eq!(format!("{:?}", verify_in_batches(other, batch)), expected, "batches of {batch}");
    }
}

#[test]
fn every_item_of_every_population_has_exactly_one_fate() {
    let set = verify(&world());
    assert!(set.population.0.len() > 5);
    for (name, counts) in &set.population.0 {
        assert_eq!(counts.unique, counts.accepted + counts.pending + counts.rejected + counts.quarantined, "{name}");
    }
}

#[test]
fn one_envelope_in_many_carriers_is_one_envelope() {
    let set = verify(&world());
    let (id, envelope) = set.envelopes.iter().next().unwrap();
    assert_eq!((set.envelopes.len(), id.0), (1, sha256(BODY.as_bytes())));
    assert_eq!(envelope.carriers().len(), 2);
    // Of two valid signatures the lowest kid stands, whoever came first.
    assert_eq!(envelope.fact().kid.as_str(), "k1");
    assert_eq!(set.population.get("envelopes"), ACCEPTED);
}

#[test]
fn a_compromised_kid_never_stands_for_an_envelope_that_a_clean_one_signed_too() {
    let mut policy = TrustPolicy::orangecheck_2026_10();
    policy
        .compromised
        .push(reledger::domain::CompromisedKey { kid: "k1".into(), at: reledger::domain::UnixSeconds(0) });
    let set = verify_under(&policy, &world(), 1000);
    assert_eq!(set.envelopes.values().next().unwrap().fact().kid.as_str(), "k2");
}

#[test]
fn of_two_kids_that_leaked_the_one_that_held_longer_stands_for_the_bytes() {
    let leak =
        |kid: &str, at| reledger::domain::CompromisedKey { kid: kid.into(), at: reledger::domain::UnixSeconds(at) };
    for (first, second, stands) in [(10, 20, "k2"), (20, 10, "k1"), (10, 10, "k1")] {
        let mut policy = TrustPolicy::orangecheck_2026_10();
        // A later registration of a kid takes nothing from an earlier one.
        policy.compromised = vec![leak("k1", 30), leak("k1", first), leak("k2", second)];
        let set = verify_under(&policy, &world(), 1000);
        assert_eq!(set.envelopes.values().next().unwrap().fact().kid.as_str(), stands, "{first} {second}");
    }
}

#[test]
fn the_ots_member_of_an_accepted_carrier_anchors_the_envelope_and_that_of_a_rejected_one_does_not() {
    let ots = json!({"status": "pending", "proof": "AAAA", "calendars": [], "block_height": null, "block_hash": null});
    let id = Digest32(sha256(BODY.as_bytes()).0);
    let good = verify(&[keys(), wrapped_event(BODY, |record| record["ots"] = ots.clone())]);
    assert_eq!((good.anchors.contains_key(&id), good.population.get("proofs").unique), (true, 1));
    let bad = verify(&[
        keys(),
        wrapped_event(BODY, |record| {
            record["ots"] = ots.clone();
            record["sig"] = json!("00".repeat(64));
        }),
    ]);
    assert_eq!((bad.anchors.len(), bad.population.get("proofs").unique), (0, 0));
}

#[test]
fn a_record_outside_nostr_is_read_by_the_same_rules() {
    let id = EnvelopeId(sha256(BODY.as_bytes()));
    let carrier = record(OcMeKind::Event, id, wrapped(BODY, |_| ()).as_bytes()).unwrap();
    assert_eq!(carrier.candidates.tried()[0], (CandidateRule::CanonicalMember, BODY.as_bytes().to_vec()));
    assert!(carrier.candidates.tried().len() <= 8);
    assert!(record(OcMeKind::Event, id, b"[]").is_err());
}

// ---------------------------------------------------------------- what the passes do for each other

fn fixture(path: &str) -> Vec<u8> {
    std::fs::read(format!("{}/fixtures/ots/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    let mut bytes = vec![0; text.len() / 2];
    faster_hex::hex_decode(text.as_bytes(), &mut bytes).unwrap();
    bytes
}

#[test]
fn headers_given_at_any_point_of_the_first_pass_anchor_a_proof_of_the_second() {
    let table = String::from_utf8(fixture("headers/headers.csv")).unwrap();
    let header = table.lines().find_map(|line| line.strip_prefix("358391,")).unwrap();
    let header = RawEvidence { media: Media::Headers, about: "358391".to_owned(), bytes: unhex(header) };
    let proof = raw(Media::OtsProof, fixture("proofs/hello-world.txt.ots"));
    let digest = sha256(&fixture("proofs/hello-world.txt"));
    let anchored = verify(&[proof.clone(), header]);
    assert_eq!(anchored.anchors.get(&digest).unwrap().best().unwrap().height.0, 358_391);
    assert_eq!(anchored.population.get("proofs").accepted, 1);
    assert_eq!(anchored.population.get("headers").unique, 1);
    let alone = verify(&[proof]);
    assert!(alone.anchors.get(&digest).unwrap().confirmed.is_empty());
    assert_eq!(alone.population.get("proofs").pending, 1);
}

#[test]
fn a_calendar_reply_completes_the_pending_proof_that_asked_for_it() {
    // The real reply of the index, and a detached proof that leads from a digest to its commitment: a calendar prepends
    // its four bytes of time and appends eight of its own (OTS 2.3).
    let host = "finney.calendar.eternitywall.com";
    let commitment = "5ab943393d2f02b851f36479779930332720ce7c1e95f307d042f9819e42e5735d85f1a1998392022dd42958";
    let reply = RawEvidence {
        media: Media::CalendarReply,
        about: format!("{host}/{commitment}"),
        bytes: fixture(&format!("calendar-responses/{host}/{commitment}.timestamp")),
    };
    let message = unhex(commitment);
    let uri = format!("https://{host}");
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
    let payload = [&[length(uri.as_bytes())], uri.as_bytes()].concat();
    let proof = [
        &b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94\x01\x08"[..],
        &message[4..36],
        &[0xf1, 4],
        &message[..4],
        &[0xf0, 8],
        &message[36..],
        &[0x00],
        &[0x83, 0xdf, 0xe3, 0x0d, 0x2e, 0xf9, 0x0c, 0x8e, length(&payload)],
        &payload,
    ]
    .concat();
    let proof = raw(Media::OtsProof, proof);
    let headers = fixture("headers/run_515276_515295.headers");
    let headers = RawEvidence { media: Media::Headers, about: "515276".to_owned(), bytes: headers };
    let digest = Digest32(message[4..36].try_into().unwrap());

    let complete = verify(&[reply.clone(), proof.clone(), headers.clone()]);
    assert_eq!(complete.anchors.get(&digest).unwrap().best().unwrap().height.0, 515_294);
    assert_eq!(complete.population.get("calendar_replies").accepted, 1);
    let proofs = complete.population.get("proofs");
    assert_eq!((proofs.unique, proofs.accepted, proofs.pending), (1, 1, 0));
    assert_eq!(complete.population.get("headers").accepted, 20);
    let unanswered = verify(&[proof, headers.clone()]);
    assert_eq!(
        (
            unanswered.anchors.get(&digest).unwrap().confirmed.len(),
            unanswered.anchors.get(&digest).unwrap().pending.len()
        ),
        (0, 1)
    );
    assert_eq!(unanswered.population.get("proofs").pending, 1);
    let unasked = verify(&[reply, headers]);
    assert_eq!((unasked.anchors.len(), unasked.population.get("calendar_replies").pending), (0, 1));
}

/// A key of one repeated byte with its P2WPKH address.
pub(crate) fn owner(byte: u8) -> (PrivateKey, String) {
    let key = PrivateKey::new(bitcoin::secp256k1::SecretKey::from_slice(&[byte; 32]).unwrap(), Network::Bitcoin);
    let public = CompressedPublicKey::from_private_key(&Secp256k1::new(), &key).unwrap();
    (key, Address::p2wpkh(&public, Network::Bitcoin).to_string())
}

/// A 2-of-3 descriptor, and a graduation from it that two guardians and the user signed (FORMATS 8.1, 8.4 profile L).
pub(crate) fn custody() -> (Value, Value) {
    let user = owner(0x70).1;
    let mut guardians = [1, 2, 3].map(|byte| owner(byte).1);
    let listed: Vec<Value> = guardians.iter().map(|address| json!({"address": address, "alg": "bip322"})).collect();
    let descriptor = json!({
        "v": 1, "kind": "attest-federation-custody", "address": user, "threshold": "2-of-3", "guardians": listed,
    });
    guardians.sort();
    let lines = guardians.map(|address| format!("guardian: {address}")).join("\n");
    let text = format!("oc-attest:federation-custody:v1\naddress: {user}\nthreshold: 2-of-3\n{lines}");
    let from = format!("fed:{}", sha256(text.as_bytes()));
    let message = format!(
        "oc-attest:graduation:v1\naddress: {user}\nfrom_federation: {from}\nto: single-key\ngraduated_at: 2026-06-15T14:00:00Z"
    );
    let sign = |byte: u8, kind: &str| {
        let (key, address) = owner(byte);
        let sig = bip322::sign_simple_encoded(&address, &message, &[key.to_wif()], None).unwrap();
        json!({"address": address, "sig": sig.trim_start_matches("smp"), "kind": kind})
    };
    let graduation = json!({
        "v": 1, "kind": "orangecheck-graduation", "address": user, "from_federation": from, "to": "single-key",
        "graduated_at": "2026-06-15T14:00:00Z", "proof": [sign(1, "guardian"), sign(3, "guardian"), sign(0x70, "self-key")],
    });
    (descriptor, graduation)
}

#[test]
fn a_graduation_waits_for_its_descriptor_whatever_the_order() {
    let (descriptor, graduation) = custody();
    let descriptor = raw(Media::Custody, descriptor.to_string());
    let file = raw(Media::Custody, graduation.to_string());
    let in_event = event(30087, "graduation", &graduation.to_string());

    let alone = verify(&[file.clone(), in_event.clone()]);
    assert_eq!((alone.population.get("graduations").pending, alone.population.get("events").pending), (1, 1));
    assert!(alone.graduations.is_empty());
    for evidence in [[&descriptor, &file, &in_event], [&in_event, &file, &descriptor]] {
        let set = verify_in_batches(&evidence.map(Clone::clone), 1);
        let counts = set.population.get("graduations");
        assert_eq!((counts.unique, counts.accepted, set.graduations.len()), (1, 1, 1), "{:?}", codes(&set));
        assert_eq!(set.graduations.values().next().unwrap().carriers().len(), 2);
        assert_eq!(set.population.get("events").accepted, 1);
        assert_eq!(set.population.get("descriptors").accepted, 1);
    }
    let mut unsigned = graduation;
    unsigned["proof"] = json!([]);
    let refused = verify(&[descriptor, raw(Media::Custody, unsigned.to_string())]);
    assert_eq!((refused.population.get("graduations").rejected, refused.graduations.len()), (1, 0));
    assert!(codes(&refused).contains(&"REB_QUORUM"), "{:?}", codes(&refused));
}
