//! A user's balance with its parts, and the proof that the balance tree holds it, or holds no such user.

use serde_json::Value;

use super::known::Known;
use super::model::{BalanceTold, Class, Name};
use crate::domain::{SumProof, UserKey};
use crate::reconcile::Balance;
use crate::seal::write_balance_proof;

/// What is owed to a user, under the name of the user's account; nothing for what is no user. A proof names its user, and is
/// told where users are revealed.
pub(super) fn told(known: &Known, name: &Name) -> Option<BalanceTold> {
    if name.class != Class::User {
        return None;
    }
    let user = UserKey::from(name.id.as_str());
    let account = known.people.account_of(&user);
    let place = known.balances.binary_search_by(|(other, _)| other.cmp(account)).ok();
    let balance = place.and_then(|place| known.balances.get(place)).map(|(_, balance)| *balance);
    let (proof, no_proof) = match proof(known, account) {
        Ok(proof) => (Some(proof), None),
        Err(why) => (None, Some(why)),
    };
    let sats = |part: fn(&Balance) -> i128| balance.as_ref().map(|balance| integer(part(balance)));
    Some(BalanceTold {
        account: known.hidden.name(account.as_str()),
        balance_sats: sats(Balance::total),
        available_sats: sats(Balance::available),
        maturing_sats: sats(|balance| balance.maturing),
        earned_sats: sats(|balance| balance.earned),
        paid_sats: sats(|balance| balance.paid),
        adjusted_sats: sats(|balance| balance.adjusted),
        proof,
        no_proof,
    })
}

/// The proof about an account; else why there is none.
fn proof(known: &Known, account: &UserKey) -> Result<Value, &'static str> {
    if !known.is_revealed {
        return Err("a proof names users in clear: ask with --reveal-users");
    }
    let leaves: Vec<(&str, i128)> =
        known.balances.iter().map(|(user, balance)| (user.as_str(), balance.total())).collect();
    let Some(proof) = SumProof::of(&leaves, account.as_str()) else {
        return Err("the sums of the tree overflow: it has no root");
    };
    if proof.check().is_err() {
        return Err(
            "users who were paid too much stand beside the way to the root: no proof passes by a sum below zero",
        );
    }
    serde_json::from_slice(&write_balance_proof(&proof)).map_err(|_| "the proof can't be written")
}

/// An integer where it fits JSON's 64 bits, else text.
fn integer(value: i128) -> Value {
    i64::try_from(value).map_or_else(|_| Value::String(value.to_string()), Value::from)
}
