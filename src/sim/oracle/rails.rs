//! Settlements against what their kind requires, and against the rails that they name (TREASURY 2.4, 2.6, 3).

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::expect::Expected;
use super::read::{DAY, Facts, HOUR, Settlement, parsed, text};
use crate::domain::{Code, Severity, Subject, sha256};

/// A node's record of an invoice or payment, whatever its dialect; in millisatoshi.
struct Record {
    hash: String,
    asked: i128,
    moved: i128,
    fee: Option<i128>,
    is_settled: bool,
}

/// What the gateway's log says in one entry.
struct Leg {
    kind: &'static str,
    at: i64,
    hash: Option<String>,
    operation: Option<String>,
    payload: Value,
}

impl Settlement {
    /// TREASURY 2.4; the policy of the world: rebates go out, accruals come in.
    pub(super) fn misdirected(&self) -> bool {
        match self.kind() {
            "adjustment" => false,
            "escrow.deposit" | "platform.accrual" => self.is_out(),
            _ => !self.is_out(),
        }
    }

    /// Targets and anchors that the kind requires and that are not there.
    fn lacks(&self) -> bool {
        let (names, is_anchored): (&[&str], bool) = match self.kind() {
            "escrow.deposit" => (&["project_key"], true),
            "escrow.rebate" => (&["project_key"], false),
            "escrow.refund" => (&["project_key", "destination"], true),
            "operator.payout" => (&["operator_id", "destination"], true),
            "distribution.settled" => (&["user_address", "payout_binding_id", "distribution_id", "destination"], true),
            _ => (&[], false),
        };
        let anchor = text(&self.event, &["payment_hash", "txid"]);
        names.iter().any(|name| self.text(name).is_none()) || (is_anchored && anchor.is_none())
    }

    fn hash(&self) -> Option<String> {
        self.text("payment_hash").map(str::to_ascii_lowercase)
    }

    /// Whether the preimage, when there is one, hashes to the payment hash.
    fn preimage_fits(&self) -> Option<bool> {
        let (preimage, hash) = (self.text("preimage")?, self.hash()?);
        let mut bytes = [0; 32];
        let is_hex = preimage.len() == 64 && faster_hex::hex_decode(preimage.as_bytes(), &mut bytes).is_ok();
        Some(is_hex && sha256(&bytes).to_hex() == hash)
    }
}

/// An integer, as JSON or as text, in any of these members.
fn number(record: &Value, names: &[&str]) -> Option<i128> {
    let read = |value: &Value| match value {
        Value::String(text) => text.trim_end_matches("msat").parse().ok(),
        other => other.as_u64().map(i128::from),
    };
    names.iter().find_map(|name| read(&record[*name]))
}

/// LND writes bytes as hex or as base64.
fn hex(text: &str) -> String {
    use ::base64::Engine as _;
    let bytes = ::base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
    if text.len() == 44 { faster_hex::hex_string(&bytes) } else { text.to_ascii_lowercase() }
}

fn record(line: &str) -> Record {
    let line = parsed(line);
    let whole = |names: &[&str]| number(&line, names).map(|sats| sats * 1_000);
    let asked = number(&line, &["amount_msat", "value_msat"]).or(whole(&["amount_sats", "value", "value_sat"]));
    let state = text(&line, &["status", "state"]).unwrap_or_default().to_ascii_lowercase();
    let asked = asked.unwrap_or_default();
    let sent = number(&line, &["amount_sent_msat"]).map(|sent| sent - asked);
    Record {
        hash: hex(text(&line, &["payment_hash", "r_hash"]).unwrap_or_default()),
        asked,
        moved: number(&line, &["amt_paid_msat", "amount_received_msat"]).unwrap_or(asked),
        fee: number(&line, &["fee_msat"]).or(sent),
        is_settled: ["settled", "paid", "complete", "succeeded"].contains(&state.as_str()),
    }
}

/// Hex texts of 32 bytes anywhere in a record.
fn hashes(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.len() == 64 => drop(found.insert(text.to_ascii_lowercase())),
        Value::Array(items) => items.iter().for_each(|item| hashes(item, found)),
        Value::Object(members) => members.values().for_each(|member| hashes(member, found)),
        _ => {}
    }
}

