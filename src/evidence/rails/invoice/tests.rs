//! Goal: one invoice in four dialects is one record.

use super::*;
use crate::domain::Code;

/// TREASURY 1.6: sha256 of 32 bytes of 0x42.
const HASH: &str = "425ed4e4a36b30ea21b90e21c712c649e8214c29b7eaf68089d1039c6e55384c";
const HASH_BASE64: &str = "Ql7U5KNrMOohuQ4hxxLGSeghTCm36vaAidEDnG5VOEw=";
const PREIMAGE_BASE64: &str = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=";

fn read(text: &str) -> InvoiceRecord {
    let Decoded::Claim(claim, findings) = decode(text.as_bytes()) else { panic!("it decodes: {text}") };
    assert_eq!(findings, []);
    let Claim::Invoice(invoice) = *claim else { panic!("it is an invoice") };
    invoice
}

fn refused(text: &str) -> Code {
    let Decoded::Undecodable(findings) = decode(text.as_bytes()) else { panic!("it does not decode: {text}") };
    assert_eq!(findings.len(), 1);
    findings[0].code
}

fn lnd(hash: &str, preimage: &str) -> String {
    format!(
        r#"{{"memo":"","r_preimage":"{preimage}","r_hash":"{hash}","value":"1000","value_msat":"1000500","settled":true,
            "creation_date":"1779407000","settle_date":"1779408000","payment_request":"lnbc1x","add_index":"7",
            "settle_index":"3","amt_paid_sat":"1001","amt_paid_msat":"1001000","state":"SETTLED","htlcs":[],
            "is_keysend":false}}"#
    )
}

fn settled() -> InvoiceRecord {
    InvoiceRecord {
        payment_hash: HASH.parse().unwrap(),
        preimage: Some([0x42; 32]),
        asked_msat: Some(1_000_500),
        received_msat: Some(1_001_000),
        fee_msat: None,
        state: InvoiceState::Settled,
        settled_at: Some(UnixSeconds(1_779_408_000)),
        bolt11: Some("lnbc1x".to_owned()),
        index: Some(7),
        project: None,
        dialect: InvoiceDialect::LndInvoice,
    }
}

#[test]
fn hex_and_base64_of_lnd_are_the_same_record() {
    assert_eq!(read(&lnd(HASH, &"42".repeat(32))), settled());
    assert_eq!(read(&lnd(HASH_BASE64, PREIMAGE_BASE64)), settled());
    assert_eq!(read(&lnd(&HASH_BASE64.replace('+', "-").replace('/', "_"), &"42".repeat(32))), settled());
}

#[test]
fn core_lightning_reads_the_same_with_integers_and_msat_texts() {
    let cln = |asked: &str, received: &str| {
        format!(
            r#"{{"label":"l","description":"d","payment_hash":"{HASH}","status":"paid","expires_at":1779410000,
                "amount_msat":{asked},"bolt11":"lnbc1x","created_index":9,"updated_index":12,"pay_index":7,
                "amount_received_msat":{received},"paid_at":1779408000,"payment_preimage":"{}"}}"#,
            "42".repeat(32)
        )
    };
    let expected = InvoiceRecord { dialect: InvoiceDialect::CoreLightning, ..settled() };
    assert_eq!(read(&cln("1000500", "1001000")), expected);
    assert_eq!(read(&cln(r#""1000500msat""#, r#""1001000msat""#)), expected);
}

#[test]
fn the_minimal_record_reads_what_it_has() {
    let text = format!(
        r#"{{"payment_hash":"{HASH}","amount_sats":1000,"status":"settled","created_at":1779407000,
            "settled_at":"2026-05-22T00:00:00Z","preimage":"{}","project_key":"pk_live_x","memo":"m"}}"#,
        "42".repeat(32)
    );
    let expected = InvoiceRecord {
        asked_msat: Some(1_000_000),
        received_msat: None,
        bolt11: None,
        index: None,
        project: Some(ProjectKey::from("pk_live_x")),
        dialect: InvoiceDialect::Plain,
        ..settled()
    };
    assert_eq!(read(&text), expected);
    let both = text.replace("\"amount_sats\":1000", "\"amount_sats\":1000,\"amount_msat\":1000500");
    assert_eq!(read(&both).asked_msat, Some(1_000_500), "the finer unit counts");
}

#[test]
fn what_a_node_never_set_is_absent() {
    let open = read(&format!(
        r#"{{"r_preimage":"","r_hash":"{HASH_BASE64}","value":"0","value_msat":"0","settle_date":"0","payment_request":"",
            "add_index":"8","amt_paid_msat":"0","state":"OPEN"}}"#
    ));
    let expected = InvoiceRecord {
        preimage: None,
        asked_msat: None,
        received_msat: None,
        fee_msat: None,
        state: InvoiceState::Open,
        settled_at: None,
        bolt11: None,
        index: Some(8),
        ..settled()
    };
    assert_eq!(open, expected);
    let hold = read(&lnd(HASH, &"00".repeat(32)).replace("SETTLED", "ACCEPTED"));
    assert_eq!((hold.preimage, hold.state), (None, InvoiceState::Open));
    let any_amount = read(&format!(r#"{{"payment_hash":"{HASH}","status":"unpaid","created_index":4}}"#));
    assert_eq!((any_amount.asked_msat, any_amount.state, any_amount.index), (None, InvoiceState::Open, None));
}

#[test]
fn a_payment_that_was_sent_has_the_fee_of_its_route() {
    let lnd = read(&format!(
        r#"{{"payment_hash":"{HASH}","payment_preimage":"{}","value_msat":"1000500","fee_msat":"2003","fee_sat":"2",
            "payment_request":"lnbc1x","status":"SUCCEEDED","payment_index":"9"}}"#,
        "42".repeat(32)
    ));
    assert_eq!((lnd.asked_msat, lnd.fee_msat, lnd.state), (Some(1_000_500), Some(2_003), InvoiceState::Settled));
    let cln = |sent: &str| {
        format!(
            r#"{{"payment_hash":"{HASH}","status":"complete","amount_msat":1000500,"amount_sent_msat":{sent},
                "preimage":"{}","bolt11":"lnbc1x","created_at":1779407000,"completed_at":1779408000}}"#,
            "42".repeat(32)
        )
    };
    let record = read(&cln("1002503"));
    assert_eq!((record.asked_msat, record.fee_msat), (Some(1_000_500), Some(2_003)));
    assert_eq!(read(&cln("\"1002503msat\"")).fee_msat, Some(2_003));
    assert_eq!(read(&cln("1000499")).fee_msat, None, "less was sent than arrived: no fee");
}

