//! Rebinds: each user's chain of custody transitions, and the graduations that go with it (FORMATS 3.4, 8.4).

use serde_json::{Value, json};

use super::Generator;
use super::custody::{ENOUGH, graduation, guarded};
use super::stall::{DAY, HOUR, first_free};
use crate::domain::{Code, Subject};
use crate::sim::envelope::Artifact;
use crate::sim::scene::{AS_OF, NoRoom, Planting, Put, Scene, digest, hashes_then_block, iso, user_of};
use crate::sim::world::Proven;

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::EnvEquivocation,
        name: "two-out-of-one-state",
        near_miss: "a chain of three",
        fault: two_out_of_one_state,
        miss: a_chain_of_three,
    },
    Generator {
        code: Code::EnvEquivocation,
        name: "two-in-one-second",
        near_miss: "two in two seconds",
        fault: two_in_one_second,
        miss: two_in_two_seconds,
    },
    Generator {
        code: Code::RebAnchorTime,
        name: "claimed-a-second-after-the-slack",
        near_miss: "claimed in the last second of the slack",
        fault: claimed_a_second_after_the_slack,
        miss: claimed_in_the_last_second_of_the_slack,
    },
    Generator {
        code: Code::RebAnchorTime,
        name: "claimed-behind-what-came-after-it",
        near_miss: "claimed behind it, in a block within the slack",
        fault: claimed_behind_what_came_after,
        miss: claimed_behind_within_the_slack,
    },
    Generator {
        code: Code::RebGap,
        name: "claimed-behind-what-came-after-it",
        near_miss: "claimed behind it, in a block before both",
        fault: claimed_behind_within_the_slack,
        miss: claimed_behind_what_came_after,
    },
    Generator {
        code: Code::RebGap,
        name: "back-again-without-a-departure",
        near_miss: "there, back and there again",
        fault: back_without_a_departure,
        miss: there_back_and_there_again,
    },
    Generator {
        code: Code::RebGap,
        name: "a-predecessor-that-nobody-holds",
        near_miss: "a predecessor that is held",
        fault: a_predecessor_that_nobody_holds,
        miss: a_predecessor_that_is_held,
    },
    Generator {
        code: Code::RebGap,
        name: "a-chain-without-its-first",
        near_miss: "a chain without its last",
        fault: a_chain_without_its_first,
        miss: a_chain_without_its_last,
    },
    Generator {
        code: Code::RebGap,
        name: "from-a-state-never-reached",
        near_miss: "a predecessor that is held",
        fault: from_a_state_never_reached,
        miss: a_predecessor_that_is_held,
    },
    Generator {
        code: Code::RebGraduationMissing,
        name: "self-custody-without-a-graduation",
        near_miss: "self-custody after a graduation",
        fault: self_custody_without_a_graduation,
        miss: self_custody_after_a_graduation,
    },
    Generator {
        code: Code::RebGraduationMissing,
        name: "self-custody-a-second-before-a-graduation",
        near_miss: "self-custody in the second of a graduation",
        fault: self_custody_before_a_graduation,
        miss: self_custody_in_the_second_of_a_graduation,
    },
    Generator {
        code: Code::RebInvariant,
        name: "the-graduation-of-somebody-else",
        near_miss: "one's own graduation",
        fault: the_graduation_of_somebody_else,
        miss: ones_own_graduation,
    },
    Generator {
        code: Code::RebInvariant,
        name: "another-tier-after-the-graduation",
        near_miss: "the tier of before",
        fault: another_tier_after_the_graduation,
        miss: the_tier_of_before,
    },
];

const SELF: &str = "bip322";
const CHOSEN: &str = "fedimint_client";
const DEFAULT: &str = "fedimint_threshold";

fn rebind(user: &str, from: &str, to: &str, at: i64) -> Value {
    json!({
        "v": 1, "kind": Artifact::Rebind.name(), "user_address": user, "from": from, "to": to, "occurred_at": iso(at),
    })
}

fn put(scene: &mut Scene, body: &Value) -> Put {
    let carrier = scene.sign(body);
    scene.put(carrier)
}

fn about(put: &Put, user: &str) -> Subject {
    Subject::new("envelope", &put.id).and("user", user)
}

/// A user who has no rebinds yet.
fn stranger(scene: &mut Scene) -> String {
    let name = scene.unique();
    scene.hand.address(&name)
}

fn after(mut body: Value, prev: &str) -> Value {
    body["prev"] = prev.into();
    body
}

fn a_predecessor_that_nobody_holds(scene: &mut Scene) -> Planting {
    let user = stranger(scene);
    let prev = scene.unique();
    let put = put(scene, &after(rebind(&user, SELF, CHOSEN, AS_OF - HOUR), &prev));
    Ok(about(&put, &user))
}

