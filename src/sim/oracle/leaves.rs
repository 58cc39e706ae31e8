//! The leaves of every ledger and register (docs/state-root.md 4): canonical JSON in canonical order.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::world::Proven;
use super::custody;
use super::read::{Facts, Held, SECOND, micros, user};
use super::rebinds::state;
use crate::domain::{Media, RawEvidence};

fn seconds(at: i64) -> i64 {
    at.div_euclid(SECOND)
}

impl Facts<'_> {
    /// Lines by ledger.
    pub(super) fn leaves(&self) -> BTreeMap<&'static str, Vec<String>> {
        let (rebinds, others): (Vec<&Held>, _) = self.envelopes.iter().partition(|held| held.kind == "oc-me-rebind");
        let leaves: [(_, Vec<Value>); 5] = [
            ("envelope", others.into_iter().map(|held| self.envelope(held)).collect()),
            ("rebind", rebinds.into_iter().map(|held| self.rebind(held)).chain(self.custody()).collect()),
            ("treasury", self.entries()),
            ("attestations", self.attested()),
            ("projects", self.projects()),
        ];
        leaves.map(|(name, leaves)| (name, leaves.iter().map(Value::to_string).collect())).into()
    }

    /// The lowest block that a proof of that digest reaches.
    fn height(&self, id: &str) -> Option<usize> {
        if let Proven::Block(height) = self.proven(id) { Some(height) } else { None }
    }

    fn envelope(&self, held: &Held) -> Value {
        let (body, user_key) = (&held.body, held.user());
        let shares = body["recipients"].as_array().into_iter().flatten();
        let recipients: Vec<Value> = shares.map(|one| json!([user(one), one["amount_sats"].to_string()])).collect();
        let vested = held.window().map_or(held.at, |window| self.vests.get(window).copied());
        let mut leaf = match held.kind.as_str() {
            "oc-me-event" => json!({
                "v": body["v"], "class": body["class"], "subtype": body["subtype"], "site": held.site(),
                "user": user_key, "project": body["project_key"], "gross_sats": body["gross_fee_sats"],
                "platform_sats": body["platform_fee_sats"], "user_sats": body["user_earned_sats"],
                "rebate_sats": body["site_rebate_sats"], "is_agent": body["is_agent"] == true,
                "window": held.window(), "vested_at": vested.map(seconds), "idempotency_key": body["idempotency_key"],
            }),
            "oc-me-payment" => json!({
                "status": body["status"], "sats_charged": body["sats_charged"], "event": body["user_envelope_id"],
                "user": (!user_key.is_empty()).then_some(user_key),
            }),
            "oc-me-payout-binding" => json!({"user": user_key, "destination": body["destination"]}),
            "oc-me-distribution" => json!({"total_sats": body["total_sats"], "recipients": recipients}),
            "oc-me-drop" => json!({
                "window": body["window_id"], "event_count": body["event_count"], "gross_sats": body["gross_fee_sats"],
                "user_sats": body["user_share_sats"], "sealed_height": body["sealed_height"],
                "events_root": body["events_root"], "root_rule": self.root_rule(held),
            }),
            "oc-me-activity" => json!({
                "user": user_key, "event_count": body["event_count"], "lifetime_sats": body["lifetime_sats"],
            }),
            _ => json!({}),
        };
        let common = json!({
            "type": held.kind, "id": held.id, "kid": held.key, "standing": held.standing, "claimed_micros": held.at,
            "anchor_height": self.height(&held.id),
        });
        if let (Value::Object(leaf), Value::Object(common)) = (&mut leaf, common) {
            leaf.extend(common);
        }
        leaf
    }

    fn rebind(&self, held: &Held) -> Value {
        json!({
            "type": "rebind", "id": held.id, "kid": held.key, "standing": held.standing, "user": held.user(),
            "from": state(held, "from"), "to": state(held, "to"), "from_federation": held.body["from_federation"],
            "to_federation": held.body["to_federation"], "prev": held.body["prev"], "claimed_micros": held.at,
            "anchor_height": self.height(&held.id), "gap": self.gaps().contains(held.id.as_str()),
        })
    }

    /// Graduations, rotations, descriptors.
    fn custody(&self) -> Vec<Value> {
        let (descriptors, steps) = custody::read(self.scene);
        let mut steps: Vec<_> = steps.into_values().filter(|one| one.at * SECOND <= self.as_of).collect();
        steps.sort_by_key(|step| step.graduates_to.is_none());
        let step = |step: custody::Stepped| {
            json!({
                "type": if step.graduates_to.is_some() { "graduation" } else { "rotation" }, "id": step.id,
                "address": step.address, "from": step.from, "graduates_to": step.graduates_to, "to": step.to,
                "at": step.at, "anchor_height": self.height(&step.id), "profile": step.profile,
            })
        };
        let descriptor = |one: custody::Guarded| {
            json!({
                "type": "descriptor", "id": one.id, "address": one.address, "threshold": one.threshold,
                "guardians": one.guardians,
            })
        };
        steps.into_iter().map(step).chain(descriptors.into_values().map(descriptor)).collect()
    }

    /// Every entry is as good as the signature of the fact behind it, so its tier is T1 (TREASURY 3.4).
    fn entries(&self) -> Vec<Value> {
        let mut leaves = Vec::new();
        for entry in self.journal() {
            let postings: Vec<[String; 2]> =
                entry.postings.into_iter().map(|(account, amount)| [account, amount.to_string()]).collect();
            let mut leaf = json!({"type": entry.kind, "at_micros": entry.at, "tier": "T1", "postings": postings});
            entry.fact.into_iter().for_each(|(name, id)| leaf[name] = id.into());
            leaves.push(leaf);
        }
        leaves
    }

    fn attested(&self) -> Vec<Value> {
        let leaf = |one: super::proofs::Attested| {
            json!({
                "type": "attestation", "id": one.id, "address": one.address, "identities": one.identities,
                "issued_at_micros": one.at, "bond_sats": one.bond, "anchor_height": self.height(&one.id),
            })
        };
        self.attestations().into_values().map(leaf).collect()
    }

    fn projects(&self) -> Vec<Value> {
        let mut leaves = BTreeMap::new();
        for (list, document) in self.price_lists.iter().zip(&self.scene.world.configs) {
            let id = RawEvidence::id_of(Media::ProjectConfig, "", document.json.as_bytes()).to_string();
            let (project, domain) = (list["project_key"].to_string(), list["domain"].to_string());
            let (since, events) = (micros(list, &["updated_at"]), list["events"].as_object().map_or(0, Map::len));
            let leaf = json!({
                "type": "project-config", "project": list["project_key"], "domain": list["domain"],
                "updated_at_micros": since, "config": id, "events": events,
            });
            if since.is_none_or(|since| since <= self.as_of) {
                leaves.insert((project, since, domain, id), leaf);
            }
        }
        leaves.into_values().collect()
    }
}
