//! A world under a fault's hands: edits keep everything consistent but the one thing that the fault is about.

mod custody;
mod money;
mod people;
mod proofs;
mod served;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::envelope::{Artifact, Envelope};
use super::expect::Expected;
use super::gateway_log::LogEntry;
use super::hand::Hand;
use super::nostr::SimEvent;
use super::server::Services;
use super::world::{Proven, World};
use super::write::{SimError, write};
use crate::domain::{Code, Digest32, Subject, UnixSeconds, sha256};

pub(super) use served::{ASKED, RELAYS, SERVED_BY};
pub use served::{Located, Transport};

pub(super) use money::{Settled, operation_of, settled};
pub(super) use proofs::{
    CALENDAR, base64, detached, hashes_then_block, hashes_then_blocks, header_hash, pending, time_of, waiting, work,
    young,
};

/// 2026-10-01T00:00:00Z, when every world is judged.
pub(super) const AS_OF: i64 = 1_790_812_800;
/// The envelope key in force at the end of a world.
pub(super) const KID: &str = "env-2026-08";

/// The world has nothing that the fault could be planted in, or another fault holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

/// What planting gives: the subject that the divergence must have, or must not have after a near miss.
pub type Planting = Result<Subject, NoRoom>;

/// A world with what it can't hold itself: raw bytes at the end of files, configuration, and what is known about both.
#[derive(Clone)]
pub struct Scene {
    /// The substrates.
    pub world: World,
    /// Their keys.
    pub hand: Arc<Hand>,
    /// Bytes to append by file.
    pub(super) appended: Vec<(&'static str, Vec<u8>)>,
    /// Texts of the configuration to replace.
    pub(super) replaced: Vec<(String, String)>,
    /// Sections to add to it.
    pub(super) sections: String,
    /// Divergences that follow from single records: known to whoever damaged them.
    pub(super) told: Vec<Expected>,
    /// Records (event ids, settlement digests, in hex) that no ledger may count, since what they say is not established.
    pub(super) discounted: BTreeSet<String>,
    /// Price lists of the world, by index, that come from a host as well.
    pub(super) served_lists: Vec<usize>,
    /// Checks (names as in `unverifiable`) that can't be made any more.
    pub(super) unchecked: BTreeSet<String>,
    /// How it comes to the auditor.
    pub transport: Transport,
    /// How it is served, when it is.
    pub(super) services: Services,
    /// What an earlier run saw, which this one is compared with.
    pub earlier: Option<Box<Scene>>,
    claimed: BTreeSet<String>,
    made: u32,
}

/// An envelope on its way into an event.
pub(super) struct Carrier {
    /// `oc-me-event` and so on.
    pub(super) prefix: String,
    pub(super) id: String,
    pub(super) content: Map<String, Value>,
    pub(super) tags: Vec<Vec<String>>,
    pub(super) publisher: &'static str,
}

/// Something published, as findings name it.
pub(super) struct Put {
    pub(super) id: String,
    pub(super) event: String,
}

pub(super) fn iso(at: i64) -> String {
    UnixSeconds(at).to_string()
}

/// The bytes behind 64 hex digits.
pub(super) fn digest(hex: &str) -> Result<[u8; 32], NoRoom> {
    hex.parse::<Digest32>().map(|digest| digest.0).map_err(|_| NoRoom)
}

/// The user that a signed body names.
pub(super) fn user_of(body: &Value) -> &str {
    ["user_address", "did_oc"].iter().find_map(|name| body.get(*name)?.as_str()).unwrap_or_default()
}

/// Puts bytes at the end of a file, which need not be there.
fn append(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), SimError> {
    let path = dir.join(name);
    let parent = fs::create_dir_all(path.parent().unwrap_or(dir));
    let opened = parent.and_then(|()| fs::OpenOptions::new().create(true).append(true).open(&path));
    opened.and_then(|mut file| file.write_all(bytes)).map_err(|source| SimError::Write { path, source })
}

impl Scene {
    /// The world, untouched.
    pub fn of(world: World) -> Self {
        Self {
            hand: Arc::new(world.hand()),
            world,
            appended: Vec::new(),
            replaced: Vec::new(),
            sections: "\n[store]\nurl = \"memory:\"\n".to_owned(),
            told: Vec::new(),
            discounted: BTreeSet::new(),
            served_lists: Vec::new(),
            unchecked: BTreeSet::new(),
            transport: Transport::Files,
            services: Services::default(),
            earlier: None,
            claimed: BTreeSet::new(),
            made: 0,
        }
    }

