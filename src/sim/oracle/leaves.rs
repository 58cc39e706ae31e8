//! The leaves of every ledger and register (docs/state-root.md 4): canonical JSON in canonical order.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::world::Proven;
use super::custody;
use super::read::{Facts, Held, SECOND, micros, parsed, seconds, site, text, user};
use super::rebinds::state;
use crate::domain::{Media, RawEvidence};

/// Lines by ledger.
type Leaves = BTreeMap<&'static str, Vec<String>>;

impl Facts<'_> {
    pub(super) fn leaves(&self) -> Leaves {
        let lines = |leaves: Vec<Value>| leaves.iter().map(Value::to_string).collect();
        BTreeMap::from([
            ("envelope", lines(self.envelope_leaves())),
            ("rebind", lines(self.rebind_leaves())),
            ("treasury", lines(self.treasury_leaves())),
            ("attestations", lines(self.attestation_leaves())),
            ("projects", lines(self.project_leaves())),
        ])
    }

    /// The lowest block that a proof of that digest reaches.
    fn height(&self, id: &str) -> Value {
        if let Proven::Block(height) = self.proven(id) { json!(height) } else { Value::Null }
    }

    fn envelope_leaves(&self) -> Vec<Value> {
        let others = self.envelopes.iter().filter(|held| held.kind != "oc-me-rebind");
        others.map(|held| self.envelope_leaf(held)).collect()
    }

    fn envelope_leaf(&self, held: &Held) -> Value {
        let body = &held.body;
        let recipients = || {
            let shares = body["recipients"].as_array().into_iter().flatten();
            shares.map(|one| json!([user(one), one["amount_sats"].to_string()])).collect::<Vec<_>>()
        };
        let more = match held.kind.as_str() {
            "oc-me-event" => json!({
                "v": body["v"], "class": body["class"], "subtype": body["subtype"], "site": site(body),
                "user": held.user(), "project": body["project_key"], "gross_sats": body["gross_fee_sats"],
                "platform_sats": body["platform_fee_sats"], "user_sats": body["user_earned_sats"],
                "rebate_sats": body["site_rebate_sats"], "is_agent": body["is_agent"] == true,
                "window": held.window(), "idempotency_key": body["idempotency_key"],
                "vested_at": held.window().map_or(held.at, |window| self.vests.get(window).copied()).map(seconds),
            }),
            "oc-me-payment" => json!({
                "status": body["status"], "sats_charged": body["sats_charged"], "event": body["user_envelope_id"],
                "user": some(held.user()),
            }),
            "oc-me-payout-binding" => json!({"user": held.user(), "destination": body["destination"]}),
            "oc-me-distribution" => json!({"total_sats": body["total_sats"], "recipients": recipients()}),
            "oc-me-drop" => json!({
                "window": body["window_id"], "event_count": body["event_count"], "gross_sats": body["gross_fee_sats"],
                "user_sats": body["user_share_sats"], "sealed_height": body["sealed_height"],
                "events_root": body["events_root"], "root_rule": self.root_rule(held),
            }),
            "oc-me-activity" => json!({
                "user": held.user(), "event_count": body["event_count"], "lifetime_sats": body["lifetime_sats"],
            }),
            _ => json!({}),
        };
        let common = json!({
            "type": held.kind, "id": held.id, "kid": held.kid, "standing": held.standing, "claimed_micros": held.at,
            "anchor_height": self.height(&held.id),
        });
        joined(common, more)
    }

    fn rebind_leaves(&self) -> Vec<Value> {
        let gaps = self.gaps();
        let rebinds = self.envelopes.iter().filter(|held| held.kind == "oc-me-rebind").map(|held| {
            let body = &held.body;
            json!({
                "type": "rebind", "id": held.id, "kid": held.kid, "standing": held.standing, "user": held.user(),
                "from": state(held, "from"), "to": state(held, "to"), "from_federation": body["from_federation"],
                "to_federation": body["to_federation"], "prev": body["prev"], "claimed_micros": held.at,
                "anchor_height": self.height(&held.id), "gap": gaps.contains(held.id.as_str()),
            })
        });
        let (guarded, stepped) = custody::read(self.scene);
        let mut steps: Vec<_> = stepped.into_values().filter(|one| one.at * SECOND <= self.as_of).collect();
        steps.sort_by_key(|step| step.graduates_to.is_none());
        let steps = steps.into_iter().map(|step| {
            json!({
                "type": if step.graduates_to.is_some() { "graduation" } else { "rotation" }, "id": step.id,
                "address": step.address, "from": step.from, "graduates_to": step.graduates_to, "to": step.to,
                "at": step.at, "anchor_height": self.height(&step.id), "profile": step.profile,
            })
        });
        let descriptors = guarded.into_values().map(|one| {
            json!({
                "type": "descriptor", "id": one.id, "address": one.address, "threshold": one.threshold,
                "guardians": one.guardians,
            })
        });
        rebinds.chain(steps).chain(descriptors).collect()
    }

    fn treasury_leaves(&self) -> Vec<Value> {
        let leaf = |entry: super::journal::Entry| {
            let postings: Vec<Value> =
                entry.postings.iter().map(|(account, amount)| json!([account, amount.to_string()])).collect();
            let mut leaf = json!({"type": entry.kind, "at_micros": entry.at, "tier": "T1", "postings": postings});
            entry.fact.into_iter().for_each(|(name, id)| leaf[name] = id.into());
            leaf
        };
        self.journal().into_iter().map(leaf).collect()
    }

    fn attestation_leaves(&self) -> Vec<Value> {
        let leaf = |one: super::proofs::Attested| {
            let height = self.height(&one.id);
            json!({
                "type": "attestation", "id": one.id, "address": one.address, "identities": one.identities,
                "issued_at_micros": one.at, "bond_sats": one.bond, "anchor_height": height,
            })
        };
        self.attestations().into_iter().map(leaf).collect()
    }

    fn project_leaves(&self) -> Vec<Value> {
        let mut leaves: Vec<(String, Option<i64>, String, String, Value)> = Vec::new();
        for bytes in self.scene.world.configs.iter().map(|document| &document.json) {
            let config = &parsed(bytes);
            let id = RawEvidence::id_of(Media::ProjectConfig, "", bytes.as_bytes()).to_string();
            let member = |name: &str| text(config, &[name]).unwrap_or_default().to_owned();
            let since = micros(config, &["updated_at"]);
            let leaf = json!({
                "type": "project-config", "project": config["project_key"], "domain": config["domain"],
                "updated_at_micros": since, "config": id, "events": config["events"].as_object().map_or(0, Map::len),
            });
            if since.is_none_or(|since| since <= self.as_of) {
                leaves.push((member("project_key"), since, member("domain"), id, leaf));
            }
        }
        leaves.sort_by(|a, b| (&a.0, a.1, &a.2, &a.3).cmp(&(&b.0, b.1, &b.2, &b.3)));
        leaves.dedup_by(|a, b| a.3 == b.3);
        leaves.into_iter().map(|(.., leaf)| leaf).collect()
    }
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn joined(mut left: Value, right: Value) -> Value {
    if let (Value::Object(left), Value::Object(right)) = (&mut left, right) {
        left.extend(right);
    }
    left
}
