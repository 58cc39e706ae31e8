//! Drop windows and their manifests (FORMATS 3.7, 11): what is sealed against the members that are held.

use serde_json::{Value, json};

use super::Generator;
use super::stall::{BOND, DAY, Good, HOUR, STAMP, Stall, about};
use crate::domain::{Code, Subject, sha256};
use crate::sim::envelope::Artifact;
use crate::sim::scene::{AS_OF, NoRoom, Planting, Scene, digest, iso, time_of};
use crate::sim::world::Proven;

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::DropTotals,
        name: "a-gross-of-one-more",
        near_miss: "another label",
        fault: a_gross_of_one_more,
        miss: another_label,
    },
    Generator {
        code: Code::DropTotals,
        name: "a-share-of-one-less",
        near_miss: "another label",
        fault: a_share_of_one_less,
        miss: another_label,
    },
    Generator {
        code: Code::DropTotals,
        name: "a-recipient-too-many",
        near_miss: "no word about recipients",
        fault: a_recipient_too_many,
        miss: no_word_about_recipients,
    },
    Generator {
        code: Code::DropTotals,
        name: "a-listed-member-that-is-another",
        near_miss: "the members in another order",
        fault: a_listed_member_that_is_another,
        miss: members_in_another_order,
    },
    Generator {
        code: Code::DropTotals,
        name: "a-member-that-nobody-published",
        near_miss: "all members published",
        fault: a_member_that_nobody_published,
        miss: all_members_published,
    },
    Generator { code: Code::DropRoot, name: "another-root", near_miss: "no root", fault: another_root, miss: no_root },
    Generator {
        code: Code::DropRoot,
        name: "a-root-of-its-leaves-hashed",
        near_miss: "a root of the sorted members",
        fault: a_root_of_its_leaves_hashed,
        miss: another_label,
    },
    Generator {
        code: Code::DropWindow,
        name: "sealed-a-second-after-the-longest",
        near_miss: "sealed in the last second of the longest",
        fault: sealed_a_second_after_the_longest,
        miss: sealed_in_the_last_second_of_the_longest,
    },
    Generator {
        code: Code::DropWindow,
        name: "a-boundary-moved-later",
        near_miss: "a boundary moved earlier",
        fault: a_boundary_moved_later,
        miss: a_boundary_moved_earlier,
    },
    Generator {
        code: Code::DropWindow,
        name: "sealed-a-second-after-the-valve",
        near_miss: "sealed in the last second of the valve",
        fault: sealed_a_second_after_the_valve,
        miss: sealed_in_the_last_second_of_the_valve,
    },
    Generator {
        code: Code::DropWindow,
        name: "sealed-a-block-too-high",
        near_miss: "sealed at the last height",
        fault: sealed_a_block_too_high,
        miss: sealed_at_the_last_height,
    },
    Generator {
        code: Code::DropWindow,
        name: "one-subtype-in-two-schedules",
        near_miss: "one schedule after the other",
        fault: one_subtype_in_two_schedules,
        miss: one_schedule_after_the_other,
    },
];

/// The longest window is 92 days, and its safety valve 24 hours (FORMATS 3.7).
const LONGEST: i64 = 92 * DAY + 24 * HOUR;
/// The valve after a boundary, and the slack of block times (BIP-0113).
const VALVE: i64 = 24 * HOUR + 2 * HOUR;
/// So many blocks above its target a seal is late whatever the luck of miners.
const LATE_BLOCKS: usize = 216;

/// A window with two members, of which some may not be published.
struct Window {
    id: String,
    goods: [Good; 2],
    members: Vec<String>,
}

/// Members of these times, each naming a height.
fn window(scene: &mut Scene, good: Good, members: [(i64, Option<usize>); 2]) -> Result<Window, NoRoom> {
    let mut window = empty(scene, good);
    let stall = Stall::open(scene);
    for (at, target) in members {
        let body = member(scene, &stall, &window, at, target);
        window.members.push(scene.bill(&body)?.id);
    }
    window.members.sort();
    Ok(window)
}

fn empty(scene: &mut Scene, good: Good) -> Window {
    Window { id: format!("w_{:.12}", scene.unique()), goods: [good, good], members: Vec::new() }
}

fn member(scene: &mut Scene, stall: &Stall, window: &Window, at: i64, target: Option<usize>) -> Value {
    let mut body = stall.event(scene, &window.goods[0], at);
    body["v"] = 4.into();
    body["drop"] = json!({"window_id": window.id, "close_height_target": target});
    body
}

/// The root over two ids: one sorted pair, hashed once. All tree rules but one agree on it.
fn root(ids: &[String]) -> Result<String, NoRoom> {
    let [left, right] = ids else { return Err(NoRoom) };
    Ok(sha256(&[digest(left)?, digest(right)?].concat()).to_hex())
}

