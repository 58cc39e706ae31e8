//! Reported balances that differ from what the ledgers give.

use serde_json::{Value, json};

use super::Generator;
use crate::domain::{Code, Subject, UnixSeconds};
use crate::sim::envelope::{Artifact, Envelope};
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
        code: Code::BalanceMismatch,
        name: "a-satoshi-of-another-class",
        near_miss: "what was earned by class",
        fault: a_satoshi_of_another_class,
        miss: what_was_earned_by_class,
    },
    Generator {
        code: Code::BalanceMismatch,
        name: "a-satoshi-of-the-week-left-out",
        near_miss: "what was earned in the last seven days",
        fault: a_satoshi_of_the_week_left_out,
        miss: what_was_earned_in_the_last_week,
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

/// (class, claimed time, satoshi) of everything that a user earned.
fn earned(scene: &Scene, user: &str) -> Vec<(String, UnixSeconds, i64)> {
    let events = scene.world.envelopes.iter().filter(|envelope| envelope.kind == Artifact::Event);
    let read = |envelope: &Envelope| {
        let body: Value = serde_json::from_slice(&envelope.canonical).ok()?;
        let name = ["user_address", "did_oc", "identity", "user"].iter().find_map(|name| body[*name].as_str())?;
        let told = (body["class"].as_str()?.to_owned(), envelope.at, body["user_earned_sats"].as_i64()?);
        (name == user).then_some(told)
    };
    events.filter_map(read).collect()
}

fn by_class(scene: &mut Scene, moved: i64) -> Planting {
    let (at, mut line) = place(scene, |sats| sats > 0)?;
    let earned = earned(scene, line["user"].as_str().unwrap_or_default());
    let of = |class: &str| -> i64 { earned.iter().filter(|one| one.0 == class).map(|one| one.2).sum() };
    // Of what moves from one class to another the sum shows nothing.
    line["by_class"] = json!({"A": of("A") + moved, "B": of("B") - moved, "C": of("C")});
    scene.world.balances[at] = line.to_string();
    Ok(about(&line))
}

fn a_satoshi_of_another_class(scene: &mut Scene) -> Planting {
    by_class(scene, 1)
}

fn what_was_earned_by_class(scene: &mut Scene) -> Planting {
    by_class(scene, 0)
}

fn last_week(scene: &mut Scene, more: i64) -> Planting {
    let (at, mut line) = place(scene, |sats| sats > 0)?;
    let begin = scene.world.as_of().plus(-7 * 86_400);
    let earned = earned(scene, line["user"].as_str().unwrap_or_default());
    let last: i64 = earned.iter().filter(|one| one.1 > begin).map(|one| one.2).sum();
    line["last_7d"] = (last + more).into();
    scene.world.balances[at] = line.to_string();
    Ok(about(&line))
}

/// One less, never one more: what is planted later may let the user earn a satoshi, and would make that true.
fn a_satoshi_of_the_week_left_out(scene: &mut Scene) -> Planting {
    last_week(scene, -1)
}

fn what_was_earned_in_the_last_week(scene: &mut Scene) -> Planting {
    last_week(scene, 0)
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