#[test]
fn every_dialects_states_are_known() {
    let state = |name: &str| read(&format!(r#"{{"payment_hash":"{HASH}","status":"{name}"}}"#)).state;
    for (name, expected) in [
        ("open", InvoiceState::Open),
        ("unpaid", InvoiceState::Open),
        ("IN_FLIGHT", InvoiceState::Open),
        ("paid", InvoiceState::Settled),
        ("complete", InvoiceState::Settled),
        ("SUCCEEDED", InvoiceState::Settled),
        ("expired", InvoiceState::Expired),
        ("CANCELED", InvoiceState::Cancelled),
        ("cancelled", InvoiceState::Cancelled),
        ("FAILED", InvoiceState::Cancelled),
    ] {
        assert_eq!(state(name), expected, "{name}");
    }
    assert_eq!(read(&format!(r#"{{"r_hash":"{HASH}","settled":true}}"#)).state, InvoiceState::Settled);
}

#[test]
fn a_record_that_can_not_be_read_is_a_finding() {
    for text in [
        "[]",
        r#"{"status":"paid"}"#,
        r#"{"payment_hash":"42","status":"paid"}"#,
        &format!(r#"{{"payment_hash":"{HASH}"}}"#),
        &format!(r#"{{"payment_hash":"{HASH}","status":"gone"}}"#),
        &format!(r#"{{"payment_hash":"{HASH}","status":"paid","preimage":"4242"}}"#),
        &format!(r#"{{"payment_hash":"{HASH}","status":"paid","amount_msat":"5sat"}}"#),
        &format!(r#"{{"payment_hash":"{HASH}","status":"paid","amount_msat":[5]}}"#),
        &format!(r#"{{"payment_hash":"{HASH}","status":"paid","paid_at":"yesterday"}}"#),
        &format!(r#"{{"payment_hash":"{HASH}","status":"paid","status":"unpaid"}}"#),
    ] {
        assert_eq!(refused(text), Code::SrcParse, "{text}");
    }
}

#[test]
fn amounts_outside_the_supply_are_refused() {
    let with =
        |member: &str, amount: &str| format!(r#"{{"payment_hash":"{HASH}","status":"paid","{member}":{amount}}}"#);
    for (member, amount) in [
        ("amount_msat", "2100000000000000001"),
        ("amount_msat", "\"2100000000000000001msat\""),
        ("amount_sats", "2100000000000001"),
        ("amount_sats", "1.5"),
        ("value_msat", "\"-1\""),
        ("amt_paid_msat", "\"99999999999999999999\""),
        // One amount has one spelling.
        ("value_msat", "\"007\""),
        ("amount_msat", "\"00\""),
        ("amount_msat", "\"01msat\""),
        ("amount_msat", "\"+1\""),
    ] {
        assert_eq!(refused(&with(member, amount)), Code::AmtRange, "{member} {amount}");
    }
    assert_eq!(read(&with("amount_msat", "2100000000000000000")).asked_msat, Some(2_100_000_000_000_000_000));
    assert_eq!(read(&with("amt_paid_msat", "\"0\"")).received_msat, Some(0));
}

#[test]
fn a_payment_that_lnd_sent_is_told_from_an_invoice() {
    let sent = format!(
        r#"{{"payment_hash":"{HASH}","payment_preimage":"{}","value_msat":"1000","fee_msat":"1","status":"SUCCEEDED",
            "creation_time_ns":"1","payment_index":"12"}}"#,
        "42".repeat(32)
    );
    assert_eq!((read(&sent).dialect, read(&sent).index), (InvoiceDialect::LndPayment, None));
    assert_eq!(read(&lnd(HASH, "")).dialect, InvoiceDialect::LndInvoice);
}

#[test]
fn a_gateways_transaction_is_a_record_with_a_direction() {
    let line = |direction: &str, kind: &str| {
        read(&format!(
            r#"{{"payment_hash":"{HASH}","preimage":"{}","payment_kind":"{kind}","amount":1000500,"direction":"{direction}",
                "status":"Succeeded","timestamp_secs":1779408000}}"#,
            "42".repeat(32)
        ))
    };
    let sent = line("Outbound", "Bolt11");
    let expected = InvoiceRecord {
        received_msat: None,
        bolt11: None,
        index: None,
        dialect: InvoiceDialect::GatewaySent,
        ..settled()
    };
    assert_eq!(sent, expected);
    assert_eq!(line("Inbound", "Bolt12Offer").dialect, InvoiceDialect::GatewayReceived);
}