/// The honest manifest of a window with two members.
fn manifest(scene: &Scene, window: &Window, sealed_at: i64, height: Option<usize>) -> Result<Value, NoRoom> {
    let sum = |part: usize| window.goods.iter().map(|good| good.split[part]).sum::<u64>();
    Ok(json!({
        "v": 1, "kind": Artifact::Drop.name(), "window_id": window.id, "schedule_id": "sched-stall", "label": "stall",
        "sealed_at": iso(sealed_at), "sealed_height": height, "tip_source": "bitcoin-core", "event_count": 2,
        "recipient_count": 1, "gross_fee_sats": sum(0), "user_share_sats": sum(2),
        "events_root": root(&window.members)?, "recipients_root": scene.hand.ed25519_public(&window.id),
        "event_ids": window.members,
    }))
}

/// A window closed by the clock two days ago, with that edit of its manifest.
fn sealed(scene: &mut Scene, edit: impl FnOnce(&mut Value)) -> Planting {
    let window = window(scene, STAMP, [(AS_OF - 5 * DAY, None), (AS_OF - 4 * DAY, None)])?;
    let mut body = manifest(scene, &window, AS_OF - 2 * DAY, None)?;
    edit(&mut body);
    seal(scene, &window, &body)
}

fn seal(scene: &mut Scene, window: &Window, body: &Value) -> Planting {
    let carrier = scene.sign(body);
    Ok(about(&scene.put(carrier)).and("window", &window.id))
}

fn add(body: &mut Value, name: &str, more: i64) {
    body[name] = (body[name].as_i64().unwrap_or(0) + more).into();
}

fn another_label(scene: &mut Scene) -> Planting {
    sealed(scene, |body| body["label"] = "another label".into())
}

fn a_gross_of_one_more(scene: &mut Scene) -> Planting {
    sealed(scene, |body| add(body, "gross_fee_sats", 1))
}

fn a_share_of_one_less(scene: &mut Scene) -> Planting {
    sealed(scene, |body| add(body, "user_share_sats", -1))
}

fn a_recipient_too_many(scene: &mut Scene) -> Planting {
    sealed(scene, |body| add(body, "recipient_count", 1))
}

fn no_word_about_recipients(scene: &mut Scene) -> Planting {
    sealed(scene, |body| body["recipient_count"] = Value::Null)
}

fn a_listed_member_that_is_another(scene: &mut Scene) -> Planting {
    let other = scene.unique();
    sealed(scene, |body| {
        body["event_ids"][0] = other.into();
        // No root over such a list would be right: that is another code's matter.
        body["events_root"] = Value::Null;
    })
}

fn members_in_another_order(scene: &mut Scene) -> Planting {
    sealed(scene, |body| {
        if let Some(ids) = body["event_ids"].as_array_mut() {
            ids.reverse();
        }
    })
}

/// A manifest of two members, whoever has published them.
fn partly_published(scene: &mut Scene, published: usize) -> Planting {
    let mut window = empty(scene, STAMP);
    let stall = Stall::open(scene);
    for number in 0..2 {
        let at = AS_OF - 5 * DAY + i64::try_from(number).unwrap_or(0);
        let body = member(scene, &stall, &window, at, None);
        let id = if number < published { scene.bill(&body)?.id } else { scene.sign(&body).id };
        window.members.push(id);
    }
    window.members.sort();
    let body = manifest(scene, &window, AS_OF - 2 * DAY, None)?;
    seal(scene, &window, &body)
}

fn a_member_that_nobody_published(scene: &mut Scene) -> Planting {
    partly_published(scene, 1)
}

fn all_members_published(scene: &mut Scene) -> Planting {
    partly_published(scene, 2)
}

fn another_root(scene: &mut Scene) -> Planting {
    let other = scene.unique();
    sealed(scene, |body| body["events_root"] = other.into())
}

fn no_root(scene: &mut Scene) -> Planting {
    sealed(scene, |body| body["events_root"] = Value::Null)
}

fn a_root_of_its_leaves_hashed(scene: &mut Scene) -> Planting {
    sealed(scene, |body| {
        let hashed = |id: &Value| sha256(id.as_str().unwrap_or_default().as_bytes()).to_hex();
        let ids: Vec<String> = body["event_ids"].as_array().into_iter().flatten().map(hashed).collect();
        body["events_root"] = root(&ids).unwrap_or_default().into();
    })
}

fn of_rule(window: &Window, rule: &str) -> Subject {
    Subject::new("window", &window.id).and("rule", rule)
}

fn sealed_after_its_first(scene: &mut Scene, seconds: i64) -> Planting {
    let first = AS_OF - 100 * DAY;
    let window = window(scene, STAMP, [(first, None), (first + DAY, None)])?;
    let body = manifest(scene, &window, first + seconds, None)?;
    seal(scene, &window, &body)?;
    Ok(of_rule(&window, "length"))
}