/// A first transition, and a second out of that state.
fn chain_of_two(scene: &mut Scene, from: &str) -> Planting {
    let user = stranger(scene);
    let first = put(scene, &rebind(&user, SELF, CHOSEN, AS_OF - HOUR)).id;
    let second = put(scene, &after(rebind(&user, from, DEFAULT, AS_OF - HOUR + 60), &first));
    Ok(about(&second, &user))
}

fn a_predecessor_that_is_held(scene: &mut Scene) -> Planting {
    chain_of_two(scene, CHOSEN)
}

fn from_a_state_never_reached(scene: &mut Scene) -> Planting {
    chain_of_two(scene, SELF)
}

/// The user of a chain of the world with at least two transitions, and its ids, oldest first.
fn a_chain(scene: &mut Scene) -> Result<(String, Vec<String>), NoRoom> {
    let rebinds: Vec<(String, String)> = scene
        .bodies(Artifact::Rebind)
        .map(|(envelope, body)| (user_of(&body).to_owned(), envelope.id.to_string()))
        .collect();
    let of = |user: &str| rebinds.iter().rev().filter(|(one, _)| one == user).map(|(_, id)| id.clone()).collect();
    let users = rebinds.iter().map(|(user, _)| user.clone());
    let long = users.filter(|user| rebinds.iter().filter(|(one, _)| one == user).count() > 1);
    let user = first_free(scene, long, |user| format!("chain of {user}"))?;
    let ids: Vec<String> = of(&user);
    for id in &ids {
        scene.claim(format!("envelope {id}"))?;
    }
    Ok((user, ids))
}

fn a_chain_without_its_first(scene: &mut Scene) -> Planting {
    let (user, ids) = a_chain(scene)?;
    let [first, second, ..] = ids.as_slice() else { return Err(NoRoom) };
    scene.retract(first)?;
    Ok(Subject::new("envelope", second).and("user", user))
}

fn a_chain_without_its_last(scene: &mut Scene) -> Planting {
    let (user, ids) = a_chain(scene)?;
    let [.., before, last] = ids.as_slice() else { return Err(NoRoom) };
    scene.retract(last)?;
    Ok(Subject::new("envelope", before).and("user", user))
}

/// A first transition, and two more; the third out of the first's state or the second's.
fn chain_of_three(scene: &mut Scene, forks: bool) -> Planting {
    let user = stranger(scene);
    let first = put(scene, &rebind(&user, SELF, CHOSEN, AS_OF - HOUR)).id;
    let second = put(scene, &after(rebind(&user, CHOSEN, DEFAULT, AS_OF - HOUR + 60), &first)).id;
    let third = if forks {
        after(rebind(&user, CHOSEN, DEFAULT, AS_OF - HOUR + 120), &first)
    } else {
        after(rebind(&user, DEFAULT, CHOSEN, AS_OF - HOUR + 120), &second)
    };
    put(scene, &third);
    Ok(Subject::new("user", user).and("prev", first))
}

/// Whichever is followed, the other starts where the user no longer is: REB_GAP comes beside.
fn two_out_of_one_state(scene: &mut Scene) -> Planting {
    chain_of_three(scene, true)
}

fn a_chain_of_three(scene: &mut Scene) -> Planting {
    chain_of_three(scene, false)
}

/// Two first transitions that both leave self-custody, so many seconds apart, without naming each other.
fn twice_within(scene: &mut Scene, seconds: i64) -> Planting {
    let user = stranger(scene);
    let at = AS_OF - HOUR;
    put(scene, &rebind(&user, SELF, CHOSEN, at));
    let from = if seconds == 0 { SELF } else { CHOSEN };
    put(scene, &rebind(&user, from, DEFAULT, at + seconds));
    Ok(Subject::new("user", user).and("at_micros", at * 1_000_000))
}

fn two_in_one_second(scene: &mut Scene) -> Planting {
    twice_within(scene, 0)
}

fn two_in_two_seconds(scene: &mut Scene) -> Planting {
    twice_within(scene, 1)
}

/// Publishes a body that the block commits to.
fn put_in_block(scene: &mut Scene, body: &Value, height: usize) -> Result<Put, NoRoom> {
    let mut carrier = scene.sign(body);
    scene.anchor(digest(&carrier.id)?, height)?;
    carrier.content.insert("ots".to_owned(), scene.confirmed(&hashes_then_block(1, height), height));
    let put = scene.put(carrier);
    scene.world.proven.insert(put.id.clone(), Proven::Block(height));
    Ok(put)
}

/// A rebind that a block commits to, dated as early as its rules allow, claimed so long after that block.
fn claimed_after_its_block(scene: &mut Scene, seconds: i64) -> Planting {
    let (height, time) = scene.early_block(seconds)?;
    let user = stranger(scene);
    let put = put_in_block(scene, &rebind(&user, SELF, CHOSEN, time + seconds), height)?;
    Ok(about(&put, &user))
}

