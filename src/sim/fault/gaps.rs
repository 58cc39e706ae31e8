//! Absences that are registered: known gaps, and what the operator's transparency log lists.

use serde_json::json;

use super::Generator;
use super::omissions::{lacks, lonely};
use super::reach::{operator, slice, spare};
use crate::domain::{Code, Media, SourceId, Subject, UnixSeconds};
use crate::sim::scene::{AS_OF, NoRoom, Planting, Scene, Transport, iso};

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::SrcKnownGap,
        name: "a-gap-of-a-source-that-is-asked",
        near_miss: "the same gap, expired at the as-of",
        fault: a_gap,
        miss: an_expired_gap,
    },
    Generator {
        code: Code::SrcKnownGap,
        name: "a-gap-until-the-end-of-time",
        near_miss: "a gap of a source that nobody asks",
        fault: a_wide_gap,
        miss: a_gap_of_another_source,
    },
];

/// What needs relays: one that lacks something, and another that has it.
pub(super) const BETWEEN_RELAYS: &[Generator] = &[
    Generator {
        code: Code::SrcKnownGap,
        name: "an-absence-in-its-first-second",
        near_miss: "an absence in a gap that expired at the as-of",
        fault: an_absence_in_a_gap,
        miss: an_absence_in_an_expired_gap,
    },
    Generator {
        code: Code::SrcOmits,
        name: "an-absence-a-second-after-a-gap",
        near_miss: "a gap, and nothing is absent",
        fault: an_absence_after_a_gap,
        miss: a_gap_without_an_absence,
    },
    Generator {
        code: Code::SrcTakenDown,
        name: "taken-down-on-its-day",
        near_miss: "taken down the day before it was published",
        fault: taken_down,
        miss: taken_down_before,
    },
    Generator {
        code: Code::SrcTakenDown,
        name: "taken-down-by-the-operator",
        near_miss: "missing at a relay that the log does not speak for",
        fault: taken_down,
        miss: missing_elsewhere,
    },
    Generator {
        code: Code::SrcTakenDown,
        name: "taken-down-on-the-day-of-the-as-of",
        near_miss: "taken down the day after the as-of",
        fault: taken_down_today,
        miss: taken_down_tomorrow,
    },
];

/// Registers a gap.
fn register(scene: &mut Scene, source: &SourceId, from: i64, until: i64, expires: i64) -> Subject {
    scene.sections += &format!(
        "\n[[gaps]]\nsource = \"{source}\"\nfrom = {}\nuntil = {}\nreason = \"the disk was full\"\n\
         cite = \"a log of that day\"\nexpires = {}\n",
        iso(from),
        iso(until),
        iso(expires)
    );
    Subject::new("source", source).and("from", from).and("until", until)
}

/// A source that this scene is asked of: the archive, or a relay.
fn asked(scene: &mut Scene) -> Result<SourceId, NoRoom> {
    scene.claim("gaps")?;
    Ok(match scene.transport {
        Transport::Files => SourceId::files(Media::NostrEvent),
        Transport::Sockets => {
            // A gap would explain what this relay is to lack by another fault.
            let relay = Scene::relay(operator(scene)?);
            scene.claim(relay.0.clone())?;
            relay
        }
    })
}

const SPRING: [i64; 2] = [AS_OF - 200 * 86_400, AS_OF - 180 * 86_400];

fn a_gap_that_expires(scene: &mut Scene, expires: i64) -> Planting {
    let source = asked(scene)?;
    Ok(register(scene, &source, SPRING[0], SPRING[1], expires))
}

fn a_gap(scene: &mut Scene) -> Planting {
    let subject = a_gap_that_expires(scene, AS_OF + 1)?;
    Ok(scene.tell_explained(Code::SrcKnownGap, subject))
}

fn an_expired_gap(scene: &mut Scene) -> Planting {
    a_gap_that_expires(scene, AS_OF)
}

fn a_wide_gap(scene: &mut Scene) -> Planting {
    let source = asked(scene)?;
    let subject = register(scene, &source, 0, AS_OF + 86_400, AS_OF + 86_400);
    Ok(scene.tell_explained(Code::SrcKnownGap, subject))
}

fn a_gap_of_another_source(scene: &mut Scene) -> Planting {
    scene.claim("gaps")?;
    Ok(register(scene, &SourceId("wss://relay.example".to_owned()), 0, AS_OF + 86_400, AS_OF + 86_400))
}

