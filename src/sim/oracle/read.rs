//! The records of a scene as they stand after all edits: what is well-formed, signed, and not known to be false.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::expect::Expected;
use super::super::scene::{Scene, settled, time_of};
use super::super::world::Proven;
use super::rails::{Leg, Record};
use super::treasury::Journal;
use crate::domain::{Code, Subject, UnixMicros, sha256};

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const HOUR: i64 = 3_600 * SECOND;
pub(super) const DAY: i64 = 24 * HOUR;

/// An accepted OC Me envelope: its id, its kind as in the `d` prefix, the key id. Or a settlement: the digest of its signed
/// bytes, its kind, the public key.
pub(super) struct Held {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) key: String,
    pub(super) body: Value,
    /// The time it claims, in microseconds.
    pub(super) at: i64,
    pub(super) standing: &'static str,
}

/// Everything that counts, envelopes by id and settlements by time, and what was found so far.
pub(super) struct Facts<'s> {
    pub(super) scene: &'s Scene,
    pub(super) as_of: i64,
    pub(super) envelopes: Vec<Held>,
    pub(super) settlements: Vec<Held>,
    pub(super) price_lists: Vec<Value>,
    pub(super) records: Vec<Record>,
    pub(super) legs: Vec<Leg>,
    /// The account of each name that stands for another.
    pub(super) accounts: BTreeMap<String, String>,
    /// When the shares of each drop window vest.
    pub(super) vests: BTreeMap<String, i64>,
    /// What follows of all that, once somebody asks.
    pub(super) books: OnceCell<Journal>,
    pub(super) findings: RefCell<Vec<Expected>>,
}

/// Any JSON; `null` for what is none. `Value`'s own `FromStr` is compiled and optimised in its crate: a debug build of this one
/// would take ten times as long over what is generic.
pub(super) fn parsed(text: impl AsRef<[u8]>) -> Value {
    std::str::from_utf8(text.as_ref()).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// The first of these members that is a text.
pub(super) fn text<'v>(value: &'v Value, names: &[&str]) -> &'v str {
    names.iter().find_map(|name| value[*name].as_str()).unwrap_or_default()
}

pub(super) fn sats(value: &Value, name: &str) -> i128 {
    value[name].as_u64().map_or(0, i128::from)
}

pub(super) fn micros(value: &Value, names: &[&str]) -> Option<i64> {
    text(value, names).parse::<UnixMicros>().ok().map(|time| time.0)
}

