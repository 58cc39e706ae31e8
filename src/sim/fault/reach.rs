//! Sources that give nothing at all, and answers without a sufficient basis (DIVERGENCES.md, step 0).

use std::collections::BTreeMap;

use super::Generator;
use super::omissions::{current, device};
use crate::domain::{Code, Media, SourceId, Subject, UnixSeconds};
use crate::sim::scene::{AS_OF, ASKED, NoRoom, Planting, RELAYS, Scene};
use crate::sim::server::{Misbehaviour, Role, Schedule};

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::SrcUnreachable,
        name: "one-relay-of-those-that-must-answer",
        near_miss: "refuses one question, and answers when it is asked again",
        fault: one_of_all_is_away,
        miss: one_of_all_was_busy,
    },
    Generator {
        code: Code::SrcUnreachable,
        name: "a-relay-more-than-needed",
        near_miss: "answers slowly, in small pieces",
        fault: a_spare_relay_is_away,
        miss: a_spare_relay_is_slow,
    },
    Generator {
        code: Code::SrcUnreachable,
        name: "a-relay-that-wants-names",
        near_miss: "leaves once in the middle of an answer",
        fault: a_relay_that_wants_names,
        miss: a_relay_that_leaves_once,
    },
    Generator {
        code: Code::SrcUnreachable,
        name: "a-gateway-that-lets-nobody-in",
        near_miss: "hangs up once, and is asked again",
        fault: a_closed_gateway,
        miss: a_gateway_that_hangs_up,
    },
    Generator {
        code: Code::SrcIncomplete,
        name: "a-second-as-full-as-a-page",
        near_miss: "one event below the page",
        fault: a_full_second,
        miss: a_second_not_quite_full,
    },
    Generator {
        code: Code::SrcIncomplete,
        name: "a-full-second-where-all-must-cover",
        near_miss: "one event below the page, and all cover",
        fault: a_full_second_that_counts,
        miss: a_second_that_counts,
    },
    Generator {
        code: Code::SrcIncomplete,
        name: "an-end-before-the-end",
        near_miss: "cut off once, whole when asked again",
        fault: an_end_before_the_end,
        miss: a_cut_that_heals,
    },
    Generator {
        code: Code::SrcIncomplete,
        name: "each-relay-lacks-another-event",
        near_miss: "one of them lacks an event of another kind instead",
        fault: each_lacks_one,
        miss: each_lacks_one_of_its_own_kind,
    },
];

/// A relay that no other fault has: neither the operator's nor the last, so that every kind stays covered.
pub(super) fn spare(scene: &Scene) -> Result<usize, NoRoom> {
    let is_taken = |relay: usize| scene.is_claimed(EVERY_RELAY) || scene.is_claimed(&Scene::relay(relay).0);
    (1..RELAYS - 1).find(|relay| !is_taken(*relay)).ok_or(NoRoom)
}

/// The operator's relay.
pub(super) fn operator(scene: &Scene) -> Result<usize, NoRoom> {
    if scene.is_claimed(EVERY_RELAY) { Err(NoRoom) } else { Ok(0) }
}

const EVERY_RELAY: &str = "every relay";

/// Nobody else spoils any relay.
pub(super) fn every_relay(scene: &mut Scene) -> Result<(), NoRoom> {
    untouched(scene)?;
    scene.claim(EVERY_RELAY)
}

/// No fault has any relay.
fn untouched(scene: &Scene) -> Result<(), NoRoom> {
    let is_claimed = |relay| scene.is_claimed(&Scene::relay(relay).0);
    if scene.is_claimed(EVERY_RELAY) || (0..RELAYS).any(is_claimed) { Err(NoRoom) } else { Ok(()) }
}

pub(super) fn about(relay: usize) -> Subject {
    Subject::new("source", Scene::relay(relay))
}

/// The subject of what is said about one kind on one relay.
pub(super) fn slice(relay: usize, kind: u16) -> Subject {
    about(relay).and("kind", kind)
}

/// So many events at least, by kind.
pub(super) fn kinds(scene: &Scene, least: usize) -> Vec<u16> {
    let count = |kind: &u16| scene.world.events.iter().filter(|event| event.kind == *kind).count();
    ASKED.into_iter().filter(|kind| count(kind) >= least).collect()
}