/// A relay lacks an event, and a gap of that relay begins so long after it, for a second.
fn absence(scene: &mut Scene, after: i64, expires: i64) -> Result<(Subject, Subject), NoRoom> {
    scene.claim("gaps")?;
    let (kind, at, id, _) = lonely(scene)?;
    let relay = spare(scene)?;
    lacks(scene, relay, id)?;
    let gap = register(scene, &Scene::relay(relay), at.0 + after, at.0 + after + 1, expires);
    Ok((gap, slice(relay, kind)))
}

fn an_absence_in_a_gap(scene: &mut Scene) -> Planting {
    let (gap, omitted) = absence(scene, 0, AS_OF + 1)?;
    scene.tell_explained(Code::SrcOmits, omitted);
    Ok(scene.tell_explained(Code::SrcKnownGap, gap))
}

fn an_absence_in_an_expired_gap(scene: &mut Scene) -> Planting {
    let (gap, omitted) = absence(scene, 0, AS_OF)?;
    scene.tell(Code::SrcOmits, omitted);
    Ok(gap)
}

/// A gap ends before the second that it names (CONTRACT 3).
fn an_absence_after_a_gap(scene: &mut Scene) -> Planting {
    let (gap, omitted) = absence(scene, -1, AS_OF + 1)?;
    scene.tell_explained(Code::SrcKnownGap, gap);
    Ok(scene.tell(Code::SrcOmits, omitted))
}

fn a_gap_without_an_absence(scene: &mut Scene) -> Planting {
    scene.servers()?;
    scene.claim("gaps")?;
    let relay = spare(scene)?;
    scene.claim(Scene::relay(relay).0)?;
    let gap = register(scene, &Scene::relay(relay), 0, AS_OF, AS_OF + 1);
    scene.tell_explained(Code::SrcKnownGap, gap);
    Ok(slice(relay, 30_087))
}

/// The day of an instant, as the log writes it.
fn day(at: UnixSeconds) -> String {
    at.to_string().chars().take(10).collect()
}

/// A relay lacks an event that the log lists under the day so many days after it was published.
fn listed(scene: &mut Scene, relay: usize, date: impl FnOnce(UnixSeconds) -> String) -> Result<[Subject; 2], NoRoom> {
    scene.claim("config transparency")?;
    let (kind, at, id, d) = lonely(scene)?;
    lacks(scene, relay, id)?;
    let line = json!({"kind": kind, "d": d, "date": date(at)});
    scene.appended.push(("transparency.jsonl", format!("{line}\n").into_bytes()));
    let log = "[nostr]\ntransparency = [\"transparency.jsonl\"]\n";
    scene.replaced.push(("[nostr]\n".to_owned(), log.to_owned()));
    Ok([slice(relay, kind).and("d", d), slice(relay, kind)])
}

fn taken_down_on(scene: &mut Scene, date: impl FnOnce(UnixSeconds) -> String) -> Planting {
    let relay = operator(scene)?;
    let [subject, _] = listed(scene, relay, date)?;
    Ok(scene.tell_explained(Code::SrcTakenDown, subject))
}

fn omitted_although(scene: &mut Scene, relay: usize, date: impl FnOnce(UnixSeconds) -> String) -> Planting {
    let [subject, omitted] = listed(scene, relay, date)?;
    scene.tell(Code::SrcOmits, omitted);
    Ok(subject)
}

fn taken_down(scene: &mut Scene) -> Planting {
    taken_down_on(scene, day)
}

/// A takedown explains nothing that was published after its day.
fn taken_down_before(scene: &mut Scene) -> Planting {
    let relay = operator(scene)?;
    omitted_although(scene, relay, |at| day(UnixSeconds(at.0 - 86_400)))
}

fn missing_elsewhere(scene: &mut Scene) -> Planting {
    let relay = spare(scene)?;
    omitted_although(scene, relay, day)
}

fn taken_down_today(scene: &mut Scene) -> Planting {
    taken_down_on(scene, |_| day(UnixSeconds(AS_OF)))
}

/// What was logged after the as-of was not known then.
fn taken_down_tomorrow(scene: &mut Scene) -> Planting {
    let relay = operator(scene)?;
    omitted_although(scene, relay, |_| day(UnixSeconds(AS_OF + 86_400)))
}
