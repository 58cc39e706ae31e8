//! Goal: only a pinned key's word counts, and a preimage proves exactly its own hash.

use ed25519_dalek::{Signer as _, SigningKey};

use super::*;
use crate::domain::{
    Direction, FederationSlug, OperationId, PinnedKey, PublicKey32, Sats, SettlementKind, UnixSeconds,
};
use crate::evidence::settlement::canonical_bytes;

const SETTLED_AT: i64 = 1_779_408_000;
/// TREASURY 1.6: the hash whose preimage is 32 bytes of 0x42.
const PAYMENT_HASH: &str = "425ed4e4a36b30ea21b90e21c712c649e8214c29b7eaf68089d1039c6e55384c";

fn carrier() -> EvidenceId {
    EvidenceId::from_bytes([7; 32])
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn event() -> SettlementEvent {
    SettlementEvent {
        kind: SettlementKind::DistributionSettled,
        federation: FederationSlug::from("oc-me-v1"),
        operation: OperationId::from("op"),
        amount: Sats::new(1000).unwrap(),
        direction: Direction::Out,
        settled_at: UnixSeconds(SETTLED_AT),
        payment_hash: Some(PAYMENT_HASH.to_owned()),
        preimage: Some("42".repeat(32)),
        txid: None,
        gateway_pubkey: None,
        project: None,
        user: None,
        payout_binding: None,
        distribution: None,
        operator: None,
        destination: None,
        note: None,
        fee: None,
    }
}

fn signed(event: SettlementEvent) -> SettlementClaim {
    let canonical = canonical_bytes(&event);
    let sig = key().sign(&canonical).to_bytes();
    let pubkey = PublicKey32::from_bytes(key().verifying_key().to_bytes());
    SettlementClaim { event, canonical, pubkey, sig, unsigned_members: Vec::new() }
}

fn policy(from: Option<i64>, until: Option<i64>) -> TrustPolicy {
    let mut policy = TrustPolicy::orangecheck_2026_10();
    let pin = PinnedKey {
        key: PublicKey32::from_bytes(key().verifying_key().to_bytes()),
        from: from.map(UnixSeconds),
        until: until.map(UnixSeconds),
    };
    policy.settlement_keys.insert(FederationSlug::from("oc-me-v1"), vec![pin]);
    policy
}

fn judged(claim: &SettlementClaim, policy: &TrustPolicy) -> (Option<bool>, Vec<Code>) {
    let (settlement, findings) = judge(claim, carrier(), policy, false);
    let refers = |finding: &Finding| finding.evidence.iter().any(|evidence| evidence.id == carrier());
    assert!(findings.iter().all(refers), "a finding names its carrier");
    (settlement.map(|accepted| accepted.preimage_proven), findings.iter().map(|finding| finding.code).collect())
}

#[test]
fn a_settlement_by_a_pinned_key_with_its_preimage_is_proven() {
    let claim = signed(event());
    let (settlement, findings) = judge(&claim, carrier(), &policy(None, None), false);
    let settlement = settlement.unwrap();
    assert_eq!((settlement.digest, settlement.preimage_proven), (sha256(&claim.canonical), true));
    assert_eq!((settlement.event, settlement.key, findings), (claim.event, claim.pubkey, vec![]));
}

#[test]
fn a_changed_byte_breaks_the_signature() {
    let policy = policy(None, None);
    let mut amount = signed(event());
    amount.event.amount = Sats::new(1001).unwrap();
    amount.canonical = canonical_bytes(&amount.event);
    let mut sig = signed(event());
    sig.sig[63] ^= 0x80;
    let mut key = signed(event());
    key.pubkey = PublicKey32::from_bytes(SigningKey::from_bytes(&[2; 32]).verifying_key().to_bytes());
    for claim in [amount, sig, key] {
        assert_eq!(judged(&claim, &policy), (None, vec![Code::SigBad]));
    }
}

#[test]
fn a_small_order_key_signs_nothing() {
    // The identity point with R = identity and S = 0 satisfies the cofactored equation for every message.
    let mut claim = signed(event());
    let mut identity = [0; 32];
    identity[0] = 1;
    claim.pubkey = PublicKey32::from_bytes(identity);
    claim.sig = [0; 64];
    claim.sig[0] = 1;
    assert_eq!(judged(&claim, &policy(None, None)), (None, vec![Code::SigBad]));
}

#[test]
fn a_key_counts_only_for_its_federation_and_time() {
    let claim = signed(event());
    for (from, until, accepted) in [
        (Some(SETTLED_AT), Some(SETTLED_AT + 1), true),
        (Some(SETTLED_AT + 1), None, false),
        (None, Some(SETTLED_AT), false),
    ] {
        let codes = if accepted { vec![] } else { vec![Code::SigKeyUnknown] };
        assert_eq!(judged(&claim, &policy(from, until)), (accepted.then_some(true), codes));
    }
    let mut elsewhere = event();
    elsewhere.federation = FederationSlug::from("oc-me-v2");
    assert_eq!(judged(&signed(elsewhere), &policy(None, None)), (None, vec![Code::SigKeyUnknown]));
}

#[test]
fn a_bad_signature_is_reported_before_an_unknown_key() {
    let mut claim = signed(event());
    claim.sig = [0; 64];
    assert_eq!(judged(&claim, &TrustPolicy::orangecheck_2026_10()), (None, vec![Code::SigBad]));
}

#[test]
fn a_preimage_must_be_of_its_payment_hash() {
    let policy = policy(None, None);
    let with = |preimage: Option<String>, payment_hash: Option<&str>| {
        let event = SettlementEvent { preimage, payment_hash: payment_hash.map(str::to_owned), ..event() };
        judged(&signed(event), &policy)
    };
    for (preimage, payment_hash) in [
        ("43".repeat(32), Some(PAYMENT_HASH)),
        ("42".repeat(31), Some(PAYMENT_HASH)),
        ("42".repeat(33), Some(PAYMENT_HASH)),
        ("zz".repeat(32), Some(PAYMENT_HASH)),
        (String::new(), Some(PAYMENT_HASH)),
        ("42".repeat(32), Some("425e")),
        ("42".repeat(32), None),
    ] {
        let verdict = with(Some(preimage.clone()), payment_hash);
        assert_eq!(verdict, (Some(false), vec![Code::PreInvalid]), "{preimage} {payment_hash:?}");
    }
    assert_eq!(with(Some("42".repeat(32)), Some(&PAYMENT_HASH.to_uppercase())), (Some(true), vec![]));
    assert_eq!(with(None, Some(PAYMENT_HASH)), (Some(false), vec![]), "no preimage is judged elsewhere");
    assert_eq!(with(None, None), (Some(false), vec![]));
}
