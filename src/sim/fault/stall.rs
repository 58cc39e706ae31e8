//! A stall: a project and a user of a fault's own, priced and funded, so that what is billed there touches nobody else.

use serde_json::{Map, Value, json};

use crate::domain::{Code, Subject};
use crate::sim::envelope::Artifact;
use crate::sim::scene::{AS_OF, Carrier, NoRoom, Planting, Put, Scene, iso};
use crate::sim::world::Document;

/// Shortly before the as-of.
pub(super) const EARLIER: i64 = AS_OF - 600;
pub(super) const HOUR: i64 = 3_600;
pub(super) const DAY: i64 = 24 * HOUR;
/// When stalls are funded: near the beginning of history.
const FUNDED: i64 = AS_OF - 121 * DAY;
/// When their price lists begin.
const PRICED: i64 = AS_OF - 150 * DAY;
const FUNDS: u64 = 200_000;

/// Something sold, with the split that its price leads to. The splits are published results (FORMATS 4.5), never computed.
#[derive(Clone, Copy)]
pub(super) struct Good {
    pub(super) subtype: &'static str,
    pub(super) class: &'static str,
    /// JSON of `site_pays`.
    pub(super) pays: &'static str,
    /// JSON of `user_share_pct`.
    pub(super) share: &'static str,
    /// Gross, platform, user, rebate in satoshi.
    pub(super) split: [u64; 4],
    /// What a percentage is taken of.
    pub(super) payment: Option<u64>,
}

pub(super) const ACCOUNT: Good = Good {
    subtype: "account_creation",
    class: "A",
    pays: r#"{"kind":"fixed_sats","sats":1300}"#,
    share: "0.65",
    split: [1_300, 260, 845, 195],
    payment: None,
};
/// Its user gets nothing.
pub(super) const BOND: Good = Good {
    subtype: "attest_bond_increased",
    class: "A",
    pays: r#"{"kind":"fixed_sats","sats":1000}"#,
    share: "0",
    split: [1_000, 200, 0, 800],
    payment: None,
};
pub(super) const STAMP: Good = Good {
    subtype: "stamp_signing",
    class: "B",
    pays: r#"{"kind":"fixed_sats","sats":100}"#,
    share: "0.65",
    split: [100, 20, 65, 15],
    payment: None,
};
pub(super) const SESSION: Good = Good {
    subtype: "session_creation",
    class: "C",
    pays: r#"{"kind":"fixed_sats","sats":60}"#,
    share: "0.65",
    split: [60, 12, 39, 9],
    payment: None,
};
pub(super) const PAYMENT: Good = Good {
    subtype: "payment_authorization",
    class: "B",
    pays: r#"{"kind":"percent_of_amount","pct":0.0075}"#,
    share: "0.65",
    split: [1_800, 360, 1_170, 270],
    payment: Some(240_000),
};

/// A project and its only user.
#[derive(Clone)]
pub(super) struct Stall {
    pub(super) project: String,
    pub(super) domain: String,
    /// The member that names the user.
    member: &'static str,
    pub(super) user: String,
}

/// A price list that sells these.
pub(super) fn prices(goods: &[Good]) -> Value {
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let entry =
        |good: &Good| json!({"enabled": true, "site_pays": json(good.pays), "user_share_pct": json(good.share)});
    goods.iter().map(|good| (good.subtype.to_owned(), entry(good))).collect::<Map<_, _>>().into()
}

impl Stall {
    /// With the published prices, for a new user who is known by an address.
    pub(super) fn open(scene: &mut Scene) -> Self {
        Self::with(scene, &[ACCOUNT, BOND, STAMP, SESSION, PAYMENT], PRICED)
    }

    /// Sells these from that time on.
    pub(super) fn with(scene: &mut Scene, goods: &[Good], priced: i64) -> Self {
        let name = scene.unique();
        let user = scene.hand.address(&name);
        Self::serving(scene, "user_address", user, goods, priced)
    }

    /// For a new user who is known by a decentralised id.
    pub(super) fn for_did(scene: &mut Scene) -> Self {
        let user = format!("did:oc:{:.32}", scene.unique());
        Self::serving(scene, "did_oc", user, &[ACCOUNT, STAMP, SESSION], PRICED)
    }

