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
use super::rails::{Leg, Record};
use crate::domain::{Code, MAX_SUPPLY_MSAT, Subject, UnixMicros, sha256};

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const HOUR: i64 = 3_600 * SECOND;
pub(super) const DAY: i64 = 24 * HOUR;

/// An accepted OC Me envelope or settlement.
pub(super) struct Held {
    /// An envelope's id, or the digest of a settlement's signed bytes.
    pub(super) id: String,
    /// Wire name: as in the `d` prefix, or the settlement's kind.
    pub(super) kind: String,
    /// The key id, or a settlement's public key.
    pub(super) key: String,
    pub(super) body: Value,
    /// The time it claims, in microseconds.
    pub(super) at: Option<i64>,
    pub(super) standing: &'static str,
}

/// Everything that counts, and what was found so far.
pub(super) struct Facts<'s> {
    pub(super) scene: &'s Scene,
    pub(super) as_of: i64,
    /// By id.
    pub(super) envelopes: Vec<Held>,
    /// By time, then operation.
    pub(super) settlements: Vec<Held>,
    pub(super) price_lists: Vec<Value>,
    pub(super) records: Vec<Record>,
    pub(super) legs: Vec<Leg>,
    /// When the shares of each drop window vest.
    pub(super) vests: BTreeMap<String, i64>,
    pub(super) findings: RefCell<Vec<Expected>>,
}

pub(super) fn parsed(text: impl AsRef<[u8]>) -> Value {
    serde_json::from_slice(text.as_ref()).unwrap_or_default()
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

/// What comes more than once.
pub(super) fn repeated<K: Ord + Clone>(keys: impl IntoIterator<Item = K>) -> BTreeSet<K> {
    let mut seen = BTreeSet::new();
    keys.into_iter().filter(|key| !seen.insert(key.clone())).collect()
}

impl Held {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.body[name].as_str()
    }

    pub(super) fn sats(&self, name: &str) -> i128 {
        sats(&self.body, name)
    }

    pub(super) fn subject(&self) -> Subject {
        Subject::new(if self.kind.starts_with("oc-me-") { "envelope" } else { "settlement" }, &self.id)
    }

    pub(super) fn user(&self) -> &str {
        user(&self.body)
    }

    pub(super) fn site(&self) -> &str {
        self.body["site"]["domain"].as_str().or(text(&self.body, &["site", "site_domain"])).unwrap_or_default()
    }

    pub(super) fn window(&self) -> Option<&str> {
        self.body["drop"]["window_id"].as_str()
    }

    /// The claimed time, of those that can't be without one.
    pub(super) fn time(&self) -> i64 {
        self.at.unwrap_or_default()
    }

    /// A settlement's amount.
    pub(super) fn msat(&self) -> i128 {
        self.sats("amount_sats") * 1_000
    }

    pub(super) fn is_out(&self) -> bool {
        self.body["direction"] == "out"
    }
}

impl<'s> Facts<'s> {
    pub(super) fn of(scene: &'s Scene) -> Self {
        let mut facts = Self {
            scene,
            as_of: UnixMicros::from(scene.world.as_of()).0,
            envelopes: Vec::new(),
            settlements: Vec::new(),
            price_lists: scene.world.configs.iter().map(|document| parsed(&document.json)).collect(),
            records: scene.world.invoices.iter().map(|line| Record::of(&parsed(line))).collect(),
            legs: Leg::all(&scene.world.payment_log),
            vests: BTreeMap::new(),
            findings: RefCell::default(),
        };
        facts.settle();
        facts.gather();
        facts.vests = facts.vesting();
        facts
    }

    pub(super) fn say(&self, expected: Expected) {
        self.findings.borrow_mut().push(expected);
    }

    /// An open finding, if it is so.
    pub(super) fn when(&self, is_so: bool, code: Code, subject: Subject) {
        if is_so {
            self.say(Expected::open(code, subject));
        }
    }

    /// Counted envelopes of that kind, by time.
    pub(super) fn counted(&self, kind: &str) -> Vec<&Held> {
        let fits = |held: &&Held| held.kind == kind && held.standing == "counted";
        let mut found: Vec<&Held> = self.envelopes.iter().filter(fits).collect();
        found.sort_by_key(|held| held.at);
        found
    }

