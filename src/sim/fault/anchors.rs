//! Proofs that are absent, late, broken, or about something else (OTS 2, 3).

use serde_json::Value;

use super::Generator;
use super::stall::{EARLIER, HOUR};
use crate::domain::{Code, Media, Subject, sha256};
use crate::sim::scene::{
    AS_OF, CALENDAR, NoRoom, Planting, Put, Scene, Transport, detached, digest, hashes_then_block, pending, time_of,
    waiting, young,
};
use crate::sim::world::Proven;

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::OtsAbsent,
        name: "no-proof",
        near_miss: "a young proof",
        fault: no_proof,
        miss: a_young_proof,
    },
    Generator {
        code: Code::OtsPending,
        name: "a-young-proof",
        near_miss: "a block",
        fault: a_young_proof,
        miss: any_block,
    },
    Generator {
        code: Code::OtsOverdue,
        name: "a-second-past-the-budget",
        near_miss: "waiting to the last second of the budget",
        fault: waiting_past_the_budget,
        miss: waiting_to_the_end_of_the_budget,
    },
    Generator {
        code: Code::OtsCalendar,
        name: "a-name-that-ends-otherwise",
        near_miss: "a known calendar with a slash",
        fault: a_calendar_of_its_own,
        miss: a_known_calendar_with_a_slash,
    },
    Generator {
        code: Code::OtsLate,
        name: "a-second-after-the-promise",
        near_miss: "the last second of the promise",
        fault: anchored_after_the_promise,
        miss: anchored_at_the_end_of_the_promise,
    },
    Generator {
        code: Code::OtsBeforeClaim,
        name: "claimed-a-second-after-the-slack",
        near_miss: "the last second of the slack",
        fault: claimed_after_its_block,
        miss: claimed_inside_the_slack,
    },
    Generator {
        code: Code::OtsDigest,
        name: "about-another-digest",
        near_miss: "a detached proof of its id",
        fault: about_another_digest,
        miss: about_its_id,
    },
    Generator {
        code: Code::OtsMalformed,
        name: "a-byte-too-many",
        near_miss: "no byte too many",
        fault: a_byte_too_many,
        miss: no_byte_too_many,
    },
    Generator {
        code: Code::OtsLimit,
        name: "an-operation-too-deep",
        near_miss: "as many operations as are allowed",
        fault: an_operation_too_many,
        miss: as_many_operations_as_allowed,
    },
    Generator {
        code: Code::OtsRoot,
        name: "a-hash-more-than-the-block-knows",
        near_miss: "the root of the block",
        fault: another_root,
        miss: the_root_of_the_block,
    },
    Generator {
        code: Code::OtsClaim,
        name: "another-height-in-the-member",
        near_miss: "the right height in the member",
        fault: another_height_in_the_member,
        miss: the_right_height_in_the_member,
    },
    Generator {
        code: Code::OtsHeaderMissing,
        name: "a-block-beyond-the-tip",
        near_miss: "the tip itself",
        fault: a_block_beyond_the_tip,
        miss: the_tip_itself,
    },
];

/// What an `ots` member looks like, the proof in it, and what that proves.
struct Stamp {
    member: Value,
    proof: Vec<u8>,
    proven: Proven,
}

fn waits(proof: Vec<u8>, since: i64) -> Stamp {
    Stamp { member: waiting(&proof), proof, proven: Proven::Waits(since) }
}

fn refused(proof: Vec<u8>) -> Stamp {
    Stamp { member: waiting(&proof), proof, proven: Proven::Refused }
}

/// An event of that time with the stamp that this makes of its id; the stamp's proof.
fn stamped(
    scene: &mut Scene,
    at: i64,
    make: impl FnOnce(&mut Scene, [u8; 32]) -> Result<Stamp, NoRoom>,
) -> Result<(Put, Vec<u8>), NoRoom> {
    let body = scene.event_at(at)?;
    let mut carrier = scene.sign(&body);
    let id = digest(&carrier.id)?;
    let stamp = make(scene, id)?;
    carrier.content.insert("ots".to_owned(), stamp.member);
    let put = scene.bill_as(&body, carrier)?;
    scene.world.proven.insert(put.id.clone(), stamp.proven);
    Ok((put, stamp.proof))
}

fn about_envelope((put, _): &(Put, Vec<u8>)) -> Subject {
    Subject::new("envelope", &put.id)
}