    fn serving(scene: &mut Scene, member: &'static str, user: String, goods: &[Good], priced: i64) -> Self {
        scene.world.balances.push(json!({"user": user, "balance_sats": 0}).to_string());
        let stall = Self { member, user, ..Self::bare(scene) };
        stall.found(scene, &prices(goods), priced);
        stall
    }

    /// Another project for the same user.
    pub(super) fn beside(&self, scene: &mut Scene, goods: &[Good]) -> Self {
        let stall = Self { member: self.member, user: self.user.clone(), ..Self::bare(scene) };
        stall.found(scene, &prices(goods), PRICED);
        stall
    }

    fn bare(scene: &mut Scene) -> Self {
        let name = scene.unique();
        let (project, domain) = (format!("pk_live_{name:.16}"), format!("stall-{name:.12}.example"));
        Self { project, domain, member: "user_address", user: String::new() }
    }

    fn found(&self, scene: &mut Scene, events: &Value, priced: i64) {
        self.publish(scene, events, priced);
        let mut deposit = scene.settlement("escrow.deposit", "in", FUNDS);
        deposit["settled_at"] = FUNDED.into();
        deposit["txid"] = scene.unique().into();
        deposit["project_key"] = self.project.clone().into();
        scene.settle(&deposit);
    }

    /// A price list that is in force from that time on.
    pub(super) fn publish(&self, scene: &mut Scene, events: &Value, from: i64) {
        let config = json!({
            "project_key": self.project, "display_name": "Stall", "domain": self.domain, "updated_at": iso(from),
            "events": events,
        });
        let name = format!("{}-{:.8}.json", self.domain, scene.unique());
        scene.world.configs.push(Document { name, json: config.to_string() });
    }

    /// An event of the user, not published yet.
    pub(super) fn event(&self, scene: &mut Scene, good: &Good, at: i64) -> Value {
        let [gross, platform, user, rebate] = good.split;
        let mut body = json!({
            "v": 2, "kind": Artifact::Event.name(), "class": good.class, "subtype": good.subtype,
            "site": {"domain": self.domain, "display_name": "Stall"}, "project_key": self.project,
            "gross_fee_sats": gross, "platform_fee_sats": platform, "user_earned_sats": user,
            "site_rebate_sats": rebate, "occurred_at": iso(at), "idempotency_key": scene.unique(),
        });
        body[self.member] = self.user.clone().into();
        if let Some(sats) = good.payment {
            body["context"] = json!({
                "kind": good.class, "subtype": good.subtype, "payment_amount_sats": sats, "payment_currency": "sat",
            });
        }
        body
    }

    /// Bills such an event.
    pub(super) fn bill(&self, scene: &mut Scene, good: &Good, at: i64) -> Result<Put, NoRoom> {
        let body = self.event(scene, good, at);
        scene.bill(&body)
    }
}

/// An honest event of a user and project of its own, not published yet.
pub(super) fn stamp_at(scene: &mut Scene, at: i64) -> Value {
    Stall::open(scene).event(scene, &STAMP, at)
}

/// How ledgers name an envelope.
pub(super) fn about(put: &Put) -> Subject {
    Subject::new("envelope", &put.id)
}

/// How the judge of carriers names an envelope.
pub(super) fn carried(put: &Put) -> Subject {
    about(put).and("event", &put.event)
}

/// Publishes a carrier that must be refused for that reason: nothing of it counts.
pub(super) fn refused(scene: &mut Scene, code: Code, carrier: Carrier) -> Planting {
    let put = scene.put(carrier);
    scene.discounted.insert(put.event.clone());
    Ok(scene.tell(code, carried(&put)))
}

/// Publishes that body in a carrier that must be accepted.
pub(super) fn accepted(scene: &mut Scene, body: &Value, carrier: Carrier) -> Planting {
    Ok(carried(&scene.bill_as(body, carrier)?))
}

/// Takes the first of these that no other fault has.
pub(super) fn first_free(
    scene: &mut Scene,
    mut among: impl Iterator<Item = String>,
    claim: impl Fn(&str) -> String,
) -> Result<String, NoRoom> {
    among.find(|one| scene.claim(claim(one)).is_ok()).ok_or(NoRoom)
}
