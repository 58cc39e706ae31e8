//! Settlements against what their kind requires, and against the rails that they name (TREASURY 2.4, 2.6, 3).

use std::collections::BTreeSet;

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::expect::Expected;
use super::super::gateway_log::LogEntry;
use super::read::{DAY, Facts, HOUR, Held, parsed, text};
use crate::domain::{Code, Severity, Subject, sha256};

/// A node's record of an invoice or payment, whatever its dialect; in millisatoshi.
pub(super) struct Record {
    hash: String,
    asked: i128,
    moved: i128,
    fee: Option<i128>,
    is_settled: bool,
}

pub(super) struct Leg {
    pub(super) kind: &'static str,
    pub(super) module: String,
    at: i64,
    hash: Option<String>,
    operation: Option<String>,
    payload: Value,
}

/// An integer, as JSON or as text, in any of these members.
fn number(record: &Value, names: &[&str]) -> Option<i128> {
    let read = |value: &Value| match value {
        Value::String(text) => text.trim_end_matches("msat").parse().ok(),
        other => other.as_u64().map(i128::from),
    };
    names.iter().find_map(|name| read(&record[*name]))
}

impl Record {
    pub(super) fn of(line: &Value) -> Self {
        let whole = number(line, &["amount_sats", "value", "value_sat"]).map(|sats| sats * 1_000);
        let asked = number(line, &["amount_msat", "value_msat"]).or(whole).unwrap_or_default();
        let hash = text(line, &["payment_hash", "r_hash"]);
        // LND writes bytes as hex or as base64.
        let decoded = STANDARD.decode(hash).ok().filter(|bytes| bytes.len() == 32);
        let state = text(line, &["status", "state"]).to_ascii_lowercase();
        Self {
            hash: decoded.map_or_else(|| hash.to_ascii_lowercase(), |bytes| faster_hex::hex_string(&bytes)),
            asked,
            moved: number(line, &["amt_paid_msat", "amount_received_msat"]).unwrap_or(asked),
            fee: number(line, &["fee_msat"]).or(number(line, &["amount_sent_msat"]).map(|sent| sent - asked)),
            is_settled: ["settled", "paid", "complete", "succeeded"].contains(&&*state),
        }
    }
}

impl Leg {
    /// An entry in any of the three shapes (TREASURY 1.3).
    fn of(entry: &LogEntry) -> Self {
        let line = parsed(&entry.json);
        let member = |place: usize, names: [&str; 2]| {
            let found = names.iter().map(|name| &line[*name]).find(|value| !value.is_null());
            if line.is_array() { line[place].clone() } else { found.cloned().unwrap_or_default() }
        };
        let payload = member(4, ["payload", "value"]);
        let holders = ["", "/outgoing_contract/contract", "/outgoing_contract", "/incoming_contract_commitment"];
        let names = ["payment_hash", "payment_image/Hash", "hash"];
        let mut paths = holders.iter().flat_map(|holder| names.map(|name| format!("{holder}/{name}")));
        let hash = paths.find_map(|path| Some(payload.pointer(&path)?.as_str()?.to_ascii_lowercase()));
        let operation = payload["operation_id"].as_str().map(str::to_ascii_lowercase);
        let (at, module) = (member(3, ["ts_usecs", "timestamp"]), member(2, ["module", "module"]));
        let module = module["kind"].as_str().or(module[0].as_str()).unwrap_or_default().to_owned();
        Self { kind: entry.kind, module, at: at.as_i64().unwrap_or_default(), hash, operation, payload }
    }

    /// The log, oldest first; a payment's hash is known by its contract too.
    pub(super) fn all(log: &[LogEntry]) -> Vec<Self> {
        let mut legs: Vec<Self> = log.iter().map(Self::of).collect();
        let contract = |leg: &Self| leg.payload["contract_id"].as_str().map(str::to_owned);
        let known: Vec<_> = legs.iter().filter_map(|leg| Some((contract(leg)?, leg.hash.clone()?))).collect();
        for leg in legs.iter_mut().filter(|leg| leg.hash.is_none()) {
            leg.hash = known.iter().find(|(id, _)| Some(id) == contract(leg).as_ref()).map(|(_, hash)| hash.clone());
        }
        legs
    }
}

impl Held {
    /// TREASURY 2.4; the policy of the world: rebates go out, accruals come in.
    pub(super) fn misdirected(&self) -> bool {
        let comes_in = ["escrow.deposit", "platform.accrual"].contains(&&*self.kind);
        self.kind != "adjustment" && comes_in == self.is_out()
    }

    fn lacks(&self) -> bool {
        let (names, is_internal): (&[&str], _) = match self.kind.as_str() {
            "escrow.deposit" => (&["project_key"], false),
            "escrow.rebate" => (&["project_key"], true),
            "escrow.refund" => (&["project_key", "destination"], false),
            "operator.payout" => (&["operator_id", "destination"], false),
            "distribution.settled" => (&["user_address", "payout_binding_id", "distribution_id", "destination"], false),
            _ => (&[], true),
        };
        let anchor = text(&self.body, &["payment_hash", "txid"]);
        names.iter().any(|name| self.text(name).is_none()) || !is_internal && anchor.is_empty()
    }