/// A first transition claimed so long after its block, and a second out of its state claimed a second before the first's
/// claim. By the claims the second came first; by the block, where the first's claim is bounded by it, it did not.
fn claimed_behind(scene: &mut Scene, seconds: i64) -> Planting {
    let (height, time) = scene.early_block(seconds)?;
    let user = stranger(scene);
    let first = put_in_block(scene, &rebind(&user, SELF, DEFAULT, time + seconds), height)?;
    put(scene, &rebind(&user, DEFAULT, CHOSEN, time + seconds - 1));
    Ok(about(&first, &user))
}

fn claimed_behind_what_came_after(scene: &mut Scene) -> Planting {
    claimed_behind(scene, 2 * HOUR + 1)
}

fn claimed_behind_within_the_slack(scene: &mut Scene) -> Planting {
    claimed_behind(scene, 2 * HOUR)
}

/// Out of self-custody, back into it after a graduation, and out of it again; or without the way back.
fn round_trip(scene: &mut Scene, comes_back: bool) -> Planting {
    let (label, from) = guarded(scene);
    let user = scene.hand.address(&label);
    put(scene, &rebind(&user, SELF, DEFAULT, AS_OF - 3 * HOUR));
    if comes_back {
        graduation(scene, &label, &from, AS_OF - 2 * HOUR, &ENOUGH);
        put(scene, &rebind(&user, DEFAULT, SELF, AS_OF - 2 * HOUR));
    }
    let last = put(scene, &rebind(&user, SELF, DEFAULT, AS_OF - HOUR));
    Ok(about(&last, &user))
}

fn back_without_a_departure(scene: &mut Scene) -> Planting {
    round_trip(scene, false)
}

fn there_back_and_there_again(scene: &mut Scene) -> Planting {
    round_trip(scene, true)
}

fn claimed_a_second_after_the_slack(scene: &mut Scene) -> Planting {
    claimed_after_its_block(scene, 2 * HOUR + 1)
}

fn claimed_in_the_last_second_of_the_slack(scene: &mut Scene) -> Planting {
    claimed_after_its_block(scene, 2 * HOUR)
}

/// A user who leaves the guardians at that time, and who graduated when `graduated_at` says so.
fn leaving(scene: &mut Scene, at: i64, graduated_at: Option<i64>) -> Planting {
    let (label, from) = guarded(scene);
    if let Some(graduated_at) = graduated_at {
        graduation(scene, &label, &from, graduated_at, &ENOUGH);
    }
    let user = scene.hand.address(&label);
    let put = put(scene, &rebind(&user, DEFAULT, SELF, at));
    Ok(about(&put, &user))
}

fn self_custody_without_a_graduation(scene: &mut Scene) -> Planting {
    leaving(scene, AS_OF - HOUR, None)
}

fn self_custody_after_a_graduation(scene: &mut Scene) -> Planting {
    leaving(scene, AS_OF - HOUR, Some(AS_OF - DAY))
}

fn self_custody_before_a_graduation(scene: &mut Scene) -> Planting {
    leaving(scene, AS_OF - HOUR, Some(AS_OF - HOUR + 1))
}

fn self_custody_in_the_second_of_a_graduation(scene: &mut Scene) -> Planting {
    leaving(scene, AS_OF - HOUR, Some(AS_OF - HOUR))
}

/// A rebind that names a graduation, by its user or by somebody else.
fn naming(scene: &mut Scene, is_own: bool) -> Planting {
    let (label, from) = guarded(scene);
    let step = graduation(scene, &label, &from, AS_OF - DAY, &ENOUGH);
    let user = if is_own { scene.hand.address(&label) } else { stranger(scene) };
    let mut body = rebind(&user, DEFAULT, SELF, AS_OF - HOUR);
    body["graduation_id"] = step.id.into();
    let put = put(scene, &body);
    Ok(about(&put, &user))
}

fn the_graduation_of_somebody_else(scene: &mut Scene) -> Planting {
    naming(scene, false)
}

fn ones_own_graduation(scene: &mut Scene) -> Planting {
    naming(scene, true)
}

/// A departure that names its graduation, with the user's tier before and after.
fn departing_as(scene: &mut Scene, tier: &str) -> Planting {
    let (label, from) = guarded(scene);
    let step = graduation(scene, &label, &from, AS_OF - DAY, &ENOUGH);
    let user = scene.hand.address(&label);
    let mut body = rebind(&user, DEFAULT, SELF, AS_OF - HOUR);
    body["graduation_id"] = step.id.into();
    (body["tier_before"], body["tier_after"]) = ("gold".into(), tier.into());
    let put = put(scene, &body);
    Ok(about(&put, &user).and("member", "tier"))
}

fn another_tier_after_the_graduation(scene: &mut Scene) -> Planting {
    let subject = departing_as(scene, "silver")?;
    Ok(scene.tell(Code::RebInvariant, subject))
}

fn the_tier_of_before(scene: &mut Scene) -> Planting {
    departing_as(scene, "gold")
}
