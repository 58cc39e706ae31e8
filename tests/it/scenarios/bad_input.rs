//! Numbers that are no amounts, kinds and keys that nobody knows, operations that come twice: all of it among honest records,
//! each with its exact code, and the books as if none of it were there.
//! Codes: DIVERGENCES (AMT_RANGE: outside the supply, negative, fractional; SRC_PARSE: can't be read), TREASURY 5.3.

use std::collections::{BTreeMap, BTreeSet};

use reledger::domain::{EvidenceId, Media};
use reledger::sim::World;
use serde_json::{Value, json};

use super::scene::{AS_OF, KID, Scene, evidence};
use super::settlements::{event, line_by};
use super::table::run;

const SETTLEMENTS: &str = "gateway/settlements.jsonl";
const BALANCES: &str = "balances.jsonl";

/// A number as it stands in a record, and the code of a record with it where whole satoshi are due.
const NUMBERS: [(&str, &str); 22] = [
    // Fractions and exponents, also those that are whole.
    ("0.5", "AMT_RANGE"),
    ("60.0", "AMT_RANGE"),
    ("6e1", "AMT_RANGE"),
    ("6E+1", "AMT_RANGE"),
    ("600e-1", "AMT_RANGE"),
    ("1e400", "AMT_RANGE"),
    // Signs.
    ("-60", "AMT_RANGE"),
    ("-0", "AMT_RANGE"),
    ("+60", "SRC_PARSE"),
    // 2^53 + 1, where a reader of doubles would see another number; 2^64, 2^64 + 60, 21,000,001 bitcoin.
    ("9007199254740993", "AMT_RANGE"),
    ("18446744073709551616", "AMT_RANGE"),
    ("18446744073709551676", "AMT_RANGE"),
    ("2100000100000000", "AMT_RANGE"),
    // No numbers of JSON.
    ("060", "SRC_PARSE"),
    ("007", "SRC_PARSE"),
    ("00", "SRC_PARSE"),
    ("60.", "SRC_PARSE"),
    (".5", "SRC_PARSE"),
    ("0x3c", "SRC_PARSE"),
    ("6_0", "SRC_PARSE"),
    ("NaN", "SRC_PARSE"),
    ("true", "SRC_PARSE"),
];

/// Texts where a record may write its amount as text: of the form of a number, or of none.
const TEXTS: [(&str, &str); 12] = [
    ("0.5", "AMT_RANGE"),
    ("60.0", "AMT_RANGE"),
    ("6e1", "AMT_RANGE"),
    ("-60", "AMT_RANGE"),
    ("+60", "AMT_RANGE"),
    ("007", "AMT_RANGE"),
    ("2100000100000000000", "AMT_RANGE"),
    ("18446744073709551616", "AMT_RANGE"),
    ("60 ", "SRC_PARSE"),
    ("6_0", "SRC_PARSE"),
    ("60sat", "SRC_PARSE"),
    ("", "SRC_PARSE"),
];

/// A record that nobody could have meant, and the code that its divergence has.
struct Bad {
    what: String,
    evidence: EvidenceId,
    code: &'static str,
}

/// The scene, and what was put into it.
struct Heap {
    scene: Scene,
    bad: Vec<Bad>,
}

impl Heap {
    fn put(&mut self, what: impl Into<String>, evidence: EvidenceId, code: &'static str) {
        self.bad.push(Bad { what: what.into(), evidence, code });
    }

    fn line(&mut self, file: &'static str, media: Media, what: String, line: &str, code: &'static str) {
        self.scene.appended.push((file, format!("{line}\n").into_bytes()));
        self.put(what, evidence(media, line), code);
    }

    /// Records of invoices stand in one array: what is no JSON would make all of it unreadable, which is another fault.
    fn invoice(&mut self, what: String, line: String, code: &'static str) {
        self.put(what, evidence(Media::Invoice, &line), code);
        self.scene.world.invoices.push(line);
    }

