//! Anchoring: proofs that are absent, late, broken or about something else, and the headers they end in.

use reledger::domain::{Media, RawEvidence, sha256};
use serde_json::Value;

use super::proof::{
    CALENDAR, detached, hashes_then_block, header_hash, pending, relink, time_of, waiting, work, young,
};
use super::scene::{AS_OF, Put, Scene, digest};
use super::table::{Blame, Case, judge};

const EARLIER: i64 = AS_OF - 600;
const HOUR: i64 = 3_600;
/// Headers of one piece of evidence.
const EPOCH: usize = 2_016;

/// An event of that time, with the `ots` member that this makes of its id.
fn stamped(scene: &mut Scene, at: i64, ots: impl FnOnce(&mut Scene, [u8; 32]) -> Value) -> Put {
    let body = scene.event_at(at);
    let mut carrier = scene.sign(&body);
    let member = ots(scene, digest(&carrier.id));
    carrier.content.insert("ots".to_owned(), member);
    scene.bill_as(&body, carrier)
}

fn about_envelope(put: &Put, role: &'static str) -> Blame {
    Blame::new("envelope", &put.id).citing(role, put.evidence)
}

fn about_proof(put: &Put) -> Blame {
    Blame::new("digest", &put.id).citing("proof", put.evidence)
}

/// The same, anchored in the last block.
fn in_the_tip(scene: &mut Scene, at: i64) -> Put {
    stamped(scene, at, |scene, id| {
        let tip = scene.tip();
        scene.anchor(id, tip);
        scene.confirmed(&hashes_then_block(1, tip), tip)
    })
}

/// A block near the end of the chain, dated as early as its rules allow: height and time. It is to be anchored in.
pub(crate) fn early_block(scene: &mut Scene) -> (usize, i64) {
    let height = scene.tip() - 7;
    // A time must exceed the median of the eleven before: the sixth of them, since times rise.
    let time = time_of(&scene.world.headers[height - 6]) + 1;
    scene.world.headers[height][68..72].copy_from_slice(&u32::try_from(time).unwrap().to_le_bytes());
    relink(&mut scene.world.headers, height);
    (height, time)
}

fn in_an_early_block(scene: &mut Scene, after: i64) -> Put {
    let (height, time) = early_block(scene);
    stamped(scene, time + after, |scene, id| {
        scene.anchor(id, height);
        scene.confirmed(&hashes_then_block(1, height), height)
    })
}

fn no_proof(scene: &mut Scene) -> Blame {
    about_envelope(&stamped(scene, EARLIER, |_, _| Value::Null), "carrier")
}

fn a_young_proof(scene: &mut Scene) -> Blame {
    about_envelope(&stamped(scene, EARLIER, |_, _| waiting(&young())), "proof")
}

fn any_young_proof(scene: &mut Scene) {
    // Waiting is explained, so nothing is open.
    stamped(scene, EARLIER, |_, _| waiting(&young()));
}

fn any_block(scene: &mut Scene) {
    in_the_tip(scene, EARLIER);
}

fn waiting_for(scene: &mut Scene, seconds: i64) -> Put {
    stamped(scene, EARLIER, |_, _| waiting(&pending(1, AS_OF - seconds, CALENDAR)))
}

fn waiting_past_the_budget(scene: &mut Scene) -> Blame {
    about_envelope(&waiting_for(scene, 48 * HOUR + 1), "proof")
}

fn waiting_to_the_end_of_the_budget(scene: &mut Scene) {
    waiting_for(scene, 48 * HOUR);
}

fn about_another_digest(scene: &mut Scene) -> Blame {
    let other = sha256(b"another").0;
    about_proof(&stamped(scene, EARLIER, |_, _| waiting(&detached(other, &young()))))
}

fn about_its_id(scene: &mut Scene) {
    stamped(scene, EARLIER, |_, id| waiting(&detached(id, &young())));
}

fn a_byte_too_many(scene: &mut Scene) -> Blame {
    about_proof(&stamped(scene, EARLIER, |_, _| waiting(&[young(), vec![0]].concat())))
}

fn an_operation_too_many(scene: &mut Scene) -> Blame {
    about_proof(&stamped(scene, EARLIER, |_, _| waiting(&pending(254, AS_OF - HOUR, CALENDAR))))
}

