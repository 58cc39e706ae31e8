//! The answer: every divergence, the exit code, balances, and the leaves of every ledger and register (docs/state-root.md 4).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::super::expect::{Expectation, Expected};
use super::super::scene::{SERVED_BY, Scene};
use super::custody::state;
use super::read::{Facts, Held, SECOND, micros, user};
use super::treasury::class;
use crate::domain::{Code, Media, RawEvidence, Severity, Subject};

/// What a correct auditor must say about the scene.
pub fn expect(scene: &Scene) -> Expectation {
    let facts = Facts::of(scene);
    let of_envelopes = [Facts::fees, Facts::identities, Facts::manifests, Facts::windows, Facts::activity, Facts::caps];
    let of_money = [Facts::treasury, Facts::coverage, Facts::batches, Facts::rails, Facts::statement];
    let of_custody = [Facts::rebinds, Facts::proofs, Facts::inputs, Facts::junk];
    of_envelopes.iter().chain(&of_custody).chain(&of_money).for_each(|check| check(&facts));
    let mut divergences = facts.findings.take();
    divergences.extend(scene.world.told.iter().chain(&scene.told).cloned());
    divergences.sort();
    // A report says a thing once, whoever found it.
    divergences.dedup();
    let mut trial_balance: BTreeMap<String, i128> = BTreeMap::new();
    for (account, amount) in facts.journal().values().flat_map(|(postings, _)| postings) {
        *trial_balance.entry(class(account).to_owned()).or_default() += amount;
    }
    let (exit_code, balances, leaves) = (exit_code(&divergences), facts.balances(), facts.leaves());
    Expectation { exit_code, divergences, balances, trial_balance, leaves }
}

/// CONTRACT 2, of what a finished run can end in: 6 before 5, 1, 8, 3, 4, 0.
fn exit_code(divergences: &[Expected]) -> u8 {
    let outcome = |one: &Expected| match one.code {
        Code::SnapUnsafe => 6,
        Code::SnapSignature | Code::SnapChecksum => 5,
        Code::SrcUnreachable => 8,
        Code::SrcEmpty | Code::SrcIncomplete | Code::OtsHeaderMissing | Code::Unverifiable => 3,
        Code::BudgetRto | Code::BudgetRpo => 4,
        _ => u8::from(one.severity >= Severity::Error),
    };
    let outcomes: Vec<u8> = divergences.iter().filter(|one| !one.explained).map(outcome).collect();
    [6, 5, 1, 8, 3, 4].into_iter().find(|code| outcomes.contains(code)).unwrap_or(0)
}

