//! Newcomers: a user or project of a fault's own, so that no other fault can stand in its way.

use serde_json::{Value, json};

use super::{AS_OF, NoRoom, Put, Scene, Settled, iso};
use crate::domain::sha256;
use crate::sim::envelope::Artifact;
use crate::sim::world::Document;

/// A batch and the settlement that pays from it.
pub(in crate::sim) struct Payday {
    pub(in crate::sim) distribution: Put,
}

impl Scene {
    /// An address that nobody has used; its reported balance is zero.
    pub(in crate::sim) fn newcomer(&mut self) -> String {
        let name = self.unique();
        let user = self.hand.address(&name);
        self.world.balances.push(json!({"user": user, "balance_sats": 0}).to_string());
        user
    }

    /// Whether nobody says that this user has another name.
    pub(in crate::sim) fn is_alone(&self, user: &str) -> bool {
        let mut bindings = self.world.events.iter().filter(|event| event.kind == 30_079).map(|event| &event.content);
        let mut merges = self.world.custody.iter().filter(|record| record.contains("merged_from"));
        !bindings.any(|text| text.contains(user)) && !merges.any(|text| text.contains(user))
    }

    /// A class B event of that newcomer at that time, at a fixed price, billed and funded. Gives back what was earned.
    pub(in crate::sim) fn earn(&mut self, user: &str, at: i64) -> Result<u64, NoRoom> {
        let fits = |body: &Value| {
            let plain = ["drop", "is_agent", "context"].iter().all(|name| body.get(*name).is_none());
            plain && body["class"] == "B" && body["user_earned_sats"].as_u64().is_some_and(|sats| sats > 1)
        };
        let body = self.body(Artifact::Event, fits)?;
        let mut body = self.again(body, at);
        let members = body.as_object_mut().ok_or(NoRoom)?;
        members.remove("did_oc");
        members.insert("user_address".to_owned(), user.into());
        let project = body["project_key"].as_str().ok_or(NoRoom)?.to_owned();
        self.deposit(&project, body["gross_fee_sats"].as_u64().ok_or(NoRoom)?);
        self.bill(&body)?;
        body["user_earned_sats"].as_u64().ok_or(NoRoom)
    }

    /// A payout destination of that user.
    pub(in crate::sim) fn bind(&mut self, user: &str, at: i64) -> String {
        let name = self.unique();
        let body = json!({
            "kind": Artifact::PayoutBinding.name(), "v": 1, "user_address": user,
            "destination": format!("{name:.12}@wallet.example"), "created_at": iso(at),
        });
        let carrier = self.sign(&body);
        self.put(carrier).id
    }

    /// A signed distribution of these shares, stating that total.
    pub(in crate::sim) fn distribution(&mut self, shares: &[(&str, u64, &str)], total: u64, at: i64) -> Put {
        let recipients: Vec<Value> = shares
            .iter()
            .map(|(user, sats, binding)| json!({"user_address": user, "amount_sats": sats, "payout_binding_id": binding}))
            .collect();
        let body = json!({
            "kind": Artifact::Distribution.name(), "v": 1, "created_at": iso(at), "period_end": iso(at - 1_200),
            "recipients": recipients, "total_sats": total, "note": self.unique(),
        });
        let carrier = self.sign(&body);
        self.put(carrier)
    }

    /// A settlement on chain that pays so much to the user for that distribution.
    pub(in crate::sim) fn pay(&mut self, user: &str, binding: &str, distribution: &str, sats: u64, at: i64) -> Settled {
        let mut event = self.settlement("distribution.settled", "out", sats);
        event["settled_at"] = at.into();
        event["user_address"] = user.into();
        event["payout_binding_id"] = binding.into();
        event["distribution_id"] = distribution.into();
        event["destination"] = "newcomer@wallet.example".into();
        event["txid"] = self.unique().into();
        self.settle(&event)
    }

    /// Binds, distributes and settles: the share in the batch, and what is paid of it.
    pub(in crate::sim) fn payday(&mut self, user: &str, share: u64, paid: u64, at: i64) -> Result<Payday, NoRoom> {
        let binding = self.bind(user, at - 3_600);
        let distribution = self.distribution(&[(user, share, &binding)], share, at - 600);
        self.pay(user, &binding, &distribution.id, paid, at);
        self.credit(user, -i64::try_from(paid).map_err(|_| NoRoom)?)?;
        Ok(Payday { distribution })
    }

    /// A project of its own that sells one thing at a fixed price: its key, and an event of it at that time, not published.
    pub(in crate::sim) fn shop(&mut self, at: i64) -> Result<(String, Value), NoRoom> {
        let body = self.event_at(at)?;
        let model = body["project_key"].as_str().ok_or(NoRoom)?;
        let held = self.world.configs.iter().rfind(|document| document.json.contains(model)).ok_or(NoRoom)?;
        let mut config: Value = serde_json::from_str(&held.json).map_err(|_| NoRoom)?;
        let name = self.unique();
        let (key, domain) = (format!("pk_live_{name:.16}"), format!("shop-{name:.12}.example"));
        config["project_key"] = key.clone().into();
        config["domain"] = domain.clone().into();
        config["updated_at"] = "2026-05-01T00:00:00Z".into();
        self.world.configs.push(Document { name: format!("{domain}.json"), json: config.to_string() });
        let user = self.newcomer();
        let mut body = self.again(body, at);
        let members = body.as_object_mut().ok_or(NoRoom)?;
        members.remove("did_oc");
        members.insert("user_address".to_owned(), user.into());
        body["project_key"] = key.clone().into();
        body["site"]["domain"] = domain.into();
        Ok((key, body))
    }

    /// Money that comes to a project on chain.
    pub(in crate::sim) fn fund(&mut self, project: &str, sats: u64, at: i64) -> Settled {
        let mut event = self.settlement("escrow.deposit", "in", sats);
        event["settled_at"] = at.into();
        event["txid"] = self.unique().into();
        event["project_key"] = project.into();
        self.settle(&event)
    }

    /// A Lightning deposit to some project with an invoice record that this edits: as asked and as received, in msat.
    pub(in crate::sim) fn invoiced(&mut self, edit: impl FnOnce(&mut Value)) -> Result<(Settled, String), NoRoom> {
        let body = self.body(Artifact::Event, |_| true)?;
        let preimage = sha256(self.unique().as_bytes());
        let hash = sha256(preimage.as_bytes()).to_hex();
        let mut event = self.settlement("escrow.deposit", "in", 1_000);
        event["payment_hash"] = hash.clone().into();
        event["preimage"] = preimage.to_hex().into();
        event["project_key"] = body["project_key"].clone();
        let settled = self.settle(&event);
        let mut invoice = json!({
            "payment_hash": hash, "amount_msat": 1_000_000, "amt_paid_msat": 1_000_000, "status": "settled",
            "settled_at": AS_OF - 40 * 86_400,
        });
        edit(&mut invoice);
        self.world.invoices.push(invoice.to_string());
        self.log("incoming-payment-succeeded", "ln", &json!({"payment_hash": hash, "preimage": preimage.to_hex()}));
        Ok((settled, hash))
    }
}
