//! A world under a case's hands: edits keep everything consistent but the one thing that the case is about.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use reledger::domain::{EvidenceId, Media, RawEvidence, UnixSeconds, sha256};
use reledger::sim::{Artifact, Hand, LogEntry, SimEvent, World, write};
use serde_json::{Map, Value, json};

use super::proof::{base64, waiting, young};

/// 2026-10-01T00:00:00Z, when every case is judged.
pub(crate) const AS_OF: i64 = 1_790_812_800;
/// The envelope key in force at the end of the world.
pub(crate) const KID: &str = "env-2026-08";

/// A world with what it can't hold itself: raw bytes at the end of files, configuration.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) hand: Hand,
    /// Bytes to append by file.
    pub(crate) appended: Vec<(&'static str, Vec<u8>)>,
    /// Texts of the configuration to replace.
    pub(crate) replaced: Vec<(String, String)>,
    /// Sections to add to it.
    pub(crate) sections: String,
    made: u32,
}

/// An envelope on its way into an event.
pub(crate) struct Carrier {
    /// `oc-me-event` and so on.
    pub(crate) prefix: String,
    pub(crate) id: String,
    pub(crate) content: Map<String, Value>,
    pub(crate) tags: Vec<Vec<String>>,
    pub(crate) publisher: &'static str,
}

/// Something published, as findings name it.
pub(crate) struct Put {
    pub(crate) id: String,
    pub(crate) evidence: EvidenceId,
}

pub(crate) fn iso(at: i64) -> String {
    UnixSeconds(at).to_string()
}

pub(crate) fn digest(hex: &str) -> [u8; 32] {
    hex.parse::<reledger::domain::Digest32>().unwrap().0
}

impl Scene {
    pub(crate) fn of(world: &World) -> Self {
        let sections = "\n[store]\nurl = \"memory:\"\n".to_owned();
        let (appended, replaced) = (Vec::new(), Vec::new());
        Self { hand: world.hand(), world: world.clone(), appended, replaced, sections, made: 0 }
    }

    /// Writes everything; returns the configuration.
    pub(crate) fn write(&self, dir: &Path) -> PathBuf {
        write(&self.world, dir).unwrap();
        for (name, bytes) in &self.appended {
            let mut file = fs::OpenOptions::new().create(true).append(true).open(dir.join(name)).unwrap();
            file.write_all(bytes).unwrap();
        }
        let config = dir.join("reledger.toml");
        let mut text = fs::read_to_string(&config).unwrap();
        for (from, to) in &self.replaced {
            assert!(text.contains(from), "{from} in {text}");
            text = text.replace(from, to);
        }
        fs::write(&config, text + &self.sections).unwrap();
        config
    }

    /// A text that no other call has given.
    pub(crate) fn unique(&mut self) -> String {
        self.made += 1;
        sha256(format!("made {}", self.made).as_bytes()).to_hex()
    }

    /// The newest signed body of that artifact that fits.
    pub(crate) fn body(&self, kind: Artifact, fits: impl Fn(&Value) -> bool) -> Value {
        let bodies = self.world.envelopes.iter().rev().filter(|envelope| envelope.kind == kind);
        let mut bodies = bodies.map(|envelope| serde_json::from_slice(&envelope.canonical).unwrap());
        bodies.find(|body| fits(body)).expect("the world has such an envelope")
    }

    /// An honest event of a fixed price at that time, not published yet.
    pub(crate) fn event_at(&mut self, at: i64) -> Value {
        let body = self.body(Artifact::Event, |body| {
            body.get("drop").is_none() && body.get("is_agent").is_none() && body.get("context").is_none()
        });
        self.again(body, at)
    }

    /// The same event once more, as another one.
    pub(crate) fn again(&mut self, mut body: Value, at: i64) -> Value {
        body["occurred_at"] = iso(at).into();
        body["idempotency_key"] = self.unique().into();
        body
    }

    /// A carrier of exactly these bytes, signed by that key, with a young proof.
    pub(crate) fn sign_bytes(&self, bytes: &[u8], kid: &str) -> Carrier {
        let body: Value = serde_json::from_slice(bytes).unwrap();
        let id = sha256(bytes).to_hex();
        let content = json!({
            "id": id, "kid": kid, "sig": self.hand.ed25519(kid, bytes), "canonical_b64": base64(bytes),
            "ots": waiting(&young()),
        });
        let Value::Object(content) = content else { unreachable!() };
        let prefix = match body["kind"].as_str().unwrap() {
            "oc-billable-event" => "oc-me-event",
            name => name,
        };
        Carrier { prefix: prefix.to_owned(), id, content, tags: Vec::new(), publisher: "service" }
    }

    /// A carrier of that body under the key in force.
    pub(crate) fn sign(&self, body: &Value) -> Carrier {
        self.sign_bytes(body.to_string().as_bytes(), KID)
    }

    /// Publishes a carrier.
    pub(crate) fn put(&mut self, carrier: Carrier) -> Put {
        let Carrier { prefix, id, content, tags, publisher } = carrier;
        let d = vec!["d".to_owned(), format!("{prefix}:{id}")];
        let tags = [vec![d], tags].concat();
        let content = Value::Object(content).to_string();
        let event = self.hand.event(publisher, 30_087, AS_OF - 60, tags, content);
        let (_, evidence) = self.put_event(event);
        Put { id, evidence }
    }

    /// Publishes an event; returns its id and evidence.
    pub(crate) fn put_event(&mut self, event: SimEvent) -> (String, EvidenceId) {
        let evidence = evidence(Media::NostrEvent, &event.line());
        let id = event.id.to_string();
        self.world.events.push(event);
        (id, evidence)
    }

    /// Publishes an event that counts, in that carrier: its user's balance grows.
    pub(crate) fn bill_as(&mut self, body: &Value, carrier: Carrier) -> Put {
        let sats = i64::try_from(body["user_earned_sats"].as_u64().unwrap()).unwrap();
        self.credit(user_of(body), sats);
        self.put(carrier)
    }

    /// Changes a user's reported balance.
    pub(crate) fn credit(&mut self, user: &str, sats: i64) {
        let found = self.world.balances.iter_mut().find(|line| line.contains(user)).expect("the user has a balance");
        let mut line: Value = serde_json::from_str(found).unwrap();
        line["balance_sats"] = (line["balance_sats"].as_i64().unwrap() + sats).into();
        *found = line.to_string();
    }

    /// An entry at the end of the gateway's log.
    pub(crate) fn log(&mut self, kind: &'static str, module: &str, payload: &Value) -> EvidenceId {
        let id = self.world.payment_log.last().map_or(0, |entry| entry.id) + 1;
        let micros = (AS_OF - 600) * 1_000_000;
        let module = json!({"kind": module, "id": 1});
        let json =
            json!({"id": id, "kind": kind, "module": module, "ts_usecs": micros, "payload": payload}).to_string();
        let evidence = evidence(Media::PaymentLogEntry, &json);
        self.world.payment_log.push(LogEntry { id, kind, json });
        evidence
    }
}

/// The user that a signed body names.
pub(crate) fn user_of(body: &Value) -> &str {
    ["user_address", "did_oc"].iter().find_map(|name| body.get(*name)?.as_str()).expect("a body names its user")
}

/// The content address of a record.
pub(crate) fn evidence(media: Media, text: &str) -> EvidenceId {
    RawEvidence::id_of(media, "", text.as_bytes())
}
