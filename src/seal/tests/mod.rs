//! Seals written by the simulator, which shares no code with this room, and judged here.

mod chain;
mod hostile;
mod snapshots;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::archive::{BOUNDS, Bounds, read_within};
use super::{SealJudge, SealJudgement, SealTrust};
use crate::domain::{Finding, Media, PublicKey32, RawEvidence};
use crate::evidence::snapshot::SnapshotOutline;
use crate::evidence::{Claim, Decoded, decode};
use crate::sim::seals::{TarEntry, pack_entries, sealed_entries, snapshot_parts};
use crate::sim::{Hand, World};

pub(super) static WORLD: LazyLock<World> = LazyLock::new(|| World::generate(11, 30));

/// The world's pens.
pub(super) fn hand() -> Hand {
    WORLD.hand()
}

/// The one key that is trusted.
pub(super) static KEYS: LazyLock<BTreeSet<PublicKey32>> =
    LazyLock::new(|| BTreeSet::from([hand().ed25519_public("seal").parse().unwrap()]));

/// The judgement over checkpoint lines and archives by the trusted key.
pub(super) fn judge(lines: &[String], archives: &[Vec<u8>]) -> SealJudgement {
    judge_by(SealTrust::of(&KEYS), lines, archives)
}

pub(super) fn judge_by(trust: SealTrust<'_>, lines: &[String], archives: &[Vec<u8>]) -> SealJudgement {
    let mut judge = SealJudge::new(trust);
    let lines = lines.iter().map(|line| (Media::Checkpoint, line.clone().into_bytes()));
    let outlines = archives.iter().map(|bytes| (Media::Snapshot, read_by(trust, bytes).to_bytes()));
    for (media, bytes) in lines.chain(outlines) {
        let raw = RawEvidence { media, about: String::new(), bytes };
        let Decoded::Claim(claim, _) = decode(&raw) else { panic!("{media} decodes") };
        match *claim {
            Claim::Checkpoint(claim) => judge.checkpoint(raw.id(), &claim),
            Claim::Snapshot(outline) => judge.snapshot(raw.id(), &outline),
            other => panic!("{other:?}"),
        }
    }
    judge.finish()
}

pub(super) fn read(bytes: &[u8]) -> SnapshotOutline {
    read_by(SealTrust::of(&KEYS), bytes)
}

pub(super) fn read_by(trust: SealTrust<'_>, bytes: &[u8]) -> SnapshotOutline {
    read_in(BOUNDS, trust, bytes)
}

pub(super) fn read_in(bounds: Bounds, trust: SealTrust<'_>, bytes: &[u8]) -> SnapshotOutline {
    let size = u64::try_from(bytes.len()).unwrap();
    read_within(bounds, bytes, size, trust, &|| false).unwrap().unwrap()
}

/// Each finding as `CODE member=value ...`, without the archive's digest.
pub(super) fn told(findings: &[Finding]) -> Vec<String> {
    let line = |finding: &Finding| {
        let members = finding.subject.0.iter().filter(|(name, _)| *name != "snapshot");
        members.fold(finding.code.to_string(), |text, (name, value)| text + &format!(" {name}={value}"))
    };
    let mut told: Vec<String> = findings.iter().map(line).collect();
    told.dedup();
    told
}

/// The newest honest snapshot: the first two entries, and its members.
pub(super) fn honest() -> (Vec<TarEntry>, Vec<TarEntry>) {
    let parts = snapshot_parts(&WORLD).pop().unwrap();
    let members = parts.members.iter().map(|(name, content)| TarEntry::file(name, content)).collect();
    (sealed_entries(&hand(), "seal", &parts.manifest), members)
}

/// What an archive of these entries comes to.
pub(super) fn verdict(entries: &[TarEntry]) -> Vec<String> {
    told(&judge(&[], &[pack_entries(entries)]).findings)
}
