//! The records of a scene as they stand after all edits: what is well-formed, signed, and not known to be false.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::expect::Expected;
use super::super::scene::{Scene, settled, time_of};
use super::super::world::Proven;
use super::custody::leaked;
use crate::domain::{Code, MAX_SUPPLY_MSAT, Subject, UnixMicros, sha256};

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const HOUR: i64 = 3_600 * SECOND;
pub(super) const DAY: i64 = 24 * HOUR;

/// An accepted OC Me envelope.
pub(super) struct Held {
    pub(super) id: String,
    /// Wire name, as in the `d` prefix.
    pub(super) kind: String,
    pub(super) kid: String,
    pub(super) body: Value,
    /// The time it claims, in microseconds.
    pub(super) at: Option<i64>,
    pub(super) standing: &'static str,
}

/// An accepted settlement, with the key that signed it.
pub(super) struct Settlement {
    pub(super) digest: String,
    pub(super) key: String,
    pub(super) event: Value,
    pub(super) at: i64,
}

/// Everything that counts, and what was found so far.
pub(super) struct Facts<'s> {
    pub(super) scene: &'s Scene,
    pub(super) as_of: i64,
    /// By id.
    pub(super) envelopes: Vec<Held>,
    /// By time, then operation.
    pub(super) settlements: Vec<Settlement>,
    /// When the shares of each drop window vest.
    pub(super) vests: BTreeMap<String, i64>,
    pub(super) findings: RefCell<Vec<Expected>>,
}

pub(super) fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// The first of these members that is a text.
pub(super) fn text<'v>(value: &'v Value, names: &[&str]) -> Option<&'v str> {
    names.iter().find_map(|name| value[*name].as_str())
}

pub(super) fn sats(value: &Value, name: &str) -> i128 {
    value[name].as_u64().map_or(0, i128::from)
}

pub(super) fn micros(value: &Value, names: &[&str]) -> Option<i64> {
    text(value, names).and_then(|text| text.parse::<UnixMicros>().ok()).map(|time| time.0)
}

pub(super) fn user(body: &Value) -> &str {
    text(body, &["user_address", "did_oc", "identity", "user"]).unwrap_or_default()
}

pub(super) fn site(body: &Value) -> &str {
    body["site"]["domain"].as_str().or_else(|| text(body, &["site", "site_domain"])).unwrap_or_default()
}

/// Seconds of a time, rounded towards the past.
pub(super) fn seconds(at: i64) -> i64 {
    at.div_euclid(SECOND)
}

impl Held {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.body[name].as_str()
    }

    pub(super) fn subject(&self) -> Subject {
        Subject::new("envelope", &self.id)
    }

    pub(super) fn user(&self) -> &str {
        user(&self.body)
    }

    pub(super) fn window(&self) -> Option<&str> {
        self.body["drop"]["window_id"].as_str()
    }

    /// The claimed time, of those that can't be without one.
    pub(super) fn time(&self) -> i64 {
        self.at.unwrap_or_default()
    }
}

impl Settlement {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.event[name].as_str()
    }

    pub(super) fn kind(&self) -> &str {
        self.text("kind").unwrap_or_default()
    }

    pub(super) fn msat(&self) -> i128 {
        sats(&self.event, "amount_sats") * 1_000
    }

    pub(super) fn fee_msat(&self) -> i128 {
        sats(&self.event, "fee_sats") * 1_000
    }

    pub(super) fn is_out(&self) -> bool {
        self.event["direction"] == "out"
    }

    pub(super) fn subject(&self) -> Subject {
        Subject::new("settlement", &self.digest)
    }
}

impl<'s> Facts<'s> {
    pub(super) fn of(scene: &'s Scene) -> Self {
        let as_of = UnixMicros::from(scene.world.as_of()).0;
        let (envelopes, settlements) = (Vec::new(), Vec::new());
        let (vests, findings) = (BTreeMap::new(), RefCell::default());
        let mut facts = Self { scene, as_of, envelopes, settlements, vests, findings };
        facts.settle();
        facts.gather();
        facts.vests = facts.vesting();
        facts
    }

    pub(super) fn open(&self, code: Code, subject: Subject) {
        self.findings.borrow_mut().push(Expected::open(code, subject));
    }

    pub(super) fn explained(&self, code: Code, subject: Subject) {
        self.findings.borrow_mut().push(Expected::explained(code, subject));
    }

    /// Counted envelopes of that kind, by time.
    pub(super) fn counted(&self, kind: &str) -> Vec<&Held> {
        let fits = |held: &&Held| held.kind == kind && held.standing == "counted";
        let mut found: Vec<&Held> = self.envelopes.iter().filter(fits).collect();
        found.sort_by_key(|held| held.at);
        found
    }

    /// Microseconds of the header at that height, if the chain has it.
    pub(super) fn block_time(&self, height: usize) -> Option<i64> {
        self.scene.world.headers.get(height).map(|header| time_of(header) * SECOND)
    }

    /// What is proven of a digest, as far as the headers reach.
    pub(super) fn proven(&self, id: &str) -> Proven {
        match self.scene.world.proven.get(id).copied().unwrap_or(Proven::Never) {
            Proven::Block(height) if self.block_time(height).is_none() => Proven::Beyond,
            known => known,
        }
    }