impl Facts<'_> {
    /// What can't be checked, or has nothing to be checked.
    fn inputs(&self) {
        let scene = self.scene;
        self.each(Code::Unverifiable, scene.unchecked.iter().map(|check| Subject::new("check", check)));
        let is_declared = scene.sections.contains("[custody]") || !scene.world.custody.is_empty();
        let is_empty = is_declared && self.descriptors().is_empty() && self.steps().is_empty();
        let mut files = scene.appended.iter().filter(|(name, _)| name.starts_with("custody"));
        let is_blank = files.all(|(_, bytes)| bytes.trim_ascii().is_empty());
        self.when(is_empty, Code::SrcEmpty, Subject::new("population", "custody"));
        self.when(is_empty && is_blank, Code::SrcEmpty, Subject::new("source", "files:custody"));
    }

    /// What stands among the records and is none (FORMATS 1, 2.2; TREASURY 1.4).
    fn junk(&self) {
        let is_hex = |text: &str| text.len() == 64 && text.bytes().all(|byte| b"0123456789abcdef".contains(&byte));
        let (probes, families) =
            (["final", "sweep", "v3", "verify", ""], ["orangecheck", "oc-lock", "oc-pledge", "oc-chat"]);
        let mut found = BTreeSet::new();
        for event in self.scene.world.events.iter().filter(|one| !self.scene.discounted.contains(&one.id.to_string())) {
            let (d, subject) = (event.tag_values("d").next().unwrap_or_default(), Subject::new("event", event.id));
            let (prefix, suffix) = d.split_once(':').unwrap_or((d, ""));
            let is_foreign = !is_hex(d) && !families.contains(&prefix);
            let foreign = || Subject::new("kind", event.kind).and("class", "foreign");
            found.extend(match event.kind {
                30_088..=30_099 => Some((Code::SrcUnknownKind, subject.and("kind", event.kind))),
                30_110..=30_114 if probes.contains(&&*event.content) => Some((Code::EvtNotEnvelope, subject)),
                30_087 if prefix.starts_with("oc-me-") && !is_hex(suffix) => Some((Code::EvtNotEnvelope, subject)),
                30_078 if is_foreign => Some((Code::EvtNotEnvelope, foreign())),
                _ => None,
            });
        }
        let modules = ["", "ln", "lnv2", "mint", "mintv2", "wallet", "walletv2"];
        for leg in self.legs.iter().filter(|leg| !modules.contains(&&*leg.module)) {
            let subject = Subject::new("module", &leg.module).and("kind", leg.kind).and("federation", "");
            found.insert((Code::SrcUnknownKind, subject));
        }
        for (code, subject) in found {
            self.when(true, code, subject);
        }
    }

    /// Lines by ledger: canonical JSON in canonical order.
    fn leaves(&self) -> BTreeMap<&'static str, Vec<String>> {
        let others = self.envelopes.iter().filter(|held| held.kind != "oc-me-rebind");
        let leaves: [(_, Vec<Value>); 5] = [
            ("envelope", others.map(|held| self.envelope_leaf(held)).collect()),
            ("rebind", self.custody_leaves()),
            ("treasury", self.journal().values().map(|(_, leaf)| leaf.clone()).collect()),
            ("attestations", self.attestations().into_values().collect()),
            ("projects", self.project_leaves()),
        ];
        leaves.map(|(name, leaves)| (name, leaves.iter().map(Value::to_string).collect())).into()
    }

    fn envelope_leaf(&self, held: &Held) -> Value {
        let (body, name) = (&held.body, held.user());
        let shares = body["recipients"].as_array().into_iter().flatten();
        let recipients: Vec<Value> = shares.map(|one| json!([user(one), one["amount_sats"].to_string()])).collect();
        let vested = held.window().map_or(Some(&held.at), |window| self.vests.get(window));
        let mut leaf = match held.kind.as_str() {
            "oc-me-event" => json!({
                "v": body["v"], "class": body["class"], "subtype": body["subtype"], "site": held.site(), "user": name,
                "project": body["project_key"], "gross_sats": body["gross_fee_sats"], "is_agent": body["is_agent"] == true,
                "platform_sats": body["platform_fee_sats"], "user_sats": body["user_earned_sats"],
                "rebate_sats": body["site_rebate_sats"], "window": held.window(),
                "vested_at": vested.map(|at| at.div_euclid(SECOND)), "idempotency_key": body["idempotency_key"],
            }),
            "oc-me-payment" => json!({
                "status": body["status"], "sats_charged": body["sats_charged"], "event": body["user_envelope_id"],
                "user": (!name.is_empty()).then_some(name),
            }),
            "oc-me-payout-binding" => json!({"user": name, "destination": body["destination"]}),
            "oc-me-distribution" => json!({"total_sats": body["total_sats"], "recipients": recipients}),
            "oc-me-drop" => json!({
                "window": body["window_id"], "event_count": body["event_count"], "gross_sats": body["gross_fee_sats"],
                "user_sats": body["user_share_sats"], "sealed_height": body["sealed_height"],
                "events_root": body["events_root"], "root_rule": self.root_rule(held),
            }),
            "oc-me-activity" => json!({
                "user": name, "event_count": body["event_count"], "lifetime_sats": body["lifetime_sats"],
            }),
            _ => json!({}),
        };
        for (name, value) in [("type", &held.kind), ("id", &held.id), ("kid", &held.key)] {
            leaf[name] = value.as_str().into();
        }
        leaf["standing"] = held.standing.into();
        leaf["claimed_micros"] = (held.kind != "oc-me-trust").then_some(held.at).into();
        leaf["anchor_height"] = self.height(&held.id).into();
        leaf
    }

    fn custody_leaves(&self) -> Vec<Value> {
        let gaps = self.gaps();
        let rebinds = self.envelopes.iter().filter(|held| held.kind == "oc-me-rebind");
        let rebind = |held: &Held| {
            json!({
                "type": "rebind", "id": held.id, "kid": held.key, "standing": held.standing, "user": held.user(),
                "from": state(held, "from"), "to": state(held, "to"), "from_federation": held.body["from_federation"],
                "to_federation": held.body["to_federation"], "prev": held.body["prev"], "claimed_micros": held.at,
                "anchor_height": self.height(&held.id), "gap": gaps.contains(held.id.as_str()),
            })
        };
        let steps = self.steps().into_values().map(|(_, leaf)| leaf);
        rebinds.map(rebind).chain(steps).chain(self.descriptors().into_values()).collect()
    }

    fn project_leaves(&self) -> Vec<Value> {
        let mut leaves = BTreeMap::new();
        for (index, (list, document)) in self.price_lists.iter().zip(&self.scene.world.configs).enumerate() {
            let (project, domain) = (list["project_key"].to_string(), list["domain"].to_string());
            let (since, events) = (micros(list, &["updated_at"]), list["events"].as_object().map_or(0, Map::len));
            let hosts = if self.scene.served_lists.contains(&index) { &["", SERVED_BY][..] } else { &[""] };
            for host in hosts.iter().filter(|_| since.is_none_or(|since| since <= self.as_of)) {
                let id = RawEvidence::id_of(Media::ProjectConfig, host, document.json.as_bytes()).to_string();
                let leaf = json!({
                    "type": "project-config", "project": list["project_key"], "domain": list["domain"],
                    "updated_at_micros": since, "config": id, "events": events,
                });
                leaves.insert((project.clone(), since, domain.clone(), id), leaf);
            }
        }
        leaves.into_values().collect()
    }
}
