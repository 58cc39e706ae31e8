//! Relays that answer something else than was asked, and what no relay may send.

use super::Generator;
use super::reach::{about, kinds, profile, slice, spare, spare_slices, spoil, spoilt};
use crate::domain::{Code, UnixSeconds};
use crate::sim::scene::{AS_OF, ASKED, NoRoom, Planting, Scene};
use crate::sim::server::{Misbehaviour as M, Role, Schedule};

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::SrcBlind,
        name: "only-what-nobody-asked-for",
        near_miss: "that beside what was asked for",
        fault: only_strangers,
        miss: strangers_too,
    },
    Generator {
        code: Code::SrcBlind,
        name: "events-for-another-subscription",
        near_miss: "no event at all, all of them pruned",
        fault: for_nobody,
        miss: an_empty_relay,
    },
    Generator {
        code: Code::SrcMisbehaves,
        name: "events-beyond-the-filter",
        near_miss: "events in no order",
        fault: |scene| offends(scene, M::WrongFilter, Schedule::Every),
        miss: |scene| spoil(scene, M::Reorder, Schedule::Every),
    },
    Generator {
        code: Code::SrcMisbehaves,
        name: "every-event-six-times",
        near_miss: "every event twice",
        fault: |scene| offends(scene, M::Repeat, Schedule::Every),
        miss: |scene| spoil(scene, M::Duplicate, Schedule::Every),
    },
    Generator {
        code: Code::SrcMisbehaves,
        name: "hundreds-of-notices",
        near_miss: "an answer after a pause",
        fault: |scene| offends(scene, M::Flood, Schedule::Nth(1)),
        miss: |scene| spoil(scene, M::Delay, Schedule::Nth(1)),
    },
    Generator {
        code: Code::SrcMisbehaves,
        name: "dozens-of-challenges",
        near_miss: "private addresses in what it says of itself",
        fault: |scene| offends(scene, M::AuthFlood, Schedule::Nth(2)),
        miss: |scene| spoil(scene, M::BadUrl, Schedule::Every),
    },
    Generator {
        code: Code::SrcMisbehaves,
        name: "a-message-too-large-once",
        near_miss: "leaves once without a word",
        fault: |scene| offends(scene, M::Oversize, Schedule::Nth(1)),
        miss: |scene| spoil(scene, M::Disconnect, Schedule::Nth(2)),
    },
    Generator {
        code: Code::SrcMisbehaves,
        name: "text-that-is-none-once",
        near_miss: "leaves once with a goodbye",
        fault: |scene| offends(scene, M::InvalidUtf8, Schedule::Nth(1)),
        miss: |scene| spoil(scene, M::CloseMidPage, Schedule::Nth(1)),
    },
    Generator {
        code: Code::SrcMisbehaves,
        name: "messages-that-are-none",
        near_miss: "small pieces",
        fault: |scene| unread(scene, M::Malformed),
        miss: |scene| spoil(scene, M::Drip, Schedule::Nth(1)),
    },
    Generator {
        code: Code::SrcMisbehaves,
        name: "events-cut-in-half",
        near_miss: "too many questions for now, once",
        fault: |scene| unread(scene, M::Truncate),
        miss: |scene| spoil(scene, M::RateLimit, Schedule::Nth(1)),
    },
    Generator {
        code: Code::SrcMisbehaves,
        name: "binary-answers",
        near_miss: "answers in no order after a pause",
        fault: |scene| unread(scene, M::Binary),
        miss: in_no_order_after_a_pause,
    },
];

/// What takes nothing and is an offence all the same.
fn offends(scene: &mut Scene, how: M, when: Schedule) -> Planting {
    let subject = spoil(scene, how, when)?;
    Ok(scene.tell(Code::SrcMisbehaves, subject))
}

/// An event may have been in what could not be read: answers about kinds that have any are no basis.
fn unread(scene: &mut Scene, how: M) -> Planting {
    let relay = spoilt(scene, how, Schedule::Every)?;
    let any = kinds(scene, 1);
    spare_slices(scene, relay, &any);
    Ok(scene.tell(Code::SrcMisbehaves, about(relay)))
}

fn only_strangers(scene: &mut Scene) -> Planting {
    let relay = spoilt(scene, M::Blind, Schedule::Every)?;
    if kinds(scene, 1).len() < 2 {
        return Err(NoRoom);
    }
    spare_slices(scene, relay, &ASKED);
    scene.tell(Code::SrcMisbehaves, about(relay));
    Ok(scene.tell(Code::SrcBlind, about(relay)))
}

fn strangers_too(scene: &mut Scene) -> Planting {
    offends(scene, M::WrongFilter, Schedule::Every)
}

fn for_nobody(scene: &mut Scene) -> Planting {
    let subject = unread(scene, M::WrongSubscription)?;
    Ok(scene.tell(Code::SrcBlind, subject))
}

/// Nothing is the truth about a relay that holds nothing; that another one holds something makes it an omission.
fn an_empty_relay(scene: &mut Scene) -> Planting {
    profile(scene)?;
    let relay = spare(scene)?;
    scene.rule(relay, |rules| rules.holds.since = Some(UnixSeconds(AS_OF + 10 * 365 * 86_400)))?;
    for kind in kinds(scene, 1) {
        scene.tell(Code::SrcOmits, slice(relay, kind));
    }
    Ok(about(relay))
}

fn in_no_order_after_a_pause(scene: &mut Scene) -> Planting {
    let relay = spoilt(scene, M::Delay, Schedule::Nth(2))?;
    scene.behave(Role::Relay, relay, M::Reorder, Schedule::Every)?;
    Ok(about(relay))
}
