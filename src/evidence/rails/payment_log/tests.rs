//! Goal: three wire shapes are one entry, and a unit or a bearer note never slips through.

use serde_json::{Value, json};

use super::*;
use crate::domain::Severity;

const FEDERATION: &str = "c5187e9de5c517c181ebc6107cf8eb184f11a904f55b33f0c44a857e2d2daf1b";
/// TREASURY 1.6.
const HASH: &str = "425ed4e4a36b30ea21b90e21c712c649e8214c29b7eaf68089d1039c6e55384c";
const TIME: u64 = 1_779_408_001_234_567;

fn shapes(module: Option<&str>, kind: &str, payload: &Value) -> [String; 3] {
    let tuple = json!([10398, kind, module.map(|module| json!([module, 5])), TIME, payload]);
    let middle = json!({"event_id": 10398, "event_kind": kind, "module": module.map(|module| json!([module, 5])),
        "timestamp": TIME, "value": payload});
    let latest = json!({"id": 10398, "kind": kind, "module": module.map(|module| json!({"kind": module, "id": 5})),
        "ts_usecs": TIME, "payload": payload});
    [tuple, middle, latest].map(|entry| entry.to_string())
}

fn read(text: &str) -> (PaymentLogEntry, Vec<Finding>) {
    let Decoded::Claim(claim, findings) = decode(FEDERATION, text.as_bytes()) else { panic!("it decodes: {text}") };
    let Claim::PaymentLogEntry(entry) = *claim else { panic!("it is a log entry") };
    (entry, findings)
}

/// The one entry that all three shapes give, without a finding.
fn entry(module: Option<&str>, kind: &str, payload: &Value) -> PaymentLogEntry {
    let [first, second, third] = shapes(module, kind, payload).map(|text| read(&text));
    assert_eq!(first, second);
    assert_eq!(second, third);
    assert_eq!(third.1, []);
    assert!(third.0.known);
    third.0
}

fn refused(text: &str) -> Vec<Code> {
    let Decoded::Undecodable(findings) = decode(FEDERATION, text.as_bytes()) else {
        panic!("it does not decode: {text}")
    };
    findings.iter().map(|finding| finding.code).collect()
}

fn send_started() -> Value {
    json!({"operation_start": 1_779_408_001_200_u64,
        "outgoing_contract": {"payment_image": {"Hash": HASH}, "amount": 1_010_150, "expiration": 900_144,
            "claim_pk": "031b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f",
            "refund_pk": "024d4b6cd1361032ca9bd2aeb9d900aa4d45d9ead80ac9423374c451a7254d0766",
            "ephemeral_pk": "02531fe6068134503d2723133227c867ac8fa6c83c537e9a44c3c5bdbdcb1fe337"},
        "min_contract_amount": 1_010_150, "invoice_amount": 1_000_000, "max_delay": 144})
}

#[test]
fn the_worked_example_reads_the_same_in_all_three_shapes() {
    let started = entry(Some("lnv2"), "outgoing-payment-started", &send_started());
    let expected = PaymentLogEntry {
        federation_id: FEDERATION.into(),
        id: 10_398,
        module: "lnv2".into(),
        kind: "outgoing-payment-started".into(),
        at: UnixMicros(1_779_408_001_234_567),
        payment_hash: Some(HASH.parse().unwrap()),
        // TREASURY 1.4: the derived id of this very contract.
        operation: Some(OperationId::from("a67c5aa45286344443c18c9164792ee106a713196b6a505923b377d783587816")),
        contract: Some("a67c5aa45286344443c18c9164792ee106a713196b6a505923b377d783587816".parse().unwrap()),
        txid: None,
        amount_msat: Some(1_000_000),
        contract_msat: Some(1_010_150),
        fee_msat: None,
        preimage: None,
        known: true,
    };
    assert_eq!(started, expected);
    let succeeded = entry(
        Some("lnv2"),
        "outgoing-payment-succeeded",
        &json!({"payment_image": {"Hash": HASH}, "target_federation": null}),
    );
    assert_eq!(
        (succeeded.payment_hash, succeeded.operation, succeeded.amount_msat),
        (expected.payment_hash, None, None)
    );
}