fn about_proof((put, proof): &(Put, Vec<u8>)) -> Subject {
    Subject::new("digest", &put.id).and("proof", sha256(proof))
}

/// In the last block.
fn in_the_tip(scene: &mut Scene, at: i64) -> Result<(Put, Vec<u8>), NoRoom> {
    stamped(scene, at, |scene, id| {
        let tip = scene.tip();
        scene.anchor(id, tip)?;
        let proof = hashes_then_block(1, tip);
        Ok(Stamp { member: scene.confirmed(&proof, tip), proof, proven: Proven::Block(tip) })
    })
}

/// Claimed so long after a block that is dated as early as its rules allow, and anchored in it.
fn in_an_early_block(scene: &mut Scene, after: i64) -> Result<(Put, Vec<u8>), NoRoom> {
    let (height, time) = scene.early_block(after)?;
    stamped(scene, time + after, |scene, id| {
        scene.anchor(id, height)?;
        let proof = hashes_then_block(1, height);
        Ok(Stamp { member: scene.confirmed(&proof, height), proof, proven: Proven::Block(height) })
    })
}

fn no_proof(scene: &mut Scene) -> Planting {
    let none = Stamp { member: Value::Null, proof: Vec::new(), proven: Proven::Never };
    Ok(about_envelope(&stamped(scene, EARLIER, |_, _| Ok(none))?))
}

fn a_young_proof(scene: &mut Scene) -> Planting {
    Ok(about_envelope(&stamped(scene, EARLIER, |_, _| Ok(waits(young(), AS_OF - HOUR)))?))
}

fn any_block(scene: &mut Scene) -> Planting {
    Ok(about_envelope(&in_the_tip(scene, EARLIER)?))
}

fn waiting_for(scene: &mut Scene, seconds: i64) -> Planting {
    let since = AS_OF - seconds;
    Ok(about_envelope(&stamped(scene, EARLIER, |_, _| Ok(waits(pending(1, since, CALENDAR), since)))?))
}

fn waiting_past_the_budget(scene: &mut Scene) -> Planting {
    waiting_for(scene, 48 * HOUR + 1)
}

fn waiting_to_the_end_of_the_budget(scene: &mut Scene) -> Planting {
    waiting_for(scene, 48 * HOUR)
}

fn with_calendar(scene: &mut Scene, calendar: &str) -> Planting {
    let since = AS_OF - HOUR;
    let stamped = stamped(scene, EARLIER, |_, _| Ok(waits(pending(1, since, calendar), since)))?;
    Ok(about_proof(&stamped).and("calendar", calendar))
}

fn a_calendar_of_its_own(scene: &mut Scene) -> Planting {
    let calendar = "https://alice.btc.calendar.opentimestamps.org.evil.example";
    let subject = with_calendar(scene, calendar)?;
    Ok(scene.tell(Code::OtsCalendar, subject))
}

fn a_known_calendar_with_a_slash(scene: &mut Scene) -> Planting {
    with_calendar(scene, &format!("{CALENDAR}/"))
}

fn tip_time(scene: &Scene) -> i64 {
    time_of(&scene.world.headers[scene.tip()])
}

fn anchored_after_the_promise(scene: &mut Scene) -> Planting {
    let at = tip_time(scene) - 48 * HOUR - 1;
    Ok(about_envelope(&in_the_tip(scene, at)?))
}

fn anchored_at_the_end_of_the_promise(scene: &mut Scene) -> Planting {
    let at = tip_time(scene) - 48 * HOUR;
    Ok(about_envelope(&in_the_tip(scene, at)?))
}

fn claimed_after_its_block(scene: &mut Scene) -> Planting {
    Ok(about_envelope(&in_an_early_block(scene, 2 * HOUR + 1)?))
}

fn claimed_inside_the_slack(scene: &mut Scene) -> Planting {
    Ok(about_envelope(&in_an_early_block(scene, 2 * HOUR)?))
}

fn about_another_digest(scene: &mut Scene) -> Planting {
    let other = sha256(b"another").0;
    let subject = about_proof(&stamped(scene, EARLIER, |_, _| Ok(refused(detached(other, &young()))))?);
    Ok(scene.tell(Code::OtsDigest, subject))
}

fn about_its_id(scene: &mut Scene) -> Planting {
    let stamped = stamped(scene, EARLIER, |_, id| Ok(waits(detached(id, &young()), AS_OF - HOUR)))?;
    Ok(about_proof(&stamped))
}

