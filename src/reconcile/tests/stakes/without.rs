//! What is about no amount: how it is planted, what must not give it, and why nothing is at stake.

use ed25519_dalek::{Signer as _, SigningKey};

use super::super::matching::{MATCHES, twins};
use super::super::statement::sampled;
use super::super::*;
use super::plant::deposit;
use crate::domain::{Media, PinnedKey, PublicKey32, RawEvidence};
use crate::evidence::{Decoded, SettlementClaim, decode, settlement::canonical_bytes};
use crate::ledger::testkit::plain_settlement;
use crate::verify::settlement as signed;

/// The code, what produces it, what must not, and why it is about no amount.
type Without = (Code, fn(&mut Scene), fn(&mut Scene), &'static str);

/// A bug of ours: no evidence brings it about. `ledger::treasury` has its case, in a book that is made to be wrong.
pub(super) const NOT_PLANTED: Code = Code::ConsBug;

pub(super) const WITHOUT: &[Without] = &[
    (
        Code::SigBad,
        |s| sealed(s, true, |x| x.sig[0] ^= 1),
        |s| sealed(s, true, |_| ()),
        "nobody signed the amount: it is nobody's word",
    ),
    (
        Code::SigKeyUnknown,
        |s| sealed(s, false, |_| ()),
        |s| sealed(s, true, |_| ()),
        "nobody vouched for who signed the amount; what it would have settled is missing, and has its own amount",
    ),
    (
        Code::SigUnsignedFields,
        |s| decoded(s, ",\"amount\":1"),
        |s| decoded(s, " "),
        "amounts are read from signed members only",
    ),
    (
        Code::OpReplay,
        |s| carried_by(s, "deposit once more"),
        |s| carried_by(s, "deposit"),
        "the event counts once, with its amount",
    ),
    (
        Code::OpConflict,
        |s| deposit(s, 5, |x| x.event.operation = digest("deposit").to_hex().into()),
        |s| deposit(s, 5, |_| ()),
        "which of the signed amounts moved is what nobody can tell; the first is posted",
    ),
    (
        Code::OpMalformed,
        |s| deposit(s, 5, |x| x.event.operation = "7".into()),
        |s| deposit(s, 5, |_| ()),
        "a form; the amount is posted",
    ),
    (
        Code::FieldMissing,
        |s| s.change_settlement("payout", |x| x.event.payout_binding = None),
        |s| s.change_settlement("payout", |x| x.event.gateway_pubkey = None),
        "the amount is posted; that nothing explains it is SET_ORPHAN, which has it",
    ),
    (
        Code::PreInvalid,
        |s| sealed(s, true, |x| resign(x, |event| event.preimage = Some("42".repeat(32)))),
        |s| sealed(s, true, |x| resign(x, |event| event.preimage = None)),
        "the signed amount stays posted; that no payment stands behind it is not shown by a wrong preimage",
    ),
    (
        Code::PreMissing,
        |s| s.change_settlement("payout", |x| x.event.preimage = None),
        |s| s.change_settlement("deposit", |x| x.event.preimage = None),
        "the amount is posted on a weaker tier of evidence",
    ),
    (
        Code::MatchContradiction,
        MATCHES[0].1,
        MATCHES[0].2,
        "which payment it is, not how much: amounts are judged by AMT_MISMATCH",
    ),
    (
        Code::MatchAmbiguous,
        |s| twins(s, 2, |_, _| ()),
        |s| twins(s, 1, |_, _| ()),
        "which payment it is, not how much: all candidates agree",
    ),
    (Code::GwForeign, strangers, log_all, "money of others is none of ours: count and total only"),
    (
        Code::SampleInvalid,
        |s| sampled(s, |sample| sample.size = 3),
        |s| sampled(s, |sample| (sample.size, sample.users) = (1, vec!["bc1quser".into()])),
        "who was asked, not what was answered: every balance is compared anyway",
    ),
    (
        Code::Unverifiable,
        |s| {
            s.declared.invoices = true;
            s.world.set.invoices.push(invoice("something else", 1, 1, InvoiceState::Settled));
        },
        |s| with_invoice(s, 100_000_000, 100_000_000, InvoiceState::Settled),
        "nothing was compared, so nothing differs",
    ),
];

fn strangers(scene: &mut Scene) {
    log_all(scene);
    scene.world.set.payment_log.push(logged("a stranger's payment", "incoming-payment-succeeded"));
}

/// The deposit comes by this carrier too.
fn carried_by(scene: &mut Scene, name: &str) {
    let deposit = scene.world.set.settlements.get(&digest("deposit")).unwrap().and_carried_by(evidence(name));
    scene.world.set.settlements.insert(digest("deposit"), deposit);
}

fn pen() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

fn resign(claim: &mut SettlementClaim, change: impl FnOnce(&mut crate::evidence::SettlementEvent)) {
    change(&mut claim.event);
    claim.canonical = canonical_bytes(&claim.event);
    claim.sig = pen().sign(&claim.canonical).to_bytes();
}

/// A deposit with a signature, as verification takes it.
fn sealed(scene: &mut Scene, is_pinned: bool, change: impl FnOnce(&mut SettlementClaim)) {
    let event = plain_settlement(SettlementKind::EscrowDeposit, "sealed");
    let pubkey = PublicKey32::from_bytes(pen().verifying_key().to_bytes());
    if is_pinned {
        let pin = PinnedKey { key: pubkey, from: None, until: None };
        scene.world.policy.settlement_keys.entry("oc-me-v1".into()).or_default().push(pin);
    }
    let mut claim =
        SettlementClaim { event, canonical: Vec::new(), pubkey, sig: [0; 64], unsigned_members: Vec::new() };
    resign(&mut claim, |event| event.preimage = None);
    change(&mut claim);
    let (_, found) = signed::judge(&claim, evidence("sealed"), &scene.world.policy, false);
    scene.world.set.findings.extend(found);
}

/// A record with that behind its signed members, as decoding takes it.
fn decoded(scene: &mut Scene, more: &str) {
    let event = String::from_utf8(canonical_bytes(&plain_settlement(SettlementKind::EscrowDeposit, "extra"))).unwrap();
    let (key, sig) = ("00".repeat(32), "00".repeat(64));
    let line = format!(r#"{{"event":{event},"pubkey_hex":"{key}","sig_hex":"{sig}"{more}}}"#);
    let raw = RawEvidence { media: Media::Settlement, about: String::new(), bytes: line.into_bytes() };
    let Decoded::Claim(_, found) = decode(&raw) else { panic!("it can be read") };
    scene.world.set.findings.extend(found);
}
