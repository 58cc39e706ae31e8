//! Relays whose claim to be complete another source contradicts; absences that nobody has to explain.

use std::collections::BTreeMap;

use super::Generator;
use super::reach::{every_relay, profile, slice, spare, unmet};
use crate::domain::{Code, Media, NostrEventId, RawEvidence, Subject, UnixSeconds};
use crate::sim::nostr::SimEvent;
use crate::sim::scene::{AS_OF, NoRoom, Planting, RELAYS, Scene};

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::SrcOmits,
        name: "an-event-that-the-other-relay-has",
        near_miss: "a forged event that the other relay has",
        fault: an_event_that_the_other_has,
        miss: a_forged_event_that_the_other_has,
    },
    Generator {
        code: Code::SrcOmits,
        name: "pruned-a-second-too-much",
        near_miss: "pruned up to the oldest event",
        fault: pruned_too_much,
        miss: pruned_just_enough,
    },
    Generator {
        code: Code::SrcOmits,
        name: "only-an-older-version",
        near_miss: "only the newest version",
        fault: only_an_older_version,
        miss: only_the_newest_version,
    },
    Generator {
        code: Code::SrcOmits,
        name: "an-event-that-only-an-archive-has",
        near_miss: "an event that an archive has in other white space",
        fault: an_event_that_an_archive_has,
        miss: an_event_in_other_white_space,
    },
];

/// Events that no newer one takes the place of (NIP-01).
pub(super) fn current(scene: &Scene) -> impl Iterator<Item = &SimEvent> {
    let place = |event: &SimEvent| {
        let d = event.tag_values("d").next().unwrap_or_default().to_owned();
        (event.kind, event.pubkey.clone(), d)
    };
    let newest: BTreeMap<_, UnixSeconds> = scene.world.events.iter().fold(BTreeMap::new(), |mut newest, event| {
        let at: &mut UnixSeconds = newest.entry(place(event)).or_insert(event.created_at);
        *at = (*at).max(event.created_at);
        newest
    });
    scene.world.events.iter().filter(move |event| newest.get(&place(event)) == Some(&event.created_at))
}

/// An event that stands alone under its kind and `d`, and that no other fault has: its kind, its time, its id, that `d`.
pub(super) fn lonely(scene: &mut Scene) -> Result<(u16, UnixSeconds, NostrEventId, String), NoRoom> {
    let d = |event: &SimEvent| event.tag_values("d").next().unwrap_or_default().to_owned();
    let events = &scene.world.events;
    let all = || events.iter().chain(&scene.world.archived);
    let is_alone =
        |one: &&SimEvent| all().all(|other| other.id == one.id || other.kind != one.kind || d(other) != d(one));
    let is_taken = |one: &&SimEvent| {
        let id = one.id.to_string();
        scene.discounted.contains(&id) || scene.is_claimed(&id)
    };
    let one = events.iter().find(|one| !is_taken(one) && is_alone(one)).ok_or(NoRoom)?;
    let found = (one.kind, one.created_at, one.id, d(one));
    scene.claim(found.2.to_string())?;
    Ok(found)
}

/// One relay never got that event.
pub(super) fn lacks(scene: &mut Scene, relay: usize, event: NostrEventId) -> Result<(), NoRoom> {
    profile(scene)?;
    scene.rule(relay, |rules| rules.holds.without.extend([event]))
}

fn an_event_that_the_other_has(scene: &mut Scene) -> Planting {
    let (kind, _, id, _) = lonely(scene)?;
    let relay = spare(scene)?;
    lacks(scene, relay, id)?;
    Ok(scene.tell(Code::SrcOmits, slice(relay, kind)))
}

/// Or any relay could discredit all others.
fn a_forged_event_that_the_other_has(scene: &mut Scene) -> Planting {
    let (kind, d) = (30_087, format!("oc-me-event:{}", scene.unique()));
    let mut event = scene.hand.event("a stranger", kind, AS_OF - 60, vec![vec!["d".to_owned(), d]], String::new());
    // Half of a signature is half of another one.
    let (half, rest) = event.sig.split_at(64);
    event.sig = format!("{rest}{half}");
    let (id, evidence) = (event.id, RawEvidence::id_of(Media::NostrEvent, "", event.line().as_bytes()));
    let forged = scene.put_event(event);
    scene.discounted.insert(forged);
    let relay = spare(scene)?;
    lacks(scene, relay, id)?;
    scene.tell(Code::EvtBadSig, Subject::new("event", id).and("evidence", evidence));
    Ok(slice(relay, kind))
}