impl Facts<'_> {
    fn record(&self, one: &Settlement) -> Option<Record> {
        let hash = one.hash()?;
        self.scene.world.invoices.iter().map(|line| record(line)).find(|record| record.hash == hash)
    }

    /// What came in beyond the settled amount, when a record of it shows more.
    pub(super) fn excess(&self, one: &Settlement) -> i128 {
        let record = self.record(one).filter(|record| record.is_settled && one.kind() == "escrow.deposit");
        let moved = record.map_or(0, |record| record.moved);
        if moved == one.msat() * 1_000 { 0 } else { (moved - one.msat()).max(0) }
    }

    /// The log, oldest first; a payment's hash is known by its contract too.
    fn legs(&self) -> Vec<Leg> {
        let mut legs: Vec<Leg> = Vec::new();
        for entry in &self.scene.world.payment_log {
            let line = parsed(&entry.json);
            let member = |place: usize, names: [&str; 2]| {
                if line.is_array() {
                    line[place].clone()
                } else {
                    names.iter().map(|name| line[*name].clone()).find(|value| !value.is_null()).unwrap_or_default()
                }
            };
            let payload = member(4, ["payload", "value"]);
            let paths = [
                "/payment_hash",
                "/payment_image/Hash",
                "/outgoing_contract/contract/hash",
                "/outgoing_contract/payment_image/Hash",
                "/incoming_contract_commitment/payment_image/Hash",
            ];
            let hash = paths.iter().find_map(|path| payload.pointer(path)?.as_str()).map(str::to_ascii_lowercase);
            let operation = payload["operation_id"].as_str().map(str::to_ascii_lowercase);
            legs.push(Leg {
                kind: entry.kind,
                at: member(3, ["ts_usecs", "timestamp"]).as_i64().unwrap_or_default(),
                hash,
                operation,
                payload,
            });
        }
        let contracts: Vec<(Value, String)> =
            legs.iter().filter_map(|leg| Some((leg.payload["contract_id"].clone(), leg.hash.clone()?))).collect();
        for leg in legs.iter_mut().filter(|leg| leg.hash.is_none() && leg.payload["contract_id"].is_string()) {
            leg.hash = contracts.iter().find(|(id, _)| *id == leg.payload["contract_id"]).map(|(_, hash)| hash.clone());
        }
        legs
    }

    pub(super) fn rails(&self) {
        let legs = self.legs();
        let mut ours = BTreeSet::new();
        let mut unrecorded = false;
        for one in &self.settlements {
            self.form(one);
            self.purpose(one);
            self.matches(one, &legs);
            unrecorded |= self.invoice(one);
            let names = ["operation_id", "payment_hash", "txid"];
            ours.extend(names.iter().filter_map(|name| one.text(name)).map(str::to_ascii_lowercase));
        }
        if unrecorded {
            self.open(Code::Unverifiable, Subject::new("check", "settlement.invoice"));
        }
        self.gateway(&legs, &ours);
    }

    fn form(&self, one: &Settlement) {
        let operation = one.text("operation_id").unwrap_or_default();
        let is_hex = operation.len() == 64 && operation.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_explained = one.text("note").is_some_and(|note| !note.trim().is_empty());
        let limit = 100_000 + one.msat() * 15 / 1_000;
        let lacks_preimage = one.is_out() && one.hash().is_some() && one.text("preimage").is_none();
        for (code, is_so) in [
            (Code::OpMalformed, !is_hex),
            (Code::FieldMissing, one.lacks()),
            (Code::DirWrong, one.misdirected()),
            (Code::PreMissing, lacks_preimage),
            (Code::AdjUnexplained, one.kind() == "adjustment" && !is_explained),
            (Code::FeeLimit, one.is_out() && one.fee_msat() > limit),
        ] {
            if is_so {
                self.open(code, one.subject());
            }
        }
        if one.preimage_fits() == Some(false) {
            let federation = one.text("federation_slug").unwrap_or_default();
            let subject = one.subject().and("federation", federation).and("operation", operation);
            self.open(Code::PreInvalid, subject.and("key", &one.key));
        }
    }

    /// SET_ORPHAN: an unknown project, a user who earned nothing, a batch that nobody signed.
    fn purpose(&self, one: &Settlement) {
        let events = self.counted("oc-me-event");
        let lists = self.scene.world.configs.iter().map(|document| parsed(&document.json));
        let mut projects: BTreeSet<String> =
            lists.filter_map(|list| Some(list["project_key"].as_str()?.to_owned())).collect();
        projects.extend(events.iter().filter_map(|held| held.text("project_key")).map(str::to_owned));
        let is_strange = one.text("project_key").is_some_and(|project| !projects.contains(project));
        let mut is_lost = false;
        if let (Some(user), Some(batch)) = (one.text("user_address"), one.text("distribution_id")) {
            is_lost = !events.iter().any(|held| held.user() == user)
                || !self.counted("oc-me-distribution").iter().any(|held| held.id == batch);
        }
        if is_strange || is_lost {
            self.open(Code::SetOrphan, one.subject());
        }
    }

    /// The node's record beside the settlement; whether it ought to be there and is not.
    fn invoice(&self, one: &Settlement) -> bool {
        let Some(record) = self.record(one) else { return one.hash().is_some() && one.kind() == "escrow.deposit" };
        let (asked, moved, settled) = (record.asked, record.moved, one.msat());
        if !record.is_settled {
            self.open(Code::InvState, one.subject());
            return false;
        }
        let whole = [asked, moved].map(|msat| msat - msat % 1_000);
        let is_thousandfold = [asked, moved].iter().any(|msat| *msat == settled * 1_000 || *msat * 1_000 == settled);
        for (code, is_so) in [
            (Code::InvUnderpaid, moved < asked),
            (Code::InvOverpaid, moved >= asked + 1_000),
            (Code::AmtResidue, (1..1_000).contains(&(moved - settled))),
            (Code::UnitSuspect, !whole.contains(&settled) && is_thousandfold),
            (Code::AmtMismatch, !whole.contains(&settled) && !is_thousandfold),
        ] {
            if is_so {
                self.open(code, one.subject());
            }
        }
        false
    }

    /// R1, R2 and R7 for one settlement, and its fee against what the rails show.
    fn matches(&self, one: &Settlement, legs: &[Leg]) {
        let operation = one.text("operation_id").map(str::to_ascii_lowercase);
        let hash = one.hash();
        let by_operation: Vec<&Leg> = legs.iter().filter(|leg| leg.operation == operation).collect();
        let by_hash: Vec<&Leg> = legs.iter().filter(|leg| hash.is_some() && leg.hash == hash).collect();
        if !by_hash.is_empty() && by_operation.iter().any(|leg| leg.hash.is_some() && leg.hash != hash) {
            self.open(Code::MatchContradiction, one.subject());
        }
        let fits = |leg: &&Leg| {
            number(&leg.payload, &["invoice_amount", "amount"]) == Some(one.msat()) && (leg.at - one.at).abs() <= HOUR
        };
        let keyless = one.lacks() && by_operation.is_empty() && text(&one.event, &["payment_hash", "txid"]).is_none();
        if keyless && legs.iter().filter(fits).count() > 1 {
            self.open(Code::MatchAmbiguous, one.subject());
        }
        let sum = |path: &str| by_hash.iter().find_map(|leg| leg.payload.pointer(path)?.as_i64()).map(i128::from);
        let charged = sum("/outgoing_contract/amount").and_then(|contract| Some(contract - sum("/invoice_amount")?));
        let bases: Vec<i128> = charged.into_iter().chain(self.record(one).and_then(|record| record.fee)).collect();
        let is_stated = one.is_out() && one.event["fee_sats"].is_u64();
        if is_stated && !bases.is_empty() && bases.iter().all(|basis| (one.fee_msat() - basis).abs() >= 1_000) {
            self.open(Code::FeeSettlement, one.subject());
        }
    }

    /// GW_OPEN, GW_PHANTOM and GW_FOREIGN.
    fn gateway(&self, legs: &[Leg], ours: &BTreeSet<String>) {
        let records: Vec<Record> = self.scene.world.invoices.iter().map(|line| record(line)).collect();
        let all: BTreeSet<&String> = legs.iter().filter_map(|leg| leg.hash.as_ref()).collect();
        for hash in all {
            let of: Vec<&Leg> = legs.iter().filter(|leg| leg.hash.as_ref() == Some(hash)).collect();
            let done = of
                .iter()
                .find(|leg| leg.kind.ends_with("going-payment-succeeded") || leg.kind == "incoming-payment-succeeded");
            let operations: BTreeSet<&String> = of.iter().filter_map(|leg| leg.operation.as_ref()).collect();
            let is_accepted = legs.iter().any(|leg| {
                leg.kind == "tx-accepted" && leg.operation.as_ref().is_some_and(|one| operations.contains(one))
            });
            if let Some(done) = done.filter(|_| ours.contains(hash) && !operations.is_empty() && !is_accepted) {
                let severity = if self.as_of - done.at > DAY { Severity::Error } else { Severity::Warn };
                let open = Expected::open(Code::GwOpen, Subject::new("payment_hash", hash)).with_severity(severity);
                self.findings.borrow_mut().push(open);
            }
            let has_failed = of.iter().any(|leg| leg.kind == "outgoing-payment-failed");
            if has_failed && done.is_none() && records.iter().any(|record| record.hash == *hash && record.is_settled) {
                self.open(Code::GwPhantom, Subject::new("payment_hash", hash));
            }
        }
        let mut known: BTreeSet<String> = records.into_iter().map(|record| record.hash).collect();
        known.extend(ours.iter().cloned());
        let is_foreign = |line: &String| {
            let mut named = BTreeSet::new();
            hashes(&parsed(line), &mut named);
            named.is_disjoint(&known)
        };
        if self.scene.world.payment_log.iter().any(|entry| is_foreign(&entry.json)) {
            self.open(Code::GwForeign, Subject::new("population", "payment-log"));
        }
    }
}