    fn gather(&mut self) {
        let scene = self.scene;
        let mut held: BTreeMap<String, (String, String, Value)> = BTreeMap::new();
        for event in scene.world.events.iter().filter(|event| event.kind == 30_087) {
            let Some((kind, id)) = event.tag_values("d").next().and_then(|d| d.split_once(':')) else { continue };
            let content = parsed(&event.content);
            if scene.discounted.contains(&event.id.to_string()) || !content.is_object() {
                continue;
            }
            let kid = text(&content, &["kid"]).or_else(|| event.tag_values("kid").next()).unwrap_or_default();
            held.insert(id.to_owned(), (kind.to_owned(), kid.to_owned(), self.signed(id, &content)));
        }
        for bundle in scene.world.activity.iter().map(|line| parsed(line)) {
            let (bytes, kid) = (canonical(&bundle), text(&bundle, &["kid"]).unwrap_or_default());
            held.insert(sha256(&bytes).to_hex(), ("oc-me-activity".to_owned(), kid.to_owned(), json(&bytes)));
        }
        for (id, (kind, kid, body)) in held.into_iter().filter(|(id, _)| !scene.discounted.contains(id)) {
            let named = ["occurred_at", "rebound_at", "sealed_at", "computed_at", "created_at"];
            // FORMATS 3.5: nothing is known of a trust attestation's members.
            let at = micros(&body, &named).filter(|_| kind != "oc-me-trust");
            let mut one = Held { id, kind, kid, body, at, standing: "counted" };
            if out_of_range(&one.body) {
                self.open(Code::AmtRange, one.subject());
                continue;
            }
            if at.is_some_and(|at| at > self.as_of) {
                one.standing = "excluded:after-as-of";
                self.open(Code::EnvTime, one.subject());
            } else if self.leaked(&one) {
                one.standing = "excluded:key-compromised";
                self.open(Code::KeyCompromised, one.subject());
            }
            self.envelopes.push(one);
        }
    }

    /// The signed members (FORMATS 3.1): decoded bytes, an inner object, or what the world signed under that id.
    fn signed(&self, id: &str, content: &Value) -> Value {
        if content["canonical_b64"].is_string() {
            return json(&canonical(content));
        }
        let inner = ["envelope", "event", "attestation"].iter().find(|name| content[**name].is_object());
        let known = || self.scene.world.envelopes.iter().find(|one| one.id.to_string() == id);
        match inner {
            Some(name) => content[*name].clone(),
            None => known().map_or_else(|| content.clone(), |one| json(&one.canonical)),
        }
    }

    /// Signed with a key that leaked, and neither anchored before nor named by a settlement.
    fn leaked(&self, held: &Held) -> bool {
        let Some(leak) = leaked(self.scene, &held.kid) else { return false };
        if let Proven::Block(height) = self.proven(&held.id)
            && self.block_time(height).is_some_and(|time| time < leak * SECOND)
        {
            return false;
        }
        let names = ["distribution_id", "payout_binding_id"];
        !self.settlements.iter().any(|one| names.iter().any(|name| one.text(name) == Some(&held.id)))
    }

    /// R0: one settlement for each operation, the earliest of several.
    fn settle(&mut self) {
        let scene = self.scene;
        let lines: BTreeSet<&str> = scene.world.settlements.iter().map(|line| line.trim()).collect();
        let mut read: Vec<Settlement> = lines.into_iter().map(settlement).collect();
        read.retain(|one| !scene.discounted.contains(&one.digest));
        read.sort_by(|a, b| (a.at, a.text("operation_id"), &a.digest).cmp(&(b.at, b.text("operation_id"), &b.digest)));
        for one in read {
            let operation = Subject::new("operation", one.text("operation_id").unwrap_or_default());
            match self.settlements.iter().find(|kept| kept.event["operation_id"] == one.event["operation_id"]) {
                Some(kept) if kept.digest == one.digest => self.open(Code::OpReplay, operation),
                Some(_) => self.open(Code::OpConflict, operation),
                None if one.at > self.as_of => self.open(Code::EnvTime, one.subject()),
                None => self.settlements.push(one),
            }
        }
    }
}

fn settlement(line: &str) -> Settlement {
    let line = parsed(line);
    let event = line["event"].clone();
    let at = event["settled_at"].as_i64().unwrap_or_default().saturating_mul(SECOND);
    let key = text(&line, &["pubkey_hex"]).unwrap_or_default().to_owned();
    Settlement { digest: settled(&event).digest, key, event, at }
}

/// Whether an amount of the signed bytes is above all bitcoin there can be, or no whole number of satoshi.
fn out_of_range(body: &Value) -> bool {
    let amounts = body.as_object().into_iter().flatten().filter(|(name, _)| name.ends_with("_sats"));
    let recipients = body["recipients"].as_array().into_iter().flatten().map(|one| &one["amount_sats"]);
    let mut amounts = amounts.map(|(_, amount)| amount).chain(recipients).chain([&body["sats_charged"]]);
    amounts.any(|amount| amount.is_number() && amount.as_u64().is_none_or(|sats| sats > MAX_SUPPLY_MSAT / 1_000))
}

fn canonical(record: &Value) -> Vec<u8> {
    STANDARD.decode(text(record, &["canonical_b64"]).unwrap_or_default()).unwrap_or_default()
}

pub(super) fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}