/// The spoilt relay's answers about these kinds do not count; the other relay's do.
pub(super) fn spare_slices(scene: &mut Scene, relay: usize, kinds: &[u16]) {
    for kind in kinds {
        scene.tell_explained(Code::SrcIncomplete, slice(relay, *kind));
    }
}

/// The profile's kinds are asked of relays: nobody has changed that, and what changes it is planted before.
pub(super) fn profile(scene: &Scene) -> Result<(), NoRoom> {
    if scene.is_claimed("config nostr") { Err(NoRoom) } else { Ok(()) }
}

/// What is done to one relay where every relay has to be covered.
fn where_all_must_cover<T>(
    scene: &mut Scene,
    plant: impl FnOnce(&mut Scene) -> Result<T, NoRoom>,
) -> Result<T, NoRoom> {
    untouched(scene)?;
    let planted = plant(scene)?;
    scene.claim(EVERY_RELAY)?;
    let require = format!("[nostr]\nrequire = {{ min_relays = {RELAYS} }}\n");
    scene.replaced.push(("[nostr]\n".to_owned(), require));
    Ok(planted)
}

pub(super) fn unmet(kind: u16) -> Subject {
    Subject::new("requirement", "min_relays").and("kind", kind)
}

/// The subject of a relay that does this.
pub(super) fn spoil(scene: &mut Scene, how: Misbehaviour, when: Schedule) -> Planting {
    Ok(about(spoilt(scene, how, when)?))
}

/// A relay that does this.
pub(super) fn spoilt(scene: &mut Scene, how: Misbehaviour, when: Schedule) -> Result<usize, NoRoom> {
    profile(scene)?;
    let relay = spare(scene)?;
    scene.misbehave(Role::Relay, relay, how, when)?;
    Ok(relay)
}

fn one_of_all_is_away(scene: &mut Scene) -> Planting {
    let subject = where_all_must_cover(scene, |scene| spoil(scene, Misbehaviour::Redirect, Schedule::Every))?;
    for kind in ASKED {
        scene.tell(Code::SrcIncomplete, unmet(kind));
    }
    Ok(scene.tell(Code::SrcUnreachable, subject))
}

fn one_of_all_was_busy(scene: &mut Scene) -> Planting {
    where_all_must_cover(scene, |scene| spoil(scene, Misbehaviour::RateLimit, Schedule::Nth(3)))
}

fn a_spare_relay_is_away(scene: &mut Scene) -> Planting {
    let subject = spoil(scene, Misbehaviour::Redirect, Schedule::Every)?;
    Ok(scene.tell_explained(Code::SrcUnreachable, subject))
}

fn a_spare_relay_is_slow(scene: &mut Scene) -> Planting {
    spoil(scene, Misbehaviour::Drip, Schedule::Nth(2))
}

fn a_relay_that_wants_names(scene: &mut Scene) -> Planting {
    let subject = spoil(scene, Misbehaviour::Auth, Schedule::Every)?;
    Ok(scene.tell_explained(Code::SrcUnreachable, subject))
}

/// The gateway's log, and who answers for it.
fn gateway(scene: &mut Scene, how: Misbehaviour, when: Schedule) -> Planting {
    scene.claim("payment log")?;
    scene.misbehave(Role::PaymentLog, 0, how, when)?;
    Ok(Subject::new("source", SourceId::files(Media::PaymentLogEntry)))
}

/// What nobody may see does not exist for anybody.
fn a_closed_gateway(scene: &mut Scene) -> Planting {
    // Whatever another fault wrote into the log would be gone.
    if !scene.is_untouched() {
        return Err(NoRoom);
    }
    let subject = gateway(scene, Misbehaviour::Auth, Schedule::Every)?;
    scene.world.payment_log.clear();
    scene.unchecked.insert("settlement.gateway".to_owned());
    scene.tell(Code::SrcEmpty, Subject::new("population", "payment-log"));
    Ok(scene.tell(Code::SrcUnreachable, subject))
}

fn a_gateway_that_hangs_up(scene: &mut Scene) -> Planting {
    gateway(scene, Misbehaviour::Disconnect, Schedule::Nth(1))
}

fn a_relay_that_leaves_once(scene: &mut Scene) -> Planting {
    spoil(scene, Misbehaviour::Disconnect, Schedule::Nth(1))
}

