//! Liabilities, escrow and custody: what is due, who was paid, and whether the money was there (TREASURY 2.5, 5).

use serde_json::Value;

use super::Generator;
use super::stall::DAY;
use crate::domain::{Code, Subject};
use crate::sim::envelope::Artifact;
use crate::sim::oracle;
use crate::sim::scene::{AS_OF, NoRoom, Planting, Scene};

/// Seven days of the weekly payout and three of grace.
const DUE: i64 = 10 * DAY;

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::EscUnfunded,
        name: "a-satoshi-short-before-the-event",
        near_miss: "funded to the satoshi",
        fault: funded_too_late,
        miss: funded_to_the_satoshi,
    },
    Generator {
        code: Code::EscNegative,
        name: "a-satoshi-short-for-good",
        near_miss: "what is spendable in the end is zero",
        fault: short_for_good,
        miss: nothing_left,
    },
    Generator {
        code: Code::EscNeverFunded,
        name: "a-shop-without-a-deposit",
        near_miss: "a shop with a deposit of one satoshi",
        fault: never_funded,
        miss: funded_with_one,
    },
    Generator {
        code: Code::SetMissing,
        name: "a-second-past-due",
        near_miss: "due this second",
        fault: a_second_past_due,
        miss: due_this_second,
    },
    Generator {
        code: Code::SetPending,
        name: "not-due-yet",
        near_miss: "settled",
        fault: due_this_second,
        miss: settled_in_time,
    },
    Generator {
        code: Code::SetLate,
        name: "settled-a-second-late",
        near_miss: "settled in the last second",
        fault: settled_a_second_late,
        miss: settled_in_the_last_second,
    },
    Generator {
        code: Code::SetOrphan,
        name: "a-deposit-of-an-unknown-project",
        near_miss: "a deposit of a known project",
        fault: a_deposit_of_an_unknown_project,
        miss: a_deposit_of_a_known_project,
    },
    Generator {
        code: Code::SetOrphan,
        name: "a-payout-of-no-distribution",
        near_miss: "a payout of its distribution",
        fault: a_payout_of_no_distribution,
        miss: a_payout_of_its_distribution,
    },
    Generator {
        code: Code::SetDupPayout,
        name: "one-share-under-two-operations",
        near_miss: "two shares of two batches",
        fault: one_share_twice,
        miss: two_shares,
    },
    Generator {
        code: Code::UserOverpaid,
        name: "a-satoshi-above-the-vested",
        near_miss: "exactly what is vested",
        fault: a_satoshi_above,
        miss: settled_in_time,
    },
    Generator {
        code: Code::PlatformOveraccrued,
        name: "a-satoshi-above-the-fees",
        near_miss: "all fees to the satoshi",
        fault: a_satoshi_above_the_fees,
        miss: all_fees,
    },
    Generator {
        code: Code::DistClosure,
        name: "a-total-of-one-more",
        near_miss: "the total of the parts",
        fault: a_total_of_one_more,
        miss: the_total_of_the_parts,
    },
    Generator {
        code: Code::AmtMismatch,
        name: "a-satoshi-less-than-the-share",
        near_miss: "the share",
        fault: a_satoshi_less_than_the_share,
        miss: the_share,
    },
    Generator {
        code: Code::ConsCustody,
        name: "a-satoshi-more-out-than-in",
        near_miss: "everything out",
        fault: more_out_than_in,
        miss: everything_out,
    },
];

fn number(body: &Value, name: &str) -> Result<u64, NoRoom> {
    body[name].as_u64().ok_or(NoRoom)
}

/// A shop that was given so much before its one event, and so much after it. Gives its key.
fn shop_with(scene: &mut Scene, before: impl FnOnce(u64, u64) -> Option<u64>, after: u64) -> Planting {
    let at = AS_OF - 2 * DAY;
    let (project, body) = scene.shop(at)?;
    let (gross, rebate) = (number(&body, "gross_fee_sats")?, number(&body, "site_rebate_sats")?);
    match before(gross, rebate) {
        Some(0) => return Err(NoRoom),
        Some(sats) => drop(scene.fund(&project, sats, at - DAY)),
        None => {}
    }
    if after > 0 {
        scene.fund(&project, after, at + DAY);
    }
    scene.bill(&body)?;
    Ok(Subject::new("project", project))
}

fn funded_too_late(scene: &mut Scene) -> Planting {
    shop_with(scene, |gross, _| Some(gross - 1), 1_000)
}

fn funded_to_the_satoshi(scene: &mut Scene) -> Planting {
    shop_with(scene, |gross, _| Some(gross), 0)
}

