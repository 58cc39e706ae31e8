//! What a balance statement says of itself as a whole (TREASURY 8).

use serde_json::{Value, json};

use super::Generator;
use crate::domain::{Code, Subject, draw_sample};
use crate::sim::scene::{NoRoom, Planting, Scene};

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::BalanceRoot,
        name: "a-total-of-one-more",
        near_miss: "the total of its lines",
        fault: a_total_of_one_more,
        miss: the_total_of_its_lines,
    },
    Generator {
        code: Code::BalanceRoot,
        name: "a-user-too-many",
        near_miss: "as many users as it lists",
        fault: a_user_too_many,
        miss: as_many_as_it_lists,
    },
    Generator {
        code: Code::SampleInvalid,
        name: "a-user-who-was-not-drawn",
        near_miss: "the users that were drawn",
        fault: a_user_who_was_not_drawn,
        miss: the_users_that_were_drawn,
    },
];

/// Users and balances as the statement lists them, by user.
fn lines(scene: &Scene) -> std::collections::BTreeMap<String, i64> {
    let lines = scene.world.balances.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| Some((line["user"].as_str()?.to_owned(), line["balance_sats"].as_i64()?))).collect()
}

fn say(scene: &mut Scene, about: &str, line: &Value) -> Planting {
    scene.claim("statement as a whole")?;
    scene.world.balances.push(line.to_string());
    Ok(Subject::new("statement", about))
}

fn total(scene: &mut Scene, more: i64) -> Planting {
    let sum: i64 = lines(scene).values().sum();
    say(scene, "total", &json!({"sum_sats": sum + more}))
}

fn a_total_of_one_more(scene: &mut Scene) -> Planting {
    total(scene, 1)
}

fn the_total_of_its_lines(scene: &mut Scene) -> Planting {
    total(scene, 0)
}

fn count(scene: &mut Scene, more: usize) -> Planting {
    let count = lines(scene).len() + more;
    say(scene, "count", &json!({"count": count}))
}

fn a_user_too_many(scene: &mut Scene) -> Planting {
    count(scene, 1)
}

fn as_many_as_it_lists(scene: &mut Scene) -> Planting {
    count(scene, 0)
}

/// A sample of three by its seed; the first place goes to somebody else when it was chosen.
fn sample(scene: &mut Scene, is_chosen: bool) -> Planting {
    let users: Vec<String> = lines(scene).into_keys().collect();
    let population = u64::try_from(users.len()).map_err(|_| NoRoom)?;
    let drawn = draw_sample("block 900144", population, 3);
    let mut listed: Vec<&String> = drawn.iter().filter_map(|at| users.get(usize::try_from(*at).ok()?)).collect();
    if listed.len() < 3 || users.len() < 4 {
        return Err(NoRoom);
    }
    if is_chosen {
        let other = users.iter().find(|user| !listed.contains(user)).ok_or(NoRoom)?;
        listed[0] = other;
    }
    let line = json!({"sample": {"seed": "block 900144", "size": 3, "users": listed}});
    say(scene, "sample", &line)
}

fn a_user_who_was_not_drawn(scene: &mut Scene) -> Planting {
    sample(scene, true)
}

fn the_users_that_were_drawn(scene: &mut Scene) -> Planting {
    sample(scene, false)
}