    /// Writes everything below `dir`, with `reledger.toml` on top.
    ///
    /// # Errors
    /// [`SimError`] when a folder or file can't be written.
    pub fn write(&self, dir: &Path) -> Result<(), SimError> {
        write(&self.world, dir)?;
        for (name, bytes) in &self.appended {
            append(dir, name, bytes)?;
        }
        let path = dir.join("reledger.toml");
        let failed = |source| SimError::Write { path: path.clone(), source };
        let text = fs::read_to_string(&path).map_err(failed)?;
        fs::write(&path, self.configure(text)).map_err(failed)
    }

    /// The configuration with this scene's changes.
    pub fn configure(&self, text: String) -> String {
        let edited = self.replaced.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from.as_str()), "the configuration has {from}");
            text.replace(from.as_str(), to)
        });
        edited + &self.sections
    }

    /// Whether a configuration has every text that this scene changes.
    pub(super) fn can_configure(&self, mut text: String) -> bool {
        self.replaced.iter().all(|(from, to)| {
            let has = text.contains(from.as_str());
            text = text.replace(from.as_str(), to);
            has
        })
    }

    /// Takes something that only one fault of a world may have.
    ///
    /// # Errors
    /// [`NoRoom`] when another fault has it.
    pub(super) fn claim(&mut self, what: impl Into<String>) -> Result<(), NoRoom> {
        if self.claimed.insert(what.into()) { Ok(()) } else { Err(NoRoom) }
    }

    /// Whether no fault was planted yet.
    pub(super) fn is_untouched(&self) -> bool {
        self.claimed.is_empty() && self.made == 0 && self.told.is_empty()
    }

    /// Whether another fault has it.
    pub(super) fn is_claimed(&self, what: &str) -> bool {
        self.claimed.contains(what)
    }

    /// States a divergence that follows from one record alone; gives its subject back.
    pub(super) fn tell(&mut self, code: Code, subject: Subject) -> Subject {
        self.told.push(Expected::open(code, subject.clone()));
        subject
    }

    /// As [`Self::tell`], and explained.
    pub(super) fn tell_explained(&mut self, code: Code, subject: Subject) -> Subject {
        self.told.push(Expected::explained(code, subject.clone()));
        subject
    }

    /// A text that no other call has given.
    pub(super) fn unique(&mut self) -> String {
        self.made += 1;
        sha256(format!("made {}", self.made).as_bytes()).to_hex()
    }

    /// The bodies of all envelopes of that artifact, newest first.
    pub(super) fn bodies(&self, kind: Artifact) -> impl Iterator<Item = (&Envelope, Value)> {
        let envelopes = self.world.envelopes.iter().rev().filter(move |envelope| envelope.kind == kind);
        envelopes.filter_map(|envelope| Some((envelope, serde_json::from_slice(&envelope.canonical).ok()?)))
    }

    /// The newest signed body of that artifact that fits.
    pub(super) fn body(&self, kind: Artifact, fits: impl Fn(&Value) -> bool) -> Result<Value, NoRoom> {
        self.bodies(kind).map(|(_, body)| body).find(fits).ok_or(NoRoom)
    }

    /// An honest event of a fixed price at that time, not published yet.
    pub(super) fn event_at(&mut self, at: i64) -> Result<Value, NoRoom> {
        let plain = |body: &Value| ["drop", "is_agent", "context"].iter().all(|name| body.get(*name).is_none());
        let body = self.body(Artifact::Event, plain)?;
        Ok(self.again(body, at))
    }

    /// The same event once more, as another one.
    pub(super) fn again(&mut self, mut body: Value, at: i64) -> Value {
        body["occurred_at"] = iso(at).into();
        body["idempotency_key"] = self.unique().into();
        body
    }

    /// A carrier of exactly these bytes, signed by that key, with a young proof.
    pub(super) fn sign_bytes(&self, bytes: &[u8], kid: &str) -> Carrier {
        let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let id = sha256(bytes).to_hex();
        let content = json!({
            "id": id, "kid": kid, "sig": self.hand.ed25519(kid, bytes), "canonical_b64": base64(bytes),
            "ots": waiting(&young()),
        });
        let content = if let Value::Object(content) = content { content } else { Map::new() };
        let prefix = match body["kind"].as_str().unwrap_or_default() {
            "oc-billable-event" => "oc-me-event",
            name => name,
        };
        Carrier { prefix: prefix.to_owned(), id, content, tags: Vec::new(), publisher: "service" }
    }

    /// A carrier of that body under the key in force.
    pub(super) fn sign(&self, body: &Value) -> Carrier {
        self.sign_bytes(body.to_string().as_bytes(), KID)
    }

    /// Publishes a carrier, with the young proof that [`Self::sign_bytes`] gave it.
    pub(super) fn put(&mut self, carrier: Carrier) -> Put {
        let Carrier { prefix, id, content, tags, publisher } = carrier;
        let d = vec!["d".to_owned(), format!("{prefix}:{id}")];
        let tags = [vec![d], tags].concat();
        let event = self.hand.event(publisher, 30_087, AS_OF - 60, tags, Value::Object(content).to_string());
        self.world.proven.insert(id.clone(), Proven::Waits(AS_OF - 3_600));
        let event = self.put_event(event);
        Put { id, event }
    }

    /// Publishes an event; returns its id.
    pub(super) fn put_event(&mut self, event: SimEvent) -> String {
        let id = event.id.to_string();
        self.world.events.push(event);
        id
    }

    /// Publishes an event that counts: its user's reported balance grows.
    pub(super) fn bill(&mut self, body: &Value) -> Result<Put, NoRoom> {
        let carrier = self.sign(body);
        self.bill_as(body, carrier)
    }

    /// As [`Self::bill`], in that carrier.
    pub(super) fn bill_as(&mut self, body: &Value, carrier: Carrier) -> Result<Put, NoRoom> {
        self.credit(user_of(body), body["user_earned_sats"].as_i64().ok_or(NoRoom)?)?;
        Ok(self.put(carrier))
    }

    /// Changes a user's reported balance.
    pub(super) fn credit(&mut self, user: &str, sats: i64) -> Result<(), NoRoom> {
        let found = self.world.balances.iter_mut().find(|line| line.contains(user)).ok_or(NoRoom)?;
        let mut line: Value = serde_json::from_str(found).map_err(|_| NoRoom)?;
        line["balance_sats"] = (line["balance_sats"].as_i64().ok_or(NoRoom)? + sats).into();
        *found = line.to_string();
        Ok(())
    }

    /// Takes back every event whose `d` names that id, and its proof files.
    pub(super) fn retract(&mut self, id: &str) -> Result<(), NoRoom> {
        let before = self.world.events.len();
        let names = |event: &SimEvent| event.tag_values("d").any(|d| d.ends_with(id));
        self.world.events.retain(|event| !names(event));
        self.world.archived.retain(|event| !names(event));
        self.world.told.retain(|one| !one.subject.0.values().any(|value| value == id));
        self.world.proofs.retain(|digest, _| digest.to_string() != id);
        self.world.upgraded.retain(|digest, _| digest.to_string() != id);
        self.world.envelopes.retain(|envelope| envelope.id.to_string() != id);
        if self.world.events.len() < before { Ok(()) } else { Err(NoRoom) }
    }

    /// Whether every record of the untouched world is still there: an earlier run saw the same.
    pub(super) fn only_adds_to(&self, before: &World) -> Result<(), NoRoom> {
        let now = &self.world;
        let ids = |world: &World| world.events.iter().chain(&world.archived).map(|event| event.id).collect();
        let (had, has): (BTreeSet<_>, BTreeSet<_>) = (ids(before), ids(now));
        let lists = [
            (&before.settlements, &now.settlements),
            (&before.invoices, &now.invoices),
            (&before.activity, &now.activity),
            (&before.custody, &now.custody),
        ];
        let keeps = |(had, has): (&Vec<String>, &Vec<String>)| had.iter().all(|line| has.contains(line));
        let log = |world: &World| world.payment_log.iter().map(|entry| entry.id).collect::<BTreeSet<_>>();
        let all = log(before).is_subset(&log(now)) && had.is_subset(&has) && lists.into_iter().all(keeps);
        if all { Ok(()) } else { Err(NoRoom) }
    }

    /// An entry at the end of the gateway's log, of ten minutes ago; returns its line.
    pub(super) fn log(&mut self, kind: &'static str, module: &str, payload: &Value) -> String {
        self.log_at(kind, module, payload, AS_OF - 600)
    }

    /// An entry at the end of the gateway's log; an empty module is the client's core.
    pub(super) fn log_at(&mut self, kind: &'static str, module: &str, payload: &Value, at: i64) -> String {
        let id = self.world.payment_log.last().map_or(0, |entry| entry.id) + 1;
        let micros = at * 1_000_000;
        let module = if module.is_empty() { Value::Null } else { json!({"kind": module, "id": 1}) };
        let json =
            json!({"id": id, "kind": kind, "module": module, "ts_usecs": micros, "payload": payload}).to_string();
        self.world.payment_log.push(LogEntry { id, kind, json: json.clone() });
        json
    }
}
