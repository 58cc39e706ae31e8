//! Reported balances that differ from what the ledgers give.

use serde_json::{Value, json};

use super::Generator;
use crate::domain::{Code, Subject};
use crate::sim::scene::{NoRoom, Planting, Scene};

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::BalanceMismatch,
        name: "a-satoshi-less",
        near_miss: "a note beside the balance",
        fault: a_satoshi_less,
        miss: a_note_beside_the_balance,
    },
    Generator {
        code: Code::BalanceMissingUser,
        name: "a-creditor-left-out",
        near_miss: "a user who is owed nothing left out",
        fault: a_creditor_left_out,
        miss: a_user_who_is_owed_nothing_left_out,
    },
    Generator {
        code: Code::BalanceExtraUser,
        name: "a-stranger-with-a-balance",
        near_miss: "a stranger with a balance of zero",
        fault: a_stranger_with_a_balance,
        miss: a_stranger_with_nothing,
    },
];

/// The place of a statement line whose balance fits, for this fault alone.
fn place(scene: &mut Scene, fits: impl Fn(i64) -> bool) -> Result<(usize, Value), NoRoom> {
    let lines = scene.world.balances.iter().map(|line| serde_json::from_str::<Value>(line).unwrap_or_default());
    // A line of one of a person's names answers for the others too: what is wrong there is for their generators.
    let is_alone = |line: &Value| line["user"].as_str().is_some_and(|user| scene.is_alone(user));
    let found = lines.enumerate().find(|(_, line)| line["balance_sats"].as_i64().is_some_and(&fits) && is_alone(line));
    let (at, line) = found.ok_or(NoRoom)?;
    scene.claim(format!("balance of {}", line["user"]))?;
    Ok((at, line))
}

fn about(line: &Value) -> Subject {
    Subject::new("user", line["user"].as_str().unwrap_or_default())
}

fn restate(scene: &mut Scene, edit: impl FnOnce(&mut Value)) -> Planting {
    let (at, mut line) = place(scene, |sats| sats > 0)?;
    edit(&mut line);
    scene.world.balances[at] = line.to_string();
    Ok(about(&line))
}

fn a_satoshi_less(scene: &mut Scene) -> Planting {
    restate(scene, |line| line["balance_sats"] = (line["balance_sats"].as_i64().unwrap_or(0) - 1).into())
}

fn a_note_beside_the_balance(scene: &mut Scene) -> Planting {
    restate(scene, |line| line["note"] = "as agreed".into())
}

fn leave_out(scene: &mut Scene, fits: fn(i64) -> bool) -> Planting {
    let (at, line) = place(scene, fits)?;
    scene.world.balances.remove(at);
    Ok(about(&line))
}

fn a_creditor_left_out(scene: &mut Scene) -> Planting {
    leave_out(scene, |sats| sats > 0)
}

fn a_user_who_is_owed_nothing_left_out(scene: &mut Scene) -> Planting {
    leave_out(scene, |sats| sats == 0)
}

fn a_strangers_balance(scene: &mut Scene, sats: i64) -> Planting {
    let name = scene.unique();
    let user = scene.hand.address(&name);
    scene.world.balances.push(json!({"user": user, "balance_sats": sats}).to_string());
    Ok(Subject::new("user", user))
}

fn a_stranger_with_a_balance(scene: &mut Scene) -> Planting {
    a_strangers_balance(scene, 1)
}

fn a_stranger_with_nothing(scene: &mut Scene) -> Planting {
    a_strangers_balance(scene, 0)
}
