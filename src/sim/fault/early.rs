//! A share that is paid before it vests (TREASURY 2.5).

use std::collections::BTreeSet;

use serde_json::Value;

use super::Generator;
use super::stall::DAY;
use crate::domain::{Code, Subject};
use crate::sim::envelope::Artifact;
use crate::sim::oracle;
use crate::sim::scene::{NoRoom, Planting, Scene, operation_of};

pub(super) const GENERATORS: &[Generator] = &[Generator {
    code: Code::SetEarly,
    name: "paid-before-the-window-was-sealed",
    near_miss: "paid in the second that it was sealed",
    fault: paid_before_the_seal,
    miss: paid_at_the_seal,
}];

/// The first payout after a window's seal to somebody with a share in it, dated so many seconds after the seal.
fn pay_at_the_seal(scene: &mut Scene, after: i64) -> Planting {
    // What a seal does not tell: which of block and safety valve came first.
    let leaves = oracle::expect(scene).leaves.remove("envelope").ok_or(NoRoom)?;
    let leaves = leaves.iter().filter_map(|leaf| serde_json::from_str::<Value>(leaf).ok());
    let sealed: BTreeSet<(String, i64)> =
        leaves.filter_map(|leaf| Some((leaf["window"].as_str()?.to_owned(), leaf["vested_at"].as_i64()?))).collect();
    for (window, seal) in &sealed {
        let members = scene.bodies(Artifact::Event).map(|(_, body)| body);
        let members: Vec<Value> = members
            .filter(|body| body["drop"]["window_id"] == window.as_str() && body["user_earned_sats"] != 0)
            .collect();
        let found = scene.world.settlements.iter().position(|line| {
            let event = &serde_json::from_str::<Value>(line).unwrap_or_default()["event"];
            let at = event["settled_at"].as_i64().unwrap_or(0);
            let soon = event["kind"] == "distribution.settled" && (*seal..seal + 7 * DAY).contains(&at);
            let [paid, vested, earned] = standing(scene, &sealed, event, seal + after);
            let is_alone = event["user_address"].as_str().is_some_and(|user| scene.is_alone(user));
            soon && is_alone
                && members.iter().any(|body| user_is(body, &event["user_address"]))
                && paid <= earned
                && (paid > vested) == (after < 0)
                && !scene.is_claimed(&operation_of(line))
        });
        let Some(found) = found else { continue };
        let mut user = String::new();
        scene.resettle_at(found, |event| {
            event["user_address"].as_str().unwrap_or_default().clone_into(&mut user);
            event["settled_at"] = (seal + after).into();
        })?;
        return Ok(Subject::new("user", user));
    }
    Err(NoRoom)
}

/// What the payee had been paid, had vested and had earned then, in satoshi, had that payout been made then.
fn standing(scene: &Scene, sealed: &BTreeSet<(String, i64)>, payout: &Value, at: i64) -> [i64; 3] {
    let is_sealed =
        |window: &Value| window.is_null() || sealed.iter().any(|(name, seal)| window == name.as_str() && *seal <= at);
    let bodies = scene.bodies(Artifact::Event).map(|(_, body)| body);
    let shares: Vec<Value> = bodies
        .filter(|body| user_is(body, &payout["user_address"]))
        .filter(|body| seconds(&body["occurred_at"]).is_some_and(|time| time <= at))
        .collect();
    let sats = |body: &Value| body["user_earned_sats"].as_i64().unwrap_or(0);
    let vested = shares.iter().filter(|body| is_sealed(&body["drop"]["window_id"])).map(sats).sum();
    let lines = scene.world.settlements.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let paid = lines
        .map(|line| line["event"].clone())
        .filter(|event| event["kind"] == "distribution.settled" && event["user_address"] == payout["user_address"])
        .filter(|event| event["operation_id"] == payout["operation_id"] || event["settled_at"].as_i64() <= Some(at))
        .filter_map(|event| event["amount_sats"].as_i64())
        .sum();
    [paid, vested, shares.iter().map(sats).sum()]
}

fn user_is(body: &Value, user: &Value) -> bool {
    user.is_string() && (&body["user_address"] == user || &body["did_oc"] == user)
}

fn seconds(text: &Value) -> Option<i64> {
    text.as_str()?.parse::<crate::domain::UnixSeconds>().ok().map(|at| at.0)
}

fn paid_before_the_seal(scene: &mut Scene) -> Planting {
    pay_at_the_seal(scene, -1)
}

fn paid_at_the_seal(scene: &mut Scene) -> Planting {
    pay_at_the_seal(scene, 0)
}
