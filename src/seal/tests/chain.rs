//! CHK_CHAIN and CHK_RANGE, each with its near miss.

use super::{KEYS, WORLD, hand, judge, judge_by, told};
use crate::domain::Counts;
use crate::seal::{SealTrust, is_signature_failure};
use crate::sim::seals::{CheckpointBody, checkpoint_bodies, checkpoints, sign_checkpoint, sign_checkpoint_as};

fn signed(bodies: &[CheckpointBody]) -> Vec<String> {
    bodies.iter().map(|body| sign_checkpoint(&hand(), body)).collect()
}

/// The honest chain after an edit; every later body names the digest of the one before it again.
fn edited(edit: impl FnOnce(&mut Vec<CheckpointBody>)) -> Vec<CheckpointBody> {
    let mut bodies = checkpoint_bodies(&WORLD);
    edit(&mut bodies);
    for at in 1..bodies.len() {
        bodies[at].previous = Some(bodies[at - 1].digest());
    }
    bodies
}

fn of(lines: &[String]) -> Vec<String> {
    told(&judge(lines, &[]).findings)
}

#[test]
fn an_honest_chain_passes_in_any_order_and_however_often() {
    let mut lines = checkpoints(&WORLD);
    assert_eq!(of(&lines), Vec::<String>::new());
    lines.reverse();
    lines.extend(lines.clone());
    let judgement = judge(&lines, &[]);
    assert_eq!(told(&judgement.findings), Vec::<String>::new());
    assert_eq!(judgement.checkpoints, Counts { unique: 4, accepted: 4, ..Counts::default() });
}

#[test]
fn a_predecessor_that_is_another_or_missing_is_told() {
    let mut bodies = checkpoint_bodies(&WORLD);
    bodies[1].root = "ab".repeat(32);
    assert_eq!(of(&signed(&bodies)), ["CHK_CHAIN seq=2"]);
    // The near miss: linked again.
    assert_eq!(of(&signed(&edited(|bodies| bodies[1].root = "ab".repeat(32)))), Vec::<String>::new());
    let mut lines = checkpoints(&WORLD);
    lines.remove(1);
    assert_eq!(of(&lines), ["CHK_CHAIN seq=2", "CHK_RANGE seq=2"]);
    assert_eq!(of(&checkpoints(&WORLD)[1..]), ["CHK_CHAIN seq=1", "CHK_RANGE seq=1"]);
    assert_eq!(of(&checkpoints(&WORLD)[..3]), Vec::<String>::new());
}

#[test]
fn only_the_first_has_no_predecessor() {
    let mut bodies = checkpoint_bodies(&WORLD);
    bodies.truncate(1);
    bodies[0].previous = Some("ab".repeat(32));
    assert_eq!(of(&signed(&bodies)), ["CHK_CHAIN seq=0"]);
    let mut bodies = checkpoint_bodies(&WORLD);
    bodies.truncate(2);
    bodies[1].previous = None;
    assert_eq!(of(&signed(&bodies)), ["CHK_CHAIN seq=1"]);
}

#[test]
fn two_bodies_for_one_number_are_told_and_one_body_signed_twice_is_not() {
    let mut lines = checkpoints(&WORLD);
    let last = checkpoint_bodies(&WORLD).pop().unwrap();
    let other = CheckpointBody { root: "cd".repeat(32), ..last.clone() };
    lines.push(sign_checkpoint(&hand(), &other));
    assert_eq!(of(&lines), ["CHK_CHAIN seq=3"]);
    // In the middle of the chain the successor names one of them, which is enough for it.
    let mut lines = checkpoints(&WORLD);
    let middle = CheckpointBody { as_of: 7, ..checkpoint_bodies(&WORLD)[1].clone() };
    lines.push(sign_checkpoint(&hand(), &middle));
    assert_eq!(of(&lines), ["CHK_CHAIN seq=1"]);
    // The near miss: the same body in another line.
    let mut lines = checkpoints(&WORLD);
    lines.push(lines[3].replacen("{\"body\"", "{ \"body\"", 1));
    assert_eq!(of(&lines), Vec::<String>::new());
}

#[test]
fn a_signature_that_fails_or_is_a_strangers_is_told_once_and_breaks_no_other_link() {
    let bodies = checkpoint_bodies(&WORLD);
    let mut lines = checkpoints(&WORLD);
    lines[2] = sign_checkpoint_as(&hand(), "stranger", &bodies[2]);
    let judgement = judge(&lines, &[]);
    assert_eq!(told(&judgement.findings), ["CHK_CHAIN seq=2"]);
    assert!(is_signature_failure(&judgement.findings[0]));
    assert_eq!(judgement.checkpoints, Counts { unique: 4, accepted: 3, rejected: 1, ..Counts::default() });
    let mut lines = checkpoints(&WORLD);
    let at = lines[2].find("\"sig\":\"").unwrap() + 7;
    let digit = if lines[2].as_bytes()[at] == b'0' { "1" } else { "0" };
    lines[2].replace_range(at..=at, digit);
    assert_eq!(of(&lines), ["CHK_CHAIN seq=2"]);
    // A stranger's other body beside the honest one is told, and takes nothing from it.
    let mut lines = checkpoints(&WORLD);
    let forged = CheckpointBody { from: 0, until: 9_999, ..bodies[2].clone() };
    lines.push(sign_checkpoint_as(&hand(), "stranger", &forged));
    assert_eq!(of(&lines), ["CHK_CHAIN seq=2"]);
}

