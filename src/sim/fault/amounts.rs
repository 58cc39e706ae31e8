//! What signed amounts owe to the published fee rule, and what an amount can be at all.

use serde_json::{Value, json};

use super::Generator;
use super::stall::{DAY, EARLIER, Good, PAYMENT, SESSION, STAMP, Stall, about, carried, prices, refused};
use crate::domain::Code;
use crate::sim::envelope::Artifact;
use crate::sim::scene::{Carrier, NoRoom, Planting, Scene, iso};

/// All bitcoin that can be, in satoshi.
const SUPPLY: u64 = 2_100_000_000_000_000;
/// The check that an event without a price leaves open.
const REPLAY: &str = "envelope.fees.replay";

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::FeeSplit,
        name: "a-satoshi-more-for-the-user",
        near_miss: "the published split",
        fault: a_satoshi_more_for_the_user,
        miss: the_published_split,
    },
    Generator {
        code: Code::FeeSplit,
        name: "a-satoshi-more-for-the-platform",
        near_miss: "the published split",
        fault: a_satoshi_more_for_the_platform,
        miss: the_published_split,
    },
    Generator {
        code: Code::FeeSplit,
        name: "a-share-of-what-the-platform-leaves",
        near_miss: "the published split",
        fault: a_share_of_what_the_platform_leaves,
        miss: the_published_split,
    },
    Generator {
        code: Code::FeeSplit,
        name: "a-custom-key-of-another-class",
        near_miss: "a custom key of its class",
        fault: a_custom_key_of_another_class,
        miss: a_custom_key_of_its_class,
    },
    Generator {
        code: Code::FeeSplit,
        name: "a-price-changed-in-that-second",
        near_miss: "a price changed a second later",
        fault: a_price_changed_in_that_second,
        miss: a_price_changed_a_second_later,
    },
    Generator {
        code: Code::FeeSplit,
        name: "a-subtype-switched-off",
        near_miss: "a subtype switched off a second later",
        fault: a_subtype_switched_off,
        miss: a_subtype_switched_off_a_second_later,
    },
    Generator {
        code: Code::FeeSplit,
        name: "an-agent-at-the-human-price",
        near_miss: "an agent at the agents' price",
        fault: an_agent_at_the_human_price,
        miss: an_agent_at_the_agents_price,
    },
    Generator {
        code: Code::FeeSplit,
        name: "another-class-than-the-subtypes",
        near_miss: "the published split",
        fault: another_class_than_the_subtypes,
        miss: the_published_split,
    },
    Generator {
        code: Code::FeeUnreplayable,
        name: "a-percentage-of-nothing-known",
        near_miss: "a percentage of a known amount",
        fault: a_percentage_of_nothing_known,
        miss: a_percentage_of_a_known_amount,
    },
    Generator {
        code: Code::FeeUnreplayable,
        name: "a-second-before-the-first-price",
        near_miss: "in the first second of the first price",
        fault: a_second_before_the_first_price,
        miss: in_the_first_second_of_the_first_price,
    },
    Generator {
        code: Code::AmtRange,
        name: "a-satoshi-above-the-supply",
        near_miss: "the whole supply",
        fault: a_satoshi_above_the_supply,
        miss: the_whole_supply,
    },
    Generator {
        code: Code::AmtRange,
        name: "half-a-satoshi",
        near_miss: "a satoshi",
        fault: half_a_satoshi,
        miss: a_satoshi,
    },
    Generator {
        code: Code::AmtRange,
        name: "less-than-nothing",
        near_miss: "nothing",
        fault: less_than_nothing,
        miss: nothing,
    },
];

fn add(body: &mut Value, name: &str, sats: i64) {
    body[name] = (body[name].as_i64().unwrap_or(0) + sats).into();
}

/// A stamp with that edit, billed as it stands: signed amounts count whatever the rule says.
fn stamp(scene: &mut Scene, edit: impl FnOnce(&mut Value)) -> Planting {
    let mut body = Stall::open(scene).event(scene, &STAMP, EARLIER);
    edit(&mut body);
    Ok(about(&scene.bill(&body)?))
}

fn the_published_split(scene: &mut Scene) -> Planting {
    stamp(scene, |_| ())
}

fn a_satoshi_more_for_the_user(scene: &mut Scene) -> Planting {
    stamp(scene, |body| {
        add(body, "user_earned_sats", 1);
        add(body, "site_rebate_sats", -1);
    })
}

fn a_satoshi_more_for_the_platform(scene: &mut Scene) -> Planting {
    stamp(scene, |body| {
        add(body, "platform_fee_sats", 1);
        add(body, "site_rebate_sats", -1);
    })
}

fn another_class_than_the_subtypes(scene: &mut Scene) -> Planting {
    stamp(scene, |body| body["class"] = "C".into())
}

/// FORMATS 4.2: one page takes the share of gross less the platform's part, 0.65 of 80 satoshi.
fn a_share_of_what_the_platform_leaves(scene: &mut Scene) -> Planting {
    stamp(scene, |body| {
        add(body, "user_earned_sats", -13);
        add(body, "site_rebate_sats", 13);
    })
}