/// A device record of the world: what it says moves no ledger.
pub(super) fn device(scene: &Scene) -> Result<SimEvent, NoRoom> {
    let is_device = |d: &str| d.starts_with("oc-lock:device:");
    scene.world.events.iter().find(|event| event.tag_values("d").any(is_device)).cloned().ok_or(NoRoom)
}

/// A device record is published again, a minute later, and one of two relays holds one of the two versions only.
fn two_versions(scene: &mut Scene, lacking: usize) -> Planting {
    let one = device(scene)?;
    let again = |at| scene.hand.event("a device", one.kind, at, one.tags.clone(), one.content.clone());
    let versions = [AS_OF - 180, AS_OF - 120].map(again);
    let id = versions[lacking].id;
    for event in versions {
        scene.put_event(event);
    }
    let relay = spare(scene)?;
    lacks(scene, relay, id)?;
    Ok(slice(relay, one.kind))
}

fn only_an_older_version(scene: &mut Scene) -> Planting {
    let subject = two_versions(scene, 1)?;
    Ok(scene.tell(Code::SrcOmits, subject))
}

/// NIP-01: the newer version takes the place of the older one (FORMATS 2.4).
fn only_the_newest_version(scene: &mut Scene) -> Planting {
    two_versions(scene, 0)
}

/// An archive beside the relays has an event in these bytes.
fn archived(scene: &mut Scene, line: &str) -> Result<(), NoRoom> {
    profile(scene)?;
    scene.servers()?;
    every_relay(scene)?;
    scene.appended.push(("nostr/events.jsonl", format!("{line}\n").into_bytes()));
    Ok(())
}

/// Every relay may lack it: a claim to be complete does not become true by another one.
fn an_event_that_an_archive_has(scene: &mut Scene) -> Planting {
    let one = device(scene)?;
    let event = scene.hand.event("a device", one.kind, AS_OF - 120, one.tags, one.content);
    archived(scene, &event.line())?;
    scene.tell(Code::SrcIncomplete, unmet(one.kind));
    for relay in 0..RELAYS {
        scene.tell(Code::SrcOmits, slice(relay, one.kind));
    }
    Ok(slice(0, one.kind))
}

fn an_event_in_other_white_space(scene: &mut Scene) -> Planting {
    let (kind, _, id, _) = lonely(scene)?;
    let event = scene.world.events.iter().find(|event| event.id == id).ok_or(NoRoom)?;
    let line = event.line().replacen('{', "{ ", 1);
    archived(scene, &line)?;
    Ok(slice(0, kind))
}

/// One relay has dropped what is older than that.
fn pruned(scene: &mut Scene, more: i64) -> Result<(usize, Vec<u16>), NoRoom> {
    profile(scene)?;
    let oldest = scene.world.events.iter().map(|event| event.created_at.0).min().ok_or(NoRoom)?;
    let relay = spare(scene)?;
    scene.rule(relay, |rules| rules.holds.since = Some(UnixSeconds(oldest + more)))?;
    let mut first: Vec<u16> =
        current(scene).filter(|event| event.created_at.0 == oldest).map(|event| event.kind).collect();
    first.sort_unstable();
    first.dedup();
    Ok((relay, first))
}

fn pruned_too_much(scene: &mut Scene) -> Planting {
    let (relay, lost) = pruned(scene, 1)?;
    for kind in &lost {
        scene.tell(Code::SrcOmits, slice(relay, *kind));
    }
    lost.first().map(|kind| slice(relay, *kind)).ok_or(NoRoom)
}

fn pruned_just_enough(scene: &mut Scene) -> Planting {
    let (relay, kept) = pruned(scene, 0)?;
    kept.first().map(|kind| slice(relay, *kind)).ok_or(NoRoom)
}