fn short_for_good(scene: &mut Scene) -> Planting {
    shop_with(scene, |gross, rebate| Some((gross - rebate).saturating_sub(1)), 0)
}

fn nothing_left(scene: &mut Scene) -> Planting {
    shop_with(scene, |gross, rebate| Some(gross - rebate), 0)
}

fn never_funded(scene: &mut Scene) -> Planting {
    shop_with(scene, |_, _| None, 0)
}

fn funded_with_one(scene: &mut Scene) -> Planting {
    shop_with(scene, |_, _| Some(1), 0)
}

/// A newcomer who earned something at that time and was paid so long after it, so much more than that.
fn paid_after(scene: &mut Scene, earned_at: i64, after: Option<i64>, more: i64) -> Planting {
    let user = scene.newcomer();
    let earned = scene.earn(&user, earned_at)?;
    if let Some(after) = after {
        let paid = earned.checked_add_signed(more).ok_or(NoRoom)?;
        scene.payday(&user, paid, paid, earned_at + after)?;
    }
    Ok(Subject::new("user", user))
}

fn a_second_past_due(scene: &mut Scene) -> Planting {
    paid_after(scene, AS_OF - DUE - 1, None, 0)
}

fn due_this_second(scene: &mut Scene) -> Planting {
    paid_after(scene, AS_OF - DUE, None, 0)
}

fn settled_in_time(scene: &mut Scene) -> Planting {
    paid_after(scene, AS_OF - 12 * DAY, Some(5 * DAY), 0)
}

fn settled_a_second_late(scene: &mut Scene) -> Planting {
    paid_after(scene, AS_OF - 12 * DAY, Some(DUE + 1), 0)
}

fn settled_in_the_last_second(scene: &mut Scene) -> Planting {
    paid_after(scene, AS_OF - 12 * DAY, Some(DUE), 0)
}

fn a_satoshi_above(scene: &mut Scene) -> Planting {
    paid_after(scene, AS_OF - 12 * DAY, Some(5 * DAY), 1)
}

fn a_deposit_of_an_unknown_project(scene: &mut Scene) -> Planting {
    let name = scene.unique();
    let settled = scene.fund(&format!("pk_live_{name:.16}"), 1_000, AS_OF - 40 * DAY);
    Ok(Subject::new("settlement", settled.digest))
}

fn a_deposit_of_a_known_project(scene: &mut Scene) -> Planting {
    let body = scene.body(Artifact::Event, |_| true)?;
    let settled = scene.fund(body["project_key"].as_str().ok_or(NoRoom)?, 1_000, AS_OF - 40 * DAY);
    Ok(Subject::new("settlement", settled.digest))
}

/// A newcomer who is paid what was earned, under that batch or the one that there is.
fn paid_under(scene: &mut Scene, batch: Option<String>) -> Planting {
    let user = scene.newcomer();
    let at = AS_OF - 5 * DAY;
    let earned = scene.earn(&user, AS_OF - 9 * DAY)?;
    let binding = scene.bind(&user, at - 7_200);
    let batch = batch.unwrap_or_else(|| scene.distribution(&[(&user, earned, &binding)], earned, at - 3_600).id);
    let settled = scene.pay(&user, &binding, &batch, earned, at);
    scene.credit(&user, -i64::try_from(earned).map_err(|_| NoRoom)?)?;
    Ok(Subject::new("settlement", settled.digest))
}

fn a_payout_of_no_distribution(scene: &mut Scene) -> Planting {
    let nothing = scene.unique();
    paid_under(scene, Some(nothing))
}

fn a_payout_of_its_distribution(scene: &mut Scene) -> Planting {
    paid_under(scene, None)
}

/// A newcomer whose share is settled twice: of one batch, or of two.
fn twice(scene: &mut Scene, batches: usize) -> Planting {
    let user = scene.newcomer();
    let at = AS_OF - 5 * DAY;
    let first = scene.earn(&user, AS_OF - 9 * DAY)?;
    let second = scene.earn(&user, AS_OF - 8 * DAY)?;
    let binding = scene.bind(&user, at - 7_200);
    let batch = scene.distribution(&[(&user, first, &binding)], first, at - 3_600).id;
    scene.pay(&user, &binding, &batch, first, at);
    let other = if batches == 1 {
        batch.clone()
    } else {
        scene.distribution(&[(&user, second, &binding)], second, at - 1_800).id
    };
    scene.pay(&user, &binding, &other, second, at + 60);
    scene.credit(&user, -i64::try_from(first + second).map_err(|_| NoRoom)?)?;
    Ok(Subject::new("distribution", batch).and("user", user).and("payout_binding", binding))
}

