//! Goal: a BOLT-11 text that contradicts its record is found, and one that does not is believed. Method: invoices signed here
//! with the same library's builder, one member changed at a time. Published vectors: `tests/it/vectors_invoice.rs`.

use bitcoin::bech32::primitives::decode::CheckedHrpstring;
use bitcoin::bech32::{Fe32, Fe32IterExt, Hrp};
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use lightning_invoice::{Bolt11Bech32, Currency, InvoiceBuilder, PaymentSecret};
use proptest::prelude::*;

use super::*;
use crate::domain::{EvidenceRef, Severity};
use crate::evidence::InvoiceState;

const HASH: [u8; 32] = [7; 32];
const CARRIER: EvidenceId = EvidenceId::from_bytes([1; 32]);
/// 1,000 satoshi.
const ASKED: u64 = 1_000_000;

/// An invoice of that payment, signed by a key of our own.
fn signed(hash: [u8; 32], msat: Option<u64>) -> String {
    signed_by(hash, msat, false)
}

/// As [`signed`]; it names its payee when asked to. Else the payee is whoever the signature recovers to.
fn signed_by(hash: [u8; 32], msat: Option<u64>, names_payee: bool) -> String {
    let builder = InvoiceBuilder::new(Currency::Bitcoin)
        .description("escrow".to_owned())
        .payment_hash(sha256::Hash::from_byte_array(hash))
        .payment_secret(PaymentSecret([42; 32]))
        .duration_since_epoch(std::time::Duration::from_secs(1_779_408_000))
        .min_final_cltv_expiry_delta(144);
    let builder = if let Some(msat) = msat { builder.amount_milli_satoshis(msat) } else { builder };
    let key = SecretKey::from_slice(&[41; 32]).unwrap();
    let payee = key.public_key(&Secp256k1::new());
    let builder = if names_payee { builder.payee_pub_key(payee) } else { builder };
    builder.build_signed(|message| Secp256k1::new().sign_ecdsa_recoverable(message, &key)).unwrap().to_string()
}

fn record(bolt11: &str) -> InvoiceRecord {
    InvoiceRecord {
        payment_hash: PaymentHash::from_bytes(HASH),
        preimage: None,
        asked_msat: Some(ASKED),
        received_msat: Some(ASKED),
        fee_msat: None,
        state: InvoiceState::Settled,
        settled_at: None,
        bolt11: Some(bolt11.to_owned()),
        index: None,
        project: None,
        dialect: crate::evidence::InvoiceDialect::Plain,
    }
}

/// Asserts INV_BAD about the record and nothing else; returns what was kept.
fn bad(record: InvoiceRecord) -> Option<InvoiceRecord> {
    let (kept, found) = judge(record, CARRIER);
    let found = found.expect("it is found");
    assert_eq!((found.code, found.code.severity()), (Code::InvBad, Severity::Error));
    assert_eq!(found.subject, Subject::new("payment_hash", PaymentHash::from_bytes(HASH)));
    assert_eq!(found.subject.get("payment_hash"), Some("07".repeat(32).as_str()));
    assert_eq!(found.evidence, [EvidenceRef { id: CARRIER, role: "carrier".to_owned() }]);
    kept
}

fn good(record: &InvoiceRecord) {
    assert_eq!(judge(record.clone(), CARRIER), (Some(record.clone()), None));
}

#[test]
fn an_invoice_that_agrees_with_its_record_is_believed() {
    good(&record(&signed(HASH, Some(ASKED))));
    good(&record(&signed(HASH, Some(ASKED)).to_uppercase()));
    good(&InvoiceRecord { bolt11: None, ..record("") });
}

#[test]
fn one_millisatoshi_beside_the_signed_amount_is_found() {
    for asked in [ASKED - 1, ASKED + 1] {
        let other = InvoiceRecord { asked_msat: Some(asked), ..record(&signed(HASH, Some(ASKED))) };
        assert_eq!(bad(other.clone()), Some(InvoiceRecord { bolt11: None, ..other }), "its other members stay");
    }
}

#[test]
fn an_amount_that_one_side_does_not_state_is_no_difference() {
    good(&record(&signed(HASH, None)));
    good(&InvoiceRecord { asked_msat: None, ..record(&signed(HASH, Some(ASKED))) });
}

#[test]
fn an_invoice_of_another_payment_takes_the_record_with_it() {
    let mut other = HASH;
    other[31] ^= 1;
    assert_eq!(bad(record(&signed(other, Some(ASKED)))), None);
}