    pub(super) fn hash(&self) -> Option<String> {
        self.text("payment_hash").map(str::to_ascii_lowercase)
    }
}

impl Facts<'_> {
    fn record(&self, one: &Held) -> Option<&Record> {
        let hash = one.hash()?;
        self.records.iter().find(|record| record.hash == hash)
    }

    /// What came in beyond the settled amount, when a record of it shows more.
    pub(super) fn excess(&self, one: &Held) -> i128 {
        let record = self.record(one).filter(|record| record.is_settled && one.kind == "escrow.deposit");
        let moved = record.map_or(0, |record| record.moved);
        if moved == one.msat() * 1_000 { 0 } else { (moved - one.msat()).max(0) }
    }

    pub(super) fn rails(&self) {
        for one in &self.settlements {
            self.form(one);
            self.invoice(one);
            self.matches(one);
        }
        let is_owed = |one: &Held| one.kind == "escrow.deposit" && one.hash().is_some() && self.record(one).is_none();
        let is_unchecked = self.settlements.iter().any(is_owed) && !self.scene.unchecked.contains("settlement.invoice");
        self.when(is_unchecked, Code::Unverifiable, Subject::new("check", "settlement.invoice"));
        self.gateway();
    }

    fn form(&self, one: &Held) {
        let operation = one.text("operation_id").unwrap_or_default();
        let is_hex = operation.len() == 64 && operation.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_silent = one.kind == "adjustment" && one.text("note").is_none_or(|note| note.trim().is_empty());
        let lacks_preimage = one.is_out() && one.hash().is_some() && one.text("preimage").is_none();
        let is_wrong = one.text("preimage").zip(one.hash()).is_some_and(|(preimage, hash)| {
            let mut bytes = [0; 32];
            let is_hex = preimage.len() == 64 && faster_hex::hex_decode(preimage.as_bytes(), &mut bytes).is_ok();
            !is_hex || sha256(&bytes).to_hex() != hash
        });
        // A Lightning client's limit: what went by a transaction alone pays miners.
        let is_lightning = one.hash().is_some() || one.text("txid").is_none();
        let is_above = one.sats("fee_sats") * 1_000 > 100_000 + one.msat() * 15 / 1_000;
        let is_dear = one.is_out() && is_lightning && is_above;
        self.when(!is_hex, Code::OpMalformed, one.subject());
        self.when(one.lacks(), Code::FieldMissing, one.subject());
        self.when(one.misdirected(), Code::DirWrong, one.subject());
        self.when(lacks_preimage, Code::PreMissing, one.subject());
        self.when(is_silent, Code::AdjUnexplained, one.subject());
        self.when(is_dear, Code::FeeLimit, one.subject());
        let subject = one.subject().and("federation", text(&one.body, &["federation_slug"]));
        let subject = subject.and("operation", operation).and("key", &one.key);
        self.when(is_wrong, Code::PreInvalid, subject);
        // An unknown project, a user who earned nothing, a batch or drop that nobody signed.
        let events = self.events();
        let batches = [self.counted("oc-me-distribution"), self.counted("oc-me-drop")].concat();
        let is_strange = one.text("project_key").is_some_and(|project| {
            let is_priced = self.price_lists.iter().any(|list| list["project_key"] == project);
            !is_priced && !events.iter().any(|held| held.text("project_key") == Some(project))
        });
        let is_lost = one.text("user_address").zip(one.text("distribution_id")).is_some_and(|(user, batch)| {
            !events.iter().any(|held| self.account(held.user()) == self.account(user))
                || !batches.iter().any(|held| held.id == batch)
        });
        self.when(is_strange || is_lost, Code::SetOrphan, one.subject());
    }

    fn invoice(&self, one: &Held) {
        let Some(Record { asked, moved, is_settled, .. }) = self.record(one) else { return };
        let (is_settled, settled) = (*is_settled, one.msat());
        let agrees = [asked, moved].iter().any(|msat| *msat - *msat % 1_000 == settled);
        let is_thousandfold = [asked, moved].iter().any(|msat| **msat == settled * 1_000 || **msat * 1_000 == settled);
        // Satoshi are floored (TREASURY 5.3).
        let is_over = moved.div_euclid(1_000) > asked.div_euclid(1_000);
        let has_residue = moved >= asked && !is_over && moved % 1_000 != 0;
        self.when(!is_settled, Code::InvState, one.subject());
        self.when(is_settled && moved < asked, Code::InvUnderpaid, one.subject());
        self.when(is_settled && is_over, Code::InvOverpaid, one.subject());
        self.when(is_settled && has_residue, Code::AmtResidue, one.subject());
        self.when(is_settled && !agrees && is_thousandfold, Code::UnitSuspect, one.subject());
        self.when(is_settled && !agrees && !is_thousandfold, Code::AmtMismatch, one.subject());
    }

    /// R1, R2 and R7 for one settlement, and its fee against what the rails show.
    fn matches(&self, one: &Held) {
        let (operation, hash) = (one.text("operation_id").map(str::to_ascii_lowercase), one.hash());
        let by_operation: Vec<&Leg> = self.legs.iter().filter(|leg| leg.operation == operation).collect();
        let by_hash: Vec<&Leg> = self.legs.iter().filter(|leg| hash.is_some() && leg.hash == hash).collect();
        let is_other = by_operation.iter().any(|leg| leg.hash.is_some() && leg.hash != hash);
        self.when(is_other && !by_hash.is_empty(), Code::MatchContradiction, one.subject());
        let fits = |leg: &&Leg| {
            let amount = number(&leg.payload, &["invoice_amount", "amount"]);
            amount == Some(one.msat()) && (leg.at - one.at).abs() <= HOUR
        };
        let is_keyless =
            one.lacks() && by_operation.is_empty() && text(&one.body, &["payment_hash", "txid"]).is_empty();
        let is_open = is_keyless && self.legs.iter().filter(fits).count() > 1;
        self.when(is_open, Code::MatchAmbiguous, one.subject());
        let sum = |path: &str| by_hash.iter().find_map(|leg| leg.payload.pointer(path)?.as_i64()).map(i128::from);
        let charged = sum("/outgoing_contract/amount").zip(sum("/invoice_amount")).map(|(all, invoice)| all - invoice);
        let bases: Vec<i128> = charged.into_iter().chain(self.record(one).and_then(|record| record.fee)).collect();
        let is_basis = |basis: &i128| basis.div_euclid(1_000) == one.sats("fee_sats");
        let is_off = one.body["fee_sats"].is_u64() && !bases.is_empty() && !bases.iter().any(is_basis);
        self.when(one.is_out() && is_off, Code::FeeSettlement, one.subject());
    }

    /// Of a payout that is done by the log, while that names transactions at all: when its claim was accepted, if ever.
    pub(super) fn claim(&self, one: &Held) -> Option<i64> {
        if !self.legs.iter().any(|leg| leg.kind.starts_with("tx-")) {
            return None;
        }
        let own = one.text("operation_id").map(str::to_ascii_lowercase);
        let known = |name: &Option<String>, names: &[Option<String>]| name.is_some() && names.contains(name);
        let by_operation = self.legs.iter().filter(|leg| known(&leg.operation, std::slice::from_ref(&own)));
        let hashes: Vec<_> = by_operation.map(|leg| leg.hash.clone()).chain([one.hash()]).collect();
        let of: Vec<&Leg> = self.legs.iter().filter(|leg| known(&leg.hash, &hashes)).collect();
        if !of.iter().any(|leg| leg.kind == "outgoing-payment-succeeded") {
            return None;
        }
        let operations: Vec<_> = of.iter().map(|leg| leg.operation.clone()).chain([own]).collect();
        let accepted = self.legs.iter().filter(|leg| leg.kind == "tx-accepted" && known(&leg.operation, &operations));
        Some(accepted.map(|leg| leg.at).min().unwrap_or(i64::MAX))
    }

    fn gateway(&self) {
        let of = |one: &Held| ["operation_id", "payment_hash"].map(|name| one.text(name).map(str::to_ascii_lowercase));
        let ours: BTreeSet<String> = self.settlements.iter().flat_map(of).flatten().collect();
        for hash in self.legs.iter().filter_map(|leg| leg.hash.as_ref()).collect::<BTreeSet<_>>() {
            let subject = Subject::new("payment_hash", hash);
            let of: Vec<&Leg> = self.legs.iter().filter(|leg| leg.hash.as_ref() == Some(hash)).collect();
            let at = |kinds: [&str; 2]| of.iter().find(|leg| kinds.contains(&leg.kind)).map(|leg| leg.at);
            let done = at(["outgoing-payment-succeeded", "incoming-payment-succeeded"]);
            let operations: Vec<&String> = of.iter().filter_map(|leg| leg.operation.as_ref()).collect();
            let mut accepted = self.legs.iter().filter(|leg| leg.kind == "tx-accepted");
            let is_accepted = accepted.any(|leg| leg.operation.iter().any(|one| operations.contains(&one)));
            if let Some(at) = done.filter(|_| ours.contains(hash) && !operations.is_empty() && !is_accepted) {
                let severity = if self.as_of - at > DAY { Severity::Error } else { Severity::Warn };
                self.say(Expected::open(Code::GwOpen, subject.clone()).with_severity(severity));
            }
            let is_paid = self.records.iter().any(|record| record.is_settled && record.hash == *hash);
            let has_failed = at(["outgoing-payment-failed"; 2]).is_some();
            self.when(has_failed && done.is_none() && is_paid, Code::GwPhantom, subject);
        }
        let known: Vec<&String> = self.records.iter().map(|record| &record.hash).chain(&ours).collect();
        let is_foreign = |entry: &LogEntry| !known.iter().any(|name| entry.json.contains(name.as_str()));
        let has_foreign = self.scene.world.payment_log.iter().any(is_foreign);
        self.when(has_foreign, Code::GwForeign, Subject::new("population", "payment-log"));
    }
}