fn as_many_operations_as_allowed(scene: &mut Scene) {
    stamped(scene, EARLIER, |_, _| waiting(&pending(253, AS_OF - HOUR, CALENDAR)));
}

fn another_root(scene: &mut Scene) -> Blame {
    about_proof(&stamped(scene, EARLIER, |scene, id| {
        let tip = scene.tip();
        scene.anchor(id, tip);
        scene.confirmed(&detached(id, &hashes_then_block(2, tip)), tip)
    }))
}

fn a_block_beyond_the_tip(scene: &mut Scene) -> Blame {
    about_proof(&stamped(scene, EARLIER, |scene, _| {
        let (tip, next) = (scene.tip(), scene.tip() + 1);
        let mut member = scene.confirmed(&hashes_then_block(1, next), tip);
        member["block_height"] = next.into();
        member["block_hash"] = Value::Null;
        member
    }))
}

fn another_height_in_the_member(scene: &mut Scene) -> Blame {
    about_proof(&stamped(scene, EARLIER, |scene, id| {
        let tip = scene.tip();
        scene.anchor(id, tip);
        let mut member = scene.confirmed(&hashes_then_block(1, tip), tip);
        member["block_height"] = (tip - 1).into();
        member["block_hash"] = Value::Null;
        member
    }))
}

fn a_calendar_of_its_own(scene: &mut Scene) -> Blame {
    let calendar = "https://alice.btc.calendar.opentimestamps.org.evil.example";
    about_proof(&stamped(scene, EARLIER, |_, _| waiting(&pending(1, AS_OF - HOUR, calendar))))
}

fn a_known_calendar_with_a_slash(scene: &mut Scene) {
    stamped(scene, EARLIER, |_, _| waiting(&pending(1, AS_OF - HOUR, &format!("{CALENDAR}/"))));
}

fn tip_time(scene: &Scene) -> i64 {
    time_of(scene.world.headers.last().unwrap())
}

fn anchored_after_the_promise(scene: &mut Scene) -> Blame {
    let at = tip_time(scene) - 48 * HOUR - 1;
    about_envelope(&in_the_tip(scene, at), "proof")
}

fn anchored_at_the_end_of_the_promise(scene: &mut Scene) {
    let at = tip_time(scene) - 48 * HOUR;
    in_the_tip(scene, at);
}

fn claimed_after_its_block(scene: &mut Scene) -> Blame {
    about_envelope(&in_an_early_block(scene, 2 * HOUR + 1), "proof")
}

fn claimed_inside_the_slack(scene: &mut Scene) {
    in_an_early_block(scene, 2 * HOUR);
}

fn a_last_header_without_work(scene: &mut Scene) -> Blame {
    let tip = scene.tip();
    let header = &mut scene.world.headers[tip];
    let idle = (0..=u32::MAX).find(|nonce| {
        header[76..].copy_from_slice(&nonce.to_le_bytes());
        header_hash(header)[31] >= 0x80
    });
    assert!(idle.is_some());
    let start = tip / EPOCH * EPOCH;
    let run = scene.world.headers[start..].concat();
    let cited = RawEvidence::id_of(Media::Headers, &start.to_string(), &run);
    Blame::new("rule", "proof of work").citing("header", cited)
}

fn one_header_fewer(scene: &mut Scene) {
    scene.world.headers.pop();
}

/// A second branch of so many blocks beside the last five, the third of which anchors an event.
fn branch(scene: &mut Scene, blocks: usize) -> Put {
    let tip = scene.tip();
    let put = stamped(scene, EARLIER, |scene, id| {
        scene.anchor(id, tip - 2);
        scene.confirmed(&hashes_then_block(1, tip - 2), tip - 2)
    });
    let mut headers = scene.world.headers.clone();
    headers.truncate(tip - 4);
    for block in 0..blocks {
        let mut header = *headers.last().unwrap();
        let time = u32::try_from(time_of(&header) + 300).unwrap();
        let previous = header_hash(&header);
        header[4..36].copy_from_slice(&previous);
        header[36..68].copy_from_slice(sha256(format!("branch {block}").as_bytes()).as_bytes());
        header[68..72].copy_from_slice(&time.to_le_bytes());
        work(&mut header);
        headers.push(header);
    }
    scene.appended.push(("headers/branch.headers", headers[tip - 4..].concat()));
    let files = "\"headers/0.headers\"";
    scene.replaced.push((files.to_owned(), format!("{files}, \"headers/branch.headers\"")));
    put
}

