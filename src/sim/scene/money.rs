//! Settlements by hand: signing, replacing, and deposits with everything that belongs to them.

use serde_json::{Value, json};

use super::{AS_OF, NoRoom, Scene};
use crate::domain::sha256;

/// The signed members in signing order (FORMATS 6.1); `fee_sats` follows when it is known.
const SIGNED: [&str; 17] = [
    "kind",
    "federation_slug",
    "operation_id",
    "amount_sats",
    "direction",
    "settled_at",
    "payment_hash",
    "preimage",
    "txid",
    "gateway_pubkey",
    "project_key",
    "user_address",
    "payout_binding_id",
    "distribution_id",
    "operator_id",
    "destination",
    "note",
];

/// A settlement in the log, as findings name it.
#[derive(Debug, Clone)]
pub(in crate::sim) struct Settled {
    /// sha256 of the signed bytes, in hex.
    pub(in crate::sim) digest: String,
    pub(in crate::sim) operation: String,
}

/// The signed bytes: members in signing order, `null` for absent ones.
fn canonical(event: &Value) -> String {
    let mut members: Vec<String> = SIGNED.iter().map(|name| format!("\"{name}\":{}", event[*name])).collect();
    members.extend(event.get("fee_sats").map(|fee| format!("\"fee_sats\":{fee}")));
    format!("{{{}}}", members.join(","))
}

/// How findings name the settlement of these members.
pub(in crate::sim) fn settled(event: &Value) -> Settled {
    Settled {
        digest: sha256(canonical(event).as_bytes()).to_hex(),
        operation: event["operation_id"].as_str().unwrap_or_default().to_owned(),
    }
}

/// What a fault claims that changes the settlement of this line.
pub(in crate::sim) fn operation_of(line: &str) -> String {
    let parsed: Value = serde_json::from_str(line).unwrap_or_default();
    format!("operation {}", parsed["event"]["operation_id"].as_str().unwrap_or_default())
}

impl Scene {
    /// The line of a settlement signed by that key.
    pub(in crate::sim) fn settlement_line(&self, event: &Value, key: &str) -> String {
        let bytes = canonical(event);
        let (public, signature) = (self.hand.ed25519_public(key), self.hand.ed25519(key, bytes.as_bytes()));
        format!("{{\"event\":{bytes},\"pubkey_hex\":\"{public}\",\"sig_hex\":\"{signature}\"}}")
    }

    /// Adds a settlement signed by that key; it is this fault's, no other may change it.
    pub(in crate::sim) fn settle_by(&mut self, event: &Value, key: &str) -> Settled {
        let line = self.settlement_line(event, key);
        self.claimed.insert(operation_of(&line));
        self.world.settlements.push(line);
        settled(event)
    }

    /// Adds a settlement.
    pub(in crate::sim) fn settle(&mut self, event: &Value) -> Settled {
        self.settle_by(event, "settlement")
    }

    /// A settlement of forty days ago, to be completed.
    pub(in crate::sim) fn settlement(&mut self, kind: &str, direction: &str, sats: u64) -> Value {
        json!({
            "kind": kind, "federation_slug": "oc-me-v1", "operation_id": self.unique(), "amount_sats": sats,
            "direction": direction, "settled_at": AS_OF - 40 * 86_400,
        })
    }

    /// A correction that explains itself.
    pub(in crate::sim) fn adjustment(&mut self) -> Value {
        let mut adjustment = self.settlement("adjustment", "in", 100);
        adjustment["note"] = "a rounding of June".into();
        adjustment
    }

    /// A deposit with its invoice and its entry in the gateway's log.
    pub(in crate::sim) fn deposit(&mut self, project: &str, sats: u64) {
        let preimage = sha256(self.unique().as_bytes());
        let hash = sha256(preimage.as_bytes()).to_hex();
        let mut deposit = self.settlement("escrow.deposit", "in", sats);
        deposit["payment_hash"] = hash.clone().into();
        deposit["preimage"] = preimage.to_hex().into();
        deposit["project_key"] = project.into();
        self.settle(&deposit);
        let invoice = json!({
            "payment_hash": hash, "amount_msat": sats.saturating_mul(1_000), "status": "settled",
            "settled_at": deposit["settled_at"],
        });
        self.world.invoices.push(invoice.to_string());
        self.log("incoming-payment-succeeded", "ln", &json!({"payment_hash": hash, "preimage": preimage.to_hex()}));
    }

    /// Edits the newest settlement of that kind and signs it again.
    pub(in crate::sim) fn resettle(&mut self, kind: &str, edit: impl FnOnce(&mut Value)) -> Result<Settled, NoRoom> {
        let text = format!("\"kind\":\"{kind}\"");
        let fitting = |line: &String| line.contains(&text) && !self.is_claimed(&operation_of(line));
        let at = self.world.settlements.iter().rposition(fitting).ok_or(NoRoom)?;
        self.resettle_at(at, edit)
    }

    /// Edits the settlement of that line and signs it again.
    pub(in crate::sim) fn resettle_at(&mut self, at: usize, edit: impl FnOnce(&mut Value)) -> Result<Settled, NoRoom> {
        let line: Value = serde_json::from_str(&self.world.settlements[at]).map_err(|_| NoRoom)?;
        self.claim(operation_of(&self.world.settlements[at]))?;
        let mut event = line["event"].clone();
        edit(&mut event);
        self.world.settlements[at] = self.settlement_line(&event, "settlement");
        Ok(settled(&event))
    }
}