/// An event of class C under a key that only the project's catalogue has, with that class there.
fn custom(scene: &mut Scene, class: &str) -> Planting {
    const ZINE: Good = Good { subtype: "zine_print", ..SESSION };
    let stall = Stall::open(scene);
    let mut events = prices(&[ZINE]);
    events[ZINE.subtype]["class"] = class.into();
    stall.publish(scene, &events, EARLIER - DAY);
    Ok(about(&stall.bill(scene, &ZINE, EARLIER)?))
}

fn a_custom_key_of_another_class(scene: &mut Scene) -> Planting {
    custom(scene, "B")
}

fn a_custom_key_of_its_class(scene: &mut Scene) -> Planting {
    custom(scene, "C")
}

/// A stamp, and another price list so long after it.
fn repriced(scene: &mut Scene, seconds: i64, edit: impl FnOnce(&mut Value)) -> Planting {
    let stall = Stall::open(scene);
    let mut events = prices(&[STAMP]);
    edit(&mut events[STAMP.subtype]);
    stall.publish(scene, &events, EARLIER + seconds);
    Ok(about(&stall.bill(scene, &STAMP, EARLIER)?))
}

fn dearer(price: &mut Value) {
    price["site_pays"]["sats"] = 101.into();
}

fn off(price: &mut Value) {
    price["enabled"] = false.into();
}

fn a_price_changed_in_that_second(scene: &mut Scene) -> Planting {
    repriced(scene, 0, dearer)
}

fn a_price_changed_a_second_later(scene: &mut Scene) -> Planting {
    repriced(scene, 1, dearer)
}

fn a_subtype_switched_off(scene: &mut Scene) -> Planting {
    repriced(scene, 0, off)
}

fn a_subtype_switched_off_a_second_later(scene: &mut Scene) -> Planting {
    repriced(scene, 1, off)
}

/// A stamp by an agent, who has the price of a session here, at the price of that good.
fn by_an_agent(scene: &mut Scene, at_price_of: &Good) -> Planting {
    let stall = Stall::open(scene);
    let mut events = prices(&[STAMP]);
    let pays = prices(&[SESSION])[SESSION.subtype]["site_pays"].clone();
    events[STAMP.subtype]["agent"] = json!({"site_pays": pays});
    stall.publish(scene, &events, EARLIER - DAY);
    let mut body = stall.event(scene, &Good { split: at_price_of.split, ..STAMP }, EARLIER);
    body["v"] = 3.into();
    body["is_agent"] = true.into();
    Ok(about(&scene.bill(&body)?))
}

fn an_agent_at_the_human_price(scene: &mut Scene) -> Planting {
    by_an_agent(scene, &STAMP)
}

fn an_agent_at_the_agents_price(scene: &mut Scene) -> Planting {
    by_an_agent(scene, &SESSION)
}

fn a_percentage_of_nothing_known(scene: &mut Scene) -> Planting {
    let unknown = Good { payment: None, ..PAYMENT };
    scene.unchecked.insert(REPLAY.to_owned());
    Ok(about(&Stall::open(scene).bill(scene, &unknown, EARLIER)?))
}

fn a_percentage_of_a_known_amount(scene: &mut Scene) -> Planting {
    Ok(about(&Stall::open(scene).bill(scene, &PAYMENT, EARLIER)?))
}

fn a_second_before_the_first_price(scene: &mut Scene) -> Planting {
    scene.unchecked.insert(REPLAY.to_owned());
    Ok(about(&Stall::with(scene, &[STAMP], EARLIER + 1).bill(scene, &STAMP, EARLIER)?))
}

fn in_the_first_second_of_the_first_price(scene: &mut Scene) -> Planting {
    Ok(about(&Stall::with(scene, &[STAMP], EARLIER).bill(scene, &STAMP, EARLIER)?))
}

/// A payment by Lightning: signed, and in no balance.
fn charge(scene: &mut Scene, sats: &Value) -> Carrier {
    let name = scene.unique();
    scene.sign(&json!({
        "v": 1, "kind": Artifact::Payment.name(), "status": "authorized", "sats_charged": sats,
        "user_address": scene.hand.address(&name), "occurred_at": iso(EARLIER),
    }))
}

fn impossible(scene: &mut Scene, sats: &Value) -> Planting {
    let carrier = charge(scene, sats);
    refused(scene, Code::AmtRange, carrier)
}

fn possible(scene: &mut Scene, sats: u64) -> Planting {
    let carrier = charge(scene, &sats.into());
    Ok(carried(&scene.put(carrier)))
}

fn a_satoshi_above_the_supply(scene: &mut Scene) -> Planting {
    impossible(scene, &(SUPPLY + 1).into())
}

fn the_whole_supply(scene: &mut Scene) -> Planting {
    possible(scene, SUPPLY)
}

fn half_a_satoshi(scene: &mut Scene) -> Planting {
    let half = serde_json::from_str("0.5").map_err(|_| NoRoom)?;
    impossible(scene, &half)
}

fn a_satoshi(scene: &mut Scene) -> Planting {
    possible(scene, 1)
}

fn less_than_nothing(scene: &mut Scene) -> Planting {
    impossible(scene, &(-1).into())
}

fn nothing(scene: &mut Scene) -> Planting {
    possible(scene, 0)
}