#[test]
fn the_same_value_in_two_units_is_the_same_amount() {
    // TREASURY 0.3: one value, written as satoshi by the send and as millisatoshi by the receive.
    let send = entry(Some("wallet"), "payment-send", &json!({"operation_id": "ab", "amount": 50_000, "fee": 200}));
    let receive =
        entry(Some("wallet"), "payment-receive", &json!({"operation_id": "cd", "amount": 50_000_000, "txid": "ee"}));
    assert_eq!((send.amount_msat, receive.amount_msat), (Some(50_000_000), Some(50_000_000)));
    assert_eq!(send.fee_msat, Some(200_000));
    let walletv2 = entry(Some("walletv2"), "payment-send", &json!({"operation_id": "ab", "value": 50_000, "fee": 1}));
    let client = entry(Some("lnv2"), "payment-send", &json!({"operation_id": "ab", "amount": 50_000, "fee": 1}));
    assert_eq!((walletv2.amount_msat, client.amount_msat), (Some(50_000_000), Some(50_000)));
    assert_eq!((walletv2.fee_msat, client.fee_msat), (Some(1_000), Some(1)));
    let receive = entry(Some("lnv2"), "payment-receive", &json!({"operation_id": "ab", "amount": 50_000, "fee": 1}));
    assert_eq!(receive.fee_msat, None, "the fee of a receive is none that was paid");
    let odd = entry(Some("lnv2"), "payment-send", &json!({"operation_id": "ab", "amount": 50_000, "fee": {"rate": 1}}));
    assert_eq!((odd.amount_msat, odd.fee_msat), (Some(50_000), None));
}

#[test]
fn a_send_has_its_contract_and_a_wallet_payment_its_transaction() {
    let id = "ab".repeat(32);
    let started = entry(
        Some("ln"),
        "outgoing-payment-started",
        &json!({"contract_id": id, "invoice_amount": 1_000_000, "operation_id": "op"}),
    );
    assert_eq!((started.contract, started.contract_msat), (Some(id.parse().unwrap()), None));
    let contract = json!({"amount": 1_010_150, "contract": {"hash": HASH}});
    let paid =
        entry(Some("ln"), "outgoing-payment-succeeded", &json!({"outgoing_contract": contract, "contract_id": id}));
    assert_eq!((paid.contract, paid.contract_msat), (started.contract, Some(1_010_150)));
    let sent = entry(Some("wallet"), "payment-send-status", &json!({"operation_id": "op", "status": {"Success": id}}));
    let withdrawn = entry(Some("wallet"), "withdraw-request", &json!({"txid": id}));
    assert_eq!((sent.txid, withdrawn.txid), (Some(id.parse().unwrap()), Some(id.parse().unwrap())));
    let core = entry(None, "tx-accepted", &json!({"txid": id, "operation_id": "op"}));
    assert_eq!((core.txid, core.contract), (None, None), "a federation's transaction is none of Bitcoin's");
}

#[test]
fn each_module_names_hash_preimage_and_operation_its_own_way() {
    let contract = json!({"amount": 1_010_150, "contract": {"hash": HASH, "gateway_key": "02", "cancelled": false}});
    let preimage = "42".repeat(32);
    let paid = entry(
        Some("ln"),
        "outgoing-payment-succeeded",
        &json!({"outgoing_contract": contract, "contract_id": "aa", "preimage": preimage}),
    );
    assert_eq!((paid.payment_hash, paid.preimage), (Some(HASH.parse().unwrap()), Some([0x42; 32])));
    assert_eq!(paid.amount_msat, None, "a contract's amount includes the gateway's fee");
    let incoming = entry(
        Some("ln"),
        "incoming-payment-started",
        &json!({"contract_id": "aa", "payment_hash": HASH, "invoice_amount": 7, "contract_amount": 9, "operation_id": "op"}),
    );
    assert_eq!((incoming.amount_msat, incoming.operation), (Some(7), Some(OperationId::from("op"))));
    let incoming = entry(
        Some("lnv2"),
        "incoming-payment-started",
        &json!({"incoming_contract_commitment": {"payment_image": {"Hash": HASH}, "amount": 9}, "invoice_amount": 7}),
    );
    assert_eq!((incoming.amount_msat, incoming.payment_hash), (Some(7), Some(HASH.parse().unwrap())));
    let update = json!({"operation_id": "op", "status": {"Success": vec![0x42_u8; 32]}});
    assert_eq!(entry(Some("lnv2"), "payment-send-update", &update).preimage, Some([0x42; 32]));
    let refunded = json!({"operation_id": "op", "status": "Refunded"});
    assert_eq!(entry(Some("lnv2"), "payment-send-update", &refunded).preimage, None);
    let accepted = entry(None, "tx-accepted", &json!({"txid": "aa", "operation_id": "op"}));
    assert_eq!((&*accepted.module, accepted.operation), ("", Some(OperationId::from("op"))));
    let point = json!({"payment_image": {"Point": "02aa"}});
    assert_eq!(entry(Some("lnv2"), "outgoing-payment-succeeded", &point).payment_hash, None);
    assert_eq!(
        entry(Some("mint"), "oob-notes-spent", &json!({"requested_amount": 5, "spent_amount": 8})).amount_msat,
        Some(8)
    );
}