#[test]
fn a_body_edited_without_its_key_counts_as_missing() {
    let mut lines = checkpoints(&WORLD);
    let root = &checkpoint_bodies(&WORLD)[1].root;
    lines[1] = lines[1].replace(root.as_str(), &"ab".repeat(32));
    assert_eq!(of(&lines), ["CHK_CHAIN seq=1", "CHK_CHAIN seq=2", "CHK_RANGE seq=2"]);
    let mut lines = checkpoints(&WORLD);
    let root = &checkpoint_bodies(&WORLD)[3].root;
    lines[3] = lines[3].replace(root.as_str(), &"ab".repeat(32));
    assert_eq!(of(&lines), ["CHK_CHAIN seq=3"]);
}

#[test]
fn ranges_that_overlap_or_leave_a_hole_and_trees_of_another_size_are_told() {
    assert_eq!(of(&signed(&edited(|bodies| bodies[2].from += 1))), ["CHK_RANGE seq=2"]);
    assert_eq!(of(&signed(&edited(|bodies| bodies[2].from -= 1))), ["CHK_RANGE seq=2"]);
    assert_eq!(of(&signed(&edited(|bodies| bodies[0].from = 1))), ["CHK_RANGE seq=0"]);
    assert_eq!(of(&signed(&edited(|bodies| bodies[3].tree_size += 1))), ["CHK_RANGE seq=3"]);
    let backwards = |bodies: &mut Vec<CheckpointBody>| {
        bodies[3].until = bodies[3].from - 1;
        bodies[3].tree_size = bodies[3].until;
    };
    assert_eq!(of(&signed(&edited(backwards))), ["CHK_RANGE seq=3"]);
    // The near misses: the cut moves on both sides; a checkpoint that adds nothing.
    let moved = |bodies: &mut Vec<CheckpointBody>| {
        bodies[1].until += 1;
        bodies[1].tree_size += 1;
        bodies[2].from += 1;
    };
    assert_eq!(of(&signed(&edited(moved))), Vec::<String>::new());
    let idle = |bodies: &mut Vec<CheckpointBody>| {
        let last = bodies[3].clone();
        bodies.push(CheckpointBody { seq: 4, from: last.until, ..last });
    };
    assert_eq!(of(&signed(&edited(idle))), Vec::<String>::new());
}

#[test]
fn a_tree_that_did_not_grow_keeps_its_root() {
    let rewritten = |bodies: &mut Vec<CheckpointBody>| {
        let last = bodies[3].clone();
        bodies.push(CheckpointBody { seq: 4, from: last.until, root: "ab".repeat(32), ..last });
    };
    assert_eq!(of(&signed(&edited(rewritten))), ["CHK_CHAIN seq=4"]);
}

#[test]
fn where_nobody_is_named_what_holds_is_pending_and_what_does_not_is_told() {
    let nobody = std::collections::BTreeSet::new();
    let trust = SealTrust::of(&nobody);
    let judgement = judge_by(trust, &checkpoints(&WORLD), &[]);
    assert_eq!(judgement.findings, []);
    assert_eq!(judgement.checkpoints, Counts { unique: 4, pending: 4, ..Counts::default() });
    let key = hand().ed25519_public("seal");
    let mut lines = checkpoints(&WORLD);
    lines[3] = lines[3].replace(&key, &hand().ed25519_public("stranger"));
    assert_eq!(told(&judge_by(trust, &lines, &[]).findings), ["CHK_CHAIN seq=3"]);
    assert!(KEYS.iter().any(|known| known.to_string() == key));
}

#[test]
fn ten_thousand_checkpoints_are_one_pass() {
    let mut bodies: Vec<CheckpointBody> = Vec::new();
    let first = checkpoint_bodies(&WORLD).remove(0);
    for seq in 0..10_000_u64 {
        let previous = bodies.last().map(CheckpointBody::digest);
        bodies.push(CheckpointBody { seq, from: seq, until: seq + 1, tree_size: seq + 1, previous, ..first.clone() });
    }
    bodies[9_999].from = 0;
    assert_eq!(of(&signed(&bodies)), ["CHK_RANGE seq=9999"]);
}