    /// A deposit of a known project, honest up to one number.
    fn deposit(&mut self) -> Value {
        let mut deposit = event(&mut self.scene, "escrow.deposit", "in", 60);
        let known = self.scene.world.settlements.iter().find(|line| line.contains("\"escrow.deposit\"")).unwrap();
        let known: Value = serde_json::from_str(known).unwrap();
        deposit["project_key"] = known["event"]["project_key"].clone();
        deposit["payment_hash"] = self.scene.unique().into();
        deposit
    }

    fn numbers_in_settlements(&mut self) {
        for (number, code) in NUMBERS {
            let deposit = self.deposit();
            let line = line_by(&self.scene, &deposit, "settlement");
            let line = line.replace("\"amount_sats\":60,", &format!("\"amount_sats\":{number},"));
            self.line(SETTLEMENTS, Media::Settlement, format!("amount_sats {number}"), &line, code);
            let mut paid = self.deposit();
            paid["fee_sats"] = 77.into();
            let line = line_by(&self.scene, &paid, "settlement");
            let line = line.replace("\"fee_sats\":77", &format!("\"fee_sats\":{number}"));
            self.line(SETTLEMENTS, Media::Settlement, format!("fee_sats {number}"), &line, code);
        }
        // A signed amount is a number, never a text.
        for text in ["\"60\"", "\"007\"", "null", "[60]"] {
            let deposit = self.deposit();
            let line = line_by(&self.scene, &deposit, "settlement");
            let line = line.replace("\"amount_sats\":60,", &format!("\"amount_sats\":{text},"));
            self.line(SETTLEMENTS, Media::Settlement, format!("amount_sats {text}"), &line, "SRC_PARSE");
        }
    }

    fn numbers_in_envelopes(&mut self) {
        // The stage reads what it signs, and its reader takes no number beyond a double's.
        for (number, code) in NUMBERS.into_iter().filter(|(number, code)| *code == "AMT_RANGE" && *number != "1e400") {
            let body = self.scene.event_at(AS_OF - 3_600).to_string();
            let gross = body.split("\"gross_fee_sats\":").nth(1).unwrap().split([',', '}']).next().unwrap().to_owned();
            let bytes = body.replace(&format!("\"gross_fee_sats\":{gross}"), &format!("\"gross_fee_sats\":{number}"));
            let carrier = self.scene.sign_bytes(bytes.as_bytes(), KID);
            let put = self.scene.put(carrier);
            self.put(format!("gross_fee_sats {number}"), put.evidence, code);
        }
    }