#[test]
fn what_does_not_parse_leaves_the_record_without_it() {
    let text = signed(HASH, Some(ASKED));
    let last = text.chars().next_back().unwrap();
    let spoilt = format!("{}{}", &text[..text.len() - 1], if last == 'q' { 'p' } else { 'q' });
    for text in [spoilt.as_str(), &text[1..], "lnbc1x", "", "\u{e9}\u{e9}", "lno"] {
        let given = record(text);
        assert_eq!(bad(given.clone()), Some(InvoiceRecord { bolt11: None, ..given }), "{text}");
    }
}

/// Rebuilds the text with another readable part under a checksum that holds, so that only the signature is wrong.
fn with_prefix(text: &str, prefix: &str) -> String {
    let parsed = CheckedHrpstring::new::<Bolt11Bech32>(text).unwrap();
    let data: Vec<Fe32> = parsed.fe32_iter::<&mut dyn Iterator<Item = u8>>().collect();
    encoded(prefix, &data)
}

fn encoded(prefix: &str, data: &[Fe32]) -> String {
    data.iter().copied().with_checksum::<Bolt11Bech32>(&Hrp::parse(prefix).unwrap()).chars().collect()
}

#[test]
fn a_signature_that_is_not_the_named_payees_is_found() {
    let named = signed_by(HASH, Some(ASKED), true);
    good(&record(&named));
    assert_eq!(read(&named).unwrap().msat, Some(ASKED));
    assert_eq!(read(&with_prefix(&named, "lnbc10u")), read(&named), "the same prefix");
    let reason = read(&with_prefix(&named, "lnbc11u")).unwrap_err();
    assert!(reason.contains("signature"), "{reason}");
    bad(record(&with_prefix(&named, "lnbc11u")));
}

#[test]
fn an_absurd_amount_does_not_pass_for_none() {
    let text = signed(HASH, Some(ASKED));
    // The parser's 64 bits of a trillionth of a bitcoin end at 18,446,744.07 bitcoin.
    assert_eq!(read(&with_prefix(&text, "lnbc18446744")).unwrap().msat, Some(1_844_674_400_000_000_000));
    for prefix in ["lnbc18446745", "lnbc21000001", "lnbc99999999999", "lnbc18446744073709551615"] {
        let given = record(&with_prefix(&text, prefix));
        assert_eq!(bad(given.clone()), Some(InvoiceRecord { bolt11: None, ..given }), "{prefix}");
    }
}

#[test]
fn a_text_longer_than_any_invoice_is_not_parsed() {
    let long = |bytes: usize| format!("lnbc1{}", "q".repeat(bytes - 5));
    let reason = |text: &str| read(text).unwrap_err();
    assert!(reason(&long(BOLT11_BYTES_MAX + 1)).contains("7089"));
    assert!(!reason(&long(BOLT11_BYTES_MAX)).contains("7089"));
}

#[test]
fn bolt_12_is_opaque_and_proves_nothing() {
    for text in ["lni1qqgv", "LNO1QQGV", "lnr1q"] {
        let given = record(text);
        assert_eq!(judge(given.clone(), CARRIER), (Some(InvoiceRecord { bolt11: None, ..given }), None));
    }
}

proptest! {
    #[test]
    fn no_text_makes_judging_fail(text in "\\PC{0,60}") {
        judge(record(&text), CARRIER);
    }

    /// Past the checksum: fields of every tag with lengths that fit or lie, under prefixes of every form.
    #[test]
    fn no_fields_make_judging_fail(
        prefix in "ln(bc|tb|bcrt|tbs|xx)?[0-9]{0,20}[munpx]?",
        fields in proptest::collection::vec((0_u8..32, 0_u16..70, 0_usize..70, any::<u8>()), 0..8),
        tail in proptest::collection::vec(0_u8..32, 90..115),
    ) {
        let fes = |numbers: &[u8]| numbers.iter().map(|n| Fe32::try_from(n % 32).unwrap()).collect::<Vec<_>>();
        let mut data = fes(&[1, 12, 18, 31, 28, 25, 2]);
        for (tag, length, held, fill) in fields {
            // Half of them keep their word about their length.
            let length = if fill < 128 { u16::try_from(held).unwrap() } else { length };
            data.extend(fes(&[tag, u8::try_from(length / 32).unwrap(), u8::try_from(length % 32).unwrap()]));
            data.extend(fes(&vec![fill; held]));
        }
        data.extend(fes(&tail));
        judge(record(&encoded(&prefix, &data)), CARRIER);
    }
}