fn one_share_twice(scene: &mut Scene) -> Planting {
    twice(scene, 1)
}

fn two_shares(scene: &mut Scene) -> Planting {
    twice(scene, 2)
}

/// All that platforms earned by the as-of, less what was accrued.
fn unaccrued(scene: &Scene) -> Result<u64, NoRoom> {
    let leaves = oracle::expect(scene).leaves;
    let leaves =
        leaves.get("envelope").ok_or(NoRoom)?.iter().filter_map(|leaf| serde_json::from_str::<Value>(leaf).ok());
    let counted = leaves.filter(|leaf| leaf["type"] == "oc-me-event" && leaf["standing"] == "counted");
    let fees: u64 = counted.filter_map(|leaf| leaf["platform_sats"].as_u64()).sum();
    let lines = scene.world.settlements.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let accrued: u64 = lines
        .filter(|line| line["event"]["kind"] == "platform.accrual" && line["event"]["direction"] == "in")
        .filter_map(|line| line["event"]["amount_sats"].as_u64())
        .sum();
    fees.checked_sub(accrued).ok_or(NoRoom)
}

fn accrue(scene: &mut Scene, more: u64) -> Planting {
    scene.claim("platform")?;
    let sats = unaccrued(scene)? + more;
    let mut event = scene.settlement("platform.accrual", "in", sats);
    event["settled_at"] = (AS_OF - 60).into();
    scene.settle(&event);
    Ok(Subject::new("account", "platform"))
}

fn a_satoshi_above_the_fees(scene: &mut Scene) -> Planting {
    accrue(scene, 1)
}

fn all_fees(scene: &mut Scene) -> Planting {
    accrue(scene, 0)
}

/// A batch of two newcomers that states so much more than its parts.
fn batch_with(scene: &mut Scene, more: u64) -> Planting {
    let users = [scene.newcomer(), scene.newcomer()];
    let at = AS_OF - 5 * DAY;
    let mut shares = Vec::new();
    for user in &users {
        let earned = scene.earn(user, AS_OF - 9 * DAY)?;
        let binding = scene.bind(user, at - 7_200);
        shares.push((user.as_str(), earned, binding));
    }
    let parts: Vec<(&str, u64, &str)> =
        shares.iter().map(|(user, sats, binding)| (*user, *sats, binding.as_str())).collect();
    let total = parts.iter().map(|(_, sats, _)| sats).sum::<u64>() + more;
    let batch = scene.distribution(&parts, total, at - 3_600).id;
    for (user, sats, binding) in parts {
        scene.pay(user, binding, &batch, sats, at);
        scene.credit(user, -i64::try_from(sats).map_err(|_| NoRoom)?)?;
    }
    Ok(Subject::new("envelope", batch))
}

fn a_total_of_one_more(scene: &mut Scene) -> Planting {
    batch_with(scene, 1)
}

fn the_total_of_the_parts(scene: &mut Scene) -> Planting {
    batch_with(scene, 0)
}

fn paid_of_share(scene: &mut Scene, less: u64) -> Planting {
    let user = scene.newcomer();
    let share = scene.earn(&user, AS_OF - 9 * DAY)?;
    let payday = scene.payday(&user, share, share - less, AS_OF - 5 * DAY)?;
    Ok(Subject::new("envelope", payday.distribution.id).and("user", user))
}

fn a_satoshi_less_than_the_share(scene: &mut Scene) -> Planting {
    paid_of_share(scene, 1)
}

fn the_share(scene: &mut Scene) -> Planting {
    paid_of_share(scene, 0)
}

/// All of custody at the as-of, and so much more, goes out by an adjustment.
fn take_out(scene: &mut Scene, more: i128) -> Planting {
    scene.claim("custody")?;
    let custody = *oracle::expect(scene).trial_balance.get("A:Custody").ok_or(NoRoom)?;
    let sats = u64::try_from(custody.div_euclid(1_000) + more).map_err(|_| NoRoom)?;
    let mut event = scene.settlement("adjustment", "out", sats);
    event["settled_at"] = (AS_OF - 1).into();
    event["note"] = "moved to another federation".into();
    scene.settle(&event);
    Ok(Subject::new("federation", "oc-me-v1"))
}

fn more_out_than_in(scene: &mut Scene) -> Planting {
    take_out(scene, 1)
}

fn everything_out(scene: &mut Scene) -> Planting {
    take_out(scene, 0)
}