/// Some devices say something in one second. Gives a relay whose pages are as long as the fullest second of all, or longer,
/// and the kinds that have such a second.
fn page_beyond_the_fullest(scene: &mut Scene, beyond: usize) -> Result<(usize, Vec<u16>), NoRoom> {
    profile(scene)?;
    let one = device(scene)?;
    for author in ["a device", "another device", "a third device"] {
        let event = scene.hand.event(author, one.kind, AS_OF - 120, one.tags.clone(), one.content.clone());
        scene.put_event(event);
    }
    let mut seconds: BTreeMap<(u16, UnixSeconds), usize> = BTreeMap::new();
    for event in &scene.world.events {
        *seconds.entry((event.kind, event.created_at)).or_default() += 1;
    }
    let fullest = seconds.values().copied().max().ok_or(NoRoom)?;
    let mut full: Vec<u16> = seconds.iter().filter(|(_, count)| **count == fullest).map(|(key, _)| key.0).collect();
    full.dedup();
    let relay = spare(scene)?;
    // A relay that lists or counts what it holds would give the second away.
    scene.rule(relay, |rules| {
        (rules.max_limit, rules.reconciles, rules.counts) = (fullest + beyond, false, false);
    })?;
    Ok((relay, full))
}

fn first_slice((relay, kinds): &(usize, Vec<u16>)) -> Planting {
    kinds.first().map(|kind| slice(*relay, *kind)).ok_or(NoRoom)
}

fn a_full_second(scene: &mut Scene) -> Planting {
    let full = page_beyond_the_fullest(scene, 0)?;
    spare_slices(scene, full.0, &full.1);
    first_slice(&full)
}

fn a_second_not_quite_full(scene: &mut Scene) -> Planting {
    first_slice(&page_beyond_the_fullest(scene, 1)?)
}

fn a_full_second_that_counts(scene: &mut Scene) -> Planting {
    let (relay, full) = where_all_must_cover(scene, |scene| page_beyond_the_fullest(scene, 0))?;
    for kind in &full {
        scene.tell(Code::SrcIncomplete, slice(relay, *kind));
        scene.tell(Code::SrcIncomplete, unmet(*kind));
    }
    full.first().map(|kind| unmet(*kind)).ok_or(NoRoom)
}

fn a_second_that_counts(scene: &mut Scene) -> Planting {
    let (_, full) = where_all_must_cover(scene, |scene| page_beyond_the_fullest(scene, 1))?;
    full.first().map(|kind| unmet(*kind)).ok_or(NoRoom)
}

/// Half of what a page holds comes after its end: the relay's word about any kind of two events is worth nothing.
fn an_end_before_the_end(scene: &mut Scene) -> Planting {
    let several = kinds(scene, 2);
    let relay = spoilt(scene, Misbehaviour::LieEose, Schedule::Every)?;
    spare_slices(scene, relay, &several);
    first_slice(&(relay, several))
}

fn a_cut_that_heals(scene: &mut Scene) -> Planting {
    let relay = spoilt(scene, Misbehaviour::CloseMidPage, Schedule::Nth(2))?;
    first_slice(&(relay, kinds(scene, 2)))
}

/// Each relay lacks its own event of its kind: every claim about these kinds is withdrawn.
fn each_lacks(scene: &mut Scene, kinds: [u16; RELAYS]) -> Result<(), NoRoom> {
    profile(scene)?;
    every_relay(scene)?;
    for (relay, kind) in kinds.into_iter().enumerate() {
        // Nobody lacks what another lacks.
        let id = current(scene).filter(|event| event.kind == kind).nth(relay).ok_or(NoRoom)?.id;
        scene.rule(relay, |rules| rules.holds.without.extend([id]))?;
        scene.tell(Code::SrcOmits, slice(relay, kind));
    }
    Ok(())
}

fn each_lacks_one(scene: &mut Scene) -> Planting {
    let kind = kinds(scene, RELAYS).first().copied().ok_or(NoRoom)?;
    each_lacks(scene, [kind; RELAYS])?;
    Ok(scene.tell(Code::SrcIncomplete, unmet(kind)))
}

fn each_lacks_one_of_its_own_kind(scene: &mut Scene) -> Planting {
    let [first, second, ..] = kinds(scene, RELAYS)[..] else { return Err(NoRoom) };
    each_lacks(scene, [first, first, first, first, second])?;
    Ok(unmet(first))
}
