//! Relays whose claim to be complete another source contradicts; absences that nobody has to explain.

use super::Generator;
use super::reach::{SPARE, kinds, profile, slice, unmet};
use crate::domain::{Code, Media, NostrEventId, RawEvidence, Subject, UnixSeconds};
use crate::sim::nostr::SimEvent;
use crate::sim::scene::{AS_OF, NoRoom, Planting, Scene};

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

/// An event that stands alone under its kind and `d`: its kind, its time, its id, and that `d`.
pub(super) fn lonely(scene: &Scene) -> Result<(u16, UnixSeconds, NostrEventId, String), NoRoom> {
    let asked = kinds(scene, 1);
    let d = |event: &SimEvent| event.tag_values("d").next().unwrap_or_default().to_owned();
    let events = &scene.world.events;
    let is_alone =
        |one: &&SimEvent| events.iter().filter(|other| other.kind == one.kind && d(other) == d(one)).count() == 1;
    let told = |one: &&SimEvent| scene.discounted.contains(&one.id.to_string());
    let one = events.iter().find(|one| asked.contains(&one.kind) && is_alone(one) && !told(one)).ok_or(NoRoom)?;
    Ok((one.kind, one.created_at, one.id, d(one)))
}

/// One relay never got that event.
pub(super) fn lacks(scene: &mut Scene, relay: usize, event: NostrEventId) -> Result<(), NoRoom> {
    profile(scene)?;
    scene.rule(relay, |rules| rules.holds.without.extend([event]))
}

fn an_event_that_the_other_has(scene: &mut Scene) -> Planting {
    let (kind, _, id, _) = lonely(scene)?;
    lacks(scene, SPARE, id)?;
    Ok(scene.tell(Code::SrcOmits, slice(SPARE, kind)))
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
    lacks(scene, SPARE, id)?;
    scene.tell(Code::EvtBadSig, Subject::new("event", id).and("evidence", evidence));
    Ok(slice(SPARE, kind))
}

/// A device record of the world: what it says moves no ledger.
fn device(scene: &Scene) -> Result<SimEvent, NoRoom> {
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
    lacks(scene, SPARE, id)?;
    Ok(slice(SPARE, one.kind))
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
    scene.claim("an archive")?;
    scene.claim(Scene::relay(SPARE).0)?;
    scene.appended.push(("nostr/events.jsonl", format!("{line}\n").into_bytes()));
    Ok(())
}

/// Two relays may lack it both: a claim to be complete does not become true by a second one.
fn an_event_that_an_archive_has(scene: &mut Scene) -> Planting {
    let one = device(scene)?;
    let event = scene.hand.event("a device", one.kind, AS_OF - 120, one.tags, one.content);
    archived(scene, &event.line())?;
    lacks_both(scene, one.kind)
}

fn lacks_both(scene: &mut Scene, kind: u16) -> Planting {
    scene.claim(Scene::relay(0).0)?;
    scene.tell(Code::SrcIncomplete, unmet(kind));
    scene.tell(Code::SrcOmits, slice(0, kind));
    Ok(scene.tell(Code::SrcOmits, slice(SPARE, kind)))
}

fn an_event_in_other_white_space(scene: &mut Scene) -> Planting {
    let (kind, _, id, _) = lonely(scene)?;
    let event = scene.world.events.iter().find(|event| event.id == id).ok_or(NoRoom)?;
    let line = event.line().replacen('{', "{ ", 1);
    archived(scene, &line)?;
    Ok(slice(SPARE, kind))
}

/// One relay has dropped what is older than that.
fn pruned(scene: &mut Scene, more: i64) -> Result<Vec<u16>, NoRoom> {
    profile(scene)?;
    let oldest = scene.world.events.iter().map(|event| event.created_at.0).min().ok_or(NoRoom)?;
    scene.rule(SPARE, |rules| rules.holds.since = Some(UnixSeconds(oldest + more)))?;
    let mut first: Vec<u16> =
        scene.world.events.iter().filter(|event| event.created_at.0 == oldest).map(|event| event.kind).collect();
    first.sort_unstable();
    first.dedup();
    Ok(first)
}

fn pruned_too_much(scene: &mut Scene) -> Planting {
    let lost = pruned(scene, 1)?;
    for kind in &lost {
        scene.tell(Code::SrcOmits, slice(SPARE, *kind));
    }
    lost.first().map(|kind| slice(SPARE, *kind)).ok_or(NoRoom)
}

fn pruned_just_enough(scene: &mut Scene) -> Planting {
    pruned(scene, 0)?.first().map(|kind| slice(SPARE, *kind)).ok_or(NoRoom)
}