fn a_longer_branch(scene: &mut Scene) -> Blame {
    about_proof(&branch(scene, 6))
}

fn a_shorter_branch(scene: &mut Scene) {
    branch(scene, 4);
}

#[test]
fn every_fault_of_waiting_for_a_block_has_its_code() {
    judge(&[
        Case {
            code: "OTS_ABSENT",
            severity: "info",
            exit: 0,
            fault: no_proof,
            beside: &[],
            near_miss: any_young_proof,
            near_miss_beside: &[],
        },
        Case {
            code: "OTS_PENDING",
            severity: "info",
            exit: 0,
            fault: a_young_proof,
            beside: &[],
            near_miss: any_block,
            near_miss_beside: &[],
        },
        Case {
            code: "OTS_OVERDUE",
            severity: "warn",
            exit: 0,
            fault: waiting_past_the_budget,
            beside: &[],
            near_miss: waiting_to_the_end_of_the_budget,
            near_miss_beside: &[],
        },
        Case {
            code: "OTS_CALENDAR",
            severity: "warn",
            exit: 0,
            fault: a_calendar_of_its_own,
            beside: &[],
            near_miss: a_known_calendar_with_a_slash,
            near_miss_beside: &[],
        },
        Case {
            code: "OTS_LATE",
            severity: "warn",
            exit: 0,
            fault: anchored_after_the_promise,
            beside: &[],
            near_miss: anchored_at_the_end_of_the_promise,
            near_miss_beside: &[],
        },
        Case {
            code: "OTS_BEFORE_CLAIM",
            severity: "error",
            exit: 1,
            fault: claimed_after_its_block,
            beside: &[],
            near_miss: claimed_inside_the_slack,
            near_miss_beside: &[],
        },
    ]);
}

#[test]
fn every_fault_of_a_proof_has_its_code() {
    judge(&[
        Case {
            code: "OTS_DIGEST",
            severity: "error",
            exit: 1,
            fault: about_another_digest,
            beside: &[],
            near_miss: about_its_id,
            near_miss_beside: &[],
        },
        Case {
            code: "OTS_MALFORMED",
            severity: "error",
            exit: 1,
            fault: a_byte_too_many,
            beside: &[],
            near_miss: any_young_proof,
            near_miss_beside: &[],
        },
        Case {
            code: "OTS_LIMIT",
            severity: "error",
            exit: 1,
            fault: an_operation_too_many,
            beside: &[],
            near_miss: as_many_operations_as_allowed,
            near_miss_beside: &[],
        },
        Case {
            code: "OTS_ROOT",
            severity: "critical",
            exit: 1,
            fault: another_root,
            beside: &[],
            near_miss: any_block,
            near_miss_beside: &[],
        },
        Case {
            code: "OTS_CLAIM",
            severity: "warn",
            exit: 0,
            fault: another_height_in_the_member,
            beside: &[],
            near_miss: any_block,
            near_miss_beside: &[],
        },
    ]);
}

#[test]
fn every_fault_of_headers_has_its_code() {
    judge(&[
        Case {
            code: "OTS_HEADER_MISSING",
            severity: "warn",
            exit: 3,
            fault: a_block_beyond_the_tip,
            // Headers are declared, so the check is owed.
            beside: &["UNVERIFIABLE"],
            near_miss: any_block,
            near_miss_beside: &[],
        },
        Case {
            code: "HDR_INVALID",
            severity: "critical",
            exit: 1,
            fault: a_last_header_without_work,
            beside: &[],
            near_miss: one_header_fewer,
            near_miss_beside: &[],
        },
        Case {
            code: "HDR_REORG",
            severity: "warn",
            exit: 0,
            fault: a_longer_branch,
            beside: &[],
            near_miss: a_shorter_branch,
            near_miss_beside: &[],
        },
    ]);
}