#[test]
fn an_unknown_module_and_kind_is_kept_and_not_counted() {
    for (module, kind) in
        [(Some("lnv2"), "payment-refund"), (Some("stability"), "payment-send"), (None, "payment-send")]
    {
        for text in shapes(module, kind, &json!({"amount": 50_000, "operation_id": "op"})) {
            let (entry, findings) = read(&text);
            assert_eq!((entry.known, entry.amount_msat, entry.operation), (false, None, None));
            assert_eq!(findings.len(), 1);
            assert_eq!((findings[0].code, findings[0].code.severity()), (Code::SrcUnknownKind, Severity::Info));
        }
    }
}

#[test]
fn a_payload_that_is_not_json_has_no_members() {
    let opaque = entry(Some("wallet"), "withdraw-request", &json!("00ff"));
    assert_eq!((opaque.amount_msat, opaque.operation), (None, None));
}

#[test]
fn bearer_notes_are_named_by_their_path_only() {
    for (module, member) in [("mint", "oob_notes"), ("mintv2", "ecash")] {
        for text in shapes(Some(module), "payment-send", &json!({"operation_id": "op", "amount": 5, member: "SECRET"}))
        {
            let redacted = secret::redact(text.as_bytes()).unwrap();
            let (entry, findings) = read(std::str::from_utf8(&redacted).unwrap());
            assert_eq!((entry.amount_msat, findings.len()), (Some(5), 1), "the rest of the entry still reads");
            assert_eq!(findings[0].code, Code::SrcSecretPresent);
            assert!(findings[0].subject.get("field").unwrap().ends_with(member));
            assert!(!format!("{findings:?}").contains("SECRET"));
            let unredacted = read(&text);
            assert_eq!(unredacted.1[0].code, Code::SrcSecretPresent);
            assert!(!format!("{unredacted:?}").contains("SECRET"));
        }
    }
    let (_, findings) = read(&shapes(Some("mint"), "payment-send", &json!({"operation_id": "op", "amount": 5}))[2]);
    assert_eq!(findings, []);
    assert_eq!(refused(r#"{"oob_notes":"SECRET"#), [Code::SrcParse, Code::SrcSecretPresent]);
}

#[test]
fn an_entry_that_can_not_be_read_is_a_finding() {
    let good = &shapes(Some("ln"), "payment-send", &json!({"amount": 5}))[2];
    for (from, to) in [
        ("\"id\":10398", "\"id\":-1"),
        ("\"id\":10398", "\"id\":\"10398\""),
        ("\"kind\":\"payment-send\"", "\"kind\":1"),
        ("\"kind\":\"ln\"", "\"kind\":null"),
        ("\"ts_usecs\":1779408001234567", "\"ts_usecs\":1.5"),
        ("\"ts_usecs\"", "\"timestamp\""),
        ("\"payload\"", "\"value\""),
        ("{\"amount\":5}", "{\"amount\":\"5\"}"),
        ("{\"amount\":5}", "{\"payment_hash\":\"42\"}"),
        ("{\"amount\":5}", "{\"preimage\":7}"),
    ] {
        assert!(good.contains(from), "{from}");
        assert_eq!(refused(&good.replacen(from, to, 1)), [Code::SrcParse], "{to}");
    }
    for text in ["", "null", "[]", "[1,2,3,4,5,6]", "7", "{}"] {
        assert_eq!(refused(text), [Code::SrcParse], "{text}");
    }
    assert_eq!(read(good).0.amount_msat, Some(5));
}

#[test]
fn amounts_outside_the_supply_are_refused_in_their_own_unit() {
    let with = |kind: &str, amount: &str| {
        shapes(Some("wallet"), kind, &json!({"amount": 5}))[2]
            .replace("{\"amount\":5}", &format!("{{\"amount\":{amount}}}"))
    };
    assert_eq!(refused(&with("payment-send", "2100000000000001")), [Code::AmtRange]);
    assert_eq!(read(&with("payment-send", "2100000000000000")).0.amount_msat, Some(2_100_000_000_000_000_000));
    assert_eq!(refused(&with("payment-receive", "2100000000000000001")), [Code::AmtRange]);
    assert_eq!(read(&with("payment-receive", "2100000000000000000")).0.amount_msat, Some(2_100_000_000_000_000_000));
    for amount in ["-1", "5.0", "5e1"] {
        assert_eq!(refused(&with("payment-send", amount)), [Code::AmtRange], "{amount}");
    }
}