pub(super) fn user(body: &Value) -> &str {
    text(body, &["user_address", "did_oc", "identity", "user"])
}

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
        self.body["site"]["domain"].as_str().unwrap_or(text(&self.body, &["site", "site_domain"]))
    }

    pub(super) fn window(&self) -> Option<&str> {
        self.body["drop"]["window_id"].as_str()
    }

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
            accounts: BTreeMap::new(),
            vests: BTreeMap::new(),
            books: OnceCell::new(),
            findings: RefCell::default(),
        };
        facts.accounts = facts.people();
        facts.settle();
        facts.gather();
        facts.vests = facts.vesting();
        facts
    }

    pub(super) fn say(&self, expected: Expected) {
        self.findings.borrow_mut().push(expected);
    }

    pub(super) fn when(&self, is_so: bool, code: Code, subject: Subject) {
        is_so.then(|| self.say(Expected::open(code, subject)));
    }

    pub(super) fn each(&self, code: Code, subjects: impl IntoIterator<Item = Subject>) {
        subjects.into_iter().for_each(|subject| self.when(true, code, subject));
    }

    pub(super) fn counted(&self, kind: &str) -> Vec<&Held> {
        let fits = |held: &&Held| held.kind == kind && held.standing == "counted";
        let mut found: Vec<&Held> = self.envelopes.iter().filter(fits).collect();
        found.sort_by_key(|held| held.at);
        found
    }

    pub(super) fn events(&self) -> Vec<&Held> {
        self.counted("oc-me-event")
    }

    pub(super) fn block_time(&self, height: usize) -> Option<i64> {
        self.scene.world.headers.get(height).map(|header| time_of(header) * SECOND)
    }

    pub(super) fn block(&self, id: &str) -> Option<(usize, i64)> {
        let Some(Proven::Block(height)) = self.scene.world.proven.get(id) else { return None };
        Some((*height, self.block_time(*height)?))
    }

    pub(super) fn height(&self, id: &str) -> Option<usize> {
        self.block(id).map(|(height, _)| height)
    }

    fn gather(&mut self) {
        let scene = self.scene;
        let mut held: BTreeMap<String, (String, String, Value)> = BTreeMap::new();
        for event in scene.world.events.iter().filter(|event| event.kind == 30_087) {
            let Some((kind, id)) = event.tag_values("d").next().and_then(|d| d.split_once(':')) else { continue };
            let content = parsed(&event.content);
            let is_address = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            if is_address && content.is_object() && !scene.discounted.contains(&event.id.to_string()) {
                let key = content["kid"].as_str().or_else(|| event.tag_values("kid").next()).unwrap_or_default();
                held.insert(id.to_owned(), (kind.to_owned(), key.to_owned(), self.signed(id, &content)));
            }
        }
        for bundle in scene.world.activity.iter().map(parsed) {
            let bytes = STANDARD.decode(text(&bundle, &["canonical_b64"])).unwrap_or_default();
            let key = text(&bundle, &["kid"]).to_owned();
            held.insert(sha256(&bytes).to_hex(), ("oc-me-activity".to_owned(), key, parsed(&bytes)));
        }
        for (id, (kind, key, body)) in held.into_iter().filter(|(id, _)| !scene.discounted.contains(id)) {
            let named = ["occurred_at", "rebound_at", "sealed_at", "computed_at", "created_at"];
            let at = micros(&body, &named).unwrap_or_default();
            let mut one = Held { id, kind, key, body, at, standing: "counted" };
            // FORMATS 3.5: nothing is known of a trust attestation's members, its time neither.
            if at > self.as_of && one.kind != "oc-me-trust" {
                one.standing = "excluded:after-as-of";
                self.when(true, Code::EnvTime, one.subject());
            } else if self.leaked(&one) {
                one.standing = "excluded:key-compromised";
                self.when(true, Code::KeyCompromised, one.subject());
            }
            self.envelopes.push(one);
        }
    }

    /// The signed members (FORMATS 3.1): decoded bytes, an inner object, or what the world signed under that id.
    fn signed(&self, id: &str, content: &Value) -> Value {
        let mut inner = ["envelope", "event", "attestation"].iter().map(|name| &content[*name]);
        match self.scene.world.envelopes.iter().find(|one| one.id.to_string() == id) {
            _ if content["canonical_b64"].is_string() => {
                parsed(STANDARD.decode(text(content, &["canonical_b64"])).unwrap_or_default())
            }
            Some(known) => parsed(&known.canonical),
            None => inner.find(|one| one.is_object()).unwrap_or(content).clone(),
        }
    }

    /// Signed with a key that leaked, and neither anchored before nor named by a settlement.
    fn leaked(&self, held: &Held) -> bool {
        let entry = format!("[[keys.compromised]]\nkid = \"{}\"\nat = ", held.key);
        let Some((_, after)) = self.scene.sections.split_once(&entry) else { return false };
        let leak = after.lines().next().and_then(|at| at.parse::<UnixMicros>().ok()).map(|at| at.0);
        let is_older = self.block(&held.id).zip(leak).is_some_and(|((_, time), leak)| time < leak);
        let name = if held.kind.ends_with("binding") { "payout_binding_id" } else { "distribution_id" };
        let is_named = ["-binding", "-distribution", "-drop"].iter().any(|kind| held.kind.ends_with(kind));
        !(is_older || is_named && self.settlements.iter().any(|one| one.text(name) == Some(&held.id)))
    }

    /// R0: one settlement for each operation, the earliest of several.
    fn settle(&mut self) {
        let lines: BTreeSet<&str> = self.scene.world.settlements.iter().map(|line| line.trim()).collect();
        let mut read: Vec<Held> = lines.into_iter().map(settlement).collect();
        read.retain(|one| !self.scene.discounted.contains(&one.id));
        read.sort_by(|a, b| (a.at, a.text("operation_id"), &a.id).cmp(&(b.at, b.text("operation_id"), &b.id)));
        for one in read {
            let operation = Subject::new("operation", text(&one.body, &["operation_id"]));
            match self.settlements.iter().find(|kept| kept.body["operation_id"] == one.body["operation_id"]) {
                Some(kept) if kept.id == one.id => self.when(true, Code::OpReplay, operation),
                Some(_) => self.when(true, Code::OpConflict, operation),
                None if one.at > self.as_of => self.when(true, Code::EnvTime, one.subject()),
                None => self.settlements.push(one),
            }
        }
    }
}

fn settlement(line: &str) -> Held {
    let line = parsed(line);
    let (body, key) = (line["event"].clone(), text(&line, &["pubkey_hex"]).to_owned());
    let at = body["settled_at"].as_i64().unwrap_or_default().saturating_mul(SECOND);
    Held { id: settled(&body).digest, kind: text(&body, &["kind"]).to_owned(), key, body, at, standing: "counted" }
}