    fn numbers_in_records(&mut self) {
        let invoice =
            |hash: &str, amount: &str| format!(r#"{{"payment_hash":"{hash}","status":"open","amount_msat":{amount}}}"#);
        // Millisatoshi: 2^53 + 1 of them are 90,072 bitcoin, and read to the last digit.
        for (number, code) in NUMBERS.into_iter().filter(|(number, _)| !is_msat(number)) {
            if code == "AMT_RANGE" {
                let line = invoice(&self.scene.unique(), number);
                self.invoice(format!("amount_msat {number}"), line, code);
            }
            if !matches!(number, "-60" | "-0") {
                let line = format!(r#"{{"user":"{}","balance_sats":{number}}}"#, self.scene.unique());
                self.line(BALANCES, Media::Balance, format!("balance_sats {number}"), &line, code);
            }
        }
        for number in ["9007199254740993", "2100000100000000", "-2100000100000000"] {
            let line = format!(r#"{{"user":"{}","balance_sats":{number}}}"#, self.scene.unique());
            self.line(BALANCES, Media::Balance, format!("balance_sats {number}"), &line, "AMT_RANGE");
        }
        for (text, code) in TEXTS {
            let line = invoice(&self.scene.unique(), &format!("\"{text}\""));
            self.invoice(format!("amount_msat \"{text}\""), line, code);
        }
        let line = invoice(&self.scene.unique(), "2100000100000000000");
        self.invoice("21,000,001 bitcoin in msat".to_owned(), line, "AMT_RANGE");
    }

    /// One array too.
    fn numbers_in_the_log(&mut self) {
        let readable = NUMBERS.into_iter().filter(|(_, code)| *code == "AMT_RANGE");
        for (number, code) in readable {
            // The wallet writes what it sends in satoshi, the Lightning modules write millisatoshi.
            let (module, kind) = ("wallet", "payment-send");
            let id = self.log_entry(module, kind, number);
            self.put(format!("{module}.{kind} {number}"), id, code);
        }
        let id = self.log_entry("wallet", "payment-receive", "2100000100000000000");
        self.put("21,000,001 bitcoin in msat", id, "AMT_RANGE");
        let hash = self.scene.unique();
        let large = json!({"payment_hash": hash, "invoice_amount": 9_007_199_254_740_993_u64});
        self.scene.log("incoming-payment-started", "ln", &large);
        self.log_entry("wallet", "payment-send", "50000");
        self.log_entry("wallet", "payment-receive", "50000000");
        let payload = json!({"amount": 1, "operation_id": self.scene.unique()});
        self.scene.log("payment-dreamt", "wallet", &payload);
        self.scene.log("payment-send", "stability_pool", &payload);
    }

    fn log_entry(&mut self, module: &str, kind: &'static str, number: &str) -> EvidenceId {
        let operation = self.scene.unique();
        self.scene.log(kind, module, &json!({"amount": 77, "operation_id": operation}));
        let entry = self.scene.world.payment_log.last_mut().unwrap();
        entry.json = entry.json.replace("\"amount\":77", &format!("\"amount\":{number}"));
        evidence(Media::PaymentLogEntry, &entry.json)
    }

    fn words_that_nobody_knows(&mut self) {
        for (member, word) in
            [("kind", "escrow.gift"), ("kind", "Escrow.Deposit"), ("direction", "inwards"), ("direction", "IN")]
        {
            let mut deposit = self.deposit();
            deposit[member] = word.into();
            let line = line_by(&self.scene, &deposit, "settlement");
            self.line(SETTLEMENTS, Media::Settlement, format!("{member} {word}"), &line, "SRC_PARSE");
        }
        let deposit = self.deposit();
        let line = line_by(&self.scene, &deposit, "nobody's settler");
        self.line(SETTLEMENTS, Media::Settlement, "an unpinned key".to_owned(), &line, "SIG_KEY_UNKNOWN");
        let mut elsewhere = self.deposit();
        elsewhere["federation_slug"] = "oc-me-v9".into();
        let line = line_by(&self.scene, &elsewhere, "settlement");
        self.line(SETTLEMENTS, Media::Settlement, "a key of another federation".to_owned(), &line, "SIG_KEY_UNKNOWN");
        let deposit = self.deposit();
        let line = line_by(&self.scene, &deposit, "settlement").replace("\"amount_sats\":60,", "\"amount_sats\":61,");
        self.line(SETTLEMENTS, Media::Settlement, "a changed amount".to_owned(), &line, "SIG_BAD");
    }

    /// Honest settlements once more: as they were, with a member that nobody signed, and with another amount.
    fn operations_that_come_twice(&mut self) {
        let honest: Vec<String> = self.scene.world.settlements.iter().take(3).cloned().collect();
        let replayed = honest[0].replacen("{\"event\"", "{ \"event\"", 1);
        self.line(SETTLEMENTS, Media::Settlement, "replayed".to_owned(), &replayed, "OP_REPLAY");
        // The amount beside the signed one is not read; the same settlement twice is a replay besides.
        let unsigned = honest[1].replacen('{', "{\"amount_sats\":18446744073709551616,", 1);
        self.scene.world.settlements[1].clone_from(&unsigned);
        self.put("an unsigned member", evidence(Media::Settlement, &unsigned), "SIG_UNSIGNED_FIELDS");
        let held: Value = serde_json::from_str(&honest[2]).unwrap();
        for (name, by) in [("one satoshi more", 1), ("a thousandfold", 999)] {
            let mut other = held["event"].clone();
            let amount = other["amount_sats"].as_u64().unwrap();
            other["amount_sats"] = (amount + if by == 1 { 1 } else { amount * by }).into();
            other["settled_at"] = (other["settled_at"].as_i64().unwrap() + 1).into();
            let line = line_by(&self.scene, &other, "settlement");
            self.line(SETTLEMENTS, Media::Settlement, format!("conflicting: {name}"), &line, "OP_CONFLICT");
        }
    }
}

/// True for what is an amount in millisatoshi.
fn is_msat(number: &str) -> bool {
    matches!(number, "9007199254740993" | "2100000100000000")
}

fn books(report: &Value) -> Value {
    let treasury = &report["ledgers"]["treasury"];
    json!({
        "entries": treasury["entries"], "trial_balance": treasury["trial_balance"],
        "custody": treasury["totals"]["custody_msat"], "in_flight": treasury["totals"]["in_flight_msat"],
    })
}

/// The gateway's payments for others, summed.
fn foreign_msat(report: &Value) -> u128 {
    let all = report["divergences"].as_array().unwrap();
    let foreign = all.iter().find(|one| one["code"] == "GW_FOREIGN");
    let observed = foreign.map_or("0 entries, 0 msat", |one| one["observed"].as_str().unwrap());
    observed.split(", ").nth(1).unwrap().trim_end_matches(" msat").parse().unwrap()
}

/// Fingerprints of what is listed.
fn known(report: &Value) -> BTreeSet<String> {
    let all = report["divergences"].as_array().unwrap();
    all.iter().map(|one| one["fingerprint"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn bad_input_has_its_exact_code_and_the_rest_is_posted_to_the_millisatoshi() {
    let world = World::generate(7, 30);
    let (exit, honest, text) = run(&Scene::of(&world));
    assert_eq!(exit, 0, "{text}");
    let mut heap = Heap { scene: Scene::of(&world), bad: Vec::new() };
    heap.numbers_in_settlements();
    heap.numbers_in_envelopes();
    heap.numbers_in_records();
    heap.numbers_in_the_log();
    heap.words_that_nobody_knows();
    heap.operations_that_come_twice();
    let (exit, report, text) = run(&heap.scene);
    assert_eq!(exit, 1, "{text}");
    assert_eq!(books(&report), books(&honest), "nothing is posted, wrapped or rounded");
    let unposted = |report: &Value| report["ledgers"]["treasury"]["totals"]["unposted"].clone();
    assert_eq!((unposted(&honest), unposted(&report)), (0.into(), 2.into()), "the two that conflict");
    let before = known(&honest);
    let mut by_evidence: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let fresh = |one: &&Value| !before.contains(one["fingerprint"].as_str().unwrap());
    for one in report["divergences"].as_array().unwrap().iter().filter(fresh) {
        for cited in one["evidence"].as_array().unwrap() {
            by_evidence.entry(cited["id"].as_str().unwrap()).or_default().insert(one["code"].as_str().unwrap());
        }
    }
    let mut wrong = Vec::new();
    for bad in &heap.bad {
        let codes = by_evidence.get(bad.evidence.to_string().as_str()).cloned().unwrap_or_default();
        if codes != BTreeSet::from([bad.code]) {
            wrong.push(format!("{}: {codes:?} instead of {}", bad.what, bad.code));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    // The two kinds that are in no table: counted, and not taken for what they resemble.
    let strange = report["divergences"].as_array().unwrap().iter().filter(|one| one["code"] == "SRC_UNKNOWN_KIND");
    assert!(strange.count() >= 2, "{text}");
    // What can't be read leaves its checks open, and no other code follows.
    let whole: BTreeSet<&str> =
        heap.bad.iter().map(|bad| bad.code).chain(["SRC_UNKNOWN_KIND", "UNVERIFIABLE"]).collect();
    let open = report["divergences"].as_array().unwrap().iter().filter(fresh).filter(|one| one["state"] == "open");
    let codes: BTreeSet<&str> = open.map(|one| one["code"].as_str().unwrap()).collect();
    let more: Vec<&&str> = codes.difference(&whole).collect();
    assert_eq!(more, Vec::<&&str>::new(), "{text}");
    // Beside the honest log: 2^53 + 1 msat, and 50,000 sats in either of the wallet's units.
    assert_eq!(foreign_msat(&report) - foreign_msat(&honest), 9_007_199_254_740_993 + 50_000_000 + 50_000_000);
}