    pub(super) fn events(&self) -> Vec<&Held> {
        self.counted("oc-me-event")
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
            let is_address = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            if is_address && content.is_object() && !scene.discounted.contains(&event.id.to_string()) {
                let key = text(&content, &["kid"]).or_else(|| event.tag_values("kid").next()).unwrap_or_default();
                held.insert(id.to_owned(), (kind.to_owned(), key.to_owned(), self.signed(id, &content)));
            }
        }
        for bundle in scene.world.activity.iter().map(parsed) {
            let (bytes, key) = (canonical(&bundle), text(&bundle, &["kid"]).unwrap_or_default());
            held.insert(sha256(&bytes).to_hex(), ("oc-me-activity".to_owned(), key.to_owned(), parsed(&bytes)));
        }
        for (id, (kind, key, body)) in held.into_iter().filter(|(id, _)| !scene.discounted.contains(id)) {
            let named = ["occurred_at", "rebound_at", "sealed_at", "computed_at", "created_at"];
            // FORMATS 3.5: nothing is known of a trust attestation's members.
            let at = micros(&body, &named).filter(|_| kind != "oc-me-trust");
            let mut one = Held { id, kind, key, body, at, standing: "counted" };
            let (is_later, is_leaked) = (at.is_some_and(|at| at > self.as_of), self.leaked(&one));
            if is_later {
                one.standing = "excluded:after-as-of";
            } else if is_leaked {
                one.standing = "excluded:key-compromised";
            }
            let is_possible = possible(&one.body);
            self.when(!is_possible, Code::AmtRange, one.subject());
            self.when(is_possible && is_later, Code::EnvTime, one.subject());
            self.when(is_possible && is_leaked && !is_later, Code::KeyCompromised, one.subject());
            self.envelopes.extend(is_possible.then_some(one));
        }
    }

    /// The signed members (FORMATS 3.1): decoded bytes, an inner object, or what the world signed under that id.
    fn signed(&self, id: &str, content: &Value) -> Value {
        let inner = ["envelope", "event", "attestation"].iter().find(|name| content[**name].is_object());
        let known = || self.scene.world.envelopes.iter().find(|one| one.id.to_string() == id);
        match inner {
            _ if content["canonical_b64"].is_string() => parsed(canonical(content)),
            Some(name) => content[*name].clone(),
            None => known().map_or_else(|| content.clone(), |one| parsed(&one.canonical)),
        }
    }

    /// Signed with a key that leaked, and neither anchored before nor named by a settlement.
    fn leaked(&self, held: &Held) -> bool {
        let Some(leak) = leaked(self.scene, &held.key) else { return false };
        let height = if let Proven::Block(height) = self.proven(&held.id) { Some(height) } else { None };
        let is_older = height.and_then(|height| self.block_time(height)).is_some_and(|time| time < leak * SECOND);
        let names = ["distribution_id", "payout_binding_id"];
        !is_older && !self.settlements.iter().any(|one| names.iter().any(|name| one.text(name) == Some(&held.id)))
    }

    /// R0: one settlement for each operation, the earliest of several.
    fn settle(&mut self) {
        let lines: BTreeSet<&str> = self.scene.world.settlements.iter().map(|line| line.trim()).collect();
        let mut read: Vec<Held> = lines.into_iter().map(settlement).collect();
        read.retain(|one| !self.scene.discounted.contains(&one.id));
        read.sort_by(|a, b| (a.at, a.text("operation_id"), &a.id).cmp(&(b.at, b.text("operation_id"), &b.id)));
        for one in read {
            let operation = Subject::new("operation", one.text("operation_id").unwrap_or_default());
            let kept = self.settlements.iter().find(|kept| kept.body["operation_id"] == one.body["operation_id"]);
            let (is_kept, is_later) = (kept.is_some(), one.time() > self.as_of);
            self.when(kept.is_some_and(|kept| kept.id == one.id), Code::OpReplay, operation.clone());
            self.when(kept.is_some_and(|kept| kept.id != one.id), Code::OpConflict, operation);
            self.when(!is_kept && is_later, Code::EnvTime, one.subject());
            self.settlements.extend((!is_kept && !is_later).then_some(one));
        }
    }
}

fn settlement(line: &str) -> Held {
    let line = parsed(line);
    let body = line["event"].clone();
    let at = body["settled_at"].as_i64().map(|at| at.saturating_mul(SECOND));
    let [key, kind] =
        [text(&line, &["pubkey_hex"]), text(&body, &["kind"])].map(|text| text.unwrap_or_default().to_owned());
    Held { id: settled(&body).digest, kind, key, body, at, standing: "counted" }
}

/// Whether every amount of the signed bytes is a whole number of satoshi, and no more than there can be.
fn possible(body: &Value) -> bool {
    let amounts = body.as_object().into_iter().flatten().filter(|(name, _)| name.ends_with("_sats"));
    let recipients = body["recipients"].as_array().into_iter().flatten().map(|one| &one["amount_sats"]);
    let mut amounts = amounts.map(|(_, amount)| amount).chain(recipients).chain([&body["sats_charged"]]);
    amounts.all(|amount| !amount.is_number() || amount.as_u64().is_some_and(|sats| sats <= MAX_SUPPLY_MSAT / 1_000))
}

fn canonical(record: &Value) -> Vec<u8> {
    STANDARD.decode(text(record, &["canonical_b64"]).unwrap_or_default()).unwrap_or_default()
}