fn a_byte_too_many(scene: &mut Scene) -> Planting {
    let subject = about_proof(&stamped(scene, EARLIER, |_, _| Ok(refused([young(), vec![0]].concat())))?);
    Ok(scene.tell(Code::OtsMalformed, subject))
}

fn no_byte_too_many(scene: &mut Scene) -> Planting {
    let stamped = stamped(scene, EARLIER, |_, _| Ok(waits(young(), AS_OF - HOUR)))?;
    Ok(about_proof(&stamped))
}

fn so_deep(scene: &mut Scene, hashes: usize) -> Result<Subject, NoRoom> {
    let since = AS_OF - HOUR;
    let proof = pending(hashes, since, CALENDAR);
    let stamp = if hashes > 253 { refused(proof) } else { waits(proof, since) };
    Ok(about_proof(&stamped(scene, EARLIER, |_, _| Ok(stamp))?))
}

fn an_operation_too_many(scene: &mut Scene) -> Planting {
    let subject = so_deep(scene, 254)?;
    Ok(scene.tell(Code::OtsLimit, subject))
}

fn as_many_operations_as_allowed(scene: &mut Scene) -> Planting {
    so_deep(scene, 253)
}

/// A proof of so many hashes in the tip, which commits to one of one hash.
fn rooted(scene: &mut Scene, hashes: usize) -> Result<Subject, NoRoom> {
    let mut height = 0;
    let stamped = stamped(scene, EARLIER, |scene, id| {
        let tip = scene.tip();
        height = tip;
        scene.anchor(id, tip)?;
        let proof = detached(id, &hashes_then_block(hashes, tip));
        let proven = if hashes == 1 { Proven::Block(tip) } else { Proven::Refused };
        Ok(Stamp { member: scene.confirmed(&proof, tip), proof, proven })
    })?;
    Ok(about_proof(&stamped).and("height", height))
}

fn another_root(scene: &mut Scene) -> Planting {
    let subject = rooted(scene, 2)?;
    Ok(scene.tell(Code::OtsRoot, subject))
}

fn the_root_of_the_block(scene: &mut Scene) -> Planting {
    rooted(scene, 1)
}

fn shown_at(scene: &mut Scene, below: usize) -> Result<Subject, NoRoom> {
    let stamped = stamped(scene, EARLIER, |scene, id| {
        let tip = scene.tip();
        scene.anchor(id, tip)?;
        let proof = hashes_then_block(1, tip);
        let mut member = scene.confirmed(&proof, tip);
        member["block_height"] = (tip - below).into();
        member["block_hash"] = Value::Null;
        Ok(Stamp { member, proof, proven: Proven::Block(tip) })
    })?;
    Ok(about_proof(&stamped).and("member", "block_height"))
}

fn another_height_in_the_member(scene: &mut Scene) -> Planting {
    let subject = shown_at(scene, 1)?;
    Ok(scene.tell(Code::OtsClaim, subject))
}

fn the_right_height_in_the_member(scene: &mut Scene) -> Planting {
    shown_at(scene, 0)
}

fn a_block_beyond_the_tip(scene: &mut Scene) -> Planting {
    scene.claim("chain end")?;
    let next = scene.tip() + 1;
    let stamped = stamped(scene, EARLIER, |scene, _| {
        let proof = hashes_then_block(1, next);
        let mut member = scene.confirmed(&proof, next - 1);
        member["block_height"] = next.into();
        member["block_hash"] = Value::Null;
        Ok(Stamp { member, proof, proven: Proven::Beyond })
    })?;
    scene.unchecked.insert("anchoring.header".to_owned());
    if scene.transport == Transport::Sockets {
        // A server that is asked for a height by name and does not have it leaves a question open.
        let node = Subject::new("source", Scene::node());
        scene.tell(Code::SrcIncomplete, node.and("kind", format!("{}-by-height", Media::Headers)));
    }
    let subject = about_proof(&stamped).and("height", next);
    Ok(scene.tell(Code::OtsHeaderMissing, subject))
}

fn the_tip_itself(scene: &mut Scene) -> Planting {
    let tip = scene.tip();
    let stamped = in_the_tip(scene, EARLIER)?;
    Ok(about_proof(&stamped).and("height", tip))
}
