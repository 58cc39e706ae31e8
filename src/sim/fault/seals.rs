//! Checkpoint chains and snapshots (docs/checkpoint.md, docs/snapshot.md).

use super::Generator;
use crate::domain::{Code, Subject, sha256};
use crate::sim::scene::{NoRoom, Planting, Scene};
use crate::sim::seals::{
    CheckpointBody, SnapshotManifest, SnapshotParts, TarEntry, checkpoint_bodies, pack_entries, sealed_entries,
    sign_checkpoint, snapshot_parts,
};

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::ChkChain,
        name: "another-predecessor",
        near_miss: "the predecessor",
        fault: another_predecessor,
        miss: an_honest_chain,
    },
    Generator {
        code: Code::ChkRange,
        name: "a-hole-of-one",
        near_miss: "no hole",
        fault: a_hole_of_one,
        miss: an_honest_chain,
    },
    Generator {
        code: Code::SnapSignature,
        name: "signed-by-nobody-trusted",
        near_miss: "signed by a trusted key",
        fault: signed_by_nobody_trusted,
        miss: an_honest_snapshot,
    },
    Generator {
        code: Code::SnapChecksum,
        name: "a-changed-byte",
        near_miss: "no changed byte",
        fault: a_changed_byte,
        miss: no_changed_byte,
    },
    Generator {
        code: Code::SnapRegress,
        name: "an-entry-fewer-than-before",
        near_miss: "as many entries as before",
        fault: an_entry_fewer,
        miss: as_many_entries,
    },
    Generator {
        code: Code::SnapUnsafe,
        name: "a-way-out-of-the-folder",
        near_miss: "a name with two dots in it",
        fault: a_way_out,
        miss: two_dots_in_a_name,
    },
];

/// Declares these seals, with the world's seal key trusted.
fn declare(scene: &mut Scene, members: &str) -> Result<(), NoRoom> {
    scene.claim("config seal")?;
    let key = scene.hand.ed25519_public("seal");
    scene.sections += &format!("\n[seal]\n{members}\ntrusted_keys = [\"{key}\"]\n");
    Ok(())
}

/// A chain whose third checkpoint this edits; later ones follow it.
fn chain(scene: &mut Scene, edit: impl FnOnce(&mut CheckpointBody)) -> Planting {
    declare(scene, "checkpoints = [\"checkpoints.jsonl\"]")?;
    let mut bodies = checkpoint_bodies(&scene.world);
    let third = bodies.get_mut(2).ok_or(NoRoom)?;
    edit(third);
    let subject = Subject::new("seq", third.seq);
    for at in 3..bodies.len() {
        bodies[at].previous = Some(bodies[at - 1].digest());
    }
    let lines: String = bodies.iter().map(|body| sign_checkpoint(&scene.hand, body) + "\n").collect();
    scene.appended.push(("checkpoints.jsonl", lines.into_bytes()));
    Ok(subject)
}

fn another_predecessor(scene: &mut Scene) -> Planting {
    let other = sha256(b"another checkpoint").to_hex();
    let subject = chain(scene, |body| body.previous = Some(other))?;
    Ok(scene.tell(Code::ChkChain, subject))
}

fn a_hole_of_one(scene: &mut Scene) -> Planting {
    let subject = chain(scene, |body| body.from += 1)?;
    Ok(scene.tell(Code::ChkRange, subject))
}

fn an_honest_chain(scene: &mut Scene) -> Planting {
    chain(scene, |_| ())
}

/// The world's second snapshot, packed by this; gives the subject that names its file.
fn snapshot(scene: &mut Scene, pack: impl FnOnce(&Scene, SnapshotParts) -> Vec<TarEntry>) -> Result<Subject, NoRoom> {
    declare(scene, "snapshots = [\"first.tar.zst\", \"second.tar.zst\"]")?;
    let mut parts = snapshot_parts(&scene.world).into_iter();
    let (first, second) = (parts.next().ok_or(NoRoom)?, parts.next().ok_or(NoRoom)?);
    let first = pack_entries(&entries(scene, "seal", &first));
    let second = pack_entries(&pack(scene, second));
    let subject = Subject::new("snapshot", sha256(&second));
    scene.appended.push(("first.tar.zst", first));
    scene.appended.push(("second.tar.zst", second));
    Ok(subject)
}

/// Manifest and signature, then the members.
fn entries(scene: &Scene, key: &str, parts: &SnapshotParts) -> Vec<TarEntry> {
    let members = parts.members.iter().map(|(name, content)| TarEntry::file(name, content));
    sealed_entries(&scene.hand, key, &parts.manifest).into_iter().chain(members).collect()
}

fn an_honest_snapshot(scene: &mut Scene) -> Planting {
    snapshot(scene, |scene, parts| entries(scene, "seal", &parts))
}

fn signed_by_nobody_trusted(scene: &mut Scene) -> Planting {
    let subject = snapshot(scene, |scene, parts| entries(scene, "another sealer", &parts))?;
    Ok(scene.tell(Code::SnapSignature, subject))
}

fn a_changed_byte(scene: &mut Scene) -> Planting {
    let subject = snapshot(scene, |scene, mut parts| {
        if let Some((_, content)) = parts.members.last_mut() {
            content[0] ^= 1;
        }
        entries(scene, "seal", &parts)
    })?;
    Ok(scene.tell(Code::SnapChecksum, subject.and("member", "cursors.json")))
}

fn no_changed_byte(scene: &mut Scene) -> Planting {
    Ok(an_honest_snapshot(scene)?.and("member", "cursors.json"))
}

/// The second snapshot states so many entries fewer than the first.
fn fewer(scene: &mut Scene, by: u64) -> Planting {
    let first = snapshot_parts(&scene.world).into_iter().next().ok_or(NoRoom)?.manifest.entries;
    let entries_now = first.checked_sub(by).ok_or(NoRoom)?;
    snapshot(scene, |scene, mut parts| {
        parts.manifest.entries = entries_now;
        entries(scene, "seal", &parts)
    })
}

fn an_entry_fewer(scene: &mut Scene) -> Planting {
    let subject = fewer(scene, 1)?;
    Ok(scene.tell(Code::SnapRegress, subject))
}

fn as_many_entries(scene: &mut Scene) -> Planting {
    fewer(scene, 0)
}

/// One member more, of that name, signed with the rest.
fn with_member(scene: &mut Scene, name: &str) -> Planting {
    let subject = snapshot(scene, |scene, mut parts| {
        parts.members.push((name.to_owned(), b"{}\n".to_vec()));
        parts.manifest = SnapshotManifest::of(parts.manifest.sequence, parts.manifest.entries, &parts.members);
        entries(scene, "seal", &parts)
    })?;
    Ok(subject.and("problem", "traversal"))
}

fn a_way_out(scene: &mut Scene) -> Planting {
    let subject = with_member(scene, "../cursors.json")?;
    Ok(scene.tell(Code::SnapUnsafe, subject))
}

fn two_dots_in_a_name(scene: &mut Scene) -> Planting {
    with_member(scene, "cursors..json")
}
