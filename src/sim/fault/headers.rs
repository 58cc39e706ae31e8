//! Headers that break a rule, and branches that overtake the one that proofs were anchored in.

use super::Generator;
use crate::domain::{Code, Media, RawEvidence, Subject, sha256};
use crate::sim::config::SERVED_STALE;
use crate::sim::scene::{
    AS_OF, NoRoom, Planting, Scene, Transport, digest, hashes_then_block, hashes_then_blocks, header_hash, time_of,
    work,
};
use crate::sim::world::Proven;

/// Headers of one piece of evidence.
const EPOCH: usize = 2_016;
const HEADERS: &str = "\"headers/0.headers\"";
const BRANCH: &str = "\"headers/branch.headers\"";

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::HdrInvalid,
        name: "a-last-header-without-work",
        near_miss: "one header fewer",
        fault: a_last_header_without_work,
        miss: one_header_fewer,
    },
    Generator {
        code: Code::HdrReorg,
        name: "a-longer-branch",
        near_miss: "a shorter branch",
        fault: a_longer_branch,
        miss: a_shorter_branch,
    },
    Generator {
        code: Code::HdrReorg,
        name: "anchored-again-below-the-fork",
        near_miss: "in both blocks of the longer chain",
        fault: anchored_again_below_the_fork,
        miss: anchored_twice,
    },
];

/// Headers in one answer of a Bitcoin Core node at most (REST interface).
const REST_HEADERS: usize = 2_000;

/// How findings name what is wrong in the run of headers that holds the tip.
fn about_tip_run(scene: &Scene, tip: usize) -> Subject {
    let step = if scene.transport == Transport::Files { EPOCH } else { REST_HEADERS };
    let start = tip / step * step;
    let run = scene.world.headers[start..].concat();
    let id = RawEvidence::id_of(Media::Headers, &start.to_string(), &run);
    Subject::new("run", id).and("height", tip).and("rule", "proof of work")
}

fn a_last_header_without_work(scene: &mut Scene) -> Planting {
    scene.claim("chain end")?;
    let tip = scene.tip();
    let header = &mut scene.world.headers[tip];
    for nonce in 0..=u32::MAX {
        header[76..].copy_from_slice(&nonce.to_le_bytes());
        if header_hash(header)[31] >= 0x80 {
            break;
        }
    }
    let subject = about_tip_run(scene, tip);
    Ok(scene.tell(Code::HdrInvalid, subject))
}

fn one_header_fewer(scene: &mut Scene) -> Planting {
    scene.claim("chain end")?;
    let tip = scene.tip();
    let subject = about_tip_run(scene, tip);
    scene.world.headers.pop();
    Ok(subject)
}

/// A second branch of so many blocks beside the last five, the third of which anchors an event; so does the block below the
/// fork when there is an `also`.
fn branch(scene: &mut Scene, blocks: usize, also: bool, proven: impl FnOnce(usize) -> Proven) -> Planting {
    let tip = scene.tip();
    let (below, third) = (tip - 5, tip - 2);
    let body = scene.event_at(AS_OF - 600)?;
    let mut carrier = scene.sign(&body);
    let id = digest(&carrier.id)?;
    let proof = if also { hashes_then_blocks(1, &[below, third]) } else { hashes_then_block(1, third) };
    scene.anchor(id, third)?;
    if also {
        scene.commit(id, below)?;
    }
    carrier.content.insert("ots".to_owned(), scene.confirmed(&proof, if also { below } else { third }));
    let put = scene.bill_as(&body, carrier)?;
    scene.world.proven.insert(put.id.clone(), proven(tip));
    let mut headers = scene.world.headers.clone();
    headers.truncate(tip - 4);
    for block in 0..blocks {
        let mut header = headers[headers.len() - 1];
        let time = u32::try_from(time_of(&header) + 300).map_err(|_| NoRoom)?;
        let previous = header_hash(&header);
        header[4..36].copy_from_slice(&previous);
        header[36..68].copy_from_slice(sha256(format!("branch {block}").as_bytes()).as_bytes());
        header[68..72].copy_from_slice(&time.to_le_bytes());
        work(&mut header);
        headers.push(header);
    }
    scene.appended.push(("headers/branch.headers", headers[tip - 4..].concat()));
    let stale = format!("\"{SERVED_STALE}\"");
    let [place, with] = match scene.transport {
        Transport::Files => [HEADERS.to_owned(), format!("{HEADERS}, {BRANCH}")],
        Transport::Sockets if scene.world.stale.is_empty() => {
            ["[headers]\n".to_owned(), format!("[headers]\nfiles = [{BRANCH}]\n")]
        }
        Transport::Sockets => [stale.clone(), format!("{stale}, {BRANCH}")],
    };
    scene.replaced.push((place, with));
    Ok(Subject::new("digest", &put.id).and("proof", sha256(&proof)).and("height", third))
}

fn a_longer_branch(scene: &mut Scene) -> Planting {
    let subject = branch(scene, 6, false, |_| Proven::Refused)?;
    Ok(scene.tell(Code::HdrReorg, subject))
}

fn a_shorter_branch(scene: &mut Scene) -> Planting {
    branch(scene, 4, false, |tip| Proven::Block(tip - 2))
}

/// What a block of the chain still commits to stays anchored, in that block.
fn anchored_again_below_the_fork(scene: &mut Scene) -> Planting {
    let subject = branch(scene, 6, true, |tip| Proven::Block(tip - 5))?;
    Ok(scene.tell_explained(Code::HdrReorg, subject))
}

fn anchored_twice(scene: &mut Scene) -> Planting {
    branch(scene, 4, true, |tip| Proven::Block(tip - 5))
}