fn sealed_a_second_after_the_longest(scene: &mut Scene) -> Planting {
    sealed_after_its_first(scene, LONGEST + 1)
}

fn sealed_in_the_last_second_of_the_longest(scene: &mut Scene) -> Planting {
    sealed_after_its_first(scene, LONGEST)
}

/// An open window whose second member names that height, far above the tip.
fn moved_to(scene: &mut Scene, height: impl FnOnce(usize) -> usize) -> Planting {
    let first = scene.tip() + 1_000;
    let members = [(AS_OF - 2 * DAY, Some(first)), (AS_OF - 2 * DAY + 1, Some(height(first)))];
    Ok(of_rule(&window(scene, STAMP, members)?, "boundary"))
}

fn a_boundary_moved_later(scene: &mut Scene) -> Planting {
    moved_to(scene, |height| height + 1)
}

fn a_boundary_moved_earlier(scene: &mut Scene) -> Planting {
    moved_to(scene, |height| height - 1)
}

/// The height and time of a block that is known by an anchor which stays, old enough for a window to be sealed late.
fn known_block(scene: &mut Scene) -> Result<(usize, i64), NoRoom> {
    let heights = scene.world.envelopes.iter().rev().filter_map(|envelope| {
        let id = envelope.id.to_string();
        match scene.world.proven.get(&id)? {
            Proven::Block(height) => Some((id, *height)),
            _ => None,
        }
    });
    let known = heights.map(|(id, height)| (id, height, time_of(&scene.world.headers[height])));
    let fitting: Vec<(String, usize, i64)> =
        known.filter(|(_, _, time)| (AS_OF - 100 * DAY..AS_OF - 2 * DAY).contains(time)).collect();
    let found = fitting.into_iter().find(|(id, _, _)| scene.claim(format!("envelope {id}")).is_ok());
    found.map(|(_, height, time)| (height, time)).ok_or(NoRoom)
}

/// A window with a known block as its boundary, in which users get nothing, so that nothing is owed when it vests.
fn by_height(scene: &mut Scene) -> Result<(Window, usize, i64), NoRoom> {
    let (target, boundary) = known_block(scene)?;
    let members = [(boundary - 2 * HOUR, Some(target)), (boundary - HOUR, Some(target))];
    Ok((window(scene, BOND, members)?, target, boundary))
}

fn sealed_after_its_boundary(scene: &mut Scene, seconds: i64) -> Planting {
    let (window, target, boundary) = by_height(scene)?;
    let body = manifest(scene, &window, boundary + seconds, Some(target))?;
    seal(scene, &window, &body)?;
    Ok(of_rule(&window, "late"))
}

fn sealed_a_second_after_the_valve(scene: &mut Scene) -> Planting {
    sealed_after_its_boundary(scene, VALVE + 1)
}

fn sealed_in_the_last_second_of_the_valve(scene: &mut Scene) -> Planting {
    sealed_after_its_boundary(scene, VALVE)
}

fn sealed_above_its_target(scene: &mut Scene, blocks: usize) -> Planting {
    let (window, target, boundary) = by_height(scene)?;
    let body = manifest(scene, &window, boundary + HOUR, Some(target + blocks))?;
    seal(scene, &window, &body)?;
    Ok(of_rule(&window, "late"))
}

fn sealed_a_block_too_high(scene: &mut Scene) -> Planting {
    sealed_above_its_target(scene, LATE_BLOCKS + 1)
}

fn sealed_at_the_last_height(scene: &mut Scene) -> Planting {
    sealed_above_its_target(scene, LATE_BLOCKS)
}

/// Two sealed windows of one stall, each of a schedule of its own, with members at these hours after the first.
fn of_two_schedules(scene: &mut Scene, hours: [[i64; 2]; 2]) -> Planting {
    let stall = Stall::open(scene);
    let mut subject = Err(NoRoom);
    for (times, schedule) in hours.into_iter().zip(["sched-stall", "sched-other"]) {
        let mut window = empty(scene, STAMP);
        for hour in times {
            let body = member(scene, &stall, &window, AS_OF - 5 * DAY + hour * HOUR, None);
            window.members.push(scene.bill(&body)?.id);
        }
        window.members.sort();
        let mut body = manifest(scene, &window, AS_OF - 2 * DAY, None)?;
        body["schedule_id"] = schedule.into();
        seal(scene, &window, &body)?;
        subject = Ok(of_rule(&window, "schedule"));
    }
    subject
}

fn one_subtype_in_two_schedules(scene: &mut Scene) -> Planting {
    let subject = of_two_schedules(scene, [[0, 2], [1, 3]])?;
    Ok(scene.tell(Code::DropWindow, subject))
}

fn one_schedule_after_the_other(scene: &mut Scene) -> Planting {
    of_two_schedules(scene, [[0, 1], [2, 3]])
}
